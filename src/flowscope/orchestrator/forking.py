"""Taking an execution up again as a new one: retry and fork.

The old one is read and never touched. What the new one keeps, what it runs again and which of that has effects outside is a
plan; nothing starts before those effects are confirmed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Set
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from flowscope.definition.plan import NodePlan, Plan
from flowscope.definition.workflow import Workflow
from flowscope.errors import (
    ConfirmationNeeded,
    ExecutionActive,
    ExecutionReadOnly,
    InputInvalid,
    NothingToRetry,
    StoreCorrupt,
)
from flowscope.execution.events import Blob
from flowscope.execution.keeping import Choice, Fate, Wanted, choose
from flowscope.execution.past import SUCCEEDED, UNKNOWN, Past
from flowscope.execution.payload import Payload
from flowscope.execution.stimuli import Answered, Start
from flowscope.orchestrator.library import missing
from flowscope.orchestrator.ports import IMPORTED, UNENDED, ExecutionRow
from flowscope.orchestrator.program import Program

if TYPE_CHECKING:
    from flowscope.orchestrator.live_execution import LiveExecution
    from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

EVERYTHING: Final = "*"
"""In `confirm`: whatever there is to confirm."""

_FIRED: Final = {SUCCEEDED: "it succeeded", UNKNOWN: "it was cut off, and may have done its work"}


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What the new execution is to do otherwise.

    `origin` retry: nothing, it goes on where the old one failed. `from_node` runs again whatever it came to, with `input`
    (JSON) if that is given; without a node, `input` is the run's. `until`: nothing beyond that node runs. `workflow`: another
    version. `confirm`: the nodes whose effects outside may happen again.
    """

    origin: Literal["retry", "fork"] = "fork"
    from_node: str = ""
    input: bytes | None = None
    until: str = ""
    workflow: Workflow | None = None
    confirm: tuple[str, ...] = ()


