"""The orchestrator as its callers see it: start executions, command them, take them up again."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from flowscope.definition import load
from flowscope.definition.plan import OUTPUT
from flowscope.definition.workflow import JSON, Workflow
from flowscope.errors import (
    ExecutionActive,
    ExecutionEnded,
    InputInvalid,
    SignalNotAwaited,
    StoreCorrupt,
    StoreUnavailable,
)
from flowscope.execution import status as st
from flowscope.execution.events import Caller, ErrorInfo
from flowscope.execution.state import State, output_of
from flowscope.execution.stimuli import AnyStimulus, Cancel, Pause, Recover, Resume, Signal, Start
from flowscope.execution.waiting import waiting_for
from flowscope.failpoints import failpoint
from flowscope.log import get_logger
from flowscope.nodes import javascript, pools
from flowscope.nodes.approval import APPROVED, verdict
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import Surroundings
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.clock import SystemClock
from flowscope.orchestrator.driver import Driver
from flowscope.orchestrator.forking import Forks, must_be_on_top
from flowscope.orchestrator.inline_runner import InlineRunner
from flowscope.orchestrator.library import Library, missing
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.passivation import IDLE, Passivation
from flowscope.orchestrator.payloads import PayloadStore, encode
from flowscope.orchestrator.ports import UNENDED, Clock, ExecutionRow, NodeRunner, Progress, Publisher, Results, Store
from flowscope.orchestrator.recovery import Recovery
from flowscope.orchestrator.sub_workflows import SubWorkflows

log = get_logger("flowscope.orchestrator")


class Outcome(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How an execution ended. Times in milliseconds."""

    execution_id: str
    workflow_id: str
    status: str
    output: JSON = None
    error: ErrorInfo | None = None
    started_at: float = 0
    duration_ms: float = 0


