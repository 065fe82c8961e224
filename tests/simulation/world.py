"""One seed: processes that live and die on one disk until everything has ended, and the judgement of what is left."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

import msgspec

from acceptance.oracle import Oracle, Row, Told
from acceptance.workload import identity
from flowscope.errors import FlowscopeError, StoreError, UserError
from flowscope.execution import status as st
from flowscope.execution.digest import digest
from flowscope.execution.events import NodeLost, NodeSuspended, decode_lines
from flowscope.execution.view import ExecutionView
from flowscope.nodes.context import Surroundings
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.passivation import IDLE
from flowscope.orchestrator.ports import UNENDED, ExecutionQuery, LogLine, Progress, Segment
from flowscope.orchestrator.program import Program
from flowscope.orchestrator.state_manager import ExecutionStateManager
from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

from . import flows
from .disk import PlayedStore
from .loop import SimulatedLoop, Stuck

START = 1_700_000_000_000.0
"""Epoch milliseconds: the first instant of every simulated world."""
LONGEST = 6 * 3600.0
"""Simulated seconds within which everything must have ended."""
DEATHS = 4
PROGRAMS: OrderedDict[str, Program] = OrderedDict()


class PlayedClock:
    """Wall time that is the loop's, but for the jumps that somebody setting it makes."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.ahead = 0.0

    def now(self) -> float:
        return START + self._loop.time() * 1000 + self.ahead

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        handle: asyncio.TimerHandle | None = None

        def check() -> None:
            nonlocal handle
            left = (when - self.now()) / 1000
            if left <= 0:
                callback()
            else:
                handle = self._loop.call_later(min(left, 60.0), check)

        handle = self._loop.call_later(min(max(0.0, (when - self.now()) / 1000), 60.0), check)

        def cancel() -> None:
            if handle is not None:
                handle.cancel()

        return cancel


class Ashes:
    """What outlives the processes of one world."""

    def __init__(self, store: Callable[[], PlayedStore]) -> None:
        self._store = store
        self.lines: list[str] = []

    @property
    def registry(self) -> Registry:
        return flows.registry()

    @property
    def external(self) -> Mapping[str, frozenset[str]]:
        return flows.external()

    def rows(self) -> list[Row]:
        contents = self._store().everything()
        return [
            Row(
                execution_id, standing.row.workflow_id, standing.row.definition, standing.current().status, standing.epoch,
                tuple((one.first_seq, one.last_seq, one.epoch, one.lines) for one in contents.segments[execution_id]),
            )
            for execution_id, standing in contents.standings.items()
        ]  # fmt: skip

    def definitions(self) -> dict[str, bytes]:
        return dict(self._store().everything().definitions)

    def effects(self) -> str:
        return "\n".join(self.lines)


