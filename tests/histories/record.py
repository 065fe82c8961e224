"""Records histories: python -m tests.histories.record

Each file holds a workflow, the journal of one run of it, line for line, and the digest of the state it folds to. They are
recorded once for every version of the vocabulary and then folded for ever: a change that makes one of them fold to something
else breaks the runs of everybody who has such a journal. Record again only what was never released.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from flowscope.definition import decode
from flowscope.definition.plan import compile_plan
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine, Run, run_loop
from flowscope.execution.digest import digest
from flowscope.execution.events import decode_lines
from flowscope.execution.state import fold
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import Surroundings
from flowscope.orchestrator.forking import Revision

HERE = Path(__file__).parent
Scene = Callable[["Stage"], Awaitable[None]]
SCENES: dict[str, Scene] = {}


def scene(record: Scene) -> Scene:
    """A run worth keeping; the function's name is the file's."""
    SCENES[record.__name__.replace("_", "-")] = record
    return record


class Stage:
    """A data directory, and engines on it that end without waiting for what runs."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._directory = directory

    @asynccontextmanager
    async def engine(self, *, hang: bool = False) -> AsyncIterator[Engine]:
        """With `hang`, what sleeps `{{ env.SLEEP }}` does not come to an end."""
        surroundings = Surroundings(environment={"SLEEP": "86400" if hang else "0"})
        async with Engine(self._directory, surroundings=surroundings, grace=0) as engine:
            yield engine

    async def play(self, engine: Engine, document: dict[str, JSON], input: JSON = None) -> Run:
        return await engine.start(document, input, execution_id=self.name)


def one(node_id: str, kind: str, config: dict[str, JSON] | None = None, parent: str = "") -> dict[str, JSON]:
    """A node in React Flow's form."""
    node: dict[str, JSON] = {"id": node_id, "data": {"type": kind, "config": config or {}}}
    return {**node, "parentId": parent} if parent else node


def graph(*nodes: dict[str, JSON], edges: str) -> dict[str, JSON]:
    """`edges` are `a>b` or `a.handle>b`, separated by spaces."""
    drawn = []
    for text in edges.split():
        source, target = text.split(">")
        source, _, handle = source.partition(".")
        drawn.append({"source": source, "target": target, **({"sourceHandle": handle} if handle else {})})
    return {"id": "recorded", "name": "Recorded", "nodes": list(nodes), "edges": drawn}


async def reached(run: Run, kind: str, node_id: str) -> None:
    """Until that event of that node is durable."""
    async for event in run.events():
        if type(event).__name__ == kind and getattr(event, "node_id", node_id) == node_id:
            return


@scene
async def branches_and_merges(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("cheap", "filter", {"condition": "item.price < 10"}),
        one("some", "if_else", {"condition": "len(items) > 0"}),
        one("yes", "set", {"fields": {"found": "{{ len(items) }}"}}),
        one("no", "set", {"fields": {"found": 0}}),
        one("meet", "merge"),
        one("which", "switch", {"expression": "{{ found }}", "cases": [{"value": 1}, {"value": 2}]}),
        one("pair", "noop"),
        one("other", "noop"),
        edges="go>cheap cheap>some some.true>yes some.false>no yes>meet no>meet meet>which which.2>pair which.default>other",
    )
    async with stage.engine() as engine:
        items = [{"name": name, "price": price} for name, price in (("a", 3), ("b", 12), ("c", 7.5))]
        await (await stage.play(engine, document, {"items": items})).result()


@scene
async def retries(stage: Stage) -> None:
    retry = {"attempts": 4, "delay": 5, "factor": 3, "jitter": 0.5}
    document = graph(
        one("go", "manual_trigger"),
        one("flaky", "simulate", {"fail": [1, 2], "retry": retry}),
        one("soft", "simulate", {"fail": True, "continueOnError": True}),
        one("end", "noop"),
        edges="go>flaky flaky>soft soft>end",
    )
    async with stage.engine() as engine:
        await (await stage.play(engine, document)).result()


@scene
async def a_failure_and_its_trigger(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("slow", "simulate", {"sleep": "{{ env.SLEEP }}"}),
        one("stop", "stop_and_error", {"errorMessage": "no {{ n }}", "errorCode": "E1"}),
        one("never", "noop"),
        one("siren", "error_trigger"),
        one("alarm", "set", {"fields": {"why": "{{ error_message }}"}}),
        edges="go>slow go>stop stop>never siren>alarm",
    )
    async with stage.engine(hang=True) as engine:
        await (await stage.play(engine, document, {"n": 7})).outcome()


