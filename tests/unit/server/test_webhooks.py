"""Webhooks: what they bring, and whose they are."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers, QueryParams

from flowscope.server.problems import Refusal
from flowscope.server.webhooks import Signatures, execution_id_of, secret_name, signature, webhook_input

SECRET = "correct horse"


def signed(body: bytes = b"{}", *, timestamp: str = "1000", nonce: str = "n1", query: str = "") -> Headers:
    return Headers(
        {
            "x-flowscope-timestamp": timestamp,
            "x-flowscope-nonce": nonce,
            "x-flowscope-signature": signature(SECRET, timestamp, nonce, "POST", query, body),
        }
    )


def test_a_signed_request_is_taken_once() -> None:
    signatures = Signatures(lambda: 1_000.0)
    signatures.check(SECRET, "POST", "", signed(), b"{}")
    with pytest.raises(Refusal, match="before"):
        signatures.check(SECRET, "POST", "", signed(), b"{}")
    signatures.check(SECRET, "POST", "", signed(nonce="n2"), b"{}")


@pytest.mark.parametrize(
    ("headers", "query", "body"),
    [
        (Headers({}), "", b"{}"),
        (signed(), "", b"{} "),
        (signed(), "a=1", b"{}"),
        (signed(timestamp="1"), "", b"{}"),
        (signed(timestamp="2000"), "", b"{}"),
        (signed(nonce=""), "", b"{}"),
        (signed(timestamp="soon"), "", b"{}"),
        (Headers({"x-flowscope-signature": "sha256=ü"}), "", b"{}"),
    ],
)
def test_what_was_changed_is_old_or_unsigned_is_not(headers: Headers, query: str, body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        Signatures(lambda: 1_000.0).check(SECRET, "POST", query, headers, body)
    assert refused.value.status == 401


def test_the_input_is_query_then_body_and_the_request_without_its_secrets() -> None:
    headers = Headers(
        {"content-type": "application/json", "authorization": "Bearer x", "cookie": "c", "x-event": "push"}
    )
    found = webhook_input("POST", headers, QueryParams("a=1&b=2&ticket=t"), b'{"b": 3}')
    assert found == {
        "a": "1",
        "b": 3,
        "_webhook": True,
        "_method": "POST",
        "headers": {"content-type": "application/json", "x-event": "push"},
        "query": {"a": "1", "b": "2"},
        "body": {"b": 3},
    }


def test_a_request_cannot_pretend_to_be_another() -> None:
    found = webhook_input("GET", Headers({"content-type": "application/json"}), QueryParams(""), b'{"_method": "POST"}')
    assert found["_method"] == "GET"


@pytest.mark.parametrize(
    ("kind", "body", "value"),
    [
        ("application/x-www-form-urlencoded", b"a=1&b=2&b=3&c=", {"a": "1", "b": ["2", "3"], "c": ""}),
        ("text/plain", "grüß".encode(), "grüß"),
        ("application/cloudevents+json; charset=utf-8", b"[1]", [1]),
        ("application/json", b"", {}),
    ],
)
def test_bodies_of_several_kinds(kind: str, body: bytes, value: object) -> None:
    assert webhook_input("POST", Headers({"content-type": kind}), QueryParams(""), body)["body"] == value


def test_a_key_means_one_run_of_one_workflow() -> None:
    assert execution_id_of("a", "k") == execution_id_of("a", "k") != execution_id_of("b", "k")


def test_the_secrets_name_is_in_the_settings() -> None:
    assert secret_name(b'{"settings": {"webhookSecret": "hook"}}') == "hook"
    assert secret_name(b'{"settings": []}') == secret_name(b"{}") == ""
