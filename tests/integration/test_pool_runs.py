"""Runs whose nodes are in worker processes: losses, limits, what viewers see, and many nodes at once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets

from acceptance.nodes import registry_with
from acceptance.notation import chain, graph, one
from acceptance.watcher import Watcher
from compatibility.live_server import Client, listening, node
from flowscope.definition import decode
from flowscope.definition.plan import compile_plan
from flowscope.engine import Engine, ExecutionUnsuccessful, Run
from flowscope.errors import DefinitionInvalid
from flowscope.execution.events import AnyEvent, NodeFailed, NodeLost, NodeStarted
from flowscope.execution.timeline import timeline
from flowscope.live.client_fold import ClientFold
from flowscope.nodes.context import Surroundings
from flowscope.orchestrator.ports import LogLine, Progress
from flowscope.server import Settings, create_app
from flowscope.testing.runner_conformance import until
from flowscope.testing.sample_nodes import SAMPLES
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.worker_pool import WorkflowWorkerPool

REGISTRY = registry_with(*SAMPLES)


@asynccontextmanager
async def engine_with(
    *, secrets: dict[str, str] | None = None, watcher: Any = None, **settings: Any
) -> AsyncIterator[Engine]:
    pool = WorkflowWorkerPool(WorkerSettings(**{"concurrency": 2, **settings}))
    surroundings = Surroundings(secrets=secrets or {})
    async with Engine(
        None, registry=REGISTRY, runner=pool, publisher=watcher, surroundings=surroundings, grace=0
    ) as engine:
        yield engine


def sample(node_id: str, parent: str = "", type: str = "sample", **config: Any) -> dict[str, Any]:
    return one(node_id, type, config, parent)


async def events_of(engine: Engine, document: dict[str, Any], **options: Any) -> list[AnyEvent]:
    run = await engine.start(document, **options)
    return [event async for event in run.events()]


# --- losses ---


async def test_a_lost_attempt_is_recorded_and_the_node_runs_again_p_01(tmp_path: Path) -> None:
    path = tmp_path / "attempts"
    document = chain("lost", one("go", "manual_trigger"), sample("it", do="die", value=[1, 2], path=str(path)))
    async with engine_with() as engine:
        run = await engine.start(document)
        assert await run.result() == {"attempt": 3}
        events = [event async for event in run.events()]
    told = [
        (type(event).__name__, event.attempt)
        for event in events
        if isinstance(event, NodeStarted | NodeLost) and event.node_id == "it"
    ]
    assert told == [("NodeStarted", 1), ("NodeLost", 1), ("NodeStarted", 2), ("NodeLost", 2), ("NodeStarted", 3)]
    assert path.read_text().split() == ["1", "2", "3"]


async def test_losses_have_an_end_and_then_the_nodes_own_retries_count_p_01(tmp_path: Path) -> None:
    path = tmp_path / "attempts"
    retry = {"attempts": 2, "delay": 1}
    document = chain("lost", one("go", "manual_trigger"), sample("it", do="die", path=str(path), retry=retry))
    async with engine_with(retry_attempts=2) as engine:
        run = await engine.start(document)
        outcome = await run.outcome()
        events = [event async for event in run.events()]
    assert outcome.error is not None and outcome.error.type == "WorkerLost"
    assert "SIGKILL" in outcome.error.message
    assert sum(isinstance(event, NodeLost) for event in events) == 2
    assert sum(isinstance(event, NodeFailed) for event in events) == 2
    assert path.read_text().split() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("on_lost", ["fail", "ask"])
async def test_what_must_not_run_twice_does_not_p_01(tmp_path: Path, on_lost: str) -> None:
    path = tmp_path / "attempts"
    document = chain(
        "once", one("go", "manual_trigger"), sample("it", do="die", value=[1], path=str(path), onLost=on_lost)
    )
    async with engine_with() as engine:
        run = await engine.start(document)
        if on_lost == "fail":
            with pytest.raises(ExecutionUnsuccessful, match="SIGKILL"):
                await run.result()
            assert path.read_text().split() == ["1"]
        else:
            await until(lambda: engine.run(run.execution_id) and engine.executions()[0].status == "waiting")
            assert path.read_text().split() == ["1"]
            await run.signal("it")
            assert await run.result() == {"attempt": 2}


async def test_past_the_pools_limit_it_is_lost_and_past_its_own_it_has_failed_p_02(tmp_path: Path) -> None:
    hang = {"do": "hang", "path": str(tmp_path / "a")}
    async with engine_with(timeout=300, retry_attempts=1) as engine:
        own = await events_of(engine, chain("own", one("go", "manual_trigger"), sample("it", timeout=200, **hang)))
        pools = await events_of(engine, chain("pools", one("go", "manual_trigger"), sample("it", **hang)))
    failed = [event for event in own if isinstance(event, NodeFailed)]
    assert [event.error.type for event in failed] == ["NodeTimeout"]
    assert not any(isinstance(event, NodeLost) for event in own)
    assert sum(isinstance(event, NodeLost) for event in pools) == 1
    assert [event.error.type for event in pools if isinstance(event, NodeFailed)] == ["WorkerTimeout"]


async def test_cancelling_a_run_ends_its_code_p_03(tmp_path: Path) -> None:
    path = tmp_path / "it"
    document = chain("deaf", one("go", "manual_trigger"), sample("it", do="spawn", path=str(path)))
    async with engine_with() as engine:
        run = await engine.start(document)
        await until(path.exists)
        pids = [int(pid) for pid in path.read_text().split()]
        await run.cancel()
        await until(lambda: not any(_runs(pid) for pid in pids))
        assert (await run.outcome()).status == "cancelled"


# --- what goes where ---


async def test_a_node_says_itself_where_it_runs_p_04() -> None:
    async with engine_with() as engine:
        here = await (
            await engine.start(chain("a", one("go", "manual_trigger"), sample("it", do="who", resources="io")))
        ).result()
        there = await (await engine.start(chain("b", one("go", "manual_trigger"), sample("it", do="who")))).result()
    assert here == os.getpid() != there


async def test_a_run_may_send_all_its_external_nodes_there_p_04() -> None:
    document = chain(
        "all", one("go", "manual_trigger"), sample("it", do="who", resources="io"), one("after", "simulate")
    )
    async with engine_with() as engine:
        nodes = [one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": document})]
        assert await (await engine.start(document)).result() == os.getpid()
        runs = [
            await engine.start(document, use_worker_pool=True),
            await engine.start(chain("outer", *nodes), use_worker_pool=True),
        ]
        for run in runs:
            assert await run.result() not in (os.getpid(), None)


async def test_a_retry_runs_where_its_parent_did_p_04(tmp_path: Path) -> None:
    """The first time the file is not there, and the first node takes too long."""
    marker = tmp_path / "there"
    nodes = [
        one("go", "manual_trigger"),
        sample("first", do="until", path=str(marker), timeout=2_000, resources="io"),
        sample("second", do="who", resources="io"),
    ]
    async with engine_with() as engine:
        run = await engine.start(chain("again", *nodes), use_worker_pool=True)
        assert (await run.outcome()).status == "failed"
        marker.touch()
        again = await engine.retry(run.execution_id, confirm=["*"])
        assert await again.result() != os.getpid()


async def test_a_pure_node_may_be_sent_there_too_p_04() -> None:
    document = chain(
        "pure", one("go", "manual_trigger"), one("set", "set", {"fields": {"b": "{{ a + 1 }}"}, "resources": "cpu"})
    )
    async with engine_with() as engine:
        assert await (await engine.start(document, {"a": 1})).result() == {"a": 1, "b": 2}
        assert engine.orchestrator.statistics()["runner"]["pool"]["completedTasks"] == 1


async def test_no_secret_leaves_a_worker() -> None:
    said: list[Any] = []

    class Ear:
        def publish(self, segment: Any, events: Any) -> None:
            said.append(segment.lines)

        def murmur(self, word: Progress | LogLine) -> None:
            said.append(word)

    document = graph(
        "secret",
        [
            one("go", "manual_trigger"),
            sample("asks", do="secret"),
            sample("given", value="{{ secrets.token }}"),
            sample("fails", do="fail", value="{{ secrets.token }}", continueOnError=True),
        ],
        ["go -> asks", "go -> given", "go -> fails"],
    )
    async with engine_with(secrets={"token": "c4n4ry"}, watcher=Ear()) as engine:
        run = await engine.start(document)
        assert (await run.outcome()).status == "success"
        logs = engine.store.logs(run.execution_id)
    assert [line.text for line in logs] == ["it is [secret]"]
    assert "c4n4ry" not in repr(said) and "[secret]" in repr(said)


# --- many ---


async def test_items_of_a_map_run_beside_each_other(tmp_path: Path) -> None:
    """Both are inside at once: neither ends before the test has seen both."""
    document = graph(
        "beside",
        [
            one("go", "manual_trigger"),
            one("each", "map", {"items": "{{ [1, 2] }}", "concurrency": 2}),
            sample("meet", "each", do="until", path=f"{tmp_path}/{{{{ item }}}}"),
        ],
        ["go -> each"],
    )
    async with engine_with() as engine:
        run = await engine.start(document)
        await until(lambda: (tmp_path / "1.here").exists() and (tmp_path / "2.here").exists())
        for name in ("1", "2"):
            (tmp_path / name).touch()
        assert await run.result() == [None, None]


async def test_a_thousand_nodes_wait_for_the_network_on_one_loop() -> None:
    """They are all inside at once: the server answers nobody before it has heard the last of them."""
    count = 1_000
    inside, everybody = 0, asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal inside
        await reader.readuntil(b"\r\n\r\n")
        inside += 1
        if inside == count:
            everybody.set()
        await everybody.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=count)
    port = server.sockets[0].getsockname()[1]
    document = graph(
        "thousand",
        [
            one("go", "manual_trigger"),
            one("each", "map", {"items": "{{ range(1000) }}", "concurrency": 0}),
            one("get", "http_request", {"url": f"http://127.0.0.1:{port}/", "timeout": 120_000}, "each"),
        ],
        ["go -> each"],
    )
    surroundings = Surroundings(allow_private_addresses=True)
    async with server, Engine(None, surroundings=surroundings) as engine:
        results = await (await engine.start(document)).result()
        runner = engine.orchestrator.statistics()["runner"]
    assert [result["status"] for result in results] == [200] * count
    assert runner["pool"]["startedWorkers"] == 0


async def test_limits_of_a_workflow_a_type_and_a_key_hold_p_05(tmp_path: Path) -> None:
    async def at_once(document: dict[str, Any]) -> int:
        gate = tmp_path / f"{document['id']}.gate"
        for item in document["nodes"]:
            if item["data"]["type"].startswith("sample"):
                item["data"]["config"] |= {"do": "until", "path": str(gate)}
        run = await engine.start(document)
        await until(lambda: len(engine.orchestrator.standing(run.execution_id)) == waiting)
        running = int(engine.orchestrator.statistics()["runner"]["running"])
        gate.touch()
        assert (await run.outcome()).status == "success"
        return running

    def four(name: str, **config: Any) -> dict[str, Any]:
        nodes = [one("go", "manual_trigger"), *(sample(f"n{number}", **config) for number in range(4))]
        return graph(name, nodes, [f"go -> n{number}" for number in range(4)])

    async with engine_with(concurrency=4) as engine:
        waiting = 1
        assert await at_once(four("workflow") | {"settings": {"concurrency": 3}}) == 3
        waiting = 2
        assert await at_once(four("type") | {"settings": {"typeConcurrency": {"sample": 2}}}) == 2
        waiting = 3
        assert await at_once(four("key", concurrencyKey="gpu")) == 1
        assert await at_once(four("inline", concurrencyKey="gpu", resources="io")) == 1


async def test_a_key_may_be_worked_out_for_each_attempt_p_05(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    work = [
        sample(f"n{number}", do="until", path=str(gate), concurrencyKey=f"customer {{{{ trigger[{number % 2}] }}}}")
        for number in range(4)
    ]
    document = graph("own", [one("go", "manual_trigger"), *work], [f"go -> n{number}" for number in range(4)])
    async with engine_with(concurrency=4) as engine:
        run = await engine.start(document, ["Ada", 7])
        await until(lambda: len(engine.orchestrator.standing(run.execution_id)) == 2)
        assert engine.orchestrator.statistics()["runner"]["running"] == 2
        assert [one.detail.partition("waits for ")[2] for one in engine.orchestrator.standing(run.execution_id)] == [
            "key customer Ada (at most 1)",
            "key customer 7 (at most 1)",
        ]
        gate.touch()
        assert (await run.outcome()).status == "success"


async def test_the_timeline_tells_how_long_an_attempt_waited_for_its_place_p_08(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    work = [sample(f"n{number}", do="until", path=str(gate), concurrencyKey="gpu") for number in range(3)]
    document = graph("line", [one("go", "manual_trigger"), *work], [f"go -> n{number}" for number in range(3)])

    async def stretches(run: Run) -> dict[str, list[tuple[str, float, float]]]:
        told = timeline([event async for event in run.events()], compile_plan(decode(document), REGISTRY))
        return {
            node.node_id: [(one.kind, one.start, one.end) for attempt in node.attempts for one in attempt.segments]
            for node in told.nodes
        }

    async with engine_with(concurrency=4) as engine:
        run = await engine.start(document)
        await until(lambda: len(engine.orchestrator.standing(run.execution_id)) == 2)
        gate.touch()
        assert (await run.outcome()).status == "success"
        told = await stretches(run)
        kinds = {name: [kind for kind, _, _ in parts] for name, parts in told.items()}
        assert kinds["n1"] == kinds["n2"] == ["queue", "run"]
        assert kinds["n0"][-1] == "run"
        for first, second in (("n0", "n1"), ("n1", "n2")):  # each began when the one before it had ended
            assert told[second][1][1] >= told[first][-1][2]
        gate.unlink()
        run = await engine.start(document)
        await until(lambda: len(engine.orchestrator.standing(run.execution_id)) == 2)
        await run.cancel()
        assert (await run.outcome()).status == "cancelled"
        told = await stretches(run)
        assert [kind for kind, _, _ in told["n1"] + told["n2"]] == ["queue", "queue"]
        assert told["n0"][-1][0] == "run"


async def test_a_key_that_is_a_secret_limits_by_its_value_and_is_not_shown_p_05(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    work = [
        sample(f"n{number}", do="until", path=str(gate), concurrencyKey=f"token {{{{ secrets.{name} }}}}")
        for number, name in enumerate(("one", "other", "one"))
    ]
    document = graph("own", [one("go", "manual_trigger"), *work], [f"go -> n{number}" for number in range(3)])
    async with engine_with(concurrency=4, secrets={"one": "c4n4ry-1", "other": "c4n4ry-2"}) as engine:
        run = await engine.start(document)
        await until(lambda: len(engine.orchestrator.standing(run.execution_id)) == 1)
        assert engine.orchestrator.statistics()["runner"]["running"] == 2
        (waiting,) = engine.orchestrator.standing(run.execution_id)
        assert waiting.node_id == "n2"
        assert waiting.detail.endswith("waits for key token [secret] (at most 1)")
        gate.touch()
        assert (await run.outcome()).status == "success"


async def test_a_key_that_comes_to_no_key_is_the_nodes_error(tmp_path: Path) -> None:
    work = sample("it", concurrencyKey="{{ trigger.customer }}")
    document = chain("own", one("go", "manual_trigger"), work)
    async with engine_with(concurrency=1) as engine:
        outcome = await (await engine.start(document, {"customer": None})).outcome()
        assert outcome.error is not None and outcome.error.node_id == "it"
        assert outcome.error.message.startswith("concurrencyKey: it must come to a text of 1 to 128 visible characters")
        work["data"]["config"]["concurrencyKey"] = "{{ trigger. }}"
        with pytest.raises(DefinitionInvalid, match=r"nodes\[1\]\.data\.config\.concurrencyKey"):
            await engine.start(document)


async def test_the_higher_priority_of_a_workflow_goes_first_p_05(tmp_path: Path) -> None:
    order: list[str] = []
    watcher = Watcher()
    gate = tmp_path / "gate"
    async with engine_with(concurrency=1, watcher=watcher) as engine:
        first = await engine.start(
            chain("first", one("go", "manual_trigger"), sample("it", do="until", path=str(gate)))
        )
        await until(Path(f"{gate}.here").exists)
        runs = []
        for name, priority in (("low", -1), ("usual", 0), ("high", 7)):
            document = chain(name, one("go", "manual_trigger"), sample("it")) | {"settings": {"priority": priority}}
            runs.append(await engine.start(document))
            await until(lambda: engine.orchestrator.standing(runs[-1].execution_id))
        gate.touch()
        outcomes = [await run.outcome() for run in (first, *runs)]
        ended = {run.execution_id: engine.executions()[0] for run in runs}
        order = [row.workflow_id for row in sorted(engine.executions(), key=lambda row: row.ended_at)]
    assert len(ended) == 3 and all(outcome.status == "success" for outcome in outcomes)
    assert order == ["first", "high", "usual", "low"]


# --- what viewers see ---


async def test_a_place_in_the_line_is_seen_live_in_snapshots_and_over_http_p_06(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    settings = Settings.from_environment({"WORKER_CONCURRENCY": "1"}, data_dir=None)
    app = create_app(settings, registry=REGISTRY)
    async with listening(app) as address, Client(base_url=f"http://{address}", timeout=60) as client:
        row = [node("go", "manual_trigger"), node("it", "sample", do="until", path=str(gate))]
        await client.stored(*row, id="first")
        await client.stored(node("go", "manual_trigger"), node("it", "sample"), id="second")
        await client.execute("first", useQueue=True)
        await until(Path(f"{gate}.here").exists)
        execution_id = (await client.execute("second", useQueue=True)).json()["executionId"]
        detail = "queued, 1st of 1, waits for worker"

        async def seen_over_http() -> str:
            nodes = (await client.get(f"/api/executions/{execution_id}")).json()["nodes"]
            return next((one.get("detail", "") for one in nodes if one["nodeId"] == "it"), "")

        async with asyncio.timeout(60):
            while await seen_over_http() != detail:
                pass
        for protocols in (None, [websockets.Subprotocol("flowscope.v1")]):
            url = f"ws://{address}/ws/executions?executionId={execution_id}"
            async with websockets.connect(url, subprotocols=protocols) as socket:
                fold = ClientFold(execution_id)
                while fold.cursor < 0:
                    fold.receive(json.loads(await socket.recv()))
                assert fold.nodes["it"]["detail"] == detail and fold.nodes["it"]["status"] == "running"
                if protocols:
                    gate.touch()
                    details = []
                    while not fold.ended:
                        fold.receive(json.loads(await socket.recv()))
                        details.append(fold.nodes["it"].get("detail"))
                    assert details[-1] is None and fold.nodes["it"]["status"] == "success"
        assert await seen_over_http() == ""


async def test_the_line_is_told_while_one_looks_on_p_06(tmp_path: Path) -> None:
    words: list[Progress] = []

    class Ear:
        def publish(self, segment: Any, events: Any) -> None: ...

        def murmur(self, word: Progress | LogLine) -> None:
            if isinstance(word, Progress):
                words.append(word)

    gate = tmp_path / "gate"
    document = chain("line", one("go", "manual_trigger"), sample("it", do="until", path=str(gate)))
    async with engine_with(concurrency=1, watcher=Ear()) as engine:
        runs = [await engine.start(document) for _ in range(3)]
        last = runs[-1].execution_id
        await until(lambda: any(word.execution_id == last and word.detail for word in words))
        assert [word.detail for word in engine.orchestrator.standing(last)] == ["queued, 2nd of 2, waits for worker"]
        gate.touch()
        for run in runs:
            await run.result()
    assert words[-1].detail == "" and {word.detail for word in words} >= {"queued, 2nd of 2, waits for worker"}


async def test_a_node_that_is_tried_alone_runs_there_too_p_04(tmp_path: Path) -> None:
    app = create_app(Settings.from_environment({}, data_dir=None), registry=REGISTRY)
    async with listening(app) as address, Client(base_url=f"http://{address}", timeout=60) as client:
        trial = {"nodeId": "n", "nodeType": "sample", "config": {"do": "who"}, "input": {}}
        answers = [(await client.post("/api/execute-node", json=trial)).json() for _ in range(2)]
        hanging = trial | {"config": {"do": "hang", "path": str(tmp_path / "it"), "timeout": 300}}
        late = (await client.post("/api/execute-node", json=hanging)).json()
    assert answers[0]["output"] == answers[1]["output"] != os.getpid()
    assert not late["success"] and "300 ms" in late["error"]


# --- programs ---


async def test_a_node_in_the_main_program_runs_in_a_worker_and_nothing_else_of_it_does(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    mine, result = out.decode().split()
    assert mine != result and "said by the worker" in err.decode()


PROGRAM = """
import os
from flowscope import run
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.sdk import node

@node("own", title="Own", category="testing", resources="cpu")
def own():
    print("said by the worker")
    return os.getpid()

if __name__ == "__main__":
    registry = builtin_registry()
    registry.add(own)
    print(os.getpid())
    print(run({"nodes": [{"id": "a", "data": {"type": "own"}}], "edges": []}, data_dir=None, registry=registry))
"""


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
