"""The gate's parts: hosts, origins, tickets, rates, scopes, bodies (pitfalls 3)."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from flowscope import errors
from flowscope.server.bodies import decode_json, decode_object
from flowscope.server.credentials import TICKET_SECONDS, Principal, Tickets
from flowscope.server.limits import RateLimit
from flowscope.server.origins import host_is_ours, origin_is_ours
from flowscope.server.problems import Refusal, body_of, verdict_of
from flowscope.server.security import scope_needed

NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:3001", "LOCALHOST", "127.0.0.1:9", "[::1]:3001", "localhost."]
)
def test_our_own_names(host: str) -> None:
    assert host_is_ours(Headers({"host": host}), NAMES)


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example#localhost", "", "[::1", "a@localhost.evil"]
)
def test_names_that_were_made_to_point_here(host: str) -> None:
    assert not host_is_ours(Headers({"host": host}), NAMES)


def test_no_host_and_two_hosts_are_refused() -> None:
    assert not host_is_ours(Headers({}), NAMES)
    twice = Headers(raw=[(b"host", b"localhost"), (b"host", b"localhost")])
    assert not host_is_ours(twice, NAMES)


@pytest.mark.parametrize("origin", ["http://localhost:3001", "https://localhost:3001", "http://LOCALHOST:3001"])
def test_our_own_pages(origin: str) -> None:
    assert origin_is_ours(Headers({"host": "localhost:3001", "origin": origin}), frozenset())


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://localhost",
        "http://localhost:5173",
        "https://evil.example",
        "http://localhost:3001.evil",
        "file://",
        "",
    ],
)
def test_foreign_pages(origin: str) -> None:
    assert not origin_is_ours(Headers({"host": "localhost:3001", "origin": origin}), frozenset())


def test_an_allowed_origin_is_exactly_that_one() -> None:
    allowed = frozenset({"http://localhost:5173"})
    assert origin_is_ours(Headers({"host": "localhost:3001", "origin": "http://localhost:5173"}), allowed)
    assert not origin_is_ours(Headers({"host": "localhost:3001", "origin": "http://localhost:51734"}), allowed)


@pytest.mark.parametrize(
    ("site", "ours"), [("cross-site", False), ("same-site", False), ("same-origin", True), ("none", True)]
)
def test_a_simple_request_of_a_foreign_page_names_no_origin_but_its_site(site: str, ours: bool) -> None:
    assert origin_is_ours(Headers({"host": "localhost", "sec-fetch-site": site}), frozenset()) is ours


def test_a_ticket_opens_once_and_not_for_long() -> None:
    now = 0.0
    tickets = Tickets(lambda: now)
    somebody = Principal("studio", "viewer")
    ticket = tickets.issue(somebody)
    assert tickets.redeem(ticket) == somebody
    assert tickets.redeem(ticket) is None
    late = tickets.issue(somebody)
    now = TICKET_SECONDS
    assert tickets.redeem(late) is None


def test_a_bucket_refills() -> None:
    now = 0.0
    limit = RateLimit(2, 3, now=lambda: now)
    assert [limit.take("a") for _ in range(4)] == [True, True, True, False]
    assert limit.take("b")
    now = 0.5
    assert limit.take("a")
    assert not limit.take("a")


def test_buckets_are_bounded() -> None:
    limit = RateLimit(1, 1, clients=10, now=lambda: 0.0)
    for number in range(1_000):
        limit.take(str(number))
    assert len(limit._buckets) == 10


@pytest.mark.parametrize(
    ("kind", "method", "path", "scope"),
    [
        ("http", "GET", "/api/executions", "viewer"),
        ("http", "POST", "/api/executions", "editor"),
        ("http", "DELETE", "/whatever/comes", "editor"),
        ("http", "POST", "/api/tickets", "viewer"),
        ("http", "GET", "/api/webhook-trigger/x", "editor"),
        ("http", "GET", "/api/keys", "admin"),
        ("http", "DELETE", "/api/keys/abc", "admin"),
        ("websocket", "GET", "/ws/executions", "viewer"),
    ],
)
def test_what_each_request_takes(kind: str, method: str, path: str, scope: str) -> None:
    assert scope_needed(kind, method, path) == scope


def test_scopes_contain_each_other() -> None:
    assert Principal("", "admin").may("viewer")
    assert Principal("", "editor").may("editor")
    assert not Principal("", "viewer").may("editor")


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a": NaN}', b"[Infinity]", b"\xff", b"[" * 65 + b"]" * 65, b"[" * 100_000]
)
def test_bodies_that_are_no_json_are_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        decode_json(body)
    assert refused.value.status == 400


def test_bodies_that_are() -> None:
    assert decode_json(b"[" * 64 + b"]" * 64)
    assert decode_json(b"[" + b",".join([b"[]"] * 100) + b"]")
    assert decode_object(b" ") == {}
    with pytest.raises(Refusal):
        decode_object(b"[]")


def _all_errors(kind: type[errors.FlowscopeError]) -> list[type[errors.FlowscopeError]]:
    return [kind, *(inner for child in kind.__subclasses__() for inner in _all_errors(child))]


def test_every_error_of_the_tree_has_a_status() -> None:
    for kind in _all_errors(errors.FlowscopeError):
        if kind.__module__ == "flowscope.errors":
            assert 400 <= verdict_of(kind.__new__(kind)).status < 600


def test_our_own_faults_are_not_told_in_detail() -> None:
    assert body_of(errors.StoreCorrupt("/home/somebody/secret.db is damaged"))["error"] == "Internal error"
