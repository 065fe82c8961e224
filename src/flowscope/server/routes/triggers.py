"""What starts runs from outside."""

from __future__ import annotations

from fastapi import Request, Response

from flowscope.errors import ExecutionActive, ExecutionEnded, WorkflowNotFound
from flowscope.orchestrator.payloads import encode
from flowscope.server import schemas
from flowscope.server.bodies import read_body
from flowscope.server.execute import Order, start
from flowscope.server.problems import JsonResponse, Refusal
from flowscope.server.routes.subject import MISSING, Id, Responses, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.services import Services
from flowscope.server.webhooks import Signatures, execution_id_of, secret_name, webhook_input

routes = router("triggers")

LONGEST_KEY = 256

_ANSWERS: Responses = {**told(schemas.WebhookTaken), **MISSING}


@routes.get("/api/webhook-trigger/{workflow_id}", responses=_ANSWERS, operation_id="webhook_get")
@routes.post("/api/webhook-trigger/{workflow_id}", responses=_ANSWERS, operation_id="webhook_post")
async def trigger_webhook(request: Request, services: Served, workflow_id: Id) -> Response:
    """Start the workflow with the request as its input. Sent again with the same `x-idempotency-key`, it starts nothing
    more, and answers with the run it started."""
    body = await read_body(request, services.settings.max_body_bytes)
    try:
        await _check(request, services, workflow_id, body)
        key = request.headers.get("x-idempotency-key") or request.headers.get("idempotency-key") or ""
        if len(key) > LONGEST_KEY:
            raise Refusal(400, "INPUT_INVALID", f"An idempotency key is at most {LONGEST_KEY} characters")
        principal = principal_of(request.scope)
        order = Order(
            workflow_id=workflow_id,
            execution_id=execution_id_of(workflow_id, key) if key else "",
            input=encode(webhook_input(request.method, request.headers, request.query_params, body)),
            user_id=principal.name if principal else "webhook",
        )
        live = await start(services, order)
    except WorkflowNotFound:
        return JsonResponse({"error": "Workflow not found"}, 404)
    except (ExecutionActive, ExecutionEnded) as known:
        return _taken(known.execution_id, duplicate=True)
    return _taken(live.state.execution_id)


async def _check(request: Request, services: Services, workflow_id: str, body: bytes) -> None:
    """A workflow with a secret takes signed requests only; one without takes none that only a signature let in."""
    secret = await _secret(services, workflow_id)
    if secret is not None:
        signatures: Signatures = request.app.state.signatures
        signatures.check(secret, request.method, request.url.query, request.headers, body)
    elif principal_of(request.scope) is None:
        raise Refusal(401, "UNAUTHORIZED", "A key is needed: this workflow takes no signatures")


async def _secret(services: Services, workflow_id: str) -> str | None:
    name = secret_name((await services.workflow(workflow_id)).document)
    if not name:
        return None
    known = services.settings.surroundings.secrets
    secret = known.get(name) or known.get(name.lower())
    if not secret:
        message = f"The webhook's secret {name!r} is not set: `flowscope secrets set {name.lower()}` sets it"
        raise Refusal(503, "SECRET_MISSING", message)
    return secret


def _taken(execution_id: str, *, duplicate: bool = False) -> Response:
    body: dict[str, object] = {
        "success": True,
        "executionId": execution_id,
        "message": "Webhook received, workflow execution started",
        "status": "running",
    }
    return JsonResponse(body | ({"duplicate": True} if duplicate else {}))
