"""The past over HTTP and WebSocket: docs/spec.md, R-01 to R-04."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
import websockets

from compatibility.live_server import Client, node, serving
from flowscope.live.client_fold import ClientFold

START = node("start", "manual_trigger")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def failed_run(server: Client) -> str:
    await server.stored(
        START,
        node("price", "set", fields={"total": "{{ n * 2 }}"}),
        node("pay", "simulate", fail="{{ total > 10 }}", retry={"attempts": 2, "delay": 30}),
        node("done", "noop"),
    )
    return str((await server.execute(input={"n": 21})).json()["executionId"])


async def test_every_instant_is_as_it_was(server: Client) -> None:
    """R-01: the snapshot after each event is the one a viewer had then, and the data too."""
    execution_id = await failed_run(server)
    address = f"/api/executions/{execution_id}"
    events = (await server.get(f"{address}/events")).json()["events"]
    seen: dict[str, str] = {}
    for event in events:
        told = (await server.get(f"{address}/at", params={"seq": event["seq"]})).json()
        assert (told["seq"], told["lastSeq"], told["at"]) == (event["seq"], len(events), event["at"])
        if event["type"] in ("NodeStarted", "NodeSucceeded", "NodeFailed"):
            ends = {"NodeStarted": "running", "NodeSucceeded": "success", "NodeFailed": "error"}
            seen[event["nodeId"]] = "pending" if event.get("retryAt") else ends[event["type"]]
        shown = {one["nodeId"]: one["status"] for one in told["snapshot"]["nodes"]}
        assert {node_id: shown[node_id] for node_id in seen} == seen
    last = (await server.get(f"{address}/at", params={"t": events[-1]["at"] + 1})).json()
    assert (last["snapshot"]["status"], last["seq"]) == ("failed", len(events))
    before = next(event["seq"] for event in events if event["type"] == "NodeStarted" and event["nodeId"] == "pay")
    assert (await server.get(f"{address}/nodes/pay/input", params={"seq": before})).json() == {"n": 21, "total": 42}
    assert (await server.get(f"{address}/nodes/price/output", params={"seq": 2})).status_code == 404
    assert (await server.get("/api/executions/nobody/at")).status_code == 404


async def test_the_histogram_counts_every_event_and_names_the_errors(server: Client) -> None:
    """R-02."""
    execution_id = await failed_run(server)
    told = (await server.get(f"/api/executions/{execution_id}/histogram", params={"buckets": 7})).json()
    assert sum(bucket["events"] for bucket in told["buckets"]) == told["lastSeq"]
    assert [(error["nodeId"], error.get("handled", False)) for error in told["errors"]] == [
        ("pay", True), ("pay", False), ("pay", False),
    ]  # fmt: skip
    assert sum(bucket["errors"] for bucket in told["buckets"]) == 3
    assert [turning["kind"] for turning in told["turnings"]] == ["failing"]


async def test_the_timeline_tells_attempts_and_the_critical_path(server: Client) -> None:
    """L-01 L-02."""
    execution_id = await failed_run(server)
    told = (await server.get(f"/api/executions/{execution_id}/timeline")).json()
    assert told["criticalPath"] == ["start", "price", "pay"]
    pay = next(one for one in told["nodes"] if one["nodeId"] == "pay")
    assert [attempt["status"] for attempt in pay["attempts"]] == ["error", "error"]
    assert pay["attempts"][1]["segments"][0]["kind"] == "backoff"
    assert pay["critical"]


async def frames(socket: Any, until: str) -> AsyncIterator[dict[str, Any]]:
    while True:
        async with asyncio.timeout(60):
            message = json.loads(await socket.recv())
        yield message
        data = message.get("data", {})
        if data.get("status") == until and message["type"] in ("EXECUTION_UPDATE", "EXECUTION_SNAPSHOT"):
            return


async def test_a_replay_is_watched_like_a_run_and_moved_about(server: Client) -> None:
    """R-03 R-04: the same protocol; a viewer ends with what a viewer of the run ended with."""
    execution_id = await failed_run(server)
    made = await server.post(f"/api/executions/{execution_id}/replays", json={"speed": 8, "playing": False})
    assert made.status_code == 201
    replay_id = made.json()["replayId"]
    async with websockets.connect(f"ws://{server.address}/ws/executions?executionId={replay_id}") as socket:
        first = [json.loads(await socket.recv()) for _ in range(2)]
        assert [message["type"] for message in first] == ["CONNECTED", "EXECUTION_SNAPSHOT"]
        assert (first[1]["data"]["executionId"], first[1]["data"]["seq"]) == (replay_id, 1)
        fold = ClientFold(replay_id)
        for message in first:
            fold.receive(message)
        assert (await server.post(f"/api/replays/{replay_id}", json={"playing": True})).json()["playing"]
        async for message in frames(socket, "failed"):
            fold.receive(message)
        now = (await server.get(f"/api/executions/{execution_id}/at")).json()["snapshot"]
        assert {node_id: one["status"] for node_id, one in fold.nodes.items()} == {
            one["nodeId"]: one["status"] for one in now["nodes"]
        }
        moved = (await server.post(f"/api/replays/{replay_id}", json={"seq": 4, "playing": False})).json()
        assert (moved["seq"], moved["playing"]) == (4, False)
        async for message in frames(socket, "running"):
            last = message
        assert (last["type"], last["data"]["seq"]) == ("EXECUTION_SNAPSHOT", 4)
        faster = (await server.post(f"/api/replays/{replay_id}", json={"playing": True, "speed": 32})).json()
        assert faster["speed"] == 32
        async for message in frames(socket, "failed"):
            last = message
        assert last["data"]["seq"] == made.json()["lastSeq"]
    assert (await server.get(f"/api/replays/{replay_id}")).json()["playing"] is False
    assert (await server.delete(f"/api/replays/{replay_id}")).status_code == 204
    assert (await server.get(f"/api/replays/{replay_id}")).status_code == 404


async def test_a_replay_can_be_read_as_a_stream(server: Client) -> None:
    """R-03."""
    execution_id = await failed_run(server)
    types = []
    async with server.stream("GET", f"/api/executions/{execution_id}/replay", params={"speed": 1000}) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                message = json.loads(line.removeprefix("data: "))
                types.append((message["type"], message.get("data", {}).get("status")))
    assert types[0][0] == "CONNECTED"
    assert types[-1] == ("EXECUTION_UPDATE", "failed")
    assert ("NODE_UPDATE", "pending") in types


async def test_a_replay_of_a_run_that_goes_on_ends_where_that_is(server: Client) -> None:
    """R-03."""
    await server.stored(START, node("ask", "wait", signal="go"), id="waits")
    await server.execute("waits", executionId="waits")
    address = "/api/executions/waits/replay"
    async with server.stream("GET", address, params={"speed": 1000}) as response:
        lines = [line async for line in response.aiter_lines()]
    assert any('"detail":"waiting"' in line for line in lines)


async def test_what_makes_no_sense_is_refused(server: Client) -> None:
    execution_id = await failed_run(server)
    replays = f"/api/executions/{execution_id}/replays"
    assert (await server.post(replays, json={"speed": 0})).status_code == 422
    assert (await server.post(replays, json={"speed": 1e9})).status_code == 422
    assert (await server.post("/api/executions/nobody/replays", json={})).status_code == 404
    assert (await server.post("/api/replays/nobody", json={})).status_code == 404
    assert (await server.get(f"/api/executions/{execution_id}/replay", params={"speed": -1})).status_code == 422


async def test_a_long_run_is_gone_about_in(server: Client) -> None:
    """R-01: beyond a keyframe, to and fro. How long it took is printed."""
    inner = node("work", "noop") | {"parentId": "each"}
    edge = {"source": "start", "target": "each"}
    await server.stored(START, node("each", "map", items="{{ range(3000) }}"), inner, edges=[edge])
    execution_id = (await server.execute()).json()["executionId"]
    address = f"/api/executions/{execution_id}/at"
    last = (await server.get(address)).json()["lastSeq"]
    assert last > 12_000
    took = []
    for share in (0.1, 0.9, 0.5, 0.99, 0.3):
        began = time.perf_counter()
        told = (await server.get(address, params={"seq": round(last * share)})).json()
        took.append(time.perf_counter() - began)
        assert told["seq"] == round(last * share)
    print(f"{max(took) * 1000:.0f} ms at most, in {last} events")
