"""What always holds of a state between two steps, and of a journal: for tests, which check after every step.

Everything that `state` counts as it goes is counted here from scratch. O(nodes + edges) of what is live.
"""

from __future__ import annotations

from collections.abc import Iterable

from flowscope.execution import status as st
from flowscope.execution.events import (
    TERMINAL,
    AnyEvent,
    ExecutionPaused,
    ExecutionRecovered,
    ExecutionResumed,
    IterationStarted,
    NodeAdopted,
    NodeCancelled,
    NodeFailed,
    NodeLost,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
)
from flowscope.execution.frame import Expansion, Frame, path_of
from flowscope.execution.state import State

_WAITS = frozenset({st.SUSPENDED, st.RETRYING, st.ASKING})
_NEVER_STARTED = frozenset({st.IDLE, st.SKIPPED})


class InvariantBroken(AssertionError):
    """A fault of the machine."""


def check(state: State) -> None:
    """Raise `InvariantBroken` for a state that no sequence of whole steps leads to."""
    _require(not state.dead and not state.through, f"{state}: worklists are left: {state.dead} {state.through}")
    _check_tree(state)
    for frame in state.frames.values():
        for number in range(frame.scope.size):
            _check_node(state, frame, number)
        _check_counters(state, frame)
    _check_run(state)
    _check_agenda(state)


def _require(holds: object, message: str) -> None:
    if not holds:
        raise InvariantBroken(message)


def _check_run(state: State) -> None:
    root = state.root
    if state.status == "pending":
        _require(state.seq == 0, f"{state}: pending with events")
        return
    _require(state.seq > 0, f"{state}: begun without an event")
    if state.ended:
        _require(root.busy == root.left == 0 and len(state.frames) == 1, f"{state}: ended, but {root} is live")
        _require(
            state.status == "cancelled" or (state.status == "failed") == (state.failing is not None),
            f"{state}: {state.failing}",
        )
    else:
        _require(root.busy, f"{state}: running with nothing live: {root}")
    if state.failing:
        _require(
            all(root.status[gate] != st.IDLE for gate in root.scope.gated), f"{state}: failing, but a gate is shut"
        )


def _check_tree(state: State) -> None:
    reached = {"": state.root}
    stack = [state.root]
    while stack:
        for number, expansion in (stack.pop().expansions or {}).items():
            _check_expansion(state, expansion, number)
            for inner in expansion.running.values():
                _require(inner.path not in reached, f"{inner}: two frames at one path")
                reached[inner.path] = inner
                stack.append(inner)
    _require(reached == state.frames, f"{state}: frames {sorted(state.frames)}, but open are {sorted(reached)}")


def _check_expansion(state: State, expansion: Expansion, number: int) -> None:
    where = f"{expansion.frame.path}.{expansion.frame.scope.ids[number]}"
    _require(expansion.number == number, f"{where}: misplaced")
    _require(0 <= expansion.base <= expansion.next <= expansion.count, f"{where}: opened beyond the count")
    _require(len(expansion.running) <= expansion.concurrency, f"{where}: more at once than allowed")
    _require(state.paused or not expansion.room, f"{where}: room for an iteration, but none opened")
    _require(expansion.batch is None or len(expansion.results) == expansion.count, f"{where}: results missing")
    for index, inner in expansion.running.items():
        belongs = inner.parent is expansion.frame and inner.owner == number and inner.index == index
        _require(belongs and inner.path == path_of(expansion.frame, number, index), f"{inner}: not where it belongs")
        _require(inner.left, f"{inner}: every node has ended, but it is open")


def _check_counters(state: State, frame: Frame) -> None:
    busy = sum(status in st.LIVE for status in frame.status)
    left = sum(status not in st.TERMINAL for status in frame.status)
    _require(
        (busy, left) == (frame.busy, frame.left), f"{frame}: counts {frame.busy}, {frame.left}, has {busy}, {left}"
    )
    waits = {number for number, status in enumerate(frame.status) if status in _WAITS}
    _require(waits == set(frame.suspensions or ()), f"{frame}: suspensions of {sorted(frame.suspensions or ())}")
    expanded = {number for number, status in enumerate(frame.status) if status == st.EXPANDED}
    _require(expanded == set(frame.expansions or ()), f"{frame}: expansions of {sorted(frame.expansions or ())}")


