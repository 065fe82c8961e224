"""`POST /api/execute-workflow`, as a handler that any FastAPI or Starlette application can call (contract section 1).

    order   what the request asks for
    run     start it, or go on with the one it names
    answer  after the last node; or at once, when it waits for somebody or the client wants only the id

The bodies are the contract's, to the letter; every other refusal has the shape of `problems.py`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from flowscope.errors import (
    ExecutionActive,
    ExecutionEnded,
    ExecutionNotFound,
    FlowscopeError,
    InputInvalid,
    StoreError,
    WorkflowNotFound,
)
from flowscope.log import get_logger
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.payloads import encode
from flowscope.orchestrator.ports import UNENDED
from flowscope.orchestrator.workflow_orchestrator import Outcome
from flowscope.server.bodies import decode_object, read_body
from flowscope.server.links import Links
from flowscope.server.problems import INTERNAL, JsonResponse, Refusal, body_of, response_to, verdict_of
from flowscope.server.records import iso, log_entries
from flowscope.server.security import principal_of
from flowscope.server.services import Services, services_of
from flowscope.server.waits import Pause

log = get_logger("flowscope.execute")

LONGEST_ID: Final = 128


class _Nameless(InputInvalid):
    """A request that names no workflow."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a request asks for. `early`: answer with the id, before anything has run."""

    workflow_id: str
    execution_id: str = ""
    input: bytes = b"{}"
    early: bool = False
    preferred: bool = False
    trigger: str = ""
    until: str = ""
    version: int | None = None
    user_id: str = ""
    use_worker_pool: bool = False
    fired: bool = False


async def enhanced_execute_workflow(
    request: Request, use_realtime: bool = True, use_worker_pool: bool = False
) -> Response:
    """Run a workflow and answer as the contract says.

    The application must have been given to `flowscope.server.attach` (or be `create_app`'s own). `use_realtime` is there
    for the calls of old: a run that nobody watches costs nothing to show, so there is nothing to switch off.
    `use_worker_pool`: all external nodes of the run are run in worker processes, and not only those with `resources: cpu`.
    """
    execution_id = ""
    try:
        services = services_of(request)
        order = await order_of(request, services)
        if use_worker_pool:
            order = msgspec.structs.replace(order, use_worker_pool=True)
        execution_id = order.execution_id
        live = await _run(services, order)
        execution_id = live.state.execution_id
        if order.early:
            return _queued(execution_id, preferred=order.preferred)
        return await _answer(services, live, await services.waits.answer(live))
    except _Nameless as error:
        return JsonResponse({"error": str(error)}, 400)
    except WorkflowNotFound:
        return JsonResponse({"error": "Workflow not found"}, 404)
    except ExecutionNotFound:
        return JsonResponse({"error": "Execution not found"}, 404)
    except ExecutionEnded as error:
        return JsonResponse({"code": "EXECUTION_ENDED", "error": str(error), "executionId": error.execution_id}, 409)
    except ExecutionActive as error:
        return _active(error.execution_id, order.workflow_id)
    except StoreError as error:
        log.error("execute_refused", execution_id=execution_id, error=str(error))
        return JsonResponse({**body_of(error), "executionId": execution_id}, verdict_of(error).status)
    except FlowscopeError as error:
        return response_to(error)
    except Exception:  # the outermost frame of a run's request: no stack and no secret goes out
        log.exception("execute_failed", execution_id=execution_id)
        return JsonResponse({"error": INTERNAL, "executionId": execution_id}, 500)


# --- the order ---


async def order_of(request: Request, services: Services) -> Order:
    """Read a request; a `Refusal` says what it lacks. Unknown fields are ignored, as they always were."""
    body = decode_object(await read_body(request, services.settings.max_body_bytes))
    workflow_id = body.get("workflowId")
    if not isinstance(workflow_id, str) or not workflow_id:
        raise _Nameless("workflowId is required")
    preferred = "respond-async" in {
        part.split(";")[0].strip().lower() for part in request.headers.get("prefer", "").split(",")
    }
    version = body.get("version")
    if version is not None and (type(version) is not int or not 0 < version < 1 << 53):
        raise Refusal(400, "INPUT_INVALID", "version must be a whole number from 1")
    principal = principal_of(request.scope)
    return Order(
        workflow_id=workflow_id,
        execution_id=_identifier(body, "executionId"),
        input=encode({} if body.get("input") is None else body["input"]),
        early=preferred or body.get("useQueue") is True,
        preferred=preferred,
        trigger=_identifier(body, "trigger"),
        version=version,
        user_id=principal.name if principal else "",
    )


