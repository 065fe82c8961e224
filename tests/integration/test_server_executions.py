"""Executions over HTTP: the list, the journal, the stream, commands, payloads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
import websockets

from compatibility.live_server import Client, node, serving

START = node("start", "manual_trigger")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


def mapping() -> list[dict[str, Any]]:
    inner = node("double", "set", fields={"n": "{{ n * 2 }}"}) | {"parentId": "each"}
    return [START, node("each", "map", items="{{ rows }}"), inner]


async def test_start_answers_with_the_id_at_once(server: Client) -> None:
    await server.stored(START, node("ask", "wait", signal="go"))
    started = await server.post("/api/executions", json={"workflowId": "flow", "input": {"a": 1}})
    assert started.status_code == 202
    execution_id = started.json()["executionId"]
    found = await server.until(execution_id, "waiting")
    assert found["nodes"][1]["status"] == "pending"
    again = await server.post("/api/executions", json={"workflowId": "flow", "executionId": execution_id})
    assert (again.status_code, again.json()["code"]) == (409, "RUN_ALREADY_ACTIVE")
    assert (await server.post("/api/executions", json={"workflowId": "x"})).status_code == 404
    assert (await server.post("/api/executions", json={})).status_code == 422
    assert (await server.post("/api/executions", json={"workflowId": "flow", "trigger": "?"})).status_code == 422


async def test_pause_resume_and_signal(server: Client) -> None:
    await server.stored(START, node("ask", "wait", signal="go"))
    execution_id = (await server.execute()).json()["executionId"]
    address = f"/api/executions/{execution_id}"
    assert (await server.post(f"{address}/pause")).json() == {
        "success": True, "executionId": execution_id, "status": "waiting", "detail": "paused",
    }  # fmt: skip
    assert (await server.post(f"{address}/resume")).status_code == 200
    wrong = await server.post(f"{address}/signal", json={"name": "stop"})
    assert (wrong.status_code, wrong.json()["code"]) == (409, "SIGNAL_NOT_AWAITED")
    assert (await server.post(f"{address}/signal", json={"name": "go", "payload": [1, None]})).status_code == 200
    await server.until(execution_id, "success")
    assert (await server.get(f"{address}/output")).json() == [1, None]
    for command in ("pause", "resume"):
        ended = await server.post(f"{address}/{command}")
        assert (ended.status_code, ended.json()["code"]) == (409, "EXECUTION_ENDED")
    assert (await server.post(f"{address}/signal", json={})).status_code == 422
    assert (await server.post("/api/executions/nobody/pause")).status_code == 404


async def test_the_list_is_filtered_searched_and_paged(server: Client) -> None:
    await server.stored(START)
    await server.stored(START, node("stop", "stop_and_error", errorMessage="Äpfel sind aus"), id="bad")
    for number in range(5):
        await server.execute(executionId=f"run-{number}")
    await server.execute("bad", executionId="failing")

    async def ids(**query: Any) -> list[str]:
        found = (await server.get("/api/executions", params=query)).json()
        return [row["executionId"] for row in found["executions"]]

    assert await ids(status="failed") == ["failing"]
    assert await ids(status=["failed", "waiting"]) == ["failing"]
    assert await ids(workflowId="bad") == ["failing"]
    assert await ids(search="äpfel") == ["failing"]
    assert await ids(startedAfter="2999-01-01T00:00:00Z") == []
    seen, cursor = [], ""
    while True:
        page = (await server.get("/api/executions", params={"limit": 2, "cursor": cursor})).json()
        seen += [row["executionId"] for row in page["executions"]]
        cursor = page.get("nextCursor", "")
        if not cursor:
            break
    assert seen == ["failing", "run-4", "run-3", "run-2", "run-1", "run-0"]
    await server.stored(START, node("call", "execute_workflow", workflowId="bad"), id="caller")
    await server.execute("caller", executionId="calling")
    assert (await ids(limit=2), await ids(limit=2, called="false")) == (
        ["calling:call", "calling"],
        ["calling", "failing"],
    )
    for bad in ("status=late", "limit=0", "limit=501", "startedAfter=soon", "cursor=%00"):
        assert (await server.get(f"/api/executions?{bad}")).status_code in (400, 422), bad


async def test_the_journal_as_json_and_as_lines(server: Client) -> None:
    await server.stored(START, node("b", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    address = f"/api/executions/{execution_id}/events"
    whole = (await server.get(address)).json()
    assert [event["seq"] for event in whole["events"]] == list(range(1, whole["lastSeq"] + 1))
    assert not whole["more"]
    part = (await server.get(address, params={"after": 2, "limit": 1})).json()
    assert ([event["seq"] for event in part["events"]], part["lastSeq"], part["more"]) == ([3], 3, True)
    for lines in (
        await server.get(address, headers={"Accept": "application/x-ndjson"}),
        await server.get(address, params={"format": "ndjson"}),
    ):
        assert lines.headers["content-type"].startswith("application/x-ndjson")
        assert [json.loads(line) for line in lines.text.splitlines()] == whole["events"]
    after = await server.get(address, params={"format": "ndjson", "after": 3})
    assert json.loads(after.text.splitlines()[0])["seq"] == 4


async def test_the_stream_resumes_where_the_reader_was(server: Client) -> None:
    await server.stored(START, node("b", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    address = f"/api/executions/{execution_id}/stream?untilEnd=true"
    whole = await server.get(address)
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert "EXECUTION_SNAPSHOT" in whole.text
    rest = (await server.get(address, headers={"Last-Event-ID": "3"})).text
    assert "id: 4\n" in rest and "id: 3\n" not in rest and "CAUGHT_UP" in rest
    assert (await server.get("/api/executions/nobody/stream")).status_code == 404


async def test_an_old_client_sees_a_run_from_its_first_node_to_its_end(server: Client) -> None:
    await server.stored(START, node("ask", "wait", signal="go"), node("b", "noop"))
    execution_id = (await server.execute(useQueue=True)).json()["executionId"]
    async with websockets.connect(f"ws://{server.address}/ws/executions?executionId={execution_id}") as socket:
        types = [json.loads(await socket.recv())["type"] for _ in range(2)]
        assert types == ["CONNECTED", "EXECUTION_SNAPSHOT"]
        await server.until(execution_id, "waiting")
        await server.post(f"/api/executions/{execution_id}/signal", json={"name": "go"})
        messages: list[dict[str, Any]] = []
        while not messages or messages[-1]["type"] != "EXECUTION_UPDATE" or messages[-1]["data"]["status"] != "success":
            messages.append(json.loads(await socket.recv()))
        assert messages[-1]["data"]["progress"] == 100
        await socket.send(json.dumps({"type": "PING"}))
        assert json.loads(await socket.recv())["type"] == "PONG"


async def test_the_socket_is_where_the_setting_says() -> None:
    """Contract section 7, fault 18."""
    async with serving(ws_path="/live") as client, websockets.connect(f"ws://{client.address}/live") as socket:
        assert json.loads(await socket.recv())["type"] == "CONNECTED"


async def test_iterations_are_paged_and_their_payloads_can_be_had(server: Client) -> None:
    await server.stored(*mapping(), edges=[{"source": "start", "target": "each"}])
    response = await server.execute(input={"rows": [{"n": number} for number in range(5)]})
    assert response.json()["output"] == [{"n": number * 2} for number in range(5)]
    address = f"/api/executions/{response.json()['executionId']}/nodes"
    page = (await server.get(f"{address}/each/iterations", params={"limit": 3})).json()
    assert [one["index"] for one in page["iterations"]] == [0, 1, 2]
    rest = (await server.get(f"{address}/each/iterations", params={"after": page["nextAfter"]})).json()
    assert [(one["index"], one["status"]) for one in rest["iterations"]] == [(3, "success"), (4, "success")]
    some = (await server.get(f"{address}/each/iterations", params={"offset": 1, "limit": 2, "cells": 2})).json()
    assert ([one["index"] for one in some["iterations"]], some["count"]) == ([1, 2], 5)
    assert (some["begun"], some["ended"], some["failed"], some["strip"]) == (5, 5, 0, ["success", "success"])
    assert (await server.get(f"{address}/each/iterations", params={"status": "error"})).json()["count"] == 0
    events = (await server.get(f"/api/executions/{response.json()['executionId']}/events")).json()["events"]
    begun = next(event["seq"] for event in events if event["type"] == "IterationStarted")
    past = (await server.get(f"{address}/each/iterations", params={"seq": begun})).json()
    assert (past["begun"], past["ended"]) == (1, 0)
    path = rest["iterations"][0]["path"]
    assert (await server.get(f"{address}/double/input", params={"path": path})).json() == {"n": 3}
    assert (await server.get(f"{address}/double/output", params={"path": path})).json() == {"n": 6}
    assert (await server.get(f"{address}/each/output")).json()[4] == {"n": 8}
    assert (await server.get(f"{address}/nobody/output")).status_code == 404
    assert (await server.get(f"{address}/double/output")).status_code == 404


async def test_of_a_journal_the_top_level_can_be_read_alone(server: Client) -> None:
    await server.stored(*mapping(), edges=[{"source": "start", "target": "each"}])
    rows = [{"n": number, "path": "each[0]"} for number in range(5)]
    execution_id = (await server.execute(input={"rows": rows})).json()["executionId"]
    address = f"/api/executions/{execution_id}/events"
    every = (await server.get(address)).json()
    wanted = [one for one in every["events"] if not one.get("path") and not one["type"].startswith("Iteration")]
    assert 0 < len(wanted) < len(every["events"])
    assert (await server.get(address, params={"top": True})).json() == every | {"events": wanted}
    paged, after, more = [], 0, True
    while more:
        page = (await server.get(address, params={"top": True, "limit": 2, "after": after})).json()
        paged += page["events"]
        assert len(page["events"]) <= 2 and page["lastSeq"] > after
        after, more = page["lastSeq"], page["more"]
    assert (paged, after) == (wanted, every["lastSeq"])


async def test_how_much_of_a_map_ran_when_is_counted(server: Client) -> None:
    await server.stored(*mapping(), edges=[{"source": "start", "target": "each"}])
    execution_id = (await server.execute(input={"rows": [{"n": number} for number in range(5)]})).json()["executionId"]
    address = f"/api/executions/{execution_id}/heat"
    heat = (await server.get(address, params={"bins": 7})).json()
    assert [(one["nodeId"], one["runs"], one["failed"]) for one in heat["nodes"]] == [("each", 5, 0), ("double", 5, 0)]
    for one in heat["nodes"]:
        assert len(one["running"]) == len(one["failures"]) == 7
        assert one["most"] == max(one["running"]) > 0
    window = {"from": heat["from"] - 10_000, "to": heat["from"] - 5_000, "bins": 3}
    before = (await server.get(address, params=window)).json()
    assert [one["running"] for one in before["nodes"]] == [[0, 0, 0], [0, 0, 0]]
    assert (await server.get(address, params={"from": "inf"})).status_code == 422


async def test_what_is_read_of_a_run_is_the_same_however_it_was_come_by(server: Client) -> None:
    """Kept by whoever subscribed, or read in a thread by the first who asks."""
    await server.stored(*mapping(), edges=[{"source": "start", "target": "each"}])
    execution_id = (await server.execute(input={"rows": [{"n": number} for number in range(9)]})).json()["executionId"]
    manager = server.services.engine.state_manager
    manager._drop(execution_id)
    first, second = [(await server.get(f"/api/executions/{execution_id}")).json() for _ in range(2)]
    manager._drop(execution_id)
    state = manager.get_execution_state(execution_id)
    assert first == second and state is not None
    assert {node["nodeId"]: node["status"] for node in first["nodes"]} == {
        node_id: node.status for node_id, node in state.nodes.items()
    }
    assert (first["seq"], first["status"]) == (server.services.engine.store.row(execution_id).last_seq, "success")  # type: ignore[union-attr]


async def test_what_a_node_says_can_be_read_by_offset(server: Client) -> None:
    await server.stored(START, node("say", "log_output", message="hello"))
    execution_id = (await server.execute()).json()["executionId"]
    address = f"/api/executions/{execution_id}/lines"
    found = (await server.get(address)).json()
    assert found["lines"][0]["text"].startswith("hello")
    rest = (await server.get(address, params={"after": found["nextOffset"]})).json()
    assert rest == {"executionId": execution_id, "lines": [], "nextOffset": found["nextOffset"]}


async def test_history_is_there_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.stored(START, node("b", "set", fields={"x": 1}))
        before = (await client.execute(input={"a": 1})).json()
    async with serving(tmp_path) as client:
        execution_id = before["executionId"]
        logs = (await client.get(f"/api/executions/{execution_id}/logs")).json()["logs"]
        assert logs == before["logs"]
        status = (await client.get(f"/api/execution-status/{execution_id}")).json()
        assert status["output"] == before["output"]


async def test_what_is_not_there(server: Client) -> None:
    for rest in (
        "",
        "/events",
        "/logs",
        "/lines",
        "/input",
        "/output",
        "/nodes/a/input",
        "/nodes/a/iterations",
        "/heat",
    ):
        response = await server.get(f"/api/executions/nobody{rest}")
        assert (response.status_code, response.json()["code"]) == (404, "EXECUTION_NOT_FOUND")
    every = (await server.get("/api/nodes")).json()["nodes"]
    assert [kind["type"] for kind in every] == [kind.type for kind in server.services.engine.registry]
    assert (await server.get("/api/nodes/map")).json() in every
    assert (await server.get("/api/nodes/teleport")).status_code == 404
    assert "Use" in (await server.get("/api/nodes/delay")).json()["error"]
    assert (await server.get("/nothing")).json()["code"] == "NOT_FOUND"
    assert (await server.put("/api/executions")).json()["code"] == "METHOD_NOT_ALLOWED"


async def test_how_many_nodes_have_which_status_without_the_nodes(server: Client) -> None:
    await server.stored(START, node("b", "simulate", fail=True, continueOnError=True), node("c", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    found = (await server.get(f"/api/executions/{execution_id}", params={"nodes": "false"})).json()
    assert "nodes" not in found
    whole = (await server.get(f"/api/executions/{execution_id}")).json()
    assert found["counts"] == whole["counts"]
    statuses = [one["status"] for one in whole["nodes"]]
    assert found["counts"] == {word: statuses.count(word) for word in found["counts"]}
