"""A server that speaks OpenAI's HTTP interface: OpenAI's own, or any of the many others, local ones among them.

The guard of `addresses.py` holds for it too. Messages never hold the key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpcore
import httpx
import msgspec
from pydantic import Field

from flowscope.definition.workflow import JSON, Retry
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import json_text
from flowscope.nodes.chat_answer import failure
from flowscope.nodes.context import NodeContext
from flowscope.nodes.credentials import OPENAI_URL, SECRET, OpenAICredential, names_one
from flowscope.nodes.http_body import collect
from flowscope.nodes.http_transport import GuardedTransport
from flowscope.nodes.retry_after import retry_after
from flowscope.nodes.sdk import NodeConfig

MEBIBYTE = 1024 * 1024
LONGEST_WAIT = 3_600_000.0
"""Milliseconds. A server that asks to be left alone for longer is not tried again."""

RETRY = Retry(attempts=4)
"""Models' servers are busy now and then, so this is on unless the node says otherwise."""

_CONNECT_SECONDS = 10
_WORTH_RETRYING = frozenset({408, 409, 425, 429})
_LARGEST_COMPLAINT = 64 * 1024
_BROKEN = (
    httpx.TransportError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)  # fmt: skip


class ModelService(NodeConfig):
    model: str = Field(min_length=1, description="The model's name, as its server has it")
    credential: str = Field(
        "", description="The name of a credential of type openai: the server and its key",
        json_schema_extra=names_one(OpenAICredential),
    )  # fmt: skip
    base_url: str = Field(
        "", description=f"The server, where no credential names it: where its interface begins. {OPENAI_URL} by default"
    )
    api_key: str = Field("", description="The key, such as `{{ secrets.openai }}`", json_schema_extra=SECRET)
    idle_timeout: float = Field(
        60_000, gt=0, le=3_600_000, description="Milliseconds without a word from the server that are too many"
    )
    options: dict[str, JSON] = Field(
        default_factory=dict, description="More of what the server takes, such as `seed` or `stop`; sent as it is"
    )


def _whereabouts(config: ModelService, context: NodeContext) -> tuple[str, str]:
    """Base URL and key."""
    if config.credential:
        known = context.credential(config.credential, OpenAICredential)
        return config.base_url or known.base_url, config.api_key or known.api_key
    return config.base_url or OPENAI_URL, config.api_key


@asynccontextmanager
async def asked(
    config: ModelService, context: NodeContext, path: str, body: dict[str, JSON], part: str = ""
) -> AsyncIterator[httpx.Response]:
    """POST a request and give the response, its body not yet read. A status other than 2xx is a `NodeError`, as is whatever
    happens to the connection inside. `part` tells this request from others of the same node."""
    base, key = _whereabouts(config, context)
    url = _url(base, path)
    headers = {
        "User-Agent": "flowscope",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "Idempotency-Key": context.idempotency_key + part,
    }
    if key:
        headers["Authorization"] = f"Bearer {_sendable(key.strip())}"
    transport = GuardedTransport(context.surroundings.allow_private_addresses)
    timeout = httpx.Timeout(config.idle_timeout / 1000, connect=_CONNECT_SECONDS)
    async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=timeout) as client:
        content = json_text.stringify({**body, **config.options})
        request = client.build_request("POST", url, headers=headers, content=content)
        try:
            response = await client.send(request, stream=True)
            try:
                if response.status_code >= 300:
                    raise await _refusal(response, url)
                yield response
            finally:
                await response.aclose()
        except _BROKEN as error:
            raise _broken(error, url, config.idle_timeout) from None


def _sendable(key: str) -> str:
    if not key.isascii() or not key.isprintable():
        raise NodeDenied("apiKey: it holds what no header can. Is there a line break in it?")
    return key


def _url(base: str, path: str) -> httpx.URL:
    try:
        url = httpx.URL(f"{base.strip().rstrip('/')}/{path}")
    except (httpx.InvalidURL, UnicodeError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise NodeDenied(
            f"baseUrl: it must begin with http:// or https:// and a host, as {OPENAI_URL} does", code="BAD_URL"
        )
    if url.userinfo or url.query:
        raise NodeDenied(
            "baseUrl: leave out user names, passwords and queries. The key goes into apiKey", code="BAD_URL"
        )
    return url


async def _refusal(response: httpx.Response, url: httpx.URL) -> NodeError:
    status = response.status_code
    body = await collect(response.aiter_raw(), response.headers.get("content-encoding", ""), _LARGEST_COMPLAINT)
    said, code = _complaint(body)
    after = retry_after(response.headers)
    message = f"POST {url} answered {status} {_phrase(status)}" + (f": {said}" if said else "")
    if response.has_redirect_location:
        message = f"POST {url} is sent on to {response.headers['location'][:200]}: put that server into baseUrl"
    again = (status >= 500 or status in _WORTH_RETRYING) and code != "insufficient_quota"
    if again and after > LONGEST_WAIT:
        again, message = False, f"{message}. It asks to be left alone for {after / 60_000:,.0f} minutes"
    return NodeError(message, code=f"HTTP_{status}", retryable=again, retry_after=after)


def _complaint(body: bytes) -> tuple[str, str]:
    """What the server says, and its code for it."""
    try:
        answer: Any = msgspec.json.decode(body)
        error = answer["error"]
        said = error["message"] if isinstance(error, dict) else error
        code = error.get("code") if isinstance(error, dict) else ""
    except (msgspec.DecodeError, RecursionError, KeyError, TypeError, UnicodeError):
        said, code = body.decode("utf-8", "replace"), ""
    return " ".join(str(said).split())[:500], str(code or "")


def _broken(error: Exception, url: httpx.URL, idle: float) -> NodeError:
    if isinstance(error, httpcore.ReadTimeout | httpx.ReadTimeout):
        return NodeError(f"POST {url}: not a word for {idle / 1000:g} s (idleTimeout)", code="TIMEOUT")
    timed_out = isinstance(error, httpcore.TimeoutException | httpx.TimeoutException)
    reason = "took too long to connect" if timed_out else str(error) or type(error).__name__
    return NodeError(f"POST {url}: {reason}", code="TIMEOUT" if timed_out else "UNREACHABLE")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


async def json_of(response: httpx.Response, limit: int) -> dict[str, Any]:
    """The body as a JSON object; `NodeError` for anything else, and for an error in it."""
    body = await collect(response.aiter_raw(), response.headers.get("content-encoding", ""), limit)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        value = None
    if not isinstance(value, dict):
        raise NodeError("The model's server sent what is no JSON object", code="BAD_RESPONSE")
    if value.get("error"):
        raise failure(value["error"])
    return value
