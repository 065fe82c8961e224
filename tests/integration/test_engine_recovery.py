"""Going on after a stop, a crash, a full disk, another owner, poison; and never showing what is not durable."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from acceptance.nodes import Gate, ThreadGate, registry_with
from acceptance.notation import chain, one
from acceptance.watcher import Watcher
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine
from flowscope.errors import ExecutionEnded, FlowscopeError, StoreConflict, StoreUnavailable
from flowscope.execution.events import (
    ExecutionFailed,
    ExecutionRecovered,
    ExecutionStarted,
    NodeFailed,
    NodeLost,
    NodeReleased,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
)
from flowscope.journal import SqliteStore
from flowscope.nodes.context import NodeContext
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import node
from flowscope.orchestrator.ports import UNENDED, Commit, CommitResult, ExecutionQuery

GATED = chain("gated", one("go", "manual_trigger"), one("wall", "gate"), one("end", "noop"))
WAITING = chain("waiting", one("go", "manual_trigger"), one("ask", "wait", {"signal": "yes"}), one("end", "noop"))


def gated(policy: dict[str, JSON]) -> dict[str, JSON]:
    return chain("gated", one("go", "manual_trigger"), one("wall", "gate", policy), one("end", "noop"))


async def leave_running(directory: Path, document: dict[str, JSON], **facts: Any) -> str:
    """A run whose gate was entered, and whose engine then stopped without waiting for it."""
    gate = Gate()
    async with Engine(directory, registry=registry_with(gate.type), grace=0) as engine:
        run = await engine.start(document, **facts)
        await gate.entered.wait()
    return run.execution_id


# --- lost attempts ---


async def test_a_lost_attempt_runs_again_and_spends_no_retry(tmp_path: Path) -> None:
    execution_id = await leave_running(tmp_path, gated({"retry": {"attempts": 2, "delay": 1}}), input={"n": 1})
    execution_id_2 = execution_id
    for _ in range(3):
        gate = Gate()
        async with Engine(tmp_path, registry=registry_with(gate.type), grace=0):
            await gate.entered.wait()
    gate, watcher = Gate(), Watcher()
    gate.open.set()
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        assert await engine.run(execution_id_2).result() == {"n": 1}
        events = [event async for event in engine.run(execution_id).events()]
    assert [event.attempt for event in events if isinstance(event, NodeLost)] == [1, 2, 3, 4]
    assert [event.epoch for event in events if isinstance(event, ExecutionRecovered)] == [2, 3, 4, 5]
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_a_lost_attempt_fails_where_that_is_wanted(tmp_path: Path) -> None:
    execution_id = await leave_running(tmp_path, gated({"onLost": "fail"}))
    async with Engine(tmp_path, registry=registry_with(Gate().type)) as engine:
        outcome = await engine.run(execution_id).outcome()
        assert outcome.error is not None
        assert (outcome.status, outcome.error.type, outcome.error.node_id) == ("failed", "NodeLost", "wall")


@pytest.mark.parametrize("answer", ["rerun", "fail"])
async def test_a_lost_attempt_asks_where_that_is_wanted(tmp_path: Path, answer: str) -> None:
    execution_id = await leave_running(tmp_path, gated({"onLost": "ask"}), input={"n": 1})
    gate, watcher = Gate(), Watcher()
    gate.open.set()
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        await watcher.event(NodeLost, outcome="ask")
        row = engine.store.row(execution_id)
        assert row is not None
        assert row.status == "waiting"
        assert gate.calls == 0
    # The question outlives another restart.
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        assert gate.calls == 0
        run = engine.run(execution_id)
        await run.signal("wall", answer)
        outcome = await run.outcome()
    assert outcome.status == ("success" if answer == "rerun" else "failed")
    assert len(watcher.of(NodeReleased)) == (1 if answer == "rerun" else 0)
    assert gate.calls == len(watcher.of(NodeReleased))


# --- a graceful stop ---


@pytest.mark.parametrize("blocking", [False, True])
async def test_what_ends_within_the_grace_is_recorded(tmp_path: Path, blocking: bool) -> None:
    gate = ThreadGate() if blocking else Gate()
    document = chain("gated", one("go", "manual_trigger"), one("wall", gate.type.type), one("end", "gate_after"))

    @node("gate_after", title="After", category="testing", effects="external")
    async def after(input: JSON) -> JSON:
        return input

    engine = Engine(tmp_path, registry=registry_with(gate.type, after), grace=30)
    async with engine:
        run = await engine.start(document, {"n": 1})
        await gate.entered.wait()
        stopping = asyncio.create_task(engine.shut_down())
        await asyncio.sleep(0)
        with pytest.raises(StoreUnavailable):
            await engine.start(document)
        gate.open.set()
        await stopping
    watcher = Watcher()
    async with Engine(tmp_path, registry=registry_with(gate.type, after), publisher=watcher) as engine:
        assert await engine.run(run.execution_id).result() == {"n": 1}
    assert gate.calls == 1
    assert watcher.of(NodeLost) == []


async def test_a_sub_workflow_that_ends_within_the_grace_answers_its_caller(tmp_path: Path) -> None:
    gate = Gate()
    inner = chain("inner", one("go", "manual_trigger"), one("wall", "gate"))
    outer = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": inner}))
    engine = Engine(tmp_path, registry=registry_with(gate.type), grace=30)
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    async with engine:
        run = await engine.start(outer, {"n": 1}, execution_id="o")
        other = await engine.start(GATED, {"n": 2})
        await gate.entered.wait()
        stopping = asyncio.create_task(engine.shut_down())
        await asyncio.sleep(0)
        gate.open.set()
        await stopping
    assert problems == []
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        assert await engine.run(run.execution_id).result() == {"n": 1}
        assert await engine.run(other.execution_id).result() == {"n": 2}
    assert gate.calls == 2


async def test_stop_is_safe_twice_and_unstarted(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    await engine.shut_down()
    await engine.start_up()
    await engine.shut_down()
    await engine.shut_down()
    await engine.start_up()
    assert await (await engine.start(chain("one", one("go", "manual_trigger")), {"n": 1})).result() == {"n": 1}
    await engine.shut_down()


# --- a store that fails ---


class Refusing(SqliteStore):
    """A store whose disk is full while `full` is set."""

    full = False

    def submit(self, commit: Commit) -> None:
        if self.full:
            commit.done(CommitResult(error=StoreUnavailable("the disk is full")))
        else:
            super().submit(commit)


async def test_a_full_disk_refuses_starts_and_shows_nothing(tmp_path: Path) -> None:
    gate, watcher, store = Gate(), Watcher(), Refusing(tmp_path)
    async with Engine(store=store, registry=registry_with(gate.type), publisher=watcher) as engine:
        store.full = True
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="full"):
                await engine.start(GATED)
        assert (watcher.shown, engine.executions(), gate.calls) == ([], [], 0)
        store.full = False
        gate.open.set()
        assert await (await engine.start(GATED, {"n": 1})).result() == {"n": 1}


async def test_a_disk_that_fills_up_in_the_midst_shows_nothing_and_starts_no_effect(tmp_path: Path) -> None:
    gate, watcher, store = Gate(), Watcher(), Refusing(tmp_path)
    document = chain("two", one("go", "manual_trigger"), one("first", "gate"), one("second", "gate"))
    async with Engine(store=store, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(document, {"n": 1})
        await gate.entered.wait()
        shown = len(watcher.shown)
        store.full = True
        gate.open.set()
        with pytest.raises(StoreUnavailable, match="full"):
            await run.outcome()
        with pytest.raises(StoreUnavailable, match="full"):
            await engine.run(run.execution_id).pause()
        assert (len(watcher.shown), gate.calls) == (shown, 1)
        store.full = False
        await engine.orchestrator.recover()
        assert await engine.run(run.execution_id).result() == {"n": 1}
    assert gate.calls == 3
    assert [event.attempt for event in watcher.of(NodeLost)] == [1]


async def test_a_disk_that_is_full_for_real_keeps_what_was_accepted(tmp_path: Path) -> None:
    accepted: list[str] = []
    refused = 0
    store = SqliteStore(tmp_path, page_limit=400)
    async with Engine(store=store) as engine:
        for n in range(200):
            try:
                accepted.append((await engine.start(WAITING, {"n": n, "text": "x" * 20_000})).execution_id)
            except StoreUnavailable as error:
                assert "full" in str(error)
                refused += 1
    assert accepted
    assert refused
    async with Engine(tmp_path) as engine:
        assert {row.execution_id for row in engine.executions(ExecutionQuery(limit=1_000))} == set(accepted)
        for execution_id in accepted:
            await engine.run(execution_id).signal("yes")
            assert (await engine.run(execution_id).outcome()).status == "success"


# --- another owner ---


async def test_when_somebody_else_has_claimed_it_this_process_steps_back(tmp_path: Path) -> None:
    gate, watcher = Gate(), Watcher()
    document = chain("two", one("go", "manual_trigger"), one("first", "gate"), one("second", "gate"))
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(document, {"n": 1})
        await gate.entered.wait()
        shown = len(watcher.shown)
        engine.store.claim([run.execution_id])
        gate.open.set()
        with pytest.raises(StoreConflict):
            await run.outcome()
        assert (len(watcher.shown), gate.calls) == (shown, 1)
        # Nobody runs it now, so whoever asks takes it up again.
        assert await engine.run(run.execution_id).result() == {"n": 1}
        events = [event async for event in run.events()]
    assert [event.epoch for event in events if isinstance(event, ExecutionRecovered)] == [3]
    assert gate.calls == 3


# --- poison ---


POISON: dict[str, bytes] = {
    "not JSON": b"\xff\xfe not JSON at all\n",
    "cut off": b'{"type":"NodeStarted","seq":6,"at":0,"no',
    "unknown event": b'{"type":"NodeInvented","seq":6,"at":0,"nodeId":"ask"}\n',
    "unknown node": b'{"type":"NodeStarted","seq":6,"at":0,"nodeId":"nobody"}\n',
    "unknown path": b'{"type":"NodeStarted","seq":6,"at":0,"nodeId":"ask","path":"no[3]"}\n',
    "seq": b'{"type":"NodeStarted","seq":9,"at":0,"nodeId":"ask"}\n',
    "illegal": b'{"type":"NodeSucceeded","seq":6,"at":0,"nodeId":"end"}\n',
    "empty": b"",
}


@pytest.mark.parametrize("poison", POISON)
async def test_a_poisoned_journal_is_quarantined_and_stops_nobody_else(tmp_path: Path, poison: str) -> None:
    async with Engine(tmp_path) as engine:
        for n in range(12):
            await engine.start(WAITING, {"n": n}, execution_id=f"good{n}")
        await engine.start(WAITING, execution_id="bad")
    with closing(apsw.Connection(str(tmp_path / "flowscope.db"))) as database:
        ((number,),) = database.execute("SELECT number FROM executions WHERE execution_id = 'bad'")
        # After the five events up to the suspended wait.
        database.execute(
            "UPDATE segments SET lines = CAST(lines || ? AS BLOB), last_seq = 6 WHERE key >> 32 = ? AND last_seq = 5",
            (POISON[poison], number),
        )
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        for n in range(12):
            await engine.run(f"good{n}").signal("yes", n)
            assert await engine.run(f"good{n}").result() == n
        for _ in range(2):
            await engine.orchestrator.recover()
        event = await watcher.event(ExecutionFailed, "bad")
        assert event.error.type == "Quarantined"
        row = engine.store.row("bad")
        assert row is not None
        assert (row.status, row.error) == ("failed", event.error.message)
        with pytest.raises(ExecutionEnded):
            await engine.run("bad").cancel()
        with pytest.raises(FlowscopeError):
            await engine.run("bad").result()
    async with Engine(tmp_path) as engine:
        assert engine.executions(ExecutionQuery(statuses=UNENDED)) == []


async def test_a_caller_hears_that_its_sub_workflow_was_quarantined(tmp_path: Path) -> None:
    outer = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": WAITING}))
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        for name in ("early", "late"):
            await engine.start(outer, execution_id=name)
            await watcher.event(NodeSuspended, f"{name}:call", signal="yes")
    with closing(apsw.Connection(str(tmp_path / "flowscope.db"))) as database:
        database.execute(
            "UPDATE segments SET lines = CAST('poison' AS BLOB) WHERE key >> 32 IN"
            " (SELECT number FROM executions WHERE execution_id LIKE '%:call')"
        )
    async with Engine(tmp_path) as engine:
        for _ in range(2):
            await engine.orchestrator.recover()
        outcome = await engine.run("early").outcome()
        assert outcome.error is not None
        assert (outcome.status, outcome.error.type, outcome.error.node_id) == ("failed", "Quarantined", "call")
        assert (await engine.run("late").outcome()).status == "failed"


async def test_a_call_that_was_cancelled_before_it_was_durable_starts_nothing(tmp_path: Path) -> None:
    gate = Gate()
    inner = chain("inner", one("go", "manual_trigger"), one("wall", "gate"))
    outer = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": inner}))
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        starting = asyncio.create_task(engine.start(outer, execution_id="o"))
        await asyncio.sleep(0)  # it is admitted
        await asyncio.sleep(0)  # it has had its turn, and nothing of that is durable
        live = engine.orchestrator.live("o")
        assert live is not None
        assert live.committed < live.state.seq
        await engine.orchestrator.cancel("o")
        assert (await (await starting).outcome()).status == "cancelled"
        # By the time another one is through, that child would have been there.
        gate.open.set()
        await (await engine.start(outer, execution_id="p")).result()
        assert {row.execution_id for row in engine.executions()} == {"o", "p", "p:call"}
    assert gate.calls == 1


# --- a node type that is missing ---


async def test_a_node_type_that_is_missing_holds_the_run_and_is_named(tmp_path: Path) -> None:
    execution_id = await leave_running(tmp_path, GATED, input={"n": 1})
    async with Engine(tmp_path, registry=registry_with()) as engine:
        row = engine.store.row(execution_id)
        assert row is not None
        assert row.status in UNENDED
        with pytest.raises(LookupError, match="'gate'"):
            await engine.run(execution_id).outcome()
        assert await (await engine.start(chain("x", one("go", "manual_trigger")), {"n": 2})).result() == {"n": 2}
    gate = Gate()
    gate.open.set()
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        assert await engine.run(execution_id).result() == {"n": 1}


# --- many ---


async def test_many_unfinished_runs_are_taken_up(tmp_path: Path) -> None:
    count = 500
    calls: list[str] = []
    gate = asyncio.Event()

    def registry() -> Registry:
        @node("slow", title="Slow", category="testing", effects="external")
        async def slow(input: JSON, context: NodeContext) -> JSON:
            calls.append(context.execution_id)
            await gate.wait()
            return input

        return registry_with(slow)

    slow = chain("slow", one("go", "manual_trigger"), one("work", "slow"), one("end", "noop"))
    watcher = Watcher()
    async with Engine(tmp_path, registry=registry(), grace=0, publisher=watcher) as engine:
        runs = await asyncio.gather(*(engine.start(slow if n % 2 else WAITING, {"n": n}) for n in range(count)))
        await asyncio.gather(*(watcher.event(NodeSuspended, run.execution_id) for run in runs[::2]))
    calls.clear()
    began = time.perf_counter()
    async with Engine(tmp_path, registry=registry()) as engine:
        seconds = time.perf_counter() - began
        print(f"{count} unfinished runs taken up in {seconds:.2f} s")
        gate.set()
        await asyncio.gather(*(engine.run(run.execution_id).signal("yes", {}) for run in runs[::2]))
        outcomes = await asyncio.gather(*(engine.run(run.execution_id).outcome() for run in runs))
    assert {outcome.status for outcome in outcomes} == {"success"}
    assert sorted(calls) == sorted(run.execution_id for run in runs[1::2])


async def test_recovering_twice_is_recovering_once(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        runs = [await engine.start(WAITING) for _ in range(60)]
    async with Engine(tmp_path, recover=False) as engine:
        counts = await asyncio.gather(*(engine.orchestrator.recover() for _ in range(4)))
        takes = await asyncio.gather(*(engine.take_up(run.execution_id) for run in runs))
        assert max(counts) <= 60
        for take in takes:
            await take.signal("yes")
            events = [event async for event in take.events()]
            assert len([event for event in events if isinstance(event, ExecutionRecovered)]) == 1


def _kinds(events: Sequence[object]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_without_recovery_nothing_runs_until_it_is_asked_for(tmp_path: Path) -> None:
    execution_id = await leave_running(tmp_path, GATED)
    gate, watcher = Gate(), Watcher()
    gate.open.set()
    async with Engine(tmp_path, registry=registry_with(gate.type), recover=False, publisher=watcher) as engine:
        assert watcher.shown == []
        run = await engine.take_up(execution_id)
        await run.result()
        assert _kinds([event async for event in run.events()]) == [
            "ExecutionStarted", "NodeStarted", "NodeSucceeded", "NodeStarted", "ExecutionRecovered", "NodeLost", "NodeStarted",
            "NodeSucceeded", "NodeStarted", "NodeSucceeded", "ExecutionSucceeded",
        ]  # fmt: skip
        with pytest.raises(ExecutionEnded):
            await engine.take_up(execution_id)
    assert not watcher.of(ExecutionStarted)
    assert not watcher.of(NodeFailed)
    assert len(watcher.of(NodeStarted)) == len(watcher.of(NodeSucceeded))
