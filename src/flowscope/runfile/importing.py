"""A run file read back: its journal in a store, to be looked at, searched and replayed, and never run on."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from flowscope.definition import decode
from flowscope.errors import DefinitionInvalid, InputInvalid
from flowscope.execution.events import (
    TERMINAL,
    AnyEvent,
    ExecutionCancelled,
    ExecutionStarted,
    decode_lines,
    encode_lines,
)
from flowscope.execution.view import ExecutionView, WorkflowShape
from flowscope.orchestrator.ports import IMPORTED, Commit, CommitResult, ExecutionRow, Segment
from flowscope.runfile.content import FORMAT, VERSION
from flowscope.runfile.page import BLOCK, END

LARGEST: Final = 512 * 1024 * 1024
CHUNK: Final = 1_000


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """A run ready to be stored under `execution_id`."""

    execution_id: str
    row: ExecutionRow
    events: tuple[AnyEvent, ...]
    definition: tuple[str, str, str, bytes] | None

    def commit(self, done: Any) -> Commit:
        """All of it at once, or nothing."""
        segments = [
            Segment(
                execution_id=self.execution_id,
                first_seq=some[0].seq,
                last_seq=some[-1].seq,
                epoch=1,
                lines=encode_lines(some),
                row=msgspec.structs.replace(self.row, last_seq=some[-1].seq),
            )
            for start in range(0, len(self.events), CHUNK)
            for some in (self.events[start : start + CHUNK],)
        ]
        definitions = [self.definition] if self.definition else []
        return Commit(segments=segments, definitions=definitions, done=done)


def read_run_file(data: bytes, execution_id: str = "") -> Imported:
    """What is in a run file, under its own id or another. `InputInvalid` says what is wrong with it."""
    content = _content(data)
    try:
        row = msgspec.convert(content["execution"], ExecutionRow)
        events = decode_lines(b"".join(msgspec.json.encode(event) + b"\n" for event in content["journal"]))
        workflow = content["workflow"]
    except (KeyError, TypeError, msgspec.MsgspecError) as error:
        raise InputInvalid(f"The run in the file cannot be read: {error}") from None
    if not events or not isinstance(events[0], ExecutionStarted):
        raise InputInvalid("The run in the file does not begin with its start")
    definition = _definition(workflow, row)
    sha256 = definition[0] if definition else ""
    events[0] = msgspec.structs.replace(events[0], definition=sha256)
    events = _whole(events, float(content.get("exportedAt") or 0))
    _check(row.execution_id, events, workflow)
    ended = events[-1]
    row = msgspec.structs.replace(
        row,
        execution_id=execution_id or row.execution_id,
        definition=sha256,
        detail=IMPORTED if content.get("ended") else f"{IMPORTED} while it ran",
        status=row.status if content.get("ended") else "cancelled",
        ended_at=row.ended_at or ended.at,
        epoch=1,
        last_seq=ended.seq,
        parent_execution_id="",
        caller_execution_id="",
    )
    return Imported(execution_id=row.execution_id, row=row, events=tuple(events), definition=definition)


def _content(data: bytes) -> dict[str, Any]:
    start = data.find(BLOCK)
    if start >= 0:
        end = data.find(END, start)
        data = data[start + len(BLOCK) : end]
    try:
        content = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        raise InputInvalid("This is no run file: `flowscope export EXECUTION_ID --html FILE` makes one") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputInvalid("This is no run file: `flowscope export EXECUTION_ID --html FILE` makes one")
    if content.get("version", 0) > VERSION:
        raise InputInvalid(f"The run file is of a newer flowscope ({content.get('flowscope')}): update this one")
    return content


def _definition(workflow: Any, row: ExecutionRow) -> tuple[str, str, str, bytes] | None:
    """What was blotted out changed the document, and so its hash."""
    if not isinstance(workflow, dict):
        return None
    document = msgspec.json.encode(workflow)
    try:
        decode(document)
    except DefinitionInvalid as invalid:
        raise InputInvalid(f"The workflow in the file cannot be read: {invalid.problems[0]}") from None
    # Not under its own id: what calls that workflow is to go on calling the one that is here.
    return hashlib.sha256(document).hexdigest(), f"{IMPORTED}:{row.workflow_id}", row.workflow_name, document


def _whole(events: list[AnyEvent], exported_at: float) -> list[AnyEvent]:
    """A run that had not ended ends here: nobody is to take it up."""
    last = events[-1]
    if isinstance(last, TERMINAL):
        return events
    reason = "imported: it had not ended when it was exported"
    return [*events, ExecutionCancelled(seq=last.seq + 1, at=max(exported_at, last.at), reason=reason)]


def _check(execution_id: str, events: list[AnyEvent], workflow: Any) -> None:
    """Its events follow each other, and are of its nodes."""
    shape = WorkflowShape.of(decode(msgspec.json.encode(workflow))) if isinstance(workflow, dict) else None
    view = ExecutionView(execution_id, shape)
    try:
        for event in events:
            if event.seq != view.seq + 1:
                raise ValueError(f"event {event.seq} follows {view.seq}")
            view.apply(event)
    except (ValueError, KeyError) as error:
        raise InputInvalid(f"The journal in the file does not hold together: {error}") from None


__all__ = ["CommitResult", "Imported", "read_run_file"]
