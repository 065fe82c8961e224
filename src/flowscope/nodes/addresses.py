"""Which network addresses a workflow may reach: public ones, unless the operator opens the others.

A name is resolved once, every address it has is judged, and the connection goes to a judged address, so that
a name that answers differently the second time gains nothing. An address is judged after it is unwrapped: an
IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4) is that IPv4 address. Odd spellings such as
`127.1` or `0x7f000001` are for the resolver, which turns them into addresses like any other.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any, TypeAlias

import httpcore

from flowscope.errors import NodeDenied, NodeError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

SETTING = "FLOWSCOPE_ALLOW_PRIVATE_ADDRESSES"

_V6_GLOBAL = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_EMBEDDING = (ipaddress.IPv6Network("::/96"), ipaddress.IPv6Network("::ffff:0:0/96"), _NAT64)
# Python's own tables differ between patch releases, and know nothing of the last one, a cloud's metadata service.
_CLOSED: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
            "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "2001::/23", "2001:db8::/32", "3fff::/20",
            "168.63.129.16/32",
        ),
    )
)  # fmt: skip


def unwrapped(text: str) -> Address:
    """An address without its zone, and the IPv4 address inside where it is an IPv6 one that carries one."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _EMBEDDING):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address in _SIX_TO_FOUR:
            return ipaddress.IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return address


def is_public(text: str) -> bool:
    """Whether an address, as a resolver gives it, is one of the public internet."""
    address = unwrapped(text)
    if isinstance(address, ipaddress.IPv6Address) and address not in _V6_GLOBAL:
        return False
    return address.is_global and not any(address in network for network in _CLOSED)


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name; `NodeError` when it has none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NodeError(f"The host {host[:200]!r} has no address", code="HOST_NOT_FOUND") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def judged(host: str, port: int, allow_private: bool, field: str = "host") -> list[str]:
    """The addresses of a host, in the order to try them; `NodeDenied` names `field` where one of them is internal, and
    internal ones are not open. Whoever connects, connects to one of these and not to the name."""
    addresses = await resolve(host, port)
    for address in addresses:
        if not allow_private and not is_public(address):
            shown = "" if address == host else f" ({address})"
            raise NodeDenied(
                f"{field}: {host}{shown} is not on the public internet. {SETTING} opens internal addresses",
                code="ADDRESS_DENIED",
            )
    return addresses


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only to addresses that were judged. TLS and the Host header still carry the name."""

    def __init__(self, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Resolve, judge, connect to the first address that answers."""
        addresses = await judged(host, port, self._allow_private, "url")
        failure: Exception = NodeError(f"The host {host!r} has no address", code="HOST_NOT_FOUND")
        for address in addresses:
            try:
                return await self._sockets.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refused: the other end would be this machine."""
        raise NodeDenied("Unix sockets are closed to nodes")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
