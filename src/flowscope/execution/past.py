"""What an execution has come to, read from its journal for those who take it up from there.

A state forgets what is inside an iteration as soon as that ends, and the iterations as soon as their container ends. Whoever
keeps finished work wants more: what came of each iteration, of the nodes in those that did not end, and which nodes have
been out in the world.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec

from flowscope.definition.plan import NodePlan, Plan
from flowscope.execution.events import (
    AnyEvent,
    ErrorInfo,
    IterationAdopted,
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeAdopted,
    NodeCancelled,
    NodeEvent,
    NodeExpanded,
    NodeFailed,
    NodeLost,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
    VariableSet,
)
from flowscope.execution.frame import key_of, path_of
from flowscope.execution.inputs import result_of
from flowscope.execution.payload import Payload
from flowscope.execution.state import State, apply, recorded
from flowscope.execution.view import ExecutionView, WorkflowShape

FAILED: Final = 1
UNKNOWN: Final = 2
SUCCEEDED: Final = 3
"""How surely an attempt has been out in the world: it failed by itself, it was cut off, it succeeded."""

_CUT_OFF: Final = frozenset({"NodeTimeout", "NodeLost"})


class End(msgspec.Struct, frozen=True, gc=False):
    """How a node ended, at event `seq`: an answer, or an `error` that was handled."""

    seq: int
    handle: str
    output: Payload | None
    passed: bool = False
    error: ErrorInfo | None = None


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A container's handler said what to run; `turns`: as one that works in turns, whose memory reaches over attempts."""

    count: int
    items: Payload | None
    concurrency: int
    collect_errors: bool
    turns: bool = False


class Begun(msgspec.Struct, frozen=True, gc=False):
    """An iteration began, at that path."""

    index: int
    path: str


class Done(msgspec.Struct, frozen=True, gc=False):
    """An iteration ended, at event `seq`."""

    index: int
    seq: int
    output: Payload | None
    error: ErrorInfo | None = None


Step: TypeAlias = Opened | Begun | Done


class Past:
    """The fold of a journal, complete or not, that keeps what a state lets go.

    `ends` and `steps` are by path and node id: how nodes ended well, and how far containers came in their last attempt.
    `keys` are the paths of iterations without attempts, `owners` the container of each. `ventures` say of each node that was
    started how surely it has been out in the world; `callers` have started sub-workflows. `variables` are in the order in
    which they were set.
    """

    def __init__(self, execution_id: str, plan: Plan, events: Iterable[AnyEvent]) -> None:
        self.state = State(execution_id, plan)
        self.view = ExecutionView(execution_id, WorkflowShape.of(plan.workflow))
        self.ends: dict[tuple[str, str], End] = {}
        self.steps: dict[tuple[str, str], list[Step]] = {}
        self.keys: dict[str, str] = {}
        self.owners: dict[str, tuple[str, str]] = {}
        self.ventures: dict[tuple[str, str], int] = {}
        self.callers: set[str] = set()
        self.variables: list[VariableSet] = []
        self._out: set[tuple[str, str]] = set()
        for event in events:
            self._take(event)
        for key in self._out:
            self.ventures[key] = UNKNOWN

    def _take(self, event: AnyEvent) -> None:
        state = self.state
        if isinstance(event, IterationSucceeded | IterationFailed | IterationAdopted):
            self._end_iteration(event)
        apply(state, event)
        state.agenda.clear()
        state.dead.clear()
        state.through.clear()
        self.view.apply(event)
        self._note(event)

    def _note(self, event: AnyEvent) -> None:
        if isinstance(event, NodeStarted):
            self.steps[event.path, event.node_id] = []
            self._out.add((event.path, event.node_id))
        elif isinstance(event, NodeSucceeded | NodeAdopted):
            self._end_node(event)
        elif isinstance(event, NodeFailed):
            self._back(event, UNKNOWN if event.error.type in _CUT_OFF else FAILED)
            if event.handled:
                self.ends[event.path, event.node_id] = End(event.seq, "error", None, error=event.error)
        elif isinstance(event, NodeLost | NodeCancelled):
            self._back(event, UNKNOWN)
        elif isinstance(event, VariableSet):
            self.variables.append(event)
        elif isinstance(event, NodeSuspended):
            if event.child:
                self.callers.add(event.node_id)
        elif isinstance(event, NodeExpanded):
            items = recorded(event.items, event.items_blob)
            turns = bool(event.entries) or recorded(event.memo, event.memo_blob) is not None
            opened = Opened(event.count, items, event.concurrency, event.collect_errors, turns)
            self.steps[event.path, event.node_id].append(opened)
        elif isinstance(event, IterationStarted):
            self._begin_iteration(event)

    def _end_node(self, event: NodeSucceeded | NodeAdopted) -> None:
        frame = self.state.frames[event.path]
        output = frame.outputs[frame.scope.index[event.node_id]]
        error = event.error if isinstance(event, NodeAdopted) else None
        passed = event.passed and recorded(event.output, event.output_blob) is None
        self.ends[event.path, event.node_id] = End(event.seq, event.handle, output, passed, error)
        if isinstance(event, NodeAdopted):
            self._inherit(event)
        else:
            self._back(event, SUCCEEDED)

    def _inherit(self, event: NodeAdopted) -> None:
        """What is kept from a parent had been out there, or somebody before it."""
        self.ventures[event.path, event.node_id] = SUCCEEDED if event.error is None else FAILED
        path = f"{event.path}.{event.node_id}[*]" if event.path else f"{event.node_id}[*]"
        frame = self.state.frames[event.path]
        self._inherit_body(path, (event.path, event.node_id), frame.scope.nodes[frame.scope.index[event.node_id]])

    def _inherit_body(self, path: str, owner: tuple[str, str], container: NodePlan) -> None:
        for plan in container.body.nodes if container.body else ():
            self.owners.setdefault(path, owner)
            self.keys.setdefault(path, path)
            self.ventures[path, plan.id] = SUCCEEDED
            self._inherit_body(path, owner, plan)

    def _back(self, event: NodeEvent, sure: int) -> None:
        """An attempt is over; one that was adopted, or would have been the next, was never out."""
        key = event.path, event.node_id
        if key in self._out:
            self._out.discard(key)
            self.ventures[key] = max(sure, self.ventures.get(key, 0))

    def _begin_iteration(self, event: IterationStarted) -> None:
        frame = self.state.frames[event.path]
        path = path_of(frame, frame.scope.index[event.node_id], event.index)
        self.keys[path] = key_of(self.state.frames[path])
        self.owners[path] = event.path, event.node_id
        self.steps[event.path, event.node_id].append(Begun(event.index, path))

    def _end_iteration(self, event: IterationSucceeded | IterationFailed | IterationAdopted) -> None:
        """Before the state forgets it."""
        frame = self.state.frames[event.path]
        expansion = frame.expansion(frame.scope.index[event.node_id])
        if expansion is None:
            return
        output: Payload | None = None
        error = None if isinstance(event, IterationSucceeded) else event.error
        if isinstance(event, IterationSucceeded):
            output = result_of(expansion.running[event.index])
        elif isinstance(event, IterationAdopted):
            output = recorded(event.output, event.output_blob)
            inner = expansion.running[event.index]
            container = frame.scope.nodes[frame.scope.index[event.node_id]]
            self._inherit_body(inner.path, (event.path, event.node_id), container)
        elif not expansion.collect_errors:
            return
        self.steps[event.path, event.node_id].append(Done(event.index, event.seq, output, error))
