"""Workflows and their versions. A save is a version of its own; the active one is what triggers and ids run.

A draft is a save that says that more will follow. It is a version too, and the next save of the same sitting takes its place,
until it is run, made active, or saved for good: from then on no version changes.

Two people who edit at once are told: a change names the version it was made from, and one made from an older one is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import apsw
import msgspec

from flowscope.errors import (
    DefinitionInvalid,
    InputInvalid,
    Problem,
    VersionConflict,
    WorkflowExists,
    WorkflowNotFound,
)
from flowscope.library.database import LibraryDatabase
from flowscope.library.documents import LONGEST_ID, Draft

_COLUMNS = "w.workflow_id, w.version, w.active, w.created_at, w.updated_at, v.name, v.nodes, v.problems, v.revision"
_ROWS = f"SELECT {_COLUMNS} FROM workflows w JOIN versions v ON v.workflow_id = w.workflow_id AND v.version = w.version"  # noqa: S608
_INSERT = """
INSERT INTO versions (workflow_id, version, name, nodes, problems, saved_at, saved_by, document, draft)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_REVISE = """
UPDATE versions SET name = ?, nodes = ?, problems = ?, saved_at = ?, document = ?, draft = ?, revision = revision + 1
WHERE workflow_id = ? AND version = ?"""
_KEEP = "UPDATE versions SET draft = 0 WHERE workflow_id = ? AND version = ?"
_UPSERT = """
INSERT INTO workflows (workflow_id, version, active, name, folded, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)
ON CONFLICT (workflow_id) DO UPDATE SET
  version = ?2, active = coalesce(?3, active), name = ?4, folded = ?5, updated_at = ?6"""
_VERSION = "SELECT version, name, nodes, problems, saved_at, saved_by, draft FROM versions WHERE workflow_id = ?"
_DOCUMENT = (
    "SELECT document, saved_by, saved_at, problems, revision, draft FROM versions WHERE workflow_id = ? AND version = ?"
)

SITTING_MS = 10 * 60_000
"""After so long a pause the next save of a draft is another version."""


class WorkflowRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list. Times are epoch milliseconds; `active` is None while there are only drafts that cannot run."""

    workflow_id: str
    version: int
    active: int | None
    created_at: float
    updated_at: float
    name: str
    nodes: int
    valid: bool
    revision: int

    @property
    def tag(self) -> str:
        """Names the newest version as it is now."""
        return _tag(self.version, self.revision)


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    name: str
    nodes: int
    valid: bool
    saved_at: float
    saved_by: str
    draft: bool


class StoredWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one workflow; `latest` is the newest version's number. While it is a `draft` it may be saved over."""

    workflow_id: str
    version: int
    latest: int
    active: int | None
    created_at: float
    updated_at: float
    saved_by: str
    valid: bool
    document: bytes
    revision: int
    draft: bool

    @property
    def tag(self) -> str:
        """Names this content, and no other that the version ever had."""
        return _tag(self.version, self.revision)


