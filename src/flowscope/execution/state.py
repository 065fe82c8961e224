"""An execution's state: the fold of its journal, and nothing else.

`apply` is the only thing that changes a state, live and in recovery alike. What lives in one scope is a frame (`frame.py`).

Three worklists are derived, not state. `agenda` holds nodes that may start now, in the order they became ready; it may hold
stale entries, of which `machine.begin` takes no notice. `dead` holds nodes that nothing will reach, `through` frames whose
every node has ended: both are empty after a step, because `settling.settle` has seen to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from flowscope.definition.plan import OUTPUT, Plan
from flowscope.execution import status as st
from flowscope.execution.digest import digest
from flowscope.execution.events import (
    AnyEvent,
    Blob,
    Caller,
    ErrorInfo,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionFailing,
    ExecutionPaused,
    ExecutionRecovered,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSucceeded,
    IterationAdopted,
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeAdopted,
    NodeCancelled,
    NodeEvent,
    NodeExpanded,
    NodeFailed,
    NodeInputReplaced,
    NodeLost,
    NodeReleased,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
    VariableSet,
)
from flowscope.execution.frame import Expansion, Frame, Suspension, Turn, key_of, path_of
from flowscope.execution.inputs import collected, entry, failure_of, gather, output_of, result_of
from flowscope.execution.payload import NULL, Batch, Payload, merged

__all__ = [
    "Expansion", "Frame", "State", "Suspension", "apply", "digest", "encode_json", "entry", "failure_of", "fold", "gather", "key_of",
    "node_started", "node_succeeded", "output_of", "path_of", "recorded", "result_of",
]  # fmt: skip

_STARTED = st.row("NodeStarted")
_SUCCEEDED = st.row("NodeSucceeded")
_FAILED = st.row("NodeFailed")
_TO_RETRY = st.row("NodeFailed, to be retried")
_LOST = st.row("NodeLost")
_TO_ASK = st.row("NodeLost, to be asked")
_RELEASED = st.row("NodeReleased")
_SUSPENDED = st.row("NodeSuspended")
_EXPANDED = st.row("NodeExpanded")
_CANCELLED = st.row("NodeCancelled")
_SKIPPED = st.row("NodeSkipped")
_ADOPTED = st.row("NodeAdopted")
_ADOPTED_FAILED = st.row("NodeAdopted, failed")

encode_json = msgspec.json.encode


class State:
    """One execution. `status` is `pending|running|success|failed|cancelled`; what a viewer calls `waiting` is derived.

    `failing` is the error that ends the run, from the moment it happened; `error` the same once the run has ended.
    `until` is the node beyond which nothing runs. `variables` are those that nodes have set, beside the definition's own.
    """

    __slots__ = (
        "agenda", "caller", "dead", "deadline", "definition", "ended_at", "epoch", "error", "execution_id", "failing", "fired", "frames",
        "input", "parent_execution_id", "paused", "plan", "root", "seq", "started_at", "status", "through", "trigger", "until",
        "use_worker_pool", "user_id", "variables", "workflow_id", "workflow_name",
    )  # fmt: skip

    def __init__(self, execution_id: str, plan: Plan) -> None:
        self.execution_id = execution_id
        self.plan = plan
        self.seq = 0
        self.epoch = 1
        self.status = "pending"
        self.paused = False
        self.failing: ErrorInfo | None = None
        self.error: ErrorInfo | None = None
        self.workflow_id = plan.workflow.id
        self.workflow_name = ""
        self.definition = ""
        self.user_id = ""
        self.use_worker_pool = False
        self.trigger = ""
        self.until = ""
        self.fired = False
        self.parent_execution_id = ""
        self.caller: Caller | None = None
        self.deadline = self.started_at = self.ended_at = 0.0
        self.input: Payload = b"{}"
        self.variables: dict[str, Payload] = {}
        self.root = Frame(plan.root, "", None, -1, -1)
        self.frames: dict[str, Frame] = {"": self.root}
        self.agenda: list[tuple[Frame, int]] = []
        self.dead: list[tuple[Frame, int]] = []
        self.through: list[Frame] = []

    @property
    def ended(self) -> bool:
        """Whether the run has reached its end, whichever; it absorbs everything."""
        return self.status in ("success", "failed", "cancelled")

    def __repr__(self) -> str:
        return f"State({self.execution_id!r}, seq={self.seq}, {self.status})"


def apply(state: State, event: AnyEvent) -> None:
    """Fold one event into the state. Events come from `machine`, or from a journal that `machine` wrote."""
    if event.seq != state.seq + 1:
        raise ValueError(f"{state.execution_id}: event {event.seq} follows {state.seq}")
    state.seq = event.seq
    _APPLY[type(event)](state, event)


def fold(execution_id: str, plan: Plan, events: Iterable[AnyEvent]) -> State:
    """The state after all these events. Its worklists are empty: who wants to go on sends `Recover`, which fills the agenda."""
    state = State(execution_id, plan)
    for event in events:
        apply(state, event)
        state.agenda.clear()
        state.dead.clear()
        state.through.clear()
    return state


def recorded(raw: msgspec.Raw, blob: Blob | None) -> Payload | None:
    """The payload an event carries, if any."""
    return (bytes(raw) or None) if blob is None else blob


# --- the execution ---


def _execution_started(state: State, event: ExecutionStarted) -> None:
    state.status = "running"
    state.started_at = event.at
    state.workflow_id = event.workflow_id
    state.workflow_name = event.workflow_name
    state.definition = event.definition
    state.deadline = event.deadline
    state.trigger = event.trigger
    state.until = event.until
    state.caller = event.caller
    state.parent_execution_id = event.parent_execution_id
    state.user_id = event.user_id
    state.fired = event.fired
    state.use_worker_pool = event.use_worker_pool
    state.input = recorded(event.input, event.input_blob) or b"{}"
    root = state.root
    for number in root.scope.roots:
        plan = root.scope.nodes[number]
        if plan.is_trigger and plan.id != event.trigger:
            state.dead.append((root, number))
        else:
            _ready(state, root, number)


def _execution_paused(state: State, event: ExecutionPaused) -> None:
    state.paused = True


def _execution_resumed(state: State, event: ExecutionResumed) -> None:
    state.paused = False


def _execution_recovered(state: State, event: ExecutionRecovered) -> None:
    state.epoch = event.epoch


def _execution_failing(state: State, event: ExecutionFailing) -> None:
    state.failing = event.error
    root = state.root
    for number in root.scope.gated:
        if root.status[number] == st.IDLE:
            root.waiting[number] = 0
            root.active[number] = 1
            _ready(state, root, number)


def _execution_succeeded(state: State, event: ExecutionSucceeded) -> None:
    state.status = "success"
    state.ended_at = event.at


def _execution_failed(state: State, event: ExecutionFailed) -> None:
    state.status = "failed"
    state.error = event.error
    state.ended_at = event.at


def _execution_cancelled(state: State, event: ExecutionCancelled) -> None:
    state.status = "cancelled"
    state.ended_at = event.at
    state.error = ErrorInfo("Cancelled", event.reason) if event.reason else None


# --- a node: the two events of a plain one ---


def _node_started(state: State, event: NodeStarted) -> None:
    frame = state.frames[event.path]
    node_started(state, frame, frame.scope.index[event.node_id], event)


def node_started(state: State, frame: Frame, number: int, event: NodeStarted) -> None:
    """`apply` of this event by who has already found the node, and seen to `seq`."""
    before = frame.status[number]
    after = _STARTED[before]
    if after == st.ILLEGAL:
        raise st.IllegalTransition("NodeStarted", event.node_id, event.path, before)
    frame.status[number] = after
    frame.attempts[number] = event.attempt
    if event.attempt == 1:
        frame.times[2 * number] = event.at
    elif frame.suspensions:
        frame.suspensions.pop(number, None)


def _node_succeeded(state: State, event: NodeSucceeded) -> None:
    frame = state.frames[event.path]
    node_succeeded(state, frame, frame.scope.index[event.node_id], event, recorded(event.output, event.output_blob))


def node_succeeded(state: State, frame: Frame, number: int, event: NodeSucceeded, output: Payload | None) -> None:
    """`apply` of this event by who has already found the node and what it carries, and seen to `seq`."""
    before = frame.status[number]
    after = _SUCCEEDED[before]
    if after == st.ILLEGAL:
        raise st.IllegalTransition("NodeSucceeded", event.node_id, event.path, before)
    plan = frame.scope.nodes[number]
    handle = event.handle
    if output is None:
        output = gather(state, frame, number) if event.passed else collected(state, frame, number, event.last)
    elif event.passed:
        output = merged((gather(state, frame, number), output))
    frame.outputs[number] = output
    frame.status[number] = after
    frame.times[2 * number + 1] = event.at
    frame.busy -= 1
    if before != st.RUNNING:
        _forget(state, frame, number)
    if frame.turns:
        frame.turns.pop(number, None)
    if handle != OUTPUT:
        if frame.taken is None:
            frame.taken = {}
        frame.taken[number] = handle
    if plan.onward is None:
        for route, targets in plan.routes.items():
            _decide_edges(state, frame, targets, route == handle)
    elif plan.onward:
        _decide_edges(state, frame, plan.onward, handle == OUTPUT)
    left = frame.left - 1
    frame.left = left
    if not left:
        state.through.append(frame)


def _decide_edges(state: State, frame: Frame, targets: tuple[int, ...], active: bool) -> None:
    """Tell each target that one of its edges is decided."""
    waiting = frame.waiting
    for target in targets:
        left = waiting[target] - 1
        waiting[target] = left
        if active:
            frame.active[target] = 1
            if frame.scope.nodes[target].join_any:
                _first_come(state, frame, target)
            elif left == 0:
                _ready(state, frame, target)
        elif left == 0:
            if frame.active[target]:
                _ready(state, frame, target)
            elif frame.status[target] == st.IDLE:
                state.dead.append((frame, target))


def _ready(state: State, frame: Frame, number: int) -> None:
    if frame.status[number] == st.IDLE:
        frame.status[number] = st.READY
        frame.busy += 1
        state.agenda.append((frame, number))


def _first_come(state: State, frame: Frame, number: int) -> None:
    """An any-join takes its first active edge, and keeps to it when it runs again."""
    if frame.any_source is None:
        frame.any_source = {}
    if number not in frame.any_source:
        for position, edge in enumerate(frame.scope.nodes[number].incoming):
            if frame.edge_active(edge.source, edge.handle):
                frame.any_source[number] = position
                break
    _ready(state, frame, number)


# --- a node: the others ---


def _find(state: State, event: NodeEvent) -> tuple[Frame, int]:
    frame = state.frames[event.path]
    return frame, frame.scope.index[event.node_id]


def _move(frame: Frame, number: int, table: bytes, event: NodeEvent) -> int:
    """Obey the transition table; the status before."""
    before = frame.status[number]
    after = table[before]
    if after == st.ILLEGAL:
        raise st.IllegalTransition(type(event).__name__, event.node_id, event.path, before)
    frame.status[number] = after
    return before


def _node_failed(state: State, event: NodeFailed) -> None:
    frame, number = _find(state, event)
    if event.retry_at:
        _move(frame, number, _TO_RETRY, event)
        _forget(state, frame, number)
        _suspend(frame, number, Suspension("retry", until=event.retry_at, detail=event.error.message))
        return
    frame.outputs[number] = encode_json({"error": event.error})
    _end(state, frame, number, _FAILED, event)
    for handle, targets in frame.scope.nodes[number].routes.items():
        _decide_edges(state, frame, targets, event.handled and frame.edge_active(number, handle))


def _node_cancelled(state: State, event: NodeCancelled) -> None:
    frame, number = _find(state, event)
    _end(state, frame, number, _CANCELLED, event)
    for targets in frame.scope.nodes[number].routes.values():
        _decide_edges(state, frame, targets, False)


def _node_skipped(state: State, event: NodeSkipped) -> None:
    frame, number = _find(state, event)
    _end(state, frame, number, _SKIPPED, event)
    for targets in frame.scope.nodes[number].routes.values():
        _decide_edges(state, frame, targets, False)


def _node_adopted(state: State, event: NodeAdopted) -> None:
    frame, number = _find(state, event)
    output = recorded(event.output, event.output_blob)
    if event.error is not None:
        output = encode_json({"error": event.error})
    elif event.passed:
        output = gather(state, frame, number)
    frame.outputs[number] = NULL if output is None else output
    if frame.adopted is None:
        frame.adopted = {}
    frame.adopted[number] = event.origin_seq
    if event.handle != OUTPUT:
        if frame.taken is None:
            frame.taken = {}
        frame.taken[number] = event.handle
    frame.times[2 * number] = event.at
    _end(state, frame, number, _ADOPTED if event.error is None else _ADOPTED_FAILED, event)
    for handle, targets in frame.scope.nodes[number].routes.items():
        _decide_edges(state, frame, targets, frame.edge_active(number, handle))


def _node_input_replaced(state: State, event: NodeInputReplaced) -> None:
    frame, number = _find(state, event)
    if frame.replaced is None:
        frame.replaced = {}
    frame.replaced[number] = recorded(event.input, event.input_blob) or NULL


def _end(state: State, frame: Frame, number: int, table: bytes, event: NodeEvent) -> None:
    if _move(frame, number, table, event) != st.IDLE:
        frame.busy -= 1
        _forget(state, frame, number)
        if frame.turns:
            frame.turns.pop(number, None)
    frame.times[2 * number + 1] = event.at
    frame.left -= 1
    if not frame.left:
        state.through.append(frame)


def _node_lost(state: State, event: NodeLost) -> None:
    frame, number = _find(state, event)
    asks = event.outcome == "ask"
    _move(frame, number, _TO_ASK if asks else _LOST, event)
    if frame.lost is None:
        frame.lost = {}
    frame.lost[number] = frame.lost.get(number, 0) + 1
    if asks:
        _suspend(frame, number, Suspension("ask", signal=event.node_id, detail="was lost: run it again?"))
    else:
        state.agenda.append((frame, number))


def _node_released(state: State, event: NodeReleased) -> None:
    frame, number = _find(state, event)
    _move(frame, number, _RELEASED, event)
    _forget(state, frame, number)
    state.agenda.append((frame, number))


def _node_suspended(state: State, event: NodeSuspended) -> None:
    frame, number = _find(state, event)
    _move(frame, number, _SUSPENDED, event)
    carried = recorded(event.input, event.input_blob)
    wait = Suspension(
        event.kind, event.until, event.expires, event.signal, event.child, event.child_definition, carried, event.detail,
        event.choices, event.extends, bytes(event.otherwise) or None, event.otherwise_handle,
    )  # fmt: skip
    _suspend(frame, number, wait)


def _variable_set(state: State, event: VariableSet) -> None:
    state.variables[event.name] = recorded(event.value, event.value_blob) or NULL


def _suspend(frame: Frame, number: int, suspension: Suspension) -> None:
    if frame.suspensions is None:
        frame.suspensions = {}
    frame.suspensions[number] = suspension


def _forget(state: State, frame: Frame, number: int) -> None:
    """A node leaves its wait or its iterations: drop what was kept for them, the frames below included."""
    if frame.suspensions:
        frame.suspensions.pop(number, None)
    if frame.expansions and number in frame.expansions:
        for inner in frame.expansions.pop(number).running.values():
            del state.frames[inner.path]


# --- iterations ---


def _node_expanded(state: State, event: NodeExpanded) -> None:
    frame, number = _find(state, event)
    _move(frame, number, _EXPANDED, event)
    if frame.expansions is None:
        frame.expansions = {}
    expansion = frame.expansions.get(number)
    if expansion is None:
        expansion = frame.expansions[number] = Expansion(frame, number)
        expansion.last = gather(state, frame, number)
        expansion.deadline = event.deadline
    expansion.asked = False
    expansion.base = expansion.count
    expansion.count += event.count
    expansion.concurrency = event.concurrency
    expansion.collect_errors = event.collect_errors
    items = recorded(event.items, event.items_blob)
    expansion.entries = event.entries
    expansion.places = _turn(frame, number, event)
    expansion.batch = None
    if items is not None:
        expansion.batch = Batch(path_of(frame, number, expansion.base), items)
        expansion.results += [NULL] * (expansion.count - len(expansion.results))
    if expansion.idle:
        state.agenda.append((frame, number))


def _turn(frame: Frame, number: int, event: NodeExpanded) -> list[int]:
    """A memo begins a turn; without one, its iterations belong to what the last turn has left undone."""
    memo = recorded(event.memo, event.memo_blob)
    if memo is not None:
        if frame.turns is None:
            frame.turns = {}
        frame.turns.setdefault(number, []).append(Turn(memo, event.count))
    taken = frame.turns.get(number) if frame.turns else None
    return taken[-1].undone[: event.count] if taken else []


def _iteration_started(state: State, event: IterationStarted) -> None:
    outer, expansion = _expansion(state, event)
    body = outer.scope.nodes[expansion.number].body
    if body is None:
        raise ValueError(f"{event.node_id} has no body")
    expansion.next = event.index + 1
    path = path_of(outer, expansion.number, event.index)
    frame = Frame(body, path, outer, expansion.number, event.index)
    state.frames[path] = expansion.running[event.index] = frame
    for root in body.roots:
        if event.entry and body.ids[root] != event.entry:
            state.dead.append((frame, root))
        else:
            _ready(state, frame, root)


def _iteration_succeeded(state: State, event: IterationSucceeded) -> None:
    _, expansion = _expansion(state, event)
    _close(state, expansion, event.index, result_of(expansion.running[event.index]))


def _iteration_failed(state: State, event: IterationFailed) -> None:
    _, expansion = _expansion(state, event)
    _close(state, expansion, event.index, encode_json({"error": event.error}))


def _iteration_adopted(state: State, event: IterationAdopted) -> None:
    _, expansion = _expansion(state, event)
    if event.error is not None:
        result: Payload = encode_json({"error": event.error})
    else:
        result = recorded(event.output, event.output_blob) or NULL
    _close(state, expansion, event.index, result)


def _expansion(state: State, event: NodeEvent) -> tuple[Frame, Expansion]:
    outer, number = _find(state, event)
    expansion = outer.expansion(number)
    if expansion is None:
        raise st.IllegalTransition(type(event).__name__, event.node_id, event.path, outer.status[number])
    return outer, expansion


def _close(state: State, expansion: Expansion, index: int, result: Payload) -> None:
    del state.frames[expansion.running.pop(index).path]
    expansion.last = result
    if expansion.places:
        turns = expansion.frame.turns
        assert turns is not None
        turns[expansion.number][-1].results[expansion.places[index - expansion.base]] = result
    if expansion.batch is not None:
        expansion.results[index] = result
    if expansion.idle:
        state.agenda.append((expansion.frame, expansion.number))


_APPLY: dict[type, Callable[[State, Any], None]] = {
    ExecutionStarted: _execution_started,
    ExecutionPaused: _execution_paused,
    ExecutionResumed: _execution_resumed,
    ExecutionRecovered: _execution_recovered,
    ExecutionFailing: _execution_failing,
    ExecutionSucceeded: _execution_succeeded,
    ExecutionFailed: _execution_failed,
    ExecutionCancelled: _execution_cancelled,
    NodeStarted: _node_started,
    NodeSucceeded: _node_succeeded,
    NodeFailed: _node_failed,
    NodeLost: _node_lost,
    NodeReleased: _node_released,
    NodeCancelled: _node_cancelled,
    NodeSkipped: _node_skipped,
    NodeSuspended: _node_suspended,
    NodeAdopted: _node_adopted,
    NodeInputReplaced: _node_input_replaced,
    NodeExpanded: _node_expanded,
    VariableSet: _variable_set,
    IterationStarted: _iteration_started,
    IterationSucceeded: _iteration_succeeded,
    IterationFailed: _iteration_failed,
    IterationAdopted: _iteration_adopted,
}
