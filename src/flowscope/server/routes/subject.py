"""What the routes share: a router that reads JSON strictly, the services, the refusals any of them may give, and cursors."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request

from flowscope.server import schemas
from flowscope.server.bodies import StrictRoute
from flowscope.server.problems import Refusal
from flowscope.server.services import Services, services_of

Responses = dict[int | str, dict[str, Any]]

_REFUSALS: Final = {
    400: "The request cannot be read",
    401: "A key is needed",
    403: "The key, the Host or the Origin is not allowed that",
    413: "The body is too large",
    422: "What was sent makes no sense",
    429: "Too many requests",
    500: "Internal error",
    503: "Starting, stopping, or the disk is at fault: come back",
}

ANY: Final[Responses] = {status: {"model": schemas.Problem, "description": text} for status, text in _REFUSALS.items()}
MISSING: Final[Responses] = {
    404: {"model": schemas.Problem, "description": "There is no such thing"},
    410: {"model": schemas.Problem, "description": "There was, and it has been pruned"},
}
CONFLICT: Final[Responses] = {409: {"model": schemas.Problem, "description": "Not in the state it is in"}}


def router(tag: str) -> APIRouter:
    """A router for one subject."""
    return APIRouter(route_class=StrictRoute, tags=[tag], responses=ANY)


def _services(request: Request) -> Services:
    return services_of(request)


Served = Annotated[Services, Depends(_services)]
Id = Annotated[str, Path(min_length=1, max_length=512)]
Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[int, Query(ge=0, lt=1 << 53)]


def told(model: type[Any], description: str = "") -> Responses:
    """The answer when all is well."""
    return {200: {"model": model, **({"description": description} if description else {})}}


def cursor_of(at: float, key: str) -> str:
    """Where a page ends, for the client to send back as it is."""
    return base64.urlsafe_b64encode(msgspec.json.encode((at, key))).decode().rstrip("=")


def read_cursor(text: str) -> tuple[float, str] | None:
    """None for the first page; a `Refusal` for what is no cursor."""
    if not text:
        return None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(data, type=tuple[float, str])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise Refusal(400, "BAD_CURSOR", "That is no cursor of ours: leave it out to begin anew") from None