@scene
async def iterations(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("rows", "map", {"items": [[1, 2], [], [3]], "concurrency": 2}),
        one("cells", "map", {"items": "{{ item }}", "onItemError": "collect"}, "rows"),
        one("odd", "if_else", {"condition": "item % 2 == 1"}, "cells"),
        one("bad", "stop_and_error", {"errorMessage": "odd"}, "cells"),
        one("good", "set", {"fields": {"value": "{{ item }}"}}, "cells"),
        one("again", "loop", {"while": "state.n < 3", "maxIterations": 9}),
        one("more", "set", {"fields": {"n": "{{ state.n + 1 }}"}}, "again"),
        one("start", "set", {"fields": {"n": 0}}),
        one("safe", "try_catch"),
        one("fall", "simulate", {"fail": True}, "safe"),
        one("caught", "noop"),
        one("batches", "split_in_batches", {"items": [1, 2, 3, 4, 5], "batchSize": 2}),
        one("batch", "simulate", {}, "batches"),
        edges="go>rows odd.true>bad odd.false>good rows>start start>again again>safe safe.catch>caught caught>batches",
    )
    async with stage.engine() as engine:
        await (await stage.play(engine, document)).result()


@scene
async def a_container_tried_again(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("each", "map", {"items": [1, 2, 3], "concurrency": 1, "retry": {"attempts": 2, "delay": 1}}),
        one("work", "simulate", {"fail": True}, "each"),
        one("saved", "noop"),
        edges="go>each each.error>saved",
    )
    async with stage.engine() as engine:
        await (await stage.play(engine, document)).result()


@scene
async def waits_pauses_and_signals(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("rest", "wait", {"duration": 3}),
        one("ask", "wait", {"signal": "answer", "duration": "1h"}),
        one("end", "set", {"fields": {"by": "{{ ask.by }}"}}),
        edges="go>rest rest>ask ask>end",
    )
    async with stage.engine() as engine:
        run = await stage.play(engine, document)
        await reached(run, "NodeSucceeded", "rest")
        await run.pause()
    async with stage.engine() as engine:
        run = engine.run(stage.name)
        await run.resume()
        await run.signal("answer", {"by": "somebody", "text": "ä" * 40_000})
        await run.result()


@scene
async def a_cancelled_run(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("each", "map", {"items": [1, 2, 3], "concurrency": 2}),
        one("slow", "simulate", {"sleep": "{{ env.SLEEP }}"}, "each"),
        one("far", "simulate", {"fail": True, "retry": {"attempts": 2, "delay": 3_600_000}}),
        one("ask", "wait", {"signal": "never"}),
        one("end", "noop"),
        edges="go>each go>far go>ask each>end",
    )
    async with stage.engine(hang=True) as engine:
        run = await stage.play(engine, document)
        await reached(run, "NodeFailed", "far")
        await run.cancel("enough")


@scene
async def lost_attempts(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("first", "simulate", {"sleep": "{{ env.SLEEP }}"}),
        one("second", "simulate", {"sleep": "{{ env.SLEEP }}", "onLost": "ask"}),
        one("end", "noop"),
        edges="go>first go>second first>end second>end",
    )
    async with stage.engine(hang=True) as engine:
        await stage.play(engine, document)
    async with stage.engine() as engine:
        run = engine.run(stage.name)
        await reached(run, "NodeLost", "second")
        await run.signal("second", "rerun")
        await run.result()


@scene
async def a_sub_workflow(stage: Stage) -> None:
    inner = graph(
        one("go", "manual_trigger"), one("bulk", "set", {"fields": {"text": "{{ 'x' * 40000 }}"}}), edges="go>bulk"
    )
    document = graph(
        one("go", "manual_trigger"),
        one("call", "execute_workflow", {"workflow": {**inner, "id": "inner"}}),
        one("late", "execute_workflow", {"workflowId": "nowhere"}),
        one("saved", "noop"),
        edges="go>call call>late late.error>saved",
    )
    async with stage.engine() as engine:
        await (await stage.play(engine, {**document, "settings": {"timeout": 3_600_000}}, {"n": 1})).result()


