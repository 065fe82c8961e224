"""Where a server is."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from flowscope.errors import InputInvalid

SOCKETS = "/ws/executions"


@dataclass(frozen=True, slots=True)
class Address:
    """A server's URL, without the slash at its end; it may have a path, where flowscope is mounted under one."""

    url: str

    @classmethod
    def of(cls, url: str) -> Address:
        """`InputInvalid` for what is no address; `localhost:3001` is taken as `http://localhost:3001`."""
        given = url.strip() if "://" in url else f"http://{url.strip()}"
        try:
            parts = urlsplit(given)
            valid = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:
            valid = False
        if not valid or parts.query or parts.fragment or parts.username is not None:
            raise InputInvalid(f"{url!r} is no address of a server, such as http://127.0.0.1:3001")
        return cls(given.rstrip("/"))

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine, which no proxy knows the way to."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    def socket(self, execution_id: str, after: int | None, ticket: str) -> str:
        """The WebSocket's URL. `after` and `ticket` are left out where there is none."""
        query = {"executionId": execution_id}
        if after is not None:
            query["after"] = str(after)
        if ticket:
            query["ticket"] = ticket
        return f"ws{self.url.removeprefix('http')}{SOCKETS}?{urlencode(query)}"


def execution_path(execution_id: str, rest: str = "") -> str:
    """`/api/executions/ID/rest`."""
    return f"/api/executions/{quote(execution_id, safe='')}{f'/{rest}' if rest else ''}"
