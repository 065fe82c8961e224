"""Webhooks: requests that start runs.

The gate lets these in without a key, and with one; who may is for the webhook to say, and checked here before anything else.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
from typing import Any

from fastapi import Request, Response

from flowscope.errors import ExecutionActive, ExecutionEnded, WorkflowNotFound
from flowscope.nodes.durations import milliseconds
from flowscope.nodes.triggers import WebhookConfig
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.payloads import encode
from flowscope.orchestrator.workflow_orchestrator import new_execution_id
from flowscope.server import schemas
from flowscope.server.bodies import read_body
from flowscope.server.execute import Order, start, waiting_object
from flowscope.server.problems import JsonResponse, Refusal
from flowscope.server.replies import reply
from flowscope.server.routes.subject import MISSING, Id, Responses, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.services import Services
from flowscope.server.waits import Pause
from flowscope.server.webhooks import Signatures, execution_id_of, secret_name, webhook_input
from flowscope.triggers.trigger import AnyTrigger

routes = router("webhooks")

LONGEST_KEY = 256

_ANSWERS: Responses = {**told(schemas.WebhookTaken), **MISSING}


@routes.get("/api/webhook-trigger/{workflow_id}", responses=_ANSWERS, operation_id="webhook_get")
@routes.post("/api/webhook-trigger/{workflow_id}", responses=_ANSWERS, operation_id="webhook_post")
async def trigger_webhook(request: Request, services: Served, workflow_id: Id) -> Response:
    """Start the workflow with the request as its input. Sent again with the same `x-idempotency-key`, it starts nothing
    more, and answers with the run it started. An active workflow's `webhook` says who may, and what is answered."""
    body = await read_body(request, services.settings.max_body_bytes)
    hooks = [
        (trigger, trigger.config)
        for trigger in services.triggers.of(workflow_id)
        if isinstance(trigger.config, WebhookConfig)
    ]
    if hooks:
        return await _serve(request, services, hooks, body)
    try:
        await _check_without(request, services, workflow_id, body)
        principal = principal_of(request.scope)
        order = _order(request, workflow_id, "", body, principal.name if principal else "webhook")
        live = await start(services, order)
    except WorkflowNotFound:
        return JsonResponse({"error": "Workflow not found"}, 404)
    except (ExecutionActive, ExecutionEnded) as known:
        return _taken(known.execution_id, duplicate=True)
    return _taken(live.state.execution_id)


@routes.api_route(
    "/hooks/{path:path}",
    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    include_in_schema=False,
)
async def serve_hook(request: Request, services: Served, path: str) -> Response:
    """The address of an active workflow's `webhook`."""
    body = await read_body(request, services.settings.max_body_bytes)
    return await _serve(request, services, services.triggers.hooks(path.strip("/")), body)


async def _serve(
    request: Request, services: Services, hooks: list[tuple[AnyTrigger, WebhookConfig]], body: bytes
) -> Response:
    fitting = [(trigger, config) for trigger, config in hooks if config.method in (request.method, "ANY")]
    if not fitting:
        if principal_of(request.scope) is None:
            raise _closed()
        if hooks:
            allowed = ", ".join(sorted({config.method for _, config in hooks}))
            raise Refusal(405, "METHOD_NOT_ALLOWED", f"This webhook takes {allowed}", headers={"Allow": allowed})
        raise Refusal(404, "WEBHOOK_NOT_FOUND", "No active workflow has a webhook at this address")
    trigger, config = fitting[0]
    _check(request, services, config, body)
    return await _start(request, services, trigger, config, body)


# --- who may ---


def _check(request: Request, services: Services, config: WebhookConfig, body: bytes) -> None:
    """A `Refusal` unless the webhook's own rule lets the request in."""
    if config.auth == "none":
        return
    if config.auth == "key":
        if principal_of(request.scope) is None:
            raise _closed()
        return
    secret = _secret(services, config.secret)
    if config.auth == "hmac":
        signatures: Signatures = request.app.state.signatures
        signatures.check(secret, request.method, request.url.query, request.headers, body)
    elif not hmac.compare_digest(_given(request, config).encode(), _wanted(config, secret).encode()):
        raise _closed()


def _given(request: Request, config: WebhookConfig) -> str:
    if config.auth == "header":
        return request.headers.get(config.header, "")
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != config.auth:
        return ""
    if config.auth == "bearer":
        return text.strip()
    try:
        return base64.b64decode(text.strip(), validate=True).decode()
    except (ValueError, binascii.Error):
        return ""


