"""Which segments may be appended, and the text that may be stored: one rule for every store.

An append names the sequence number it expects to be next and the epoch it was granted. If either differs from what is
stored, another owner has been here: that segment is refused as a `StoreConflict`, and with it the later segments of the
same execution *in the same commit*. Other executions are not touched, nor are other commits, which stand on their own
epochs: what waits beside a commit is chance and must not decide.

A store that is the only writer need not ask its tables: `Standings` keeps what it wrote last.
"""

from __future__ import annotations

import msgspec

from flowscope.errors import StoreConflict, StoreError
from flowscope.orchestrator.ports import Commit, ExecutionRow, LogLine, Segment

MAX_SEQ = 2**32 - 1
"""Of events, and of log lines, in one execution."""

_SHA256_BYTES = 32
_ROW_TEXTS = (
    "workflow_id",
    "workflow_name",
    "definition",
    "status",
    "detail",
    "parent_execution_id",
    "caller_execution_id",
    "error",
)


class Standing:
    """Where an execution stands: `row` as it should be, `stored` as the table has it (None: not there yet)."""

    __slots__ = ("epoch", "last_seq", "log_offset", "number", "row", "stored")

    def __init__(self, number: int, row: ExecutionRow, *, fresh: bool, log_offset: int = 0) -> None:
        self.number = number
        self.epoch = row.epoch
        self.last_seq = row.last_seq
        self.log_offset = log_offset
        self.row = row
        self.stored = None if fresh else row

    @property
    def ended(self) -> bool:
        return self.row.ended_at > 0

    def current(self) -> ExecutionRow:
        """The row with the sequence number and the epoch that hold now."""
        return msgspec.structs.replace(self.row, last_seq=self.last_seq, epoch=self.epoch)


class Standings(dict[str, Standing]):
    """Standings by execution id; numbers those that are new, rising and never twice."""

    def __init__(self, next_number: int = 1) -> None:
        self.next_number = next_number

    def add(self, segment: Segment, row: ExecutionRow) -> Standing:
        row = msgspec.structs.replace(row, last_seq=segment.last_seq, epoch=segment.epoch)
        standing = Standing(self.next_number, row, fresh=True)
        self.next_number += 1
        self[segment.execution_id] = standing
        return standing


def begins(segment: Segment) -> bool:
    """Whether the segment can be the first of a new execution."""
    return segment.row is not None and 1 == segment.first_seq <= segment.last_seq <= MAX_SEQ


def judge(commit: Commit, standings: Standings) -> tuple[list[tuple[Standing, Segment]], dict[str, StoreConflict]]:
    """The commit's segments that may be appended, their standings moved on, and the conflicts of the rest."""
    accepted: list[tuple[Standing, Segment]] = []
    conflicts: dict[str, StoreConflict] = {}
    for segment in commit.segments:
        execution_id = segment.execution_id
        if execution_id in conflicts:
            continue
        standing = standings.get(execution_id)
        row = segment.row
        if (
            standing is not None
            and segment.first_seq == standing.last_seq + 1
            and segment.epoch == standing.epoch
            and segment.first_seq <= segment.last_seq <= MAX_SEQ
        ):
            standing.last_seq = segment.last_seq
            if row is not None:
                standing.row = storable_row(row, execution_id)
        elif standing is None and row is not None and begins(segment):
            standing = standings.add(segment, storable_row(row, execution_id))
        else:
            conflicts[execution_id] = StoreConflict(execution_id, _reason(segment, standing))
            continue
        accepted.append((standing, segment))
    return accepted, conflicts


def _reason(segment: Segment, standing: Standing | None) -> str:
    name = f"Execution {segment.execution_id}"
    if not segment.first_seq <= segment.last_seq <= MAX_SEQ:
        return f"{name}: a segment of the events {segment.first_seq}..{segment.last_seq} holds none"
    if standing is None:
        if segment.first_seq == 1:
            return f"{name}: its first segment has no row"
        return f"{name} is not in the store, and the events offered begin at {segment.first_seq}"
    if segment.first_seq == 1:
        return f"{name} is already in the store, up to event {standing.last_seq}"
    if segment.epoch != standing.epoch:
        return f"{name} is at epoch {standing.epoch} and the events offered are of epoch {segment.epoch}: another owner has it"
    return f"{name} goes on at event {standing.last_seq + 1} and the events offered begin at {segment.first_seq}"


def admitted_logs(
    commit: Commit, standings: Standings, conflicts: dict[str, StoreConflict]
) -> list[tuple[Standing, LogLine]]:
    """The log lines that are kept, with their offsets. Those of an unknown execution, or of one whose segment was
    refused just now (they are a former owner's), are not."""
    kept = []
    for line in commit.logs:
        standing = standings.get(line.execution_id)
        if standing is None or line.execution_id in conflicts or standing.log_offset >= MAX_SEQ:
            continue
        standing.log_offset += 1
        kept.append((standing, storable_line(line, standing.log_offset)))
    return kept


def fault(commit: Commit) -> StoreError | None:
    """What makes a commit impossible to store, whatever the store holds; None if nothing does."""
    for execution_id in {segment.execution_id for segment in commit.segments}:
        if not is_unicode(execution_id):
            return StoreError(f"The execution id {execution_id!r} is not Unicode text and cannot be stored")
    for sha256, _ in commit.blobs:
        if digest(sha256) is None:
            return StoreError(f"{sha256!r} is not a SHA-256 in hex: the payload cannot be stored")
    return None


def digest(sha256: str) -> bytes | None:
    """The bytes of a SHA-256 in hex; None if it is not one."""
    try:
        raw = bytes.fromhex(sha256)
    except ValueError:
        return None
    return raw if len(raw) == _SHA256_BYTES else None


def is_unicode(text: str) -> bool:
    """Whether text can be encoded: a lone surrogate (half of a broken file name, say) cannot."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """The text, each lone surrogate replaced by `?`: what a node says must not stop what it did from being kept."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def storable_row(row: ExecutionRow, execution_id: str) -> ExecutionRow:
    """The row of that execution, its texts made storable; itself, nearly always."""
    texts = [getattr(row, name) for name in _ROW_TEXTS]
    if row.execution_id == execution_id and is_unicode("".join(texts)):
        return row
    changes = dict(zip(_ROW_TEXTS, map(storable, texts), strict=True))
    return msgspec.structs.replace(row, execution_id=execution_id, **changes)


def storable_line(line: LogLine, offset: int) -> LogLine:
    """The log line at its offset, its texts made storable."""
    return LogLine(
        execution_id=line.execution_id,
        node_id=storable(line.node_id),
        path=storable(line.path),
        attempt=line.attempt,
        at=line.at,
        kind=storable(line.kind),
        level=storable(line.level),
        text=storable(line.text),
        offset=offset,
    )