def new_execution_id() -> str:
    """A UUID, version 7: rising with time, so that a store appends rather than inserts."""
    value = (int(time.time() * 1000) << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (7 << 76)
    value = value & ~(3 << 62) | (2 << 62)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _choices(state: State, name: str) -> tuple[str, ...]:
    """The handles that the first node waiting for that signal may leave by."""
    return next((wait.choices for frame, number in waiting_for(state, name) if (wait := frame.suspension(number))), ())


class WorkflowOrchestrator:
    """Runs executions over a store. `start`, `stop` and `statistics` as everywhere; all methods belong to one event loop.

    The mission's form is `WorkflowOrchestrator(state_manager, visualization_service)`: both are publishers, and the
    store is the state manager's.
    """

    def __init__(
        self,
        state_manager: Any,
        visualization_service: Publisher | None = None,
        *,
        registry: Registry | None = None,
        runner: NodeRunner | None = None,
        clock: Clock | None = None,
        surroundings: Surroundings | None = None,
        chance: Callable[[], float] = random.random,
        results: Results | None = None,
        idle: float = IDLE,
    ) -> None:
        """`chance` gives the numbers from 0 to 1 by which back-offs are spread. `idle`: milliseconds at rest after which an
        execution leaves memory."""
        self.state_manager = state_manager
        self.store: Store = state_manager.store
        self.registry = registry or builtin_registry()
        self.surroundings = surroundings or Surroundings()
        self.publishers: list[Publisher] = [state_manager]
        if visualization_service is not None:
            self.publishers.append(visualization_service)
        self.clock = clock or SystemClock()
        self.payloads = PayloadStore(self.store)
        self.library = Library(self.store, self.registry)
        self._runner = runner or InlineRunner()
        self._results = results
        self._sub_workflows = SubWorkflows(self)
        self._recovery = Recovery(self)
        self.passivation = Passivation(self, idle)
        self.forks = Forks(self)
        self._claiming = asyncio.Lock()
        self._chance = chance
        self._driver: Driver | None = None

    # --- life ---

    async def start(self) -> None:
        """Begin to accept work. The store must be started."""
        if self._driver is None:
            await self._runner.start()
            if self.surroundings.code_nodes:
                javascript.house.start()
            self._driver = Driver(
                self.store,
                self.payloads,
                self.publishers,
                self._runner,
                self.clock,
                self.surroundings,
                self._sub_workflows,
                self,
                self._chance,
                self._results,
            )

    async def stop(self, grace: float = 30.0) -> None:
        """Stop accepting, give running external nodes `grace` seconds, make durable what has happened; the rest is left to
        recovery."""
        if self._driver is not None:
            self._recovery.stop()
            self.passivation.stop(
                StoreUnavailable("flowscope has stopped; the execution goes on when it is taken up again")
            )
            await self._driver.stop(grace)
            await pools.close()
            self._driver = None

    @property
    def driver(self) -> Driver:
        """What drives the executions in memory; `StoreUnavailable` before the start and while stopping."""
        if self._driver is None or self._driver.stopping:
            raise StoreUnavailable("flowscope is not running: start it, or wait until it is up again")
        return self._driver

    @property
    def stopping(self) -> bool:
        """Whether nothing more is taken on."""
        return self._driver is None or self._driver.stopping

    def standing(self, execution_id: str) -> list[Progress]:
        """Which of its nodes wait for a place, and for which: what was said, or would be, on the ephemeral lane."""
        now = self.clock.now()
        waiting = self._runner.waiting(execution_id)
        return [
            Progress(execution_id=execution_id, node_id=node_id, attempt=attempt, at=now, detail=detail)
            for (_, path, node_id, attempt), detail in waiting.items()
            if not path
        ]

    def statistics(self) -> dict[str, Any]:
        return {
            "executions": (len(self._driver.live) if self._driver else 0) + len(self.passivation.passive),
            "passive": len(self.passivation.passive),
            "woken": self.passivation.woken,
            "eventsInFlight": self._driver.recorder.in_flight if self._driver else 0,
            "runner": self._runner.statistics(),
            "store": self.store.statistics(),
        }

    # --- commands ---

    async def execute_workflow(
        self,
        workflow_id: str,
        input: JSON,
        nodes: list[JSON],
        edges: list[JSON],
        execution_id: str = "",
        user_id: str = "",
    ) -> Outcome:
        """Run a graph given as React Flow nodes and edges, and wait for its end. `DefinitionInvalid` names its faults."""
        workflow = load({"id": workflow_id, "nodes": nodes, "edges": edges}, self.registry)
        live = await self.submit(workflow, encode(input), execution_id=execution_id, user_id=user_id)
        return await self.outcome(live)

    async def submit(
        self,
        workflow: Workflow,
        input: bytes = b"{}",
        *,
        execution_id: str = "",
        trigger: str = "",
        user_id: str = "",
        parent_execution_id: str = "",
        caller: Caller | None = None,
        fired: bool = False,
        use_worker_pool: bool = False,
        until: str = "",
    ) -> LiveExecution:
        """Start an execution of a workflow that has been validated; returns when its start is durable.

        An execution id that exists already is refused: `ExecutionActive`, `ExecutionEnded`. `fired`: by a trigger, so that
        no node answers from its pin. `use_worker_pool`: all its external nodes run in worker processes, not only those with
        `resources: cpu`. `until`: a top-level node beyond which nothing runs.
        """
        program = self.library.program(workflow)
        if trigger and not any(node.id == trigger and node.is_trigger for node in program.plan.root.nodes):
            raise InputInvalid(f"The workflow has no trigger node {trigger!r}")
        if until:
            must_be_on_top(program.plan, until)
        start = Start(
            input=self.payloads.keep(program.input_of(trigger, input)),
            trigger=trigger,
            user_id=user_id,
            parent_execution_id=parent_execution_id,
            caller=caller,
            fired=fired,
            use_worker_pool=use_worker_pool,
            until=until,
        )
        return await self.begin(workflow, start, execution_id)

    async def begin(self, workflow: Workflow, start: Start, execution_id: str = "") -> LiveExecution:
        """The same for a start that is made already."""
        if execution_id:
            self._must_be_new(execution_id)
        live = self.admit(workflow, execution_id or new_execution_id(), start)
        await live.wait_for(1)
        return live

    def _must_be_new(self, execution_id: str) -> None:
        row = self.store.row(execution_id)
        if self.holds(execution_id) or (row is not None and row.status in UNENDED):
            raise ExecutionActive(execution_id)
        if row is not None:
            raise ExecutionEnded(execution_id, row.status)

    async def outcome(self, live: LiveExecution) -> Outcome:
        """Wait for the end. Raises a `StoreError` if this process had to let the execution go."""
        try:
            await live.wait_for(0)
        except asyncio.CancelledError:
            self.passivation.rests(live)  # perhaps nobody else waits for it
            raise
        return self.outcome_of(live.state)

    def outcome_of(self, state: State) -> Outcome:
        return Outcome(
            execution_id=state.execution_id,
            workflow_id=state.workflow_id,
            status=state.status,
            output=self.payloads.value(output_of(state)) if state.status == "success" else None,
            error=state.error,
            started_at=state.started_at,
            duration_ms=(state.ended_at or self.clock.now()) - state.started_at,
        )

    async def cancel(self, execution_id: str, reason: str = "") -> None:
        """End an execution; returns when its terminal events are durable. `ExecutionEnded` if it had ended."""
        await self._command(execution_id, Cancel(reason=reason))

    async def pause(self, execution_id: str) -> None:
        """Start nothing new; what runs finishes."""
        await self._command(execution_id, Pause())

    async def resume(self, execution_id: str) -> None:
        """End a pause."""
        await self._command(execution_id, Resume())

    async def signal(self, execution_id: str, name: str, payload: JSON = None, handle: str = OUTPUT) -> None:
        """Answer what waits for `name` (a signal, or a waiting node's id), by that handle. `SignalNotAwaited` if nothing
        does. An approval takes `approved` or `rejected`, and also `True` or `{"approved": true}` without a handle."""
        live = await self.take_up(execution_id)
        if handle == OUTPUT and APPROVED in _choices(live.state, name):
            handle, payload = verdict(payload, at=self.clock.now())
        before = live.state.seq
        asking = any(
            name == frame.scope.ids[number] and frame.status[number] == st.ASKING
            for frame in live.state.frames.values()
            for number in frame.suspensions or ()
        )
        self.driver.step(live, Signal(name=name, payload=self.payloads.keep(encode(payload)), handle=handle))
        if live.state.seq == before and not asking:
            raise SignalNotAwaited(execution_id, name)
        await live.wait_for(live.state.seq)

    async def take_up(self, execution_id: str) -> LiveExecution:
        """The execution in this process: as it is, as it was when it left memory, or recovered from the journal under a new
        epoch.

        `ExecutionNotFound`, `ExecutionEnded`; `WorkflowNotFound` or a `LookupError` where its definition cannot run here.
        """
        while (live := self.driver.live.get(execution_id)) is None:
            if execution_id in self.passivation.passive:
                await self.passivation.wake(execution_id)
                continue
            row = self.store.row(execution_id)
            if row is None:
                raise missing(self.store, execution_id)
            if row.status not in UNENDED:
                raise ExecutionEnded(execution_id, row.status)
            for claimed in await self.claim([execution_id]):
                self.adopt(claimed)
        return live

    async def claim(self, execution_ids: Sequence[str]) -> Sequence[ExecutionRow]:
        """Claim what is neither here, nor being claimed, nor ended since. Each row that comes back is to be adopted, at
        once."""
        async with self._claiming:
            wanted = [execution_id for execution_id in execution_ids if not self.holds(execution_id)]
            claimed = await asyncio.to_thread(self.store.claim, wanted)
            return [row for row in claimed if row.status in UNENDED]

    def adopt(self, claimed: ExecutionRow) -> LiveExecution:
        """Fold a claimed execution's journal and let it go on."""
        execution_id = claimed.execution_id
        program = self.library.stored_program(claimed.definition)
        live = LiveExecution(self.library.replay(execution_id, claimed.definition), program)
        if live.state.seq != claimed.last_seq:
            raise StoreCorrupt(
                f"The journal of execution {execution_id} ends at {live.state.seq}, not at {claimed.last_seq}"
            )
        live.shown = (claimed.status, claimed.detail)
        self.driver.live[execution_id] = live
        log.info("execution_taken_up", execution_id=execution_id, epoch=claimed.epoch, seq=claimed.last_seq)
        failpoint("before_recover")
        self.driver.step(live, Recover(epoch=claimed.epoch))
        return live

    async def recover(self) -> int:
        """Take up every execution that has not ended, and look again every ten seconds; how many there were at first."""
        return await self._recovery.begin()

    def live(self, execution_id: str) -> LiveExecution | None:
        """The execution, if it is in memory."""
        return self._driver.live.get(execution_id) if self._driver else None

    def holds(self, execution_id: str) -> bool:
        """Whether this process has the execution, in memory or passive."""
        return self.live(execution_id) is not None or execution_id in self.passivation.passive

    # --- for the driver: who has nothing to do, and who leaves memory ---

    def rests(self, live: LiveExecution) -> None:
        self.passivation.rests(live)

    def ended(self, live: LiveExecution) -> None:
        self.passivation.gone(live)
        self._recovery.ended(live)

    def abandoned(self, live: LiveExecution) -> None:
        self.passivation.gone(live)

    def crashed(self, live: LiveExecution, error: Exception) -> None:
        self._recovery.crashed(live, error)

    async def _command(self, execution_id: str, stimulus: AnyStimulus) -> None:
        live = await self.take_up(execution_id)
        if live.state.ended:
            await live.wait_for(0)  # an end that a crash could take back is not told
            raise ExecutionEnded(execution_id, live.state.status)
        self.driver.step(live, stimulus)
        await live.wait_for(live.state.seq)

    def tell(self, live: LiveExecution, stimulus: AnyStimulus) -> None:
        """Have an execution in memory decide, even while stopping: what has ended by then is still to be recorded."""
        if self._driver is not None:
            self._driver.tell(live, stimulus)

    def quarantined(self, row: ExecutionRow) -> None:
        """An execution was ended without being understood; its caller, if it has one, hears of it."""
        self._sub_workflows.quarantined(row)

    def define(self, workflow: Workflow) -> None:
        """Have the next commit bring the definition to the store, even while stopping."""
        if self._driver is not None:
            self._driver.recorder.define(workflow)

    def admit(self, workflow: Workflow, execution_id: str, start: Start) -> LiveExecution:
        """Put a new execution into memory and on its way; the caller has seen that its id is free."""
        self.driver.recorder.define(workflow)
        program = self.library.program(workflow)
        live = self.driver.live[execution_id] = LiveExecution(State(execution_id, program.plan), program)
        self.driver.tell(live, start)
        log.info("execution_accepted", execution_id=execution_id, workflow_id=workflow.id)
        return live
