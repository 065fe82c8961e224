"""What a step decides: events, already applied, and instructions."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Raw

from flowscope.execution import status as st
from flowscope.execution.events import NOTHING, AnyEvent, Blob, NodeCancelled, NodeSkipped
from flowscope.execution.instructions import AnyInstruction, CancelNode
from flowscope.execution.state import Frame, State, apply
from flowscope.execution.stimuli import Answered

Admissions: TypeAlias = dict[tuple[str, str], float]
"""By path and node: when the present attempt, which had to wait for a place, got it; 0 while it waits."""

_NONE: Admissions = {}


class Decision:
    """Where a step puts what it decided. One may take the events of many steps of one execution. `admissions` are taken out
    as they are told."""

    __slots__ = ("admissions", "events", "instructions")

    def __init__(self, admissions: Admissions | None = None) -> None:
        self.admissions = _NONE if admissions is None else admissions
        self.events: list[AnyEvent] = []
        self.instructions: list[AnyInstruction] = []


def record(state: State, event: AnyEvent, out: Decision) -> None:
    """Apply an event, and put it down."""
    apply(state, event)
    out.events.append(event)


def began(frame: Frame, number: int, now: float, out: Decision) -> float:
    """When the present attempt had a place, if it had to wait for one; `now` if it never did."""
    if not out.admissions:
        return 0
    at = out.admissions.pop((frame.path, frame.scope.ids[number]), None)
    return 0 if at is None else at or now


def carried(payload: Answered | None) -> tuple[Any, Blob | None]:
    """A payload as an event's two fields."""
    if payload is None:
        return NOTHING, None
    if isinstance(payload, Blob):
        return NOTHING, payload
    return Raw(payload), None


def skip(state: State, frame: Frame, number: int, reason: str, now: float, out: Decision) -> None:
    """End a node that never started."""
    node_id = frame.scope.ids[number]
    record(state, NodeSkipped(seq=state.seq + 1, at=now, node_id=node_id, path=frame.path, reason=reason), out)


def cancel(state: State, frame: Frame, number: int, reason: str, now: float, out: Decision) -> None:
    """End a node that has started. What nothing runs for is told of the attempt that was due."""
    node_id, attempt = frame.scope.ids[number], due_attempt(frame, number)
    if attempt == frame.attempts[number]:
        wait = frame.suspension(number)
        out.instructions.append(CancelNode(node_id, frame.path, attempt, wait.child if wait else ""))
    event = NodeCancelled(
        seq=state.seq + 1, at=now, node_id=node_id, path=frame.path, attempt=attempt, reason=reason,
        began_at=began(frame, number, now, out),
    )  # fmt: skip
    record(state, event, out)


def due_attempt(frame: Frame, number: int) -> int:
    """The attempt that an end of the node now is the end of: the present one, or between two attempts the next.

    So each attempt has one terminal event, however the node came to its end.
    """
    return frame.attempts[number] + (frame.status[number] in _BETWEEN_ATTEMPTS)


_BETWEEN_ATTEMPTS = frozenset({st.READY, st.RETRYING, st.ASKING})
