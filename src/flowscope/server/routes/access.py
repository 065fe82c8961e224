"""Who asks: sessions of browsers, tickets for sockets, and the keys."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response

from flowscope.server import schemas
from flowscope.server.credentials import ANYBODY, TICKET_SECONDS
from flowscope.server.problems import JsonResponse
from flowscope.server.records import iso
from flowscope.server.routes.subject import MISSING, Id, Served, router, told
from flowscope.server.security import principal_of
from flowscope.server.sessions import set_cookie

routes = router("access")


@routes.post("/api/tickets", status_code=201, responses={201: {"model": schemas.Ticket, "description": "Issued"}})
async def issue_ticket(request: Request, services: Served) -> Response:
    """A ticket that stands for your key, once and for 30 seconds: `?ticket=…` where no header can be sent."""
    ticket = services.tickets.issue(principal_of(request.scope) or ANYBODY)
    return JsonResponse({"ticket": ticket, "expiresIn": round(TICKET_SECONDS)}, 201)


@routes.post("/api/session", status_code=201, responses={201: {"model": schemas.Session, "description": "Opened"}})
async def open_session(request: Request, services: Served) -> Response:
    """A cookie that stands for your key, for pages of this server: they cannot read it, and other sites cannot use it."""
    principal = principal_of(request.scope) or ANYBODY
    cookie = services.credentials.open_session(request.scope)
    headers = {"Set-Cookie": set_cookie(request.scope, cookie)} if cookie else {}
    return JsonResponse({"name": principal.name, "scope": principal.scope}, 201, headers)


@routes.get("/api/session", responses=told(schemas.Session))
async def get_session(request: Request) -> Response:
    """Who you are here, and of what scope."""
    principal = principal_of(request.scope) or ANYBODY
    return JsonResponse({"name": principal.name, "scope": principal.scope})


@routes.delete("/api/session", status_code=204)
async def close_session(request: Request) -> Response:
    """Take the cookie away."""
    return Response(status_code=204, headers={"Set-Cookie": set_cookie(request.scope, "")})


@routes.get("/api/keys", responses=told(schemas.Keys))
async def list_keys(services: Served) -> Response:
    """The keys that open; never their texts."""
    keys = await asyncio.to_thread(services.keys.all)
    return JsonResponse(
        {
            "keys": [
                {"keyId": key.key_id, "name": key.name, "scope": key.scope, "createdAt": iso(key.created_at)}
                for key in keys
            ]
        }
    )


@routes.post("/api/keys", status_code=201, responses={201: {"model": schemas.MadeKey, "description": "Made"}})
async def create_key(services: Served, wanted: schemas.KeyRequest) -> Response:
    """A new key. Its text is in this answer and nowhere else. From the first one on, everybody needs a key."""
    made = await asyncio.to_thread(services.keys.create, wanted.name, wanted.scope)
    body = {"key": made.text, "keyId": made.key.key_id, "name": made.key.name, "scope": made.key.scope}
    return JsonResponse(body, 201)


@routes.delete("/api/keys/{key_id}", status_code=204, responses=MISSING)
async def revoke_key(services: Served, key_id: Id) -> Response:
    """Close a key for good, by its id or name."""
    await asyncio.to_thread(services.keys.revoke, key_id)
    return Response(status_code=204)
