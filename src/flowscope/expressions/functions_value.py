"""Functions on values of any kind: conversions, and JSON itself."""

from __future__ import annotations

import json
import math
import re
from typing import NoReturn

from flowscope.errors import ExpressionError
from flowscope.expressions.catalogue import function
from flowscope.expressions.rendering import compact_json, inline_text
from flowscope.expressions.run import Run
from flowscope.expressions.values import ELEMENT_WEIGHT, JSON, a_kind, kind, sound_number, text_weight

_DECIMAL = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,5})?", re.ASCII)
_LONGEST_NUMBER = 1_000


@function("type", "any")
def type_of(run: Run, value: JSON) -> JSON:
    """`"text"`, `"number"`, `"boolean"`, `"list"`, `"object"` or `"null"`."""
    return kind(value)


@function("isEmpty", "any")
def is_empty(run: Run, value: JSON) -> JSON:
    """Whether it is null or an empty text, list or object."""
    return value is None or (isinstance(value, str | list | dict) and not value)


@function("isNumber", "any")
def is_number(run: Run, value: JSON) -> JSON:
    """Whether it is a number."""
    return kind(value) == "number"


@function("default", "any", "any")
def default(run: Run, value: JSON, other: JSON) -> JSON:
    """The same as `value ?? other`."""
    # With two arguments the compiler takes it for `??`, so that a missing name gets the default too.
    return other if value is None else value


@function("coalesce", "any", "any*")
def coalesce(run: Run, value: JSON, *others: JSON) -> JSON:
    """The first that is not null."""
    return next((item for item in (value, *others) if item is not None), None)


@function("str", "any", aliases=("toString", "string"))
def to_text(run: Run, value: JSON) -> JSON:
    """As text."""
    return inline_text(run, value)


@function("toNumber", "any", aliases=("number",))
def to_number(run: Run, value: JSON) -> JSON:
    """A number from text or a boolean."""
    return _number("toNumber", value)


def _number(name: str, value: JSON) -> int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return sound_number(value)
    if not isinstance(value, str):
        raise ExpressionError(f"{name}() cannot make a number of {a_kind(value)}")
    text = value[:_LONGEST_NUMBER].strip()
    if len(value) > _LONGEST_NUMBER or not _DECIMAL.fullmatch(text):
        raise ExpressionError(f"{name}(): this text is not a number")
    return sound_number(int(text) if text.lstrip("+-").isdecimal() else float(text))


@function("int", "any", aliases=("toInt",))
def to_integer(run: Run, value: JSON) -> JSON:
    """A whole number, cut off."""
    number = _number("int", value)
    return sound_number(math.trunc(number))


@function("float", "any", aliases=("toFloat",))
def to_float(run: Run, value: JSON) -> JSON:
    """A fraction."""
    return float(_number("float", value))


@function("bool", "any", aliases=("toBoolean",))
def to_boolean(run: Run, value: JSON) -> JSON:
    """True or false; the texts `false`, `no`, `off`, `0` are false."""
    if isinstance(value, str) and value.strip().lower() in {"false", "no", "off", "0"}:
        return False
    return bool(value)


@function("toJson", "any", "integer?", aliases=("stringify",))
def to_json(run: Run, value: JSON, indent: int = 0) -> JSON:
    """JSON text."""
    if not 0 <= indent <= 8:
        raise ExpressionError("toJson(): indent must be between 0 and 8")
    weight = run.weigh(value)
    if not indent:
        run.build(weight)
        return compact_json(value)
    # Every element may stand on a line of its own, as far in as the nesting goes.
    run.build(weight * (1 + indent))
    try:
        return run.text(json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False))
    except ValueError:
        raise ExpressionError("NaN and infinite numbers have no JSON") from None


@function("parseJson", "text", aliases=("fromJson",))
def parse_json(run: Run, text: str) -> JSON:
    """The value of JSON text."""
    # A bracket or comma of one byte may become an object of dozens, so they are counted before.
    elements = text.count(",") + text.count("[") + text.count("{")
    run.build(text_weight(text) + 2 * ELEMENT_WEIGHT * elements)
    run.touch(8 * len(text))
    try:
        value: JSON = json.loads(text, parse_constant=_refuse, parse_int=_whole, parse_float=_fraction)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()
    except ExpressionError:
        raise
    except UnicodeEncodeError:
        raise ExpressionError("parseJson(): the text holds half a character") from None
    except ValueError as error:
        position = error.pos if isinstance(error, json.JSONDecodeError) else 0
        raise ExpressionError(f"parseJson(): this is not JSON at character {position}") from None
    except RecursionError:
        raise ExpressionError("parseJson(): the JSON is nested too deeply") from None
    run.weigh(value)
    return value


def _refuse(name: str) -> NoReturn:
    raise ExpressionError(f"parseJson(): {name} is not JSON")


def _whole(digits: str) -> int:
    if len(digits) > 21:
        raise ExpressionError("parseJson(): a number does not fit into 64 bits")
    return int(sound_number(int(digits)))


def _fraction(digits: str) -> float:
    return float(sound_number(float(digits)))
