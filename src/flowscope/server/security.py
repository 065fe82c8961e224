"""The gate: one ASGI layer before everything, HTTP and WebSocket alike. What it does not know to be allowed is refused.

In this order, cheapest first: the name we were called by, the page that calls, how often, who, what that one may do, how
much is sent. Behind it no route asks again, and a route that somebody adds is closed until its caller has a key.

A request that names no credentials is served only while there are no keys at all, and then only to this machine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowscope.log import get_logger
from flowscope.server.bodies import too_large
from flowscope.server.credentials import ANYBODY, PRINCIPAL, Credentials, Principal
from flowscope.server.limits import RateLimit
from flowscope.server.origins import host_is_ours, is_allowed, origin_is_ours
from flowscope.server.problems import INTERNAL, JsonResponse, Refusal, response_to
from flowscope.server.studio import Studio

log = get_logger("flowscope.gate")

PUBLIC: Final = frozenset({"/health", "/health/live", "/health/ready"})
"""Open to whoever reaches the port: they say that it is up, and nothing else."""

REPLAYS: Final = "/api/replays/"
EXECUTIONS: Final = "/api/executions/"
WEBHOOKS: Final = ("/api/webhook-trigger/", "/hooks/")
DOORS: Final = (*WEBHOOKS, "/api/form-trigger/", "/approve/")
"""Where a key may be missing, because a webhook or a link may stand for it. Who comes without one is let through to the route,
which answers 401 before anything else unless what is behind it asks for no key."""

ADMIN: Final = ("/api/keys", "/api/secrets", "/api/credentials")
"""What only admins come to: these, and all below them."""

TICKETS: Final = "/api/tickets"
SESSION: Final = "/api/session"

UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
TOO_MANY: Final = 4429

_SAFE = frozenset({"GET", "HEAD"})
_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
_HEADERS = (
    "authorization, content-type, x-api-key, if-match, if-none-match, prefer, last-event-id, "
    "x-idempotency-key, idempotency-key"
)
_ALWAYS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}

Authorize = Callable[[Scope], Awaitable[Principal | None]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the gate goes by."""

    hosts: frozenset[str]
    allowed_origins: frozenset[str]
    max_body_bytes: int
    studio: Studio = field(default_factory=Studio)
    requests: RateLimit = field(default_factory=lambda: RateLimit(1_000, 2_000))
    failures: RateLimit = field(default_factory=lambda: RateLimit(1, 20))


