"""How a failure spreads, and how a scope ends before its time.

A failed attempt is tried again; or its error leaves by the handle `error`, or `continueOnError` lets the run go on; or its
scope ends. An iteration that ends so is its container's matter: a `collect`ing map goes on, a `try_catch` leaves by
`catch`, any other container's attempt has failed in turn, and so outward. At the top the run is failing: error triggers
run, and then it has failed.
"""

from __future__ import annotations

import msgspec

from flowscope.execution import status as st
from flowscope.execution.containers import open_iterations
from flowscope.execution.decision import Decision, began, cancel, carried, due_attempt, record, skip
from flowscope.execution.events import (
    ErrorInfo,
    ExecutionCancelled,
    ExecutionFailing,
    IterationFailed,
    NodeFailed,
    NodeSucceeded,
)
from flowscope.execution.instructions import Finish, SetTimer
from flowscope.execution.retry import backoff
from flowscope.execution.state import Frame, State, encode_json

MOST_ATTEMPTS = 65_535
"""What the column of attempts can hold."""


def fail(state: State, frame: Frame, number: int, error: ErrorInfo, chance: float, now: float, out: Decision) -> None:
    """The present attempt of a node has failed."""
    while not _absorbed(state, frame, number, error, chance, now, out):
        error = _at_node(error, frame.scope.ids[number])
        outer = frame.parent
        if outer is None:
            fail_run(state, error, now, out)
            return
        end_scope(state, frame, "", now, out)
        number, index = frame.owner, frame.index
        _fail_iteration(state, outer, number, index, error, now, out)
        expansion = outer.expansion(number)
        if expansion is None or expansion.collect_errors:
            if expansion is not None:
                open_iterations(state, expansion, now, out)
            return
        # Whether the container is tried again is for its own policy to say.
        frame, error = outer, msgspec.structs.replace(error, retryable=True)


def _absorbed(
    state: State, frame: Frame, number: int, error: ErrorInfo, chance: float, now: float, out: Decision
) -> bool:
    """Record the failed attempt; False if nobody handles it and its scope must end."""
    plan = frame.scope.nodes[number]
    attempt = frame.attempts[number]
    spent = attempt - frame.losses(number)
    again = error.retryable and spent < plan.retry.attempts and attempt < MOST_ATTEMPTS
    retry_at = now + max(backoff(plan.retry, spent, chance), error.retry_after) if again else 0.0
    expanded = frame.expansion(number) is not None
    _end_iterations(state, frame, number, "", now, out)
    if plan.catches and expanded and not again:
        _succeed_caught(state, frame, number, error, now, out)
        return True
    handled = plan.after_error and not again
    event = NodeFailed(
        seq=state.seq + 1, at=now, node_id=plan.id, path=frame.path, attempt=due_attempt(frame, number),
        error=_at_node(error, plan.id), retry_at=retry_at, handled=handled, began_at=began(frame, number, now, out),
    )  # fmt: skip
    record(state, event, out)
    if again:
        out.instructions.append(SetTimer(plan.id, frame.path, attempt, retry_at))
    return again or handled


def _succeed_caught(state: State, frame: Frame, number: int, error: ErrorInfo, now: float, out: Decision) -> None:
    """A `try_catch` whose body failed goes on by its handle `catch`, with the error."""
    raw, _ = carried(encode_json({"error": error}))
    event = NodeSucceeded(
        seq=state.seq + 1, at=now, node_id=frame.scope.ids[number], path=frame.path, attempt=frame.attempts[number],
        handle="catch", output=raw,
    )  # fmt: skip
    record(state, event, out)


def _fail_iteration(
    state: State, outer: Frame, number: int, index: int, error: ErrorInfo, now: float, out: Decision
) -> None:
    node_id = outer.scope.ids[number]
    event = IterationFailed(seq=state.seq + 1, at=now, node_id=node_id, path=outer.path, index=index, error=error)
    record(state, event, out)


def _at_node(error: ErrorInfo, node_id: str) -> ErrorInfo:
    return error if error.node_id else msgspec.structs.replace(error, node_id=node_id)


def fail_run(state: State, error: ErrorInfo, now: float, out: Decision) -> None:
    """An error that nobody handles has reached the top level: all ends but the error triggers, which start."""
    end_scope(state, state.root, "", now, out)
    if state.failing is None:
        record(state, ExecutionFailing(seq=state.seq + 1, at=now, error=error), out)


def cancel_run(state: State, reason: str, now: float, out: Decision) -> None:
    """Somebody ends the run: everything ends, the error triggers too."""
    root = state.root
    state.dead.extend((root, number) for number in root.scope.gated)
    end_scope(state, root, reason or "cancelled", now, out)
    record(state, ExecutionCancelled(seq=state.seq + 1, at=now, reason=reason), out)
    out.instructions.append(Finish())


def end_scope(state: State, frame: Frame, reason: str, now: float, out: Decision) -> None:
    """End everything in a frame and below it: what has started as cancelled, the rest as skipped.

    At the top level what waits for an error trigger is left.
    """
    mark = len(state.agenda)
    for number, status in enumerate(frame.status):
        if status in st.LIVE:
            _end_live(state, frame, number, reason, now, out)
    # Each end decides edges. That makes nodes dead, and ready too where another branch had come through before.
    while state.dead or len(state.agenda) > mark:
        owner, number = state.dead.pop() if state.dead else state.agenda.pop()
        if owner.status[number] in (st.IDLE, st.READY):
            skip(state, owner, number, reason, now, out)


def _end_live(state: State, frame: Frame, number: int, reason: str, now: float, out: Decision) -> None:
    if frame.status[number] == st.READY and not frame.attempts[number]:
        skip(state, frame, number, reason, now, out)
    else:
        _end_iterations(state, frame, number, reason, now, out)
        cancel(state, frame, number, reason, now, out)


def _end_iterations(state: State, frame: Frame, number: int, reason: str, now: float, out: Decision) -> None:
    expansion = frame.expansion(number)
    if expansion:
        for inner in list(expansion.running.values()):
            end_scope(state, inner, reason, now, out)
