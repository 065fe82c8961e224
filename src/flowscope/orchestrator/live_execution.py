"""An execution in memory: its state, what was decided and is not durable yet, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flowscope.errors import FlowscopeError
from flowscope.execution import status as st
from flowscope.execution.decision import Admissions
from flowscope.execution.events import AnyEvent
from flowscope.execution.machine import Decision
from flowscope.execution.state import State
from flowscope.execution.stimuli import AnyStimulus
from flowscope.orchestrator.attempt import Attempt
from flowscope.orchestrator.ports import ExecutionRow, Segment
from flowscope.orchestrator.program import Program


class Undurable(Decision):
    """What was decided and is not with the journal yet, and the attempts that may start when it is durable."""

    __slots__ = ("released",)

    def __init__(self, admissions: Admissions | None) -> None:
        super().__init__(admissions)
        self.released: list[Attempt] = []


class LiveExecution:
    """`committed` is the last seq that is durable. `working` counts attempts that are with a runner, or will be when
    their commit is through. `shown` is the status and detail the stored row has. `timers` are those that are set, by path and
    node: when they are due, and what cancels them.

    There may be many that only wait, so what is needed for a step is made for the step and dropped with its commit.
    """

    __slots__ = (
        "__weakref__", "admissions", "committed", "gone", "inbox", "logged", "program", "queued", "shown", "state", "timers",
        "undurable", "waiters", "working",
    )  # fmt: skip

    def __init__(self, state: State, program: Program) -> None:
        self.state = state
        self.program = program
        self.undurable: Undurable | None = None
        self.admissions: Admissions | None = None
        self.inbox: list[AnyStimulus] | None = None
        self.queued = False
        self.committed = state.seq
        self.working = 0
        self.shown = ("", "")
        self.logged = 0
        self.gone: FlowscopeError | None = None
        self.timers: dict[tuple[str, str], tuple[float, Callable[[], None]]] | None = None
        self.waiters: list[tuple[int, asyncio.Future[None]]] | None = None

    @property
    def at_rest(self) -> bool:
        """Whether nothing of it runs, is on its way to the disk, or is waited for in this process."""
        state = self.state
        busy = self.working or self.queued or self.inbox or self.undurable or state.agenda or self.gone or state.ended
        return not busy and self.committed == state.seq and all(future.done() for _, future in self.waiters or ())

    def next_due(self) -> float:
        """When its first timer is due (epoch ms; 0: none is set)."""
        return min((due for due, _ in (self.timers or {}).values()), default=0)

    @property
    def decision(self) -> Undurable:
        """Where the next step puts what it decides."""
        if self.undurable is None:
            self.undurable = Undurable(self.admissions)
        return self.undurable

    def admit(self, attempt: Attempt, at: float) -> None:
        """An attempt has a place, for which it had to wait; or waits for one (`at` 0)."""
        if self.admissions is None:
            self.admissions = {}
            if self.undurable is not None:
                self.undurable.admissions = self.admissions
        if attempt.frame.status[attempt.number] == st.RUNNING:
            self.admissions[attempt.frame.path, attempt.frame.scope.ids[attempt.number]] = at

    def tell(self, stimulus: AnyStimulus) -> None:
        """Keep a stimulus for the next turn."""
        if self.inbox is None:
            self.inbox = [stimulus]
        else:
            self.inbox.append(stimulus)

    def wait_for(self, seq: int) -> asyncio.Future[None]:
        """Done when event `seq` is durable (0: when the execution has ended and that is durable)."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.gone:
            future.set_exception(self.gone)
        elif self.committed >= (seq or self.state.seq) and (seq or self.state.ended):
            future.set_result(None)
        else:
            self.waiters = [*(self.waiters or ()), (seq, future)]
        return future

    def advance(self, seq: int) -> None:
        """Event `seq` and all before it are durable: tell who waits."""
        self.committed = seq
        if self.waiters:
            ended = self.state.ended and seq == self.state.seq
            left = []
            for wanted, future in self.waiters:
                if seq >= wanted if wanted else ended:
                    if not future.done():
                        future.set_result(None)
                else:
                    left.append((wanted, future))
            self.waiters = left or None

    def abandon(self, error: FlowscopeError) -> None:
        """This process steps back: whoever waits hears why."""
        self.gone = error
        for _, future in self.waiters or ():
            if not future.done():
                future.set_exception(error)
        self.waiters = None
        self.stop_timers()

    def stop_timers(self) -> None:
        for _, cancel in (self.timers or {}).values():
            cancel()
        self.timers = None

    def segment(self, events: list[AnyEvent], lines: bytes) -> Segment:
        """The events just decided, with the execution's row if it reads differently now."""
        state = self.state
        shown = self.status_and_detail()
        row = None
        if shown != self.shown:
            self.shown = shown
            row = self.row()
        return Segment(
            execution_id=state.execution_id,
            first_seq=events[0].seq,
            last_seq=state.seq,
            epoch=state.epoch,
            lines=lines,
            row=row,
        )

    def row(self) -> ExecutionRow:
        state = self.state
        status, detail = self.status_and_detail()
        return ExecutionRow(
            execution_id=state.execution_id,
            workflow_id=state.workflow_id,
            workflow_name=state.workflow_name,
            definition=state.definition,
            status=status,
            detail=detail,
            started_at=state.started_at,
            ended_at=state.ended_at,
            parent_execution_id=state.parent_execution_id,
            caller_execution_id=state.caller.execution_id if state.caller else "",
            error=state.error.message if state.error else "",
            last_seq=state.seq,
            epoch=state.epoch,
        )

    def status_and_detail(self) -> tuple[str, str]:
        """`waiting` when it is paused, or nothing runs and something waits for an instant, a signal or a person."""
        state = self.state
        if state.ended:
            return state.status, ""
        if state.paused:
            return "waiting", "paused"
        if self.working or state.agenda or self.inbox:
            return "running", ""
        for frame in state.frames.values():
            for number, wait in (frame.suspensions or {}).items():
                if frame.status[number] != st.RETRYING and not wait.child:
                    return "waiting", wait.detail or (f"signal {wait.signal}" if wait.signal else wait.kind)
        return "running", ""
