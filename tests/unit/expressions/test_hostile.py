"""Published escapes and bombs: each ends in an ExpressionError, quickly."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path

import pytest

from flowscope.errors import ExpressionError
from flowscope.expressions import JSON, MappingScope, check, compile_template, evaluate

CORPUS: list[tuple[str, str]] = [
    tuple(pair) for pair in json.loads((Path(__file__).parent / "data/hostile.json").read_text())
]

SCOPE: dict[str, JSON] = {"json": {"name": "Ann", "a": 1, "list": [3, 1, 2]}, "x": [1]}

GENERATED = {
    "deep parentheses": "(" * 10_000 + "1" + ")" * 10_000,
    "parentheses within the length": "(" * 4_000 + "1" + ")" * 4_000,
    "parentheses below the parser's own limit": "(" * 150 + "1" + ")" * 150,
    "deep lists": "[" * 4_000 + "]" * 4_000,
    "deep calls": "str(" * 1_500 + "1" + ")" * 1_500,
    "many minuses": "-" * 8_000 + "1",
    "many spaced minuses": "- " * 4_000 + "1",
    "many nots": "not " * 2_000 + "1",
    "many exclamation marks": "!" * 8_000 + "x",
    "mixed prefixes": "-+!" * 2_000 + "1",
    "power chain": "1" + "**1" * 2_000,
    "conditional chain": "1 if 1 else " * 600 + "1",
    "ternary chain": "0?1:" * 1_900 + "1",
    "nested ternaries": "1?" * 1_900 + "1" + ":1" * 1_900,
    "lambda chain": "x=>" * 2_000 + "1",
    "lambda keyword chain": "lambda x:" * 800 + "1",
    "one megabyte": "1" + "+1" * 500_000,
    "one megabyte of text": "'" + "a" * 1_000_000 + "'",
    "long number": "9" * 8_000,
    "long fraction": "0." + "9" * 8_000,
    "long exponent": "1e" + "9" * 8_000,
    "nested comprehensions": "[" * 60 + "1" + " for x in range(9)]" * 60,
    "many loops": "[1 " + "for x in range(9) " * 60 + "]",
    "deep dictionaries": "{'a':" * 1_500 + "1" + "}" * 1_500,
}


def _attempt(source: str) -> JSON:
    return evaluate(compile_template("{{ " + source + " }}"), MappingScope(SCOPE), now=0, clock=time.monotonic)


@pytest.mark.parametrize(("label", "source"), CORPUS, ids=[label for label, _ in CORPUS])
def test_refused(label: str, source: str) -> None:
    before = copy.deepcopy(SCOPE)
    began = time.process_time()
    with pytest.raises(ExpressionError):
        _attempt(source)
    assert time.process_time() - began < 3.0
    assert before == SCOPE


@pytest.mark.parametrize("label", GENERATED)
def test_towers_are_refused(label: str) -> None:
    began = time.process_time()
    with pytest.raises(ExpressionError):
        _attempt(GENERATED[label])
    assert time.process_time() - began < 3.0


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 60
    assert len({label for label, _ in CORPUS}) == len(CORPUS)


def test_arithmetic_payloads_are_only_arithmetic() -> None:
    assert _attempt("7*7") == 49
    assert _attempt("7*'7'") == "7777777"


def test_a_catastrophic_pattern_is_linear() -> None:
    began = time.process_time()
    assert _attempt("regexTest('a'.repeat(100000) + '!', '^(a+)+$')") is False
    assert time.process_time() - began < 3.0


def test_dunder_keys_are_just_keys() -> None:
    scope = MappingScope({"json": {"__class__": "plain", "constructor": 1}})
    assert evaluate(compile_template("{{ json.__class__ }}"), scope) == "plain"
    assert evaluate(compile_template("{{ json.constructor + 1 }}"), scope) == 2


def test_identifiers_are_not_normalised() -> None:
    scope = MappingScope({"ｊson": 1, "json": 2})
    assert evaluate(compile_template("{{ ｊson + 0 }}"), scope) == 1


def test_many_openings_without_an_end_are_checked_quickly() -> None:
    began = time.process_time()
    assert check("{{ ' }}" * 20_000) == []  # each pair is one text between quotes
    assert check('{{ " }}' * 20_001)
    assert check("{{" * 100_000)
    assert check(["{{ ( }}"] * 1_000)
    assert time.process_time() - began < 3.0
