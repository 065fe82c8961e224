"""Forms: the pages of `form_trigger`, which start runs, and of `form`, for which a run waits.

The gate lets these in without a key. A trigger's page is open to everybody if it says so; the page of a run that waits to
whoever has its link, which is signed. To all others these addresses are closed, whether there is something behind or not.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import Request, Response

from flowscope.definition.workflow import JSON
from flowscope.errors import ExecutionActive, ExecutionEnded, FlowscopeError
from flowscope.nodes.form import FormPage
from flowscope.nodes.triggers import FormTriggerConfig
from flowscope.orchestrator.payloads import encode
from flowscope.orchestrator.workflow_orchestrator import new_execution_id
from flowscope.server import schemas
from flowscope.server.bodies import decode_object, read_body
from flowscope.server.execute import Order, start
from flowscope.server.inbox import Waiting
from flowscope.server.links import form_address
from flowscope.server.pages import form_page, notice
from flowscope.server.people import LONGEST_KEY, Taken, Unfit, asked, filled, no_form, submit
from flowscope.server.problems import JsonResponse, Refusal, response_to
from flowscope.server.routes.subject import MISSING, Id, Responses, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.services import Services
from flowscope.triggers import firing_id
from flowscope.triggers.trigger import AnyTrigger

routes = router("forms")

KEY: Final = "_key"
MOST_FIELDS: Final = 1_000

_ANSWERS: Responses = {**told(schemas.FormTaken), **MISSING}


@routes.get("/api/form-trigger/{workflow_id}/{node_id}", responses=told(schemas.Form))
async def show_form(request: Request, services: Served, workflow_id: Id, node_id: Id) -> Response:
    """The form: a page for browsers, its fields as JSON for programs."""
    try:
        found = await _found(request, services, workflow_id, node_id)
        title, page = await _page(services, found)
    except Refusal as refusal:
        return _refused(request, refusal)
    if _for_people(request):
        return form_page(page, title, _action(request, workflow_id, node_id))
    fields = [field.model_dump(by_alias=True, exclude_defaults=True) | {"type": field.type} for field in page.fields]
    body: dict[str, Any] = {"title": title, "message": page.message, "fields": fields, "button": page.button}
    body |= {"thanks": page.thanks, "formNodeId": node_id}
    if isinstance(found, Waiting):
        body["executionId"] = found.execution_id
    return JsonResponse(body)


@routes.post("/api/form-trigger/{workflow_id}/{node_id}/submit", responses=_ANSWERS)
async def submit_form(request: Request, services: Served, workflow_id: Id, node_id: Id) -> Response:
    """Send what was filled in, as JSON or as a browser does. With the same `x-idempotency-key` again nothing more happens."""
    try:
        found = await _found(request, services, workflow_id, node_id)
        given, key = await _given(request, services)
        # What waits no longer has no page any more, and is submitted all the same: it may have been, with this very key.
        title, page = ("", None) if isinstance(found, tuple) else await _page(services, found)
    except Refusal as refusal:
        return _refused(request, refusal)
    try:
        if isinstance(found, Waiting):
            taken = await submit(services, found.execution_id, found.signal, given, key)
        elif isinstance(found, tuple):
            taken = await submit(services, *found, given, key)
        else:
            taken = await _begin(request, services, found, given, key)
    except Unfit as unfit:
        if page is None or not _for_people(request):
            return response_to(unfit)
        action = _action(request, workflow_id, node_id)
        return form_page(page, title, action, values=unfit.values, faults=unfit.faults, key=key)
    except FlowscopeError as error:
        return _refused(request, error)
    return _thanks(request, page, taken)


# --- which form, and whether it is open ---

Found = Waiting | tuple[str, str] | AnyTrigger


async def _found(request: Request, services: Services, workflow_id: str, node_id: str) -> Found:
    """What waits there; the execution and id of what did; or the trigger. A `Refusal` for who may not know."""
    principal = principal_of(request.scope)
    trigger = services.triggers.find(workflow_id, node_id)
    if trigger is not None and isinstance(trigger.config, FormTriggerConfig):
        if principal is None and not trigger.config.public:
            raise _closed()
        return trigger
    token = request.query_params.get("form", "")
    if token:
        opened = services.links.open(token)
        if opened is None:
            raise _closed() if principal is None else no_form()
        waiting = await services.inbox.find(*opened)
        return waiting[0] if waiting else opened
    if principal is None:
        raise _closed()
    return _longest(services, workflow_id, node_id)


def _longest(services: Services, workflow_id: str, node_id: str) -> Waiting:
    """Who names no run means the one that waits longest."""
    for waiting in services.inbox.all():
        if (waiting.kind, waiting.workflow_id, waiting.node_id) == ("form", workflow_id, node_id):
            return waiting
    raise no_form()


async def _page(services: Services, found: Found) -> tuple[str, FormPage]:
    if isinstance(found, tuple):
        raise no_form()
    if isinstance(found, Waiting):
        place = await services.inbox.find(found.execution_id, found.signal)
        if place is None:
            raise no_form()
        config = asked(services, *place[1:])
        assert isinstance(config, FormPage)
        return config.title or found.node_name, config
    assert isinstance(found.config, FormPage)
    return found.config.title or found.node.label, found.config


def _closed() -> Refusal:
    return Refusal(401, "UNAUTHORIZED", "This form needs a key, or the whole of its link")


# --- what was sent ---


async def _given(request: Request, services: Services) -> tuple[dict[str, JSON], str]:
    body = await read_body(request, services.settings.max_body_bytes)
    key = request.headers.get("x-idempotency-key") or request.headers.get("idempotency-key") or ""
    if request.headers.get("content-type", "").partition(";")[0].strip() == "application/x-www-form-urlencoded":
        try:
            found = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            raise Refusal(400, "BAD_REQUEST", f"The form has more than {MOST_FIELDS:,} fields") from None
        given: dict[str, JSON] = {name: values[-1] for name, values in found.items()}
        key = key or str(given.pop(KEY, ""))
    else:
        given = decode_object(body)
        inner = given.get("data")
        given = inner if isinstance(inner, dict) and len(given) == 1 else given
    if len(key) > LONGEST_KEY:
        raise Refusal(400, "INPUT_INVALID", f"An idempotency key is at most {LONGEST_KEY} characters")
    return given, key


async def _begin(request: Request, services: Services, trigger: AnyTrigger, given: dict[str, JSON], key: str) -> Taken:
    output = filled(trigger.config, given, services.engine.orchestrator.clock.now(), key)
    principal = principal_of(request.scope)
    execution_id = firing_id(trigger.workflow.id, trigger.node.id, key) if key else new_execution_id()
    order = Order(
        workflow_id=trigger.workflow.id,
        execution_id=execution_id,
        input=encode(output),
        user_id=principal.name if principal else "form",
        trigger=trigger.node.id,
        fired=True,
    )
    try:
        await start(services, order)
    except (ExecutionActive, ExecutionEnded):
        return Taken(execution_id, output, duplicate=True)
    trigger.fired(execution_id)
    return Taken(execution_id, output)


# --- answers ---


def _for_people(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _action(request: Request, workflow_id: str, node_id: str) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{request.scope.get('root_path', '')}{form_address(workflow_id, node_id)}/submit{query}"


def _thanks(request: Request, page: FormPage | None, taken: Taken) -> Response:
    if _for_people(request):
        return notice("Sent", (page or FormPage()).thanks)
    body: dict[str, Any] = {"success": True, "executionId": taken.execution_id, "message": "Form submitted"}
    return JsonResponse(body | ({"duplicate": True} if taken.duplicate else {}))


def _refused(request: Request, refusal: FlowscopeError) -> Response:
    if not _for_people(request) or not isinstance(refusal, Refusal):
        return response_to(refusal)
    titles = {401: "This page is closed", 400: str(refusal)}
    told = {
        "FORM_EXPIRED": "The time to fill it in is over.",
        "NO_ACTIVE_FORM": "It has been filled in already, or the run has ended.",
        "UNAUTHORIZED": "Open it by the whole of the link that you were given.",
    }
    title = titles.get(refusal.status, "That did not work")
    return notice(title, told.get(refusal.code, str(refusal)), refusal.status)
