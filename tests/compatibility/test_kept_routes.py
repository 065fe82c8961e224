"""Contract section 1, what was kept beside execute-workflow."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from compatibility.live_server import Client, node, serving
from flowscope.nodes.context import Surroundings
from flowscope.server.webhooks import signature

START = node("start", "manual_trigger")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def test_execution_status(server: Client) -> None:
    await server.stored(START, node("stop", "stop_and_error", errorMessage="no"), node("never", "noop"))
    execution_id = (await server.execute()).json()["executionId"]
    body = (await server.get(f"/api/execution-status/{execution_id}")).json()
    assert set(body) == {
        "execution_id", "status", "workflow_id", "current_node", "started_at", "completed_at", "error", "output",
        "steps", "progress",
    }  # fmt: skip
    assert body["progress"] == {"total": 3, "completed": 3, "failed": 1, "running": 0, "pending": 0}
    assert body["status"] == "failed"
    assert [step["status"] for step in body["steps"]] == ["success", "error", "skipped"]
    lite = (await server.get(f"/api/execution-status/{execution_id}?lite=1")).json()
    assert "steps" not in lite and lite["progress"] == body["progress"]
    assert (await server.get("/api/execution-status/nobody")).status_code == 404


async def test_cancel(server: Client) -> None:
    await server.stored(START, node("ask", "wait", signal="go"))
    execution_id = (await server.execute()).json()["executionId"]
    assert (await server.post(f"/api/executions/{execution_id}/cancel")).json()["status"] == "cancelled"
    again = await server.post(f"/api/executions/{execution_id}/cancel")
    assert (again.status_code, again.json()) == (409, {"error": "Execution is not active", "status": "cancelled"})
    nobody = await server.post("/api/executions/nobody/cancel")
    assert (nobody.status_code, nobody.json()) == (404, {"error": "Execution not found"})


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_webhook(server: Client, method: str) -> None:
    await server.stored(START)
    response = await server.request(
        method, "/api/webhook-trigger/flow?a=1&b=2", json={"b": 3}, headers={"cookie": "c=1", "x-event": "push"}
    )
    body = response.json()
    assert response.status_code == 200
    assert {key: value for key, value in body.items() if key != "executionId"} == {
        "success": True,
        "message": "Webhook received, workflow execution started",
        "status": "running",
    }
    await server.until(body["executionId"], "success")
    output = (await server.get(f"/api/executions/{body['executionId']}/output")).json()
    assert (output["a"], output["b"], output["_webhook"], output["_method"]) == ("1", 3, True, method)
    assert (output["query"], output["body"]) == ({"a": "1", "b": "2"}, {"b": 3})
    assert output["headers"]["x-event"] == "push" and "cookie" not in output["headers"]


async def test_webhook_of_nobody(server: Client) -> None:
    response = await server.post("/api/webhook-trigger/nobody", json={})
    assert (response.status_code, response.json()) == (404, {"error": "Workflow not found"})


async def test_a_webhook_sent_again_starts_nothing_more(server: Client) -> None:
    await server.stored(START)
    headers = {"x-idempotency-key": "delivery-7"}
    first = (await server.post("/api/webhook-trigger/flow", json={}, headers=headers)).json()
    second = (await server.post("/api/webhook-trigger/flow", json={}, headers=headers)).json()
    assert second == {**first, "duplicate": True}
    assert len((await server.get("/api/executions")).json()["executions"]) == 1


async def test_a_webhook_with_a_secret_takes_signed_requests_only() -> None:
    async with serving(surroundings=Surroundings(secrets={"hook": "s3cret"})) as server:
        await server.stored(START, settings={"webhookSecret": "hook"})
        key = (await server.post("/api/keys", json={"name": "me", "scope": "editor"})).json()["key"]
        address = "/api/webhook-trigger/flow"
        assert (await server.post(address, content=b"{}")).status_code == 401
        # A key alone does not sign.
        assert (await server.post(address, content=b"{}", headers={"x-api-key": key})).status_code == 401
        stamp = str(round(time.time()))
        headers = {
            "x-flowscope-timestamp": stamp,
            "x-flowscope-nonce": "n1",
            "x-flowscope-signature": signature("s3cret", stamp, "n1", "POST", "", b"{}"),
        }
        assert (await server.post(address, content=b"{}", headers=headers)).status_code == 200
        assert (await server.post(address, content=b"{}", headers=headers)).status_code == 401


@pytest.mark.parametrize("address", ["/execute-node", "/api/execute-node"])
async def test_execute_node(server: Client, address: str) -> None:
    wanted = {
        "runId": "r1",
        "nodeId": "n1",
        "nodeType": "set",
        "config": {"fields": {"b": "{{ a + 1 }}"}},
        "input": {"a": 1},
        "workflowId": "flow",
    }
    body = (await server.post(address, json=wanted)).json()
    assert set(body) == {"success", "output", "executionTime", "nodeId", "nodeType", "runId"}
    assert (body["success"], body["output"], body["runId"]) == (True, {"a": 1, "b": 2}, "r1")
    failed = (await server.post(address, json=wanted | {"input": {}})).json()
    assert failed["success"] is False and "a" in failed["error"]
    unknown = await server.post(address, json=wanted | {"nodeType": "teleport"})
    assert unknown.status_code == 422 and "teleport" in unknown.json()["error"]
    assert (await server.get("/api/executions")).json()["executions"] == []


async def test_health_and_metrics(server: Client) -> None:
    for address in ("/health", "/health/live", "/health/ready"):
        assert (await server.get(address)).status_code == 200
    await server.stored(START)
    await server.execute()
    text = (await server.get("/metrics")).text
    for line in (
        "flowscope_runs_started_total 1.0",
        'flowscope_runs_ended_total{status="success"} 1.0',
        'flowscope_node_attempts_ended_total{status="success"} 1.0',
        "flowscope_run_seconds_count 1.0",
        "flowscope_viewers 0.0",
    ):
        assert line in text


async def test_the_ui_settings_are_told_to_clients() -> None:
    """Section 7, fault 18."""
    async with serving(ui_refresh_interval_ms=250, ui_animation_enabled=False, ui_color_theme="static") as server:
        body = (await server.get("/api/config")).json()
        assert body["ui"] == {"refreshInterval": 250, "animationEnabled": False, "colorTheme": "static"}
