"""An execution's state: the fold of its journal, and nothing else.

`apply` is the only thing that changes a state, live and in recovery alike. What lives in one scope is a frame: the top
level is one, each running iteration of a container is one. A frame is columns indexed by node number; an iteration's
frame is dropped as soon as the iteration ends, so a map of any length holds only what runs.

`agenda` is derived, not state: nodes that may start now, in the order they became ready. It may hold stale entries;
`machine.start` takes no notice of those.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import deque
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from flowscope.definition.plan import ERROR as ERROR_HANDLE
from flowscope.definition.plan import OUTPUT, NodePlan, Plan, Scope
from flowscope.execution import status as st
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
from flowscope.execution.payload import NULL, Group, Item, Merge, Payload, describe

_STARTED = st.row("NodeStarted")
_SUCCEEDED = st.row("NodeSucceeded")
_FAILED = st.row("NodeFailed")
_TO_RETRY = st.row("NodeFailed, to be retried")
_LOST = st.row("NodeLost")
_TO_ASK = st.row("NodeLost, to be asked")
_SUSPENDED = st.row("NodeSuspended")
_EXPANDED = st.row("NodeExpanded")
_CANCELLED = st.row("NodeCancelled")
_SKIPPED = st.row("NodeSkipped")

encode_json = msgspec.json.encode


class Expansion:
    """What a container has opened. Iterations are numbered over its whole life; `base` is the first of the present batch.

    `items` is the batch's array, None for a loop, whose one iteration gets `last`. `results` are kept for a batch's
    containers only, in item order.
    """

    __slots__ = ("base", "collect_errors", "concurrency", "count", "frame", "items", "last", "live", "next", "number", "results", "split")  # fmt: skip

    def __init__(self, frame: Frame, number: int) -> None:
        self.frame = frame
        self.number = number
        self.base = self.count = self.next = self.live = 0
        self.concurrency = 1
        self.collect_errors = False
        self.items: Payload | None = None
        self.last: Payload | None = None
        self.results: list[Payload] = []
        self.split: list[bytes] | None = None

    @property
    def idle(self) -> bool:
        """Every iteration of the batch has ended: the container's handler is to be asked what next."""
        return self.next == self.count and self.live == 0

    @property
    def room(self) -> bool:
        return self.next < self.count and self.live < self.concurrency


class Suspension(msgspec.Struct, frozen=True, gc=False):
    """Why a node is suspended or backing off, and until when (epoch ms; 0: no instant)."""

    kind: str
    until: float = 0
    expires: bool = False
    signal: str = ""
    child: str = ""
    child_definition: str = ""
    input: Payload | None = None
    detail: str = ""


class Frame:
    """The live state of one scope. `busy` counts live nodes, `left` those that have not ended."""

    __slots__ = (
        "active", "any_source", "attempts", "busy", "expansions", "index", "left", "lost", "outputs", "owner", "parent", "path",
        "scope", "status", "suspensions", "taken", "times", "waiting",
    )  # fmt: skip

    def __init__(self, scope: Scope, path: str, parent: Frame | None, owner: int, index: int) -> None:
        size = scope.size
        self.scope = scope
        self.path = path
        self.parent = parent
        self.owner = owner
        self.index = index
        self.status = bytearray(size)
        self.active = bytearray(size)
        self.waiting = scope.indegree[:]
        self.attempts = array("H", bytes(2 * size))
        self.outputs: list[Payload | None] = [None] * size
        self.times = array("d", bytes(16 * size))
        self.busy = 0
        self.left = size
        self.taken: dict[int, str] | None = None
        self.any_source: dict[int, int] | None = None
        self.lost: dict[int, int] | None = None
        self.suspensions: dict[int, Suspension] | None = None
        self.expansions: dict[int, Expansion] | None = None

    def edge_active(self, source: int, handle: str) -> bool:
        """Whether something has come out of that handle of that node."""
        status = self.status[source]
        if status == st.SUCCESS:
            return handle == (self.taken.get(source, OUTPUT) if self.taken else OUTPUT)
        if status == st.ERROR:
            plan = self.scope.nodes[source]
            if ERROR_HANDLE in plan.routes:
                return handle == ERROR_HANDLE
            return plan.continue_on_error and handle == OUTPUT
        return False

    def __repr__(self) -> str:
        return f"Frame({self.path!r}, {[st.NAMES[status] for status in self.status]})"


