"""Contract section 5, the pool of section 7's fault 11, and what the `WORKER_` variables of the table do (fault 18)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI, Request, Response

from compatibility.live_server import listening, node
from flowscope.server import attach, enhanced_execute_workflow
from flowscope.server.settings import Settings
from flowscope.testing.runner_conformance import SampleTask, started, until
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.worker_pool import WorkflowWorkerPool
from integration.test_server_process import running

METRICS = {"totalTasks", "completedTasks", "failedTasks", "averageExecutionTime", "activeWorkers", "queueLength"}


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[WorkflowWorkerPool]:
    pool = WorkflowWorkerPool(WorkerSettings(concurrency=1))
    await pool.start()
    yield pool
    await pool.shutdown(5)


def task(number: int, **fields: Any) -> dict[str, Any]:
    """A task in the contract's form."""
    return {
        "id": f"task-{number}",
        "executionId": "execution",
        "nodeId": f"node-{number}",
        "nodeData": {"type": "set", "label": "Set", "config": {"fields": {"sum": "{{ a + earlier.b }}"}}},
        "input": {"a": number},
        "nodeOutputs": {"earlier": {"b": 10}},
        **fields,
    }


async def test_a_task_of_the_contract_is_run_and_counted(pool: WorkflowWorkerPool) -> None:
    assert pool.get_metrics().keys() >= METRICS
    assert await pool.submit_task(task(1)) == {"a": 1, "sum": 11}
    metrics = pool.get_metrics()
    assert (metrics["totalTasks"], metrics["completedTasks"], metrics["failedTasks"]) == (1, 1, 0)
    assert (metrics["activeWorkers"], metrics["queueLength"]) == (0, 0)
    assert metrics["averageExecutionTime"] > 0


async def test_the_higher_priority_first_and_ties_as_they_came(pool: WorkflowWorkerPool, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = started(pool, SampleTask(do="until", path=str(gate)))
    await until(Path(f"{gate}.here").exists)
    order: list[int] = []

    async def one(number: int, priority: int | None) -> None:
        fields = {} if priority is None else {"priority": priority}
        await pool.submit_task(task(number, **fields))
        order.append(number)

    waiting = [asyncio.create_task(one(number, priority)) for number, priority in enumerate((None, 1, 0, 9, 1, 9))]
    await until(lambda: pool.get_metrics()["queueLength"] == 6)
    gate.touch()
    await asyncio.gather(first._wait(), *waiting)
    assert order == [3, 5, 1, 4, 0, 2]


async def test_11_use_worker_pool_is_heeded_and_nothing_is_queued_for_ever() -> None:
    app = FastAPI()

    async def found(workflow_id: str) -> dict[str, Any]:
        nodes = [node("a", "manual_trigger"), *(node(f"n{number}", "simulate", output=number) for number in range(20))]
        return {"nodes": nodes, "edges": [{"source": "a", "target": f"n{number}"} for number in range(20)]}

    attach(app, Settings.from_environment({"WORKER_CONCURRENCY": "2"}, data_dir=None), find_workflow=found)

    @app.post("/run")
    async def run(request: Request) -> Response:
        return await enhanced_execute_workflow(request, use_worker_pool=True)

    async with listening(app) as address, httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client:
        answer = await client.post("/run", json={"workflowId": "x"})
        assert answer.status_code == 200
        assert answer.json()["output"] == {f"n{number}": number for number in range(20)}
        metrics = app.state.flowscope.pool.get_metrics()
    assert (metrics["completedTasks"], metrics["queueLength"], metrics["startedWorkers"]) == (20, 0, 2)


@pytest.mark.parametrize("attempts", [0, 2])
async def test_18_time_out_and_retry_attempts_of_workers(tmp_path: Path, attempts: int) -> None:
    table = {"WORKER_TIMEOUT": "300", "WORKER_RETRY_ATTEMPTS": str(attempts)}
    document = {
        "id": "slow",
        "nodes": [node("a", "manual_trigger"), node("b", "simulate", sleep=600, resources="cpu")],
        "edges": [{"source": "a", "target": "b"}],
    }
    async with (
        running(tmp_path, **table) as (_, address),
        httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client,
    ):
        assert (await client.post("/api/workflows", json=document)).status_code == 201
        answer = await client.post("/api/execute-workflow", json={"workflowId": "slow", "executionId": "e"})
        assert answer.status_code == 500 and "WORKER_TIMEOUT" in answer.json()["error"]
        events = (await client.get("/api/executions/e/events")).json()["events"]
    assert sum(event["type"] == "NodeLost" for event in events) == attempts
    assert sum(event["type"] == "NodeStarted" and event["nodeId"] == "b" for event in events) == 1 + attempts


async def test_18_concurrency_of_workers(tmp_path: Path) -> None:
    document = {
        "id": "wide",
        "nodes": [
            node("a", "manual_trigger"),
            *(node(f"n{n}", "simulate", sleep=600, resources="cpu") for n in range(4)),
        ],
        "edges": [{"source": "a", "target": f"n{n}"} for n in range(4)],
    }
    async with (
        running(tmp_path, WORKER_CONCURRENCY="3") as (_, address),
        httpx.AsyncClient(base_url=f"http://{address}", timeout=60) as client,
    ):
        assert (await client.post("/api/workflows", json=document)).status_code == 201
        await client.post("/api/execute-workflow", json={"workflowId": "wide", "executionId": "e", "useQueue": True})
        details: list[str] = []
        async with asyncio.timeout(60):
            while not details:
                nodes = (await client.get("/api/executions/e")).json()["nodes"]
                details = [one["detail"] for one in nodes if one.get("detail")]
        assert details == ["queued, 1st of 1, waits for worker"]
        assert (await client.post("/api/executions/e/cancel")).status_code == 200
