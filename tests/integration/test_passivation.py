"""Executions that only wait leave memory, and nobody can tell: they go on in time, and for whoever comes."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from acceptance.notation import chain, graph, one
from compatibility.live_server import Client, node, serving
from compatibility.old_client import watching
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine, ExecutionUnsuccessful, Run
from flowscope.errors import StoreConflict, StoreUnavailable
from flowscope.execution.events import ExecutionRecovered, NodeFailed, encode_lines
from flowscope.journal import MemoryStore
from flowscope.orchestrator.passivation import IDLE, LONG
from flowscope.orchestrator.ports import Commit, ExecutionRow, Segment
from flowscope.testing.clock import MovedClock

HOUR = 3_600_000.0
SIGNAL = chain("signal", one("go", "manual_trigger"), one("ask", "wait", {"signal": "on"}), one("end", "noop"))


def timed(duration: Any) -> dict[str, JSON]:
    return chain("timed", one("go", "manual_trigger"), one("rest", "wait", {"duration": duration}), one("end", "noop"))


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():  # noqa: ASYNC110 -- that something has left memory is told to nobody
            await asyncio.sleep(0)


class Place:
    """An engine in memory, with a clock that moves when told."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock = MovedClock()
        self.store = store or MemoryStore()
        self.engine = Engine(None, clock=self.clock, store=self.store)
        self.passivation = self.engine.orchestrator.passivation

    async def started(self, document: dict[str, JSON], detail: str | None = None) -> str:
        """A run that has begun to wait; nobody holds it."""
        run = await self.engine.start(document)
        await self.waits(run.execution_id, detail)
        return run.execution_id

    async def waits(self, execution_id: str, detail: str | None = None) -> None:
        row = self.store.row
        await until(lambda: (found := row(execution_id)) is not None and found.status == "waiting")
        await until(lambda: detail is None or row(execution_id).detail == detail)  # type: ignore[union-attr]  # it is there

    async def passive(self, *execution_ids: str) -> None:
        """Let half a minute pass, as often as it takes."""
        async with asyncio.timeout(60):
            while not set(execution_ids) <= set(self.passivation.passive):
                await self.engine.orchestrator.driver.recorder.flushed()
                self.clock.move(IDLE)
                await asyncio.sleep(0.001)
        for execution_id in execution_ids:
            assert self.engine.orchestrator.live(execution_id) is None

    async def ended(self, execution_id: str) -> str:
        """How it ended, without being woken by that question."""
        await until(lambda: bool(self.store.row(execution_id).ended_at))  # type: ignore[union-attr]  # it is there
        row = self.store.row(execution_id)
        assert row is not None
        return row.status

    def events(self, execution_id: str) -> list[Any]:
        return self.engine.orchestrator.library.history(execution_id)


@asynccontextmanager
async def place(store: MemoryStore | None = None) -> AsyncIterator[Place]:
    here = Place(store)
    async with here.engine:
        yield here


async def test_a_timer_wakes_what_has_left_memory() -> None:
    async with place() as here:
        execution_id = await here.started(timed("2h"))
        await here.passive(execution_id)
        assert here.engine.orchestrator.statistics()["executions"] == 1
        here.clock.move(2 * HOUR - IDLE)
        assert await here.ended(execution_id) == "success"
        assert not here.passivation.passive
        assert here.passivation.woken == 1
        assert not [event for event in here.events(execution_id) if isinstance(event, ExecutionRecovered)]


async def test_what_goes_on_soon_stays() -> None:
    async with place() as here:
        soon = await here.started(timed("59s"))
        late = await here.started(timed("2h"))
        here.clock.move(IDLE - 1)
        await here.engine.orchestrator.driver.recorder.flushed()
        assert not here.passivation.passive
        here.clock.move(1)
        await until(lambda: late in here.passivation.passive)
        assert here.engine.orchestrator.live(soon) is not None
        here.clock.move(IDLE)
        assert await here.ended(soon) == "success"


async def test_thousands_that_are_due_at_one_moment_all_go_on() -> None:
    async with place() as here:
        runs = [await here.started(timed("2h")) for _ in range(1_200)]
        await here.passive(*runs)
        gc.collect()
        assert not here.passivation._kept  # their state is gone, and not only out of sight
        here.clock.move(2 * HOUR)
        for execution_id in runs:
            assert await here.ended(execution_id) == "success"
        assert here.passivation.woken == 1_200


async def test_a_signal_wakes_it() -> None:
    async with place() as here:
        execution_id = await here.started(SIGNAL)
        await here.passive(execution_id)
        await here.engine.orchestrator.signal(execution_id, "on", {"n": 7})
        assert await here.engine.run(execution_id).result() == {"n": 7}
        events = here.events(execution_id)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_it_is_cancelled() -> None:
    async with place() as here:
        execution_id = await here.started(SIGNAL)
        await here.passive(execution_id)
        await here.engine.orchestrator.cancel(execution_id, "no more")
        assert await here.ended(execution_id) == "cancelled"