class World:
    """`run` gives the violations, as sentences; none is what is hoped for."""

    def __init__(self, seed: int, *, disturbed: bool = True, only: int | None = None) -> None:
        """`disturbed=False`: nobody dies and nothing is refused; `only` that workflow is run."""
        self.seed = seed
        self.told = Told()
        self.deaths = 0
        self.woken = 0
        self.violations: list[str] = []
        self._dice = Random(f"world {seed}")
        self._now = 0.0
        self._refusals = self._dice.choice((0.0, 0.0, 0.05, 0.2)) if disturbed else 0.0
        self._store = PlayedStore(self._dice, self._refusals)
        self._ashes = Ashes(lambda: self._store)
        numbers = range(flows.FLOWS)
        chosen = [only] if only is not None else self._dice.sample(numbers, k=self._dice.choice((1, 1, 2, 3)))
        self._wanted = [(f"flow{number}-0-{seed}", number) for number in chosen]
        # Apart from the other dice: half of the worlds let executions leave memory almost at once.
        apart = Random(f"idle {seed}")
        self._idle = apart.choice((1.0, 1.0, 1.0, 50.0, 5_000.0, IDLE))
        self._waits = apart.random() < 0.5
        """Whether somebody waits in the process for what has been started: that is kept in memory."""
        self._lives = self._dice.randrange(1, DEATHS + 1) if disturbed else 0
        self._disturbed = disturbed
        self._cancelled: set[str] = set()
        self._people: set[asyncio.Task[None]] = set()
        expected: dict[str, tuple[str, str]] = {}
        for number in chosen if only is None else ():
            expected |= _undisturbed(number)
        self._oracle = Oracle(self._ashes, self.told, expected)
        self._orchestrator: WorkflowOrchestrator | None = None
        self._views: dict[str, ExecutionView] = {}
        self._rivals: list[PlayedStore] = []
        self._shared = False
        """Two processes run what this life runs: neither shows all of it."""

    def run(self) -> list[str]:
        with flows.elsewhere(self._dice, self._ashes.lines):
            try:
                return self._run()
            except Exception as error:  # noqa: BLE001 -- whatever stops a world is what was looked for
                return [*self.violations, f"{type(error).__name__}: {error}"]

    def _run(self) -> list[str]:
        for life in range(self._lives + 1):
            last = life == self._lives
            # Many die early, while they recover.
            turns = self._dice.choice((self._dice.randrange(1, 40), self._dice.randrange(1, 400)))
            try:
                self._live(turns=-1 if last else turns)
            except Stuck as stuck:
                self.violations.append(f"I4: nothing more happens: {stuck}: {self._left()}")
                return self.violations
            self._oracle.look()
        for execution_id in self._cancelled:
            # Somebody has cancelled it, at one moment or another; any end is right.
            self._oracle.excuse(execution_id)
        self._oracle.judge()
        self._judge_views()
        return self.violations + self._oracle.violations

    # --- one life ---

    def _live(self, turns: int) -> None:
        loop = SimulatedLoop(self._now, turns, LONGEST)
        self._store = PlayedStore(self._dice, self._refusals if turns > 0 else 0.0, self._store)
        self._store.start()
        self._people.clear()
        self._views.clear()
        self._shared = False
        try:
            self.deaths += loop.live(self._life(loop))
        finally:
            self.woken += self._orchestrator.passivation.woken if self._orchestrator else 0
            for store in (self._store, *self._rivals):
                store.die()
            self._rivals.clear()
            self._now = loop.time()
            # What is unwound now has no effect, and no part in the dice.
            with flows.elsewhere(), suppress(FlowscopeError):
                loop.bury()
        self.violations += [f"nobody heard of: {fault}" for fault in loop.faults]

    async def _life(self, loop: SimulatedLoop) -> None:
        clock = PlayedClock(loop)
        self._orchestrator = orchestrator = self._process(self._store, clock)
        await orchestrator.start()
        self.told.taken_up += await orchestrator.recover()
        self._own(self._attend())
        if self._disturbed:
            self._own(self._meddle(clock))
        await asyncio.gather(*(self._one(execution_id, number) for execution_id, number in self._wanted))
        while left := self._left():
            await self._watch(left[0])
        if self._disturbed:
            # A run that somebody else has ended meanwhile is shown by nobody here.
            await orchestrator.driver.recorder.flushed()
        self._tell_results()
        await orchestrator.stop(1)

    def _process(self, store: PlayedStore, clock: PlayedClock) -> WorkflowOrchestrator:
        orchestrator = WorkflowOrchestrator(
            ExecutionStateManager(store, clock),
            self,
            registry=flows.registry(),
            clock=clock,
            surroundings=Surroundings(),
            chance=lambda: flows.OUTSIDE.dice.random(),
            idle=self._idle,
        )
        # Working out the plans again in every life would take half the time; the oracle misses a definition not stored.
        orchestrator.library._programs = PROGRAMS
        return orchestrator

    async def _rival(self, clock: PlayedClock) -> None:
        """Another process on the same store, which takes everything over and dies. What it has begun outside goes on."""
        store = PlayedStore(self._dice, 0.0, self._store)
        self._rivals.append(store)
        self._shared = True
        store.start()
        rival = self._process(store, clock)
        await rival.start()
        await rival.recover()
        await asyncio.sleep(self._dice.random() * self._dice.choice((0.01, 1, 20)))
        store.die()

    async def _one(self, execution_id: str, number: int) -> None:
        """Have it accepted, however often that takes, and wait for its end."""
        while execution_id not in self.told.accepted:
            try:
                await self._running.submit(flows.flow(number), b'{"n": 1}', execution_id=execution_id)
            except StoreError:
                await asyncio.sleep(1)
                continue
            except UserError:
                pass  # it is there: an earlier life was not told so
            self.told.accepted.add(execution_id)
        await self._watch(execution_id)

    async def _watch(self, execution_id: str) -> None:
        """Until its end is durable; where this process lets it go, until it is taken up again."""
        while (row := self._store.row(execution_id)) is not None and row.status in UNENDED:
            live = self._running.live(execution_id)
            if live is None or not self._waits:
                await asyncio.sleep(1)
                continue
            with suppress(StoreError):
                outcome = await self._running.outcome(live)
                self.told.ended[execution_id] = (outcome.status, digest(live.state))

    def _tell_results(self) -> None:
        for row in self._store.search(ExecutionQuery(limit=1_000)):
            state = self._running.library.replay(row.execution_id, row.definition)
            outcome = self._running.outcome_of(state)
            # Of two branches that fail, chance decides which is first.
            value = "" if outcome.error else msgspec.json.encode(outcome.output).decode()
            self.told.results[row.execution_id] = (outcome.status, value)

    # --- people ---

    async def _attend(self) -> None:
        """Whatever a person should do and has not, because a process died or the store refused, is done in time."""
        while True:
            for execution_id in self._left():
                await self._nudge(execution_id)
            await asyncio.sleep(60)

    async def _nudge(self, execution_id: str) -> None:
        row = self._store.row(execution_id)
        if row is None or not self._running.holds(execution_id):
            return
        # From the journal, so that a passive one whose timer is lost is not woken by being looked at.
        state = self._running.library.replay(execution_id, row.definition)
        if state.paused:
            await self._try(self._running.resume(execution_id))
        for frame in list(state.frames.values()):
            for number, wait in list((frame.suspensions or {}).items()):
                if wait.signal or frame.status[number] == st.ASKING:
                    await self._signal(execution_id, wait.signal or frame.scope.ids[number])

    async def _meddle(self, clock: PlayedClock) -> None:
        """Pause, resume, cancel, and set the clock, now and then."""
        for _ in range(self._dice.randrange(4)):
            await asyncio.sleep(self._dice.random() * self._dice.choice((0.02, 20)))
            execution_id = self._dice.choice(self._wanted)[0]
            what = self._dice.randrange(8)
            if what == 0:
                clock.ahead += self._dice.choice((-1, 1)) * self._dice.random() * 100_000
            elif what == 1:
                self._cancelled.add(execution_id)
                await self._cancel(execution_id)
            elif what == 2:
                await self._try(self._rival(clock))
            elif what < 6:
                await self._try(self._running.pause(execution_id))
                await asyncio.sleep(self._dice.random())
                while (live := await self._at_hand(execution_id)) and live.state.paused and not live.state.ended:
                    await self._try(self._running.resume(execution_id))
                    await asyncio.sleep(0.1)

    async def _at_hand(self, execution_id: str) -> LiveExecution | None:
        """What this process has, taken up if it is passive."""
        with suppress(StoreError):
            await self._running.passivation.wake(execution_id)
        return self._running.live(execution_id)

    async def _cancel(self, execution_id: str) -> None:
        try:
            await self._running.cancel(execution_id, "somebody")
        except FlowscopeError:
            return
        row = self._store.row(execution_id)
        if row is None or row.status in UNENDED:
            self.violations.append(f"I9: {execution_id} is {row and row.status} though its cancel was acknowledged")

    async def _signal(self, execution_id: str, name: str) -> None:
        while True:
            try:
                await self._running.signal(execution_id, name, {"by": "somebody"})
            except StoreError:
                await asyncio.sleep(1)
                continue
            except FlowscopeError:
                pass
            return

    @staticmethod
    async def _try(work: Any) -> None:
        with suppress(FlowscopeError):
            await work

    # --- Publisher ---

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        execution_id = segment.execution_id
        self.told.shown[execution_id] = max(segment.last_seq, self.told.shown.get(execution_id, 0))
        stored = self._store.row(execution_id)
        if stored is None or stored.last_seq < segment.last_seq:
            self.violations.append(f"I6: {execution_id} {segment.last_seq} is shown before it is durable")
        view = self._views.get(execution_id)
        if view is None:
            view = self._views[execution_id] = ExecutionView(execution_id)
        if view.seq and view.seq < segment.first_seq - 1 and not self._shared:
            self.violations.append(f"I5: {execution_id} is shown from {segment.first_seq} on, after {view.seq}")
        for event in events:
            if isinstance(event, NodeSuspended) and event.signal:
                self._own(self._signal(execution_id, event.signal))
            elif isinstance(event, NodeLost) and event.outcome == "ask":
                self._own(self._signal(execution_id, event.node_id))
            if view.seq == event.seq - 1:
                view.apply(event)

    def murmur(self, word: Progress | LogLine) -> None:
        """Nothing."""

    # --- steps ---

    @property
    def events(self) -> int:
        """How many the journals hold in the end."""
        return self._oracle.events

    def journal(self) -> bytes:
        """All that is left, in one."""
        return b"".join(row.execution_id.encode() + row.journal for row in self._ashes.rows())

    def _judge_views(self) -> None:
        """Who has seen an execution from its first event to its last has seen what the journal says."""
        for row in self._ashes.rows():
            view = self._views.get(row.execution_id)
            if view is None or not view.ended:
                continue
            again = ExecutionView(row.execution_id)
            for event in decode_lines(row.journal):
                again.apply(event)
            if msgspec.json.encode(_shown(again)) != msgspec.json.encode(_shown(view)):
                self.violations.append(f"I5: {row.execution_id} was not shown as it was")

    @property
    def _running(self) -> WorkflowOrchestrator:
        assert self._orchestrator is not None
        return self._orchestrator

    def _left(self) -> list[str]:
        return [row.execution_id for row in self._store.search(ExecutionQuery(statuses=UNENDED, limit=1_000))]

    def _own(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._people.add(task)
        task.add_done_callback(self._people.discard)


def _shown(view: ExecutionView) -> Any:
    return [view.status, view.seq, view.counts, [(one.node_id, one.status, one.detail) for one in view.nodes.values()]]


@cache
def _undisturbed(number: int) -> dict[str, tuple[str, str]]:
    """How a workflow and those it calls end when nothing happens to it, by their identities."""
    world = World(0, disturbed=False, only=number)
    violations = world.run()
    if violations:
        raise AssertionError(f"flow {number}, undisturbed: {violations}")
    results = {identity(execution_id): result for execution_id, result in world.told.results.items()}
    name = f"flow{number}-0"
    # A run that fails cancels those it has called, if it is in time.
    return results if results[name][0] == "success" else {name: results[name]}
