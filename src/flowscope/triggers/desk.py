"""All triggers of all active workflows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import msgspec

from flowscope.definition.workflow import Node, Workflow
from flowscope.errors import FlowscopeError, InputInvalid, StoreError
from flowscope.execution.events import ExecutionStarted, decode_lines
from flowscope.execution.state import output_of, recorded
from flowscope.library import Activation, Activations, TriggerRow
from flowscope.log import get_logger
from flowscope.nodes.sdk import NodeConfig
from flowscope.nodes.triggers import (
    FileWatchConfig,
    FormTriggerConfig,
    IntervalConfig,
    ScheduleConfig,
    WebhookConfig,
    WorkflowTriggerConfig,
)
from flowscope.orchestrator.ports import UNENDED, ExecutionQuery, ExecutionRow, LogLine, Progress, Segment
from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator
from flowscope.triggers.endings import Ending, Endings
from flowscope.triggers.timed import Timed
from flowscope.triggers.trigger import AnyTrigger, Firing, Trigger, TriggerState
from flowscope.triggers.watched import Watched

log = get_logger("flowscope.triggers")

AGAIN = 10_000.0
"""Milliseconds after which what the disk refused is tried again."""

Find = Callable[[str], Awaitable[Workflow]]
Fire = Callable[[Firing], Awaitable[None]]

_CONFIGS = ScheduleConfig | IntervalConfig | FileWatchConfig | WorkflowTriggerConfig | WebhookConfig | FormTriggerConfig


class Empty(msgspec.Struct, frozen=True):
    """What a trigger knows that waits for requests: nothing."""


class Door(Trigger[NodeConfig, Empty]):
    """A trigger that fires when somebody comes: `webhook`, `form_trigger`. What it has started is counted from when the server
    started."""


class TriggerDesk:
    """`start`, `stop` (safe twice, safe unstarted) and `statistics`. Belongs to one event loop.

    `find` gives the version of a workflow that runs, `fire` starts a run durably. A publisher, too: it hears of ends.
    """

    def __init__(
        self, orchestrator: WorkflowOrchestrator, activations: Activations, find: Find, fire: Fire | None = None
    ) -> None:
        self.clock = orchestrator.clock
        self._orchestrator = orchestrator
        self._activations = activations
        self._find = find
        self._fire = fire or self._submit
        self._triggers: dict[tuple[str, str], AnyTrigger] = {}
        self._active: dict[str, Activation] = {}
        self._faults: dict[str, str] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._awaited: dict[str, set[AnyTrigger]] = {}
        self._endings: dict[tuple[str, str], Endings] = {}
        self._changing = asyncio.Lock()

    # --- life ---

    async def start(self) -> None:
        """Take up the triggers of what is active; one that cannot be is left, and says why in its state."""
        for activation in await asyncio.to_thread(self._activations.all):
            try:
                await self._take_up(activation, self.clock.now())
            except FlowscopeError as error:
                self._fault(activation, error)
                log.warning("workflow_not_tended", workflow_id=activation.workflow_id, error=str(error))

    async def stop(self) -> None:
        """Start nothing more. What is decided and has not started does when the desk starts again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._triggers.clear()
        self._active.clear()
        self._awaited.clear()
        self._endings.clear()

    def statistics(self) -> dict[str, Any]:
        return {"triggers": len(self._triggers), "tended": len(self._tasks), "faults": len(self._faults)}

    # --- what is active ---

    async def activate(self, workflow_id: str, by: str = "") -> Activation:
        """Have a workflow's triggers start runs; `WorkflowNotFound`, `DefinitionInvalid`, and `InputInvalid` where another
        has one of its addresses."""
        async with self._changing:
            workflow = await self._find(workflow_id)
            self._must_be_free(workflow)
            activation = await asyncio.to_thread(self._activations.activate, workflow_id, now=self.clock.now(), by=by)
            await self._take_up(activation, activation.since, workflow)
            return activation

    async def deactivate(self, workflow_id: str) -> bool:
        """Have them start nothing more; whether it was active."""
        async with self._changing:
            await self._let_go(workflow_id)
            return await asyncio.to_thread(self._activations.deactivate, workflow_id)

    async def refresh(self, workflow_id: str) -> None:
        """Go by the version that runs now, if the workflow is active."""
        async with self._changing:
            activation = await asyncio.to_thread(self._activations.find, workflow_id)
            if activation is None:
                await self._let_go(workflow_id)
                return
            try:
                await self._take_up(activation, self.clock.now())
            except FlowscopeError as error:
                await self._let_go(workflow_id)
                self._fault(activation, error)

    def _fault(self, activation: Activation, error: FlowscopeError) -> None:
        """It is active, and starts nothing: why is seen among the states."""
        self._active[activation.workflow_id] = activation
        self._faults[activation.workflow_id] = str(error)

    def is_active(self, workflow_id: str) -> bool:
        """Whether it was made active; if its triggers cannot be tended all the same, its state says why."""
        return workflow_id in self._active

    def states(self) -> list[TriggerState]:
        """Every trigger of what is active, and workflows whose triggers cannot be taken up, in the order of their ids."""
        found = [trigger.state() for _, trigger in sorted(self._triggers.items())]
        faults = [
            TriggerState(workflow_id=workflow_id, workflow_name="", node_id="", label="", type="", since=0, error=error)
            for workflow_id, error in sorted(self._faults.items())
        ]
        return found + faults

    def resting(self, workflow: Workflow) -> list[TriggerState]:
        """The triggers that a workflow would have if it were active."""
        configs = ((node, self._config(node)) for node in workflow.nodes if not node.policy.disabled)
        return [
            TriggerState(
                workflow_id=workflow.id,
                workflow_name=workflow.name,
                node_id=node.id,
                label=node.label,
                type=node.type,
                since=0,
                config=config,
            )
            for node, config in configs
            if config is not None
        ]

    def find(self, workflow_id: str, node_id: str) -> AnyTrigger | None:
        """A trigger of an active workflow."""
        return self._triggers.get((workflow_id, node_id))

    def of(self, workflow_id: str) -> list[AnyTrigger]:
        """The triggers of a workflow, if it is active."""
        return [trigger for (known, _), trigger in self._triggers.items() if known == workflow_id]

    def hooks(self, path: str) -> list[tuple[AnyTrigger, WebhookConfig]]:
        """The webhooks at that address of active workflows, the methods apart."""
        return [
            (trigger, trigger.config)
            for trigger in self._triggers.values()
            if isinstance(trigger.config, WebhookConfig) and path == (trigger.config.path or trigger.workflow.id)
        ]

    # --- taking up ---

    def _must_be_free(self, workflow: Workflow) -> None:
        for node in workflow.nodes:
            config = self._config(node) if node.type == "webhook" else None
            if not isinstance(config, WebhookConfig):
                continue
            for trigger, other in self.hooks(config.path or workflow.id):
                same = "ANY" in (config.method, other.method) or config.method == other.method
                if trigger.workflow.id != workflow.id and same:
                    raise InputInvalid(
                        f"{config.method} /hooks/{config.path} is an address of the workflow {trigger.workflow.id!r}, "
                        "which is active: give the webhook another path"
                    )

    async def _take_up(self, activation: Activation, now: float, workflow: Workflow | None = None) -> None:
        """Tend its triggers; those that are new, or set otherwise, count from `now`, and that is on disk when this returns."""
        workflow_id = activation.workflow_id
        workflow = workflow or await self._find(workflow_id)
        self._must_be_free(workflow)
        await self._let_go(workflow_id)
        rows = await asyncio.to_thread(self._activations.triggers, workflow_id)
        self._active[workflow_id] = activation
        for node in workflow.nodes:
            config = self._config(node)
            if config is None or node.policy.disabled:
                continue
            setting = hashlib.sha256(f"{node.type}\n{config.model_dump_json()}".encode()).hexdigest()
            row = rows.get(node.id)
            if row is None or row.config != setting:
                row = TriggerRow(workflow_id=workflow_id, node_id=node.id, config=setting, since=now)
                await self.save(row)
            self._tend(self._make(workflow, node, config, row))

    async def _let_go(self, workflow_id: str) -> None:
        self._faults.pop(workflow_id, None)
        self._active.pop(workflow_id, None)
        keys = [key for key in self._triggers if key[0] == workflow_id]
        tasks = [self._tasks.pop(key) for key in keys if key in self._tasks]
        for key in keys:
            del self._triggers[key]
            self._endings.pop(key, None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _config(self, node: Node) -> NodeConfig | None:
        """A trigger's settings; None for what is none, or starts nothing by itself."""
        kind = self._orchestrator.registry.find(node.type)
        if kind is None or kind.role != "trigger" or node.parent_id:
            return None
        config = kind.parse(node.config, node.id)
        if isinstance(config, WorkflowTriggerConfig) and not config.workflows:
            return None
        return config if isinstance(config, _CONFIGS) else None

    def _make(self, workflow: Workflow, node: Node, config: NodeConfig, row: TriggerRow) -> AnyTrigger:
        made: Any
        if isinstance(config, ScheduleConfig | IntervalConfig):
            made = Timed(self, workflow, node, config, row)
        elif isinstance(config, FileWatchConfig):
            made = Watched(self, workflow, node, config, row, self._orchestrator.surroundings)
        elif isinstance(config, WorkflowTriggerConfig):
            made = Endings(self, workflow, node, config, row, self._ended, self._described)
            self._endings[workflow.id, node.id] = made
        else:
            made = Door(self, workflow, node, config, row, Empty())
        return cast("AnyTrigger", made)

    def _tend(self, trigger: AnyTrigger) -> None:
        key = (trigger.workflow.id, trigger.node.id)
        self._triggers[key] = trigger
        if not isinstance(trigger, Door):
            self._tasks[key] = asyncio.get_running_loop().create_task(self._rounds(trigger))

    async def _rounds(self, trigger: AnyTrigger) -> None:
        while True:
            trigger.woken.clear()
            try:
                again = await trigger.round()
            except StoreError as error:
                again = self.clock.now() + AGAIN
                trigger.error = str(error)
            except Exception as error:  # the outermost frame of a trigger: a fault of ours must not end it unseen
                again = self.clock.now() + AGAIN
                trigger.error = f"Internal error: {type(error).__name__}"
                log.exception("trigger_failed", workflow_id=trigger.workflow.id, node_id=trigger.node.id)
            cancel = self.clock.call_at(again, trigger.woken.set) if again is not None else None
            try:
                await trigger.woken.wait()
            finally:
                if cancel:
                    cancel()

    # --- for the triggers ---

    async def fire(self, firing: Firing) -> None:
        await self._fire(firing)
        log.info(
            "trigger_fired", workflow_id=firing.workflow_id, node_id=firing.node_id, execution_id=firing.execution_id
        )

    async def _submit(self, firing: Firing) -> None:
        orchestrator = self._orchestrator
        workflow = await self._find(firing.workflow_id)
        await orchestrator.submit(
            workflow,
            msgspec.json.encode(firing.input),
            execution_id=firing.execution_id,
            trigger=firing.node_id,
            fired=True,
        )

    def goes_on(self, execution_id: str) -> bool:
        live = self._orchestrator.live(execution_id)
        if live is not None:
            return not live.state.ended
        row = self._orchestrator.store.row(execution_id)
        return row is not None and row.status in UNENDED

    def awaits(self, execution_id: str, trigger: AnyTrigger) -> None:
        self._awaited.setdefault(execution_id, set()).add(trigger)

    async def save(self, row: TriggerRow) -> None:
        await asyncio.to_thread(self._activations.save, row)

    # --- ends ---

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        row = segment.row
        if row is None or not row.ended_at:
            return
        for trigger in self._awaited.pop(row.execution_id, ()):
            trigger.woken.set()
        for endings in self._endings.values():
            if endings.concerns(row):
                endings.hear(row)

    def murmur(self, word: Progress | LogLine) -> None:
        """Nothing: triggers go by facts."""

    def _ended(self, config: WorkflowTriggerConfig, since: float) -> list[ExecutionRow]:
        """The runs of those workflows that have ended since, in the order of their ends."""
        found: list[ExecutionRow] = []
        for workflow_id in [""] if "*" in config.workflows else config.workflows:
            before: tuple[float, str] | None = None
            while True:
                query = ExecutionQuery(
                    workflow_id=workflow_id, statuses=tuple(config.on), ended_after=since, before=before, limit=500
                )
                rows = self._orchestrator.store.search(query)
                found += rows
                if len(rows) < 500:
                    break
                before = (rows[-1].started_at, rows[-1].execution_id)
        return sorted(found, key=lambda row: row.ended_at)

    async def _described(self, row: ExecutionRow) -> Ending:
        first = await asyncio.to_thread(self._orchestrator.store.read, row.execution_id, 0, 1)
        event = decode_lines(first[0].lines)[0] if first else None
        chain: tuple[str, ...] = ()
        if isinstance(event, ExecutionStarted) and event.fired:
            payload = recorded(event.input, event.input_blob)
            given = self._orchestrator.payloads.value(payload) if payload is not None else None
            told = given.get("chain") if isinstance(given, dict) else None
            chain = tuple(one for one in told if isinstance(one, str)) if isinstance(told, list) else ()
        return Ending(row=row, output=await self._output(row), chain=chain)

    async def _output(self, row: ExecutionRow) -> Any:
        if row.status != "success" or not row.definition:
            return None
        live = self._orchestrator.live(row.execution_id)
        try:
            state = live.state if live else self._orchestrator.library.replay(row.execution_id, row.definition)
        except (LookupError, StoreError):
            return None  # of a type that is not here, or damaged: that it has ended is known all the same
        return self._orchestrator.payloads.value(output_of(state))
