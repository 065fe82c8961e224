"""What `+`, `==`, `in` and the others do with JSON values."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

from flowscope.errors import BudgetExceeded, ExpressionError
from flowscope.expressions.run import Run
from flowscope.expressions.values import JSON, a_kind, kind, sound_number, text_weight

Operator: TypeAlias = Callable[[Run, JSON, JSON], JSON]

Number: TypeAlias = "int | float"


def is_number(value: JSON) -> bool:
    """Whether it is a number; true and false are not."""
    return type(value) is int or type(value) is float


def _numbers(verb: str, left: JSON, right: JSON) -> tuple[Number, Number]:
    if is_number(left) and is_number(right):
        return left, right  # type: ignore[return-value]
    raise ExpressionError(f"Cannot {verb} {a_kind(left)} and {a_kind(right)}{_hint(left, right)}")


def _hint(left: JSON, right: JSON) -> str:
    kinds = {kind(left), kind(right)}
    if kinds == {"text", "number"}:
        return "; convert one with str() or toNumber()"
    return "; ?? gives null a default" if "null" in kinds else ""


def add(run: Run, left: JSON, right: JSON) -> JSON:
    """Numbers are added; texts and lists are joined."""
    if type(left) is str and type(right) is str:
        run.build(text_weight(left) + text_weight(right))
        return left + right
    if type(left) is list and type(right) is list:
        run.elements(len(left) + len(right))
        return left + right
    first, second = _numbers("add", left, right)
    return _sound(lambda: first + second)


def subtract(run: Run, left: JSON, right: JSON) -> JSON:
    """Numbers only."""
    first, second = _numbers("subtract", left, right)
    return _sound(lambda: first - second)


def multiply(run: Run, left: JSON, right: JSON) -> JSON:
    """Numbers are multiplied; a text times a whole number is repeated."""
    if type(left) is int and isinstance(right, str | list):
        left, right = right, left
    if isinstance(left, str | list) and type(right) is int:
        return repeat(run, left, right)
    first, second = _numbers("multiply", left, right)
    return _sound(lambda: first * second)


def repeat(run: Run, value: str | list[JSON], times: int) -> JSON:
    """`value` as often as asked, charged before it is built."""
    times = max(times, 0)
    if isinstance(value, str):
        run.build(text_weight(value) * times)
        return value * times
    run.elements(len(value) * times)
    return value * times


def divide(run: Run, left: JSON, right: JSON) -> JSON:
    """Always a fraction: 6 / 3 is 2.0, as a number the same as 2."""
    first, second = _numbers("divide", left, right)
    return _sound(lambda: first / second)


def floor_divide(run: Run, left: JSON, right: JSON) -> JSON:
    """Rounded down."""
    first, second = _numbers("divide", left, right)
    return _sound(lambda: first // second)


def modulo(run: Run, left: JSON, right: JSON) -> JSON:
    """The remainder, with the sign of the divisor. Never text formatting."""
    first, second = _numbers("take the remainder of", left, right)
    return _sound(lambda: first % second)


def power(run: Run, left: JSON, right: JSON) -> JSON:
    """Refused before it is worked out when the result would not fit."""
    first, second = _numbers("raise to a power", left, right)
    whole = type(first) is int and type(second) is int
    # A base of n bits has a power of more than (n - 1) * exponent bits.
    if whole and second > 0 and (int(abs(first)).bit_length() - 1) * second > 64:
        raise ExpressionError("The result does not fit into 64 bits")
    if first < 0 and type(second) is float and not second.is_integer():
        raise ExpressionError("A negative number has no such root")
    return _sound(lambda: first**second)


def _sound(work: Callable[[], Number]) -> JSON:
    try:
        return sound_number(work())
    except ZeroDivisionError:
        raise ExpressionError("Division by zero") from None
    except OverflowError:
        raise ExpressionError("The result is not a finite number") from None


def coalesced(value: JSON, default: JSON) -> JSON:
    """`value`, or `default` for null."""
    return default if value is None else value


def negative(run: Run, value: JSON) -> JSON:
    """`-x`."""
    if not is_number(value):
        raise ExpressionError(f"Cannot negate {a_kind(value)}")
    return sound_number(-value)  # type: ignore[operator]


def positive(run: Run, value: JSON) -> JSON:
    """`+x`: a number as it is."""
    if not is_number(value):
        raise ExpressionError(f"Cannot take {a_kind(value)} for a number; convert it with toNumber()")
    return value


def equals(run: Run, left: JSON, right: JSON, level: int = 0) -> bool:
    """Equal as JSON: 1 is 1.0 but not true; containers element by element, a step for each."""
    if left is right:
        return True
    if is_number(left) and is_number(right):
        return left == right
    if type(left) is not type(right):
        return False
    if level > 64:
        raise BudgetExceeded("The values are nested too deeply to compare")
    if type(left) is list and type(right) is list:
        run.spend()
        return len(left) == len(right) and all(_equal_step(run, a, b, level) for a, b in zip(left, right, strict=True))
    if type(left) is dict and type(right) is dict:
        run.spend()
        return len(left) == len(right) and all(
            key in right and _equal_step(run, value, right[key], level) for key, value in left.items()
        )
    if type(left) is str and type(right) is str:
        if len(left) != len(right):
            return False
        run.touch(len(left))
    return left == right


def _equal_step(run: Run, left: JSON, right: JSON, level: int) -> bool:
    run.spend()
    return equals(run, left, right, level + 1)


def contains(run: Run, container: JSON, item: JSON) -> bool:
    """Whether a text is part of a text, an element is in a list, or a key is in an object."""
    if type(container) is list:
        return any(_equal_step(run, element, item, 0) for element in container)
    if type(container) is dict and type(item) is str:
        run.touch(len(item))
        return item in container
    if type(container) is str and type(item) is str:
        run.touch(4 * len(container))
        return item in container
    raise ExpressionError(f"Cannot look for {a_kind(item)} in {a_kind(container)}{_hint(container, None)}")


def _order(run: Run, left: JSON, right: JSON) -> tuple[str, str] | tuple[Number, Number]:
    if type(left) is str and type(right) is str:
        run.touch(min(len(left), len(right)))
        return left, right
    return _numbers("compare", left, right)


BINARY: dict[type[ast.operator], Operator] = {
    ast.Add: add,
    ast.Sub: subtract,
    ast.Mult: multiply,
    ast.Div: divide,
    ast.FloorDiv: floor_divide,
    ast.Mod: modulo,
    ast.Pow: power,
}


def _less(run: Run, left: JSON, right: JSON) -> JSON:
    first, second = _order(run, left, right)
    return first < second  # type: ignore[operator]


def _at_most(run: Run, left: JSON, right: JSON) -> JSON:
    first, second = _order(run, left, right)
    return first <= second  # type: ignore[operator]


COMPARISONS: dict[type[ast.cmpop], Operator] = {
    ast.Eq: equals,
    ast.NotEq: lambda run, left, right: not equals(run, left, right),
    ast.Lt: _less,
    ast.LtE: _at_most,
    ast.Gt: lambda run, left, right: _less(run, right, left),
    ast.GtE: lambda run, left, right: _at_most(run, right, left),
    ast.In: lambda run, left, right: contains(run, right, left),
    ast.NotIn: lambda run, left, right: not contains(run, right, left),
}