async def test_a_pause_holds_its_timer_and_its_end_lets_it_go() -> None:
    async with place() as here:
        execution_id = await here.started(timed("2h"))
        await here.passive(execution_id)
        await here.engine.orchestrator.pause(execution_id)
        await here.passive(execution_id)
        woken = here.passivation.woken
        here.clock.move(3 * HOUR)
        await here.engine.orchestrator.driver.recorder.flushed()
        row = here.store.row(execution_id)
        assert row is not None
        assert (row.status, row.detail) == ("waiting", "paused")
        assert here.passivation.woken == woken
        await here.engine.orchestrator.resume(execution_id)
        assert await here.ended(execution_id) == "success"


async def test_a_caller_and_its_child_leave_and_come_back() -> None:
    document = chain(
        "outer",
        one("go", "manual_trigger"),
        one("call", "execute_workflow", {"workflow": timed("2h")}),
        one("end", "noop"),
    )
    async with place() as here:
        caller = (await here.engine.start(document)).execution_id
        child = f"{caller}:call"
        await until(lambda: here.store.row(child) is not None)
        await here.waits(child)
        await here.passive(caller, child)
        await here.engine.take_up(caller)
        await here.engine.orchestrator.driver.recorder.flushed()
        assert here.engine.orchestrator.live(child) is None  # a caller that is woken leaves it alone
        await here.passive(caller)
        here.clock.move(2 * HOUR)
        assert await here.ended(child) == "success"
        assert await here.ended(caller) == "success"


async def test_a_caller_that_is_cancelled_cancels_a_passive_child() -> None:
    document = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": SIGNAL}))
    async with place() as here:
        caller = (await here.engine.start(document)).execution_id
        child = f"{caller}:call"
        await until(lambda: here.store.row(child) is not None)
        await here.waits(child)
        await here.passive(caller, child)
        await here.engine.orchestrator.cancel(caller)
        assert await here.ended(child) == "cancelled"


async def test_iterations_that_wait_go_on_where_they_were() -> None:
    document = graph(
        "each",
        [
            one("go", "manual_trigger"),
            one("each", "map", {"items": "{{ range(5) }}", "concurrency": 2}),
            one("rest", "wait", {"duration": "2h"}, parent="each"),
        ],
        ["go -> each"],
    )
    async with place() as here:
        execution_id = await here.started(document)
        for _ in range(3):
            await here.passive(execution_id)
            here.clock.move(2 * HOUR)
            await until(lambda: execution_id not in here.passivation.passive)
            await here.engine.orchestrator.driver.recorder.flushed()
        assert await here.ended(execution_id) == "success"
        assert here.passivation.woken == 3


async def test_the_times_of_a_run_and_of_a_retry_are_kept() -> None:
    limited = SIGNAL | {"settings": {"timeout": HOUR}}
    failing = chain(
        "failing",
        one("go", "manual_trigger"),
        one("fall", "simulate", {"fail": True, "retry": {"attempts": 2, "delay": HOUR, "maxDelay": HOUR, "jitter": 0}}),
    )
    async with place() as here:
        first = await here.started(limited)
        second = (await here.engine.start(failing)).execution_id
        await until(lambda: any(isinstance(event, NodeFailed) for event in here.events(second)))
        await here.passive(first, second)
        here.clock.move(HOUR)
        assert await here.ended(first) == "failed"
        assert await here.ended(second) == "failed"
        assert sum(isinstance(event, NodeFailed) for event in here.events(second)) == 2


async def test_who_waits_in_the_process_keeps_it_in_memory() -> None:
    async with place() as here:
        run = await here.engine.start(SIGNAL)
        await here.waits(run.execution_id)
        waiting = asyncio.ensure_future(run.result())
        await asyncio.sleep(0)
        here.clock.move(IDLE)
        await here.engine.orchestrator.driver.recorder.flushed()
        assert not here.passivation.passive
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await here.passive(run.execution_id)


async def test_a_handle_from_before_hears_of_the_end() -> None:
    async with place() as here:
        run = await here.engine.start(SIGNAL)
        await here.waits(run.execution_id)
        await here.passive(run.execution_id)
        waiting = asyncio.ensure_future(run.result())
        await asyncio.sleep(0)
        assert run.execution_id in here.passivation.passive  # waiting alone wakes nothing
        await Run(here.engine, run.execution_id).signal("on", {"n": 1})
        assert await waiting == {"n": 1}


