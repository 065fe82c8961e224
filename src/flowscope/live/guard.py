"""Who may open a connection, where nothing else decides: this machine's own pages and programs.

A page in a browser can open a WebSocket to any address, also to the loopback (cross-site WebSocket hijacking), and a name it
controls can be made to point there (DNS rebinding). So the Host must be a name of this server, and an Origin, which every
browser sends, must be that same host or on the list.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import msgspec

from flowscope.live.protocol import CloseCode

Scope: TypeAlias = MutableMapping[str, Any]


class Refusal(msgspec.Struct, frozen=True):
    """Why a connection is not accepted. Before the handshake a browser sees HTTP 403."""

    code: CloseCode
    reason: str


Authorize: TypeAlias = Callable[[Scope], Awaitable[Refusal | None]]
"""Asked before a connection is accepted; None lets it in."""


class LoopbackGuard:
    """The default: hosts of the loopback and those named, origins of the same host and those listed."""

    def __init__(self, origins: Iterable[str] = (), hosts: Iterable[str] = ()) -> None:
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope) -> Refusal | None:
        hosts, origins = _headers(scope, b"host"), _headers(scope, b"origin")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return Refusal(CloseCode.FORBIDDEN, "this Host is not served here")
        if len(origins) > 1 or (origins and not self._may_come(origins[0], hosts[0])):
            return Refusal(CloseCode.FORBIDDEN, "this Origin is not allowed")
        return None

    def _is_ours(self, host: str) -> bool:
        name = _name(f"//{host}")
        return name in self._hosts or name == "localhost" or name.endswith(".localhost") or _is_loopback(name)

    def _may_come(self, origin: str, host: str) -> bool:
        return origin in self._origins or origin in (f"http://{host}", f"https://{host}")


def _headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip().lower() for key, value in scope["headers"] if key.lower() == name]


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
