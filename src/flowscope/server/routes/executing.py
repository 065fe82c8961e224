"""Run a workflow and wait for it; try one node."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request, Response

from flowscope.server import schemas
from flowscope.server.bench import Bench, Trial
from flowscope.server.execute import enhanced_execute_workflow
from flowscope.server.problems import JsonResponse
from flowscope.server.routes.subject import CONFLICT, MISSING, Responses, router, told

routes = router("execute")

_ANSWERS: Responses = {
    **told(schemas.Succeeded),
    202: {"model": schemas.Accepted, "description": "Queued, or waiting for somebody"},
    **MISSING,
    **CONFLICT,
    500: {"model": schemas.Failed, "description": "A node failed"},
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": schemas.ExecuteRequest.model_json_schema()}},
    }
}


@routes.post("/api/execute-workflow", responses=_ANSWERS, openapi_extra=_BODY)
async def execute_workflow(request: Request) -> Response:
    """Run a stored workflow; the answer comes after the last node, with `useQueue` or `Prefer: respond-async` at once."""
    return await enhanced_execute_workflow(request)


def _bench(request: Request) -> Bench:
    bench: Bench = request.app.state.bench
    return bench


@routes.post("/execute-node", responses=told(schemas.Tried), operation_id="execute_node_old", include_in_schema=False)
@routes.post("/api/execute-node", responses=told(schemas.Tried))
async def execute_node(trial: schemas.TrialRequest, bench: Annotated[Bench, Depends(_bench)]) -> Response:
    """Try one node on an input. What the node itself does wrong is in the answer: `success` is false then."""
    wanted = Trial(
        node_id=trial.node_id,
        node_type=trial.node_type,
        config=trial.config,
        input=trial.input,
        run_id=trial.run_id,
        workflow_id=trial.workflow_id,
    )
    return JsonResponse(await bench.try_out(wanted))
