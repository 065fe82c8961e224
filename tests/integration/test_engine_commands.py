"""Commands to running executions, waits, time-outs and retries, on a real store."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from acceptance.nodes import Gate, ThreadGate, registry_with
from acceptance.notation import chain, graph, one
from acceptance.watcher import Watcher
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine
from flowscope.errors import ExecutionEnded, ExecutionNotFound, NodeError, SignalNotAwaited
from flowscope.execution.events import (
    ExecutionCancelled,
    ExecutionPaused,
    ExecutionResumed,
    NodeCancelled,
    NodeExpanded,
    NodeFailed,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
)
from flowscope.nodes.context import NodeContext
from flowscope.nodes.sdk import node

GATED = chain("gated", one("go", "manual_trigger"), one("wall", "gate"), one("end", "noop"))
THREADED = chain("threaded", one("go", "manual_trigger"), one("wall", "thread_gate"), one("end", "noop"))
WAITING = chain("waiting", one("go", "manual_trigger"), one("ask", "wait", {"signal": "yes"}), one("end", "noop"))


# --- cancel ---


async def test_cancel_ends_a_running_async_node(tmp_path: Path) -> None:
    gate, watcher = Gate(), Watcher()
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(GATED)
        await gate.entered.wait()
        await run.cancel("enough")
        # Acknowledged, so ended and durable.
        row = engine.store.row(run.execution_id)
        assert row is not None
        assert row.status == "cancelled"
        assert (await run.outcome()).status == "cancelled"
        with pytest.raises(ExecutionEnded, match="cancelled"):
            await run.cancel()
    assert gate.cancelled == 1
    assert [event.node_id for event in watcher.of(NodeCancelled)] == ["wall"]
    assert [event.node_id for event in watcher.of(NodeSkipped)] == ["end"]
    assert watcher.of(ExecutionCancelled)[0].reason == "enough"


async def test_cancel_ends_a_node_in_a_thread_and_drops_its_late_answer(tmp_path: Path) -> None:
    gate, watcher = ThreadGate(), Watcher()
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(THREADED)
        await gate.entered.wait()
        await run.cancel()
        assert (await run.outcome()).status == "cancelled"
        await gate.told.wait()
        # Another run goes through the same pool afterwards.
        gate.open.set()
        assert await (await engine.start(THREADED, {"n": 1})).result() == {"n": 1}
    assert not [event for event in watcher.of(NodeSucceeded, run.execution_id) if event.node_id == "wall"]


async def test_cancel_while_waiting_and_while_paused(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        run = await engine.start(WAITING)
        await run.cancel()
        assert (await run.outcome()).status == "cancelled"
        run = await engine.start(WAITING)
        await run.pause()
        await run.cancel()
        assert (await run.outcome()).status == "cancelled"
        run = await engine.start(WAITING, execution_id="later")
    async with Engine(tmp_path, recover=False) as engine:
        await engine.run("later").cancel("nobody runs it")
        assert (await engine.run("later").outcome()).status == "cancelled"
        with pytest.raises(ExecutionNotFound):
            await engine.orchestrator.cancel("nobody")


async def test_many_cancels_at_once_are_one(tmp_path: Path) -> None:
    gate, watcher = Gate(), Watcher()
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(GATED)
        await gate.entered.wait()
        ended: list[str] = []

        async def cancel() -> None:
            try:
                await run.cancel()
            finally:
                # Whoever is told that it has ended is told what is durable.
                row = engine.store.row(run.execution_id)
                ended.append(row.status if row else "")

        answers = await asyncio.gather(*(cancel() for _ in range(10)), return_exceptions=True)
        assert ended == ["cancelled"] * 10
        assert sum(answer is None for answer in answers) == 1
        assert all(answer is None or isinstance(answer, ExecutionEnded) for answer in answers)
    assert len(watcher.of(ExecutionCancelled)) == 1


async def test_cancel_in_the_midst_of_a_map(tmp_path: Path) -> None:
    gate, watcher = Gate(), Watcher()
    document = chain(
        "mapped", one("go", "manual_trigger"), one("items", "set", {"fields": {"items": "{{ range(50) }}"}}),
        one("each", "map", {"concurrency": 7}), one("wall", "gate", {}, "each"),
    )  # fmt: skip
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(document)
        await watcher.event(NodeStarted, node_id="wall", path="each[6]")
        await gate.entered.wait()
        await run.cancel()
    assert gate.cancelled == gate.calls
    started = {(event.path, event.node_id) for event in watcher.of(NodeStarted)}
    assert {(event.path, event.node_id) for event in watcher.of(NodeCancelled)} <= started
    assert len(watcher.of(NodeCancelled)) == 8


# --- pause and resume ---


async def test_a_pause_lets_finish_what_runs_and_starts_nothing(tmp_path: Path) -> None:
    gate, watcher = Gate(), Watcher()
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(GATED, {"n": 1})
        await gate.entered.wait()
        await run.pause()
        await run.pause()
        gate.open.set()
        await watcher.event(NodeSucceeded, node_id="wall")
        row = engine.store.row(run.execution_id)
        assert row is not None
        assert (row.status, row.detail) == ("waiting", "paused")
        assert not [event for event in watcher.of(NodeStarted) if event.node_id == "end"]
        await run.resume()
        assert await run.result() == {"n": 1}
        with pytest.raises(ExecutionEnded):
            await run.resume()
    assert len(watcher.of(ExecutionPaused)) == len(watcher.of(ExecutionResumed)) == 1


async def test_a_pause_outlives_a_restart(tmp_path: Path) -> None:
    gate = Gate()
    async with Engine(tmp_path, registry=registry_with(gate.type), grace=0) as engine:
        run = await engine.start(GATED)
        await gate.entered.wait()
        await run.pause()
    again = Gate()
    async with Engine(tmp_path, registry=registry_with(again.type)) as engine:
        row = engine.store.row(run.execution_id)
        assert row is not None
        assert (row.status, row.detail) == ("waiting", "paused")
        assert again.calls == 0
        again.open.set()
        await engine.run(run.execution_id).resume()
        assert await engine.run(run.execution_id).result() == {}
    assert again.calls == 1


async def test_a_wait_that_is_over_during_a_pause_ends_after_it(tmp_path: Path) -> None:
    document = chain("resting", one("go", "manual_trigger"), one("rest", "wait", {"duration": 2_000}))
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        run = await engine.start(document)
        await run.pause()
        suspended = watcher.of(NodeSuspended)
        # A second wait that begins later and ends later: when it is over, so is the paused one.
        await (await engine.start(document)).result()
        assert len([event for event in watcher.of(NodeSucceeded, run.execution_id) if event.node_id == "rest"]) == 0
        await run.resume()
        await run.result()
        ended = await watcher.event(NodeSucceeded, run.execution_id, node_id="rest")
        assert not suspended or ended.at >= suspended[0].until


# --- signals and waits ---


async def test_a_signal_answers_a_wait(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        run = await engine.start(WAITING)
        with pytest.raises(SignalNotAwaited, match="'no'"):
            await run.signal("no")
        await run.signal("yes", {"by": "me"})
        assert await run.result() == {"by": "me"}
        with pytest.raises(ExecutionEnded):
            await run.signal("yes")
        with pytest.raises(ExecutionNotFound):
            await engine.orchestrator.signal("nobody", "yes")
        run = await engine.start(WAITING)
        await run.signal("ask", "by the node's id")
        assert await run.result() == "by the node's id"
        run = await engine.start(WAITING)
        with pytest.raises(NodeError, match="JSON"):
            await run.signal("yes", object())
        await run.cancel()


async def test_one_signal_of_many_is_the_answer(tmp_path: Path) -> None:
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        run = await engine.start(WAITING)
        answers = await asyncio.gather(*(run.signal("yes", n) for n in range(10)), return_exceptions=True)
        assert sum(answer is None for answer in answers) == 1
        assert await run.result() == answers.index(None)


async def test_a_signal_that_does_not_come_in_time(tmp_path: Path) -> None:
    document = chain("late", one("go", "manual_trigger"), one("ask", "wait", {"signal": "yes", "duration": 5}))
    async with Engine(tmp_path) as engine:
        outcome = await (await engine.start(document)).outcome()
        assert outcome.error is not None
        assert (outcome.status, outcome.error.type) == ("failed", "NodeTimeout")
        assert "'yes'" in outcome.error.message


@pytest.mark.parametrize("field", ["duration", "until"])
async def test_a_wait_for_a_time(tmp_path: Path, field: str) -> None:
    began = time.time() * 1000
    value = 30 if field == "duration" else began + 30
    document = chain("resting", one("go", "manual_trigger"), one("rest", "wait", {field: value}), one("end", "noop"))
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        assert await (await engine.start(document, {"n": 1})).result() == {"n": 1}
    assert time.time() * 1000 >= began + 30
    assert (await watcher.event(NodeSuspended)).kind == field


async def test_a_wait_goes_on_through_a_restart_and_ends_at_once_if_it_is_over(tmp_path: Path) -> None:
    document = chain("resting", one("go", "manual_trigger"), one("rest", "wait", {"duration": 20}))
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        run = await engine.start(document)
        suspended = await watcher.event(NodeSuspended)
    async with Engine(tmp_path) as engine:
        await engine.run(run.execution_id).result()
        ended = [event async for event in engine.run(run.execution_id).events()][-1]
        assert ended.at >= suspended.until


# --- time-outs ---


async def test_an_async_node_that_takes_too_long(tmp_path: Path) -> None:
    gate = Gate()
    document = chain("slow", one("go", "manual_trigger"), one("wall", "gate", {"timeout": 20}))
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        outcome = await (await engine.start(document)).outcome()
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.node_id) == ("NodeTimeout", "wall")
    assert "20 ms" in outcome.error.message
    assert gate.cancelled == 1


async def test_a_thread_that_takes_too_long_is_told_and_forgotten(tmp_path: Path) -> None:
    gate = ThreadGate()
    document = chain("slow", one("go", "manual_trigger"), one("wall", "thread_gate", {"timeout": 20}))
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        outcome = await (await engine.start(document)).outcome()
        assert outcome.error is not None
        assert (outcome.error.type, outcome.error.node_id) == ("NodeTimeout", "wall")
        await gate.told.wait()


async def test_a_time_out_inside_a_handler_is_its_own(tmp_path: Path) -> None:
    @node("raises", title="Raises", category="testing", effects="external")
    async def raises() -> JSON:
        raise TimeoutError("of the handler's own")

    document = chain("slow", one("go", "manual_trigger"), one("work", "raises", {"timeout": 60_000}))
    async with Engine(tmp_path, registry=registry_with(raises)) as engine:
        outcome = await (await engine.start(document)).outcome()
    assert outcome.error is not None
    assert (outcome.error.type, outcome.error.message) == ("TimeoutError", "of the handler's own")


async def test_a_run_that_takes_too_long(tmp_path: Path) -> None:
    gate = Gate()
    document = {**GATED, "settings": {"timeout": 30}}
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        outcome = await (await engine.start(document)).outcome()
    assert outcome.error is not None
    assert (outcome.status, outcome.error.type) == ("failed", "Timeout")
    assert gate.cancelled == 1


async def test_the_run_s_time_goes_on_while_nobody_runs_it(tmp_path: Path) -> None:
    document = {**WAITING, "settings": {"timeout": 30}}
    async with Engine(tmp_path) as engine:
        run = await engine.start(document)
    async with Engine(tmp_path) as engine:
        outcome = await engine.run(run.execution_id).outcome()
        assert outcome.error is not None
        assert outcome.error.type == "Timeout"


async def test_a_container_and_a_sub_workflow_that_take_too_long(tmp_path: Path) -> None:
    gate = Gate()
    each = chain(
        "mapped", one("go", "manual_trigger"), one("items", "set", {"fields": {"items": [1, 2]}}),
        one("each", "map", {"timeout": 30}), one("wall", "gate", {}, "each"),
    )  # fmt: skip
    called = chain(
        "calling", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": WAITING, "timeout": 30})
    )
    watcher = Watcher()
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        for document, at in ((each, "each"), (called, "call")):
            outcome = await (await engine.start(document, execution_id=at)).outcome()
            assert outcome.error is not None
            assert (outcome.error.type, outcome.error.node_id) == ("NodeTimeout", at)
        # What it had called is ended with it.
        await watcher.event(ExecutionCancelled, "call:call")
    assert gate.cancelled == gate.calls == 2


# --- retries ---


async def test_retries_back_off_with_jitter_and_keep_the_key(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []

    @node("flaky", title="Flaky", category="testing", effects="external")
    async def flaky(context: NodeContext) -> JSON:
        seen.append((context.attempt, context.idempotency_key))
        if context.attempt < 4:
            raise NodeError("not yet")
        return {"attempt": context.attempt}

    retry = {"attempts": 4, "delay": 10, "factor": 2, "maxDelay": 15, "jitter": 0.5}
    document = chain("retried", one("go", "manual_trigger"), one("work", "flaky", {"retry": retry}))
    watcher = Watcher()
    async with Engine(tmp_path, registry=registry_with(flaky), publisher=watcher) as engine:
        assert await (await engine.start(document, execution_id="r")).result() == {"attempt": 4}
    assert seen == [(attempt, "r:work") for attempt in (1, 2, 3, 4)]
    failures = watcher.of(NodeFailed)
    delays = [event.retry_at - event.at for event in failures]
    assert all(
        low <= delay <= high for delay, (low, high) in zip(delays, ((5, 15), (7.5, 22.5), (7.5, 22.5)), strict=True)
    )
    starts = [event for event in watcher.of(NodeStarted) if event.node_id == "work"]
    assert all(start.at >= failure.retry_at for start, failure in zip(starts[1:], failures, strict=True))


async def test_jitter_spreads_retries(tmp_path: Path) -> None:
    retry = {"attempts": 2, "delay": 100, "jitter": 1}
    document = graph(
        "spread",
        [one("go", "manual_trigger"), *(one(f"n{k}", "simulate", {"fail": [1], "retry": retry}) for k in range(30))],
        [f"go -> n{k}" for k in range(30)],
    )
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        await (await engine.start(document)).result()
    delays = {round(event.retry_at - event.at, 3) for event in watcher.of(NodeFailed)}
    assert len(delays) > 20
    assert max(delays) - min(delays) > 20


async def test_what_cannot_help_is_not_tried_again(tmp_path: Path) -> None:
    retry = {"attempts": 5, "delay": 1}
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        for kind, config in (("stop_and_error", {}), ("set", {"fields": {"a": "{{ nothing.here }}"}})):
            document = chain("once", one("go", "manual_trigger"), one("bad", kind, {**config, "retry": retry}))
            assert (await (await engine.start(document)).outcome()).status == "failed"
    assert [event.retry_at for event in watcher.of(NodeFailed)] == [0, 0]


async def test_a_timed_out_attempt_is_tried_again(tmp_path: Path) -> None:
    gate, watcher = Gate(), Watcher()
    retry: dict[str, Any] = {"attempts": 2, "delay": 1}
    document = chain("slow", one("go", "manual_trigger"), one("wall", "gate", {"timeout": 20, "retry": retry}))
    async with Engine(tmp_path, registry=registry_with(gate.type), publisher=watcher) as engine:
        run = await engine.start(document, {"n": 1})
        await watcher.event(NodeFailed)
        gate.open.set()
        assert await run.result() == {"n": 1}
    assert gate.calls == 2


async def test_cancel_and_pause_between_two_attempts(tmp_path: Path) -> None:
    retry = {"attempts": 2, "delay": 60_000}
    document = chain("far", one("go", "manual_trigger"), one("bad", "simulate", {"fail": True, "retry": retry}))
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        run = await engine.start(document)
        await watcher.event(NodeFailed)
        await run.pause()
        await run.resume()
        await run.cancel()
        assert (await run.outcome()).status == "cancelled"


async def test_a_map_is_tried_again_as_a_whole(tmp_path: Path) -> None:
    document = chain(
        "again", one("go", "manual_trigger"), one("items", "set", {"fields": {"items": [0, 1, 2]}}),
        one("each", "map", {"concurrency": 1, "retry": {"attempts": 2, "delay": 1}}),
        one("work", "flaky_in_map", {}, "each"),
    )  # fmt: skip
    keys: list[str] = []

    @node("flaky_in_map", title="Flaky", category="testing", effects="external")
    async def flaky_in_map(input: JSON, context: NodeContext) -> JSON:
        keys.append(context.idempotency_key)
        if len(keys) == 2:
            raise NodeError("once")
        return input

    watcher = Watcher()
    async with Engine(tmp_path, registry=registry_with(flaky_in_map), publisher=watcher) as engine:
        assert await (await engine.start(document, execution_id="m")).result() == [0, 1, 2]
    assert len(watcher.of(NodeExpanded)) == 2
    assert keys == ["m:each[0].work", "m:each[1].work", *(f"m:each[{k}].work" for k in range(3))]