class WorkflowLibrary:
    """Reads and writes; safe from any thread. `clock` tells epoch milliseconds."""

    def __init__(self, database: LibraryDatabase, clock: Callable[[], float] = lambda: time.time() * 1000) -> None:
        self._database = database
        self._clock = clock

    # --- reading ---

    def get(self, workflow_id: str, version: int | None = None) -> StoredWorkflow:
        """A version, by default the newest; `WorkflowNotFound`."""
        with self._database.reading() as connection:
            return _read(connection, workflow_id, version)

    def active(self, workflow_id: str) -> StoredWorkflow | None:
        """The version that runs; None if no version was ever fit to. `WorkflowNotFound`."""
        with self._database.reading() as connection:
            row = _require(connection, workflow_id)
            return None if row.active is None else _read(connection, workflow_id, row.active)

    def search(
        self, text: str = "", *, before: tuple[float, str] | None = None, limit: int = 50
    ) -> Sequence[WorkflowRow]:
        """Changed last, first. `before` is the (updated_at, workflow_id) of the last row already seen."""
        conditions, bindings = ["1"], []
        if text:
            conditions.append("instr(w.folded, ?) > 0")
            bindings.append(text.casefold())
        if before is not None:
            conditions.append("(w.updated_at, w.workflow_id) < (?, ?)")
            bindings += [before[0], before[1]]  # type: ignore[list-item]  # a number and a text, each bound as it is
        sql = f"{_ROWS} WHERE {' AND '.join(conditions)} ORDER BY w.updated_at DESC, w.workflow_id DESC LIMIT ?"
        with self._database.reading() as connection:
            return [_row(found) for found in connection.execute(sql, (*bindings, limit))]

    def versions(self, workflow_id: str, *, before: int | None = None, limit: int = 50) -> Sequence[VersionRow]:
        """Newest first; `WorkflowNotFound`."""
        with self._database.reading() as connection:
            _require(connection, workflow_id)
            rows = connection.execute(
                _VERSION + " AND version < ? ORDER BY version DESC LIMIT ?", (workflow_id, before or 1 << 62, limit)
            )
            return [
                VersionRow(
                    version=version,
                    name=name,
                    nodes=nodes,
                    valid=not problems,
                    saved_at=at,
                    saved_by=by,
                    draft=bool(draft),
                )
                for version, name, nodes, problems, at, by, draft in rows
            ]

    def active_versions(self) -> list[tuple[str, int, float]]:
        """The workflows that can run: id, the version that does, and when the workflow was made; in the order of their ids."""
        with self._database.reading() as connection:
            sql = "SELECT workflow_id, active, created_at FROM workflows WHERE active NOT NULL ORDER BY workflow_id"
            return [(workflow_id, version, at) for workflow_id, version, at in connection.execute(sql)]

    def all_active(self) -> list[StoredWorkflow]:
        """Every workflow that can run, in its active version."""
        with self._database.reading() as connection:
            ids = [found for (found,) in connection.execute("SELECT workflow_id FROM workflows WHERE active NOT NULL")]
        return [stored for stored in map(self.active, ids) if stored]

    # --- writing ---

    def create(self, draft: Draft, *, activate: bool = True, by: str = "") -> StoredWorkflow:
        """A new workflow; `WorkflowExists` if its document names an id that is taken. An id that was only made of the
        name gets a number instead."""
        with self._database.writing() as connection:
            workflow_id = draft.workflow_id
            if _find(connection, workflow_id) is not None:
                if draft.named:
                    raise WorkflowExists(workflow_id)
                workflow_id = _free(connection, workflow_id)
            return self._write(connection, draft, workflow_id, 1, activate=activate, by=by)

    def copy(self, draft: Draft, *, by: str = "") -> StoredWorkflow:
        """A new workflow under the document's id, or one like it that is free."""
        with self._database.writing() as connection:
            workflow_id = draft.workflow_id
            if _find(connection, workflow_id) is not None:
                workflow_id = _free(connection, workflow_id)
            return self._write(connection, draft, workflow_id, 1, activate=True, by=by)

    def save(
        self, draft: Draft, *, expected: str | None = None, activate: bool = True, by: str = "", going_on: bool = False
    ) -> StoredWorkflow:
        """Another version, or the draft of this sitting anew; with `going_on` it is a draft itself, unless it is activated.
        `expected` is the tag of the newest version as the caller knows it (None: whatever it is); `VersionConflict` if it is
        another by now, `WorkflowNotFound`. What did not change makes no version."""
        with self._database.writing() as connection:
            row = _require(connection, draft.workflow_id)
            if expected is not None and expected != row.tag:
                raise VersionConflict(draft.workflow_id, expected, row.tag)
            newest = _read(connection, draft.workflow_id, row.version)
            if newest.document == draft.document:
                if activate and draft.workflow and row.active != row.version:
                    return _activate(connection, draft.workflow_id, row.version)
                return newest if going_on else _keep(connection, newest)
            same_sitting = newest.saved_by == by and self._clock() - newest.updated_at < SITTING_MS
            version = row.version
            if not (newest.draft and same_sitting):
                _keep(connection, newest)
                version += 1
            return self._write(
                connection, draft, draft.workflow_id, version, activate=activate, by=by, going_on=going_on
            )

    def taken(self, workflow_id: str, version: int | None = None) -> StoredWorkflow:
        """A version that is about to be run, by default the newest: it stays as it is from now on. `WorkflowNotFound`."""
        stored = self.get(workflow_id, version)
        if not stored.draft:
            return stored
        with self._database.writing() as connection:
            return _keep(connection, _read(connection, workflow_id, stored.version))

    def activate(self, workflow_id: str, version: int) -> StoredWorkflow:
        """Have that version run from now on; `DefinitionInvalid` if it cannot, `WorkflowNotFound`."""
        with self._database.writing() as connection:
            stored = _read(connection, workflow_id, version)
            if not stored.valid:
                raise DefinitionInvalid([Problem("", f"version {version} cannot run", "Mend it and save it again")])
            return _activate(connection, workflow_id, version)

    def delete(self, workflow_id: str, *, expected: str | None = None) -> None:
        """Remove it with all its versions; executions keep the definitions they ran. `WorkflowNotFound`,
        `VersionConflict`."""
        with self._database.writing() as connection:
            row = _require(connection, workflow_id)
            if expected is not None and expected != row.tag:
                raise VersionConflict(workflow_id, expected, row.tag)
            connection.execute("DELETE FROM versions WHERE workflow_id = ?", (workflow_id,))
            connection.execute("DELETE FROM workflows WHERE workflow_id = ?", (workflow_id,))
            connection.execute("DELETE FROM activations WHERE workflow_id = ?", (workflow_id,))
            connection.execute("DELETE FROM triggers WHERE workflow_id = ?", (workflow_id,))

    def _write(
        self,
        connection: apsw.Connection,
        draft: Draft,
        workflow_id: str,
        version: int,
        *,
        activate: bool,
        by: str,
        going_on: bool = False,
    ) -> StoredWorkflow:
        now = self._clock()
        document = draft.document
        if workflow_id != draft.workflow_id:
            document = msgspec.json.encode(msgspec.json.decode(document) | {"id": workflow_id})
        active = version if activate and draft.workflow is not None else None
        open_ = going_on and active is None
        told = (draft.name, draft.nodes, len(draft.problems), now)
        connection.execute(_REVISE, (*told, document, open_, workflow_id, version))
        if not connection.changes():
            connection.execute(_INSERT, (workflow_id, version, *told, by, document, open_))
        folded = f"{workflow_id}\n{draft.name}".casefold()
        connection.execute(_UPSERT, (workflow_id, version, active, draft.name, folded, now))
        return _read(connection, workflow_id, version)


