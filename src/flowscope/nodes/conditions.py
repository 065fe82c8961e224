"""Conditions as forms make them: a field, an operator, a value.

Values come from forms and CSV files as often as from JSON, so a text that is a number compares as one with
a number. Missing is null; null equals only null and is neither greater nor less than anything.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import re2
from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path
from flowscope.nodes.sdk import NodeConfig

Operator: TypeAlias = Literal[
    "equals", "not_equals", "greater_than", "less_than", "greater_than_or_equal", "less_than_or_equal",
    "contains", "not_contains", "starts_with", "ends_with", "matches", "is_empty", "is_not_empty", "exists",
    "==", "!=", ">", "<", ">=", "<=",
]  # fmt: skip
Combine: TypeAlias = Literal["AND", "OR"]

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*", re.ASCII)
_LONGEST_NUMBER = 400


class Condition(NodeConfig):
    """One comparison."""

    field: JSON = Field(description="What to look at: a path such as `user.age`, or an expression")
    operator: Operator = Field("equals", description="How to compare")
    value: JSON = Field(None, description="What to compare with; not used by `is_empty`, `is_not_empty` and `exists`")


def combined(results: list[bool], combine: Combine) -> bool:
    """All (AND) or one (OR) of them; false if there are none."""
    return bool(results) and (all(results) if combine == "AND" else any(results))


def compare(left: JSON, operator: Operator, right: JSON = None) -> bool:
    """Whether `left operator right` holds; `NodeError` where the question makes no sense."""
    return _OPERATORS[operator](left, right)


def same(left: JSON, right: JSON) -> bool:
    """Equal as JSON (1 is 1.0, and neither is true), or a number and its text, or true and `"true"`."""
    if isinstance(left, bool) or isinstance(right, bool):
        return _boolean(left) is _boolean(right) and _boolean(left) is not None
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, str) is not isinstance(right, str):
        first, second = number(left), number(right)
        return first is not None and first == second
    return bool(left == right)


def number(value: JSON) -> int | float | None:
    """A number, or a text that spells one; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if not isinstance(value, str):
        return value
    if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return None
    try:
        return int(value)
    except ValueError:
        return float(value)


def truth(value: JSON, field: str) -> bool:
    """A condition's outcome: true, false, or their text; null is false. Anything else is an error that
    names `field`."""
    if value is None:
        return False
    outcome = _boolean(value)
    if outcome is None:
        raise NodeError(
            f"{field} must come out true or false, not {_shown(value)}. "
            "Write a comparison such as {{ json.count > 0 }}",
            code="BAD_CONDITION",
            retryable=False,
        )
    return outcome


def prepared(conditions: JSON) -> JSON:
    """Conditions whose bare `field` paths have become expressions over the input."""
    if not isinstance(conditions, list):
        return conditions
    return [
        {**condition, "field": json_path.expression(condition["field"])}
        if isinstance(condition, dict) and _is_path(condition.get("field"))
        else condition
        for condition in conditions
    ]


def prepared_expression(text: JSON) -> JSON:
    """A condition written as text, as one whole expression: `age > 18`, `{{ age > 18 }}` and `{{ age }} >
    18` are the same."""
    if not isinstance(text, str) or not text.strip():
        return text
    stripped = text.strip()
    if "{{" not in stripped:
        return "{{ " + stripped + " }}"
    if stripped.startswith("{{") and stripped.endswith("}}") and "{{" not in stripped[2:]:
        return stripped
    inner = re.sub(r"""(["']?)\{\{(.*?)\}\}\1""", r"(\2)", stripped)
    return "{{ " + inner + " }}"


def _is_path(field: object) -> bool:
    return isinstance(field, str) and bool(field) and "{{" not in field


def _boolean(value: JSON) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return value if isinstance(value, bool) else None


def _ordered(verb: str, test: Callable[[Any, Any], bool]) -> Callable[[JSON, JSON], bool]:
    def compare(left: JSON, right: JSON) -> bool:
        if left is None or right is None:
            return False
        first, second = number(left), number(right)
        if first is not None and second is not None:
            return test(first, second)
        if isinstance(left, str) and isinstance(right, str):
            return test(left, right)
        raise NodeError(
            f"{verb} cannot compare {_shown(left)} with {_shown(right)}: compare two numbers or two texts",
            code="BAD_COMPARISON",
            retryable=False,
        )

    return compare


def _contains(left: JSON, right: JSON) -> bool:
    if left is None:
        return False
    if isinstance(left, list):
        return any(same(element, right) for element in left)
    if isinstance(left, dict):
        return isinstance(right, str) and right in left
    return _text(right, "contains") in _text(left, "contains")


def _matches(left: JSON, right: JSON) -> bool:
    if left is None:
        return False
    pattern = _pattern(_text(right, "matches"))
    return pattern.search(_text(left, "matches")) is not None


@functools.lru_cache(maxsize=256)
def _pattern(source: str) -> Any:
    try:
        return re2.compile(source)
    except re2.error as error:
        raise NodeError(
            f"matches: {_shown(source)} is not a regular expression: {error}", code="BAD_PATTERN", retryable=False
        ) from None


def _text(value: JSON, verb: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise NodeError(f"{verb} needs a text, not {_shown(value)}", code="BAD_COMPARISON", retryable=False)


def _empty(value: JSON) -> bool:
    return value is None or value in ("", [], {})


def _shown(value: JSON) -> str:
    """A value's kind, and itself where it is short; never a long payload in a message."""
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'an object'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _starts(left: JSON, right: JSON) -> bool:
    return left is not None and _text(left, "starts_with").startswith(_text(right, "starts_with"))


def _ends(left: JSON, right: JSON) -> bool:
    return left is not None and _text(left, "ends_with").endswith(_text(right, "ends_with"))


_greater = _ordered("greater_than", lambda a, b: bool(a > b))
_less = _ordered("less_than", lambda a, b: bool(a < b))
_at_least = _ordered("greater_than_or_equal", lambda a, b: bool(a >= b))
_at_most = _ordered("less_than_or_equal", lambda a, b: bool(a <= b))

_OPERATORS: dict[str, Callable[[JSON, JSON], bool]] = {
    "equals": same,
    "==": same,
    "not_equals": lambda left, right: not same(left, right),
    "!=": lambda left, right: not same(left, right),
    "greater_than": _greater,
    ">": _greater,
    "less_than": _less,
    "<": _less,
    "greater_than_or_equal": _at_least,
    ">=": _at_least,
    "less_than_or_equal": _at_most,
    "<=": _at_most,
    "contains": _contains,
    "not_contains": lambda left, right: not _contains(left, right),
    "starts_with": _starts,
    "ends_with": _ends,
    "matches": _matches,
    "is_empty": lambda left, right: _empty(left),
    "is_not_empty": lambda left, right: not _empty(left),
    "exists": lambda left, right: left is not None,
}
