"""The engine on a real store: runs, their events, payloads, sub-workflows, and nodes of other people."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import apsw
import pytest

from acceptance.nodes import Gate, registry_with
from acceptance.notation import chain, graph, one
from acceptance.watcher import Watcher
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine, ExecutionUnsuccessful, run
from flowscope.errors import (
    DefinitionInvalid,
    ExecutionActive,
    ExecutionEnded,
    ExecutionNotFound,
    InputInvalid,
    NodeError,
    StoreUnavailable,
)
from flowscope.execution.events import (
    ExecutionStarted,
    ExecutionSucceeded,
    NodeExpanded,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
)
from flowscope.journal import SqliteStore
from flowscope.nodes.answer import Collected, Items, Output, Wait
from flowscope.nodes.context import NodeContext
from flowscope.nodes.sdk import NodeConfig, node
from flowscope.orchestrator.clock import SystemClock
from flowscope.orchestrator.ports import ExecutionQuery, LogLine, Progress
from flowscope.orchestrator.state_manager import ExecutionStateManager
from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

HELLO = chain("hello", one("go", "manual_trigger"), one("greet", "set", {"fields": {"hello": "{{ name }}"}}))
WAITING = chain("waiting", one("go", "manual_trigger"), one("ask", "wait", {"signal": "yes"}))


class Greeting(NodeConfig):
    to: str = "you"


# --- start, result, outcome ---


async def test_a_run_gives_its_result_and_its_outcome(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        run = await engine.start(HELLO, {"name": "Ada"})
        assert await run.result() == {"name": "Ada", "hello": "Ada"}
        outcome = await run.outcome()
    assert (outcome.status, outcome.workflow_id, outcome.error) == ("success", "hello", None)
    assert outcome.duration_ms >= 0
    assert outcome.execution_id == run.execution_id


async def test_a_start_is_durable_when_it_returns(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        run = await engine.start(WAITING)
        row = engine.store.row(run.execution_id)
        assert row is not None
        assert row.last_seq >= 1
        with apsw.Connection(str(tmp_path / "flowscope.db"), flags=apsw.SQLITE_OPEN_READONLY) as reader:
            assert list(reader.execute("SELECT execution_id FROM executions")) == [(run.execution_id,)]
        reader.close()


async def test_an_ended_run_is_read_again_after_a_restart(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        execution_id = (await engine.start(HELLO, {"name": "Ada"})).execution_id
        first = await engine.run(execution_id).outcome()
    async with Engine(tmp_path) as engine:
        assert await engine.run(execution_id).outcome() == first
        assert await engine.run(execution_id).result() == {"name": "Ada", "hello": "Ada"}


def test_run_blocks_until_the_result(tmp_path: Path) -> None:
    assert run(HELLO, {"name": "Ada"}, data_dir=tmp_path) == {"name": "Ada", "hello": "Ada"}
    stop = chain("stop", one("go", "manual_trigger"), one("end", "stop_and_error", {"errorMessage": "no"}))
    with pytest.raises(ExecutionUnsuccessful, match="at end: no"):
        run(stop, data_dir=tmp_path)


async def test_what_cannot_be_started_is_refused(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        with pytest.raises(DefinitionInvalid, match="nope"):
            await engine.start(chain("bad", one("a", "nope")))
        with pytest.raises(InputInvalid, match="no trigger"):
            await engine.start(HELLO, trigger="elsewhere")
        for bad in ("x" * 129, "a\0b", "a\nb"):
            with pytest.raises(InputInvalid, match="128 visible"):
                await engine.start(HELLO, {"name": 1}, execution_id=bad)
        with pytest.raises(NodeError, match="NaN"):
            await engine.start(HELLO, {"name": float("nan")})
        with pytest.raises(ExecutionNotFound):
            engine.run("nobody")
        assert engine.executions() == []


async def test_an_id_is_used_once(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        waiting = await engine.start(WAITING, execution_id="one")
        with pytest.raises(ExecutionActive):
            await engine.start(WAITING, execution_id="one")
        await waiting.signal("yes")
        await waiting.result()
        with pytest.raises(ExecutionEnded, match="success"):
            await engine.start(WAITING, execution_id="one")
    async with Engine(tmp_path) as engine:
        with pytest.raises(ExecutionEnded, match="success"):
            await engine.start(WAITING, execution_id="one")


async def test_of_many_starts_with_one_id_one_wins(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        answers = await asyncio.gather(
            *(engine.start(WAITING, {"n": n}, execution_id="one") for n in range(20)), return_exceptions=True
        )
        assert sum(isinstance(answer, ExecutionActive) for answer in answers) == 19
        assert len(engine.executions()) == 1


async def test_after_the_end_the_engine_refuses(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        pass
    with pytest.raises(StoreUnavailable):
        await engine.start(HELLO, {"name": 1})


async def test_the_trigger_that_fired_is_the_only_one_active(tmp_path: Path) -> None:
    two = graph(
        "two",
        [
            one("first", "manual_trigger"),
            one("second", "manual_trigger"),
            one("a", "set", {"fields": {"by": "first"}}),
            one("b", "set", {"fields": {"by": "second"}}),
        ],
        ["first -> a", "second -> b"],
    )
    async with Engine(tmp_path) as engine:
        assert await (await engine.start(two, trigger="second")).result() == {"by": "second"}


async def test_a_manual_trigger_fills_in_what_the_input_has_not(tmp_path: Path) -> None:
    defaults = {"name": "Ada", "greeting": "Hello {{ not.an.expression }}"}
    filled = chain("filled", one("go", "manual_trigger", {"defaults": defaults}), one("end", "noop"))
    fired = chain("fired", one("go", "schedule", {"cron": "0 0 * * *"}), one("end", "noop"))
    async with Engine(tmp_path) as engine:
        assert await (await engine.start(filled)).result() == defaults
        assert await (await engine.start(filled, {"name": "Grace", "n": 1})).result() == {
            **defaults,
            "name": "Grace",
            "n": 1,
        }
        assert await (await engine.start(filled, [1])).result() == [1]
        assert await (await engine.start(fired, {"n": 1})).result() == {"n": 1}


# --- events ---


async def test_events_are_followed_while_it_runs(tmp_path: Path) -> None:
    gate = Gate()
    document = chain("gated", one("go", "manual_trigger"), one("wall", "gate"), one("end", "noop"))
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        run = await engine.start(document)
        seen: list[Any] = []
        async for event in run.events():
            seen.append(event)
            if isinstance(event, NodeStarted) and event.node_id == "wall":
                gate.open.set()
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert isinstance(seen[0], ExecutionStarted)
    assert isinstance(seen[-1], ExecutionSucceeded)


async def test_events_go_on_after_a_cursor_for_any_number_of_readers(tmp_path: Path) -> None:
    gate = Gate()
    document = chain("gated", one("go", "manual_trigger"), one("wall", "gate"), one("end", "noop"))
    async with Engine(tmp_path, registry=registry_with(gate.type)) as engine:
        run = await engine.start(document)

        async def read(after: int) -> list[int]:
            return [event.seq async for event in run.events(after)]

        readers = [asyncio.create_task(read(after)) for after in (0, 1, 2, 3)]
        await gate.entered.wait()
        gate.open.set()
        everything, *rest = await asyncio.gather(*readers)
        assert [one[0] for one in rest] == [2, 3, 4]
        assert all(everything[-len(one) :] == one for one in rest)
        assert await read(len(everything)) == []
        assert await read(len(everything) + 100) == []
        assert await read(0) == everything


async def test_whoever_follows_a_run_is_told_when_the_engine_stops(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    async with engine:
        run = await engine.start(WAITING)
        following = asyncio.create_task(_all(run.events()))
        outcome = asyncio.create_task(run.outcome())
        await asyncio.sleep(0)
    for task in (following, outcome):
        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(60):
                await task


async def _all(events: Any) -> list[Any]:
    return [event async for event in events]


async def test_nothing_is_published_before_it_is_durable(tmp_path: Path) -> None:
    class Witness(Watcher):
        behind = 0

        def publish(self, segment: Any, events: Any) -> None:
            row = engine.store.row(segment.execution_id)
            self.behind += row is None or row.last_seq < segment.last_seq
            super().publish(segment, events)

    witness = Witness()
    engine = Engine(tmp_path, publisher=witness)
    async with engine:
        runs = [await engine.start(HELLO, {"name": n}) for n in range(20)]
        await asyncio.gather(*(run.result() for run in runs))
    assert witness.shown
    assert witness.behind == 0


# --- output commit, running ahead ---


async def test_an_external_node_runs_only_when_its_start_is_durable(tmp_path: Path) -> None:
    found: list[bool] = []
    database = str(tmp_path / "flowscope.db")

    def look(context: NodeContext) -> None:
        reader = apsw.Connection(database, flags=apsw.SQLITE_OPEN_READONLY)
        lines = b"".join(lines for (lines,) in reader.execute("SELECT lines FROM segments"))
        reader.close()
        mine = f'"nodeId":"{context.node_id}"'.encode()
        # The first attempt is not written out; nor is an empty path.
        where = [line for line in lines.splitlines() if b'"NodeStarted"' in line and mine in line]
        found.append(any((f'"path":"{context.path}"' if context.path else "").encode() in line for line in where))

    @node("look", title="Look", category="testing", effects="external")
    async def look_async(context: NodeContext) -> JSON:
        look(context)
        return {}

    @node("look_in_thread", title="Look", category="testing", effects="external")
    def look_in_thread(context: NodeContext) -> JSON:
        look(context)
        return {}

    document = graph(
        "looking",
        [
            one("go", "manual_trigger"),
            one("items", "set", {"fields": {"items": "{{ range(40) }}"}}),
            one("each", "map", {"concurrency": 8}),
            one("inner", "look", {}, "each"),
            one("second", "look_in_thread", {}, "each"),
            one("last", "look"),
        ],
        ["go -> items", "items -> each", "inner -> second", "each -> last"],
    )
    async with Engine(tmp_path, registry=registry_with(look_async, look_in_thread)) as engine:
        await (await engine.start(document)).result()
    assert found == [True] * 81


async def test_a_chain_of_pure_nodes_is_one_commit(tmp_path: Path) -> None:
    document = chain("long", one("go", "manual_trigger"), *(one(f"n{k}", "noop") for k in range(100)))
    async with Engine(tmp_path) as engine:
        before = engine.store.statistics()["transactions"]
        await (await engine.start(document)).result()
        assert engine.store.statistics()["transactions"] - before == 1


async def test_a_graph_larger_than_a_turn_does_not_hold_up_the_others(tmp_path: Path) -> None:
    wide = graph(
        "wide",
        [one("go", "manual_trigger"), *(one(f"n{k}", "noop") for k in range(5_000))],
        [f"go -> n{k}" for k in range(5_000)],
    )
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        large, small = await asyncio.gather(
            engine.start(wide, execution_id="large"), engine.start(HELLO, {"name": 1}, execution_id="small")
        )
        await asyncio.gather(large.result(), small.result())
    ends = [owner for owner, event in watcher.shown if isinstance(event, ExecutionSucceeded)]
    assert ends == ["small", "large"]


# --- payloads ---


async def test_large_payloads_go_through_blobs_and_come_back(tmp_path: Path) -> None:
    document = chain(
        "large",
        one("go", "manual_trigger"),
        one("copy", "set", {"fields": {"again": "{{ text }}"}}),
        one("count", "set", {"fields": {"length": "{{ len(again) }}"}}),
    )
    text = "ä" * 100_000
    async with Engine(tmp_path) as engine:
        run = await engine.start(document, {"text": text})
        assert await run.result() == {"text": text, "again": text, "length": 100_000}
        events = await _all(run.events())
    start, outputs = events[0], [event for event in events if isinstance(event, NodeSucceeded) and not event.passed]
    assert start.input_blob.size == len(('{"text":"' + text + '"}').encode())
    assert all(event.output_blob and not event.output for event in outputs)
    assert all(len(event.output_blob.preview) <= 120 for event in outputs if event.output_blob)
    async with Engine(tmp_path) as engine:
        assert await engine.run(run.execution_id).result() == {"text": text, "again": text, "length": 100_000}


async def test_a_waiting_run_goes_on_with_its_blobs_after_a_restart(tmp_path: Path) -> None:
    document = chain(
        "large", one("go", "manual_trigger"), one("ask", "wait", {"signal": "yes"}),
        one("end", "set", {"fields": {"length": "{{ len(trigger.text) }}"}}),
    )  # fmt: skip
    async with Engine(tmp_path) as engine:
        run = await engine.start(document, {"text": "x" * 100_000})
    async with Engine(tmp_path) as engine:
        again = engine.run(run.execution_id)
        await again.signal("yes", {"said": "y" * 50_000})
        assert await again.result() == {"said": "y" * 50_000, "length": 100_000}


# --- sub-workflows ---


async def test_a_sub_workflow_by_document_and_by_id(tmp_path: Path) -> None:
    outer = chain(
        "outer", one("go", "manual_trigger"), one("first", "execute_workflow", {"workflow": HELLO}),
        one("second", "execute_workflow", {"workflowId": "hello", "input": {"name": "{{ hello }} again"}}),
    )  # fmt: skip
    async with Engine(tmp_path) as engine:
        run = await engine.start(outer, {"name": "Ada"}, execution_id="o")
        assert await run.result() == {"name": "Ada again", "hello": "Ada again"}
        child = engine.store.row("o:first")
        assert child is not None
        assert (child.status, child.caller_execution_id) == ("success", "o")
        assert engine.store.row("o:second") is not None


async def test_a_sub_workflow_that_is_not_there_or_fails(tmp_path: Path) -> None:
    failing = chain("inner", one("go", "manual_trigger"), one("bad", "stop_and_error", {"errorMessage": "inside"}))
    async with Engine(tmp_path) as engine:
        absent = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflowId": "nobody"}))
        outcome = await (await engine.start(absent)).outcome()
        assert outcome.error is not None
        assert (outcome.status, outcome.error.type, outcome.error.node_id) == ("failed", "WorkflowNotFound", "call")
        outer = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": failing}))
        outcome = await (await engine.start(outer, execution_id="o")).outcome()
        assert outcome.error is not None
        assert outcome.error.node_id == "call"
        assert outcome.error.message == "Sub-workflow o:call: inside"
        invalid = chain(
            "outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": {"id": "x"}})
        )
        outcome = await (await engine.start(invalid)).outcome()
        assert outcome.error is not None
        assert outcome.error.type == "DefinitionInvalid"


async def test_a_failed_sub_workflow_is_tried_again_as_a_new_one(tmp_path: Path) -> None:
    attempts: list[str] = []

    @node("once", title="Fails once", category="testing", effects="external", retry=None)
    async def once(context: NodeContext) -> JSON:
        attempts.append(context.execution_id)
        if len(attempts) == 1:
            raise NodeError("not yet")
        return {"n": len(attempts)}

    inner = chain("inner", one("go", "manual_trigger"), one("work", "once"))
    call = {"workflow": inner, "retry": {"attempts": 2, "delay": 1}}
    outer = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", call))
    async with Engine(tmp_path, registry=registry_with(once)) as engine:
        assert await (await engine.start(outer, execution_id="o")).result() == {"n": 2}
    assert attempts == ["o:call", "o:call#2"]


async def test_a_workflow_that_calls_itself_comes_to_an_end(tmp_path: Path) -> None:
    itself = chain("again", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflowId": "again"}))
    async with Engine(tmp_path) as engine:
        outcome = await (await engine.start(itself, execution_id="o")).outcome()
        assert outcome.status == "failed"
        assert outcome.error is not None
        assert "more than 32 deep" in outcome.error.message
        assert len(engine.executions(ExecutionQuery(limit=100))) == 33


async def test_cancelling_the_caller_cancels_the_sub_workflow(tmp_path: Path) -> None:
    outer = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": WAITING}))
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        run = await engine.start(outer, execution_id="o")
        await watcher.event(NodeSuspended, "o:call", signal="yes")
        await run.cancel("enough")
        assert (await run.outcome()).status == "cancelled"
        assert (await engine.run("o:call").outcome()).status == "cancelled"


async def test_a_caller_and_its_sub_workflow_go_on_after_a_restart(tmp_path: Path) -> None:
    outer = chain("outer", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": WAITING}))
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        await engine.start(outer, execution_id="o")
        await watcher.event(NodeSuspended, "o:call", signal="yes")
    async with Engine(tmp_path) as engine:
        await engine.run("o:call").signal("yes", {"n": 1})
        assert await engine.run("o").result() == {"n": 1}


# --- what nodes say ---


async def test_what_a_node_says_is_shown_and_its_log_is_kept(tmp_path: Path) -> None:
    document = chain(
        "loud", one("go", "manual_trigger"),
        one("work", "simulate", {"progress": 2, "stream": "one two"}),
        one("note", "log_output", {"message": "done with {{ trigger.n }}", "level": "warning"}),
    )  # fmt: skip
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        run = await engine.start(document, {"n": 1})
        await run.result()
        assert [word.fraction for word in watcher.words if isinstance(word, Progress)] == [0.5, 1.0]
        assert [word.text for word in watcher.words if isinstance(word, LogLine)] == ["one ", "two", "done with 1"]
    async with Engine(tmp_path) as engine:
        lines = engine.store.logs(run.execution_id)
        assert [(line.kind, line.level, line.node_id, line.text) for line in lines] == [
            ("stream", "info", "work", "one "),
            ("stream", "info", "work", "two"),
            ("log", "warning", "note", "done with 1"),
        ]
        assert [line.text for line in engine.store.logs(run.execution_id, after=lines[0].offset)] == [
            "two",
            "done with 1",
        ]


async def test_a_thread_speaks_too(tmp_path: Path) -> None:
    @node("speak", title="Speak", category="testing", effects="external")
    def speak(context: NodeContext) -> JSON:
        context.progress(7, "too far")
        context.log(f"from {threading.current_thread().name}", "error")
        return {}

    watcher = Watcher()
    async with Engine(tmp_path, registry=registry_with(speak), publisher=watcher) as engine:
        run = await engine.start(chain("speaking", one("go", "manual_trigger"), one("say", "speak")))
        await run.result()
        assert (await watcher.word(Progress, message="too far")).fraction == 1.0
        assert (await watcher.word(LogLine, level="error")).text.startswith("from flowscope-node")
    async with Engine(tmp_path) as engine:
        assert [line.level for line in engine.store.logs(run.execution_id)] == ["error"]


# --- nodes of other people ---


async def test_a_node_type_of_somebody_else(tmp_path: Path) -> None:
    @node("acme_greet", title="Greet", category="text", effects="pure", handles=("loud", "quiet"))
    def greet(config: Greeting, input: JSON, context: NodeContext) -> Output:
        assert context.idempotency_key == f"{context.execution_id}:hi"
        return Output({**input, "text": f"Hello {config.to}"}, ("shouted", "loud"))

    document = graph(
        "foreign",
        [one("go", "manual_trigger"), one("hi", "acme_greet", {"to": "{{ name }}"}), one("end", "noop")],
        ["go -> hi", "hi.loud -> end"],
    )
    async with Engine(tmp_path, registry=registry_with(greet)) as engine:
        assert await (await engine.start(document, {"name": "Ada"})).result() == {"name": "Ada", "text": "Hello Ada"}


@pytest.mark.parametrize("effects", ["pure", "external"])
async def test_a_container_whose_handler_is_async(tmp_path: Path, effects: Any) -> None:
    asked: list[int] = []

    @node("pages", title="Pages", category="flow", role="container", effects=effects)
    async def pages(input: JSON, context: NodeContext) -> Items | Collected:
        asked.append(context.iteration)
        await asyncio.sleep(0)
        return Collected() if context.iteration == 4 else Items([context.iteration, context.iteration + 1], 2)

    document = chain(
        "paged", one("go", "manual_trigger"), one("all", "pages"),
        one("page", "set", {"fields": {"page": "{{ item }}"}}, "all"), one("end", "set", {"fields": {"pages": "{{ all }}"}}),
    )  # fmt: skip
    watcher = Watcher()
    async with Engine(tmp_path, registry=registry_with(pages), publisher=watcher) as engine:
        result = await (await engine.start(document)).result()
    assert asked == [0, 2, 4]
    assert [one["page"] for one in result["pages"]] == [0, 1, 2, 3]
    assert len(watcher.of(NodeExpanded)) == 2


async def test_the_memory_engine_runs_the_same(tmp_path: Path) -> None:
    async with Engine(None) as engine:
        run = await engine.start(HELLO, {"name": "Ada"})
        assert await run.result() == {"name": "Ada", "hello": "Ada"}
        assert [event.seq async for event in run.events()] == list(range(1, 7))


# --- what an external node may see ---


class Seen(NodeConfig):
    value: JSON = None


async def test_an_external_node_sees_nothing_that_is_not_durable(tmp_path: Path) -> None:
    """`later` has its result in memory before `look` starts, but not on the disk when `look` was decided."""

    @node("look", title="Look", category="testing", effects="external")
    async def look(config: Seen) -> JSON:
        return config.value

    document = graph(
        "look",
        [
            one("go", "manual_trigger"),
            one("look", "look", {"value": "{{ later?.found ?? 'nothing yet' }}"}),
            one("later", "set", {"fields": {"found": True}}),
        ],
        ["go -> look", "go -> later"],
    )
    async with Engine(tmp_path, registry=registry_with(look)) as engine:
        outcome = await (await engine.start(document)).outcome()
    assert outcome.output["look"] == "nothing yet"


@pytest.mark.parametrize("answer", [Wait, Items])
async def test_an_answer_that_cannot_be_kept_is_the_nodes_error(tmp_path: Path, answer: type) -> None:
    @node("odd", title="Odd", category="testing", effects="pure")
    def odd() -> Any:
        return answer("soon")

    async with Engine(tmp_path, registry=registry_with(odd)) as engine:
        outcome = await (await engine.start(chain("odd", one("odd", "odd")))).outcome()
    assert outcome.error is not None
    assert (outcome.status, outcome.error.type, outcome.error.node_id) == ("failed", "TypeError", "odd")


async def test_a_reported_run_has_an_outcome(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        engine.state_manager.initialize_execution("theirs", "w", 3)
        engine.state_manager.update_node_state("theirs", "a", "A", "success", {})
        await engine.state_manager.settled("theirs")
        ending = asyncio.ensure_future(engine.run("theirs").outcome())
        engine.state_manager.finish_execution("theirs", "success", output={"rows": 7})
        assert (await ending).output == {"rows": 7}
    async with Engine(tmp_path) as engine:
        assert await engine.run("theirs").result() == {"rows": 7}


async def test_the_orchestrator_runs_alone_over_a_state_manager(tmp_path: Path) -> None:
    """The mission's form: `WorkflowOrchestrator(state_manager, visualization_service).execute_workflow(…)`."""
    store = SqliteStore(tmp_path)
    store.start()
    try:
        watcher = Watcher()
        orchestrator = WorkflowOrchestrator(ExecutionStateManager(store, SystemClock()), watcher)
        await orchestrator.start()
        outcome = await orchestrator.execute_workflow("w", {"name": "Ada"}, HELLO["nodes"], HELLO["edges"], "x1", "ann")
        assert (outcome.execution_id, outcome.output) == ("x1", {"name": "Ada", "hello": "Ada"})
        assert (await watcher.event(ExecutionStarted, "x1")).user_id == "ann"
        with pytest.raises(ExecutionEnded):
            await orchestrator.execute_workflow("w", {}, HELLO["nodes"], HELLO["edges"], "x1")
        await orchestrator.stop()
    finally:
        store.stop()
