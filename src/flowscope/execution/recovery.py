"""Pausing, resuming, and going on where another life of the process left off.

Recovery is not special: fold the journal, count what ran as lost, and ask again for whatever has no answer.
"""

from __future__ import annotations

import msgspec

from flowscope.execution import status as st
from flowscope.execution.containers import open_iterations
from flowscope.execution.decision import Decision, began, record
from flowscope.execution.events import ErrorInfo, ExecutionPaused, ExecutionRecovered, ExecutionResumed, NodeLost
from flowscope.execution.failing import MOST_ATTEMPTS, fail
from flowscope.execution.instructions import SetTimer
from flowscope.execution.settling import settle
from flowscope.execution.state import Frame, State
from flowscope.execution.stimuli import Pause, Recover, Resume, Wake
from flowscope.execution.waiting import ask_for

_GONE = ErrorInfo("NodeLost", "The process that ran it ended before it answered", retryable=False)


def pause(state: State, stimulus: Pause, now: float, out: Decision) -> None:
    """Nothing new starts until `Resume`."""
    if not state.paused:
        record(state, ExecutionPaused(seq=state.seq + 1, at=now), out)


def resume(state: State, stimulus: Resume, now: float, out: Decision) -> None:
    """End a pause; timers that came due meanwhile fire now."""
    if state.paused:
        record(state, ExecutionResumed(seq=state.seq + 1, at=now), out)
        _take_up(state, now, out)


def recover(state: State, stimulus: Recover, now: float, out: Decision) -> None:
    """Go on under a new epoch. An epoch that is not newer is somebody's repeated call, and changes nothing."""
    if stimulus.epoch <= state.epoch:
        return
    record(state, ExecutionRecovered(seq=state.seq + 1, at=now, epoch=stimulus.epoch), out)
    for frame in list(state.frames.values()):
        for number, status in enumerate(frame.status):
            if status == st.RUNNING:
                lose(state, frame, number, now, out, _GONE)
                settle(state, now, out)
        for expansion in (frame.expansions or {}).values():
            expansion.asked = False
    if not state.ended:
        _take_up(state, now, out)


def wake(state: State, stimulus: Wake, now: float, out: Decision) -> None:
    """Go on after a fold as if there had been none: nothing ran, so there is nothing to record."""
    _take_up(state, now, out)


def lose(state: State, frame: Frame, number: int, now: float, out: Decision, error: ErrorInfo) -> None:
    """Lost attempts spend no retries: the node runs again, unless its policy says otherwise."""
    plan = frame.scope.nodes[number]
    attempt = frame.attempts[number]
    if plan.on_lost == "fail" or attempt >= MOST_ATTEMPTS:
        fail(state, frame, number, msgspec.structs.replace(error, retryable=False), 0.5, now, out)
        return
    outcome = "ask" if plan.on_lost == "ask" else "rerun"
    event = NodeLost(
        seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, attempt=attempt, outcome=outcome,
        began_at=began(frame, number, now, out),
    )  # fmt: skip
    record(state, event, out)


def _take_up(state: State, now: float, out: Decision) -> None:
    """Everything that is due or awaited, asked for again."""
    state.agenda.clear()
    if state.deadline and not state.failing:
        out.instructions.append(SetTimer("", "", 0, state.deadline))
    for frame in list(state.frames.values()):
        if frame.busy:
            for number, status in enumerate(frame.status):
                if status == st.READY:
                    state.agenda.append((frame, number))
                elif status in st.LIVE:
                    ask_for(frame, number, out)
        for number, expansion in sorted((frame.expansions or {}).items()):
            if expansion.idle and not expansion.asked:
                state.agenda.append((frame, number))
            else:
                open_iterations(state, expansion, now, out)