def _find(connection: apsw.Connection, workflow_id: str) -> WorkflowRow | None:
    found = connection.execute(_ROWS + " WHERE w.workflow_id = ?", (workflow_id,)).fetchone()
    return None if found is None else _row(found)


def _require(connection: apsw.Connection, workflow_id: str) -> WorkflowRow:
    row = _find(connection, workflow_id)
    if row is None:
        raise WorkflowNotFound(workflow_id)
    return row


def _row(found: tuple[Any, ...]) -> WorkflowRow:
    workflow_id, version, active, created_at, updated_at, name, nodes, problems, revision = found
    return WorkflowRow(
        workflow_id=workflow_id,
        version=version,
        active=active,
        created_at=created_at,
        updated_at=updated_at,
        name=name,
        nodes=nodes,
        valid=not problems,
        revision=revision,
    )


def _tag(version: int, revision: int) -> str:
    return f"{version}.{revision}" if revision else str(version)


def _read(connection: apsw.Connection, workflow_id: str, version: int | None) -> StoredWorkflow:
    row = _require(connection, workflow_id)
    wanted = row.version if version is None else version
    found = connection.execute(_DOCUMENT, (workflow_id, wanted)).fetchone()
    if found is None:
        raise WorkflowNotFound(workflow_id, version)
    document, saved_by, saved_at, problems, revision, draft = found
    return StoredWorkflow(
        workflow_id=workflow_id,
        version=wanted,
        latest=row.version,
        active=row.active,
        created_at=row.created_at,
        updated_at=saved_at,
        saved_by=saved_by,
        valid=not problems,
        document=bytes(document),
        revision=revision,
        draft=bool(draft),
    )


def _keep(connection: apsw.Connection, stored: StoredWorkflow) -> StoredWorkflow:
    connection.execute(_KEEP, (stored.workflow_id, stored.version))
    return msgspec.structs.replace(stored, draft=False)


def _activate(connection: apsw.Connection, workflow_id: str, version: int) -> StoredWorkflow:
    connection.execute(_KEEP, (workflow_id, version))
    connection.execute("UPDATE workflows SET active = ? WHERE workflow_id = ?", (version, workflow_id))
    return _read(connection, workflow_id, version)


def _free(connection: apsw.Connection, workflow_id: str) -> str:
    for number in range(2, 10_000):
        suffix = f"-{number}"
        candidate = workflow_id[: LONGEST_ID - len(suffix)] + suffix
        if _find(connection, candidate) is None:
            return candidate
    raise InputInvalid(f"There are too many workflows named like {workflow_id!r}: give this one an id")
