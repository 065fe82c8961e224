"""Secrets and credentials, which go in and never come out again; and variables, which are plain."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import Response

from flowscope.errors import CredentialNotFound, SecretUnreadable
from flowscope.library.vault import SealedRow
from flowscope.nodes.credential_trials import try_credential
from flowscope.nodes.credentials import CREDENTIAL_TYPES
from flowscope.orchestrator.redaction import redactor_of
from flowscope.server import schemas
from flowscope.server.problems import JsonResponse
from flowscope.server.records import iso
from flowscope.server.routes.subject import MISSING, Id, Responses, Served, router, told
from flowscope.server.services import Services
from flowscope.server.usage import User, users

routes = router("secrets")

SET: Responses = {200: {"model": schemas.Set}, 201: {"model": schemas.Set, "description": "It is new"}}


def _set(name: str, created: bool) -> Response:
    return JsonResponse({"name": name, "created": created}, 201 if created else 200)


# --- secrets ---


@routes.get("/api/secrets", responses=told(schemas.Secrets))
async def list_secrets(services: Served) -> Response:
    """Their names, and the workflows that name them; never their values."""
    rows = {row.name: row for row in await asyncio.to_thread(services.vault.rows, "secret")}
    given = set(services.given_secrets)
    used = await asyncio.to_thread(users, services.library, "secret")
    told = [_secret(name, rows.get(name), name in given) | _used(used, name) for name in sorted(given | set(rows))]
    return JsonResponse({"secrets": told})


def _used(used: dict[str, list[User]], name: str) -> dict[str, Any]:
    return {
        "usedBy": [{"workflowId": user.workflow_id, "workflowName": user.workflow_name} for user in used.get(name, ())]
    }


def _secret(name: str, row: SealedRow | None, given: bool) -> dict[str, Any]:
    times = {"createdAt": iso(row.created_at), "updatedAt": iso(row.updated_at)} if row else {}
    return {"name": name, "source": "environment" if given else "library", **times}


@routes.put("/api/secrets/{name}", responses=SET)
async def set_secret(services: Served, name: Id, wanted: schemas.SecretRequest) -> Response:
    """Keep a secret, sealed. Attempts that start from now on get this value."""
    return _set(name, await asyncio.to_thread(services.vault.set_secret, name, wanted.value))


@routes.delete("/api/secrets/{name}", status_code=204, responses=MISSING)
async def remove_secret(services: Served, name: Id) -> Response:
    """Forget it."""
    await asyncio.to_thread(services.vault.remove_secret, name)
    return Response(status_code=204)


# --- credentials ---


@routes.get("/api/credential-types", responses=told(schemas.CredentialTypes))
async def list_credential_types() -> Response:
    """What credentials there can be, each with the JSON Schema of its fields; the secret ones are `writeOnly`."""
    types = [
        {"type": name, "description": model.__doc__, "schema": model.model_json_schema(by_alias=True)}
        for name, model in CREDENTIAL_TYPES.items()
    ]
    return JsonResponse({"types": types})


@routes.get("/api/credentials", responses=told(schemas.Credentials))
async def list_credentials(services: Served) -> Response:
    """All of them, without their secret fields, and the workflows that name them."""
    return JsonResponse({"credentials": await asyncio.to_thread(_credentials, services)})


def _credentials(services: Services) -> list[dict[str, Any]]:
    used = users(services.library, "credential")
    return [_credential(services, row) | _used(used, row.name) for row in services.vault.rows("credential")]


def _credential(services: Services, row: SealedRow) -> dict[str, Any]:
    told = {"name": row.name, "type": row.type, "createdAt": iso(row.created_at), "updatedAt": iso(row.updated_at)}
    try:
        credential = services.vault.credential(row.name)
    except SecretUnreadable as error:
        return told | {"problem": str(error)}
    return told | {"fields": credential.shown(), "secretFieldsSet": sorted(credential.hidden())}


@routes.put("/api/credentials/{name}", responses=SET)
async def set_credential(services: Served, name: Id, wanted: schemas.CredentialRequest) -> Response:
    """Keep a credential, sealed."""
    return _set(name, await asyncio.to_thread(services.vault.set_credential, name, wanted.type, wanted.fields))


@routes.delete("/api/credentials/{name}", status_code=204, responses=MISSING)
async def remove_credential(services: Served, name: Id) -> Response:
    """Forget it."""
    await asyncio.to_thread(services.vault.remove_credential, name)
    return Response(status_code=204)


@routes.post("/api/credentials/{name}/test", responses={**told(schemas.CredentialTest), **MISSING})
async def test_credential(services: Served, name: Id) -> Response:
    """Use it: connect, log in, and go again. That it is refused is an answer too."""
    try:
        credential = await asyncio.to_thread(services.vault.credential, name)
    except KeyError:
        raise CredentialNotFound(name) from None
    began = time.perf_counter()
    trial = await try_credential(credential, services.settings.surroundings)
    duration = round((time.perf_counter() - began) * 1000)
    said = redactor_of(frozenset(map(str, credential.hidden().values()))).text(trial.message)
    return JsonResponse({"ok": trial.ok, "message": said, "durationMs": duration})


# --- variables ---


@routes.get("/api/variables", responses=told(schemas.Variables))
async def list_variables(services: Served) -> Response:
    """All of them with their values."""
    return JsonResponse({"variables": await asyncio.to_thread(dict, services.variables)})


@routes.put("/api/variables/{name}", responses=SET)
async def set_variable(services: Served, name: Id, wanted: schemas.VariableRequest) -> Response:
    """Set it; `{{ vars.name }}` reads it. Attempts that start from now on get this value."""
    return _set(name, await asyncio.to_thread(services.variables.set, name, wanted.value))


@routes.delete("/api/variables/{name}", status_code=204, responses=MISSING)
async def remove_variable(services: Served, name: Id) -> Response:
    """Forget it."""
    await asyncio.to_thread(services.variables.remove, name)
    return Response(status_code=204)
