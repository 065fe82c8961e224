"""Who asks: API keys, tickets for sockets, and what each scope may do."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Scope

from flowscope.library import SCOPES, KeyRing
from flowscope.server.sessions import Sessions, cookie_of

TICKET_SECONDS: Final = 30.0
MOST_TICKETS: Final = 10_000

PRINCIPAL: Final = "flowscope.principal"
"""The key in an ASGI scope under which the gate leaves who asks."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody the gate let in."""

    name: str
    scope: str

    def may(self, scope: str) -> bool:
        """Whether this one's scope contains that one."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


ANYBODY: Final = Principal("", "admin")
"""Whoever asks while there are no keys; the gate sees to it that only this machine can."""


class Tickets:
    """For clients that cannot send a header, browsers' sockets above all: good for 30 seconds and one use."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._open: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def issue(self, principal: Principal) -> str:
        """A new ticket that stands for that one."""
        text = secrets.token_urlsafe(24)
        self._forget_old()
        self._open[text] = (self._now() + TICKET_SECONDS, principal)
        return text

    def redeem(self, text: str) -> Principal | None:
        """Who the ticket stands for; a second time it is nobody."""
        self._forget_old()
        found = self._open.pop(text, None)
        return found[1] if found else None

    def _forget_old(self) -> None:
        now = self._now()
        while self._open:
            text, (due, _) = next(iter(self._open.items()))
            if due > now and len(self._open) < MOST_TICKETS:
                return
            del self._open[text]


class Credentials:
    """Finds out who asks, by `Authorization: Bearer`, `x-api-key`, `?ticket=`, or the cookie of a session."""

    def __init__(self, keys: KeyRing, tickets: Tickets) -> None:
        self._keys = keys
        self._tickets = tickets
        self._sessions = Sessions(keys)

    @property
    def required(self) -> bool:
        """Whether there are keys, so that everybody needs one."""
        return bool(self._keys)

    def presented(self, scope: Scope) -> bool:
        """Whether there is anything that claims to be a key or a ticket."""
        headers = Headers(scope=scope)
        named = "x-api-key" in headers or "authorization" in headers
        return named or bool(_ticket(scope)) or bool(cookie_of(scope))

    def principal(self, scope: Scope) -> Principal | None:
        """Who it is; None for nobody, or somebody with a key that does not open."""
        if text := _text(scope):
            key = self._keys.find(text)
        elif ticket := _ticket(scope):
            return self._tickets.redeem(ticket)
        else:
            key = self._sessions.find(scope)
        return Principal(key.name, key.scope) if key else None

    def open_session(self, scope: Scope) -> str:
        """The value of a cookie that stands for the key in this request's headers; nothing if there is none."""
        text = _text(scope)
        key = self._keys.find(text)
        return self._sessions.open(text, key.key_id) if key else ""


def _text(scope: Scope) -> str:
    """The text of a key in the headers."""
    headers = Headers(scope=scope)
    kind, _, bearer = headers.get("authorization", "").partition(" ")
    return bearer.strip() if kind.lower() == "bearer" else headers.get("x-api-key", "")


def _ticket(scope: Scope) -> str:
    try:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=100)
    except ValueError:  # more fields than anybody needs
        return ""
    return str(query.get("ticket", [""])[0])
