"""What people look at: the journal read as plain facts, one entry a node of the definition.

A view is a fold of its own, beside `state`: it needs no plan, keeps no payloads, and holds one `NodeView` for a node however
often a loop or a map runs it. Applying an event costs O(1); what belongs to one iteration is dropped when it ends.

The contract knows six statuses of a node. What it does not know is shown as the nearest of them, with a word in `detail`:

    pending   queued (lost, about to run again), retrying, waiting, asking: nothing of it runs
    skipped   cancelled: it ended without an answer and nothing is wrong with it (`error` would send people looking)
    error     timed out, lost

A node in the body of a loop or a map is one aggregate. From its first start it is `running` until the outermost container
around it has ended (or `pending`, while all that is live of it waits); only then is it complete: `error` if any iteration's
was, else `success` if any was, else `skipped`. When that container fails and is tried again, its body begins anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from flowscope.execution import status as st
from flowscope.execution.events import (
    AnyEvent,
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
from flowscope.execution.node_view import COMPLETE, SHOWN, STATUSES, Iterations, NodeView, Waiting, WorkflowShape

__all__ = ["COMPLETE", "ENDED", "STATUSES", "ExecutionView", "Iterations", "NodeView", "Waiting", "WorkflowShape"]

ENDED: Final = frozenset({"success", "failed", "cancelled"})

_GOES_ON: Final = frozenset({st.READY, st.RUNNING, st.RETRYING})
_RUNS: Final = frozenset({st.RUNNING, st.EXPANDED})
_HELD: Final = frozenset({st.SUSPENDED, st.ASKING})
_ADOPTED: Final = {"success": st.SUCCESS, "error": st.ERROR, "skipped": st.SKIPPED}

AnyIteration: TypeAlias = IterationStarted | IterationSucceeded | IterationFailed | IterationAdopted


class ExecutionView:
    """The facts of one execution. With no `shape` (a run that is only reported) nodes appear as they are reported.

    `status` is `pending|running|waiting|success|failed|cancelled`; it is `waiting` when paused, or when something is
    suspended and nothing runs. `seq` is that of the last event applied.
    """

    def __init__(self, execution_id: str, shape: WorkflowShape | None = None) -> None:
        self.execution_id = execution_id
        self.workflow_id = self.workflow_name = self.definition = self.reason = ""
        self.seq = 0
        self.start_time = self.end_time = 0.0
        self.error: ErrorInfo | None = None
        self.paused = self.failing = False
        self.nodes: dict[str, NodeView] = {}
        self.counts: dict[str, int] = dict.fromkeys(STATUSES, 0)
        self.total_nodes = shape.total_nodes if shape else 0
        self._ended = ""
        self._shaped = shape is not None
        self._sequence = self._active = 0
        self._waiting: dict[NodeView, None] = {}
        if shape:
            self._lay_out(shape)

    def _lay_out(self, shape: WorkflowShape) -> None:
        self.nodes = {node_id: NodeView(node_id, label) for node_id, label in shape.labels.items()}
        self.counts["idle"] = len(self.nodes)
        bodies = defaultdict(list)
        for node_id, owner in shape.parents.items():
            self.nodes[node_id].parent = self.nodes[owner]
            bodies[owner].append(self.nodes[node_id])
        for owner, body in bodies.items():
            self.nodes[owner].children = tuple(body)

    def copy(self, execution_id: str = "") -> ExecutionView:
        """A view that goes its own way from here; under another id, if one is given."""
        copied = ExecutionView.__new__(ExecutionView)
        copied.__dict__.update(self.__dict__)
        copied.execution_id = execution_id or self.execution_id
        copied.counts = dict(self.counts)
        copied.nodes = {node_id: node.copy() for node_id, node in self.nodes.items()}
        for node in copied.nodes.values():
            node.parent = copied.nodes[node.parent.node_id] if node.parent else None
            node.children = tuple(copied.nodes[child.node_id] for child in node.children)
        copied._waiting = dict.fromkeys(copied.nodes[node.node_id] for node in self._waiting)
        return copied

    # --- the facts ---

    @property
    def status(self) -> str:
        if self._ended or not self.seq:
            return self._ended or "pending"
        held = self.paused or (self._waiting and not self._active)
        return "waiting" if held else "running"

    @property
    def detail(self) -> str:
        """paused, failing, or what is waited for; why it was cancelled; or nothing."""
        if self._ended:
            return self.reason
        if self.paused or self.failing:
            return "paused" if self.paused else "failing"
        return str(next(iter(self._waiting)).waiting) if self.status == "waiting" else ""

    @property
    def ended(self) -> bool:
        return bool(self._ended)

    @property
    def duration(self) -> float | None:
        """Milliseconds from start to end; None until it has ended."""
        return max(0.0, self.end_time - self.start_time) if self.end_time else None

    @property
    def completed_nodes(self) -> int:
        return self.counts["success"] + self.counts["error"] + self.counts["skipped"]

    @property
    def progress(self) -> int:
        """Whole percent; 0 where there is nothing to do."""
        return round(100 * min(self.completed_nodes, self.total_nodes) / self.total_nodes) if self.total_nodes else 0

    def waiting_nodes(self) -> Iterator[NodeView]:
        """Those suspended, the longest first."""
        return iter(self._waiting)

    def __repr__(self) -> str:
        return f"ExecutionView({self.execution_id!r}, seq={self.seq}, {self.status}, {self.progress} %)"

    # --- the fold ---

    def apply(self, event: AnyEvent) -> None:
        """Fold one event; one that was applied before changes nothing, a gap is a `ValueError`."""
        if event.seq <= self.seq:
            return
        if event.seq != self.seq + 1:
            raise ValueError(f"{self.execution_id}: event {event.seq} follows {self.seq}")
        self.seq = event.seq
        _APPLY[type(event)](self, event)

    def _execution_started(self, event: ExecutionStarted) -> None:
        self.workflow_id = event.workflow_id
        self.workflow_name = event.workflow_name
        self.definition = event.definition
        self.start_time = event.at
        if not self._shaped:
            self.total_nodes = event.total_nodes

    def _execution_paused(self, event: ExecutionPaused) -> None:
        self.paused = True

    def _execution_resumed(self, event: ExecutionResumed) -> None:
        self.paused = False

    def _execution_recovered(self, event: ExecutionRecovered) -> None:
        """Nothing to see: what was lost is told node by node."""

    def _variable_set(self, event: VariableSet) -> None:
        """Nothing to see: it is about what the nodes after it work with."""

    def _execution_failing(self, event: ExecutionFailing) -> None:
        self.failing = True
        self.error = event.error

    def _execution_succeeded(self, event: ExecutionSucceeded) -> None:
        self._end(event, "success")

    def _execution_failed(self, event: ExecutionFailed) -> None:
        self.error = event.error
        self._end(event, "failed")

    def _execution_cancelled(self, event: ExecutionCancelled) -> None:
        self.reason = event.reason
        self._end(event, "cancelled")

    def _end(self, event: AnyEvent, status: str) -> None:
        self._ended = status
        self.end_time = event.at
        self._waiting.clear()
        if not self._shaped:
            for node in self.nodes.values():
                if node._live is not None:
                    self._finish(node)

    def _node_started(self, event: NodeStarted) -> None:
        node = self._node(event.node_id, event.node_name)
        if not node.sequence:
            self._number(node, event)
        node.attempts = max(node.attempts, event.attempt)
        self._move(node, event, st.RUNNING)

    def _node_adopted(self, event: NodeAdopted) -> None:
        node = self._node(event.node_id)
        node.error = event.error
        if event.path:
            if not node.sequence:
                self._number(node, event)
        else:
            self._keep(node, event)
            node.handle = event.handle if event.error is None else ""
            for child in _inside(node):
                if event.body.get(child.node_id) in COMPLETE:
                    self._keep(child, event)
        self._move(node, event, st.SUCCESS if event.error is None else st.ERROR)
        if not event.path:
            for child in _inside(node):
                self._show(child, _ADOPTED.get(event.body.get(child.node_id, ""), child._code))

    def _keep(self, node: NodeView, event: NodeAdopted) -> None:
        self._number(node, event)
        node.timestamp = event.at
        node.adopted = True

    def _number(self, node: NodeView, event: NodeEvent) -> None:
        self._sequence += 1
        node.sequence = self._sequence
        node.start_time = event.at

    def _node_input_replaced(self, event: NodeInputReplaced) -> None:
        self._node(event.node_id).timestamp = event.at

    def _node_succeeded(self, event: NodeSucceeded) -> None:
        node = self._node(event.node_id)
        if not event.path:
            node.error = None
            node.handle = event.handle
        node.origin = event.origin
        self._move(node, event, st.SUCCESS)

    def _node_failed(self, event: NodeFailed) -> None:
        node = self._node(event.node_id)
        node.error = event.error
        if not event.retry_at:
            self._move(node, event, st.ERROR)
            return
        self._move(node, event, st.RETRYING, Waiting("retry", until=event.retry_at, attempt=event.attempt + 1))
        if not event.path:
            node.iterations = None
            for child in node.children:
                self._begin_anew(child)

    def _node_lost(self, event: NodeLost) -> None:
        node = self._node(event.node_id)
        if event.outcome == "ask":
            self._move(node, event, st.ASKING, Waiting("ask", signal=event.node_id, attempt=event.attempt))
        else:
            self._move(node, event, st.READY)

    def _node_released(self, event: NodeReleased) -> None:
        self._move(self._node(event.node_id), event, st.READY)

    def _node_cancelled(self, event: NodeCancelled) -> None:
        node = self._node(event.node_id)
        node.reason = event.reason
        self._move(node, event, st.CANCELLED)

    def _node_skipped(self, event: NodeSkipped) -> None:
        node = self._node(event.node_id)
        node.reason = event.reason
        self._move(node, event, st.SKIPPED)

    def _node_suspended(self, event: NodeSuspended) -> None:
        waiting = Waiting(event.kind, event.until, event.signal, event.child, event.attempt)
        self._move(self._node(event.node_id), event, st.SUSPENDED, waiting)

    def _node_expanded(self, event: NodeExpanded) -> None:
        node = self._node(event.node_id)
        self._iterations(node).total += event.count
        self._move(node, event, st.EXPANDED)

    def _iteration_started(self, event: IterationStarted) -> None:
        self._iteration(event, 1)

    def _iteration_succeeded(self, event: IterationSucceeded) -> None:
        self._iteration(event, -1).done += 1

    def _iteration_failed(self, event: IterationFailed) -> None:
        self._iteration(event, -1).failed += 1

    def _iteration_adopted(self, event: IterationAdopted) -> None:
        iterations = self._iteration(event, -1)
        if event.error is None:
            iterations.done += 1
        else:
            iterations.failed += 1

    def _iteration(self, event: AnyIteration, by: int) -> Iterations:
        node = self._node(event.node_id)
        node.timestamp = event.at
        iterations = self._iterations(node)
        iterations.step(event.path, by)
        return iterations

    def _iterations(self, node: NodeView) -> Iterations:
        if node.iterations is None:
            node.iterations = Iterations()
        return node.iterations

    # --- the books ---

    def _node(self, node_id: str, node_name: str = "") -> NodeView:
        node = self.nodes.get(node_id)
        if node is None:
            node = self.nodes[node_id] = NodeView(node_id, node_name or node_id)
            self.counts["idle"] += 1
            self.total_nodes = max(self.total_nodes, len(self.nodes))
        elif node_name:
            node.node_name = node_name
        return node

    def _move(self, node: NodeView, event: NodeEvent, code: int, waiting: Waiting | None = None) -> None:
        """One run of a node, the only one or that of an iteration, goes over to another of the machine's statuses."""
        path = event.path
        node.timestamp = event.at
        if path:
            if node._live is None:
                node._live = {}
            before = node._live.pop(path, st.IDLE)
            if code in st.LIVE:
                node._live[path] = code
            node._successes += code == st.SUCCESS
            node._errors += code == st.ERROR
            node._active += (code in _RUNS) - (before in _RUNS)
        else:
            before = node._code
        self._hold(node, path, waiting, (code in _HELD) - (before in _HELD))
        self._active += (code in _GOES_ON) - (before in _GOES_ON)
        ended = code in st.TERMINAL
        if ended and node.iterations:
            node.iterations.close(path)
        self._show(node, self._aggregate(node) if path else code)
        if ended and not path:
            for child in node.children:
                self._finish(child)

    def _hold(self, node: NodeView, path: str, waiting: Waiting | None, by: int) -> None:
        if waiting:
            if node._why is None:
                node._why = {}
            node._why[path] = waiting
        elif node._why:
            node._why.pop(path, None)
        if by:
            node._held += by
            if node._held == by:
                self._waiting[node] = None
            elif not node._held:
                self._waiting.pop(node, None)

    @staticmethod
    def _aggregate(node: NodeView) -> int:
        if node._active:
            return st.RUNNING
        if node._live:
            return next(iter(node._live.values()))
        return st.RUNNING if node._code != st.IDLE or node._successes or node._errors else st.IDLE

    def _finish(self, node: NodeView) -> None:
        """The outermost container has ended: so has every node in its body."""
        if not node._errors:
            node.error = None
        cancelled = node._code != st.IDLE
        ended = st.CANCELLED if cancelled else st.SKIPPED
        self._show(node, st.ERROR if node._errors else st.SUCCESS if node._successes else ended)
        for child in node.children:
            self._finish(child)

    def _begin_anew(self, node: NodeView) -> None:
        self._show(node, st.IDLE)
        node.begin_anew()
        for child in node.children:
            self._begin_anew(child)

    def _show(self, node: NodeView, code: int) -> None:
        node._code = code
        shown = SHOWN[code]
        if shown != node.status:
            self.counts[node.status] -= 1
            self.counts[shown] += 1
            node.status = shown
            node.end_time = node.timestamp if shown in COMPLETE else 0.0


