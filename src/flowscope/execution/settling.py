"""After a step: the consequences that are nobody's answer. Skips cascade, iterations that are through end and make room
for the next, and when nothing is live any more the run ends."""

from __future__ import annotations

from flowscope.execution import status as st
from flowscope.execution.containers import close_iteration
from flowscope.execution.decision import Decision, record, skip
from flowscope.execution.events import ExecutionFailed, ExecutionSucceeded
from flowscope.execution.instructions import Finish
from flowscope.execution.state import State


def settle(state: State, now: float, out: Decision) -> None:
    """Let everything happen that follows by itself. The worklists `dead` and `through` are empty afterwards."""
    while True:
        while state.dead or state.through:
            if state.dead:
                frame, number = state.dead.pop()
                if frame.status[number] == st.IDLE:
                    skip(state, frame, number, "", now, out)
            else:
                close_iteration(state, state.through.pop(), now, out)
        if state.root.busy or state.status != "running":
            return
        if not _shut_gates(state, now, out):
            _finish(state, now, out)


def _shut_gates(state: State, now: float, out: Decision) -> bool:
    """All else is done and there was no error: error triggers are skipped. What waited for one may now start, or be skipped
    too; False if there is no such trigger left."""
    root = state.root
    shut = [number for number in root.scope.gated if root.status[number] == st.IDLE]
    for number in shut:
        skip(state, root, number, "no error", now, out)
    return bool(shut)


def _finish(state: State, now: float, out: Decision) -> None:
    root = state.root
    if root.left:
        raise AssertionError(f"{state.execution_id}: at rest with {root.left} nodes left: {root!r}")
    if state.failing:
        record(state, ExecutionFailed(seq=state.seq + 1, at=now, error=state.failing), out)
    else:
        record(state, ExecutionSucceeded(seq=state.seq + 1, at=now), out)
    out.instructions.append(Finish())
