"""Which workflows are active, so that their triggers start runs, and how far each trigger is."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from flowscope.errors import WorkflowNotFound
from flowscope.library.database import LibraryDatabase

_TRIGGER = "workflow_id, node_id, config, since, standing, fired, fired_at, execution_id, error"


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow whose triggers start runs. `since` is epoch milliseconds."""

    workflow_id: str
    since: float
    by: str


class TriggerRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far a trigger is. `standing` is the trigger's own JSON; `fired_at` 0 means never."""

    workflow_id: str
    node_id: str
    config: str
    since: float
    standing: bytes = b"{}"
    fired: int = 0
    fired_at: float = 0
    execution_id: str = ""
    error: str = ""


class Activations:
    """Reads and writes; safe from any thread. What `save` has returned from is on disk."""

    def __init__(self, database: LibraryDatabase) -> None:
        self._database = database

    def all(self) -> Sequence[Activation]:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT workflow_id, since, activated_by FROM activations ORDER BY workflow_id")
            return [Activation(workflow_id=workflow_id, since=since, by=by) for workflow_id, since, by in rows]

    def find(self, workflow_id: str) -> Activation | None:
        """None for one that is not active."""
        return next((one for one in self.all() if one.workflow_id == workflow_id), None)

    def activate(self, workflow_id: str, *, now: float, by: str = "") -> Activation:
        """Have its triggers start runs from now on; one that is active stays as it is. `WorkflowNotFound`."""
        with self._database.writing() as connection:
            if not connection.execute("SELECT 1 FROM workflows WHERE workflow_id = ?", (workflow_id,)).fetchone():
                raise WorkflowNotFound(workflow_id)
            connection.execute("INSERT OR IGNORE INTO activations VALUES (?, ?, ?)", (workflow_id, now, by))
        found = self.find(workflow_id)
        assert found is not None
        return found

    def deactivate(self, workflow_id: str) -> bool:
        """Have them start nothing more, and forget what they had still to start; whether it was active."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM activations WHERE workflow_id = ?", (workflow_id,))
            was_active = connection.changes() > 0
            connection.execute("DELETE FROM triggers WHERE workflow_id = ?", (workflow_id,))
        return was_active

    def triggers(self, workflow_id: str) -> dict[str, TriggerRow]:
        """By node id."""
        with self._database.reading() as connection:
            found = connection.execute(f"SELECT {_TRIGGER} FROM triggers WHERE workflow_id = ?", (workflow_id,))  # noqa: S608
            return {row[1]: TriggerRow(**dict(zip(TriggerRow.__struct_fields__, row, strict=True))) for row in found}

    def save(self, row: TriggerRow) -> None:
        """Keep how far a trigger is; of a workflow that is not active any more nothing is kept."""
        values = [getattr(row, name) for name in TriggerRow.__struct_fields__]
        with self._database.writing() as connection:
            connection.execute(
                f"INSERT OR REPLACE INTO triggers ({_TRIGGER}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? "  # noqa: S608
                "WHERE EXISTS (SELECT 1 FROM activations WHERE workflow_id = ?)",
                (*values, row.workflow_id),
            )

    def seal(self, name: str) -> bytes:
        """32 random bytes that are made once and stay the same."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO seals VALUES (?, ?)", (name, secrets.token_bytes(32)))
            return bytes(connection.execute("SELECT value FROM seals WHERE name = ?", (name,)).get)