async def test_what_somebody_else_has_taken_over_is_not_woken() -> None:
    async with place() as here:
        run = await here.engine.start(SIGNAL)
        await here.waits(run.execution_id)
        await here.passive(run.execution_id)
        waiting = asyncio.ensure_future(run.result())
        await asyncio.sleep(0)
        (claimed,) = here.store.claim([run.execution_id])
        with pytest.raises(StoreConflict):
            await here.engine.orchestrator.signal(run.execution_id, "on")
        with pytest.raises(StoreConflict):
            await waiting
        assert not here.engine.orchestrator.holds(run.execution_id)
        row = here.store.row(run.execution_id)
        assert row is not None
        assert (row.epoch, row.last_seq) == (claimed.epoch, claimed.last_seq)


class Overtaken(MemoryStore):
    """Just before the journal of an execution is read, somebody else takes it over and writes."""

    armed = False

    def read(self, execution_id: str, after: int = 0, limit: int = 10_000) -> Sequence[Segment]:
        if self.armed:
            self.armed = False
            (row,) = self.claim([execution_id])
            seq = row.last_seq + 1
            lines = encode_lines([ExecutionRecovered(seq=seq, at=row.started_at, epoch=row.epoch)])
            segment = Segment(execution_id=execution_id, first_seq=seq, last_seq=seq, epoch=row.epoch, lines=lines)
            written = threading.Event()
            self.submit(Commit(segments=[segment], done=lambda _: written.set()))
            assert written.wait(60)
        return super().read(execution_id, after, limit)


async def test_nobody_goes_on_under_the_epoch_of_another() -> None:
    store = Overtaken()
    async with place(store) as here:
        execution_id = await here.started(SIGNAL)
        await here.passive(execution_id)
        gc.collect()
        store.armed = True
        with pytest.raises(StoreConflict):
            await here.engine.orchestrator.signal(execution_id, "on")
        assert not here.engine.orchestrator.holds(execution_id)
        assert isinstance(here.events(execution_id)[-1], ExecutionRecovered)


async def test_the_sweep_leaves_alone_what_is_passive_and_steps_back_from_what_is_not_ours() -> None:
    async with place() as here:
        ours, theirs = await here.started(SIGNAL), await here.started(SIGNAL)
        await here.passive(ours, theirs)
        (claimed,) = here.store.claim([theirs])
        here.clock.move(10_000)
        await until(
            lambda: here.engine.orchestrator.live(theirs) is not None
        )  # it steps back, and finds it without an owner
        assert ours in here.passivation.passive
        row = here.store.row(ours)
        assert row is not None
        assert row.epoch == 1
        taken_up = here.engine.orchestrator.live(theirs)
        assert taken_up is not None
        assert taken_up.state.epoch > claimed.epoch


async def test_a_long_journal_is_folded_beside_the_loop_once_for_all_who_ask() -> None:
    document = graph(
        "long",
        [
            one("go", "manual_trigger"),
            one("each", "map", {"items": f"{{{{ range({LONG}) }}}}"}),
            one("step", "noop", parent="each"),
            one("ask", "wait", {"signal": "on"}),
        ],
        ["go -> each", "each -> ask"],
    )
    async with place() as here:
        execution_id = await here.started(document)
        await here.passive(execution_id)
        found = await asyncio.gather(*(here.engine.orchestrator.take_up(execution_id) for _ in range(5)))
        assert len(set(found)) == 1
        assert here.passivation.woken == 1
        await here.engine.orchestrator.signal(execution_id, "on", {"n": 1})
        assert await here.ended(execution_id) == "success"


async def test_a_restart_finds_what_was_passive() -> None:
    store = MemoryStore()
    async with place(store) as here:
        run = await here.engine.start(timed("2h"))
        await here.waits(run.execution_id)
        await here.passive(run.execution_id)
        waiting = asyncio.ensure_future(run.result())
        await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await waiting
    async with place(store) as here:
        here.clock.move(3 * HOUR)
        assert await here.ended(run.execution_id) == "success"


async def test_what_cannot_be_read_is_tried_again() -> None:
    class Failing(MemoryStore):
        failing = False

        def row(self, execution_id: str) -> ExecutionRow | None:
            if self.failing:
                raise StoreUnavailable("the disk does not answer")
            return super().row(execution_id)

    store = Failing()
    async with place(store) as here:
        execution_id = await here.started(timed("2h"))
        await here.passive(execution_id)
        store.failing = True
        with pytest.raises(StoreUnavailable):
            await here.engine.orchestrator.pause(execution_id)
        here.clock.move(2 * HOUR)
        due = here.passivation.passive[execution_id].due
        await until(lambda: here.passivation.passive[execution_id].due != due)
        store.failing = False
        here.clock.move(10_000)
        assert await here.ended(execution_id) == "success"


