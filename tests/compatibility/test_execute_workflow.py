"""Contract section 1, POST /api/execute-workflow: every row, to the letter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from compatibility.live_server import Client, node, serving

START = node("start", "manual_trigger")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def test_200_finished(server: Client) -> None:
    await server.stored(START, node("sum", "set", fields={"total": "{{ a + b }}"}))
    response = await server.execute(input={"a": 1, "b": 2})
    body = response.json()
    assert response.status_code == 200
    assert list(body) == ["status", "success", "executionId", "output", "logs", "durationMs"]
    assert (body["status"], body["success"]) == ("success", True)
    assert body["output"] == {"a": 1, "b": 2, "total": 3}
    assert isinstance(body["durationMs"], int)
    # Section 3: one entry a node, with ISO times.
    assert [(entry["nodeId"], entry["nodeName"], entry["status"]) for entry in body["logs"]] == [
        ("start", "Start", "success"),
        ("sum", "Sum", "success"),
    ]
    entry = body["logs"][1]
    assert set(entry) == {"nodeId", "nodeName", "status", "startedAt", "finishedAt", "input", "output"}
    assert entry["input"] == {"a": 1, "b": 2}
    assert entry["startedAt"].endswith("Z")


async def test_input_is_optional_and_unknown_fields_are_ignored(server: Client) -> None:
    await server.stored(START)
    response = await server.execute(whatEver=[1], userId="u")
    assert (response.status_code, response.json()["output"]) == (200, {})


async def test_202_queued_with_use_queue(server: Client) -> None:
    await server.stored(START)
    response = await server.execute(useQueue=True)
    body = response.json()
    assert response.status_code == 202
    assert list(body) == ["status", "jobId", "executionId", "message"]
    assert body["status"] == "queued"
    assert (await server.until(body["executionId"], "success"))["progress"] == 100


async def test_202_queued_with_prefer_respond_async(server: Client) -> None:
    await server.stored(START)
    response = await server.post(
        "/api/execute-workflow", json={"workflowId": "flow"}, headers={"Prefer": "wait=5, respond-async"}
    )
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert response.headers["Preference-Applied"] == "respond-async"


async def test_202_waiting_for_an_approval(server: Client) -> None:
    await server.stored(START, node("ask", "wait", signal="approved"), node("after", "noop"))
    response = await server.execute()
    body = response.json()
    assert response.status_code == 202
    assert {key: body[key] for key in ("success", "status", "reason")} == {
        "success": True, "status": "waiting", "reason": "approval",
    }  # fmt: skip
    assert {"executionId", "approvalId", "message"} <= set(body)
    address = f"/api/executions/{body['executionId']}/signal"
    assert (await server.post(address, json={"name": body["approvalId"], "payload": {"ok": 1}})).status_code == 200
    await server.until(body["executionId"], "success")
    assert (await server.get(f"/api/executions/{body['executionId']}/output")).json() == {"ok": 1}


async def test_a_short_wait_is_waited_for(server: Client) -> None:
    await server.stored(START, node("nap", "wait", duration=30))
    response = await server.execute(input={"kept": 1})
    assert (response.status_code, response.json()["output"]) == (200, {"kept": 1})


async def test_a_wait_of_days_is_answered_at_once(server: Client) -> None:
    await server.stored(START, node("sleep", "wait", duration="3d"))
    response = await server.execute()
    assert (response.status_code, response.json()["reason"]) == (202, "time")


@pytest.mark.parametrize("body", ["{}", '{"workflowId": ""}', '{"workflowId": 7}', '{"workflowId": null}', ""])
async def test_400_without_a_workflow_id(server: Client, body: str) -> None:
    response = await server.post("/api/execute-workflow", content=body)
    assert (response.status_code, response.json()) == (400, {"error": "workflowId is required"})


@pytest.mark.parametrize("body", ["{", "[]", '{"workflowId": "x", "input": NaN}', "[" * 70 + "]" * 70])
async def test_400_for_what_is_no_json(server: Client, body: str) -> None:
    response = await server.post("/api/execute-workflow", content=body)
    assert (response.status_code, response.json()["code"]) == (400, "NOT_JSON")


async def test_404_workflow_not_found(server: Client) -> None:
    response = await server.execute("nobody")
    assert (response.status_code, response.json()) == (404, {"error": "Workflow not found"})


async def test_404_execution_not_found(server: Client) -> None:
    """An execution of another workflow is not this one's."""
    await server.stored(START)
    await server.stored(START, id="other")
    execution_id = (await server.execute("other")).json()["executionId"]
    response = await server.execute(executionId=execution_id)
    assert (response.status_code, response.json()) == (404, {"error": "Execution not found"})


