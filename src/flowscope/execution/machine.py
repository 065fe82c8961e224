"""The machine: a stimulus in, events and instructions out.

    decide(state, stimulus, now, out)

No I/O, no clock, no randomness, no event loop: time, ids and dice are arguments. Deciding builds an event, and `apply` of
that event is the only thing that changes the state; so folding the recorded events gives the same state, always. A step
costs O(out-degree): joins are counters, and nothing looks at the whole graph but the end of a run.

What may start is not an instruction: it is on `state.agenda`, and whoever drives the machine takes entries off it when it
has the means (a pause, a limit or a turn's budget just leaves them there) and calls `begin`.

    Begin      a ready node starts (NodeStarted), or a container is asked what next
    Succeed    its targets are told; those nothing reaches are skipped at once
    Fail       back-off, or an error handle, or `continueOnError`, or the scope aborts: an iteration ends as failed and its
               container decides; the top level cancels what runs, lets error triggers run, and fails
    settle     after each stimulus: skips cascade, iterations that are through end, containers open the next ones, the run ends
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Raw

from flowscope.definition.plan import OUTPUT, NodePlan
from flowscope.execution import status as st
from flowscope.execution.events import (
    NOTHING,
    AnyEvent,
    Blob,
    ErrorInfo,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionFailing,
    ExecutionPaused,
    ExecutionRecovered,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSucceeded,
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeCancelled,
    NodeExpanded,
    NodeFailed,
    NodeLost,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
)
from flowscope.execution.instructions import AnyInstruction, CancelNode, Finish, SetTimer, StartChild
from flowscope.execution.retry import backoff
from flowscope.execution.state import Expansion, Frame, State, Suspension, apply, encode_json, iterations_of
from flowscope.execution.stimuli import (
    Answered,
    AnyStimulus,
    Begin,
    Cancel,
    Expand,
    Fail,
    Fire,
    NodeStimulus,
    Pause,
    Recover,
    Resume,
    Signal,
    Start,
    Stimulus,
    Succeed,
    Suspend,
)

MAX_OPEN = 1_000
"""Iterations of one container open at once, when it sets no limit of its own."""


class Decision:
    """Where a step puts what it decided. One may take the events of many steps of one execution."""

    __slots__ = ("events", "instructions")

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.instructions: list[AnyInstruction] = []


def decide(state: State, stimulus: AnyStimulus, now: float, out: Decision) -> None:
    """One step. A stimulus that no longer applies (a late answer, a stale timer, an ended run) changes nothing."""
    if not state.ended:
        _DECIDE[type(stimulus)](state, stimulus, now, out)


def _record(state: State, event: AnyEvent, out: Decision) -> None:
    apply(state, event)
    out.events.append(event)


# --- starting ---


def _start(state: State, stimulus: Start, now: float, out: Decision) -> None:
    if state.seq:
        return
    raw, blob = _carried(stimulus.input)
    plan = state.plan
    deadline = now + plan.timeout if plan.timeout else 0
    event = ExecutionStarted(
        seq=1,
        at=now,
        workflow_id=plan.workflow.id,
        workflow_name=plan.workflow.name,
        definition=stimulus.definition or plan.workflow.hash,
        total_nodes=plan.total_nodes,
        input=raw,
        input_blob=blob,
        trigger=stimulus.trigger or default_trigger(plan.root.nodes),
        deadline=deadline,
        parent_execution_id=stimulus.parent_execution_id,
        caller=stimulus.caller,
        user_id=stimulus.user_id,
    )
    _record(state, event, out)
    if deadline:
        out.instructions.append(SetTimer("", "", 0, deadline))
    _settle(state, now, out)


def default_trigger(nodes: tuple[NodePlan, ...]) -> str:
    triggers = [node for node in nodes if node.is_trigger]
    manual = [node for node in triggers if node.kind == "manual_trigger"]
    return (manual or triggers)[0].id if triggers else ""


def _begin(state: State, stimulus: Begin, now: float, out: Decision) -> None:
    found = _locate(state, stimulus)
    if found:
        begin(state, *found, now, out)


def begin(state: State, frame: Frame, number: int, now: float, out: Decision) -> bool:
    """Take a node of the agenda up: True if it is to be run now, by the attempt in `frame.attempts`.

    False for a stale entry, and while paused. A container whose iterations have ended is asked again, without an event.
    """
    if state.paused or state.status != "running" or state.frames.get(frame.path) is not frame:
        return False
    status = frame.status[number]
    if status in (st.READY, st.ASKING):
        attempt = frame.attempts[number] + 1
    elif status == st.RETRYING:
        wait = (frame.suspensions or {})[number]
        if wait.until > now:
            return False
        attempt = frame.attempts[number] + 1
    elif status == st.EXPANDED:
        return bool(frame.expansions and frame.expansions[number].idle)
    else:
        return False
    event = NodeStarted(seq=state.seq + 1, at=now, node_id=frame.scope.ids[number], path=frame.path, attempt=attempt)
    apply(state, event)
    out.events.append(event)
    return True


# --- answers ---


def _succeed(state: State, stimulus: Succeed, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if found:
        frame, number = found
        handle = stimulus.handle
        chosen = handle[0] if len(handle) == 1 else frame.scope.nodes[number].choose(handle)
        succeed(
            state,
            frame,
            number,
            stimulus.output,
            chosen,
            now,
            out,
            passed=stimulus.passed,
            last=stimulus.last,
        )


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
) -> None:
    """The present attempt of a node has answered."""
    raw, blob = (NOTHING, None) if output is None else _carried(output)
    event = NodeSucceeded(
        seq=state.seq + 1,
        at=now,
        node_id=frame.scope.ids[number],
        path=frame.path,
        attempt=frame.attempts[number],
        handle=handle,
        output=raw,
        output_blob=blob,
        passed=passed,
        last=last,
    )
    apply(state, event)
    out.events.append(event)
    if state.dead or not frame.busy:
        _settle(state, now, out, frame)


def _carried(payload: Answered) -> tuple[Any, Blob | None]:
    if isinstance(payload, Blob):
        return NOTHING, payload
    return Raw(payload), None


def _fail(state: State, stimulus: Fail, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if found:
        _failed(state, *found, stimulus.error, stimulus.chance, now, out)
        _settle(state, now, out, found[0])


def _failed(
    state: State, frame: Frame, number: int, error: ErrorInfo, chance: float, now: float, out: Decision
) -> None:
    plan = frame.scope.nodes[number]
    attempt = frame.attempts[number]
    spent = attempt - (frame.lost or {}).get(number, 0)
    retry_at = 0.0
    if error.retryable and spent < plan.retry.attempts and not state.failing:
        retry_at = now + backoff(plan.retry, spent, chance)
    caught = plan.catches and frame.expansions is not None and number in frame.expansions
    if caught and not retry_at:
        succeed_caught(state, frame, number, error, now, out)
        return
    _cancel_iterations(state, frame, number, now, out)
    handled = bool(not retry_at and plan.after_error)
    error = error if error.node_id else _at_node(error, plan.id)
    _record(
        state,
        NodeFailed(
            seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, attempt=attempt, error=error,
            retry_at=retry_at, handled=handled,
        ),
        out,
    )  # fmt: skip
    if retry_at:
        out.instructions.append(SetTimer(plan.id, frame.path, attempt, retry_at))
    elif not handled:
        _abort(state, frame, error, now, out)


def succeed_caught(state: State, frame: Frame, number: int, error: ErrorInfo, now: float, out: Decision) -> None:
    """A `try_catch` whose body failed goes on by its handle `catch`, with the error."""
    _cancel_iterations(state, frame, number, now, out)
    succeed(state, frame, number, encode_json({"error": error}), "catch", now, out)


def _at_node(error: ErrorInfo, node_id: str) -> ErrorInfo:
    return ErrorInfo(error.type, error.message, error.code, node_id, error.place, error.detail, error.retryable)


def _abort(state: State, frame: Frame, error: ErrorInfo, now: float, out: Decision) -> None:
    """An error nobody handles: its scope ends."""
    if state.frames.get(frame.path) is not frame:
        return
    outer = frame.parent
    if outer is not None:
        _cancel_live(state, frame, now, out)
        owner = outer.scope.ids[frame.owner]
        _record(
            state,
            IterationFailed(seq=state.seq + 1, at=now, node_id=owner, path=outer.path, index=frame.index, error=error),
            out,
        )
        expansion = (outer.expansions or {})[frame.owner]
        if not expansion.collect_errors:
            final = ErrorInfo(
                error.type,
                error.message,
                error.code,
                error.node_id,
                error.place,
                error.detail,
                retryable=True,
            )
            _failed(state, outer, frame.owner, final, 0.5, now, out)
        return
    _cancel_live(state, frame, now, out)
    if state.failing is None:
        _skip_dead(state, now, out)
        _record(state, ExecutionFailing(seq=state.seq + 1, at=now, error=error), out)


def _cancel_live(state: State, frame: Frame, now: float, out: Decision, reason: str = "") -> None:
    """End everything live in a frame and below it, as cancelled; what was about to start, as skipped."""
    for number, status in enumerate(frame.status):
        if status == st.READY:
            _skip(state, frame, number, reason, now, out)
        elif status in _RUNS:
            _cancel_iterations(state, frame, number, now, out)
            _cancel_node(state, frame, number, reason, now, out)


_RUNS = frozenset({st.RUNNING, st.RETRYING, st.SUSPENDED, st.EXPANDED, st.ASKING})


def _cancel_node(state: State, frame: Frame, number: int, reason: str, now: float, out: Decision) -> None:
    node_id, attempt = frame.scope.ids[number], frame.attempts[number]
    wait = (frame.suspensions or {}).get(number)
    out.instructions.append(CancelNode(node_id, frame.path, attempt, wait.child if wait else ""))
    _record(
        state,
        NodeCancelled(seq=state.seq + 1, at=now, node_id=node_id, path=frame.path, attempt=attempt, reason=reason),
        out,
    )


def _cancel_iterations(state: State, frame: Frame, number: int, now: float, out: Decision) -> None:
    expansion = frame.expansions and frame.expansions.get(number)
    if expansion and expansion.live:
        for inner in iterations_of(state, frame, number):
            _cancel_live(state, inner, now, out)


def _skip(state: State, frame: Frame, number: int, reason: str, now: float, out: Decision) -> None:
    _record(
        state,
        NodeSkipped(seq=state.seq + 1, at=now, node_id=frame.scope.ids[number], path=frame.path, reason=reason),
        out,
    )


# --- waiting and expanding ---


def _suspend(state: State, stimulus: Suspend, now: float, out: Decision) -> None:
    found = _answered(state, stimulus)
    if not found:
        return
    frame, number = found
    raw, blob = (NOTHING, None) if stimulus.input is None else _carried(stimulus.input)
    plan = frame.scope.nodes[number]
    until, expires = stimulus.until, stimulus.expires
    if plan.timeout and (not until or (expires and now + plan.timeout < until)):
        until, expires = now + plan.timeout, True
    event = NodeSuspended(
        seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, attempt=stimulus.attempt, kind=stimulus.kind,
        until=until, expires=expires, signal=stimulus.signal, child=stimulus.child,
        child_definition=stimulus.child_definition, input=raw, input_blob=blob, detail=stimulus.detail,
    )  # fmt: skip
    _record(state, event, out)
    _ask_for(frame, number, out)


def _ask_for(frame: Frame, number: int, out: Decision) -> None:
    """The instructions a suspended node needs, now or after a recovery."""
    wait = (frame.suspensions or {})[number]
    node_id, attempt = frame.scope.ids[number], frame.attempts[number]
    if wait.until:
        out.instructions.append(SetTimer(node_id, frame.path, attempt, wait.until))
    if wait.child:
        child = StartChild(node_id, frame.path, attempt, wait.child, wait.child_definition, wait.input or b"{}")
        out.instructions.append(child)


def _expand(state: State, stimulus: Expand, now: float, out: Decision) -> None:
    frame = state.frames.get(stimulus.path)
    number = frame.scope.index.get(stimulus.node_id) if frame else None
    if frame is None or number is None or frame.attempts[number] != stimulus.attempt:
        return
    status = frame.status[number]
    if status != st.RUNNING and not (status == st.EXPANDED and (frame.expansions or {})[number].idle):
        return
    raw, blob = (NOTHING, None) if stimulus.items is None else _carried(stimulus.items)
    plan = frame.scope.nodes[number]
    event = NodeExpanded(
        seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, count=stimulus.count,
        concurrency=min(stimulus.concurrency or MAX_OPEN, MAX_OPEN), collect_errors=stimulus.collect_errors,
        items=raw, items_blob=blob,
    )  # fmt: skip
    _record(state, event, out)
    if plan.timeout and status == st.RUNNING:
        out.instructions.append(SetTimer(plan.id, frame.path, stimulus.attempt, frame.times[2 * number] + plan.timeout))
    expansion = (frame.expansions or {})[number]
    if expansion.idle:
        state.agenda.append((frame, number))
    else:
        _open(state, expansion, now, out)
        _settle(state, now, out)


def _open(state: State, expansion: Expansion, now: float, out: Decision) -> None:
    """Start iterations, as many as there is room for."""
    frame = expansion.frame
    node_id = frame.scope.ids[expansion.number]
    while expansion.room and not state.paused:
        event = IterationStarted(seq=state.seq + 1, at=now, node_id=node_id, path=frame.path, index=expansion.next)
        _record(state, event, out)


def _fire(state: State, stimulus: Fire, now: float, out: Decision) -> None:
    if state.paused:
        return
    if not stimulus.node_id:
        if state.deadline and now >= state.deadline and not state.failing:
            limit = state.plan.timeout
            error = ErrorInfo("Timeout", f"The run took longer than its time-out of {limit:g} ms", retryable=False)
            _abort(state, state.root, error, now, out)
            _settle(state, now, out)
        return
    found = _locate(state, stimulus)
    if not found or found[0].attempts[found[1]] != stimulus.attempt:
        return
    frame, number = found
    status = frame.status[number]
    wait = (frame.suspensions or {}).get(number)
    if status == st.RETRYING and wait and wait.until <= now:
        state.agenda.append((frame, number))
    elif status == st.SUSPENDED and wait and wait.until <= now:
        if not wait.expires:
            succeed(state, frame, number, None, OUTPUT, now, out, passed=True)
            return
        out.instructions.append(CancelNode(stimulus.node_id, frame.path, stimulus.attempt, wait.child))
        _failed(state, frame, number, _timed_out(wait), stimulus.chance, now, out)
        _settle(state, now, out, frame)
    elif status == st.EXPANDED:
        limit = frame.scope.nodes[number].timeout
        if limit and now >= frame.times[2 * number] + limit:
            error = ErrorInfo("NodeTimeout", f"Took longer than its time-out of {limit:g} ms")
            _failed(state, frame, number, error, stimulus.chance, now, out)
            _settle(state, now, out, frame)


def _timed_out(wait: Suspension) -> ErrorInfo:
    what = f"the signal {wait.signal!r}" if wait.signal else "the sub-workflow" if wait.child else "its answer"
    return ErrorInfo("NodeTimeout", f"Waited too long for {what}")


def _signal(state: State, stimulus: Signal, now: float, out: Decision) -> None:
    waiting = [
        (frame, number)
        for frame in state.frames.values()
        for number, wait in (frame.suspensions or {}).items()
        if wait.signal and stimulus.name in (wait.signal, frame.scope.ids[number], _full_id(frame, number))
    ]
    for frame, number in waiting:
        if frame.status[number] == st.ASKING:
            _answer_lost(state, frame, number, stimulus.payload, now, out)
        elif frame.status[number] == st.SUSPENDED:
            succeed(state, frame, number, stimulus.payload, OUTPUT, now, out)


def _full_id(frame: Frame, number: int) -> str:
    return f"{frame.path}.{frame.scope.ids[number]}" if frame.path else frame.scope.ids[number]


def _answer_lost(state: State, frame: Frame, number: int, payload: Answered, now: float, out: Decision) -> None:
    """A person has said what becomes of a lost attempt: `"fail"`, or anything else to run it again."""
    if payload == b'"fail"':
        error = ErrorInfo("NodeLost", "Lost when the process ended, and not to be run again", retryable=False)
        _failed(state, frame, number, error, 0.5, now, out)
        _settle(state, now, out, frame)
        return
    state.agenda.append((frame, number))


# --- the run as a whole ---


def _cancel(state: State, stimulus: Cancel, now: float, out: Decision) -> None:
    reason = stimulus.reason or "cancelled"
    if state.seq == 0:
        return
    _cancel_live(state, state.root, now, out, reason)
    _skip_dead(state, now, out)
    for number in state.root.scope.gated:
        if state.root.status[number] == st.IDLE:
            _skip(state, state.root, number, reason, now, out)
    _skip_dead(state, now, out)
    _record(state, ExecutionCancelled(seq=state.seq + 1, at=now, reason=stimulus.reason), out)
    out.instructions.append(Finish())


def _pause(state: State, stimulus: Pause, now: float, out: Decision) -> None:
    if not state.paused:
        _record(state, ExecutionPaused(seq=state.seq + 1, at=now), out)


def _resume(state: State, stimulus: Resume, now: float, out: Decision) -> None:
    if state.paused:
        _record(state, ExecutionResumed(seq=state.seq + 1, at=now), out)
        _take_up(state, now, out)


def _recover(state: State, stimulus: Recover, now: float, out: Decision) -> None:
    _record(state, ExecutionRecovered(seq=state.seq + 1, at=now, epoch=stimulus.epoch), out)
    for frame in list(state.frames.values()):
        for number, status in enumerate(frame.status):
            if status == st.RUNNING and state.frames.get(frame.path) is frame:
                _lose(state, frame, number, now, out)
    state.agenda.clear()
    _take_up(state, now, out)


def _lose(state: State, frame: Frame, number: int, now: float, out: Decision) -> None:
    plan = frame.scope.nodes[number]
    attempt = frame.attempts[number]
    if plan.on_lost == "fail":
        error = ErrorInfo("NodeLost", "The process that ran it ended before it answered", retryable=False)
        _failed(state, frame, number, error, 0.5, now, out)
        return
    outcome = "ask" if plan.on_lost == "ask" else "rerun"
    _record(
        state,
        NodeLost(seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, attempt=attempt, outcome=outcome),
        out,
    )


def _take_up(state: State, now: float, out: Decision) -> None:
    """Everything that is due or awaited, asked for again: after a pause, a recovery."""
    if state.deadline:
        out.instructions.append(SetTimer("", "", 0, state.deadline))
    state.agenda.clear()
    for frame in list(state.frames.values()):
        for number, status in enumerate(frame.status):
            if status == st.READY:
                state.agenda.append((frame, number))
            elif status == st.SUSPENDED:
                _ask_for(frame, number, out)
            elif status == st.RETRYING:
                wait = (frame.suspensions or {})[number]
                timer = SetTimer(frame.scope.ids[number], frame.path, frame.attempts[number], wait.until)
                out.instructions.append(timer)
            elif status == st.EXPANDED:
                _take_up_container(state, frame, number, now, out)
    _settle(state, now, out)


def _take_up_container(state: State, frame: Frame, number: int, now: float, out: Decision) -> None:
    plan = frame.scope.nodes[number]
    if plan.timeout:
        due = frame.times[2 * number] + plan.timeout
        out.instructions.append(SetTimer(plan.id, frame.path, frame.attempts[number], due))
    expansion = (frame.expansions or {})[number]
    if expansion.idle:
        state.agenda.append((frame, number))
    else:
        _open(state, expansion, now, out)


def _skip_dead(state: State, now: float, out: Decision) -> None:
    """Skip what nothing reaches, and then what only that reached."""
    dead = state.dead
    while dead:
        frame, number = dead.pop()
        if frame.status[number] == st.IDLE and state.frames.get(frame.path) is frame:
            _skip(state, frame, number, "", now, out)


def _settle(state: State, now: float, out: Decision, frame: Frame | None = None) -> None:
    """After a step: let consequences happen that are nobody's answer."""
    if state.dead:
        touched = {id(entry[0]): entry[0] for entry in state.dead}
        _skip_dead(state, now, out)
        for other in touched.values():
            if other is not frame:
                _close_iteration(state, other, now, out)
    if frame is not None:
        _close_iteration(state, frame, now, out)
    root = state.root
    if not root.busy and not state.ended:
        _finish(state, now, out)