def _identifier(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_ID or not value.isprintable():
        raise Refusal(400, "INPUT_INVALID", f"{key} must be a text of 1 to {LONGEST_ID} visible characters")
    return value


# --- the run ---


async def _run(services: Services, order: Order) -> LiveExecution:
    if order.execution_id:
        row = services.engine.store.row(order.execution_id)
        if row is not None:
            if row.workflow_id != order.workflow_id:
                raise ExecutionNotFound(order.execution_id)
            if row.status not in UNENDED:
                raise ExecutionEnded(order.execution_id, row.status)
            return await _go_on(services, order.execution_id, ours=bool(row.definition))
    return await start(services, order)


async def start(services: Services, order: Order) -> LiveExecution:
    """Start a run; returns when that is durable. `WorkflowNotFound`, `DefinitionInvalid`, `ExecutionActive`,
    `ExecutionEnded`."""
    workflow = await services.workflow(order.workflow_id, order.version)
    return await services.engine.orchestrator.submit(
        workflow,
        order.input,
        execution_id=order.execution_id,
        trigger=order.trigger,
        until=order.until,
        user_id=order.user_id,
        use_worker_pool=order.use_worker_pool,
        fired=order.fired,
    )


async def _go_on(services: Services, execution_id: str, *, ours: bool) -> LiveExecution:
    """Resume one that is paused; one that waits is waited for; one that runs is running already."""
    if not ours:
        raise ExecutionActive(execution_id)
    orchestrator = services.engine.orchestrator
    live = await orchestrator.take_up(execution_id)
    pause = await services.waits.pause_of(live)
    if pause is None:
        raise ExecutionActive(execution_id)
    if pause.reason == "paused":
        await orchestrator.resume(execution_id)
    return live


# --- the answer ---


async def _answer(services: Services, live: LiveExecution, result: Outcome | Pause) -> Response:
    execution_id = live.state.execution_id
    if isinstance(result, Pause):
        status = 200 if result.reason == "form" else 202
        return JsonResponse(waiting_object(execution_id, result, services.links), status)
    view = await services.histories.view(execution_id)
    logs = log_entries(view, live.state, services.engine.orchestrator.payloads)
    if result.status == "success":
        return JsonResponse(
            {
                "status": "success",
                "success": True,
                "executionId": execution_id,
                "output": result.output,
                "logs": logs,
                "durationMs": round(result.duration_ms),
            }
        )
    error = result.error.message if result.error else "The execution was cancelled"
    body = {"error": error, "executionId": execution_id, "logs": logs, "output": None}
    if result.status == "cancelled":
        return JsonResponse({"code": "EXECUTION_CANCELLED", **body}, 409)
    return JsonResponse(body, 500)


def waiting_object(execution_id: str, pause: Pause, links: Links | None = None) -> dict[str, Any]:
    """What a run that waits is answered with. `approvalId` is what to send as the signal's name. With `links` the addresses of
    the pages are told, which are for whoever may decide."""
    if pause.reason == "form":
        form: dict[str, Any] = {
            "success": True,
            "status": "waiting",
            "executionId": execution_id,
            "message": "Workflow paused waiting for form submission",
            "formNodeId": pause.node_id,
        }
        if links:
            form["formUrl"] = links.form(pause.workflow_id, pause.node_id, pause.execution_id, pause.signal)
        return form
    body: dict[str, Any] = {
        "success": True,
        "status": "waiting",
        "reason": pause.reason,
        "executionId": execution_id,
    }
    if pause.node_id:
        body["nodeId"] = pause.node_id
    if pause.reason == "approval":
        message = pause.detail or f"Workflow paused waiting for the signal {pause.signal!r}"
        page = {}
        if links and pause.kind == "approval":
            page = {"approvalUrl": links.approval(pause.execution_id, pause.signal)}
        return body | {"approvalId": pause.signal, "message": message} | page
    if pause.reason == "time":
        return body | {"until": iso(pause.until), "message": f"Workflow paused until {iso(pause.until)}"}
    return body | {"message": "Workflow paused until it is resumed"}


def _queued(execution_id: str, *, preferred: bool) -> Response:
    body = {
        "status": "queued",
        "jobId": execution_id,
        "executionId": execution_id,
        "message": "Workflow execution queued",
    }
    return JsonResponse(body, 202, {"Preference-Applied": "respond-async"} if preferred else None)


def _active(execution_id: str, workflow_id: str) -> Response:
    message = f"Execution {execution_id} is already running"
    return JsonResponse(
        {
            "code": "RUN_ALREADY_ACTIVE",
            "error": message,
            "message": message,
            "details": {"workflowId": workflow_id, "executionId": execution_id, "existingExecutionId": execution_id},
            "recoverable": True,
        },
        409,
    )
