"""What can be done to an execution."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Body, Request, Response

from flowscope.errors import ExecutionEnded, ExecutionNotFound, InputInvalid
from flowscope.orchestrator.payloads import encode
from flowscope.server import schemas
from flowscope.server.execute import Order, start
from flowscope.server.problems import JsonResponse, Refusal
from flowscope.server.routes.subject import CONFLICT, MISSING, Id, Responses, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.services import Services

routes = router("commands")

_ANSWERS: Responses = {**told(schemas.Commanded), **MISSING, **CONFLICT}


@routes.post(
    "/api/executions",
    status_code=202,
    responses={202: {"model": schemas.Started, "description": "Started, and durable"}, **MISSING, **CONFLICT},
)
async def start_execution(request: Request, services: Served, wanted: schemas.StartRequest) -> Response:
    """Start a stored workflow; the id comes at once."""
    if wanted.execution_id and not wanted.execution_id.isprintable():
        raise InputInvalid("An execution id is 1 to 128 visible characters")
    principal = principal_of(request.scope)
    order = Order(
        workflow_id=wanted.workflow_id,
        execution_id=wanted.execution_id,
        input=encode({} if wanted.input is None else wanted.input),
        trigger=wanted.trigger,
        until=wanted.until,
        version=wanted.version,
        user_id=principal.name if principal else "",
    )
    live = await start(services, order)
    return JsonResponse({"executionId": live.state.execution_id, "status": "running"}, 202)


@routes.post("/api/executions/{execution_id}/cancel", responses=_ANSWERS)
async def cancel_execution(
    services: Served, execution_id: Id, wanted: Annotated[schemas.CancelRequest | None, Body()] = None
) -> Response:
    """End it; the answer comes when that is durable."""
    try:
        await _must_be_ours(services, execution_id)
        await services.engine.orchestrator.cancel(execution_id, wanted.reason if wanted else "")
    except ExecutionNotFound:
        return JsonResponse({"error": "Execution not found"}, 404)
    except ExecutionEnded as error:
        return JsonResponse({"error": "Execution is not active", "status": error.status}, 409)
    return await _commanded(services, execution_id)


@routes.post("/api/executions/{execution_id}/pause", responses=_ANSWERS)
async def pause_execution(services: Served, execution_id: Id) -> Response:
    """Start nothing new; what runs finishes."""
    await _must_be_ours(services, execution_id)
    await services.engine.orchestrator.pause(execution_id)
    return await _commanded(services, execution_id)


@routes.post("/api/executions/{execution_id}/resume", responses=_ANSWERS)
async def resume_execution(services: Served, execution_id: Id) -> Response:
    """End a pause."""
    await _must_be_ours(services, execution_id)
    await services.engine.orchestrator.resume(execution_id)
    return await _commanded(services, execution_id)


@routes.post("/api/executions/{execution_id}/signal", responses=_ANSWERS)
async def signal_execution(services: Served, execution_id: Id, wanted: schemas.SignalRequest) -> Response:
    """Answer what waits for that signal; 409 if nothing does."""
    await _must_be_ours(services, execution_id)
    await services.engine.orchestrator.signal(execution_id, wanted.name, wanted.payload)
    return await _commanded(services, execution_id)


async def _must_be_ours(services: Services, execution_id: str) -> None:
    """A run that is only reported here takes no commands: its own system runs it."""
    row = await services.histories.row(execution_id)
    if not row.definition:
        if row.ended_at:
            raise ExecutionEnded(execution_id, row.status)
        raise Refusal(409, "ONLY_REPORTED", f"Execution {execution_id} is run by another system, and only shown here")


async def _commanded(services: Services, execution_id: str) -> Response:
    view = await services.histories.view(execution_id)
    body: dict[str, Any] = {"success": True, "executionId": execution_id, "status": view.status}
    if view.detail:
        body["detail"] = view.detail
    return JsonResponse(body)
