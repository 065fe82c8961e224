"""JSON values as expressions see them: their kinds, truth, text and equality.

Python's own rules differ from JSON's in small ways that would surprise here (`True == 1`, `str([1])`, a text
that is iterable), so each rule an expression relies on is spelled out once, in this module.
"""

from __future__ import annotations

import math
from typing import TypeAlias

from flowscope.errors import BudgetExceeded, ExpressionError

JSON: TypeAlias = "bool | int | float | str | list[JSON] | dict[str, JSON] | None"

# What is stored and sent is encoded with 64-bit integers, so a larger one is refused where it arises.
INTEGER_LOW = -(2**63)
INTEGER_HIGH = 2**64 - 1

_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}

_ARTICLES = {"null": "null", "text": "text", "object": "an object"}


def kind(value: object) -> str:
    """The JSON name of a value's type: null, boolean, number, text, list or object."""
    return _KINDS.get(type(value), "something that is not JSON")


def a_kind(value: object) -> str:
    """`kind` with its article, for a sentence: "a number", "an object", "text"."""
    name = kind(value)
    return _ARTICLES.get(name, name if name.startswith("something") else f"a {name}")


def sound_number(value: int | float) -> int | float:
    """`value`, or an error when JSON could not hold it: infinite, not a number, or wider than 64 bits."""
    if type(value) is float:
        if not math.isfinite(value):
            raise ExpressionError("The result is not a finite number")
    elif not INTEGER_LOW <= value <= INTEGER_HIGH:
        raise ExpressionError("The result does not fit into 64 bits")
    return value


def number_text(value: int | float) -> str:
    """The shortest decimal spelling: 5 for 5.0, 0.1 for 0.1."""
    if type(value) is float:
        text = repr(value)
        return text[:-2] if text.endswith(".0") else text
    if not INTEGER_LOW <= value <= INTEGER_HIGH:
        raise ExpressionError("The number does not fit into 64 bits")
    return str(value)


def text_weight(text: str) -> int:
    """An upper bound on the bytes `text` takes in memory and in UTF-8, in constant time."""
    return len(text) if text.isascii() else 4 * len(text)


ELEMENT_WEIGHT = 16
"""Bytes charged for one element of a list."""

ENTRY_WEIGHT = 32
"""Bytes charged for one entry of an object, apart from its key."""


class Weighing:
    """Measures values as if nothing in them were shared.

    A list that holds the same list twice is small in memory and twice as large once written out; nested, that
    doubles per level. Each container is visited once and its weight remembered, so measuring stays linear.
    """

    def __init__(self, limit: int, depth: int) -> None:
        self._limit = limit
        self._depth = depth
        self._known: dict[int, tuple[int, int]] = {}
        self.visited = 0

    def weigh(self, value: JSON) -> int:
        """The bytes of `value`, about; BudgetExceeded above the limit or below the depth."""
        return self._measure(value, 0)[0]

    def _measure(self, value: JSON, level: int) -> tuple[int, int]:
        if type(value) is str:
            return text_weight(value) + 2, 0
        if type(value) is not list and type(value) is not dict:
            return 8, 0
        weight, height = self._known.get(id(value)) or self._container(value, level)
        if level + height > self._depth:
            raise BudgetExceeded(f"The value is nested deeper than {self._depth} levels")
        return weight, height

    def _container(self, value: list[JSON] | dict[str, JSON], level: int) -> tuple[int, int]:
        if level >= self._depth:
            raise BudgetExceeded(f"The value is nested deeper than {self._depth} levels")
        weight, height = 2, 0
        if type(value) is dict:
            weight += sum(map(text_weight, value)) + ENTRY_WEIGHT * len(value)
        else:
            weight += ELEMENT_WEIGHT * len(value)
        self.visited += len(value)
        for child in value.values() if isinstance(value, dict) else value:
            child_weight, child_height = self._measure(child, level + 1)
            weight += child_weight
            height = max(height, child_height)
            if weight > self._limit:
                raise BudgetExceeded(f"The value is larger than {self._limit:,} bytes")
        self._known[id(value)] = (weight, height + 1)
        return weight, height + 1
