"""From text to a JSON value: what is refused, and where it says the fault is."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest

from flowscope.definition import Limits, decode
from flowscope.definition.document import parse
from flowscope.errors import DefinitionInvalid

NODE = '{"id": "a", "data": {"type": "set"}}'


def refusal(document: Any, limits: Limits | None = None) -> str:
    with pytest.raises(DefinitionInvalid) as caught:
        decode(document, limits=limits or Limits())
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"[]", "must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (b'{"nodes": [}', "is not JSON: expecting value at line 1, column 12"),
        (b'{\n  "nodes": []\n  "edges": []}', "is not JSON: expecting ',' delimiter at line 3, column 3"),
        (b'{"name": "\xc3\xa4\xff"}', "is not UTF-8 at line 1, column 12: byte 0xff"),
        (b'{"vars": {"a": NaN}}', "NaN is not a JSON value at line 1, column 16"),
        (b'{"vars":\n[-Infinity]}', "-Infinity is not a JSON value at line 2, column 2"),
        (b'{"vars": {"a": 1e999}}', "a number out of range at line 1, column 16"),
        (b'{"vars": {"a": ' + b"9" * 5_000 + b"}}", "a number out of range at line 1, column 16"),
        (b'{"name": "\\ud800"}', "half a surrogate pair at line 1, column 10"),
        (b'{"name": "NaN, \x00"}', "invalid control character at line 1, column 16"),
        (b'{"name": "a"} x', "extra data at line 1, column 15"),
        ("{\ud800}", "half a surrogate pair at character 1"),
    ],
)
def test_names_the_line_and_column(document: bytes | str, words: str) -> None:
    assert words in refusal(document)


def test_depth_counts_brackets_outside_strings() -> None:
    def nested(levels: int) -> str:
        return f'{{"nodes": [{NODE}], "vars": {{"text": "[[[\\"{{\\\\", "deep": {"[" * levels}{"]" * levels}}}}}'

    assert decode(nested(62)).vars["text"] == '[[["{\\'
    assert "nested deeper than 64 levels" in refusal(nested(63))


@pytest.mark.parametrize(
    "text", ["[" * 1_000_000, '{"a":' * 1_000_000, "[[]" * 1_000_000, "[" * 200_000 + "]" * 200_000]
)
def test_no_depth_reaches_the_parser(text: str) -> None:
    assert "nested deeper" in refusal(text)


def test_a_large_document_is_refused_unread() -> None:
    assert "is larger than 67,108,864 bytes: 80,000,000" in refusal(b"\xff" * 80_000_000)
    assert "is larger than 10 bytes" in refusal(f'{{"nodes": [{NODE}]}}', Limits(document_bytes=10))
    assert "is larger than 10 bytes" in refusal({"name": "a long name"}, Limits(document_bytes=10))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"id": "a", "nodes": [], "id": "b"}', "id"),
        ('{"nodes": [{"data": {"config": {"url": 1, "u\\u0072l": 2}}}]}', "nodes[0].data.config.url"),
        ('{"vars": {"a:b": {}, "a:b": {}}}', 'vars["a:b"]'),
        ('{"vars": {"a": 1, "a": 2}, "vars": {}}', ""),
    ],
)
def test_a_key_that_is_there_twice_is_refused(text: str, place: str) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        decode(text)
    problem = caught.value.problems[0]
    assert "is there twice" in problem.message
    assert problem.place == place or not place


def test_colons_in_strings_are_no_keys() -> None:
    assert decode(f'{{"nodes": [{NODE}], "vars": {{"a": "x\\":\\\\", "b": ":\\"\\": 1"}}}}').vars["b"] == ':"": 1'


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"vars": {"a": float("nan")}}, "vars.a: is not a JSON value: nan"),
        ({"vars": {"a": [float("inf")]}}, "vars.a[0]: is not a JSON value: inf"),
        ({"vars": {1: 2}}, "vars: has a key that is not a text: 1"),
        ({"vars": {"a": {1}}}, "vars.a: is not a JSON value: {1}"),
        ({"vars": {"a": b"x"}}, "vars.a: is not a JSON value"),
        ({"vars": {"a": 10**5_000}}, "is not JSON: Exceeds the limit"),
        ({"name": "\ud800"}, "surrogates not allowed"),
    ],
)
def test_a_python_value_must_be_json(value: Any, words: str) -> None:
    assert words in refusal(value)


@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 500_000,
        '{"a": "' + "\\" * 500_001,
        "{" + ",".join(f'"{index}": 1' for index in range(100_000)) + ', "99999": 1}',
        '"' * 1_000_001,
        "-" * 1_000_000,
        '{"a": 1' + "e1" * 500_000,
    ],
)
def test_broken_text_costs_no_more_than_sound_text(text: str) -> None:
    """A scan that begins again at each quote, or counts each key, would need minutes for these."""
    refusal(text)


def test_a_value_that_holds_itself_or_repeats_itself_is_refused() -> None:
    loop: dict[str, Any] = {}
    loop["vars"] = loop
    assert "nested deeper" in refusal(loop)
    bomb: list[Any] = [0] * 10
    for _ in range(12):
        bomb = [bomb] * 10
    assert "is larger than" in refusal({"vars": bomb}, Limits(document_bytes=100_000))


def test_canonical_form() -> None:
    value, canonical = parse('\ufeff{ "b": [2, 1], "a": {"d": 1.5, "c": "\\u00e4"} }')
    assert canonical == '{"a":{"c":"ä","d":1.5},"b":[2,1]}'.encode()
    assert list(value) == ["a", "b"]
    assert parse(OrderedDict(b=(2, 1), a={"d": 1.5, "c": "ä"}))[1] == canonical
    assert parse({"b": [1, 2], "a": {"d": 1.5, "c": "ä"}})[1] != canonical
