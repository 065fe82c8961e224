from __future__ import annotations

from typing import Any

import pytest

from flowscope.errors import NodeError
from flowscope.nodes.conditions import compare, number, prepared_expression, same, truth


@pytest.mark.parametrize(
    ("left", "operator", "right", "holds"),
    [
        (1, "equals", 1.0, True),
        (1, "equals", True, False),
        (1, "==", "1", True),
        ("1", "equals", "1.0", False),
        (True, "equals", "true", True),
        (None, "equals", None, True),
        (None, "equals", "", False),
        ([1, {"a": "2"}], "equals", [1.0, {"a": "2"}], True),
        ([1], "equals", [True], False),
        ("a", "not_equals", "b", True),
        (None, "!=", 3, True),
        (10, "greater_than", "9", True),
        ("10", ">", "9", True),
        ("b", "greater_than", "a", True),
        (None, "greater_than", 1, False),
        (None, "less_than", 1, False),
        (3, "<=", 3, True),
        (3, "greater_than_or_equal", 4, False),
        ("2026-01-02", ">", "2026-01-01", True),
        ("hello", "contains", "ell", True),
        ([1, "2"], "contains", 2, True),
        ({"a": 1}, "contains", "a", True),
        (None, "contains", "a", False),
        (None, "not_contains", "a", True),
        (1234, "contains", 23, True),
        ("hello", "starts_with", "he", True),
        ("hello", "ends_with", "lo", True),
        (None, "starts_with", "he", False),
        ("order-17", "matches", r"^order-\d+$", True),
        (None, "matches", "x", False),
        ("", "is_empty", None, True),
        ([], "is_empty", None, True),
        (0, "is_empty", None, False),
        (False, "is_not_empty", None, True),
        (None, "exists", None, False),
        (0, "exists", None, True),
    ],
)
def test_comparisons(left: Any, operator: Any, right: Any, holds: bool) -> None:
    assert compare(left, operator, right) is holds


@pytest.mark.parametrize(
    ("left", "operator", "right", "says"),
    [
        ({"a": 1}, "greater_than", 1, "an object of 1"),
        ("abc", "<", 5, "two numbers or two texts"),
        (True, ">", False, "two numbers or two texts"),
        ([1], "starts_with", "a", "needs a text"),
        ("a", "matches", "(", "not a regular expression"),
    ],
)
def test_a_question_without_sense_is_an_error(left: Any, operator: Any, right: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says) as caught:
        compare(left, operator, right)
    assert not caught.value.retryable


def test_a_pattern_that_would_blow_up_elsewhere_is_quick() -> None:
    assert not compare("a" * 50_000 + "!", "matches", "^(a+)+$")


def test_only_what_spells_a_number_is_one() -> None:
    assert [number(text) for text in ("1", " 2.5 ", "-1e3", ".5")] == [1, 2.5, -1000.0, 0.5]
    others: list[Any] = ["", "0x10", "1_000", "nan", "inf", "٣", "1" * 500, True, None, []]
    assert [number(each) for each in others] == [None] * len(others)


def test_same_is_not_fooled_by_kinds() -> None:
    assert not same("null", None)
    assert not same({"a": 1}, {"a": 1, "b": 2})
    assert not same(0, False)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("age > 18", "{{ age > 18 }}"),
        ("{{ age > 18 }}", "{{ age > 18 }}"),
        ("{{$json.age}} > 18", "{{ ($json.age) > 18 }}"),
        ("'{{ status }}' == 'paid'", "{{ ( status ) == 'paid' }}"),
        ("{{ a }} == {{ b }}", "{{ ( a ) == ( b ) }}"),
        ("", ""),
        (True, True),
    ],
)
def test_a_condition_as_text_becomes_one_expression(text: Any, expression: Any) -> None:
    assert prepared_expression(text) == expression


def test_a_condition_comes_out_true_or_false() -> None:
    assert truth("True", "condition") and not truth(None, "condition")
    others: list[Any] = [1, "yes", [], {}]
    for value in others:
        with pytest.raises(NodeError, match="condition must come out true or false"):
            truth(value, "condition")
