"""Secrets are found in the forms they are likely to take, and what is left is still JSON."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowscope.orchestrator.redaction import REDACTED, Redactor

SECRET = 'pä/s "w0rd"+&<x>\\y'


@pytest.mark.parametrize(
    "said",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps({"deep": json.dumps({"a": SECRET})}),
        json.dumps({"deep": json.dumps({"a": SECRET}, ensure_ascii=False)}, ensure_ascii=False),
        quote(SECRET),
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        quote_plus(SECRET).lower().replace("%", "%"),
        html.escape(SECRET),
        repr(SECRET),
        json.dumps(repr({"a": SECRET}), ensure_ascii=False),
        ascii(SECRET),
        SECRET.encode().hex(),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"users:{SECRET}:more".encode()).decode(),
        base64.urlsafe_b64encode(f"u:{SECRET}".encode()).decode(),
    ],
)
def test_each_form_is_found(said: str) -> None:
    """S-04"""
    told = Redactor(frozenset({SECRET})).text(f"before {said} after")
    assert REDACTED in told
    assert "w0rd" not in told
    assert told.startswith("before ") and told.endswith(" after")


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("after", range(4))
def test_base64_is_found_wherever_the_secret_stands_in_it(before: int, after: int) -> None:
    data = b"u" * before + SECRET.encode() + b"v" * after
    assert REDACTED in Redactor(frozenset({SECRET})).text(base64.b64encode(data).decode())


def test_a_line_of_a_long_secret_is_found_alone() -> None:
    pem = "-----BEGIN KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w\n-----END KEY-----\n"
    assert Redactor(frozenset({pem})).text("it said AgEGCCqGSM49AwEHBG0w") == f"it said {REDACTED}"


def test_the_longest_goes_first_and_an_empty_one_is_none() -> None:
    assert Redactor(frozenset({"abcd", "abcdef", ""})).text("xabcdefx") == f"x{REDACTED}x"
    assert Redactor(frozenset({""})).text("as it was") == "as it was"


def test_a_number_that_is_the_secret_becomes_a_text() -> None:
    """S-04"""
    redactor = Redactor(frozenset({"12345"}))
    value = {"pin": 12345, "other": 123456, "list": [12345.0, True, None], "12345": "x12345x"}
    assert msgspec.json.decode(redactor.json(msgspec.json.encode(value))) == {
        "pin": REDACTED,
        "other": 123456,
        "list": [12345.0, True, None],
        REDACTED: f"x{REDACTED}x",
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    st.sampled_from(['","b":"', "true", "null", "1234", '"', "\\", "a", "{}", "][", "é"]),
)
def test_what_is_left_is_json_whatever_the_secret(value: object, secret: str) -> None:
    """S-04"""
    data = Redactor(frozenset({secret})).json(msgspec.json.encode(value))
    assert secret not in [text for text in _texts(msgspec.json.decode(data)) if text != REDACTED and "[" not in secret]


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value.replace(REDACTED, "")]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [text for name, item in value.items() for text in [name.replace(REDACTED, ""), *_texts(item)]]
    return []


@given(st.lists(st.sampled_from(["to", "tok", "token-1", "token-12", "-", "x", "ken-"]), max_size=12))
def test_a_secret_cut_in_pieces_is_not_let_through(pieces: list[str]) -> None:
    """S-05"""
    secret = "token-12"
    redactor = Redactor(frozenset({secret}))
    shown, held = "", ""
    for piece in pieces:
        text = redactor.text(held + piece)
        whole = len(text) - redactor.held_back(text)
        shown, held = shown + text[:whole], text[whole:]
    assert secret not in shown
    assert shown + held == redactor.text("".join(pieces))
