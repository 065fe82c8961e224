"""One HTTP request.

The guard against internal addresses is in `addresses.py` and holds for every connection, redirects included.
Messages name the address without its query, and never a header: that is where secrets are.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Literal

import httpcore
import httpx
from pydantic import Field, field_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.credentials import HEADER_NAME, OUR_HEADERS, HttpCredential, names_one
from flowscope.nodes.http_body import ACCEPTED_ENCODINGS, ResponseFormat, collect, decoded
from flowscope.nodes.http_transport import GuardedTransport
from flowscope.nodes.retry_after import retry_after
from flowscope.nodes.sdk import NodeConfig, node

MEBIBYTE = 1024 * 1024
MAX_REDIRECTS = 5
_EXCERPT = 300
_CONNECT_SECONDS = 10

# What may follow a redirect to another origin; everything else might be a secret.
_HARMLESS = frozenset({
    "accept", "accept-language", "accept-encoding", "content-type", "content-length", "transfer-encoding",
    "user-agent", "host", "connection",
})  # fmt: skip
_WORTH_RETRYING = frozenset({408, 425, 429})


class HttpRequest(NodeConfig):
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] = Field("GET", description="What to do")
    url: str = Field(min_length=1, description="Where: http:// or https://")
    credential: str = Field(
        "",
        description="The name of a kept credential of the type http_basic, http_bearer or http_header; what it says goes over "
        "`headers`",
        json_schema_extra=names_one(HttpCredential),
    )
    headers: dict[str, str | bool | None] = Field(
        default_factory=dict, description="Headers; one that is null is left out"
    )
    query: dict[str, JSON] = Field(
        default_factory=dict, description="Added to the url's query; a list repeats the name, null is left out"
    )
    body: JSON = Field(None, description="A text is sent as it is, anything else as JSON")
    follow_redirects: bool = Field(True, description=f"Follow up to {MAX_REDIRECTS} redirects")
    response_format: ResponseFormat = Field("auto", description="What `data` is to be; `auto` goes by the content type")
    max_bytes: int = Field(
        10 * MEBIBYTE, ge=1, le=64 * MEBIBYTE, description="A larger answer is an error, not cut off"
    )
    fail_on_status: bool = Field(True, description="Whether a status of 400 and more is an error")

    @field_validator("method", mode="before")
    @classmethod
    def _upper(cls, method: JSON) -> JSON:
        return method.upper() if isinstance(method, str) else method

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str | bool | None]) -> dict[str, str | bool | None]:
        for name, value in headers.items():
            if not re.fullmatch(HEADER_NAME, name):
                raise ValueError(f"{name[:60]!r} is not the name of a header")
            if name.lower() in OUR_HEADERS:
                raise ValueError(f"{name} is set by the node itself")
            if isinstance(value, str) and re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
                raise ValueError(f"the value of {name} holds a line break or another control character")
        return headers


@node(
    "http_request",
    title="HTTP request",
    category="network",
    icon="globe",
    effects="external",
    timeout=30_000,
    example={
        "method": "POST",
        "url": "https://api.example.com/orders",
        "headers": {"Authorization": "Bearer {{ secrets.shop_token }}"},
        "body": {"customer": "{{ json.id }}"},
    },
)
async def http_request(config: HttpRequest, input: JSON, context: NodeContext) -> JSON:
    """Sends an HTTP request. The output is the input with `status`, `statusText`, `headers`, `data` and
    `url`. A status of 400 and more is an error; of those only 408, 425, 429 and 5xx are tried again, if
    `retry` is set."""
    transport = GuardedTransport(context.surroundings.allow_private_addresses)
    timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
    async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=timeout) as client:
        request = _request(client, config, context)
        try:
            response = await _sent(client, request, config)
            try:
                body = await collect(
                    response.aiter_raw(), response.headers.get("content-encoding", ""), config.max_bytes
                )
            finally:
                await response.aclose()
        except (httpx.TransportError, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError,
                httpcore.UnsupportedProtocol) as error:  # fmt: skip
            raise _unreachable(request, error) from None
        except NodeError as error:
            error.args = (_without_secrets(str(error), context),)
            raise
    if config.fail_on_status and response.status_code >= 400:
        raise _bad_status(response, body, context)
    return json_path.merged(input, _fields(response, body, config))


def _request(client: httpx.AsyncClient, config: HttpRequest, context: NodeContext) -> httpx.Request:
    try:
        url = httpx.URL(config.url.strip())
        url = url.copy_merge_params(_query(config.query)) if config.query else url
    except (httpx.InvalidURL, UnicodeError):
        raise _refused("url: this is not a URL. Write http:// or https://, a host and a path", "BAD_URL") from None
    _judge(url)
    headers = httpx.Headers({"User-Agent": "flowscope", "Accept": "*/*", "Accept-Encoding": ACCEPTED_ENCODINGS})
    content = None
    if config.body is not None:
        content = config.body if isinstance(config.body, str) else json_text.stringify(config.body)
        headers["Content-Type"] = "text/plain; charset=utf-8" if content is config.body else "application/json"
    if config.method not in ("GET", "HEAD", "OPTIONS"):
        headers["Idempotency-Key"] = context.idempotency_key
    for name, value in config.headers.items():
        if value is not None:
            headers[name] = _header(value)
    if config.credential:
        told = context.credential(config.credential, HttpCredential).headers()
        context.secrets_used.update(told.values())
        headers.update(told)
    return client.build_request(config.method, url, headers=headers, content=content)


def _header(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _query(query: dict[str, JSON]) -> dict[str, str | list[str]]:
    def text(value: JSON) -> str:
        return value if isinstance(value, str) else json_text.stringify(value)

    return {
        name: [text(each) for each in value] if isinstance(value, list) else text(value)
        for name, value in query.items()
        if value is not None
    }


def _judge(url: httpx.URL) -> None:
    """What can be said of a URL before its host is looked up."""
    if url.scheme not in ("http", "https"):
        raise _refused(f"url: {url.scheme[:20]!r} is not http or https", "BAD_URL")
    if url.userinfo:
        raise _refused(
            "url: it holds a user name or a password. Put them into an Authorization header, from {{ secrets.… }}",
            "BAD_URL",
        )
    if not url.host:
        raise _refused("url: it names no host", "BAD_URL")
    if url.port is not None and not 0 < url.port < 65_536:
        raise _refused(f"url: {url.port} is not a port", "BAD_URL")


async def _sent(client: httpx.AsyncClient, request: httpx.Request, config: HttpRequest) -> httpx.Response:
    """The response at the end of the redirects, its body not yet read."""
    for _ in range(MAX_REDIRECTS + 1):
        response = await client.send(request, stream=True, follow_redirects=False)
        if not (config.follow_redirects and response.has_redirect_location):
            return response
        await response.aclose()
        following = response.next_request
        if following is None:
            return response
        _judge(following.url)
        if _origin(following.url) != _origin(request.url):
            for name in list(following.headers):
                if name.lower() not in _HARMLESS:
                    del following.headers[name]
        request = following
    raise _refused(f"{_shown(request.url)}: more than {MAX_REDIRECTS} redirects", "TOO_MANY_REDIRECTS")


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}[url.scheme]


def _fields(response: httpx.Response, body: bytes, config: HttpRequest) -> dict[str, JSON]:
    return {
        "status": response.status_code,
        "statusText": response.reason_phrase or _phrase(response.status_code),
        "headers": dict(response.headers),
        "data": decoded(body, response.headers, config.response_format),
        "url": str(response.request.url),
    }


def _bad_status(response: httpx.Response, body: bytes, context: NodeContext) -> NodeError:
    status = response.status_code
    said = " ".join(body[: 4 * _EXCERPT].decode("utf-8", "replace").split())[:_EXCERPT]
    where = f"{response.request.method} {_shown(response.request.url)}"
    message = f"{where} answered {status} {response.reason_phrase or _phrase(status)}"
    return NodeError(
        _without_secrets(f"{message}: {said}" if said else message, context),
        code=f"HTTP_{status}",
        retryable=status >= 500 or status in _WORTH_RETRYING,
        retry_after=retry_after(response.headers),
    )


def _unreachable(request: httpx.Request, error: Exception) -> NodeError:
    timed_out = isinstance(error, httpcore.TimeoutException | httpx.TimeoutException)
    reason = "took too long to connect" if timed_out else str(error) or type(error).__name__
    return NodeError(
        f"{request.method} {_shown(request.url)}: {reason}", code="TIMEOUT" if timed_out else "UNREACHABLE"
    )


def _shown(url: httpx.URL) -> str:
    """A URL for people: without its query, which may hold a key."""
    return str(url.copy_with(query=None, fragment=None))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _without_secrets(text: str, context: NodeContext) -> str:
    """A server may repeat what it was sent."""
    known = {*context.surroundings.secrets.values(), *context.secrets_used}
    for value in sorted(known, key=len, reverse=True):
        text = text.replace(value, "•••") if value else text
    return text


def _refused(message: str, code: str) -> NodeDenied:
    return NodeDenied(message, code=code)