def _check_node(state: State, frame: Frame, number: int) -> None:
    plan, status = frame.scope.nodes[number], frame.status[number]
    where = f"{frame.path}.{plan.id} ({st.NAMES[status]})"
    undecided = sum(frame.status[edge.source] not in st.TERMINAL for edge in plan.incoming)
    active = any(frame.edge_active(edge.source, edge.handle) for edge in plan.incoming)
    if plan.role == "error_trigger":
        _require(frame.waiting[number] + frame.active[number] == 1, f"{where}: its gate is both open and shut")
    else:
        _require(frame.waiting[number] == undecided, f"{where}: waits for {frame.waiting[number]}, not {undecided}")
        _require(
            bool(frame.active[number]) == active, f"{where}: active {frame.active[number]}, but its edges: {active}"
        )
    if status == st.IDLE and state.status != "pending":
        _require(frame.waiting[number] and not (plan.join_any and active), f"{where}: nothing keeps it from its turn")
    if status not in _NEVER_STARTED:
        ready = not frame.waiting[number] or plan.join_any
        _require(ready and (active or not plan.incoming), f"{where}: its turn had not come")
        _require(
            not plan.join_any or not plan.incoming or number in (frame.any_source or {}), f"{where}: by which edge?"
        )
    _require(status not in _NEVER_STARTED or not frame.attempts[number], f"{where}: was started")
    began = frame.attempts[number] or number in (frame.adopted or ())
    _require(status in _NEVER_STARTED | {st.READY, st.CANCELLED} or began, f"{where}: never started")
    has_output = frame.outputs[number] is not None
    _require(has_output == (status in (st.SUCCESS, st.ERROR)), f"{where}: output {frame.outputs[number]!r}")


def _check_agenda(state: State) -> None:
    due = {(id(frame), number) for frame, number in state.agenda}
    if state.paused or state.ended:
        return
    for frame in state.frames.values():
        for number, status in enumerate(frame.status):
            if status == st.READY:
                _require((id(frame), number) in due, f"{frame}: {number} is ready, but not on the agenda")
        for number, expansion in (frame.expansions or {}).items():
            forgotten = expansion.idle and not expansion.asked and (id(frame), number) not in due
            _require(not forgotten, f"{frame}: container {number} is idle, but not on the agenda")


def check_journal(events: Iterable[AnyEvent]) -> None:
    """Raise `InvariantBroken` for a journal that no execution writes, complete or not: `seq` without a gap, epochs rising,
    one start and one terminal event at most for each attempt, nothing after the end, no start during a pause."""
    started: set[tuple[str, str, int]] = set()
    closed: set[tuple[str, str, int]] = set()
    over: set[tuple[str, str]] = set()
    paused, ended, epoch = False, "", 1
    for seq, event in enumerate(events, start=1):
        where = f"event {event.seq}, {type(event).__name__}"
        _require(event.seq == seq, f"{where}: {seq} was due")
        _require(not ended, f"{where} after {ended}")
        if isinstance(event, NodeStarted):
            node, attempt = (event.path, event.node_id), (event.path, event.node_id, event.attempt)
            _require(not paused and node not in over and attempt not in started, f"{where}: {attempt} may not start")
            _require(attempt not in closed, f"{where}: {attempt} has ended")
            started.add(attempt)
        elif isinstance(event, NodeSucceeded | NodeFailed | NodeLost | NodeCancelled):
            node, attempt = (event.path, event.node_id), (event.path, event.node_id, event.attempt)
            _require(node not in over and attempt not in closed, f"{where}: {attempt} has ended")
            opened = attempt in started or (event.path, event.node_id, event.attempt - 1) in closed
            _require(opened, f"{where}: {attempt} was never due")
            closed.add(attempt)
            if not isinstance(event, NodeLost) and not (isinstance(event, NodeFailed) and event.retry_at):
                over.add(node)
        elif isinstance(event, NodeSkipped | NodeAdopted):
            node = (event.path, event.node_id)
            _require(node not in over and (*node, 1) not in started, f"{where}: {node} has started")
            over.add(node)
        elif isinstance(event, IterationStarted):
            _require(not paused, f"{where} during a pause")
        elif isinstance(event, ExecutionPaused | ExecutionResumed):
            _require(paused is isinstance(event, ExecutionResumed), f"{where} twice")
            paused = isinstance(event, ExecutionPaused)
        elif isinstance(event, ExecutionRecovered):
            _require(event.epoch > epoch, f"{where}: epoch {event.epoch} follows {epoch}")
            epoch = event.epoch
        elif isinstance(event, TERMINAL):
            ended = type(event).__name__
            _require(started >= {one for one in closed if one[2] == 1}, f"{where}: ended what never started")
            open_ = sorted(started - closed)
            _require(not open_, f"{where}: still open: {open_[:5]}")
