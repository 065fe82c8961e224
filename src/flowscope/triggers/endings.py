"""`workflow_trigger`: a run when another workflow's has ended.

The ends that are published while we are there are heard; those of another life are looked up in the list of executions,
a little further back than what was written down. A run that was started for an end before has the same id, and is not
started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from flowscope.definition.workflow import JSON, Node, Workflow
from flowscope.errors import FlowscopeError, StoreError
from flowscope.library import TriggerRow
from flowscope.nodes.triggers import WorkflowTriggerConfig
from flowscope.orchestrator.ports import ExecutionRow
from flowscope.triggers.trigger import House, Trigger

SLACK = 60_000.0
"""How far ends may be written down out of the order of their times."""

LONGEST_CHAIN = 32


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """All ends up to `cursor` are dealt with, but for those within the slack."""

    cursor: float


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `chain` are the workflows whose ends have led to it, the first one first."""

    row: ExecutionRow
    output: JSON = None
    chain: tuple[str, ...] = ()


Describe = Callable[[ExecutionRow], Awaitable[Ending]]
Find = Callable[[WorkflowTriggerConfig, float], list[ExecutionRow]]


class Endings(Trigger[WorkflowTriggerConfig, Heard]):
    """`find` looks up ends after an instant, `describe` tells more of one."""

    def __init__(
        self,
        house: House,
        workflow: Workflow,
        node: Node,
        config: WorkflowTriggerConfig,
        row: TriggerRow,
        find: Find,
        describe: Describe,
    ) -> None:
        fresh = row.standing == b"{}"
        known = Heard(cursor=row.since) if fresh else msgspec.json.decode(row.standing, type=Heard)
        super().__init__(house, workflow, node, config, row, known)
        self._find = find
        self._describe = describe
        self._inbox: list[ExecutionRow] = []
        self._caught_up = False

    def concerns(self, row: ExecutionRow) -> bool:
        """Whether the end of that run counts. Its own never does, nor that of a sub-workflow: its caller's will."""
        wanted = row.workflow_id in self.config.workflows or "*" in self.config.workflows
        of_others = row.workflow_id != self.workflow.id and not row.caller_execution_id
        return wanted and of_others and row.status in self.config.on and row.ended_at >= self.row.since

    def hear(self, row: ExecutionRow) -> None:
        self._inbox.append(row)
        self.woken.set()

    async def round(self) -> float | None:
        if not self._caught_up:
            since = max(self.row.since, self.known.cursor - SLACK)
            earlier = await asyncio.to_thread(self._find, self.config, since)
            self._inbox[:0] = [row for row in earlier if self.concerns(row)]
            self._caught_up = True
        while self._inbox:
            taken = len(self._inbox)
            for row in list(self._inbox):
                await self._start(row)
            last = max(row.ended_at for row in self._inbox[:taken])
            del self._inbox[:taken]
            await self.keep(Heard(cursor=max(last, self.known.cursor)))
        return None

    async def _start(self, row: ExecutionRow) -> None:
        ending = await self._describe(row)
        chain = (*ending.chain, row.workflow_id)
        if self.workflow.id in chain or len(chain) > LONGEST_CHAIN:
            self.error = f"Not started by {row.execution_id}: {' → '.join((*chain, self.workflow.id))} is a circle"
            return
        try:
            await self.start(_input(ending, chain), row.execution_id)
        except StoreError:
            raise
        except FlowscopeError as error:
            self.error = str(error)


def _input(ending: Ending, chain: tuple[str, ...]) -> JSON:
    row = ending.row
    return {
        "workflowId": row.workflow_id,
        "workflowName": row.workflow_name,
        "executionId": row.execution_id,
        "status": row.status,
        "output": ending.output,
        "error": row.error or None,
        "chain": list(chain),
    }
