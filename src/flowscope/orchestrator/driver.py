"""The loop: decide, record, act, show.

All executions share one queue and one turn. A turn takes executions off the queue, lets the machine decide, calls pure
handlers on the spot, and ends by handing everything decided to the journal as one commit. When the commit is durable, and
not before, viewers are told and the external attempts it released start (output commit).

    turn ── decide, call pure handlers ──> commit ──> disk ──> show, start external attempts ──> answers ──> turn

A turn has a budget, so that a graph of 100,000 nodes does not keep the loop; and while too many events are on their way
to the disk no turn starts, so that memory stays bounded and the writer gets its share.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flowscope.errors import FlowscopeError, StoreError, StoreUnavailable, WorkerLost, WorkerTimeout
from flowscope.execution import machine
from flowscope.execution import status as st
from flowscope.execution.events import ErrorInfo
from flowscope.execution.instructions import AnyInstruction, CancelNode, SetTimer, StartChild
from flowscope.execution.state import Frame
from flowscope.execution.stimuli import AnyStimulus, Fail, Fire, Lose
from flowscope.failpoints import failpoint
from flowscope.log import get_logger
from flowscope.nodes.context import Surroundings
from flowscope.orchestrator.answers import Answers
from flowscope.orchestrator.attempt import Attempt, describe
from flowscope.orchestrator.keeper import Keeper
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.payloads import PayloadStore
from flowscope.orchestrator.ports import Clock, LogLine, NodeRunner, Publisher, Results, Store
from flowscope.orchestrator.program import Binding
from flowscope.orchestrator.recorder import Recorder
from flowscope.orchestrator.sub_workflows import SubWorkflows
from flowscope.orchestrator.voice import Voice

log = get_logger("flowscope.driver")

THROWN = (Exception, SystemExit, GeneratorExit, asyncio.CancelledError)
"""A handler may raise anything; it becomes the node's error. Only an interrupt is the process's own."""

NODE_BUDGET = 1_000
"""Nodes a turn starts at most."""


_ANSWERABLE = frozenset({st.RUNNING, st.EXPANDED})


class Household(Protocol):
    """Who is told when an execution has nothing to do, and when it leaves memory."""

    def rests(self, live: LiveExecution) -> None: ...

    def ended(self, live: LiveExecution) -> None: ...

    def abandoned(self, live: LiveExecution) -> None: ...

    def crashed(self, live: LiveExecution, error: Exception) -> None: ...


class Driver:
    """Drives the executions in memory. Belongs to one event loop; everything here runs on it."""

    def __init__(
        self,
        store: Store,
        payloads: PayloadStore,
        publishers: list[Publisher],
        runner: NodeRunner,
        clock: Clock,
        surroundings: Surroundings,
        sub_workflows: SubWorkflows,
        household: Household,
        chance: Callable[[], float],
        results: Results | None = None,
    ) -> None:
        self.live: dict[str, LiveExecution] = {}
        self.recorder = Recorder(store, payloads, publishers, self)
        self.stopping = False
        self._payloads = payloads
        self._runner = runner
        self._clock = clock
        self._surroundings = surroundings
        self._sub_workflows = sub_workflows
        self._household = household
        self._keeper = Keeper(payloads, results)
        self._answers = Answers(payloads, sub_workflows)
        self._voice = Voice(clock, publishers, self._keep_line)
        self._loop = asyncio.get_running_loop()
        self._chance = chance
        self._queue: deque[LiveExecution] = deque()
        self._turning = False
        self._owned: set[asyncio.Task[Any]] = set()

    async def stop(self, grace: float) -> None:
        """Start nothing more, give what runs `grace` seconds, make durable what has happened, let the rest go."""
        self.stopping = True
        await self._runner.stop(grace)
        for task in list(self._owned):
            task.cancel()
        self._turn()
        await self.recorder.flushed()
        gone = StoreUnavailable("flowscope has stopped; the execution goes on when it is taken up again")
        for live in list(self.live.values()):
            self.abandon(live, gone)

    def step(self, live: LiveExecution, stimulus: AnyStimulus) -> None:
        """Decide at once, for callers who must see what came of it; the rest happens in the turn."""
        try:
            machine.decide(live.state, stimulus, self._clock.now(), live.decision)
        except Exception as error:
            self._crashed(live, error)
            raise
        self.recorder.note(live)
        self._enqueue(live)

    def tell(self, live: LiveExecution, stimulus: AnyStimulus) -> None:
        """Have the next turn decide."""
        live.tell(stimulus)
        self._enqueue(live)

    def own(self, work: Any) -> None:
        """Run a coroutine as a task that somebody hears of."""
        task = self._loop.create_task(work)
        self._owned.add(task)

        def ended(task: asyncio.Task[Any]) -> None:
            self._owned.discard(task)
            if not task.cancelled() and task.exception() is not None:
                log.error("task_failed", error=str(task.exception()), exc_info=task.exception())

        task.add_done_callback(ended)

    # --- the turn ---

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

    def _drive(self, live: LiveExecution, budget: int) -> int:
        """Let one execution go on until it has nothing to do or the budget is spent; what is left of the budget."""
        state, decision = live.state, live.decision
        try:
            now = self._clock.now()
            inbox = live.inbox
            if inbox:
                live.inbox = None
                for stimulus in inbox:
                    machine.decide(state, stimulus, now, decision)
            agenda = state.agenda
            bindings = live.program.bindings
            taken = 0
            while taken < len(agenda) and budget > 0 and not self.stopping:
                frame, number = agenda[taken]
                taken += 1
                if machine.begin(state, frame, number, now, decision):
                    budget -= 1
                    binding = bindings[frame.scope.nodes[number]]
                    if binding.direct:
                        now = self._call(live, frame, number, binding, now)
                    else:
                        self._release(live, frame, number, binding, now)
                if decision.instructions:
                    self._obey(live)
            del agenda[:taken]
            if decision.instructions:
                self._obey(live)
        except Exception as error:  # noqa: BLE001 -- a fault of the machine must cost one execution, not the loop
            self._crashed(live, error)
            return budget
        if decision.events or decision.released:
            self.recorder.note(live)
        else:
            live.undurable = None
            self._household.rests(live)
        if agenda and not self.stopping and not live.queued:
            live.queued = True
            self._queue.append(live)
        return budget

    def _release(self, live: LiveExecution, frame: Frame, number: int, binding: Binding, now: float) -> None:
        """Have an external attempt start with the commit.

        What it takes is worked out now and not when it starts: by then an expression could see results that are not
        durable yet.
        """
        if self._keeper.pinned(live, frame, number, binding, now):
            return
        attempt = Attempt(live, frame, number, binding, self._voice.speak)
        try:
            attempt.prepare(self._payloads, self._surroundings, now)
            if binding.ttl and self._keeper.known(attempt, now):
                return
        except Exception as error:  # noqa: BLE001 -- a config or an expression that fails is the node's error
            self._failed(live, frame, number, attempt.failure(error), now)
            return
        live.working += 1
        live.decision.released.append(attempt)

    def _call(self, live: LiveExecution, frame: Frame, number: int, binding: Binding, now: float) -> float:
        """A pure handler, on the spot; the time when it had answered."""
        attempt: Attempt | None = None
        try:
            if binding.bare:
                answer = binding.handler(config=binding.config) if binding.takes_config else binding.handler()
            else:
                attempt = Attempt(live, frame, number, binding, self._voice.speak)
                attempt.prepare(self._payloads, self._surroundings, now)
                answer = attempt.call()
                self._voice.finish(attempt)
            now = self._clock.now()
            self._answers.take(live, frame, number, answer, attempt, now)
        except st.IllegalTransition:
            raise
        except THROWN as error:
            now = self._clock.now()
            info = attempt.failure(error) if attempt else describe(error)
            self._failed(live, frame, number, info, now)
        return now

    def _unanswered(self, live: LiveExecution, attempt: Attempt, failure: BaseException, now: float) -> None:
        """It has raised; or its process is gone, and it has another chance."""
        frame, number = attempt.frame, attempt.number
        error = attempt.failure(failure)
        if isinstance(failure, WorkerLost | WorkerTimeout) and frame.losses(number) < failure.chances:
            node_id, path = frame.scope.ids[number], frame.path
            stimulus = Lose(node_id=node_id, path=path, attempt=attempt.attempt, error=error)
            machine.decide(live.state, stimulus, now, live.decision)
        else:
            self._failed(live, frame, number, error, now)

    def _failed(self, live: LiveExecution, frame: Frame, number: int, error: ErrorInfo, now: float) -> None:
        stimulus = Fail(
            node_id=frame.scope.ids[number],
            path=frame.path,
            attempt=frame.attempts[number],
            error=error,
            chance=self._chance(),
        )
        machine.decide(live.state, stimulus, now, live.decision)

    def recorded(self, live: LiveExecution, released: Sequence[Attempt]) -> None:
        """For the recorder: what is durable may have consequences outside."""
        if live.state.ended and live.committed == live.state.seq:
            self._ended(live)
            return
        for attempt in released:
            self._launch(live, attempt)
        if not live.working and not live.queued and live.undurable is None:
            self._household.rests(live)

    def refused(self, live: LiveExecution, error: StoreError) -> None:
        """For the recorder: somebody else owns the execution, or the disk is at fault."""
        self.abandon(live, error)

    def unwritable(self, live: LiveExecution, error: Exception) -> None:
        """For the recorder: a handler's words got into an event that has no JSON."""
        self._crashed(live, error)

    def unblocked(self) -> None:
        """For the recorder."""
        if self._queue or self.recorder.words:
            self._schedule()

    def _launch(self, live: LiveExecution, attempt: Attempt) -> None:
        """Start an external attempt: everything that led to it is durable."""
        live.working -= 1
        if live.gone is not None or not self._current(attempt) or self.stopping:
            return
        failpoint("before_effect")
        live.working += 1
        self._runner.run(attempt, self._report)

    def _report(self, attempt: Attempt, answer: Any, failure: BaseException | None) -> None:
        attempt.live.working -= 1
        self._voice.finish(attempt)
        self._reported(attempt.live, attempt, answer, failure)

    def _reported(self, live: LiveExecution, attempt: Attempt, answer: Any, failure: BaseException | None) -> None:
        failpoint("after_effect")
        if live.gone is not None or not self._current(attempt):
            return
        now = self._clock.now()
        frame, number = attempt.frame, attempt.number
        try:
            if failure is None:
                self._answers.take(live, frame, number, answer, attempt, now)
                if attempt.result_key:
                    self._keeper.keep(attempt, answer, now)
            else:
                self._unanswered(live, attempt, failure, now)
        except st.IllegalTransition as error:
            self._crashed(live, error)
            return
        except Exception as error:  # noqa: BLE001 -- an answer that is not JSON, a child that is not there
            self._failed(live, frame, number, attempt.failure(error), now)
        self.recorder.note(live)
        self._enqueue(live)

    def _current(self, attempt: Attempt) -> bool:
        """Whether that attempt's answer is still wanted. Whatever ends early, a run or an iteration, first cancels what
        runs in it, so the node's own status tells."""
        frame, number = attempt.frame, attempt.number
        return frame.status[number] in _ANSWERABLE and frame.attempts[number] == attempt.attempt

    def _ended(self, live: LiveExecution) -> None:
        state = live.state
        self.live.pop(state.execution_id, None)
        log.info("execution_ended", execution_id=state.execution_id, status=state.status, seq=state.seq)
        live.stop_timers()
        self._household.ended(live)
        self._sub_workflows.tell_caller(live.state)

    def abandon(self, live: LiveExecution, error: FlowscopeError) -> None:
        """Let an execution go: its truth is in the journal, and somebody else's, or a later sweep's, to take up."""
        execution_id = live.state.execution_id
        if self.live.get(execution_id) is live:
            del self.live[execution_id]
        self.recorder.forget(live)
        self._household.abandoned(live)
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
        self.abandon(live, gone)
        self._household.crashed(live, error)

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
            if self._runner.cancel((execution_id, instruction.path, instruction.node_id, instruction.attempt)):
                live.working -= 1
            if instruction.child:
                self.own(self._sub_workflows.cancel(instruction.child))
        elif isinstance(instruction, StartChild):
            self.own(self._sub_workflows.start(live, instruction))

    def _set_timer(self, live: LiveExecution, instruction: SetTimer) -> None:
        if live.timers is None:
            live.timers = {}
        key = (instruction.path, instruction.node_id)
        earlier = live.timers.get(key)
        if earlier:
            earlier[1]()

        def fire() -> None:
            if live.gone is None and live.timers is not None:
                live.timers.pop(key, None)
                stimulus = Fire(
                    node_id=instruction.node_id,
                    path=instruction.path,
                    attempt=instruction.attempt,
                    chance=self._chance(),
                )
                self.tell(live, stimulus)

        live.timers[key] = instruction.due, self._clock.call_at(instruction.due, fire)

    def _keep_line(self, line: LogLine) -> None:
        self.recorder.log(line)
        self._schedule()