@scene
async def variables(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("begin", "set_variable", {"variables": {"n": 0, "text": "{{ 'x' * 40000 }}"}}),
        one("again", "loop", {"while": "vars.n < 3"}),
        one("more", "set_variable", {"name": "n", "value": "{{ vars.n + 1 }}"}, "again"),
        one("ask", "wait", {"signal": "on"}),
        one(
            "end", "set", {"fields": {"n": "{{ vars.n }}", "given": "{{ vars.given }}", "long": "{{ len(vars.text) }}"}}
        ),
        edges="go>begin begin>again again>ask ask>end",
    )
    async with stage.engine() as engine:
        run = await stage.play(engine, {**document, "vars": {"given": True, "n": 9}})
        await reached(run, "NodeSuspended", "ask")
    async with stage.engine() as engine:
        run = engine.run(stage.name)
        await run.signal("on", {})
        await run.result()


@scene
async def taken_up_from_another(stage: Stage) -> None:
    document = graph(
        one("go", "manual_trigger"),
        one("tell", "set", {"fields": {"rows": [1, 2, 3, 4]}}),
        one("each", "map", {"items": "{{ rows }}", "concurrency": 1}),
        one("twice", "set", {"fields": {"n": "{{ item * 2 }}"}}, "each"),
        one("work", "simulate", {"fail": "{{ n == 6 and env.SLEEP == '0' }}"}, "each"),
        one("side", "set", {"fields": {"side": True}}),
        one("end", "noop"),
        edges="go>tell tell>each each>end go>side twice>work",
    )
    async with stage.engine() as engine:
        await (await engine.start(document, execution_id="parent")).outcome()
    async with stage.engine(hang=True) as engine:
        revision = Revision(from_node="side", input=b'{"given":1}')
        await (await engine.fork("parent", revision, new_id=stage.name)).outcome()


@scene
async def people_and_pins(stage: Stage) -> None:
    pinned = one("pinned", "simulate", {"fail": True})
    pinned["data"]["pinned"] = {"output": {"from": "a pin"}}
    document = graph(
        one("go", "manual_trigger"),
        pinned,
        one("ask", "approval", {"title": "Well?"}),
        one("late", "approval", {"waitFor": 20, "otherwise": "reject"}),
        one("form", "form", {"fields": [{"name": "city"}]}),
        one("cached", "simulate", {"output": {"n": 1}, "cache": {"ttl": 3_600_000}}),
        one("again", "simulate", {"output": {"n": 1}, "cache": {"ttl": 3_600_000}}),
        one("yes", "noop"),
        one("no", "noop"),
        edges="go>pinned pinned>ask pinned>late ask.approved>form late.rejected>no go>cached cached>again form>yes",
    )
    async with stage.engine() as engine:
        run = await stage.play(engine, document, {"n": 1})
        await reached(run, "NodeSuspended", "ask")
        await reached(run, "NodeSucceeded", "late")
    async with stage.engine() as engine:
        run = engine.run(stage.name)
        await run.signal("ask", {"approved": True, "by": "Grace"})
        await reached(run, "NodeSuspended", "form")
        await run.signal("form", {"city": "Oslo"})
        await run.result()


async def record(name: str) -> dict[str, Any]:
    """What the file of that scene holds."""
    with tempfile.TemporaryDirectory() as directory:
        stage = Stage(Path(directory), name)
        await SCENES[name](stage)
        async with Engine(directory, recover=False) as engine:
            row = engine.store.row(name)
            assert row is not None
            document = engine.store.definition(row.definition)
            lines = b"".join(segment.lines for segment in engine.store.read(name))
    plan = compile_plan(decode(document), builtin_registry(entry_points=False))
    state = fold(name, plan, decode_lines(lines))
    return {
        "executionId": name,
        "workflow": json.loads(document),
        "digest": digest(state),
        "status": state.status,
        "journal": lines.decode().splitlines(),
    }


async def main() -> None:
    for name in SCENES:
        async with asyncio.timeout(60):
            history = await record(name)
        (HERE / f"{name}.json").write_text(json.dumps(history, indent=1, ensure_ascii=False) + "\n")
        print(f"{name}: {len(history['journal'])} events, {history['status']}")


if __name__ == "__main__":
    run_loop(main())
