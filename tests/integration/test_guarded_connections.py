"""Every node that opens a connection is behind the guard: PostgreSQL, Redis and mail servers too."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from acceptance.servers import postgresql_server, redis_server, smtp_server
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import pools
from unit.nodes.bench import Bench

LETTER = {"from": "a@x.org", "to": "b@x.org", "text": "x"}
NODES: dict[str, dict[str, Any]] = {
    "postgresql": {"query": "SELECT 1 AS x"},
    "redis": {"key": "k"},
    "send_email": LETTER,
}
MORE: dict[str, dict[str, Any]] = {
    "postgresql": {"database": "postgres", "username": "shop", "tls": "disable"}, "redis": {}, "send_email": {"security": "none"},
}  # fmt: skip

HOSTS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0", "localhost",
    "::1", "::", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:7f00:1", "::127.0.0.1", "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fe80::1", "127.0.0.1.", "１２７.0.0.1", "LOCALHOST", "169.254.169.254", "10.1",
    "fd00:ec2::254", "[::1]", "/var/run/postgresql", "@postgresql", "1.1.1.1,127.0.0.1", "127.0.0.1:5432", "a b", "\0",
    "http://127.0.0.1", "x" * 300, "unix:/tmp/x.sock", "localhost\n",
]  # fmt: skip


async def connect(type_: str, bench: Bench, host: str, port: int, **more: Any) -> Any:
    connection = {"host": host, "port": port, **MORE[type_], **more}
    return await bench.run(type_, {**NODES[type_], "connection": connection}, {})


@pytest.mark.parametrize("type_", NODES)
@pytest.mark.parametrize("host", HOSTS)
async def test_no_spelling_of_an_internal_address_gets_through(type_: str, host: str) -> None:
    with pytest.raises(NodeError) as caught:
        await connect(type_, Bench(), host, 9)
    assert caught.value.code in {"ADDRESS_DENIED", "HOST_NOT_FOUND"}


@pytest.mark.parametrize("type_", NODES)
async def test_the_denial_says_what_opens_it(type_: str) -> None:
    with pytest.raises(
        NodeDenied, match=r"host: localhost \(.*\) is not on the public internet\. FLOWSCOPE_ALLOW_PRIVATE"
    ):
        await connect(type_, Bench(), "localhost", 9)


@pytest.mark.parametrize("type_", NODES)
async def test_one_internal_address_among_public_ones_is_enough(type_: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **keywords: answers)
    with pytest.raises(NodeDenied, match=r"two-faced\.test \(10\.0\.0\.7\)"):
        await connect(type_, Bench(), "two-faced.test", 80)


class Resolver:
    """Answers once with a judged address, and from then on with another, where nobody must go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self)
        monkeypatch.setattr("flowscope.nodes.addresses.is_public", lambda address: address == "127.0.0.1")

    def __call__(self, host: Any, port: Any, *arguments: Any, **keywords: Any) -> Any:
        if host != "shop.test":
            return self._real(host, port, *arguments, **keywords)
        self.asked.append(host)
        address = "127.0.0.1" if len(self.asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]


async def test_a_name_that_changes_its_mind_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rebinding: the connection goes to the address that was judged, and the name is not looked up again."""
    with postgresql_server() as server, redis_server("pw") as port, smtp_server() as box:
        for type_, at, more in (
            ("postgresql", server.port, {"password": server.password}),
            ("redis", port, {"password": "pw"}),
            ("send_email", box.port, {}),
        ):
            with monkeypatch.context() as patched:
                resolver = Resolver(patched)
                await connect(type_, Bench(), "shop.test", at, **more)
                assert resolver.asked == ["shop.test"], type_
                with pytest.raises(NodeDenied, match=r"shop\.test \(127\.0\.0\.2\)"):
                    await connect(type_, Bench(), "shop.test", at, **more)
        await pools.close()