def _close_iteration(state: State, frame: Frame, now: float, out: Decision) -> None:
    outer = frame.parent
    if outer is None or frame.left or state.frames.get(frame.path) is not frame:
        return
    owner = outer.scope.ids[frame.owner]
    _record(
        state,
        IterationSucceeded(seq=state.seq + 1, at=now, node_id=owner, path=outer.path, index=frame.index),
        out,
    )
    _open(state, (outer.expansions or {})[frame.owner], now, out)
    if state.dead:
        _settle(state, now, out)


def _finish(state: State, now: float, out: Decision) -> None:
    """Nothing is live at the top: error triggers that were not needed are skipped, and the run has ended."""
    root = state.root
    for number in root.scope.gated:
        if root.status[number] == st.IDLE:
            _skip(state, root, number, "no error", now, out)
    _skip_dead(state, now, out)
    if root.left:
        raise AssertionError(f"{state.execution_id}: at rest with {root.left} nodes left: {root!r}")
    if state.failing:
        _record(state, ExecutionFailed(seq=state.seq + 1, at=now, error=state.failing), out)
    else:
        _record(state, ExecutionSucceeded(seq=state.seq + 1, at=now), out)
    out.instructions.append(Finish())


# --- finding ---


def _locate(state: State, stimulus: NodeStimulus) -> tuple[Frame, int] | None:
    frame = state.frames.get(stimulus.path)
    number = frame.scope.index.get(stimulus.node_id) if frame else None
    return None if frame is None or number is None else (frame, number)


def _answered(state: State, stimulus: Succeed | Fail | Suspend) -> tuple[Frame, int] | None:
    """The node an answer is for, if it is still that attempt's to give."""
    found = _locate(state, stimulus)
    if found is None:
        return None
    frame, number = found
    status = frame.status[number]
    open_ = status in (st.RUNNING, st.SUSPENDED) or (status == st.EXPANDED and (frame.expansions or {})[number].idle)
    return found if open_ and frame.attempts[number] == stimulus.attempt else None


_DECIDE: dict[type[Stimulus], Callable[[State, Any, float, Decision], None]] = {
    Start: _start,
    Begin: _begin,
    Succeed: _succeed,
    Fail: _fail,
    Suspend: _suspend,
    Expand: _expand,
    Fire: _fire,
    Signal: _signal,
    Cancel: _cancel,
    Pause: _pause,
    Resume: _resume,
    Recover: _recover,
}
