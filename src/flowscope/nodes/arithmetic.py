"""Arithmetic on two numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path
from flowscope.nodes.conditions import number
from flowscope.nodes.sdk import NodeConfig, node

_MAX_BITS = 1_100


class Math(NodeConfig):
    operation: Literal[
        "add", "subtract", "multiply", "divide", "modulo", "power",
        "min", "max", "round", "floor", "ceil", "abs", "sqrt", "percent",
    ] = Field("add", description="`percent` is a per cent of b; `round` rounds a to b digits")  # fmt: skip
    a: JSON = Field(None, description="A number, or a text that is one")
    b: JSON = Field(None, description="Likewise; not used by `floor`, `ceil`, `abs` and `sqrt`")
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")


@node(
    "math",
    title="Math",
    category="data",
    icon="calculator",
    effects="pure",
    example={"operation": "multiply", "a": "{{ price }}", "b": 1.25},
)
def math_(config: Math, input: JSON) -> JSON:
    """Works a number out of two. The output is the input with `result`."""
    a = _number(config.a, "a")
    try:
        if config.operation in _UNARY:
            result = _UNARY[config.operation](a)
        elif config.operation == "round" and config.b is None:
            result = round(a)
        else:
            result = _BINARY[config.operation](a, _number(config.b, "b"))
    except ZeroDivisionError:
        raise _failed("b: there is no division by zero") from None
    except (OverflowError, ValueError, TypeError) as error:
        raise _failed(f"{config.operation}: {error}") from None
    return json_path.merged(input, {config.result_field: _sound(result, config.operation)})


def _number(value: JSON, field: str) -> int | float:
    found = number(value)
    if found is None:
        shown = "a list or an object" if isinstance(value, list | dict) else repr(value)[:60]
        raise _failed(f"{field}: {shown} is not a number")
    return found


def _power(a: int | float, b: int | float) -> Any:
    """Refused before it is worked out when it could take long."""
    if isinstance(a, int) and isinstance(b, int) and b > 0 and a.bit_length() * b > _MAX_BITS:
        return float(a) ** b
    return a**b


def _sound(result: Any, operation: str) -> int | float:
    if isinstance(result, complex):
        raise _failed(f"{operation}: the result is not a real number")
    if isinstance(result, int) and not -(2**63) <= result < 2**64:
        result = float(result)
    if not math.isfinite(result):
        raise _failed(f"{operation}: the result is not a finite number")
    return result  # type: ignore[no-any-return]


def _failed(message: str) -> NodeError:
    return NodeError(message, code="BAD_NUMBER", retryable=False)


_UNARY: dict[str, Callable[[Any], Any]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "sqrt": math.sqrt,
}

_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "modulo": operator.mod,
    "power": _power,
    "min": min,
    "max": max,
    "round": lambda a, b: round(a, max(-400, min(400, int(b)))),
    "percent": lambda a, b: a * b / 100,
}
