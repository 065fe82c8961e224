"""When: an instant as ISO 8601 text or as epoch milliseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from flowscope.errors import NodeError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone(name: str) -> tzinfo:
    """A time zone by its IANA name; `NodeError` for an unknown one."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise NodeError(
            f"timezone: {name[:60]!r} is not known. Write an IANA name such as Europe/Oslo",
            code="BAD_TIME_ZONE",
            retryable=False,
        ) from None


def instant(value: str | float, field: str, default_zone: tzinfo = UTC) -> datetime:
    """ISO 8601 text, or epoch milliseconds (a number or its text), as an aware datetime.

    Text without an offset is in `default_zone`. `NodeError` names `field`.
    """
    try:
        if isinstance(value, str) and not value.strip().lstrip("-").isdecimal():
            when = datetime.fromisoformat(value.strip())
            return when if when.tzinfo else when.replace(tzinfo=default_zone)
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
        return _EPOCH + timedelta(milliseconds=number)
    except (ValueError, OverflowError):
        raise NodeError(
            f"{field}: {str(value)[:60]!r} is not an instant. Write ISO 8601, such as 2026-05-17T12:00:00Z, "
            "or epoch milliseconds",
            code="BAD_INSTANT",
            retryable=False,
        ) from None


def epoch_milliseconds(value: str | float, field: str) -> float:
    """The same as epoch milliseconds, UTC where the text names no zone."""
    return (instant(value, field) - _EPOCH) / timedelta(milliseconds=1)
