"""One trigger of an active workflow."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Generic, Protocol, TypeVar

import msgspec

from flowscope.definition.workflow import JSON, Node, Workflow
from flowscope.errors import ExecutionActive, ExecutionEnded
from flowscope.failpoints import failpoint
from flowscope.library import TriggerRow
from flowscope.nodes.sdk import NodeConfig
from flowscope.orchestrator.ports import Clock
from flowscope.triggers.standing import firing_id


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a trigger starts: the workflow and the node, the run's id, its input."""

    workflow_id: str
    node_id: str
    execution_id: str
    input: JSON


class TriggerState(msgspec.Struct, frozen=True, kw_only=True):
    """What can be seen of a trigger. Times are epoch milliseconds, 0 for none; `left_out` counts what came due and started
    nothing, `queued` what is still to start."""

    workflow_id: str
    workflow_name: str
    node_id: str
    label: str
    type: str
    since: float
    next_due: float = 0
    queued: int = 0
    left_out: int = 0
    fired: int = 0
    fired_at: float = 0
    execution_id: str = ""
    error: str = ""
    config: NodeConfig | None = None


class House(Protocol):
    """What a trigger needs of the desk."""

    clock: Clock

    async def fire(self, firing: Firing) -> None:
        """Start the run, durably. `ExecutionActive` or `ExecutionEnded` if it was started before."""
        ...

    def goes_on(self, execution_id: str) -> bool:
        """Whether that run has not ended."""
        ...

    def awaits(self, execution_id: str, trigger: AnyTrigger) -> None:
        """Wake the trigger when that run has ended."""
        ...

    async def save(self, row: TriggerRow) -> None:
        """Keep how far it is, durably."""
        ...


Config = TypeVar("Config", bound=NodeConfig)
Known = TypeVar("Known", bound=msgspec.Struct)


class Trigger(Generic[Config, Known]):
    """`round` does what is due and says when to come again. `known` is what the trigger itself keeps with its row."""

    def __init__(
        self, house: House, workflow: Workflow, node: Node, config: Config, row: TriggerRow, known: Known
    ) -> None:
        self.house = house
        self.workflow = workflow
        self.node = node
        self.config = config
        self.row = row
        self.known = known
        self.error = row.error
        self.woken = asyncio.Event()

    async def round(self) -> float | None:
        """When to come again (epoch milliseconds); None: when woken."""
        return None

    def next_due(self) -> float:
        """When it fires next, as far as that is known; 0 if it is not."""
        return 0

    def state(self) -> TriggerState:
        return TriggerState(
            workflow_id=self.workflow.id,
            workflow_name=self.workflow.name,
            node_id=self.node.id,
            label=self.node.label,
            type=self.node.type,
            since=self.row.since,
            next_due=self.next_due(),
            fired=self.row.fired,
            fired_at=self.row.fired_at,
            execution_id=self.row.execution_id,
            error=self.error,
            config=self.config,
        )

    async def keep(self, known: Known) -> None:
        """What is known by now, on disk when this returns."""
        row = msgspec.structs.replace(self.row, standing=msgspec.json.encode(known), error=self.error)
        await self.house.save(row)
        self.row, self.known = row, known

    async def start(self, input: JSON, *what: str | int) -> None:
        """Start the run for this, once; how far the trigger is comes to disk with the next `keep`. A `FlowscopeError` says
        why there can be none."""
        execution_id = firing_id(self.workflow.id, self.node.id, *what)
        failpoint("before_firing")
        firing = Firing(workflow_id=self.workflow.id, node_id=self.node.id, execution_id=execution_id, input=input)
        # Where an earlier life of the process did, and did not come to write it down, there is nothing left to do.
        with contextlib.suppress(ExecutionActive, ExecutionEnded):
            await self.house.fire(firing)
        failpoint("after_firing")
        self.error = ""
        self.fired(execution_id)

    def fired(self, execution_id: str) -> None:
        """A run was started."""
        self.row = msgspec.structs.replace(
            self.row, fired=self.row.fired + 1, fired_at=self.house.clock.now(), execution_id=execution_id
        )


AnyTrigger = Trigger[NodeConfig, msgspec.Struct]
