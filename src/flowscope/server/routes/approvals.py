"""What waits for people, and their decisions: with a key, or by a signed link that stands for one decision."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from fastapi import Query, Request, Response

from flowscope.definition.workflow import JSON
from flowscope.errors import FlowscopeError, InputInvalid
from flowscope.server import schemas
from flowscope.server.bodies import decode_object, read_body
from flowscope.server.inbox import Waiting
from flowscope.server.pages import approval_page, notice
from flowscope.server.people import Taken, decide, fate_of, question
from flowscope.server.problems import JsonResponse, Refusal, response_to
from flowscope.server.records import iso
from flowscope.server.routes.subject import CONFLICT, MISSING, Id, Limit, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.services import Services

routes = router("approvals")


@routes.get("/api/waiting", responses=told(schemas.WaitingList))
async def list_waiting(
    request: Request,
    services: Served,
    kind: Annotated[Literal["", "approval", "form", "signal", "ask"], Query()] = "",
    workflow_id: Annotated[str, Query(alias="workflowId", max_length=128)] = "",
    execution_id: Annotated[str, Query(alias="executionId", max_length=512)] = "",
    limit: Limit = 50,
) -> Response:
    """What waits for somebody, the longest first. Who may decide gets the links to the pages, too."""
    principal = principal_of(request.scope)
    links = principal is not None and principal.may("editor")
    found = [
        waiting
        for waiting in services.inbox.all()
        if kind in ("", waiting.kind)
        and workflow_id in ("", waiting.workflow_id)
        and execution_id in ("", waiting.execution_id)
    ]
    return JsonResponse(
        {"total": len(found), "waiting": [await _object(services, one, links) for one in found[:limit]]}
    )


async def _object(services: Services, waiting: Waiting, links: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "executionId": waiting.execution_id,
        "workflowId": waiting.workflow_id,
        "workflowName": waiting.workflow_name,
        "nodeId": waiting.node_id,
        "nodeName": waiting.node_name,
        "kind": waiting.kind,
        "detail": waiting.detail,
        "waitingSince": iso(waiting.since),
    }
    if waiting.path:
        body["path"] = waiting.path
    if waiting.until:
        body["until"] = iso(waiting.until)
    if waiting.started_by:
        body["startedBy"] = waiting.started_by
    if waiting.kind in ("approval", "form"):
        title, message = await _question(services, waiting)
        body |= {"title": title, "message": message}
    if waiting.kind == "approval":
        body["approvalId"] = waiting.signal
        if links:
            body["approvalUrl"] = services.links.approval(waiting.execution_id, waiting.signal)
    elif waiting.kind == "form":
        if links:
            names = (waiting.workflow_id, waiting.node_id, waiting.execution_id, waiting.signal)
            body["formUrl"] = services.links.form(*names)
    else:
        body["signal"] = waiting.signal
    return body


async def _question(services: Services, waiting: Waiting) -> tuple[str, str]:
    try:
        found = await services.inbox.find(waiting.execution_id, waiting.signal)
        return question(services, *found) if found else (waiting.node_name, "")
    except FlowscopeError:  # what was worked out when it began to wait cannot be any more: a secret is gone
        return waiting.node_name, ""


@routes.post(
    "/api/executions/{execution_id}/approvals/{approval_id}",
    responses={**told(schemas.Decided), **MISSING, **CONFLICT},
)
async def decide_approval(
    request: Request, services: Served, execution_id: Id, approval_id: Id, wanted: schemas.Decision
) -> Response:
    """Approve or reject; the answer comes when that is durable. The same decision again is a duplicate, another one 409."""
    principal = principal_of(request.scope)
    said = wanted.model_dump(exclude_none=True)
    taken = await decide(services, execution_id, approval_id, said, by=principal.name if principal else "")
    return JsonResponse(_decided(taken, approval_id))


# --- by link ---


@routes.get("/approve/{token}", include_in_schema=False)
async def show_approval(request: Request, services: Served, token: Id) -> Response:
    """The page on which one approval is decided."""
    try:
        execution_id, signal = _opened(services, token)
        return await _shown(request, services, token, execution_id, signal)
    except Refusal as refusal:
        return _refused(request, refusal)


@routes.post("/approve/{token}", include_in_schema=False)
async def decide_by_link(request: Request, services: Served, token: Id) -> Response:
    """Decide, as a browser sends it or as JSON."""
    try:
        execution_id, signal = _opened(services, token)
        said = await _said(request, services)
        try:
            taken = await decide(services, execution_id, signal, said)
        except InputInvalid as fault:
            if _for_people(request):
                return await _shown(request, services, token, execution_id, signal, str(fault))
            raise
    except FlowscopeError as error:
        return _refused(request, error)
    if not _for_people(request):
        return JsonResponse(_decided(taken, signal))
    word = "Approved" if taken.output.get("approved") else "Rejected"
    return notice(
        word, "It was decided before; nothing has changed." if taken.duplicate else "Thank you. The run goes on."
    )


async def _shown(
    request: Request, services: Services, token: str, execution_id: str, signal: str, fault: str = ""
) -> Response:
    found = await services.inbox.find(execution_id, signal)
    if found is None:
        fate = await fate_of(services, execution_id, signal)
        if fate.state == "expired":
            raise Refusal(410, "APPROVAL_EXPIRED", "The time to decide is over")
        if fate.state == "answered":
            raise Refusal(409, "ALREADY_DECIDED", f"It is {fate.output.get('decision', 'decided')} already")
        raise Refusal(
            404, "APPROVAL_NOT_FOUND", "Nothing waits for that decision: the run has ended, or was never there"
        )
    waiting = found[0]
    title, message = await _question(services, waiting)
    action = f"{request.scope.get('root_path', '')}/approve/{token}"
    until = iso(waiting.until)[:16].replace("T", " ") + " UTC" if waiting.until else ""
    return approval_page(title, message, action, until, waiting.workflow_name or waiting.workflow_id, fault)


def _opened(services: Services, token: str) -> tuple[str, str]:
    opened = services.links.open(token)
    if opened is None:
        raise Refusal(401, "UNAUTHORIZED", "That link is not whole, or not ours")
    return opened


async def _said(request: Request, services: Services) -> dict[str, JSON]:
    body = await read_body(request, services.settings.max_body_bytes)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return decode_object(body)
    try:
        found = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        raise Refusal(400, "BAD_REQUEST", "The form has more than 20 fields") from None
    return {name: values[-1] for name, values in found.items()}


def _decided(taken: Taken, approval_id: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "success": True,
        "executionId": taken.execution_id,
        "approvalId": approval_id,
        "decision": taken.output.get("decision"),
    }
    return body | ({"duplicate": True} if taken.duplicate else {})


def _for_people(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _refused(request: Request, error: FlowscopeError) -> Response:
    if not _for_people(request) or not isinstance(error, Refusal):
        return response_to(error)
    titles = {401: "This page is closed", 404: "Nothing to decide", 409: "Decided already", 410: "Too late"}
    return notice(titles.get(error.status, "That did not work"), f"{error}.", error.status)
