"""The library of workflows: versions, drafts that become versions, and nobody's save lost."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from fastapi import Header, Path, Query, Request, Response

from flowscope.errors import DefinitionInvalid, WorkflowExists, WorkflowNotFound
from flowscope.library import Draft, StoredWorkflow, WorkflowRow, draft_of
from flowscope.library.documents import checked_id
from flowscope.orchestrator.ports import ExecutionRow
from flowscope.server import schemas
from flowscope.server.bodies import decode_json, read_body
from flowscope.server.problems import JsonResponse, Refusal, problem_object
from flowscope.server.records import iso, row_object
from flowscope.server.routes.subject import (
    CONFLICT,
    MISSING,
    Id,
    Limit,
    Responses,
    Served,
    cursor_of,
    read_cursor,
    router,
    told,
)
from flowscope.server.security import principal_of
from flowscope.server.services import Services

routes = router("workflows")

MOST_IMPORTED = 1_000

_TAG = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")

Version = Annotated[int, Path(ge=1, lt=1 << 53)]
Activate = Annotated[bool, Query(description="Have it run from now on, if it can")]
GoingOn = Annotated[
    bool, Query(alias="draft", description="More will follow: the next save of the same sitting takes its place")
]

_DOCUMENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object", "description": "docs/workflows.md"}}},
    }
}
_CREATED: Responses = {201: {"model": schemas.Stored, "description": "Stored"}}
_STALE: Responses = {
    412: {"model": schemas.Problem, "description": "Somebody else has saved it meanwhile"},
    428: {"model": schemas.Problem, "description": "Say which version you changed, by If-Match"},
}


@routes.get("/api/workflows", responses=told(schemas.WorkflowRows))
async def list_workflows(
    services: Served,
    search: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str, Query(max_length=1_000)] = "",
    limit: Limit = 50,
) -> Response:
    """Changed last, first; each with the run of it that began last."""
    rows = await asyncio.to_thread(services.library.search, search, before=read_cursor(cursor), limit=limit + 1)
    runs = await asyncio.to_thread(services.engine.store.latest, [row.workflow_id for row in rows[:limit]])
    body: dict[str, Any] = {"workflows": [_row_object(services, row, runs) for row in rows[:limit]]}
    if len(rows) > limit:
        body["nextCursor"] = cursor_of(rows[limit - 1].updated_at, rows[limit - 1].workflow_id)
    return JsonResponse(body)


@routes.post("/api/workflows", status_code=201, responses={**_CREATED, **CONFLICT}, openapi_extra=_DOCUMENT)
async def create_workflow(request: Request, services: Served, activate: Activate = True) -> Response:
    """Store a workflow under the id in it (or one made of its name). One that cannot run yet is kept as a draft."""
    draft = await _draft(request, services)
    stored = await asyncio.to_thread(services.library.create, draft, activate=activate, by=_by(request))
    return await _answer(services, stored, 201)


@routes.post(
    "/api/workflows/import",
    status_code=201,
    responses={201: {"model": schemas.Imported, "description": "Stored"}},
    openapi_extra=_DOCUMENT,
)
async def import_workflows(request: Request, services: Served) -> Response:
    """Store one document, or those in `workflows`, as new workflows; an id that is taken gets a number."""
    value = decode_json(await read_body(request, services.settings.max_body_bytes))
    given = value.get("workflows") if isinstance(value, dict) and "workflows" in value else [value]
    if not isinstance(given, list) or not 0 < len(given) <= MOST_IMPORTED:
        raise Refusal(400, "INPUT_INVALID", f"workflows must be a list of 1 to {MOST_IMPORTED:,} workflows")
    drafts = []
    for number, document in enumerate(given):
        if not isinstance(document, dict):
            raise Refusal(400, "INPUT_INVALID", f"workflows[{number}] must be an object")
        drafts.append(draft_of(document, services.engine.registry, limits=services.limits))
    imported = []
    for draft in drafts:
        stored = await asyncio.to_thread(services.library.copy, draft, by=_by(request))
        await asyncio.to_thread(services.define, stored)
        imported.append({"id": stored.workflow_id, "from": draft.workflow_id, "version": 1, "valid": stored.valid})
    return JsonResponse({"workflows": imported}, 201)


@routes.get("/api/workflows/export", responses={**told(schemas.Exported), **MISSING})
async def export_workflows(
    services: Served, workflow_ids: Annotated[list[str], Query(alias="id", min_length=1, max_length=MOST_IMPORTED)]
) -> Response:
    """The newest versions of these workflows, as `import` takes them."""
    found = [await asyncio.to_thread(services.library.get, workflow_id) for workflow_id in dict.fromkeys(workflow_ids)]
    body = {"workflows": [msgspec.Raw(stored.document) for stored in found]}
    return JsonResponse(body, headers={"Content-Disposition": 'attachment; filename="workflows.json"'})


@routes.get(
    "/api/workflows/{workflow_id}",
    responses={**told(schemas.Stored), **MISSING, 304: {"description": "It is as you know it"}},
)
async def get_workflow(
    services: Served, workflow_id: Id, known: Annotated[str | None, Header(alias="if-none-match")] = None
) -> Response:
    """The newest version; its `ETag` is what a change to it names."""
    stored = await asyncio.to_thread(services.library.get, workflow_id)
    if known is not None and _etag(stored) in (part.strip() for part in known.split(",")):
        return Response(status_code=304, headers={"ETag": _etag(stored)})
    return await _answer(services, stored)


@routes.put(
    "/api/workflows/{workflow_id}",
    responses={**told(schemas.Stored), **_CREATED, **_STALE},
    openapi_extra=_DOCUMENT,
)
async def save_workflow(
    request: Request,
    services: Served,
    workflow_id: Id,
    activate: Activate = True,
    going_on: GoingOn = False,
    if_match: Annotated[str | None, Header(alias="if-match")] = None,
) -> Response:
    """Save another version, or a draft anew. `If-Match` holds the `ETag` of the version it was made from, or `*`; without it only a new
    workflow can be saved."""
    draft = await _draft(request, services, checked_id(workflow_id))
    expected = _expected(if_match, workflow_id)
    by = _by(request)
    if if_match is None:
        try:
            created = await asyncio.to_thread(services.library.create, draft, activate=activate, by=by)
        except WorkflowExists:
            message = (
                f"Workflow {workflow_id} is there already: say which version you changed, by If-Match with its ETag"
            )
            raise Refusal(428, "VERSION_NEEDED", message) from None
        return await _answer(services, created, 201)
    try:
        stored = await asyncio.to_thread(
            services.library.save, draft, expected=expected, activate=activate, by=by, going_on=going_on
        )
    except WorkflowNotFound:
        raise Refusal(412, "VERSION_CONFLICT", f"There is no workflow {workflow_id} to change") from None
    await services.triggers.refresh(workflow_id)
    return await _answer(services, stored)


@routes.delete("/api/workflows/{workflow_id}", status_code=204, responses={**MISSING, **_STALE})
async def delete_workflow(
    services: Served, workflow_id: Id, if_match: Annotated[str | None, Header(alias="if-match")] = None
) -> Response:
    """Remove it and its versions; what ran goes on to be shown. With `If-Match`, only if it is still that version."""
    expected = _expected(if_match, workflow_id)
    await asyncio.to_thread(services.library.delete, workflow_id, expected=expected)
    await services.triggers.refresh(workflow_id)
    return Response(status_code=204)


@routes.get("/api/workflows/{workflow_id}/versions", responses={**told(schemas.Versions), **MISSING})
async def list_versions(
    services: Served,
    workflow_id: Id,
    before: Annotated[int | None, Query(ge=1, lt=1 << 53)] = None,
    limit: Limit = 50,
) -> Response:
    """Newest first."""
    rows = await asyncio.to_thread(services.library.versions, workflow_id, before=before, limit=limit + 1)
    versions = [
        {
            "version": row.version,
            "name": row.name,
            "nodes": row.nodes,
            "valid": row.valid,
            "savedAt": iso(row.saved_at),
            "savedBy": row.saved_by,
            "draft": row.draft,
        }
        for row in rows[:limit]
    ]
    body: dict[str, Any] = {"id": workflow_id, "versions": versions}
    if len(rows) > limit:
        body["nextBefore"] = versions[-1]["version"]
    return JsonResponse(body)


@routes.get("/api/workflows/{workflow_id}/versions/{version}", responses={**told(schemas.Stored), **MISSING})
async def get_version(services: Served, workflow_id: Id, version: Version) -> Response:
    """An older version."""
    return await _answer(services, await asyncio.to_thread(services.library.get, workflow_id, version))


@routes.post("/api/workflows/{workflow_id}/versions/{version}/activate", responses={**told(schemas.Stored), **MISSING})
async def activate_version(services: Served, workflow_id: Id, version: Version) -> Response:
    """Have that version run from now on; 422 if it cannot."""
    stored = await asyncio.to_thread(services.library.activate, workflow_id, version)
    await services.triggers.refresh(workflow_id)
    return await _answer(services, stored)


@routes.get("/api/workflows/{workflow_id}/export", responses={200: {"description": "The document alone"}, **MISSING})
async def export_workflow(services: Served, workflow_id: Id) -> Response:
    """The newest version's document, as a file."""
    stored = await asyncio.to_thread(services.library.get, workflow_id)
    name = quote(f"{stored.workflow_id}.json", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(stored.document, media_type="application/json", headers=headers)


# --- reading and answering ---


async def _draft(request: Request, services: Services, workflow_id: str = "") -> Draft:
    body = await read_body(request, services.settings.max_definition_bytes)
    registry, limits = services.engine.registry, services.limits
    try:
        return await asyncio.to_thread(draft_of, body, registry, limits=limits, workflow_id=workflow_id)
    except DefinitionInvalid as invalid:
        raise Refusal(
            400, "NOT_JSON", str(invalid), details={"problems": [problem_object(one) for one in invalid.problems]}
        ) from None


def _by(request: Request) -> str:
    principal = principal_of(request.scope)
    return principal.name if principal else ""


def _etag(stored: StoredWorkflow) -> str:
    return f'"{stored.tag}"'


def _expected(if_match: str | None, workflow_id: str) -> str | None:
    """The tag in an `If-Match`; None for any."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not _TAG.fullmatch(text):
        raise Refusal(412, "VERSION_CONFLICT", f'If-Match must be the ETag of workflow {workflow_id}, such as "3"')
    return text


async def _answer(services: Services, stored: StoredWorkflow, status: int = 200) -> Response:
    await asyncio.to_thread(services.define, stored)
    problems: list[dict[str, str]] = []
    if not stored.valid:
        draft = await asyncio.to_thread(draft_of, stored.document, services.engine.registry, limits=services.limits)
        problems = [problem_object(problem) for problem in draft.problems]
    ours = {
        "version": stored.version,
        "active": services.triggers.is_active(stored.workflow_id),
        "activeVersion": stored.active,
        "valid": stored.valid,
        "problems": problems,
        "createdAt": iso(stored.created_at),
        "updatedAt": iso(stored.updated_at),
        "savedBy": stored.saved_by,
    }
    headers = {"ETag": _etag(stored)} if stored.version == stored.latest else {}
    if status == 201:
        headers["Location"] = f"/api/workflows/{quote(stored.workflow_id, safe='')}"
    # The library has taken what is ours out of the document, so it can be put behind it without reading all of that.
    body = b"%b,%b" % (stored.document[:-1], msgspec.json.encode(ours)[1:])
    return JsonResponse(msgspec.Raw(body), status, headers)


def _row_object(services: Services, row: WorkflowRow, runs: Mapping[str, ExecutionRow]) -> dict[str, Any]:
    last = runs.get(row.workflow_id)
    body = {
        "id": row.workflow_id,
        "name": row.name,
        "version": row.version,
        "active": services.triggers.is_active(row.workflow_id),
        "activeVersion": row.active,
        "nodes": row.nodes,
        "valid": row.valid,
        "createdAt": iso(row.created_at),
        "updatedAt": iso(row.updated_at),
    }
    return body | ({"lastRun": row_object(last)} if last else {})
