"""An application of one's own that runs workflows, and shows them live.

    uvicorn examples.embed_fastapi:app --port 8000
    curl localhost:8000/api/execute-workflow -d '{"workflowId": "greeting", "input": {"name": "Ada"}}'

Whoever connects to ws://localhost:8000/ws/executions?executionId=… sees a run node by node.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request, Response

from flowscope.server import attach, enhanced_execute_workflow

# Where this application keeps its workflows: a database, as a rule.
WORKFLOWS: dict[str, dict[str, Any]] = {
    "greeting": {
        "nodes": [
            {"id": "start", "data": {"type": "manual_trigger", "label": "Start", "config": {}}},
            {
                "id": "greet",
                "data": {"type": "set", "label": "Greet", "config": {"fields": {"text": "Hello {{ name }}"}}},
            },
        ],
        "edges": [{"source": "start", "target": "greet"}],
    }
}


async def find_workflow(workflow_id: str) -> dict[str, Any] | None:
    return WORKFLOWS.get(workflow_id)


app = FastAPI()
attach(app, find_workflow=find_workflow)


@app.post("/api/execute-workflow")
async def execute_workflow(request: Request) -> Response:
    return await enhanced_execute_workflow(request, use_realtime=True, use_worker_pool=False)
