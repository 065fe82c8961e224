"""Approvals, forms, limits, pins and cached results, on a real store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from acceptance.notation import chain, graph, one
from acceptance.watcher import Watcher
from flowscope.definition import load
from flowscope.engine import Engine, Run
from flowscope.errors import DefinitionInvalid, InputInvalid, NodeError
from flowscope.execution.events import NodeFailed, NodeStarted, NodeSucceeded, NodeSuspended
from flowscope.execution.view import ExecutionView, WorkflowShape
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeConfig, node
from flowscope.testing.clock import MovedClock

DAY = 86_400_000.0


def approving(**config: Any) -> dict[str, Any]:
    ask = one("ask", "approval", {"title": "Pay {{ amount }}?", **config})
    ways = [one("pay", "set", {"fields": {"way": "paid"}}), one("refuse", "set", {"fields": {"way": "refused"}})]
    late = one("late", "set", {"fields": {"way": "late"}})
    return graph(
        "approving",
        [one("go", "manual_trigger"), ask, *ways, late],
        ["go -> ask", "ask.approved -> pay", "ask.rejected -> refuse", "ask.error -> late"],
    )


async def suspended(run: Run) -> NodeSuspended:
    async for event in run.events():
        if isinstance(event, NodeSuspended):
            return event
    raise AssertionError("it never waits")


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ({"decision": "approved", "by": "Grace", "comment": "fine"}, "paid"),
        ({"approved": False, "by": "Grace"}, "refused"),
        (True, "paid"),
        ("reject", "refused"),
    ],
)
async def test_an_approval_goes_on_by_what_was_decided(said: Any, way: str) -> None:
    """F-01."""
    async with Engine(None) as engine:
        run = await engine.start(approving(), {"amount": 12})
        wait = await suspended(run)
        assert (wait.kind, wait.choices, wait.detail) == ("approval", ("approved", "rejected"), "approval: Pay 12?")
        await run.signal(wait.signal, said)
        output = await run.result()
        assert (output["amount"], output["way"], output["approved"]) == (12, way, way == "paid")
        assert output["by"] == (said["by"] if isinstance(said, dict) else "")


async def test_an_approval_takes_no_other_word() -> None:
    async with Engine(None) as engine:
        run = await engine.start(approving(), {"amount": 1})
        wait = await suspended(run)
        refused: list[Any] = ["perhaps", None, {"approved": 1}, {"decision": "approved", "by": 3}, []]
        for said in refused:
            with pytest.raises(InputInvalid):
                await run.signal(wait.signal, said)
        await run.signal("ask", True)  # by the node's id
        assert (await run.result())["way"] == "paid"


@pytest.mark.parametrize(("otherwise", "way"), [("approve", "paid"), ("reject", "refused"), ("fail", "late")])
async def test_an_approval_that_nobody_decides(otherwise: str, way: str) -> None:
    """F-01."""
    clock = MovedClock()
    async with Engine(None, clock=clock) as engine:
        run = await engine.start(approving(waitFor="2d", otherwise=otherwise), {"amount": 12})
        await suspended(run)
        clock.move(2 * DAY)
        output = await run.result()
        assert output["way"] == way
        if otherwise != "fail":
            assert (output["amount"], output["timedOut"]) == (12, True)


async def test_an_approval_outlives_a_restart_with_its_input(tmp_path: Path) -> None:
    """F-01."""
    async with Engine(tmp_path) as engine:
        run = await engine.start(approving(), {"amount": 12, "note": "x" * 100_000})
        wait = await suspended(run)
    async with Engine(tmp_path) as engine:
        run = engine.run(run.execution_id)
        await run.signal(wait.signal, True)
        output = await run.result()
        assert (output["note"], output["way"]) == ("x" * 100_000, "paid")
        recorded = [len(event.output) async for event in run.events() if isinstance(event, NodeSucceeded)]
        assert max(recorded) < 1_000  # the input is not written down again


async def test_an_item_of_a_map_waits_for_its_own_approval() -> None:
    document = graph(
        "each",
        [
            one("go", "manual_trigger"),
            one("each", "map", {"concurrency": 0}),
            one("ask", "approval", {}, parent="each"),
        ],
        ["go -> each"],
    )
    async with Engine(None) as engine:
        run = await engine.start(document, [{"n": 1}, {"n": 2}])
        waits = []
        async for event in run.events():
            if isinstance(event, NodeSuspended):
                waits.append(event)
                if len(waits) == 2:
                    break
        assert waits[0].signal != waits[1].signal
        await run.signal(waits[1].signal, False)
        await run.signal(waits[0].signal, True)
        assert [(item["n"], item["approved"]) for item in await run.result()] == [(1, True), (2, False)]


async def test_a_form_puts_its_fields_over_the_input() -> None:
    """F-02."""
    fields = [{"name": "city", "required": True}]
    async with Engine(None) as engine:
        run = await engine.start(
            chain("f", one("go", "manual_trigger"), one("ask", "form", {"fields": fields})), {"a": 1}
        )
        wait = await suspended(run)
        assert (wait.kind, wait.extends) == ("form", True)
        await run.signal(wait.signal, {"city": "Oslo"})
        assert await run.result() == {"a": 1, "city": "Oslo"}


# --- limits ---


async def test_a_rate_limit_spreads_runs_over_time() -> None:
    """F-03."""
    clock, watcher = MovedClock(), Watcher()
    limited = one("turn", "rate_limit", {"limit": 2, "per": "10s", "key": "spread {{ who }}"})
    async with Engine(None, clock=clock, publisher=watcher) as engine:
        runs = [await engine.start(chain("l", one("go", "manual_trigger"), limited), {"who": "a"}) for _ in range(5)]
        other = await engine.start(chain("l", one("go", "manual_trigger"), limited), {"who": "b"})
        assert await other.result() == {"who": "b"}
        waits = [(await suspended(run)).until - clock.now() for run in runs[2:]]
        assert waits == [10_000, 10_000, 20_000]
        row = engine.store.row(runs[4].execution_id)
        assert row is not None and (row.status, row.detail) == ("waiting", "its turn")
        clock.move(10_000)
        for run in runs[:4]:
            assert await run.result() == {"who": "a"}
        assert engine.run(runs[4].execution_id)._live is None
        clock.move(10_000)
        assert await runs[4].result() == {"who": "a"}


async def test_a_rate_limit_may_send_what_is_too_much_another_way() -> None:
    limited = one("turn", "rate_limit", {"limit": 1, "per": "1h", "onLimit": "skip"})
    document = graph(
        "m",
        [one("go", "manual_trigger"), limited, one("busy", "set", {"fields": {"busy": True}})],
        ["go -> turn", "turn.limited -> busy"],
    )
    async with Engine(None) as engine:
        assert await (await engine.start(document, {})).result() == {}
        assert await (await engine.start(document, {})).result() == {"busy": True}


# --- errors ---


@pytest.mark.parametrize(("fails", "status", "attempts"), [([1, 2], "success", 3), (True, "success", 3)])
async def test_an_error_handler_has_a_node_tried_again(fails: Any, status: str, attempts: int) -> None:
    """F-04."""
    watcher = Watcher()
    document = graph(
        "h",
        [
            one("go", "manual_trigger"),
            one("shaky", "simulate", {"fail": fails, "output": "well"}),
            one("handler", "error_handler", {"retries": 2, "retryDelay": 1}),
        ],
        ["go -> shaky", "shaky.error -> handler"],
    )
    async with Engine(None, publisher=watcher) as engine:
        run = await engine.start(document)
        outcome = await run.outcome()
        assert outcome.status == status
        assert max(event.attempt for event in watcher.of(NodeStarted) if event.node_id == "shaky") == attempts
        handled = [event.node_id for event in watcher.of(NodeSucceeded) if event.node_id == "handler"]
        assert bool(handled) == (fails is True)
        assert len(watcher.of(NodeFailed)) == (3 if fails is True else 2)


# --- pins ---


class Counted(NodeConfig):
    n: int = 0
    token: str = ""


def counted() -> tuple[Registry, list[int]]:
    calls: list[int] = []

    @node("count", title="Count", category="testing", effects="external")
    async def count(config: Counted, input: Any) -> Any:
        """Count."""
        calls.append(config.n)
        if config.n < 0:
            raise NodeError("no")
        return {"n": config.n, "call": len(calls), "token": config.token}

    registry = builtin_registry(entry_points=False)
    registry.add(count)
    return registry, calls


async def test_a_pinned_node_answers_without_running() -> None:
    """F-05."""
    registry, calls = counted()
    pinned = one("count", "count", {"n": 1})
    pinned["data"]["pinned"] = {"output": {"n": 99}, "handle": "output"}
    branch = one("branch", "if_else", {"condition": "n > 100"})
    branch["data"]["pinned"] = {"output": {"b": 1}, "handle": "true"}
    document = graph(
        "p",
        [one("go", "manual_trigger"), pinned, branch, one("yes", "noop"), one("no", "noop")],
        ["go -> count", "count -> branch", "branch.true -> yes", "branch.false -> no"],
    )
    async with Engine(None, registry=registry) as engine:
        run = await engine.start(document)
        assert await run.result() == {"b": 1}
        assert calls == []
        view = ExecutionView(run.execution_id)
        async for event in run.events():
            view.apply(event)
        assert (view.nodes["count"].status, view.nodes["count"].detail) == ("success", "pinned")
        live = await engine.orchestrator.submit(
            engine.orchestrator.library.stored_program(view.definition).plan.workflow, fired=True
        )
        await engine.orchestrator.outcome(live)
        assert calls == [1]


# --- cached results ---


def cached(n: int, ttl: float = DAY, **config: Any) -> dict[str, Any]:
    return chain("c", one("go", "manual_trigger"), one("count", "count", {"n": n, "cache": {"ttl": ttl}, **config}))


async def test_a_result_answers_for_the_same_work_also_after_a_restart(tmp_path: Path) -> None:
    """F-06."""
    registry, calls = counted()
    clock = MovedClock()
    async with Engine(tmp_path, registry=registry, clock=clock) as engine:
        first = await (await engine.start(cached(1), {"a": 1})).result()
        again = await engine.start(cached(1), {"a": 1})
        assert await again.result() == first
        origins = [event.origin async for event in again.events() if isinstance(event, NodeSucceeded)]
        assert origins == ["", "cached"]
        assert calls == [1]
        await (await engine.start(cached(2), {"a": 1})).result()  # another config
        await (await engine.start(cached(1), {"a": 2})).result()  # another input
        assert calls == [1, 2, 1]
    async with Engine(tmp_path, registry=registry, clock=clock) as engine:
        assert await (await engine.start(cached(1), {"a": 1})).result() == first
        assert len(calls) == 3
        clock.move(DAY + 1)
        assert (await (await engine.start(cached(1), {"a": 1})).result())["call"] == 4


async def test_what_fails_or_is_not_declared_is_not_cached(tmp_path: Path) -> None:
    """F-06."""
    registry, calls = counted()
    async with Engine(tmp_path, registry=registry) as engine:
        for _ in range(2):
            assert (await (await engine.start(cached(-1))).outcome()).status == "failed"
            await (
                await engine.start(chain("c", one("go", "manual_trigger"), one("count", "count", {"n": 7})))
            ).result()
        assert calls == [-1, 7, -1, 7]
    assert not (tmp_path / "results.db").exists() or engine.results.statistics()["kept"] == 0


async def test_a_large_result_is_kept_once_and_a_damaged_cache_is_no_harm(tmp_path: Path) -> None:
    registry, calls = counted()
    token = "x" * 200_000
    async with Engine(tmp_path, registry=registry) as engine:
        results = await asyncio.gather(
            *[(await engine.start(cached(1, token=token), {"a": number})).result() for number in range(3)]
        )
        assert {result["token"] for result in results} == {token}
    (tmp_path / "results.db").write_bytes(b"not a database, but long enough to be taken for one" * 100)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"results.db{suffix}").unlink(missing_ok=True)
    before = len(calls)
    async with Engine(tmp_path, registry=registry) as engine:
        assert (await (await engine.start(cached(1, token=token), {"a": 0})).result())["token"] == token
        assert len(calls) == before + 1


async def test_a_pinned_container_and_a_pinned_trigger_answer_too() -> None:
    """F-05."""
    trigger = one("go", "webhook")
    trigger["data"]["pinned"] = {"output": {"items": [1, 2]}}
    each = one("each", "map", {"items": "{{ items }}"})
    each["data"]["pinned"] = {"output": [10, 20]}
    body = one("inner", "stop_and_error", {}, parent="each")
    document = graph("c", [trigger, each, body, one("end", "noop")], ["go -> each", "each -> end"])
    async with Engine(None) as engine:
        run = await engine.start(document)
        assert await run.result() == [10, 20]
        view = ExecutionView(run.execution_id, WorkflowShape.of(load(document, engine.registry)))
        async for event in run.events():
            view.apply(event)
        assert (view.nodes["inner"].status, view.completed_nodes) == ("skipped", 4)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ({"pinned": [1]}, "nodes[1].data.pinned"),
        ({"pinned": {"value": 1}}, "nodes[1].data.pinned"),
        ({"pinned": {"output": 1, "handle": "left"}}, "nodes[1].data.pinned.handle"),
        ({"config": {"cache": 5}}, "nodes[1].data.config.cache"),
        ({"config": {"cache": {"ttl": "1h"}}}, "nodes[1].data.config.cache.ttl"),
        ({"config": {"cache": {"ttl": 5, "key": "x"}}}, "nodes[1].data.config.cache.key"),
    ],
)
async def test_a_pin_or_a_cache_that_makes_no_sense_is_named(data: dict[str, Any], place: str) -> None:
    strange: dict[str, Any] = {"id": "n", "data": {"type": "noop", **data}}
    async with Engine(None) as engine:
        with pytest.raises(DefinitionInvalid) as refused:
            await engine.start(chain("x", one("go", "manual_trigger"), strange))
    assert [problem.place for problem in refused.value.problems] == [place]


async def test_what_does_no_work_cannot_be_cached() -> None:
    async with Engine(None) as engine:
        with pytest.raises(DefinitionInvalid, match="does no work of its own"):
            await engine.start(chain("x", one("go", "manual_trigger", {"cache": {"ttl": 5}})))
