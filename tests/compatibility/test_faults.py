"""Contract section 7: what was wrong in the system of old, each with the test that it is not here. The numbers are that section's.

12 (cron never fired) is tested in `test_triggers.py`, the form of 5 and 14 in `test_people.py`, the pool of 11 in `test_worker_pool.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import websockets
from fastapi import FastAPI, Request, Response

from compatibility.live_server import Client, listening, node, serving
from compatibility.old_client import watching
from flowscope.nodes.context import Surroundings
from flowscope.server import attach, enhanced_execute_workflow
from flowscope.server.settings import Settings

START = node("start", "manual_trigger")
ASK = node("ask", "wait", signal="go")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


def edge(source: str, target: str, handle: str = "", into: str = "") -> dict[str, str]:
    return {"source": source, "target": target, "sourceHandle": handle or "output", "targetHandle": into or "input"}


async def statuses(server: Client, execution_id: str) -> dict[str, str]:
    nodes = (await server.get(f"/api/executions/{execution_id}")).json()["nodes"]
    return {one["nodeId"]: one["status"] for one in nodes}


async def events(server: Client, execution_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await server.get(f"/api/executions/{execution_id}/events")).json()["events"]
    return found


@pytest.mark.parametrize("how", ["useQueue", "Prefer", "own id"])
async def test_1_the_id_is_known_before_the_run(server: Client, how: str) -> None:
    await server.stored(START, ASK)
    headers = {"Prefer": "respond-async"} if how == "Prefer" else {}
    body: dict[str, Any] = {"workflowId": "flow"}
    body |= {"useQueue": True} if how == "useQueue" else {"executionId": "mine"} if how == "own id" else {}
    answer = await server.post("/api/execute-workflow", json=body, headers=headers)
    execution_id = answer.json()["executionId"]
    async with watching(server.address, execution_id) as client:
        await client.until("EXECUTION_SNAPSHOT")
        await server.post(f"/api/executions/{execution_id}/signal", json={"name": "go"})
        assert (await client.to_the_end())["status"] == "success"


@pytest.mark.parametrize(("last", "status"), [("noop", "success"), ("stop_and_error", "failed")])
async def test_2_the_end_and_the_progress_are_told(server: Client, last: str, status: str) -> None:
    await server.stored(START, ASK, node("a", "noop"), node("b", last))
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        await client.until("EXECUTION_SNAPSHOT")
        await server.post(f"/api/executions/{execution_id}/signal", json={"name": "go"})
        end = await client.to_the_end()
    assert (end["status"], end["progress"]) == (status, 100)
    told = [one["data"]["progress"] for one in client.heard if one["type"] == "EXECUTION_UPDATE"]
    assert told == sorted(told) and len(set(told)) > 2


async def test_3_one_side_of_a_branch_runs(server: Client) -> None:
    nodes = (
        START,
        node("which", "if_else", condition="n > 1"),
        node("yes", "noop"),
        node("no", "noop"),
        node("after", "noop"),
    )
    edges = [edge("start", "which"), edge("which", "yes", "true"), edge("which", "no", "false"), edge("no", "after")]
    await server.stored(*nodes, edges=edges)
    for n, sides in ((2, ("success", "skipped", "skipped")), (1, ("skipped", "success", "success"))):
        body = (await server.execute(input={"n": n})).json()
        found = await statuses(server, body["executionId"])
        assert (found["yes"], found["no"], found["after"]) == sides


async def test_4_no_input_hides_another(server: Client) -> None:
    nodes = (START, node("a", "set", fields={"x": 1}), node("b", "set", fields={"x": 2}), node("both", "noop"))
    edges = [edge("start", "a"), edge("start", "b"), edge("a", "both", into="left"), edge("b", "both", into="right")]
    await server.stored(*nodes, edges=edges)
    assert (await server.execute()).json()["output"] == {"left": {"x": 1}, "right": {"x": 2}}


async def test_5_going_on_does_not_start_over_nor_forget_the_branch(tmp_path: Path) -> None:
    nodes = (START, node("which", "if_else", condition="n > 1"), ASK, node("no", "noop"), node("last", "noop"))
    edges = [
        edge("start", "which"),
        edge("which", "ask", "true"),
        edge("which", "no", "false"),
        edge("ask", "last"),
        edge("no", "last"),
    ]
    async with serving(tmp_path) as server:
        await server.stored(*nodes, edges=edges)
        execution_id = (await server.execute(input={"n": 2})).json()["executionId"]
    async with serving(tmp_path) as server:
        await server.post(f"/api/executions/{execution_id}/signal", json={"name": "go", "payload": {"ok": 1}})
        await server.until(execution_id, "success")
        assert await statuses(server, execution_id) == {
            "start": "success", "which": "success", "ask": "success", "no": "skipped", "last": "success",
        }  # fmt: skip
        starts = Counter(one["nodeId"] for one in await events(server, execution_id) if one["type"] == "NodeStarted")
        assert starts == {"start": 1, "which": 1, "ask": 1, "last": 1}
        assert (await server.get(f"/api/executions/{execution_id}/output")).json() == {"ok": 1}


async def test_6_the_failed_node_is_in_the_log(server: Client) -> None:
    await server.stored(START, node("stop", "stop_and_error", errorMessage="no more"))
    body = (await server.execute()).json()
    for logs in (body["logs"], (await server.get(f"/api/executions/{body['executionId']}/logs")).json()["logs"]):
        failed = next(entry for entry in logs if entry["nodeId"] == "stop")
        assert failed["status"] == "failed" and "no more" in failed["error"]
        assert failed["startedAt"] and failed["finishedAt"]


async def test_7_a_cycle_is_refused_and_named(server: Client) -> None:
    nodes = [START, node("a", "noop"), node("b", "noop")]
    edges = [edge("start", "a"), edge("a", "b"), edge("b", "a")]
    stored = await server.post("/api/workflows", json={"id": "flow", "nodes": nodes, "edges": edges})
    assert (stored.status_code, stored.json()["valid"]) == (201, False)
    answer = await server.execute()
    assert answer.status_code == 422
    assert "a" in answer.json()["error"] and "b" in answer.json()["error"] and "cycle" in answer.text.lower()
    assert (await server.get("/api/executions")).json()["executions"] == []


async def test_8_nothing_is_open_once_there_are_keys(server: Client) -> None:
    server.services.keys.create("me", "admin")
    internal = {"x-internal-request": "true", "x-user-id": "1"}
    assert (
        await server.post("/api/execute-workflow", json={"workflowId": "flow"}, headers=internal)
    ).status_code == 401
    async with websockets.connect(f"ws://{server.address}/ws/executions", additional_headers=internal) as socket:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


@pytest.mark.parametrize("condition", ["__import__('os').system('true')", "().__class__", "(lambda: 1)()"])
async def test_9_a_condition_is_not_evaluated_as_code(server: Client, condition: str) -> None:
    await server.stored(START)
    document = {
        "id": "evil",
        "nodes": [START, node("which", "if_else", condition=condition)],
        "edges": [edge("start", "which")],
    }
    await server.post("/api/workflows", json=document)
    answer = await server.execute("evil")
    assert answer.status_code in (422, 500) and "error" in answer.json()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254"])
async def test_9_requests_do_not_go_to_internal_addresses(server: Client, host: str) -> None:
    with answering(200) as (port, asked):
        await server.stored(START, node("call", "http_request", url=f"http://{host}:{port}/"))
        answer = await server.execute()
    assert answer.status_code == 500 and not asked


async def test_10_nothing_is_left_of_runs_and_viewers(server: Client) -> None:
    await server.stored(START, ASK)
    before = server.services.statistics()
    for _ in range(20):
        execution_id = (await server.execute()).json()["executionId"]
        async with watching(server.address, execution_id) as client:
            await client.until("EXECUTION_SNAPSHOT")
            await server.post(f"/api/executions/{execution_id}/cancel")
            assert (await client.to_the_end())["status"] == "cancelled"
    async with asyncio.timeout(20):
        while server.services.visualization.get_stats()["totalClients"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    after = server.services.statistics()
    assert after["executions"] == before["executions"] == 0
    assert after["states"]["subscribers"] == before["states"]["subscribers"]
    assert server.services.visualization.get_stats() == {
        "totalClients": 0,
        "activeExecutions": 0,
        "totalConnections": 0,
    }


async def test_11_without_realtime_a_run_is_a_run() -> None:
    app = FastAPI()

    @app.post("/run")
    async def run(request: Request) -> Response:
        return await enhanced_execute_workflow(request, use_realtime=False, use_worker_pool=False)

    services = attach(app, Settings.from_environment({}, data_dir=None), find_workflow=found)
    async with listening(app) as address, Client(base_url=f"http://{address}") as client:
        body = (await client.post("/run", json={"workflowId": "flow"})).json()
        assert (body["status"], body["output"]) == ("success", {"a": 1})
        view = await services.histories.view(body["executionId"])
        assert view.status == "success"


async def found(workflow_id: str) -> dict[str, Any] | None:
    return {"nodes": [START, node("a", "set", fields={"a": 1})], "edges": [edge("start", "a")]}


async def test_13_a_cancelled_run_is_cancelled_and_stops(server: Client) -> None:
    nap = node("nap", "wait", duration=10) | {"parentId": "again"}
    await server.stored(
        START, node("again", "loop", times=100_000, maxIterations=100_000), nap, edges=[edge("start", "again")]
    )
    execution_id = (await server.execute(useQueue=True)).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        await client.until("NODE_UPDATE", nodeId="nap")
        answer = await server.post(f"/api/executions/{execution_id}/cancel")
        assert answer.json()["status"] == "cancelled"
        assert (await client.to_the_end())["status"] == "cancelled"
    told = await events(server, execution_id)
    assert told[-1]["type"] == "ExecutionCancelled"
    assert server.services.statistics()["executions"] == 0


async def test_14_of_many_starts_of_one_id_one_runs(server: Client) -> None:
    """V-08"""
    await server.stored(START, node("nap", "wait", duration=30_000), id="long")
    answers = await asyncio.gather(*(server.execute("long", executionId="long", useQueue=True) for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 19}
    assert {answer.json().get("code") for answer in answers} == {None, "RUN_ALREADY_ACTIVE"}
    assert Counter(one["type"] for one in await events(server, "long"))["ExecutionStarted"] == 1
    # The old one selected and then updated, so that two answers to one question could both count.
    await server.stored(START, ASK)
    await server.execute(executionId="mine")
    signals = await asyncio.gather(
        *(server.post("/api/executions/mine/signal", json={"name": "go", "payload": n}) for n in range(10))
    )
    assert Counter(answer.status_code for answer in signals) == {200: 1, 409: 9}
    starts = Counter(one["type"] for one in await events(server, "mine"))
    assert starts["ExecutionStarted"] == 1 and starts["ExecutionSucceeded"] == 1


async def test_15_an_output_is_its_nodes_own_however_much_there_is(server: Client) -> None:
    row = [node(f"n{number}", "set", fields={"own": number, "fat": "x" * 40_000}) for number in range(60)]
    await server.stored(START, *row, node("sum", "set", fields={"first": "{{ n0.own }}", "last": "{{ n59.own }}"}))
    body = (await server.execute(input={"own": "the workflow's"})).json()
    assert (body["output"]["first"], body["output"]["last"]) == (0, 59)
    for number in (0, 30, 59):
        output = (await server.get(f"/api/executions/{body['executionId']}/nodes/n{number}/output")).json()
        assert output["own"] == number and len(output["fat"]) == 40_000


async def test_16_the_server_pings_and_lets_go_of_who_does_not_answer() -> None:
    async with serving(ws_heartbeat_interval_ms=100) as server:
        reader, writer = await asyncio.open_connection(*server.address.split(":"))
        writer.write(
            b"GET /ws/executions HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        async with asyncio.timeout(20):
            await reader.readuntil(b"\r\n\r\n")
            heard = await reader.read()
        writer.close()
        assert heard.count(b"\x89\x00") == 2
        assert (4408).to_bytes(2, "big") in heard


async def test_16_what_was_missed_is_told_and_an_unknown_id_is_said(server: Client) -> None:
    """Sequence numbers, resume, back-pressure: tests/acceptance/test_lossless.py has the rest."""
    await server.stored(START, ASK)
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        seq = (await client.until("EXECUTION_SNAPSHOT"))["data"]["seq"]
    await server.post(f"/api/executions/{execution_id}/signal", json={"name": "go"})
    async with watching(server.address, execution_id, seq) as client:
        await client.until("CAUGHT_UP")
        assert client.nodes("ask")[-1]["status"] == "success"
        await client.say("SUBSCRIBE", executionId="nobody")
        assert (await client.until("ERROR"))["code"] == "EXECUTION_NOT_FOUND"


async def test_17_an_unknown_type_does_not_succeed(server: Client) -> None:
    await server.post("/api/workflows", json={"id": "flow", "nodes": [node("x", "teleport")], "edges": []})
    answer = await server.execute()
    assert answer.status_code == 422 and "teleport" in answer.json()["error"]


@pytest.mark.parametrize("status", [404, 500])
async def test_17_an_http_error_is_a_failure(status: int) -> None:
    with answering(status) as (port, _):
        async with serving(surroundings=Surroundings(allow_private_addresses=True)) as server:
            await server.stored(START, node("call", "http_request", url=f"http://127.0.0.1:{port}/"))
            answer = await server.execute()
            assert answer.status_code == 500 and str(status) in answer.json()["error"]


# 18: tests/compatibility/test_settings.py


@contextmanager
def answering(status: int) -> Iterator[tuple[int, list[str]]]:
    """An HTTP server that always answers the same; its port, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = json.dumps({"ok": status < 400}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield httpd.server_address[1], asked
    finally:
        with contextlib.suppress(OSError):
            httpd.shutdown()
        httpd.server_close()
        thread.join()
