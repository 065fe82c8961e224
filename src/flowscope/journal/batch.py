"""What one transaction will write, worked out in memory, and the columns it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from flowscope.journal.admission import Standing, Standings, admitted_logs, judge, storable
from flowscope.journal.search import folded
from flowscope.journal.statements import Row
from flowscope.orchestrator.ports import Commit, CommitResult, ExecutionRow, LogLine, Segment

JOINED_BYTES = 64 << 10
"""Up to this size, consecutive segments of one execution in one transaction become one row."""

PROGRESS = ("status", "detail", "ended_at", "error")
"""Of an execution's row: what changes in its life."""

IDENTITY = (
    "workflow_id",
    "workflow_name",
    "definition",
    "started_at",
    "parent_execution_id",
    "caller_execution_id",
)
"""What hardly ever changes, and is indexed."""


class Joined:
    """A segment row in the making: consecutive segments of one execution."""

    __slots__ = ("first_seq", "last_seq", "parts", "size", "standing", "version")

    def __init__(self, standing: Standing, segment: Segment) -> None:
        self.standing = standing
        self.first_seq = segment.first_seq
        self.last_seq = segment.last_seq
        self.version = segment.version
        self.parts = [segment.lines]
        self.size = len(segment.lines)

    def takes(self, segment: Segment) -> bool:
        """Join it if both are small and of one version. (That it follows, and its epoch, is admitted already.)"""
        size = self.size + len(segment.lines)
        if size > JOINED_BYTES or segment.version != self.version:
            return False
        self.last_seq = segment.last_seq
        self.parts.append(segment.lines)
        self.size = size
        return True

    def columns(self) -> Row:
        key = (self.standing.number << 32) + self.first_seq
        lines = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        return (key, self.last_seq, self.standing.epoch, self.version, lines)


class Batch:
    """The commits of one transaction, merged."""

    def __init__(self) -> None:
        self.definitions: dict[str, tuple[str, str, bytes]] = {}
        self.latest: dict[str, str] = {}
        self.blobs: dict[str, bytes] = {}
        self.joined: list[Joined] = []
        self.logs: list[tuple[Standing, LogLine]] = []
        self._last: dict[int, Joined] = {}

    def take(self, commit: Commit, standings: Standings) -> CommitResult:
        """Add what may be appended; the result is the commit's, should the transaction succeed."""
        for sha256, workflow_id, name, document in commit.definitions:
            self.definitions[storable(sha256)] = (storable(workflow_id), storable(name), document)
            self.latest[storable(workflow_id)] = storable(sha256)
        if commit.blobs:
            self.blobs.update(commit.blobs)
        accepted, conflicts = judge(commit, standings)
        for standing, segment in accepted:
            row = self._last.get(standing.number)
            if row is None or not row.takes(segment):
                self._last[standing.number] = row = Joined(standing, segment)
                self.joined.append(row)
        if commit.logs:
            self.logs += admitted_logs(commit, standings, conflicts)
        return CommitResult(conflicts=conflicts)

    def touched(self) -> list[Standing]:
        """The executions appended to, each once, in order of first appearance."""
        return [row.standing for row in self._last.values()]


def execution_row(columns: Sequence[Any]) -> ExecutionRow:
    """An execution from its columns, in the order of `ExecutionRow`."""
    return ExecutionRow(**dict(zip(ExecutionRow.__struct_fields__, columns, strict=True)))


def differ(standing: Standing, names: Sequence[str]) -> bool:
    """Whether the row should read otherwise than the table does, in one of these fields."""
    row, stored = standing.row, standing.stored
    return row is not stored and any(getattr(row, name) != getattr(stored, name) for name in names)


def new_columns(standing: Standing) -> Row:
    """All but the last two fields of the row, which are kept elsewhere or change by claim only, and what is derived."""
    row = msgspec.structs.astuple(standing.row)
    return (standing.number, *row[:-2], folded(standing.row), standing.epoch)


def progress_columns(standing: Standing) -> Row:
    row = standing.row
    return (standing.number, row.status, row.detail, row.ended_at, row.error, folded(row))


def identity_columns(standing: Standing) -> Row:
    return (standing.number, *(getattr(standing.row, name) for name in IDENTITY))


def log_columns(standing: Standing, line: LogLine) -> Row:
    key = (standing.number << 32) + line.offset
    return (key, line.node_id, line.path, line.attempt, line.at, line.kind, line.level, line.text)
