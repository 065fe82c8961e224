"""Containers: opening iterations, and closing those that are through."""

from __future__ import annotations

from flowscope.execution import status as st
from flowscope.execution.decision import Decision, began, carried, record
from flowscope.execution.events import IterationStarted, IterationSucceeded, NodeExpanded
from flowscope.execution.instructions import SetTimer
from flowscope.execution.state import Expansion, Frame, State
from flowscope.execution.stimuli import Expand

MAX_OPEN = 1_000
"""Iterations of one container open at once, when it sets no limit of its own."""


def expand(
    state: State, frame: Frame, number: int, stimulus: Expand, now: float, out: Decision, *, begin: bool = True
) -> None:
    """A container's handler has said what to run next; unless `begin`, the caller opens the iterations."""
    plan = frame.scope.nodes[number]
    first = frame.status[number] == st.RUNNING
    deadline = now + plan.timeout if first and plan.timeout else 0
    raw, blob = carried(stimulus.items)
    memo, memo_blob = carried(stimulus.memo)
    event = NodeExpanded(
        seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, count=stimulus.count,
        concurrency=min(stimulus.concurrency or MAX_OPEN, MAX_OPEN), collect_errors=stimulus.collect_errors,
        items=raw, items_blob=blob, deadline=deadline, entries=stimulus.entries, memo=memo, memo_blob=memo_blob,
        began_at=began(frame, number, now, out),
    )  # fmt: skip
    record(state, event, out)
    if deadline:
        out.instructions.append(SetTimer(plan.id, frame.path, frame.attempts[number], deadline))
    expansion = frame.expansion(number)
    if begin and expansion is not None:
        open_iterations(state, expansion, now, out)


def open_iterations(state: State, expansion: Expansion, now: float, out: Decision) -> None:
    """Start iterations, as many as there is room for; none during a pause."""
    frame = expansion.frame
    node_id = frame.scope.ids[expansion.number]
    while expansion.room and not state.paused:
        index = expansion.next
        entry = expansion.entries[index - expansion.base] if expansion.entries else ""
        event = IterationStarted(seq=state.seq + 1, at=now, node_id=node_id, path=frame.path, index=index, entry=entry)
        record(state, event, out)


def close_iteration(state: State, frame: Frame, now: float, out: Decision) -> None:
    """Every node of a frame has ended. If it is an iteration still open, that has succeeded, and the next may start."""
    outer = frame.parent
    expansion = outer.expansion(frame.owner) if outer else None
    if outer is None or expansion is None or expansion.running.get(frame.index) is not frame:
        return
    node_id = outer.scope.ids[frame.owner]
    event = IterationSucceeded(seq=state.seq + 1, at=now, node_id=node_id, path=outer.path, index=frame.index)
    record(state, event, out)
    open_iterations(state, expansion, now, out)