class State:
    """One execution. `status` is `pending|running|success|failed|cancelled`; what a viewer calls `waiting` is derived."""

    __slots__ = (
        "agenda",
        "caller",
        "cancelled",
        "dead",
        "deadline",
        "definition",
        "ended_at",
        "epoch",
        "error",
        "execution_id",
        "failing",
        "frames",
        "input",
        "parent_execution_id",
        "paused",
        "plan",
        "root",
        "seq",
        "started_at",
        "status",
        "trigger",
        "user_id",
        "workflow_id",
        "workflow_name",
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
        self.trigger = ""
        self.parent_execution_id = ""
        self.caller: Caller | None = None
        self.deadline = self.started_at = self.ended_at = 0.0
        self.input: Payload = b"{}"
        self.root = Frame(plan.root, "", None, -1, -1)
        self.frames: dict[str, Frame] = {"": self.root}
        self.agenda: deque[tuple[Frame, int]] = deque()
        self.dead: list[tuple[Frame, int]] = []

    @property
    def ended(self) -> bool:
        return self.status in ("success", "failed", "cancelled")

    def __repr__(self) -> str:
        return f"State({self.execution_id!r}, seq={self.seq}, {self.status})"


def apply(state: State, event: AnyEvent) -> None:
    """Fold one event into the state. Events come from `machine`, or from a journal that `machine` wrote."""
    if event.seq != state.seq + 1:
        raise ValueError(f"{state.execution_id}: event {event.seq} follows {state.seq}")
    state.seq = event.seq
    _APPLY[type(event)](state, event)


def fold(execution_id: str, plan: Plan, events: Iterator[AnyEvent]) -> State:
    """The state after all these events, with an agenda of what may start now."""
    state = State(execution_id, plan)
    for event in events:
        apply(state, event)
        state.agenda.clear()
        state.dead.clear()
    return state


def _find(state: State, node_id: str, path: str) -> tuple[Frame, int]:
    frame = state.frames[path]
    return frame, frame.scope.index[node_id]


def _move(frame: Frame, number: int, table: bytes, event: Any) -> None:
    before = frame.status[number]
    after = table[before]
    if after == st.ILLEGAL:
        raise st.IllegalTransition(type(event).__name__, event.node_id, event.path, before)
    frame.status[number] = after


def recorded(raw: msgspec.Raw, blob: Blob | None) -> Payload | None:
    """The payload an event carries, if any."""
    if blob is not None:
        return blob
    data = bytes(raw)
    return data or None


def _execution_started(state: State, event: ExecutionStarted) -> None:
    state.status = "running"
    state.started_at = event.at
    state.workflow_id = event.workflow_id
    state.workflow_name = event.workflow_name
    state.definition = event.definition
    state.deadline = event.deadline
    state.trigger = event.trigger
    state.caller = event.caller
    state.parent_execution_id = event.parent_execution_id
    state.user_id = event.user_id
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
    for number in state.root.scope.gated:
        state.root.waiting[number] = 0
        state.root.active[number] = 1
        _ready(state, state.root, number)


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


def _node_started(state: State, event: NodeStarted) -> None:
    frame = state.frames[event.path]
    number = frame.scope.index[event.node_id]
    before = frame.status[number]
    after = _STARTED[before]
    if after == st.ILLEGAL:
        raise st.IllegalTransition("NodeStarted", event.node_id, event.path, before)
    frame.status[number] = after
    frame.attempts[number] = min(event.attempt, 65535)
    if event.attempt == 1:
        frame.times[2 * number] = event.at
        plan = frame.scope.nodes[number]
        if plan.join_any and plan.incoming:
            _pin_source(frame, plan)
    elif frame.suspensions:
        frame.suspensions.pop(number, None)


def _pin_source(frame: Frame, plan: NodePlan) -> None:
    """An any-join takes its first active edge, and keeps to it when it runs again."""
    if frame.any_source is None:
        frame.any_source = {}
    for position, edge in enumerate(plan.incoming):
        if frame.edge_active(edge.source, edge.handle):
            frame.any_source.setdefault(plan.number, position)
            return


def _node_succeeded(state: State, event: NodeSucceeded) -> None:
    frame = state.frames[event.path]
    number = frame.scope.index[event.node_id]
    before = frame.status[number]
    after = _SUCCEEDED[before]
    if after == st.ILLEGAL:
        raise st.IllegalTransition("NodeSucceeded", event.node_id, event.path, before)
    frame.status[number] = after
    frame.times[2 * number + 1] = event.at
    frame.busy -= 1
    frame.left -= 1
    if event.passed:
        frame.outputs[number] = gather(state, frame, number)
    elif event.output_blob is None:
        frame.outputs[number] = bytes(event.output) or _collected(frame, number, event.last)
    else:
        frame.outputs[number] = event.output_blob
    if before != st.RUNNING:
        _forget(state, frame, number)
    plan = frame.scope.nodes[number]
    if plan.onward is None:
        handle = event.handle
        if handle != OUTPUT:
            if frame.taken is None:
                frame.taken = {}
            frame.taken[number] = handle
        for route, targets in plan.routes.items():
            _settle(state, frame, targets, route == handle)
    else:
        _settle(state, frame, plan.onward, True)


def _collected(frame: Frame, number: int, last: bool) -> Payload:
    """A container's output when none was recorded: its iterations' results, or the last one's."""
    expansion = frame.expansions.get(number) if frame.expansions else None
    if expansion is None:
        return NULL
    if last or expansion.items is None:
        return expansion.last or NULL
    return Group(None, tuple(expansion.results))


def _settle(state: State, frame: Frame, targets: tuple[int, ...], active: bool) -> None:
    """Tell each target that one of its edges is decided."""
    waiting = frame.waiting
    for target in targets:
        left = waiting[target] - 1
        waiting[target] = left
        if active:
            frame.active[target] = 1
            if left == 0 or frame.scope.nodes[target].join_any:
                _ready(state, frame, target)
        elif left == 0:
            if frame.active[target]:
                _ready(state, frame, target)
            else:
                state.dead.append((frame, target))


def _ready(state: State, frame: Frame, number: int) -> None:
    if frame.status[number] == st.IDLE:
        frame.status[number] = st.READY
        frame.busy += 1
        state.agenda.append((frame, number))


def _node_failed(state: State, event: NodeFailed) -> None:
    frame, number = _find(state, event.node_id, event.path)
    _forget(state, frame, number)
    if event.retry_at:
        _move(frame, number, _TO_RETRY, event)
        _suspend(frame, number, Suspension("retry", until=event.retry_at, detail=event.error.message))
        return
    _move(frame, number, _FAILED, event)
    frame.times[2 * number + 1] = event.at
    frame.busy -= 1
    frame.left -= 1
    frame.outputs[number] = encode_json({"error": event.error})
    plan = frame.scope.nodes[number]
    for handle, targets in plan.routes.items():
        if event.handled:
            _settle(state, frame, targets, frame.edge_active(number, handle))
        else:
            _settle(state, frame, targets, False)


def _node_lost(state: State, event: NodeLost) -> None:
    frame, number = _find(state, event.node_id, event.path)
    if frame.lost is None:
        frame.lost = {}
    frame.lost[number] = frame.lost.get(number, 0) + 1
    if event.outcome == "ask":
        _move(frame, number, _TO_ASK, event)
        _suspend(frame, number, Suspension("ask", signal=event.node_id, detail="was lost: run it again?"))
        return
    _move(frame, number, _LOST, event)
    state.agenda.append((frame, number))


def _node_cancelled(state: State, event: NodeCancelled) -> None:
    frame, number = _find(state, event.node_id, event.path)
    _forget(state, frame, number)
    _move(frame, number, _CANCELLED, event)
    frame.times[2 * number + 1] = event.at
    frame.busy -= 1
    frame.left -= 1
    for targets in frame.scope.nodes[number].routes.values():
        _settle(state, frame, targets, False)


def _node_skipped(state: State, event: NodeSkipped) -> None:
    frame, number = _find(state, event.node_id, event.path)
    if frame.status[number] == st.READY:
        frame.busy -= 1
    _move(frame, number, _SKIPPED, event)
    frame.left -= 1
    for targets in frame.scope.nodes[number].routes.values():
        _settle(state, frame, targets, False)


def _node_suspended(state: State, event: NodeSuspended) -> None:
    frame, number = _find(state, event.node_id, event.path)
    _move(frame, number, _SUSPENDED, event)
    _suspend(
        frame,
        number,
        Suspension(
            event.kind, event.until, event.expires, event.signal, event.child, event.child_definition,
            recorded(event.input, event.input_blob), event.detail,
        ),
    )  # fmt: skip


def _suspend(frame: Frame, number: int, suspension: Suspension) -> None:
    if frame.suspensions is None:
        frame.suspensions = {}
    frame.suspensions[number] = suspension


def _forget(state: State, frame: Frame, number: int) -> None:
    """A node leaves its wait or its iterations: drop what was kept for them, the frames below included."""
    if frame.suspensions:
        frame.suspensions.pop(number, None)
    if frame.expansions and number in frame.expansions:
        expansion = frame.expansions.pop(number)
        if expansion.live:
            for inner in iterations_of(state, frame, number):
                _drop(state, inner)


def _drop(state: State, frame: Frame) -> None:
    if frame.expansions:
        for number, expansion in frame.expansions.items():
            if expansion.live:
                for inner in iterations_of(state, frame, number):
                    _drop(state, inner)
    del state.frames[frame.path]


def iterations_of(state: State, frame: Frame, number: int) -> list[Frame]:
    """The running iterations of one container, in order."""
    return [inner for inner in state.frames.values() if inner.parent is frame and inner.owner == number]


def _node_expanded(state: State, event: NodeExpanded) -> None:
    frame, number = _find(state, event.node_id, event.path)
    _move(frame, number, _EXPANDED, event)
    if frame.expansions is None:
        frame.expansions = {}
    expansion = frame.expansions.get(number)
    if expansion is None:
        expansion = frame.expansions[number] = Expansion(frame, number)
        expansion.last = gather(state, frame, number)
    expansion.base = expansion.count
    expansion.count += event.count
    expansion.concurrency = event.concurrency
    expansion.collect_errors = event.collect_errors
    expansion.items = recorded(event.items, event.items_blob)
    expansion.split = None
    if expansion.items is not None:
        expansion.results += [NULL] * (expansion.count - len(expansion.results))


def path_of(frame: Frame, node_id: str, index: int) -> str:
    """The path of one iteration. A container that is tried again opens new ones: `each#2[0]` is its second attempt's first."""
    attempt = frame.attempts[frame.scope.index[node_id]] - (frame.lost or {}).get(frame.scope.index[node_id], 0)
    again = f"#{attempt}" if attempt > 1 else ""
    return f"{frame.path}.{node_id}{again}[{index}]" if frame.path else f"{node_id}{again}[{index}]"


def key_of(frame: Frame) -> str:
    """The frame's path without attempts: the same on every execution of the same iteration."""
    if frame.parent is None:
        return ""
    outer = key_of(frame.parent)
    step = f"{frame.parent.scope.ids[frame.owner]}[{frame.index}]"
    return f"{outer}.{step}" if outer else step


def _iteration_started(state: State, event: IterationStarted) -> None:
    outer, number = _find(state, event.node_id, event.path)
    body = outer.scope.nodes[number].body
    expansion = cast("dict[int, Expansion]", outer.expansions)[number]
    if body is None:
        raise ValueError(f"{event.node_id} has no body")
    expansion.next = event.index + 1
    expansion.live += 1
    path = path_of(outer, event.node_id, event.index)
    frame = state.frames[path] = Frame(body, path, outer, number, event.index)
    for root in body.roots:
        _ready(state, frame, root)


def _iteration_succeeded(state: State, event: IterationSucceeded) -> None:
    frame = state.frames[path_of(state.frames[event.path], event.node_id, event.index)]
    _close(state, frame, result_of(frame))


def _iteration_failed(state: State, event: IterationFailed) -> None:
    frame = state.frames[path_of(state.frames[event.path], event.node_id, event.index)]
    _close(state, frame, encode_json({"error": event.error}))


def _close(state: State, frame: Frame, result: Payload) -> None:
    outer = cast(Frame, frame.parent)
    expansion = cast("dict[int, Expansion]", outer.expansions)[frame.owner]
    expansion.live -= 1
    expansion.last = result
    if expansion.items is not None:
        expansion.results[frame.index] = result
    _drop(state, frame)
    if expansion.idle:
        state.agenda.append((outer, frame.owner))


def result_of(frame: Frame) -> Payload:
    """The output of a run or of an iteration: that of the only successful terminal node, else an object by node id."""
    done = [number for number in frame.scope.terminals if frame.status[number] == st.SUCCESS]
    if len(done) == 1:
        return frame.outputs[done[0]] or NULL
    return Group(
        tuple(frame.scope.ids[number] for number in done),
        tuple(frame.outputs[number] or NULL for number in done),
    )


def gather(state: State, frame: Frame, number: int) -> Payload:
    """A node's input, by the plan (contract section 4): the run's or the item for a root; an object by handle where edges
    come in by several; one active edge's output as it is; a merge of several in edge order."""
    plan = frame.scope.nodes[number]
    incoming = plan.incoming
    if not incoming:
        return failure_of(state) if plan.role == "error_trigger" else entry(state, frame)
    if len(incoming) == 1:
        return frame.outputs[incoming[0].source] or NULL
    if plan.join_any:
        chosen = (frame.any_source or {}).get(number)
        active = [incoming[chosen]] if chosen is not None else []
    else:
        active = [edge for edge in incoming if frame.edge_active(edge.source, edge.handle)]
    if plan.by_handle:
        handles = dict.fromkeys(edge.target_handle for edge in active)
        return Group(
            tuple(handles),
            tuple(
                _merged([frame.outputs[edge.source] or NULL for edge in active if edge.target_handle == handle])
                for handle in handles
            ),
        )
    return _merged([frame.outputs[edge.source] or NULL for edge in active])


def _merged(parts: list[Payload]) -> Payload:
    return parts[0] if len(parts) == 1 else Merge(tuple(parts))


def failure_of(state: State) -> Payload:
    """What error triggers get."""
    error = state.failing
    return encode_json(
        {
            "failed_node": error.node_id if error else None,
            "error_message": error.message if error else None,
            "error_type": error.type if error else None,
            "workflow_id": state.workflow_id,
            "execution_id": state.execution_id,
        }
    )


def entry(state: State, frame: Frame) -> Payload:
    """What the roots of a frame get: the run's input, or the iteration's item (in a loop, its state)."""
    outer = frame.parent
    if outer is None:
        return state.input
    expansion = cast("dict[int, Expansion]", outer.expansions)[frame.owner]
    if expansion.items is None:
        return expansion.last or NULL
    return Item(expansion, frame.index - expansion.base)


_APPLY: dict[type, Any] = {
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
    NodeCancelled: _node_cancelled,
    NodeSkipped: _node_skipped,
    NodeSuspended: _node_suspended,
    NodeExpanded: _node_expanded,
    IterationStarted: _iteration_started,
    IterationSucceeded: _iteration_succeeded,
    IterationFailed: _iteration_failed,
}


def digest(state: State) -> str:
    """A hash of everything the journal determines. Equal digests, equal states."""

    def items_of(expansion: Expansion) -> str:
        return f"{expansion.frame.path}.{expansion.number}.{expansion.base}"

    frames = [
        [
            frame.path,
            list(frame.status),
            list(frame.active),
            list(frame.waiting),
            list(frame.attempts),
            list(frame.times),
            [describe(output, items_of) for output in frame.outputs],
            frame.busy,
            frame.left,
            sorted((frame.taken or {}).items()),
            sorted((frame.any_source or {}).items()),
            sorted((frame.lost or {}).items()),
            [
                [number, describe(wait.input, items_of), wait.kind, wait.until, wait.signal, wait.child]
                for number, wait in sorted((frame.suspensions or {}).items())
            ],
            [
                [number, exp.base, exp.count, exp.next, exp.live, exp.concurrency, describe(exp.items, items_of),
                 describe(exp.last, items_of), [describe(result, items_of) for result in exp.results]]
                for number, exp in sorted((frame.expansions or {}).items())
            ],
        ]
        for _, frame in sorted(state.frames.items())
    ]  # fmt: skip
    facts = [
        state.execution_id, state.seq, state.epoch, state.status, state.paused, state.failing, state.error, state.workflow_id,
        state.definition, state.trigger, state.deadline, state.started_at, state.ended_at, describe(state.input, items_of),
        frames,
    ]  # fmt: skip
    return hashlib.sha256(encode_json(facts)).hexdigest()
