"""What starts runs by itself: which workflows are active, and how their triggers are."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, Request, Response

from flowscope.errors import DefinitionInvalid, Problem
from flowscope.nodes.triggers import FormTriggerConfig, IntervalConfig, ScheduleConfig, WebhookConfig
from flowscope.server import schemas
from flowscope.server.links import form_address
from flowscope.server.problems import JsonResponse
from flowscope.server.records import iso
from flowscope.server.routes.subject import CONFLICT, MISSING, Id, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.services import Services
from flowscope.triggers import TriggerState

routes = router("triggers")


@routes.get("/api/triggers", responses=told(schemas.Triggers))
async def list_triggers(
    services: Served,
    workflow_id: Annotated[str, Query(alias="workflowId", max_length=128)] = "",
    all: Annotated[bool, Query()] = False,
) -> Response:
    """The triggers of active workflows: when each fires next, when it did last, what it started and how that went, what went
    wrong. With `all` also those of workflows that could be active."""
    found = [(state, True) for state in services.triggers.states()]
    if all:
        found += [(state, False) for state in await asyncio.to_thread(services.resting.states)]
    found = [(state, active) for state, active in found if workflow_id in ("", state.workflow_id)]
    rows = await asyncio.to_thread(_last_runs, services, [state for state, _ in found])
    bodies = [_object(services, state, active) | rows.get(state.execution_id, {}) for state, active in found]
    return JsonResponse({"triggers": bodies})


def _last_runs(services: Services, states: list[TriggerState]) -> dict[str, dict[str, str]]:
    """By id: how the run that a trigger started last is."""
    rows = {one: services.engine.store.row(one) for one in {state.execution_id for state in states} if one}
    return {execution_id: {"lastStatus": row.status} for execution_id, row in rows.items() if row}


@routes.post("/api/workflows/{workflow_id}/activate", responses={**told(schemas.Activated), **MISSING, **CONFLICT})
async def activate_workflow(request: Request, services: Served, workflow_id: Id) -> Response:
    """Have its triggers start runs from now on, also after a restart; 422 if it cannot run. Again, it stays as it is."""
    if await asyncio.to_thread(services.library.active, workflow_id) is None:
        problem = Problem("", "no version of it can run", "Mend it and save it again")
        raise DefinitionInvalid([problem])
    principal = principal_of(request.scope)
    activation = await services.triggers.activate(workflow_id, principal.name if principal else "")
    body = {"id": workflow_id, "active": True, "since": iso(activation.since)}
    return JsonResponse(body | {"triggers": _objects(services, workflow_id)})


@routes.post("/api/workflows/{workflow_id}/deactivate", responses={**told(schemas.Activated), **MISSING})
async def deactivate_workflow(services: Served, workflow_id: Id) -> Response:
    """Have them start nothing more. Runs that go on do so; what was still to start does not."""
    await asyncio.to_thread(services.library.get, workflow_id)
    await services.triggers.deactivate(workflow_id)
    return JsonResponse({"id": workflow_id, "active": False})


def _objects(services: Services, workflow_id: str) -> list[dict[str, Any]]:
    return [_object(services, state, True) for state in services.triggers.states() if workflow_id == state.workflow_id]


def _object(services: Services, state: TriggerState, active: bool) -> dict[str, Any]:
    body: dict[str, Any] = {
        "workflowId": state.workflow_id,
        "workflowName": state.workflow_name,
        "nodeId": state.node_id,
        "label": state.label,
        "type": state.type,
        "active": active,
        "fired": state.fired,
    }
    times = {"since": state.since, "nextDue": state.next_due, "lastFired": state.fired_at}
    body |= {name: iso(at) for name, at in times.items() if at}
    facts = {"lastExecutionId": state.execution_id, "lastError": state.error, "queued": state.queued}
    body |= {name: fact for name, fact in (facts | {"leftOut": state.left_out}).items() if fact}
    if isinstance(state.config, WebhookConfig):
        body |= {"method": state.config.method, "url": f"/hooks/{state.config.path or state.workflow_id}"}
    elif isinstance(state.config, FormTriggerConfig):
        body["url"] = form_address(state.workflow_id, state.node_id)
    elif isinstance(state.config, ScheduleConfig):
        body |= {"cron": state.config.cron, "timezone": state.config.timezone}
    elif isinstance(state.config, IntervalConfig):
        body["interval"] = state.config.interval
    return body
