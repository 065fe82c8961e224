"""How long: milliseconds as a number, or a number with a unit."""

from __future__ import annotations

import re

from flowscope.errors import NodeError

UNITS = {
    "ms": 1, "millisecond": 1, "s": 1_000, "second": 1_000, "m": 60_000, "minute": 60_000,
    "h": 3_600_000, "hour": 3_600_000, "d": 86_400_000, "day": 86_400_000, "w": 604_800_000, "week": 604_800_000,
}  # fmt: skip

_PART = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]*)\s*", re.IGNORECASE | re.ASCII)
LONGEST = 10 * 365 * 86_400_000


def unit(name: str) -> int:
    """Milliseconds in a unit: `m`, `minute`, `minutes`; `KeyError` for any other."""
    name = name.lower()
    return UNITS[name] if name in UNITS else UNITS[name.removesuffix("s")]


def milliseconds(value: str | float, field: str) -> float:
    """`1500`, `"1500"`, `"10s"`, `"1h 30m"` as milliseconds, up to ten years; `NodeError` names `field`."""
    total = _parsed(value) if isinstance(value, str) else float(value)
    if total is None or not 0 <= total <= LONGEST:
        raise NodeError(
            f'{field}: {str(value)[:40]!r} is not a duration. Write milliseconds, or "10s", "5m", "2h", "1d"',
            code="BAD_DURATION",
            retryable=False,
        )
    return total


def _parsed(text: str) -> float | None:
    total, position = 0.0, 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            return None
        try:
            total += float(part[1]) * unit(part[2] or "ms")
        except KeyError:
            return None
        position = part.end()
    return total if text.strip() else None