class Gate:
    """Wraps an ASGI application. `authorize` replaces keys and tickets, for an application that knows its own users."""

    def __init__(
        self, app: ASGIApp, *, rules: Rules, credentials: Credentials, authorize: Authorize | None = None
    ) -> None:
        self._app = app
        self._rules = rules
        self._credentials = credentials
        self._authorize = authorize

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, self._dressed(scope, send))
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            raise ValueError(f"An ASGI scope of an unknown type: {scope['type']}")

    # --- HTTP ---

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            if message.get("status") == 401:
                self._rules.failures.take(_client(scope))  # a door that did not open
            await send(message)

        try:
            if await self._preflight(scope, receive, send):
                return
            await self._admit(scope)
            await self._app(scope, self._capped(scope, receive), noting)
        except Refusal as refusal:
            await response_to(refusal)(scope, receive, send)
        except Exception:  # the outermost frame of a request: whatever reaches it is our fault, and told to nobody
            log.exception("request_failed", method=scope["method"], path=scope["path"])
            if started:
                raise
            await JsonResponse({"error": INTERNAL, "code": "INTERNAL_ERROR"}, 500)(scope, receive, send)

    async def _preflight(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """A browser asks, before it sends what a page wants to have sent, whether that may be."""
        headers = Headers(scope=scope)
        if scope["method"] != "OPTIONS" or "access-control-request-method" not in headers:
            return False
        if not host_is_ours(headers, self._rules.hosts) or not is_allowed(headers, self._rules.allowed_origins):
            raise _foreign_origin(headers)
        response = JsonResponse(None, 204, {"access-control-allow-methods": _METHODS})
        response.body = b""
        response.headers["access-control-allow-headers"] = _HEADERS
        response.headers["access-control-max-age"] = "600"
        del response.headers["content-length"]
        await response(scope, receive, send)
        return True

    def _dressed(self, scope: Scope, send: Send) -> Send:
        """Every answer says what a browser may do with it."""
        origin = is_allowed(Headers(scope=scope), self._rules.allowed_origins)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                if self._rules.allowed_origins:
                    headers.add_vary_header("Origin")
                if origin:
                    headers["access-control-allow-origin"] = origin
                    headers["access-control-expose-headers"] = "ETag, Location, Preference-Applied, Retry-After"
            await send(message)

        return dressed

    def _capped(self, scope: Scope, receive: Receive) -> Receive:
        limit = self._rules.max_body_bytes
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise too_large(limit)
        size = 0

        async def capped() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                raise too_large(limit)
            return message

        return capped

    # --- WebSocket ---

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._admit(scope)
        except Refusal as refusal:
            await _close(refusal, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        except Exception:  # as above
            log.exception("socket_failed", path=scope["path"])
            await send({"type": "websocket.close", "code": 1011, "reason": INTERNAL})

    # --- for both ---

    async def _admit(self, scope: Scope) -> None:
        """Put who asks into the scope; a `Refusal` if that one may not."""
        headers = Headers(scope=scope)
        if not host_is_ours(headers, self._rules.hosts):
            name = headers.get("host", "")
            raise Refusal(
                403,
                "HOST_NOT_ALLOWED",
                f"This server does not go by the name {name[:200]!r}: add it to FLOWSCOPE_ALLOWED_HOSTS if it should",
            )
        if not origin_is_ours(headers, self._rules.allowed_origins):
            raise _foreign_origin(headers)
        client = _client(scope)
        if not self._rules.requests.take(client):
            raise Refusal(429, "TOO_MANY_REQUESTS", "Too many requests: wait a little", headers={"Retry-After": "1"})
        path = _path(scope)
        if scope["type"] == "http" and (path in PUBLIC or self._rules.studio.has(scope["method"], path)):
            return
        principal = await self._who(scope)
        if principal is None:
            if scope["type"] == "http" and path.startswith(DOORS):
                if self._rules.failures.spent(client):
                    raise _too_many_failures()
                return
            if self._credentials.presented(scope) and not self._rules.failures.take(client):
                raise _too_many_failures()
            raise Refusal(
                401,
                "UNAUTHORIZED",
                "A key is needed: send it as `Authorization: Bearer …`. `flowscope keys create NAME` makes one",
                headers={"WWW-Authenticate": "Bearer"},
            )
        needed = scope_needed(scope["type"], scope.get("method", "GET"), path)
        if not principal.may(needed):
            raise Refusal(
                403, "FORBIDDEN", f"That takes a key of scope {needed}; this one is of scope {principal.scope}"
            )
        scope[PRINCIPAL] = principal

    async def _who(self, scope: Scope) -> Principal | None:
        if self._authorize is not None:
            return await self._authorize(scope)
        if not self._credentials.required:
            return ANYBODY if _is_this_machine(scope) else None
        return self._credentials.principal(scope)


def _too_many_failures() -> Refusal:
    return Refusal(429, "TOO_MANY_REQUESTS", "Too many wrong keys: wait a little", headers={"Retry-After": "10"})


def scope_needed(kind: str, method: str, path: str) -> str:
    """The least scope a request takes."""
    if any(path == place or path.startswith(place + "/") for place in ADMIN):
        return "admin"
    if kind == "websocket" or path in (TICKETS, SESSION):
        return "viewer"
    if path.startswith(REPLAYS) or (path.startswith(EXECUTIONS) and path.endswith("/replays")):
        return "viewer"  # showing something over again changes nothing
    return "viewer" if method in _SAFE and not path.startswith(WEBHOOKS) else "editor"


def principal_of(scope: Scope) -> Principal | None:
    """Who the gate let in; None on the public routes, and where a signature is yet to be checked."""
    principal: Principal | None = scope.get(PRINCIPAL)
    return principal


def _foreign_origin(headers: Headers) -> Refusal:
    return Refusal(
        403,
        "ORIGIN_NOT_ALLOWED",
        f"Pages of {headers.get('origin', 'another site')[:200]!r} may not talk to this server: "
        "add the origin to FLOWSCOPE_ALLOWED_ORIGINS if they should",
    )


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _path(scope: Scope) -> str:
    """The path below where we are mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and (path == root or path.startswith(root + "/")) else path


def _is_this_machine(scope: Scope) -> bool:
    """Whether the connection came in on an address that only this machine has (or on a local socket)."""
    server = scope.get("server")
    if not server or server[1] is None:
        return True
    try:
        return ip_address(server[0]).is_loopback
    except ValueError:
        return bool(server[0] == "localhost")


async def _close(refusal: Refusal, receive: Receive, send: Send) -> None:
    """Tell a socket why not. A page may not even connect; whoever lacks a key is told by a code, which takes accepting."""
    code = {401: UNAUTHORIZED, 429: TOO_MANY}.get(refusal.status, FORBIDDEN)
    await receive()
    if refusal.code not in ("HOST_NOT_ALLOWED", "ORIGIN_NOT_ALLOWED"):
        await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": code, "reason": str(refusal)[:120]})