class PlannedNode(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One top-level node: see `NodeFate`. `effects` external: running it does something outside."""

    node_id: str
    node_name: str
    fate: Fate
    effects: str = "pure"
    because: str = ""
    iterations_kept: int = 0
    iterations_again: int = 0


class Repetition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A node whose effects outside would happen again; in a body, perhaps many `times`."""

    node_id: str
    node_name: str
    because: str
    times: int


class ForkPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a new execution would keep and run again; `confirm` is what somebody must agree to."""

    parent_execution_id: str
    origin: str
    workflow_id: str
    definition: str
    nodes: tuple[PlannedNode, ...]
    confirm: tuple[Repetition, ...]
    from_node: str = ""
    until: str = ""


class Forks:
    """Plans and starts them."""

    def __init__(self, orchestrator: WorkflowOrchestrator) -> None:
        self._orchestrator = orchestrator

    async def plan(self, execution_id: str, revision: Revision) -> ForkPlan:
        """What `start` would do. `ExecutionNotFound`; `ExecutionReadOnly`; `NothingToRetry`, `ExecutionActive` for a retry;
        `InputInvalid` for a node that is not there."""
        return (await self._prepare(execution_id, revision)).plan()

    async def start(
        self, execution_id: str, revision: Revision, *, new_id: str = "", user_id: str = ""
    ) -> LiveExecution:
        """Start it; returns when that is durable. As `plan`, and `ConfirmationNeeded` with the plan."""
        fork = await self._prepare(execution_id, revision)
        plan = fork.plan()
        missing = [one.node_id for one in plan.confirm if one.node_id not in revision.confirm]
        if missing and EVERYTHING not in revision.confirm:
            raise ConfirmationNeeded(execution_id, missing, plan)
        return await self._orchestrator.begin(fork.workflow, self._start(fork, user_id), new_id)

    def _start(self, fork: _Fork, user_id: str) -> Start:
        payloads = self._orchestrator.payloads

        def build(payload: Payload) -> Answered:
            return payload if isinstance(payload, bytes | Blob) else payloads.keep(payloads.build(payload))

        past, revision = fork.choice.past.state, fork.revision
        given = None if revision.input is None else payloads.keep(revision.input)
        return Start(
            input=build(past.input) if given is None or fork.replaces else given,
            trigger=past.trigger if past.trigger in fork.choice.plan.root.index else "",
            user_id=user_id,
            parent_execution_id=past.execution_id,
            origin=revision.origin,
            fork_from=revision.from_node,
            until=revision.until,
            fired=past.fired,
            use_worker_pool=past.use_worker_pool,
            kept=fork.choice.kept(build),
            variables=fork.choice.variables(build),
            replaced={revision.from_node: given} if given is not None and fork.replaces else {},
        )

    async def _prepare(self, execution_id: str, revision: Revision) -> _Fork:
        orchestrator = self._orchestrator
        row = await asyncio.to_thread(orchestrator.store.row, execution_id)
        if row is None:
            raise await asyncio.to_thread(missing, orchestrator.store, execution_id)
        _check(row, revision)
        library = orchestrator.library
        old = library.stored_program(row.definition)
        new = old if revision.workflow is None else library.program(revision.workflow)
        for node_id in filter(None, (revision.from_node, revision.until)):
            must_be_on_top(new.plan, node_id)
        try:
            past = await asyncio.to_thread(lambda: Past(execution_id, old.plan, library.history(execution_id)))
        except (StoreCorrupt, KeyError, ValueError, AssertionError) as error:
            raise ExecutionReadOnly(execution_id, f"its journal cannot be understood: {error}") from error
        return await asyncio.to_thread(_Fork, past, new, revision)


def _check(row: ExecutionRow, revision: Revision) -> None:
    execution_id = row.execution_id
    if not row.definition:
        raise ExecutionReadOnly(execution_id, "its own system runs it, and flowscope only shows it")
    if row.detail.startswith(IMPORTED):
        raise ExecutionReadOnly(execution_id, "it was imported, to be looked at: run its workflow anew")
    if revision.origin == "retry":
        if row.status in UNENDED:
            raise ExecutionActive(execution_id)
        if row.status == "success":
            raise NothingToRetry(execution_id)


def must_be_on_top(plan: Plan, node_id: str) -> None:
    """`InputInvalid` for a node that is not there, or in a body."""
    if node_id in plan.root.index:
        return
    owner = next((scope.owner for scope in plan.scopes.values() if node_id in scope.index), None)
    if owner is None:
        raise InputInvalid(f"The workflow has no node {node_id!r}")
    raise InputInvalid(f"Node {node_id!r} is inside {owner!r}, and bodies run as a whole: name the container instead")


class _Fork:
    """One plan on its way."""

    def __init__(self, past: Past, program: Program, revision: Revision) -> None:
        if revision.origin == "retry":  # it goes no further than the old one was to go
            revision = msgspec.structs.replace(revision, until=past.state.until)
        self.revision = revision
        self.workflow = program.plan.workflow
        self._program = program
        self._callers = past.callers
        number = program.plan.root.index.get(revision.from_node)
        inner = number is not None and bool(program.plan.root.nodes[number].incoming)
        self.replaces = inner and revision.input is not None
        """The input given is one node's and not the run's."""
        wanted = Wanted(
            again=revision.from_node,
            until=revision.until,
            input=revision.input is not None and not self.replaces,
            trigger=past.state.trigger,
        )
        self.choice: Choice = choose(past, program.plan, wanted, self._differs(past, wanted))

    def plan(self) -> ForkPlan:
        revision, past = self.revision, self.choice.past
        return ForkPlan(
            parent_execution_id=past.state.execution_id,
            origin=revision.origin,
            workflow_id=self.workflow.id,
            definition=self.workflow.hash,
            nodes=tuple(self._nodes()),
            confirm=tuple(self._repetitions()),
            from_node=revision.from_node,
            until=revision.until,
        )

    def _nodes(self) -> Iterator[PlannedNode]:
        plan = self._program.plan
        for fate in self.choice.fates:
            node = plan.root.nodes[plan.root.index[fate.node_id]]
            external = any(self._is_external(one) for one in _with_body(node))
            yield PlannedNode(
                node_id=fate.node_id,
                node_name=plan.labels[fate.node_id],
                fate=fate.fate,
                effects="external" if external else "pure",
                because=fate.because,
                iterations_kept=fate.iterations_kept,
                iterations_again=fate.iterations_again,
            )

    def _repetitions(self) -> Iterator[Repetition]:
        plan = self._program.plan
        nodes = {node.id: node for scope in plan.scopes.values() for node in scope.nodes}
        times: Counter[str] = Counter()
        surest: dict[str, int] = {}
        for node_id, sure in self.choice.ventures():
            if sure >= UNKNOWN and node_id in nodes and self._is_external(nodes[node_id]):
                times[node_id] += 1
                surest[node_id] = max(sure, surest.get(node_id, 0))
        for node_id in (node.id for node in plan.workflow.nodes if node.id in times):
            yield Repetition(
                node_id=node_id,
                node_name=plan.labels[node_id],
                because=_FIRED[surest[node_id]],
                times=times[node_id],
            )

    def _is_external(self, node: NodePlan) -> bool:
        return self._program.bindings[node].type.effects == "external" or node.id in self._callers

    def _differs(self, past: Past, wanted: Wanted) -> Callable[[str, Set[str]], str]:
        """What expressions read beside the input: other nodes, the trigger's data, variables."""
        program, root = self._program, self._program.plan.root
        other_vars = program.plan.workflow.vars != past.state.plan.workflow.vars

        def differs(node_id: str, same: Set[str]) -> str:
            family = _with_body(root.nodes[root.index[node_id]])
            names = {name for node in family for name in _names(program, node)}
            if "trigger" in names and wanted.input:
                return "it reads the run's input, which is another"
            if "vars" in names and (other_vars or any(event.node_id not in same for event in past.variables)):
                return "it reads variables, which may be others"
            read = next(
                (name for name in sorted(names) if name in root.index and name not in same and name != node_id), ""
            )
            return f"it reads {read}, which may come out otherwise" if read else ""

        return differs


def _with_body(node: NodePlan) -> list[NodePlan]:
    family = [node]
    for one in family:
        if one.body is not None:
            family += one.body.nodes
    return family


def _names(program: Program, node: NodePlan) -> frozenset[str]:
    template = program.bindings[node].template
    return frozenset() if template is None else template.names
