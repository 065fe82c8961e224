"""Contract section 2, row by row, and section 3 where it is seen from outside."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import websockets
from websockets.typing import Subprotocol

from compatibility.live_server import Client, node, serving
from compatibility.old_client import OldClient, watching

START = node("start", "manual_trigger")
ASK = node("ask", "wait", signal="go")

STATUSES = {"idle", "pending", "running", "success", "error", "skipped"}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def go_on(server: Client, execution_id: str, payload: Any = None) -> None:
    address = f"/api/executions/{execution_id}/signal"
    assert (await server.post(address, json={"name": "go", "payload": payload})).status_code == 200


def nulls(value: Any, place: str = "") -> list[str]:
    """Where null is said."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in nulls(inner, f"{place}.{key}")]
    if isinstance(value, list):
        return [found for number, inner in enumerate(value) for found in nulls(inner, f"{place}[{number}]")]
    return [place] if value is None else []


# --- server to client ---


async def test_connected_is_first_and_flat(server: Client) -> None:
    async with watching(server.address) as client:
        message = await client.hear()
    assert set(message) == {"type", "clientId", "executionId", "timestamp"}
    assert (message["type"], message["executionId"]) == ("CONNECTED", None)
    assert abs(message["timestamp"] - time.time() * 1000) < 60_000
    async with watching(server.address, "x-1") as client:
        assert (await client.hear())["executionId"] == "x-1"


