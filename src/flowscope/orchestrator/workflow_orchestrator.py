"""The loop: decide, record, act, show.

All executions share one queue and one turn. A turn takes executions off the queue, lets the machine decide, calls pure
handlers on the spot, and ends by handing everything decided to the journal as one commit. When the commit is durable, and
not before, viewers are told and the external attempts it released start (output commit).

    turn ── decide, call pure handlers ──> commit ──> disk ──> publish, start external attempts ──> answers ──> turn

A turn has a budget, so that a graph of 100,000 nodes does not keep the loop; and while too many events are on their way
to the disk no turn starts, so that memory stays bounded and the writer gets its share.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from flowscope.definition import decode, load
from flowscope.definition.workflow import JSON, Workflow
from flowscope.errors import (
    ExecutionActive,
    ExecutionEnded,
    ExecutionNotFound,
    FlowscopeError,
    InputInvalid,
    SignalNotAwaited,
    StoreError,
    StoreUnavailable,
)
from flowscope.execution import machine
from flowscope.execution import status as st
from flowscope.execution.events import AnyEvent, Caller, ErrorInfo, decode_lines
from flowscope.execution.instructions import AnyInstruction, CancelNode, SetTimer, StartChild
from flowscope.execution.state import Frame, State, fold, result_of
from flowscope.execution.stimuli import (
    AnyStimulus,
    Cancel,
    Fail,
    Fire,
    Pause,
    Recover,
    Resume,
    Signal,
    Start,
)
from flowscope.failpoints import failpoint
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import Surroundings
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.answers import Answers
from flowscope.orchestrator.attempt import Attempt, describe
from flowscope.orchestrator.clock import SystemClock
from flowscope.orchestrator.inline_runner import InlineRunner
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.payloads import PayloadStore, encode
from flowscope.orchestrator.ports import (
    UNENDED,
    Clock,
    LogLine,
    NodeRunner,
    Progress,
    Publisher,
    Store,
)
from flowscope.orchestrator.program import Binding, Program
from flowscope.orchestrator.recorder import Recorder
from flowscope.orchestrator.recovery import Recovery
from flowscope.orchestrator.sub_workflows import SubWorkflows

log = structlog.get_logger("flowscope.orchestrator")

NODE_BUDGET = 1_000
"""Nodes a turn starts at most."""

PROGRAMS = 256
LOG_LINES = 10_000
LOG_TEXT = 8_000


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
    ) -> None:
        self.state_manager = state_manager
        self.store: Store = state_manager.store
        self.registry = registry or builtin_registry()
        self.surroundings = surroundings or Surroundings()
        self.publishers: list[Publisher] = [state_manager]
        if visualization_service is not None:
            self.publishers.append(visualization_service)
        self.payloads = PayloadStore(self.store)
        self.clock = clock or SystemClock()
        self.recorder = Recorder(self.store, self.payloads, self.publishers, self)
        self._sub_workflows = SubWorkflows(self)
        self._answers = Answers(self.payloads, self._sub_workflows)
        self._recovery = Recovery(self)
        self._runner = runner or InlineRunner()
        self._random = random.Random()
        self._live: dict[str, LiveExecution] = {}
        self._queue: deque[LiveExecution] = deque()
        self._programs: OrderedDict[str, Program] = OrderedDict()
        self._claiming: dict[str, asyncio.Event] = {}
        self._turning = False
        self._running = False
        self._stopping = False
        self._owned: set[asyncio.Task[Any]] = set()
        self._thread = 0
        self._loop: asyncio.AbstractEventLoop

    # --- life ---

    async def start(self) -> None:
        """Begin to accept work. The store must be started."""
        if self._running:
            return
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._stopping = False
        await self._runner.start()
        self._running = True

    async def stop(self, grace: float = 30.0) -> None:
        """Stop accepting, give running external nodes `grace` seconds, make durable what has happened; the rest is left to
        recovery."""
        if not self._running:
            return
        self._stopping = True
        self._recovery.stop()
        await self._runner.stop(grace)
        for task in list(self._owned):
            task.cancel()
        self._turn()
        await self.recorder.flushed()
        self._running = False
        gone = StoreUnavailable("flowscope has stopped; the execution goes on when it is taken up again")
        for live in list(self._live.values()):
            self._abandon(live, gone)

    def statistics(self) -> dict[str, Any]:
        return {
            "executions": len(self._live),
            "eventsInFlight": self.recorder.in_flight,
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
    ) -> LiveExecution:
        """Start an execution of a workflow that has been validated; returns when its start is durable.

        An execution id that exists already is refused: `ExecutionActive`, `ExecutionEnded`.
        """
        self._accepting()
        if trigger and not any(
            node.id == trigger and node.is_trigger for node in self.program(workflow).plan.root.nodes
        ):
            raise InputInvalid(f"The workflow has no trigger node {trigger!r}")
        execution_id = execution_id or new_execution_id()
        if execution_id in self._live:
            raise ExecutionActive(execution_id)
        row = self.store.row(execution_id)
        if row is not None:
            raise (
                ExecutionEnded(execution_id, row.status) if row.status not in UNENDED else ExecutionActive(execution_id)
            )
        live = self.admit(
            workflow,
            execution_id,
            Start(
                input=self.payloads.keep(input),
                trigger=trigger,
                user_id=user_id,
                parent_execution_id=parent_execution_id,
                caller=caller,
            ),
        )
        await live.wait_for(1)
        return live

    async def outcome(self, live: LiveExecution) -> Outcome:
        """Wait for the end. Raises a `StoreError` if this process had to let the execution go."""
        await live.wait_for(0)
        return self.outcome_of(live.state)

    def outcome_of(self, state: State) -> Outcome:
        return Outcome(
            execution_id=state.execution_id,
            workflow_id=state.workflow_id,
            status=state.status,
            output=self.payloads.value(result_of(state.root)) if state.status == "success" else None,
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

    async def signal(self, execution_id: str, name: str, payload: JSON = None) -> None:
        """Answer what waits for `name` (a signal, or a waiting node's id). `SignalNotAwaited` if nothing does."""
        live = await self.take_up(execution_id)
        before = live.state.seq
        asking = any(
            name == frame.scope.ids[number] and frame.status[number] == st.ASKING
            for frame in live.state.frames.values()
            for number in frame.suspensions or ()
        )
        self._step(live, Signal(name=name, payload=self.payloads.keep(encode(payload))))
        if live.state.seq == before and not asking:
            raise SignalNotAwaited(execution_id, name)
        await live.wait_for(live.state.seq)

    async def take_up(self, execution_id: str) -> LiveExecution:
        """The execution in this process: as it is, or recovered from the journal under a new epoch.

        `ExecutionNotFound`, `ExecutionEnded`; `WorkflowNotFound` or a `LookupError` where its definition cannot run here.
        """
        self._accepting()
        while execution_id in self._claiming:
            await self._claiming[execution_id].wait()
        live = self._live.get(execution_id)
        if live is not None:
            return live
        row = self.store.row(execution_id)
        if row is None:
            raise ExecutionNotFound(execution_id)
        if row.status not in UNENDED:
            raise ExecutionEnded(execution_id, row.status)
        self._claiming[execution_id] = asyncio.Event()
        try:
            return await self._claim(execution_id)
        finally:
            self._claiming.pop(execution_id).set()

    async def _claim(self, execution_id: str) -> LiveExecution:
        claimed = await asyncio.to_thread(self.store.claim, execution_id)
        state = self.replay(execution_id, claimed.definition)
        live = LiveExecution(state, self._programs[claimed.definition])
        live.shown = (claimed.status, claimed.detail)
        self._live[execution_id] = live
        failpoint("before_recover")
        self._step(live, Recover(epoch=claimed.epoch))
        return live

    async def recover(self) -> int:
        """Take up every execution that has not ended, and look again every ten seconds; how many there were at first."""
        return await self._recovery.begin()

    def live(self, execution_id: str) -> LiveExecution | None:
        return self._live.get(execution_id)

    def replay(self, execution_id: str, definition: str) -> State:
        """An execution's state by folding its journal."""
        program = self.stored_program(definition)
        return fold(execution_id, program.plan, iter(self.history(execution_id)))

    def history(self, execution_id: str, after: int = 0) -> list[AnyEvent]:
        """The durable events with `seq > after`."""
        events: list[AnyEvent] = []
        while True:
            segments = self.store.read(execution_id, after)
            if not segments:
                return events
            for segment in segments:
                events += [event for event in decode_lines(segment.lines) if event.seq > after]
            after = segments[-1].last_seq

    def program(self, workflow: Workflow) -> Program:
        """The workflow bound to this catalogue, worked out once a version."""
        found = self._programs.get(workflow.hash)
        if found is None:
            found = self._programs[workflow.hash] = Program(workflow, self.registry)
            while len(self._programs) > PROGRAMS:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(workflow.hash)
        return found

    def stored_program(self, definition: str) -> Program:
        found = self._programs.get(definition)
        return found or self.program(decode(self.store.definition(definition)))

    # --- the turn ---

    def _accepting(self) -> None:
        if not self._running or self._stopping:
            raise StoreUnavailable("flowscope is not running: start it, or wait until it is up again")

    async def _command(self, execution_id: str, stimulus: AnyStimulus) -> None:
        live = await self.take_up(execution_id)
        if live.state.ended:
            raise ExecutionEnded(execution_id, live.state.status)
        self._step(live, stimulus)
        await live.wait_for(live.state.seq)

    def admit(self, workflow: Workflow, execution_id: str, start: Start) -> LiveExecution:
        """Put a new execution into memory and on its way; the caller has seen that its id is free."""
        self.recorder.define(workflow)
        program = self.program(workflow)
        live = self._live[execution_id] = LiveExecution(State(execution_id, program.plan), program)
        self.tell(live, start)
        return live

    def _step(self, live: LiveExecution, stimulus: AnyStimulus) -> None:
        """Decide at once, for callers who must see what came of it; the rest happens in the turn."""
        self._guarded(live, stimulus)
        self._enqueue(live)

    def tell(self, live: LiveExecution, stimulus: AnyStimulus) -> None:
        live.inbox.append(stimulus)
        self._enqueue(live)

    def _enqueue(self, live: LiveExecution) -> None:
        if not live.queued:
            live.queued = True
            self._queue.append(live)
        self._schedule()

    def _schedule(self) -> None:
        if not self._turning and not self.recorder.full:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turning = False
        budget = NODE_BUDGET
        queue = self._queue
        while queue and budget > 0:
            live = queue.popleft()
            live.queued = False
            if live.gone is None:
                budget = self._drive(live, budget)
        self.recorder.flush()
        if queue:
            self._schedule()

    def _guarded(self, live: LiveExecution, stimulus: AnyStimulus) -> None:
        machine.decide(live.state, stimulus, self.clock.now(), live.decision)
        self.recorder.note(live)

    def _drive(self, live: LiveExecution, budget: int) -> int:
        """Let one execution go on until it has nothing to do or the budget is spent; what is left of the budget."""
        state, decision = live.state, live.decision
        try:
            now = self.clock.now()
            inbox = live.inbox
            if inbox:
                live.inbox = []
                for stimulus in inbox:
                    machine.decide(state, stimulus, now, decision)
            agenda = state.agenda
            bindings = live.program.bindings
            while agenda and budget > 0 and not self._stopping:
                frame, number = agenda.popleft()
                if machine.begin(state, frame, number, now, decision):
                    budget -= 1
                    binding = bindings[frame.scope.nodes[number]]
                    if binding.direct:
                        self._call(live, frame, number, binding, now)
                    else:
                        live.working += 1
                        live.released.append(Attempt(live, frame, number, binding, self._speak))
                if decision.instructions:
                    self._obey(live)
            if decision.instructions:
                self._obey(live)
        except Exception as error:  # noqa: BLE001 -- a fault of the machine must cost one execution, not the loop
            self._crashed(live, error)
            return budget
        if decision.events or live.released:
            self.recorder.note(live)
        if agenda and not self._stopping and not live.queued:
            live.queued = True
            self._queue.append(live)
        return budget

    def _call(self, live: LiveExecution, frame: Frame, number: int, binding: Binding, now: float) -> None:
        """A pure handler, on the spot."""
        attempt: Attempt | None = None
        try:
            if binding.bare:
                answer = binding.handler(config=binding.config) if binding.takes_config else binding.handler()
            else:
                attempt = Attempt(live, frame, number, binding, self._speak)
                attempt.prepare(self.payloads, self.surroundings, now)
                answer = attempt.call()
            self._answers.take(live, frame, number, answer, attempt, now)
        except Exception as error:  # noqa: BLE001 -- a handler may raise anything; it becomes the node's error
            info = attempt.failure(error) if attempt else describe(error)
            self._failed(live, frame, number, info, now)

    def _failed(self, live: LiveExecution, frame: Frame, number: int, error: ErrorInfo, now: float) -> None:
        stimulus = Fail(
            node_id=frame.scope.ids[number],
            path=frame.path,
            attempt=frame.attempts[number],
            error=error,
            chance=self._random.random(),
        )
        machine.decide(live.state, stimulus, now, live.decision)

    # --- acting ---

    def recorded(self, live: LiveExecution, released: Sequence[Attempt]) -> None:
        """For the recorder: what is durable may have consequences outside."""
        if live.state.ended and live.committed == live.state.seq:
            self._ended(live)
            return
        for attempt in released:
            self._launch(live, attempt)

    def refused(self, live: LiveExecution, error: StoreError) -> None:
        """For the recorder: somebody else owns the execution, or the disk is at fault."""
        self._abandon(live, error)

    def unblocked(self) -> None:
        """For the recorder."""
        if self._queue:
            self._schedule()

    def _launch(self, live: LiveExecution, attempt: Attempt) -> None:
        """Start an external attempt: everything that led to it is durable."""
        live.working -= 1
        if live.gone is not None or not self._current(live, attempt) or self._stopping:
            return
        failpoint("before_effect")
        try:
            attempt.prepare(self.payloads, self.surroundings, self.clock.now())
        except Exception as error:  # noqa: BLE001 -- a config or an expression that fails is the node's error
            self._reported(live, attempt, None, error)
            return
        live.working += 1

        def report(answer: Any, failure: BaseException | None) -> None:
            live.working -= 1
            self._reported(live, attempt, answer, failure)

        self._runner.run(attempt, report)

    def _reported(self, live: LiveExecution, attempt: Attempt, answer: Any, failure: BaseException | None) -> None:
        failpoint("after_effect")
        if live.gone is not None or not self._current(live, attempt):
            return
        now = self.clock.now()
        frame, number = attempt.frame, attempt.number
        try:
            if failure is None:
                self._answers.take(live, frame, number, answer, attempt, now)
            else:
                self._failed(live, frame, number, attempt.failure(failure), now)
        except Exception as error:  # noqa: BLE001 -- an answer that is not JSON, a child that is not there
            self._failed(live, frame, number, attempt.failure(error), now)
        self.recorder.note(live)
        self._enqueue(live)

    def _current(self, live: LiveExecution, attempt: Attempt) -> bool:
        """Whether that attempt's answer is still wanted."""
        frame, number = attempt.frame, attempt.number
        return (
            not live.state.ended
            and live.state.frames.get(frame.path) is frame
            and frame.attempts[number] == attempt.attempt
            and frame.status[number] in (st.RUNNING, st.EXPANDED)
        )

    def _ended(self, live: LiveExecution) -> None:
        state = live.state
        self._live.pop(state.execution_id, None)
        self._recovery.forget(state.execution_id)
        live.stop_timers()
        self._sub_workflows.tell_caller(state)

    def _abandon(self, live: LiveExecution, error: FlowscopeError) -> None:
        """Let an execution go: its truth is in the journal, and somebody else's, or a later sweep's, to take up."""
        execution_id = live.state.execution_id
        if self._live.get(execution_id) is live:
            del self._live[execution_id]
        self.recorder.forget(live)
        live.abandon(error)
        for frame in live.state.frames.values():
            for number, status in enumerate(frame.status):
                if status == st.RUNNING:
                    self._runner.cancel((execution_id, frame.path, frame.scope.ids[number], frame.attempts[number]))

    def _crashed(self, live: LiveExecution, error: Exception) -> None:
        """The machine, or what drives it, failed on this execution: drop it; the sweep tries it again from the journal."""
        execution_id = live.state.execution_id
        log.error("execution_crashed", execution_id=execution_id, error=str(error), exc_info=error)
        gone = error if isinstance(error, FlowscopeError) else StoreUnavailable(f"Execution {execution_id}: {error}")
        self._abandon(live, gone)
        self._recovery.count_crash(execution_id, live.committed, error)

    # --- instructions ---

    def _obey(self, live: LiveExecution) -> None:
        instructions, live.decision.instructions = live.decision.instructions, []
        for instruction in instructions:
            self._do(live, instruction)

    def _do(self, live: LiveExecution, instruction: AnyInstruction) -> None:
        execution_id = live.state.execution_id
        if isinstance(instruction, SetTimer):
            self._set_timer(live, instruction)
        elif isinstance(instruction, CancelNode):
            self._runner.cancel((execution_id, instruction.path, instruction.node_id, instruction.attempt))
            if instruction.child:
                self.own(self._sub_workflows.cancel(instruction.child))
        elif isinstance(instruction, StartChild):
            self.own(self._sub_workflows.start(live, instruction))

    def own(self, work: Any) -> None:
        """A task that somebody hears of."""
        task = self._loop.create_task(work)
        self._owned.add(task)

        def ended(task: asyncio.Task[Any]) -> None:
            self._owned.discard(task)
            if not task.cancelled() and task.exception() is not None:
                log.error("task_failed", error=str(task.exception()), exc_info=task.exception())

        task.add_done_callback(ended)

    def _set_timer(self, live: LiveExecution, instruction: SetTimer) -> None:
        if live.timers is None:
            live.timers = {}
        key = (instruction.path, instruction.node_id)
        earlier = live.timers.get(key)
        if earlier:
            earlier()

        def fire() -> None:
            if live.gone is None and live.timers is not None:
                live.timers.pop(key, None)
                stimulus = Fire(
                    node_id=instruction.node_id,
                    path=instruction.path,
                    attempt=instruction.attempt,
                    chance=self._random.random(),
                )
                self.tell(live, stimulus)

        live.timers[key] = self.clock.call_at(instruction.due, fire)

    # --- the ephemeral lane ---

    def _speak(self, attempt: Attempt, kind: str, fraction: float, text: str) -> None:
        """A handler's progress, log or stream; from any thread."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._speak, attempt, kind, fraction, text)
            return
        execution_id, path, node_id, number = attempt.key
        now = self.clock.now()
        text = attempt.redact(text[:LOG_TEXT])
        word: Progress | LogLine
        if kind == "progress":
            word = Progress(
                execution_id=execution_id,
                node_id=node_id,
                path=path,
                attempt=number,
                at=now,
                fraction=fraction,
                message=text,
            )
        else:
            attempt.live.logged += 1
            if attempt.live.logged > LOG_LINES:
                return
            if attempt.live.logged == LOG_LINES:
                kind, text = "warning", f"This run has logged {LOG_LINES} lines; the rest is not kept"
            word = LogLine(
                execution_id=execution_id,
                node_id=node_id,
                path=path,
                attempt=number,
                at=now,
                kind="stream" if kind == "stream" else "log",
                level="info" if kind == "stream" else kind,
                text=text,
            )
            self.recorder.log(word)
            self._schedule()
        for publisher in self.publishers:
            publisher.murmur(word)
