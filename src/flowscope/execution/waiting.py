"""Waits: suspended nodes, timers, signals."""

from __future__ import annotations

from flowscope.definition.plan import OUTPUT
from flowscope.execution import status as st
from flowscope.execution.decision import Decision, began, carried, record
from flowscope.execution.events import ErrorInfo, NodeReleased, NodeSucceeded, NodeSuspended
from flowscope.execution.failing import fail, fail_run
from flowscope.execution.instructions import CancelNode, SetTimer, StartChild
from flowscope.execution.settling import settle
from flowscope.execution.state import Frame, State
from flowscope.execution.stimuli import Answered, Fire, Signal, Suspend

FAIL = b'"fail"'
"""The answer that ends a node whose lost attempt was asked about; any other runs it again."""


def suspend(state: State, frame: Frame, number: int, stimulus: Suspend, now: float, out: Decision) -> None:
    """An attempt waits; its node's own time-out cuts the wait short."""
    plan = frame.scope.nodes[number]
    until, expires = stimulus.until, stimulus.expires
    if plan.timeout and (not until or now + plan.timeout < until):
        until, expires = now + plan.timeout, True
    raw, blob = carried(stimulus.input)
    event = NodeSuspended(
        seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, attempt=stimulus.attempt, kind=stimulus.kind,
        until=until, expires=expires, signal=stimulus.signal, child=stimulus.child,
        child_definition=stimulus.child_definition, input=raw, input_blob=blob, detail=stimulus.detail,
        choices=stimulus.choices, extends=stimulus.extends, otherwise=carried(stimulus.otherwise)[0],
        otherwise_handle=stimulus.otherwise_handle, began_at=began(frame, number, now, out),
    )  # fmt: skip
    record(state, event, out)
    ask_for(frame, number, out)


def ask_for(frame: Frame, number: int, out: Decision) -> None:
    """The instructions that a node's wait needs, now and again after a pause or a recovery."""
    node_id, attempt, due = frame.scope.ids[number], frame.attempts[number], frame.due(number)
    if due:
        out.instructions.append(SetTimer(node_id, frame.path, attempt, due))
    wait = frame.suspension(number)
    if wait and wait.child:
        child = StartChild(node_id, frame.path, attempt, wait.child, wait.child_definition, wait.input or b"{}")
        out.instructions.append(child)


def fire(state: State, stimulus: Fire, now: float, out: Decision) -> None:
    """A timer is due. During a pause it is held: resuming sets every timer again. One that comes early, because a clock was
    set back, is set again."""
    if state.paused:
        return
    if not stimulus.node_id:
        _fire_deadline(state, now, out)
        return
    frame = state.frames.get(stimulus.path)
    number = frame.scope.index.get(stimulus.node_id) if frame else None
    if frame is None or number is None or frame.attempts[number] != stimulus.attempt:
        return
    due = frame.due(number)
    if due and now < due:
        out.instructions.append(SetTimer(stimulus.node_id, frame.path, stimulus.attempt, due))
    elif due:
        _time_up(state, frame, number, stimulus.chance, now, out)


def _fire_deadline(state: State, now: float, out: Decision) -> None:
    if not state.deadline or state.failing:
        return
    if now < state.deadline:
        out.instructions.append(SetTimer("", "", 0, state.deadline))
        return
    limit = state.deadline - state.started_at
    error = ErrorInfo("Timeout", f"The run took longer than its time-out of {limit:g} ms", retryable=False)
    fail_run(state, error, now, out)


def _time_up(state: State, frame: Frame, number: int, chance: float, now: float, out: Decision) -> None:
    status, plan, attempt = frame.status[number], frame.scope.nodes[number], frame.attempts[number]
    wait = frame.suspension(number)
    if status == st.RETRYING:
        state.agenda.append((frame, number))
    elif wait is None:
        out.instructions.append(CancelNode(plan.id, frame.path, attempt))
        error = ErrorInfo("NodeTimeout", f"Took longer than its time-out of {plan.timeout:g} ms")
        fail(state, frame, number, error, chance, now, out)
    elif wait.expires:
        out.instructions.append(CancelNode(plan.id, frame.path, attempt, wait.child))
        what = f"the signal {wait.signal!r}" if wait.signal else "the sub-workflow" if wait.child else "its answer"
        fail(state, frame, number, ErrorInfo("NodeTimeout", f"Waited too long for {what}"), chance, now, out)
    elif wait.otherwise is not None:
        _succeed(state, frame, number, wait.otherwise, wait.otherwise_handle, now, out, over=wait.extends)
    else:
        _succeed(state, frame, number, None, OUTPUT, now, out)


def signal(state: State, stimulus: Signal, now: float, out: Decision) -> None:
    """An answer from outside, to every node that waits for it."""
    for frame, number in waiting_for(state, stimulus.name):
        wait = frame.suspension(number)
        if wait and frame.status[number] == st.SUSPENDED:
            if not wait.choices or stimulus.handle in wait.choices:
                _succeed(state, frame, number, stimulus.payload, stimulus.handle, now, out, over=wait.extends)
        elif frame.status[number] == st.ASKING:
            _answer_lost(state, frame, number, stimulus.payload, now, out)
        settle(state, now, out)


def waiting_for(state: State, name: str) -> list[tuple[Frame, int]]:
    """The nodes that a signal of that name is for: those that wait for it, and those it names."""
    return [
        (frame, number)
        for frame in state.frames.values()
        if frame.suspensions
        for number, wait in frame.suspensions.items()
        if wait.signal and name in (wait.signal, frame.scope.ids[number], _full_id(frame, number))
    ]


def _full_id(frame: Frame, number: int) -> str:
    return f"{frame.path}.{frame.scope.ids[number]}" if frame.path else frame.scope.ids[number]


def _answer_lost(state: State, frame: Frame, number: int, payload: Answered, now: float, out: Decision) -> None:
    """A person has said what becomes of a lost attempt."""
    if payload == FAIL:
        error = ErrorInfo("NodeLost", "Lost when the process ended, and not to be run again", retryable=False)
        fail(state, frame, number, error, 0.5, now, out)
        return
    node_id, attempt = frame.scope.ids[number], frame.attempts[number]
    record(state, NodeReleased(seq=state.seq + 1, at=now, node_id=node_id, path=frame.path, attempt=attempt), out)


def _succeed(
    state: State,
    frame: Frame,
    number: int,
    output: Answered | None,
    handle: str,
    now: float,
    out: Decision,
    *,
    over: bool = False,
) -> None:
    """A wait is over: with this output, which goes `over` the input or replaces it, or None to pass the input on."""
    raw, blob = carried(output)
    event = NodeSucceeded(
        seq=state.seq + 1, at=now, node_id=frame.scope.ids[number], path=frame.path, attempt=frame.attempts[number],
        handle=handle, output=raw, output_blob=blob, passed=over or output is None,
    )  # fmt: skip
    record(state, event, out)