async def test_what_is_woken_again_and_again_leaves_no_pile_of_timers() -> None:
    document = graph(
        "often",
        [
            one("go", "manual_trigger"),
            one("turns", "loop", {"times": 1_200}),
            one("ask", "wait", {"signal": "on", "duration": "90d"}, parent="turns"),
        ],
        ["go -> turns"],
    )
    async with place() as here:
        execution_id = await here.started(document)
        for _ in range(1_200):
            await here.passive(execution_id)
            assert len(here.passivation._due) <= 502
            await here.engine.orchestrator.signal(execution_id, "on")
        assert await here.ended(execution_id) == "success"


# --- through the server ---


@asynccontextmanager
async def house() -> AsyncIterator[Client]:
    """A server whose executions leave memory as soon as they rest."""
    async with serving() as server:
        server.services.engine.orchestrator.passivation.idle = 0
        yield server


async def left(server: Client, *execution_ids: str) -> None:
    passivation = server.services.engine.orchestrator.passivation
    await until(lambda: set(execution_ids) <= set(passivation.passive))


async def test_a_viewer_of_a_passive_run_sees_it_and_goes_on_seeing_it() -> None:
    async with house() as server:
        await server.stored(node("start", "manual_trigger"), node("ask", "wait", signal="on"), node("end", "noop"))
        await server.execute(executionId="v1")
        await left(server, "v1")
        async with watching(server.address, "v1") as viewer:
            snapshot = await viewer.until("EXECUTION_SNAPSHOT")
            assert snapshot["data"]["status"] == "waiting"
            await left(server, "v1")  # who only looks wakes nothing
            response = await server.post("/api/executions/v1/signal", json={"name": "on", "payload": {"n": 1}})
            assert response.status_code == 200, response.text
            assert (await viewer.to_the_end())["status"] == "success"
        assert [entry["status"] for entry in viewer.nodes("end")][-1] == "success"


async def test_commands_and_requests_find_a_passive_run() -> None:
    async with house() as server:
        await server.stored(node("start", "manual_trigger"), node("ask", "wait", signal="on"), node("end", "noop"))
        first = (await server.execute(executionId="c1", input={"n": 1})).json()
        await left(server, "c1")
        again = await server.execute(executionId="c1")
        assert (again.status_code, again.json()) == (202, first)
        await left(server, "c1")
        shown = (await server.get("/api/executions/c1")).json()
        assert shown["status"] == "waiting"
        assert (await server.get("/api/waiting")).json()["waiting"][0]["executionId"] == "c1"
        assert (await server.get("/api/executions/c1/nodes/start/output")).json() == {"n": 1}
        assert (await server.post("/api/executions/c1/pause")).status_code == 200
        await left(server, "c1")
        assert (await server.post("/api/executions/c1/resume")).status_code == 200
        await left(server, "c1")
        metrics = (await server.get("/metrics")).text
        assert "flowscope_runs_live 0.0" in metrics
        assert "flowscope_runs_passive 1.0" in metrics
        assert (await server.post("/api/executions/c1/cancel")).status_code == 200
        assert (await server.until("c1", "cancelled"))["status"] == "cancelled"


async def test_a_caller_answers_with_what_its_passive_child_waits_for() -> None:
    inner = {"id": "inner", "nodes": [node("in", "manual_trigger"), node("ask", "approval", title="Pay?")]}
    inner["edges"] = [{"source": "in", "target": "ask"}]
    async with house() as server:
        await server.stored(node("start", "manual_trigger"), node("call", "execute_workflow", workflow=inner))
        first = await server.execute(executionId="p1")
        assert first.json()["reason"] == "approval", first.text
        await left(server, "p1", "p1:call")
        again = await server.execute(executionId="p1")
        assert (again.status_code, again.json()) == (202, first.json())
        await left(server, "p1", "p1:call")
        (waiting,) = (await server.get("/api/waiting")).json()["waiting"]
        assert (waiting["executionId"], waiting["title"]) == ("p1:call", "Pay?")
        decided = await server.post(f"/api/executions/p1/approvals/{waiting['approvalId']}", json={"approved": True})
        assert decided.status_code == 200, decided.text
        assert (await server.until("p1", "success"))["status"] == "success"


async def test_a_run_that_fails_while_passive_says_why() -> None:
    async with place() as here:
        document = chain("short", one("go", "manual_trigger"), one("ask", "wait", {"signal": "on", "timeout": HOUR}))
        execution_id = await here.started(document)
        await here.passive(execution_id)
        here.clock.move(HOUR)
        assert await here.ended(execution_id) == "failed"
        with pytest.raises(ExecutionUnsuccessful, match="Waited too long for the signal 'on'"):
            await here.engine.run(execution_id).result()
