"""An existing handler that goes on running workflows by itself, and only reports what it does. The lines marked `+` are new.

    uvicorn examples.report_only:app --port 8000
    curl localhost:8000/api/execute-workflow -d '{"workflowId": "prices"}'

The run is in the history like any other, and whoever watches it sees every step live.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from fastapi import FastAPI, Request

from flowscope.server import attach  # +

app = FastAPI()
flowscope = attach(app)  # +


async def fetch_prices() -> list[int]:
    return [3, 4, 5]


async def add_up(prices: list[int]) -> int:
    return sum(prices)


@app.post("/api/execute-workflow")
async def execute_workflow(request: Request) -> dict[str, Any]:
    body = await request.json()
    execution_id = body.get("executionId") or str(uuid4())
    states = flowscope.state_manager  # +
    states.initialize_execution(execution_id, body["workflowId"], 2, body.get("input"))  # +
    value: Any = None
    for node_id, name, step in (("fetch", "Fetch prices", fetch_prices), ("sum", "Add up", add_up)):
        states.update_node_state(execution_id, node_id, name, "running")  # +
        value = await (step() if value is None else step(value))  # type: ignore[operator]
        states.update_node_state(execution_id, node_id, name, "success", {"output": value})  # +
    return {"success": True, "executionId": execution_id, "output": value}
