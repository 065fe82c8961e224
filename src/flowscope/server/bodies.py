"""What a client sends, before anything believes it: how long, how deep, and whether it is JSON at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from flowscope.definition.document import Limits, parse
from flowscope.definition.workflow import JSON
from flowscope.errors import DefinitionInvalid
from flowscope.server.problems import Refusal

DEPTH: Final = 64

_decode = msgspec.json.Decoder().decode


async def read_body(request: Request, limit: int) -> bytes:
    """The body; a `Refusal` as soon as it is longer than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def too_large(limit: int) -> Refusal:
    return Refusal(413, "BODY_TOO_LARGE", f"The body is larger than {limit:,} bytes, the most that is taken here")


def decode_json(body: bytes) -> JSON:
    """The value; a `Refusal` that says where it is no JSON (NaN and infinities are none), or that it is too deep."""
    try:
        value = _decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refusal(400, "NOT_JSON", f"The body {_what_is_wrong(body)}") from None
    # Only a body with that many brackets can be that deep.
    if body.count(b"{") + body.count(b"[") > DEPTH and _deeper(value, DEPTH):
        raise Refusal(400, "NOT_JSON", f"The body is nested deeper than {DEPTH} levels")
    return value


def decode_object(body: bytes) -> dict[str, Any]:
    """The same where only an object makes sense; no body is an empty one."""
    value = decode_json(body) if body.strip() else {}
    if not isinstance(value, dict):
        raise Refusal(400, "NOT_JSON", "The body must be a JSON object")
    return value


def _what_is_wrong(body: bytes) -> str:
    """The parser of definitions is slower and says more."""
    try:
        parse(body, Limits(document_bytes=len(body)))
    except DefinitionInvalid as invalid:
        problem = invalid.problems[0]
        return problem.message if not problem.place else str(problem)
    return "is not JSON"


def _deeper(value: JSON, depth: int) -> bool:
    stack = [(value, 1)]
    while stack:
        one, level = stack.pop()
        if level > depth:
            return True
        members = one.values() if isinstance(one, dict) else one
        stack += [(member, level + 1) for member in members if isinstance(member, dict | list)]
    return False


class StrictRequest(Request):
    """A request whose JSON is read as above, wherever the framework asks for it."""

    async def json(self) -> Any:
        return decode_json(await self.body())


class StrictRoute(APIRoute):
    """A route whose handler gets a `StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            response: Response = await handle(StrictRequest(request.scope, request.receive))
            return response

        return strict
