"""flowscope in applications of somebody else: the handler, reports, and the whole of it below a path."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from fastapi import FastAPI, Request, Response
from starlette.applications import Starlette
from starlette.routing import Route

from compatibility.live_server import listening, node, serving
from flowscope.server import Services, Settings, attach, enhanced_execute_workflow

EXAMPLES = Path(__file__).parents[2] / "examples"

MEMORY = replace(Settings.from_environment({}), data_dir=None, grace=1.0)


def example(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    """An example's application, with its data in a directory of the test."""
    monkeypatch.setenv("FLOWSCOPE_DATA", str(tmp_path / "data"))
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: FastAPI = module.app
    return app


async def watch(address: str, execution_id: str, path: str = "/ws/executions") -> list[dict[str, Any]]:
    """What an old client is told, to the run's end."""
    messages: list[dict[str, Any]] = []
    async with websockets.connect(f"ws://{address}{path}?executionId={execution_id}") as socket:
        async for text in socket:
            messages.append(json.loads(text))
            data = messages[-1].get("data", {})
            if data.get("status") in ("success", "failed", "cancelled") and "nodeId" not in data:
                return messages
    raise AssertionError("the socket closed before the end")


async def test_the_example_that_embeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = example("embed_fastapi", tmp_path, monkeypatch)
    async with listening(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        response = await client.post(
            "/api/execute-workflow", json={"workflowId": "greeting", "executionId": "g1", "input": {"name": "Ada"}}
        )
        assert response.json()["output"]["text"] == "Hello Ada"
        assert (await client.post("/api/execute-workflow", json={"workflowId": "?"})).status_code == 404
        told = await watch(address, "g1")
        assert [message["type"] for message in told] == ["CONNECTED", "EXECUTION_SNAPSHOT"]


async def test_the_example_that_only_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Option 2 of the mission: the handler's own answer is as it was, and the run is in the history and on the stream."""
    app = example("report_only", tmp_path, monkeypatch)
    async with listening(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        response = await client.post("/api/execute-workflow", json={"workflowId": "prices", "executionId": "p1"})
        assert response.json() == {"success": True, "executionId": "p1", "output": 12}
        services: Services = app.state.flowscope
        await services.state_manager.settled("p1")
        snapshot = (await watch(address, "p1"))[-1]["data"]
        assert (snapshot["status"], snapshot["progress"]) == ("success", 100)
        assert [(one["nodeId"], one["status"]) for one in snapshot["nodes"]] == [
            ("fetch", "success"),
            ("sum", "success"),
        ]


async def test_a_reported_run_is_told_while_it_goes_on() -> None:
    app = Starlette()
    services = attach(app, MEMORY)
    async with listening(app) as address:
        states = services.state_manager
        states.initialize_execution("r1", "theirs", 2)
        states.update_node_state("r1", "a", "A", "running")
        await states.settled("r1")
        async with websockets.connect(f"ws://{address}/ws/executions?executionId=r1") as socket:
            assert json.loads(await socket.recv())["type"] == "CONNECTED"
            assert json.loads(await socket.recv())["data"]["nodes"][0]["status"] == "running"
            states.update_node_state("r1", "a", "A", "error", {"error": "broken"})
            update = json.loads(await socket.recv())
            assert (update["type"], update["data"]["status"], update["data"]["error"]) == (
                "NODE_UPDATE",
                "error",
                "broken",
            )


async def test_a_reporter_that_fell_silent_leaves_its_run_failed_and_lost(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        client.services.state_manager.initialize_execution("r1", "theirs", 2)
        client.services.state_manager.update_node_state("r1", "a", "A", "running")
        await client.services.state_manager.settled("r1")
    async with serving(tmp_path) as client:
        found = await client.until("r1", "failed")
        assert "lost" in found["error"]
        assert (await client.post("/api/executions/r1/cancel")).status_code == 409


async def test_one_who_says_nothing_for_long_is_taken_for_lost() -> None:
    async with serving(report_silence_ms=1) as client:
        client.services.state_manager.initialize_execution("r1", "theirs", 2)
        await client.services.state_manager.settled("r1")
        await client.until("r1", "failed")


async def test_all_of_it_below_a_path_of_another_application() -> None:
    async def hello(request: Request) -> Response:
        return Response("theirs")

    seen: list[str] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        seen.append("theirs started")
        yield
        seen.append("theirs stopped")

    app = Starlette(routes=[Route("/", hello)], lifespan=lifespan)
    attach(app, MEMORY, at="/flowscope")
    async with listening(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert seen == ["theirs started"]
        assert (await client.get("/")).text == "theirs"
        document = {"id": "flow", "nodes": [node("a", "manual_trigger")], "edges": []}
        assert (await client.post("/flowscope/api/workflows", json=document)).status_code == 201
        body = {"workflowId": "flow", "executionId": "e1"}
        assert (await client.post("/flowscope/api/execute-workflow", json=body)).status_code == 200
        assert (await client.get("/flowscope/health/ready")).status_code == 200
        assert (await client.get("/flowscope/api/nodes", headers={"Origin": "https://evil.example"})).status_code == 403
        assert (await watch(address, "e1", "/flowscope/ws/executions"))[-1]["data"]["status"] == "success"
    assert seen == ["theirs started", "theirs stopped"]


async def test_the_handler_without_flowscope_says_what_is_missing() -> None:
    app = FastAPI()

    @app.post("/run")
    async def run(request: Request) -> Response:
        return await enhanced_execute_workflow(request)

    async with listening(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        response = await client.post("/run", json={"workflowId": "x"})
        assert response.status_code == 422 and "attach(app)" in response.json()["error"]


async def test_realtime_can_be_said_to_be_off_and_the_pool_is_used_where_it_is_asked_for() -> None:
    """Contract section 7, fault 11."""
    app = FastAPI()
    attach(app, MEMORY, find_workflow=_found)

    @app.post("/run")
    async def run(request: Request) -> Response:
        return await enhanced_execute_workflow(
            request, use_realtime=False, use_worker_pool=request.headers.get("pool") == "yes"
        )

    async with listening(app) as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.post("/run", json={"workflowId": "x"})).status_code == 200
        assert app.state.flowscope.pool.get_metrics()["totalTasks"] == 0
        response = await client.post("/run", json={"workflowId": "x"}, headers={"pool": "yes"})
        assert (response.status_code, response.json()["output"]) == (200, {"a": 1})
        assert app.state.flowscope.pool.get_metrics()["completedTasks"] == 1


async def _found(workflow_id: str) -> dict[str, Any] | None:
    nodes = [node("a", "manual_trigger"), node("b", "simulate", output={"a": 1})]
    return {"nodes": nodes, "edges": [{"source": "a", "target": "b"}]}
