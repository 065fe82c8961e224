"""Executions that only wait leave memory, and come back from the journal when there is something for them to do.

What has been at rest for half a minute, and has nothing due in the next, is made *passive*: its state goes, and an id, where
its journal ends and its next timer stay. It is still this process's. When that timer is due, a command comes, its child ends
or somebody needs its state, its journal is folded and the machine asks again for all it waits for. That is what recovery
does, but for the claim: nothing was lost and nobody else has had it, so there is nothing to record.

All executions share two queues: what is at rest, in the order it came to be, and what is due. Neither is ever searched.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import msgspec

from flowscope.errors import FlowscopeError, StoreConflict, StoreError, StoreUnavailable
from flowscope.execution.stimuli import Wake
from flowscope.log import get_logger
from flowscope.orchestrator.live_execution import LiveExecution

if TYPE_CHECKING:
    from flowscope.orchestrator.ports import ExecutionRow
    from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

log = get_logger("flowscope.passivation")

IDLE = 30_000.0
"""Milliseconds at rest, and without anything due, from which on a fold is worth the memory."""

LONG = 2_000
"""Events from which on a journal is folded in a thread, so that the loop goes on meanwhile."""

BATCH = 500
"""Executions that leave in one turn of the loop."""

AGAIN = 10_000.0
"""Milliseconds after which a timer is tried again whose execution could not be read."""


class Passive(msgspec.Struct, gc=False):
    """What stays: the fence, where the journal ends, when the next timer is due (epoch ms; 0: none), and how many lines were
    logged."""

    epoch: int
    seq: int
    due: float
    logged: int


class Passivation:
    """`passive` are the executions that are this process's and not in memory, by id. Belongs to the event loop."""

    def __init__(self, orchestrator: WorkflowOrchestrator, idle: float) -> None:
        self.idle = idle
        self.passive: dict[str, Passive] = {}
        self.woken = 0
        self._orchestrator = orchestrator
        self._clock = orchestrator.clock
        self._resting: OrderedDict[LiveExecution, float] = OrderedDict()
        self._kept: WeakValueDictionary[str, LiveExecution] = WeakValueDictionary()
        """Passive ones that somebody, a `Run` perhaps, holds all the same: he gets the same object back, still whole."""
        self._due: list[tuple[float, str]] = []
        self._folding = asyncio.Lock()
        self._cancel_look: Callable[[], None] | None = None
        self._cancel_alarm: Callable[[], None] | None = None
        self._ringing = False

    def stop(self, error: FlowscopeError) -> None:
        """Let all go; recovery finds them in the journal."""
        for cancel in (self._cancel_look, self._cancel_alarm):
            if cancel:
                cancel()
        self._cancel_look = self._cancel_alarm = None
        for execution_id in list(self.passive):
            self.drop(execution_id, error)
        self._resting.clear()
        self._due.clear()

    # --- leaving ---

    def rests(self, live: LiveExecution) -> None:
        """It has nothing to do for now."""
        if self._orchestrator.stopping:
            return
        self._resting[live] = self._clock.now() + self.idle
        self._resting.move_to_end(live)
        if self._cancel_look is None:
            self._look_at(self._clock.now() + self.idle)

    def gone(self, live: LiveExecution) -> None:
        """It has ended, or was abandoned."""
        self._resting.pop(live, None)

    def _look_at(self, when: float) -> None:
        self._cancel_look = self._clock.call_at(when, self._look)

    def _look(self) -> None:
        """Let those go that have rested long enough. Who is busy, or about to be, comes again when it rests again."""
        self._cancel_look = None
        now = self._clock.now()
        for _ in range(BATCH):
            if not self._resting:
                return
            live, when = next(iter(self._resting.items()))
            if when > now:
                self._look_at(when)
                return
            del self._resting[live]
            due = 0.0 if live.state.paused else live.next_due()  # a pause holds timers; its end sets them anew
            here = self._orchestrator.live(live.state.execution_id) is live
            if here and live.at_rest and (not due or due >= now + self.idle):
                self._leave(live, due)
        self._look_at(now)

    def _leave(self, live: LiveExecution, due: float) -> None:
        state = live.state
        execution_id = state.execution_id
        live.stop_timers()
        del self._orchestrator.driver.live[execution_id]
        self.passive[execution_id] = Passive(state.epoch, state.seq, due, live.logged)
        self._kept[execution_id] = live
        if due:
            self._ring_at(due, execution_id)

    # --- coming back ---

    def _ring_at(self, due: float, execution_id: str) -> None:
        heapq.heappush(self._due, (due, execution_id))
        if len(self._due) > 2 * len(self.passive) + BATCH:  # mostly of executions that something else has woken
            self._due = [(one.due, each) for each, one in self.passive.items() if one.due]
            heapq.heapify(self._due)
        if self._due[0] == (due, execution_id):
            self._set_alarm()

    def _set_alarm(self) -> None:
        if self._cancel_alarm:
            self._cancel_alarm()
        self._cancel_alarm = self._clock.call_at(self._due[0][0], self._alarm) if self._due else None

    def _alarm(self) -> None:
        self._cancel_alarm = None
        if not self._ringing:
            self._ringing = True
            self._orchestrator.driver.own(self._ring())

    async def _ring(self) -> None:
        """Wake all that is due, one in each turn of the loop: there may be thousands that wait for the same morning."""
        try:
            while self._due and self._due[0][0] <= self._clock.now():
                due, execution_id = heapq.heappop(self._due)
                passive = self.passive.get(execution_id)
                if passive is not None and passive.due == due:
                    self.wake_soon(execution_id)
                    await asyncio.sleep(0)
        finally:
            self._ringing = False
        self._set_alarm()

    def wake_soon(self, execution_id: str) -> None:
        """Have it taken up again, if it is passive."""
        if execution_id in self.passive and not self._orchestrator.stopping:
            self._orchestrator.driver.own(self._woken(execution_id))

    async def _woken(self, execution_id: str) -> None:
        try:
            await self.wake(execution_id)
        except StoreUnavailable:
            passive = self.passive.get(execution_id)
            if passive is not None:
                passive.due = self._clock.now() + AGAIN
                self._ring_at(passive.due, execution_id)
        except StoreError:
            pass  # it is told already, and not ours any more

    async def wake(self, execution_id: str) -> None:
        """Take a passive execution up again. A `StoreError` where that cannot be: one that somebody else has taken over, or
        that cannot be understood, is let go, and is the sweep's."""
        passive = self.passive.get(execution_id)
        if passive is None:
            return
        try:
            row = self._orchestrator.store.row(execution_id)
            live = await self._found(row) if row else None
            # Both are looked at: another owner may write, under its own epoch, between the row and the journal.
            here = (passive.epoch, passive.seq)
            if (
                row is None
                or (row.epoch, row.last_seq) != here
                or (live and (live.state.epoch, live.state.seq) != here)
            ):
                raise StoreConflict(execution_id, "Another owner has taken it over")
        except StoreUnavailable:
            raise
        except Exception as error:
            log.error("wake_failed", execution_id=execution_id, error=str(error))
            if self.passive.get(execution_id) is passive:
                self.drop(execution_id, error if isinstance(error, FlowscopeError) else StoreUnavailable(str(error)))
            raise
        if live is None or self.passive.get(execution_id) is not passive:
            return  # somebody was faster
        driver = self._orchestrator.driver
        self.woken += 1
        del self.passive[execution_id]
        self._kept.pop(execution_id, None)
        live.shown = (row.status, row.detail)
        live.logged = passive.logged
        driver.live[execution_id] = live
        driver.step(live, Wake())

    async def _found(self, row: ExecutionRow) -> LiveExecution | None:
        """The execution, from its journal if nobody has kept it; None if it was woken while this waited for its turn."""
        execution_id, library = row.execution_id, self._orchestrator.library
        kept = self._kept.get(execution_id)
        if kept is not None:
            return kept
        program = library.stored_program(row.definition)
        if row.last_seq < LONG:
            return LiveExecution(library.folded(execution_id, program.plan), program)
        async with self._folding:
            if execution_id not in self.passive:
                return None
            return LiveExecution(await asyncio.to_thread(library.folded, execution_id, program.plan), program)

    def drop(self, execution_id: str, error: FlowscopeError) -> None:
        """It is not this process's any more: whoever still waits for it hears why."""
        self.passive.pop(execution_id, None)
        live = self._kept.pop(execution_id, None)
        if live is not None:
            live.abandon(error)
