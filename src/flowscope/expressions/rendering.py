"""Values as text."""

from __future__ import annotations

import json

from flowscope.errors import ExpressionError
from flowscope.expressions.run import Run
from flowscope.expressions.values import JSON, number_text


def inline_text(run: Run, value: JSON) -> str:
    """A value in the middle of a text: null is nothing, lists and objects are compact JSON."""
    if isinstance(value, str):
        return run.text(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    run.build(run.weigh(value))
    return compact_json(value)


def compact_json(value: JSON) -> str:
    """JSON without spaces. The value has been weighed, so neither its size nor its depth is a surprise."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise ExpressionError("NaN and infinite numbers have no JSON") from None
