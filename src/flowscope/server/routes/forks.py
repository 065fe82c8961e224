"""Taking an execution up again as a new one, and the family that comes of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from fastapi import Body, Query, Request, Response

from flowscope.definition import load
from flowscope.definition.workflow import Workflow
from flowscope.errors import InputInvalid
from flowscope.orchestrator.families import Family, family_of
from flowscope.orchestrator.forking import EVERYTHING, Revision
from flowscope.orchestrator.payloads import encode
from flowscope.server import schemas
from flowscope.server.problems import JsonResponse
from flowscope.server.records import row_object
from flowscope.server.routes.subject import CONFLICT, MISSING, Id, Responses, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.services import Services

routes = router("forks")

DryRun = Annotated[bool, Query(alias="dryRun", description="Only say what would be done")]

_ANSWERS: Final[Responses] = {
    **told(schemas.ForkPlanned, "With dryRun: what would be done"),
    202: {"model": schemas.Forked, "description": "Started, and durable"},
    **MISSING,
    **CONFLICT,
}


@routes.post("/api/executions/{execution_id}/retry", status_code=202, responses=_ANSWERS)
async def retry_execution(
    request: Request,
    services: Served,
    execution_id: Id,
    wanted: Annotated[schemas.RetryRequest | None, Body()] = None,
    dry_run: DryRun = False,
) -> Response:
    """Go on where it failed, as a new execution: what had been done is kept. 409 `CONFIRMATION_NEEDED`, with the plan, if
    something would act outside once more."""
    wanted = wanted or schemas.RetryRequest()
    revision = Revision(origin="retry", confirm=_confirmed(wanted.confirm))
    return await _answer(request, services, execution_id, revision, wanted.execution_id, dry_run)


@routes.post("/api/executions/{execution_id}/fork", status_code=202, responses=_ANSWERS)
async def fork_execution(
    request: Request, services: Served, execution_id: Id, wanted: schemas.ForkRequest, dry_run: DryRun = False
) -> Response:
    """A new execution from any node of this one, with another input, config or version. What leads there is kept where it is
    the same. 409 `CONFIRMATION_NEEDED`, with the plan, if something would act outside once more."""
    given = "input" in wanted.model_fields_set
    revision = Revision(
        origin="fork",
        from_node=wanted.from_,
        input=encode(wanted.input) if given else None,
        until=wanted.until,
        workflow=await _workflow(services, execution_id, wanted),
        confirm=_confirmed(wanted.confirm),
    )
    return await _answer(request, services, execution_id, revision, wanted.execution_id, dry_run)


@routes.get("/api/executions/{execution_id}/family", responses={**told(schemas.FamilyTree), **MISSING})
async def get_family(services: Served, execution_id: Id) -> Response:
    """The executions it comes from, those that come from it, and theirs: each after the one it was taken up from."""
    family = await asyncio.to_thread(family_of, services.engine.store, execution_id)
    return JsonResponse(family_object(family))


def family_object(family: Family) -> dict[str, Any]:
    """The tree as a list; who has no parent in it is the root."""
    return {
        "executionId": family.execution_id,
        "root": family.members[0].row.execution_id,
        "members": [
            row_object(member.row)
            | {
                key: value
                for key, value in (
                    ("origin", member.origin),
                    ("from", member.fork_from),
                    ("until", member.until),
                    ("newInput", member.new_input),
                    ("changed", member.changed),
                )
                if value
            }
            for member in family.members
        ],
        "more": family.more,
    }


async def _answer(
    request: Request, services: Services, execution_id: str, revision: Revision, new_id: str, dry_run: bool
) -> Response:
    forks = services.engine.orchestrator.forks
    await services.histories.row(execution_id)
    if new_id and not new_id.isprintable():
        raise InputInvalid("An execution id is 1 to 128 visible characters")
    try:
        if dry_run:
            return JsonResponse(await forks.plan(execution_id, revision))
        principal = principal_of(request.scope)
        user_id = principal.name if principal else ""
        live = await forks.start(execution_id, revision, new_id=new_id, user_id=user_id)
    except LookupError as error:
        raise InputInvalid(f"Execution {execution_id} cannot be run here: {error}") from None
    body = {"executionId": live.state.execution_id, "parentExecutionId": execution_id, "status": "running"}
    return JsonResponse(body | {"origin": revision.origin}, 202)


def _confirmed(given: list[str] | bool) -> tuple[str, ...]:
    if isinstance(given, bool):
        return (EVERYTHING,) if given else ()
    return tuple(given)


async def _workflow(services: Services, execution_id: str, wanted: schemas.ForkRequest) -> Workflow | None:
    """The version that is to run; None for the one that ran."""
    if sum((wanted.version is not None, wanted.workflow is not None, bool(wanted.configs))) > 1:
        raise InputInvalid("Give a version, or a workflow, or configs: not more than one of them")
    row = await services.histories.row(execution_id)
    if wanted.version is not None:
        return await services.workflow(row.workflow_id, wanted.version)
    if wanted.workflow is not None:
        document = {**wanted.workflow, "id": row.workflow_id}
    elif wanted.configs and row.definition:
        stored = await asyncio.to_thread(services.engine.store.definition, row.definition)
        document = with_configs(msgspec.json.decode(stored), wanted.configs)
    else:
        return None
    return await asyncio.to_thread(load, document, services.engine.registry, limits=services.limits)


def with_configs(document: dict[str, Any], configs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A workflow's document with other configs for some nodes; `InputInvalid` for a node that is not there."""
    nodes = {node["id"]: node for node in document["nodes"]}
    for node_id, config in configs.items():
        if node_id not in nodes:
            raise InputInvalid(f"The workflow has no node {node_id!r}")
        nodes[node_id] = nodes[node_id] | {"data": nodes[node_id]["data"] | {"config": config}}
    return document | {"nodes": list(nodes.values())}
