"""What a webhook brings: the input it makes, and whether it is signed by whom it says.

A workflow that names a secret (`settings.webhookSecret`: the `name` of a `FLOWSCOPE_SECRET_<NAME>`) takes signed requests
only. The signature is over the time, a nonce, the method, the query and the raw body, so that nothing of it can be changed,
and none be sent twice.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final
from urllib.parse import parse_qs

import msgspec
from starlette.datastructures import Headers, QueryParams

from flowscope.definition.workflow import JSON
from flowscope.server.bodies import decode_json
from flowscope.server.problems import Refusal

FRESH_SECONDS: Final = 300.0
MOST_NONCES: Final = 100_000

_SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "x-auth-token",
        "x-csrf-token",
        "x-flowscope-signature",
        "x-hub-signature",
        "x-hub-signature-256",
    }
)


def webhook_input(
    method: str, headers: Headers, query: QueryParams, body: bytes, secret_header: str = ""
) -> dict[str, JSON]:
    """Query, then body (if it is an object), and the request itself under names of its own, without the headers that hold
    secrets: those known for it, and `secret_header`."""
    members = dict(query)
    members.pop("ticket", None)
    value = _body(headers.get("content-type", ""), body)
    hidden = _SECRET_HEADERS | {secret_header.lower()}
    plain = {name: text for name, text in headers.items() if name not in hidden}
    return {
        **members,
        **(value if isinstance(value, dict) else {}),
        "_webhook": True,
        "_method": method,
        "headers": plain,
        "query": members,
        "body": value,
    }


def _body(content_type: str, body: bytes) -> JSON:
    kind = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return {}
    if kind == "application/json" or kind.endswith("+json"):
        return decode_json(body)
    if kind == "application/x-www-form-urlencoded":
        try:
            fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1_000)
        except ValueError:
            raise Refusal(400, "BAD_REQUEST", "The form has more than 1,000 fields") from None
        return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
    return body.decode("utf-8", "replace")


def secret_name(document: bytes) -> str:
    """The secret a workflow's webhook is signed with, or nothing."""
    settings = msgspec.json.decode(document).get("settings")
    name = settings.get("webhookSecret") if isinstance(settings, dict) else None
    return name if isinstance(name, str) else ""


def signature(secret: str, timestamp: str, nonce: str, method: str, query: str, body: bytes) -> str:
    """The header `x-flowscope-signature` of a request; `timestamp` is epoch seconds, `query` without the `?`."""
    text = f"{timestamp}.{nonce}.{method}.{query}.".encode()
    return "sha256=" + hmac.new(secret.encode(), text + body, hashlib.sha256).hexdigest()


class Signatures:
    """Checks signatures, and remembers nonces for as long as they could be used again."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    def check(self, secret: str, method: str, query: str, headers: Headers, body: bytes) -> None:
        """A `Refusal` unless the request is signed, fresh and new."""
        timestamp = headers.get("x-flowscope-timestamp", "")
        nonce = headers.get("x-flowscope-nonce", "")
        given = headers.get("x-flowscope-signature", "")
        expected = signature(secret, timestamp, nonce, method, query, body)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise _forged("The signature is not right")
        if not nonce or not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 15:
            raise _forged("A nonce and a timestamp in seconds are needed")
        if abs(self._now() - int(timestamp)) > FRESH_SECONDS:
            raise _forged("The request is too old, or its clock is wrong")
        if not self._is_new((secret, nonce)):
            raise _forged("The request has been here before")

    def _is_new(self, nonce: tuple[str, str]) -> bool:
        now = self._now()
        while self._seen:
            oldest = next(iter(self._seen))
            if self._seen[oldest] > now and len(self._seen) < MOST_NONCES:
                break
            del self._seen[oldest]
        if nonce in self._seen:
            return False
        self._seen[nonce] = now + 2 * FRESH_SECONDS
        return True


def execution_id_of(workflow_id: str, key: str) -> str:
    """The run that a request with that idempotency key starts: the same one every time."""
    return "hook-" + hashlib.sha256(f"{workflow_id}\n{key}".encode()).hexdigest()[:32]


def _forged(message: str) -> Refusal:
    return Refusal(401, "BAD_SIGNATURE", message)
