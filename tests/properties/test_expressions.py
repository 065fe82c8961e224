"""Whatever is written, an expression gives JSON or an ExpressionError, changes nothing, and says the same twice."""

from __future__ import annotations

import copy
import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope.errors import BudgetExceeded, ExpressionError
from flowscope.expressions import (
    JSON,
    Budget,
    MappingScope,
    check,
    compile_template,
    evaluate,
    function_names,
)

SCOPE: dict[str, JSON] = {
    "json": {"a": 1, "b": [1, 2.5, "x", None, True], "c": {"d": "text"}, "e": ""},
    "items": [{"id": 2, "n": "b"}, {"id": 1, "n": "a"}],
    "node-1": {"x": 1},
    "a": "é\ud800",
    "n": 3,
    "d": "2026-01-31T10:00:00Z",
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)

_WORDS = [
    *["json", "items", "node-1", "a", "n", "d", "x", "$json", ".a", ".b", ".0", ".id", "?.", "??", "=>", "x=>", "for", "in", "if", "else", "and", "or", "not", "lambda", ":", "?", ",", ".", "(", ")", "[", "]", "{", "}"],
    *["+", "-", "*", "/", "//", "%", "**", "==", "!=", "===", "<", "<=", ">", ">=", "&&", "||", "!", "1", "0", "2.5", "99", "'a'", '"b"', "''", "true", "null", "1e308", "=", ":=", "#", "\\", "`", "@", "&", "|", "~", ";"],
    *[f".{name}(" for name in function_names()],
    *[f"{name}(" for name in function_names()],
    "'days'", "'%Y'", "[0]", "[-1]", "[1:]", "'\\ud800'", "é", "ｊ", " ",
]  # fmt: skip

sources = (
    st.text(max_size=60)
    | st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join)
    | st.lists(st.sampled_from(_WORDS), max_size=14).map("".join)
)

_ATOMS = st.sampled_from(
    [
        "json",
        "json.a",
        "json.b",
        "json.c.d",
        "items",
        "node-1.x",
        "n",
        "d",
        "a",
        "1",
        "-2.5",
        "'a'",
        "''",
        "null",
        "true",
        "[]",
        "{}",
    ]
)


def _grow(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operator = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "==", "<", "in", "and", "||", "??"])
    name = st.sampled_from(function_names())
    return st.one_of(
        st.tuples(parts, operator, parts).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(parts, parts, parts).map(lambda t: f"({t[0]} ? {t[1]} : {t[2]})"),
        st.tuples(name, st.lists(parts, max_size=3)).map(lambda t: f"{t[0]}({', '.join(t[1])})"),
        st.tuples(parts, name, parts).map(lambda t: f"{t[0]}.{t[1]}(x => {t[2]})"),
        st.tuples(parts, parts).map(lambda t: f"[{t[0]} for x in {t[1]}]"),
        st.tuples(parts, parts).map(lambda t: f"{t[0]}[{t[1]}]"),
        st.tuples(parts, parts).map(lambda t: f"[{t[0]}, {t[1]}]"),
        parts.map(lambda t: f"{{k: {t}}}"),
    )


well_formed = st.recursive(_ATOMS, _grow, max_leaves=12)


def _outcome(text: str, budget: Budget | None = None) -> tuple[str, JSON]:
    try:
        value = evaluate(compile_template(text), MappingScope(SCOPE), budget, now=1_767_225_600_000)
    except ExpressionError as error:
        return type(error).__name__, str(error)
    return "value", value


def _assert_json(value: JSON) -> None:
    json.dumps(value, allow_nan=False)
    if isinstance(value, list | dict):
        for child in value.values() if isinstance(value, dict) else value:
            _assert_json(child)
    else:
        assert value is None or type(value) in {bool, int, float, str}
        assert not isinstance(value, float) or math.isfinite(value)


def _hold(text: str) -> None:
    before = copy.deepcopy(SCOPE)
    kind, value = _outcome(text)
    if kind == "value":
        _assert_json(value)
    assert (kind, value) == _outcome(text)
    assert before == SCOPE


@settings(max_examples=400, deadline=None)
@given(sources)
def test_any_expression_gives_json_or_an_expression_error(source: str) -> None:
    _hold("{{ " + source + " }}")


@settings(max_examples=600, deadline=None)
@given(well_formed)
def test_well_formed_expressions_too(source: str) -> None:
    _hold("{{ " + source + " }}")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("{}\\ a'\".")) | st.text())
def test_any_text_is_a_template_or_a_problem(text: str) -> None:
    problems = check(text)
    kind, _ = _outcome(text)
    assert bool(problems) == (kind == "ExpressionSyntaxError" or "nested too deeply" in kind)
    _hold(text)


@given(json_values)
def test_what_holds_no_expression_stays_as_it_is(value: JSON) -> None:
    if "{{" in json.dumps(value):
        return
    template = compile_template(value)
    assert template.is_static
    assert evaluate(template, MappingScope({})) is value


@given(json_values)
def test_a_path_keeps_any_value(value: JSON) -> None:
    assert evaluate(compile_template("{{ x }}"), MappingScope({"x": value})) is value


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_json_there_and_back(value: JSON) -> None:
    scope = MappingScope({"x": value})
    try:
        assert evaluate(compile_template("{{ parseJson(toJson(x)) }}"), scope) == value
    except ExpressionError as error:
        assert not isinstance(error, BudgetExceeded)
        assert "half a character" in str(error) or "64 bits" in str(error)


@settings(max_examples=200, deadline=None)
@given(well_formed, st.integers(0, 30), st.integers(0, 200))
def test_a_budget_only_ever_stops(source: str, steps: int, size: int) -> None:
    text = "{{ " + source + " }}"
    small, full = _outcome(text, Budget(steps=steps, size=size)), _outcome(text)
    assert small == full or small[0] == "BudgetExceeded" or full[0] != "value"
