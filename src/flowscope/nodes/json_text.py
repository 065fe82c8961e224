"""Text to JSON and back, with the limits that hold everywhere: depth, 64-bit integers, neither NaN nor
infinity."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError

MAX_DEPTH = 64
_decode = msgspec.json.Decoder(Any).decode
_RANGE = range(-(2**63), 2**64)


def parse(text: str | bytes, field: str) -> JSON:
    """The value of a JSON text; `NodeError` names `field` and says what is wrong."""
    try:
        value = _decode(text)
    except RecursionError:
        raise _refused(field, f"is nested deeper than {MAX_DEPTH} levels") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _refused(field, f"is not JSON: {error}") from None
    _check(value, field)
    return value


def stringify(value: JSON, indent: int = 0) -> str:
    """A value as JSON text; `indent` spaces a level, 0 for one line."""
    encoded = msgspec.json.encode(value)
    return (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()


def plain(value: object, field: str, path: str = "", depth: int = 0) -> JSON:
    """A Python value as JSON: tuples become lists. `NodeError` names `field`, and where in it something stands that
    JSON has not."""
    if depth > MAX_DEPTH:
        raise NodeError(f"{field}: nested deeper than {MAX_DEPTH} levels", code="NOT_JSON", retryable=False)
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and value in _RANGE:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list | tuple):
        return [plain(each, field, f"{path}[{index}]", depth + 1) for index, each in enumerate(value)]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: plain(each, field, f"{path}.{key}"[-200:], depth + 1) for key, each in value.items()}
    if isinstance(value, dict):
        what = "an object with keys that are not text"
    elif isinstance(value, int):
        what = "a whole number of more than 64 bits"
    elif isinstance(value, float):
        what = "NaN or an infinity"
    else:
        what = f"a {type(value).__name__}"
    at = f" at {path.lstrip('.')}" if path else ""
    raise NodeError(
        f"{field}: {what}{at}, which JSON has not. Answer with text, numbers, true, false, null, lists and objects",
        code="NOT_JSON",
        retryable=False,
    )


def _check(value: JSON, field: str) -> None:
    level, depth = [value], 0
    while level:
        if depth > MAX_DEPTH:
            raise _refused(field, f"is nested deeper than {MAX_DEPTH} levels")
        below: list[JSON] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif type(each) is int and each not in _RANGE:
                raise _refused(field, "has a whole number of more than 64 bits. Write it as text")
        level, depth = below, depth + 1


def _refused(field: str, reason: str) -> NodeError:
    return NodeError(f"{field}: the text {reason}", code="BAD_JSON", retryable=False)