def _wanted(config: WebhookConfig, secret: str) -> str:
    return f"{config.user}:{secret}" if config.auth == "basic" else secret


def _secret(services: Services, name: str) -> str:
    secret = services.settings.surroundings.secrets.get(name.lower()) or services.settings.surroundings.secrets.get(
        name
    )
    if not secret:
        message = f"The webhook's secret {name!r} is not set: `flowscope secrets set {name}` makes it"
        raise Refusal(503, "SECRET_MISSING", message)
    return secret


async def _check_without(request: Request, services: Services, workflow_id: str, body: bytes) -> None:
    """Of a workflow without an active webhook: one with a secret takes signed requests only, any other wants a key."""
    try:
        workflow = await services.workflow(workflow_id)
    except WorkflowNotFound:
        if principal_of(request.scope) is None:
            raise _closed() from None
        raise
    name = secret_name(workflow.document)
    if name:
        signatures: Signatures = request.app.state.signatures
        signatures.check(_secret(services, name), request.method, request.url.query, request.headers, body)
    elif principal_of(request.scope) is None:
        raise _closed()


def _closed() -> Refusal:
    """The same whether there is such a webhook or not."""
    message = "A key is needed here, or what the webhook itself asks for"
    return Refusal(401, "UNAUTHORIZED", message, headers={"WWW-Authenticate": "Bearer"})


# --- what is answered ---


def _order(
    request: Request, workflow_id: str, node_id: str, body: bytes, user: str, config: WebhookConfig | None = None
) -> Order:
    key = request.headers.get("x-idempotency-key") or request.headers.get("idempotency-key") or ""
    if len(key) > LONGEST_KEY:
        raise Refusal(400, "INPUT_INVALID", f"An idempotency key is at most {LONGEST_KEY} characters")
    hidden = config.header if config and config.auth == "header" else ""
    return Order(
        workflow_id=workflow_id,
        execution_id=execution_id_of(workflow_id, key) if key else new_execution_id(),
        input=encode(webhook_input(request.method, request.headers, request.query_params, body, hidden)),
        user_id=user,
        trigger=node_id,
        fired=config is not None,
    )


async def _start(
    request: Request, services: Services, trigger: AnyTrigger, config: WebhookConfig, body: bytes
) -> Response:
    principal = principal_of(request.scope)
    user = principal.name if principal else "webhook"
    order = _order(request, trigger.workflow.id, trigger.node.id, body, user, config)
    expected = services.replies.expect(order.execution_id) if config.respond == "by_node" else None
    try:
        try:
            live = await start(services, order)
        except (ExecutionActive, ExecutionEnded) as known:
            return _taken(known.execution_id, duplicate=True)
        trigger.fired(order.execution_id)
        if config.respond == "at_once":
            return _taken(order.execution_id)
        async with asyncio.timeout(milliseconds(config.wait_for, "waitFor") / 1000):
            return await _answered(services, live, expected)
    except TimeoutError:
        message = "The run takes longer than the webhook waits"
        return JsonResponse(
            {"success": True, "executionId": order.execution_id, "status": "running", "message": message}, 202
        )
    finally:
        services.replies.forget(order.execution_id)


async def _answered(
    services: Services, live: LiveExecution, expected: asyncio.Future[dict[str, Any]] | None
) -> Response:
    """The node's answer; or the run's, where it ends, or waits for somebody, without one."""
    answering = asyncio.ensure_future(services.waits.answer(live))
    try:
        if expected is not None:
            either: set[asyncio.Future[Any]] = {answering, expected}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if expected.done():
                return reply(expected.result())
        result = await answering
    finally:
        answering.cancel()
    execution_id = live.state.execution_id
    if isinstance(result, Pause):
        return JsonResponse(waiting_object(execution_id, result), 202)
    if result.status != "success":
        error = result.error.message if result.error else "The execution was cancelled"
        return JsonResponse({"error": error, "executionId": execution_id}, 500)
    if expected is not None:
        return _taken(execution_id)
    return JsonResponse(result.output)


def _taken(execution_id: str, *, duplicate: bool = False) -> Response:
    body: dict[str, object] = {
        "success": True,
        "executionId": execution_id,
        "message": "Webhook received, workflow execution started",
        "status": "running",
    }
    return JsonResponse(body | ({"duplicate": True} if duplicate else {}))