async def test_an_execution_id_of_ones_own_is_the_runs(server: Client) -> None:
    await server.stored(START)
    response = await server.execute(executionId="mine-1")
    assert (response.status_code, response.json()["executionId"]) == (200, "mine-1")


async def test_409_execution_ended(server: Client) -> None:
    await server.stored(START)
    await server.execute(executionId="mine-1")
    response = await server.execute(executionId="mine-1")
    body = response.json()
    assert response.status_code == 409
    assert list(body) == ["code", "error", "executionId"]
    assert (body["code"], body["executionId"]) == ("EXECUTION_ENDED", "mine-1")


async def test_409_run_already_active(server: Client) -> None:
    await server.stored(START, node("nap", "wait", duration=30_000))
    await server.execute(executionId="mine-1", useQueue=True)
    response = await server.execute(executionId="mine-1")
    assert response.status_code == 409
    message = response.json()["message"]
    assert response.json() == {
        "code": "RUN_ALREADY_ACTIVE",
        "error": message,
        "message": message,
        "details": {"workflowId": "flow", "executionId": "mine-1", "existingExecutionId": "mine-1"},
        "recoverable": True,
    }


async def test_a_paused_execution_is_resumed(server: Client) -> None:
    await server.stored(START, node("nap", "wait", duration=2_000), node("last", "noop"))
    await server.execute(executionId="mine-1", useQueue=True)
    assert (await server.post("/api/executions/mine-1/pause")).json()["status"] == "waiting"
    response = await server.execute(executionId="mine-1")
    assert (response.status_code, response.json()["status"]) == (200, "success")


async def test_500_a_node_failed(server: Client) -> None:
    await server.stored(START, node("stop", "stop_and_error", errorMessage="no more"), node("never", "noop"))
    response = await server.execute(input={"x": 1})
    body = response.json()
    assert response.status_code == 500
    assert list(body) == ["error", "executionId", "logs", "output"]
    assert "no more" in body["error"]
    entries = {entry["nodeId"]: entry for entry in body["logs"]}
    assert entries["stop"]["status"] == "failed"
    assert "no more" in entries["stop"]["error"]
    assert entries["never"]["status"] == "skipped"


async def test_500_internal_error_tells_no_stack_and_no_secret(server: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    await server.stored(START)

    async def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(server.services.engine.orchestrator, "submit", break_down)
    response = await server.execute(executionId="mine-1")
    assert (response.status_code, response.json()) == (500, {"error": "Internal error", "executionId": "mine-1"})


async def test_a_cancelled_run_is_no_success(server: Client) -> None:
    await server.stored(START, node("nap", "wait", duration=30_000))
    waiting = asyncio.create_task(server.execute(executionId="mine-1"))
    await server.begun()
    assert (await server.post("/api/executions/mine-1/cancel")).status_code == 200
    response = await waiting
    assert (response.status_code, response.json()["code"]) == (409, "EXECUTION_CANCELLED")


async def test_a_large_payload_is_whole_in_the_output_and_by_reference_in_the_log(server: Client) -> None:
    await server.stored(START)
    response = await server.execute(input={"big": "x" * 100_000})
    body = response.json()
    assert len(body["output"]["big"]) == 100_000
    reference = body["logs"][0]["output"]
    assert reference["size"] > 100_000
    assert (await server.get(reference["$ref"])).json() == body["output"]


async def test_a_viewer_of_an_unfinished_run_sees_it_go_on_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        await client.stored(START, node("ask", "wait", signal="go"))
        execution_id = (await client.execute()).json()["executionId"]
    async with serving(tmp_path) as client:
        assert (await client.execute(executionId=execution_id)).json()["status"] == "waiting"
        await client.post(f"/api/executions/{execution_id}/signal", json={"name": "go"})
        await client.until(execution_id, "success")