def _inside(node: NodeView) -> Iterator[NodeView]:
    for child in node.children:
        yield child
        yield from _inside(child)


_APPLY: Final[dict[type[Any], Callable[[ExecutionView, Any], None]]] = {
    ExecutionStarted: ExecutionView._execution_started,
    ExecutionPaused: ExecutionView._execution_paused,
    ExecutionResumed: ExecutionView._execution_resumed,
    ExecutionRecovered: ExecutionView._execution_recovered,
    ExecutionFailing: ExecutionView._execution_failing,
    ExecutionSucceeded: ExecutionView._execution_succeeded,
    ExecutionFailed: ExecutionView._execution_failed,
    ExecutionCancelled: ExecutionView._execution_cancelled,
    NodeStarted: ExecutionView._node_started,
    NodeSucceeded: ExecutionView._node_succeeded,
    NodeFailed: ExecutionView._node_failed,
    NodeLost: ExecutionView._node_lost,
    NodeReleased: ExecutionView._node_released,
    NodeCancelled: ExecutionView._node_cancelled,
    NodeSkipped: ExecutionView._node_skipped,
    NodeSuspended: ExecutionView._node_suspended,
    NodeAdopted: ExecutionView._node_adopted,
    NodeInputReplaced: ExecutionView._node_input_replaced,
    NodeExpanded: ExecutionView._node_expanded,
    VariableSet: ExecutionView._variable_set,
    IterationStarted: ExecutionView._iteration_started,
    IterationSucceeded: ExecutionView._iteration_succeeded,
    IterationFailed: ExecutionView._iteration_failed,
    IterationAdopted: ExecutionView._iteration_adopted,
}