async def test_a_snapshot_comes_on_connect_and_on_subscribe(server: Client) -> None:
    await server.stored(START, ASK, node("last", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as first, watching(server.address) as second:
        await first.hear()
        await second.hear()
        await second.say("SUBSCRIBE", executionId=execution_id)
        snapshot = await first.hear()
        assert await second.hear() == snapshot
    data = snapshot["data"]
    assert set(snapshot) == {"type", "data"}
    assert snapshot["type"] == "EXECUTION_SNAPSHOT"
    assert {"executionId", "status", "progress", "totalNodes", "completedNodes", "startTime", "nodes"} <= set(data)
    assert (data["executionId"], data["status"]) == (execution_id, "waiting")
    assert (data["totalNodes"], data["completedNodes"], data["progress"]) == (3, 1, 33)
    for entry in data["nodes"]:
        assert {"nodeId", "nodeName", "status", "visual", "timestamp"} <= set(entry)
        assert entry["status"] in STATUSES
    assert [(one["nodeId"], one["nodeName"]) for one in data["nodes"]] == [
        ("start", "Start"),
        ("ask", "Ask"),
        ("last", "Last"),
    ]


async def test_a_snapshot_of_an_ended_run_has_its_duration(server: Client) -> None:
    await server.stored(START)
    body = (await server.execute()).json()
    async with watching(server.address, body["executionId"]) as client:
        data = (await client.until("EXECUTION_SNAPSHOT"))["data"]
    assert (data["status"], data["progress"], data["duration"]) == ("success", 100, body["durationMs"])
    assert isinstance(data["startTime"], int) and data["startTime"] > 1_600_000_000_000


async def test_node_updates_and_execution_updates(server: Client) -> None:
    await server.stored(START, ASK, node("stop", "stop_and_error", errorMessage="no more"), node("never", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        await client.until("EXECUTION_SNAPSHOT")
        await go_on(server, execution_id)
        end = await client.to_the_end()
    update = client.nodes("stop")[-1]
    assert {"executionId", "nodeId", "nodeName", "status", "visual", "timestamp", "duration", "error"} <= set(update)
    assert (update["executionId"], update["nodeName"], update["status"]) == (execution_id, "Stop", "error")
    assert "no more" in update["error"]
    assert client.nodes("never")[-1]["status"] == "skipped"
    assert {"executionId", "status", "progress", "completedNodes", "totalNodes", "duration", "error"} <= set(end)
    assert (end["status"], end["progress"], end["completedNodes"], end["totalNodes"]) == ("failed", 100, 4, 4)
    assert "no more" in end["error"]
    assert isinstance(end["duration"], int) and isinstance(update["timestamp"], int)


async def test_every_change_of_the_run_itself_is_told(server: Client) -> None:
    await server.stored(START, ASK, node("nap", "wait", duration=50), node("last", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        await client.until("EXECUTION_SNAPSHOT", status="waiting")
        await server.post(f"/api/executions/{execution_id}/pause")
        await client.until("EXECUTION_UPDATE", status="waiting", detail="paused")
        await server.post(f"/api/executions/{execution_id}/resume")
        await go_on(server, execution_id)
        await client.until("EXECUTION_UPDATE", completedNodes=3)
        await client.until("EXECUTION_UPDATE", status="success", progress=100)


async def test_nothing_undefined_is_null(server: Client) -> None:
    inside = node("inside", "noop") | {"parentId": "each"}
    edges = [{"source": "start", "target": "ask"}, {"source": "ask", "target": "each"}]
    await server.stored(START, ASK, node("each", "map", items="{{ [1, 2] }}"), inside, edges=edges)
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        await client.until("EXECUTION_SNAPSHOT")
        await go_on(server, execution_id)
        await client.to_the_end()
    assert [nulls(message) for message in client.heard] == [[]] * len(client.heard)


# --- client to server ---


async def test_ping_pong(server: Client) -> None:
    async with watching(server.address) as client:
        await client.say("PING")
        pong = await client.until("PONG")
    assert set(pong) == {"type", "timestamp"}


async def test_one_socket_watches_many_until_it_unsubscribes(server: Client) -> None:
    await server.stored(START, ASK)
    runs = [(await server.execute()).json()["executionId"] for _ in range(2)]
    async with watching(server.address) as client:
        for execution_id in runs:
            await client.say("SUBSCRIBE", executionId=execution_id)
            await client.until("EXECUTION_SNAPSHOT", executionId=execution_id)
        await client.say("UNSUBSCRIBE", executionId=runs[0])
        await client.say("PING")
        await client.until("PONG")
        for execution_id in runs:
            await go_on(server, execution_id)
        await client.to_the_end()
        await client.say("PING")
        await client.until("PONG")
    ended = [one["data"]["executionId"] for one in client.heard if one.get("data", {}).get("status") == "success"]
    assert set(ended) == {runs[1]}


# --- the look of a node ---

VISUAL = {
    "idle": {"borderColor": "#9ca3af", "icon": "circle"},
    "pending": {"borderColor": "#9ca3af", "icon": "clock"},
    "running": {"borderColor": "#3b82f6", "icon": "play", "animation": "pulse-running", "glow": True},
    "success": {"borderColor": "#10b981", "icon": "check"},
    "error": {"borderColor": "#ef4444", "icon": "x", "animation": "pulse-error", "pulse": True},
    "skipped": {"borderColor": "#f59e0b", "icon": "skip"},
}


async def test_the_visual_of_each_status(server: Client) -> None:
    """Two are shown by a run that waits, the others by one that is reported."""
    await server.stored(START, ASK, node("last", "noop"))
    waiting = (await server.execute()).json()["executionId"]
    states = server.services.state_manager
    states.initialize_execution("theirs", "w", 6)
    for status in ("running", "success", "error", "skipped"):
        if status in ("success", "error"):
            states.update_node_state("theirs", status, status, "running")
        states.update_node_state("theirs", status, status, status, {"error": "broken"} if status == "error" else {})
    await states.settled("theirs")
    seen: dict[str, Any] = {}
    for execution_id in (waiting, "theirs"):
        seen |= {one["status"]: one for one in (await snapshot_of(server, execution_id))["nodes"]}
    assert set(seen) == STATUSES
    for status, entry in seen.items():
        visual = entry["visual"]
        assert {key: value for key, value in visual.items() if key != "badges"} == VISUAL[status]
        badges = {badge["label"]: badge["value"] for badge in visual["badges"]}
        if status in ("success", "error"):
            assert badges.pop("Duration") == f"{entry['duration']}ms"
        if status == "error":
            assert badges.pop("Error") == "broken"
        assert badges == {}


async def test_progress_has_a_badge(server: Client) -> None:
    states = server.services.state_manager
    states.initialize_execution("theirs", "w", 1)
    await states.settled("theirs")
    async with watching(server.address, "theirs") as client:
        await client.until("EXECUTION_SNAPSHOT")
        state = {"status": "running", "nodeName": "A", "progress": 40}
        server.services.visualization.broadcast_node_update("theirs", "a", state)
        update = (await client.until("NODE_UPDATE", nodeId="a", progress=40))["data"]
        assert {"label": "Progress", "value": "40%"} in update["visual"]["badges"]
        assert update["status"] == "running" and "seq" not in update
        server.services.visualization.broadcast_node_update("theirs", "a", state | {"progress": 70})
        await client.until("NODE_UPDATE", nodeId="a", progress=70)


async def test_progress_waits_for_the_start_that_is_on_disk_and_not_told_yet(server: Client) -> None:
    states, store = server.services.state_manager, server.services.engine.orchestrator.store
    states.initialize_execution("theirs", "w", 1)
    await states.settled("theirs")
    async with watching(server.address, "theirs") as client:
        await client.until("EXECUTION_SNAPSHOT")
        states.update_node_state("theirs", "a", "A", "running")
        while not store.read("theirs", 1):  # the loop stands still meanwhile, and so does whoever would tell
            os.sched_yield()
        state = {"status": "running", "nodeName": "A", "progress": 40}
        server.services.visualization.broadcast_node_update("theirs", "a", state)
        await client.until("NODE_UPDATE", nodeId="a", progress=40)


@pytest.mark.parametrize(
    ("command", "status", "detail"), [("pause", "waiting", "paused"), ("cancel", "cancelled", None)]
)
async def test_new_states_are_details_beside_the_six(server: Client, command: str, status: str, detail: Any) -> None:
    await server.stored(START, ASK, node("last", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        snapshot = (await client.until("EXECUTION_SNAPSHOT"))["data"]
        waiting = next(one for one in snapshot["nodes"] if one["nodeId"] == "ask")
        assert (waiting["status"], waiting["detail"]) == ("pending", "waiting")
        await server.post(f"/api/executions/{execution_id}/{command}")
        update = (await client.until("EXECUTION_UPDATE", status=status))["data"]
    assert detail is None or update["detail"] == detail
    if command == "cancel":
        assert (client.nodes("ask")[-1]["status"], client.nodes("ask")[-1]["detail"]) == ("skipped", "cancelled")


# --- what ours adds ---


async def resumed(server: Client, execution_id: str, after: int) -> list[dict[str, Any]]:
    async with watching(server.address, execution_id, after) as client:
        await client.until("CAUGHT_UP")
    return client.heard[1:]


async def test_after_goes_on_where_a_client_was(server: Client) -> None:
    await server.stored(START, node("last", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    events = (await server.get(f"/api/executions/{execution_id}/events")).json()
    for after in range(1, events["lastSeq"] + 1):
        *told, caught_up = await resumed(server, execution_id, after)
        assert caught_up == {"type": "CAUGHT_UP", "executionId": execution_id, "seq": events["lastSeq"]}
        seqs = [message["data"]["seq"] for message in told]
        assert seqs == sorted(seqs) and all(seq > after for seq in seqs)
        assert bool(told) is (after < events["lastSeq"])


async def test_after_in_a_subscribe(server: Client) -> None:
    await server.stored(START)
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address) as client:
        await client.say("SUBSCRIBE", executionId=execution_id, after=1)
        await client.until("CAUGHT_UP")
    assert [message["type"] for message in client.heard][1:] != []
    assert "EXECUTION_SNAPSHOT" not in [message["type"] for message in client.heard]


async def test_a_cursor_ahead_of_the_journal_is_said_to_lag(server: Client) -> None:
    await server.stored(START)
    execution_id = (await server.execute()).json()["executionId"]
    lagged, snapshot, caught_up = await resumed(server, execution_id, 999)
    assert (lagged["type"], lagged["from"]) == ("LAGGED", 1_000)
    assert (snapshot["type"], snapshot["data"]["seq"]) == ("EXECUTION_SNAPSHOT", lagged["to"])
    assert caught_up["seq"] == lagged["to"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"type": "SUBSCRIBE", "executionId": "nobody"}, "EXECUTION_NOT_FOUND"),
        ("{", "BAD_JSON"),
        ({"type": "DANCE"}, "UNKNOWN_TYPE"),
        ({"type": "SUBSCRIBE"}, "BAD_MESSAGE"),
    ],
)
async def test_errors_are_said(server: Client, said: Any, code: str) -> None:
    async with watching(server.address) as client:
        await client.socket.send(said if isinstance(said, str) else json.dumps(said))
        error = await client.until("ERROR")
        assert error["code"] == code and error["message"]
        await client.say("PING")
        await client.until("PONG")


async def test_frames_for_those_who_ask_for_them(server: Client) -> None:
    await server.stored(START, ASK, *(node(f"n{number}", "noop") for number in range(20)))
    execution_id = (await server.execute()).json()["executionId"]
    address = f"ws://{server.address}/ws/executions?executionId={execution_id}"
    async with websockets.connect(address, subprotocols=[Subprotocol("flowscope.v1")]) as socket:
        assert socket.subprotocol == "flowscope.v1"
        client = OldClient(socket)
        cursor = (await client.until("EXECUTION_SNAPSHOT"))["data"]["seq"]
        await go_on(server, execution_id)
        ended = False
        while not ended:
            frame = json.loads(await socket.recv())
            assert set(frame) == {"executionId", "prev", "seq", "messages"}
            assert frame["prev"] == cursor
            cursor = frame["seq"]
            ended = any(
                message["data"]["status"] == "success" and "nodeId" not in message["data"]
                for message in frame["messages"]
            )
    assert cursor == (await server.get(f"/api/executions/{execution_id}/events")).json()["lastSeq"]


async def test_without_a_subprotocol_one_message_a_frame(server: Client) -> None:
    await server.stored(START, ASK, *(node(f"n{number}", "noop") for number in range(20)))
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        assert client.socket.subprotocol is None
        await client.until("EXECUTION_SNAPSHOT")
        await go_on(server, execution_id)
        await client.to_the_end()
    assert all(set(message) == {"type", "data"} for message in client.heard[1:])
    assert len({message["data"]["nodeId"] for message in client.heard if message["type"] == "NODE_UPDATE"}) == 21


async def test_a_body_is_one_aggregate_a_node(server: Client) -> None:
    each = node("each", "map", items="{{ range(50) }}")
    inside = node("inside", "noop") | {"parentId": "each"}
    edges = [{"source": "start", "target": "ask"}, {"source": "ask", "target": "each"}]
    await server.stored(START, ASK, each, inside, edges=edges)
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as client:
        assert (await client.until("EXECUTION_SNAPSHOT"))["data"]["totalNodes"] == 4
        await go_on(server, execution_id)
        end = await client.to_the_end()
    assert (end["totalNodes"], end["completedNodes"], end["progress"]) == (4, 4, 100)
    assert client.nodes("inside")[-1]["status"] == "success"
    assert client.nodes("each")[-1]["iterations"] == {"total": 50, "done": 50, "failed": 0}
    page = (await server.get(f"/api/executions/{execution_id}/nodes/each/iterations?limit=10")).json()
    assert [one["index"] for one in page["iterations"]] == list(range(10)) and page["nextAfter"] == 9


async def test_stats(server: Client) -> None:
    await server.stored(START, ASK)
    execution_id = (await server.execute()).json()["executionId"]
    async with watching(server.address, execution_id) as one, watching(server.address) as two:
        await one.until("EXECUTION_SNAPSHOT")
        await two.hear()
        stats = server.services.visualization.get_stats()
    assert stats == {"totalClients": 2, "activeExecutions": 1, "totalConnections": 1}


# --- as a whole ---


async def test_an_old_client_sees_a_run_from_its_first_node_to_its_end(server: Client) -> None:
    """V-03, V-09: it makes up the id, connects, and then asks for the run, as was the only way to see one live."""
    await server.stored(START, node("work", "set", fields={"a": 1}), node("last", "noop"))
    async with watching(server.address, "mine-1") as client:
        await client.until("ERROR")
        answer = await server.execute(executionId="mine-1")
        while not any(
            message.get("data", {}).get("status") == "success" and "nodeId" not in message["data"]
            for message in client.heard
        ):
            await client.hear()
        await client.say("PING")
        await client.until("PONG")
    assert answer.json()["status"] == "success"
    first = next(message for message in client.heard if message["type"] == "EXECUTION_SNAPSHOT")
    for known in ("start", "work", "last"):
        entries = [one for one in first["data"]["nodes"] if one["nodeId"] == known] + client.nodes(known)
        assert entries[-1]["status"] == "success"
    last = next(
        message for message in reversed(client.heard) if message["type"] in ("EXECUTION_UPDATE", "EXECUTION_SNAPSHOT")
    )
    assert (last["data"]["status"], last["data"]["progress"]) == ("success", 100)


async def test_after_a_restart_ended_and_running_runs_are_seen_alike(tmp_path: Path) -> None:
    """V-04"""
    async with serving(tmp_path) as server:
        await server.stored(START, ASK, node("last", "noop"))
        runs = [(await server.execute()).json()["executionId"] for _ in range(2)]
        await go_on(server, runs[0], {"x": 1})
        await server.until(runs[0], "success")
        before = [await snapshot_of(server, execution_id) for execution_id in runs]
    async with serving(tmp_path) as server:
        after = [await snapshot_of(server, execution_id) for execution_id in runs]
        assert after[0] == before[0]
        assert pictured(after[1]) == pictured(before[1])
        async with watching(server.address, runs[1]) as client:
            await client.until("EXECUTION_SNAPSHOT", status="waiting")
            await go_on(server, runs[1])
            assert (await client.to_the_end())["status"] == "success"


async def snapshot_of(server: Client, execution_id: str) -> dict[str, Any]:
    async with watching(server.address, execution_id) as client:
        data: dict[str, Any] = (await client.until("EXECUTION_SNAPSHOT"))["data"]
    return data


def pictured(snapshot: dict[str, Any]) -> Any:
    """A snapshot without the times of a restart."""
    return snapshot["status"], [(one["nodeId"], one["status"], one.get("detail")) for one in snapshot["nodes"]]
