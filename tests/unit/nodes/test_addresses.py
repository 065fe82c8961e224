"""The guard against requests to internal addresses, without a network."""

from __future__ import annotations

import socket

import pytest

from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes.addresses import is_public
from unit.nodes.bench import Bench

INTERNAL = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "100::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::",
    "2001::1", "2001:0:7f00:1::", "2001:db8::1", "2001:10::1", "3fff::1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INTERNAL)
def test_internal_addresses(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "0", "localhost",
     "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]", "[::127.0.0.1]",
     "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[fe80::1]", "127.0.0.1.", "１２７.0.0.1", "①②⑦.0.0.1", "LOCALHOST",
     "169.254.169.254", "10.1", "[fd00:ec2::254]"],
)  # fmt: skip
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_spelling_of_an_internal_address_gets_through(bench: Bench, scheme: str, host: str) -> None:
    """Whatever the resolver makes of a spelling: nothing is connected to."""
    with pytest.raises(NodeError) as caught:
        await bench.run("http_request", {"url": f"{scheme}://{host}:9/"}, {})
    assert caught.value.code in {"ADDRESS_DENIED", "HOST_NOT_FOUND", "BAD_URL"}


async def test_the_usual_spellings_are_denied_by_name(bench: Bench) -> None:
    for host in ("127.1", "0x7f000001", "[::ffff:127.0.0.1]", "localhost"):
        with pytest.raises(NodeDenied, match="FLOWSCOPE_ALLOW_PRIVATE_ADDRESSES") as caught:
            await bench.run("http_request", {"url": f"http://{host}/"}, {})
        assert not caught.value.retryable


async def test_one_internal_address_among_public_ones_is_enough(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **keywords: answers)
    with pytest.raises(NodeDenied, match=r"two-faced\.test \(10\.0\.0\.7\)"):
        await bench.run("http_request", {"url": "http://two-faced.test/"}, {})


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.com/", "'ftp' is not http or https"),
        ("file:///etc/passwd", "'file' is not http or https"),
        ("gopher://127.0.0.1/", "'gopher' is not http"),
        ("example.com/path", "is not http or https"),
        ("//example.com", "is not http or https"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://[::1", "not a URL"),
        ("http://example.com:99999/", "99999 is not a port"),
        ("http://exa\nmple.com/", "not a URL"),
        ("http://user:hunter2@example.com/", "user name or a password"),
        ("http://hunter2@example.com/", "user name or a password"),
    ],
)
async def test_urls_that_are_refused_before_anything_is_looked_up(bench: Bench, url: str, says: str) -> None:
    with pytest.raises(NodeDenied, match=says) as caught:
        await bench.run("http_request", {"url": url}, {})
    assert "hunter2" not in str(caught.value)
