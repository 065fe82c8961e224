"""The machine: a stimulus in, events and instructions out.

    decide(state, stimulus, now, out)

No I/O, no clock, no randomness, no event loop: time, ids and dice are arguments. Deciding builds an event, and `apply` of
that event is the only thing that changes the state; so folding the recorded events gives the same state, always. A step
costs O(out-degree): joins are counters, and nothing looks at the whole graph but the end of a run.

What may start is not an instruction: it is on `state.agenda`, and whoever drives the machine takes entries off it when it
has the means (a pause, a limit or a turn's budget just leaves them there) and calls `begin`.

    machine      starting, `Assign`, and the answer `Succeed`: its targets are told, those nothing reaches are skipped at once
    failing      `Fail`, `Cancel`: back-off, an error handle, `continueOnError`, or the scope ends, and so outward
    containers   `Expand`: iterations open and close
    waiting      `Suspend`, `Fire`, `Signal`
    recovery     `Pause`, `Resume`, `Recover`, `Wake`, `Lose`
    adopting     a `Start` that takes up where another execution left off
    settling     after each step, what follows by itself, the run's end among it

The rules are in docs/spec.md (G-01 …), the transition table in status.py and docs/machine.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowscope.execution import status as st
from flowscope.execution.adopting import adopt
from flowscope.execution.containers import MAX_OPEN, expand
from flowscope.execution.decision import Decision, began, carried, record
from flowscope.execution.events import ErrorInfo, ExecutionStarted, NodeStarted, NodeSucceeded, VariableSet
from flowscope.execution.failing import cancel_run, fail
from flowscope.execution.instructions import SetTimer
from flowscope.execution.recovery import lose, pause, recover, resume, wake
from flowscope.execution.settling import settle
from flowscope.execution.state import Frame, State, node_started, node_succeeded
from flowscope.execution.stimuli import (
    Answered,
    AnyStimulus,
    Assign,
    Begin,
    Cancel,
    Expand,
    Fail,
    Fire,
    Lose,
    Pause,
    Recover,
    Resume,
    Signal,
    Start,
    Stimulus,
    Succeed,
    Suspend,
    Wake,
)
from flowscope.execution.waiting import fire, signal, suspend

__all__ = ["MAX_OPEN", "Decision", "begin", "decide", "succeed"]


def decide(state: State, stimulus: AnyStimulus, now: float, out: Decision) -> None:
    """One step. A stimulus that does not apply (a late answer, a stale timer, an ended run) changes nothing."""
    if state.status == ("pending" if type(stimulus) is Start else "running"):
        _DECIDE[type(stimulus)](state, stimulus, now, out)
        settle(state, now, out)


# --- starting ---


def _start(state: State, stimulus: Start, now: float, out: Decision) -> None:
    raw, blob = carried(stimulus.input)
    plan = state.plan
    deadline = now + plan.timeout if plan.timeout else 0
    event = ExecutionStarted(
        seq=1, at=now, workflow_id=plan.workflow.id, workflow_name=plan.workflow.name,
        definition=stimulus.definition or plan.workflow.hash, total_nodes=plan.total_nodes, input=raw, input_blob=blob,
        trigger=stimulus.trigger or plan.default_trigger, deadline=deadline,
        parent_execution_id=stimulus.parent_execution_id, caller=stimulus.caller, user_id=stimulus.user_id,
        fired=stimulus.fired, origin=stimulus.origin, fork_from=stimulus.fork_from, until=stimulus.until,
        use_worker_pool=stimulus.use_worker_pool,
    )  # fmt: skip
    record(state, event, out)
    if deadline:
        out.instructions.append(SetTimer("", "", 0, deadline))
    if stimulus.origin or stimulus.until:
        adopt(state, stimulus, now, out)


def _begin(state: State, stimulus: Begin, now: float, out: Decision) -> None:
    found = _locate(state, stimulus.node_id, stimulus.path)
    if found:
        begin(state, *found, now, out)


def begin(state: State, frame: Frame, number: int, now: float, out: Decision) -> bool:
    """Take a node of the agenda up: True if it is to be run now, by the attempt in `frame.attempts`.

    False for a stale entry, and while paused. A container whose iterations have ended is asked again, without an event.
    """
    if state.paused or state.status != "running":
        return False
    status = frame.status[number]
    if status != st.READY:
        if status == st.EXPANDED:
            return _ask_container(frame, number)
        if status != st.RETRYING:
            return False
        due = frame.due(number)
        if now < due:
            out.instructions.append(SetTimer(frame.scope.ids[number], frame.path, frame.attempts[number], due))
            return False
    seq = state.seq + 1
    event = NodeStarted(
        seq=seq, at=now, node_id=frame.scope.ids[number], path=frame.path, attempt=frame.attempts[number] + 1
    )
    state.seq = seq
    node_started(state, frame, number, event)
    out.events.append(event)
    return True


def _ask_container(frame: Frame, number: int) -> bool:
    expansion = frame.expansion(number)
    if expansion is None or expansion.asked or not expansion.idle:
        return False
    expansion.asked = True
    return True


# --- answers ---


def succeed(
    state: State,
    frame: Frame,
    number: int,
    output: Answered | None,
    handle: str,
    now: float,
    out: Decision,
    *,
    passed: bool = False,
    last: bool = False,
    origin: str = "",
) -> None:
    """The present attempt of a node has answered."""
    raw, blob = carried(output)
    seq = state.seq + 1
    event = NodeSucceeded(
        seq=seq, at=now, node_id=frame.scope.ids[number], path=frame.path, attempt=frame.attempts[number],
        handle=handle, output=raw, output_blob=blob, passed=passed, last=last, origin=origin,
        began_at=began(frame, number, now, out),
    )  # fmt: skip
    state.seq = seq
    node_succeeded(state, frame, number, event, output)
    out.events.append(event)
    if state.dead or state.through or not state.root.busy:
        settle(state, now, out)


def _succeed(state: State, stimulus: Succeed, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if found:
        frame, number = found
        handle = stimulus.handle
        chosen = handle[0] if len(handle) == 1 else frame.scope.nodes[number].choose(handle)
        passed, last = stimulus.passed, stimulus.last
        succeed(state, frame, number, stimulus.output, chosen, now, out, passed=passed, last=last)


def _assign(state: State, stimulus: Assign, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if found:
        raw, blob = carried(stimulus.value)
        event = VariableSet(
            seq=state.seq + 1, at=now, node_id=stimulus.node_id, path=stimulus.path, attempt=stimulus.attempt,
            name=stimulus.name, value=raw, value_blob=blob,
        )  # fmt: skip
        record(state, event, out)


def _fail(state: State, stimulus: Fail, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if found:
        fail(state, *found, stimulus.error, stimulus.chance, now, out)


def _lose(state: State, stimulus: Lose, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if found and found[0].status[found[1]] == st.RUNNING:
        lose(state, *found, now, out, stimulus.error)
    elif found:  # a container that was asked again: its iterations are not to be lost with the answer
        fail(state, *found, stimulus.error, 0.5, now, out)


def _suspend(state: State, stimulus: Suspend, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if found and found[0].status[found[1]] == st.RUNNING:
        suspend(state, *found, stimulus, now, out)


def _expand(state: State, stimulus: Expand, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if not found:
        return
    frame, number = found
    if frame.scope.nodes[number].body is None:
        error = ErrorInfo("NodeError", "It answered with iterations, but it has no body", retryable=False)
        fail(state, frame, number, error, 0.5, now, out)
    elif stimulus.entries and (strange := set(stimulus.entries) - _entries(frame, number)):
        error = ErrorInfo("NodeError", f"Its body does not begin with {min(strange)!r}", retryable=False)
        fail(state, frame, number, error, 0.5, now, out)
    elif frame.status[number] != st.SUSPENDED:
        expand(state, frame, number, stimulus, now, out)


def _entries(frame: Frame, number: int) -> set[str]:
    body = frame.scope.nodes[number].body
    return {body.ids[root] for root in body.roots} if body else set()


def _cancel(state: State, stimulus: Cancel, now: float, out: Decision) -> None:
    cancel_run(state, stimulus.reason, now, out)


# --- finding ---


def _locate(state: State, node_id: str, path: str) -> tuple[Frame, int] | None:
    frame = state.frames.get(path)
    number = frame.scope.index.get(node_id) if frame else None
    return None if frame is None or number is None else (frame, number)


def _answered(state: State, stimulus: Succeed | Assign | Fail | Lose | Suspend | Expand) -> tuple[Frame, int] | None:
    """The node an answer is for, if it is still that attempt's to give."""
    found = _locate(state, stimulus.node_id, stimulus.path)
    if found is None:
        return None
    frame, number = found
    status = frame.status[number]
    if status == st.EXPANDED:
        expansion = frame.expansion(number)
        is_open = expansion is not None and expansion.asked
    else:
        is_open = status in (st.RUNNING, st.SUSPENDED)
    return found if is_open and frame.attempts[number] == stimulus.attempt else None


_DECIDE: dict[type[Stimulus], Callable[[State, Any, float, Decision], None]] = {
    Start: _start,
    Begin: _begin,
    Succeed: _succeed,
    Assign: _assign,
    Fail: _fail,
    Lose: _lose,
    Suspend: _suspend,
    Expand: _expand,
    Fire: fire,
    Signal: signal,
    Cancel: _cancel,
    Pause: pause,
    Resume: resume,
    Recover: recover,
    Wake: wake,
}
