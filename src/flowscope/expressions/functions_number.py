"""Functions on numbers."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal, localcontext

from flowscope.errors import ExpressionError
from flowscope.expressions.catalogue import function
from flowscope.expressions.run import Run
from flowscope.expressions.values import JSON, sound_number

Number = int | float


@function("round", "number", "integer?")
def round_number(run: Run, number: Number, digits: int = 0) -> JSON:
    """Rounded, a half away from zero."""
    if not -20 <= digits <= 20:
        raise ExpressionError("round(): digits must be between -20 and 20")
    if isinstance(number, int) and digits >= 0:
        return number
    rounded = _rounded(number, digits)
    return sound_number(int(rounded)) if digits <= 0 else sound_number(float(rounded))


def _rounded(number: Number, digits: int) -> Decimal:
    """Half away from zero, of the shortest decimal spelling: 2.675 to two digits is 2.68."""
    if not math.isfinite(number):
        raise ExpressionError("The number is not finite")
    with localcontext() as context:
        context.prec = 400
        return Decimal(str(number)).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


@function("toFixed", "number", "integer?")
def to_fixed(run: Run, number: Number, digits: int = 0) -> JSON:
    """Text with so many decimals."""
    if not 0 <= digits <= 20:
        raise ExpressionError("toFixed(): digits must be between 0 and 20")
    return run.text(format(_rounded(number, digits), "f"))


@function("floor", "number")
def floor(run: Run, number: Number) -> JSON:
    """Rounded down."""
    return sound_number(math.floor(_finite(number)))


@function("ceil", "number")
def ceil(run: Run, number: Number) -> JSON:
    """Rounded up."""
    return sound_number(math.ceil(_finite(number)))


def _finite(number: Number) -> Number:
    if not math.isfinite(number):
        raise ExpressionError("The number is not finite")
    return number


@function("abs", "number")
def absolute(run: Run, number: Number) -> JSON:
    """Without its sign."""
    return sound_number(abs(number))


@function("sqrt", "number")
def sqrt(run: Run, number: Number) -> JSON:
    """The square root."""
    if number < 0:
        raise ExpressionError("A negative number has no square root")
    return sound_number(math.sqrt(number))


@function("min", "number", "number*")
def min_of(run: Run, number: Number, *others: Number) -> JSON:
    """The smallest of the arguments."""
    return min(number, *others) if others else number


@function("max", "number", "number*")
def max_of(run: Run, number: Number, *others: Number) -> JSON:
    """The largest of the arguments."""
    return max(number, *others) if others else number


@function("clamp", "number", "number", "number")
def clamp(run: Run, number: Number, low: Number, high: Number) -> JSON:
    """Kept between two bounds."""
    return max(low, min(number, high))
