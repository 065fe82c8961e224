"""When something recurs: pure functions of instants in epoch milliseconds. The same instants come out wherever one begins to
count, because an instant is what a firing is known by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim

HOUR = 3_600_000.0
_MARGIN = timedelta(hours=30)
"""How far before a change of a clock to begin, so that what the change moves is seen as moved."""


class Recurrence(Protocol):
    def after(self, instant: float) -> float | None:
        """The first time due after that instant; None if there is none any more."""
        ...

    def latest(self, after: float, until: float, most: int) -> list[float]:
        """The last times due in (after, until], in order, at most so many."""
        ...


class Every:
    """Each `period` from `since` on, the first time one period after it."""

    def __init__(self, period: float, since: float) -> None:
        self._period = period
        self._since = since

    def after(self, instant: float) -> float | None:
        passed = max(0, int((instant - self._since) // self._period))
        return self._since + (passed + 1) * self._period

    def latest(self, after: float, until: float, most: int) -> list[float]:
        last = int((until - self._since) // self._period)
        first = max(0, int((after - self._since) // self._period)) + 1
        numbers = range(max(first, last - most + 1), last + 1)
        return [self._since + number * self._period for number in numbers]


class Cron:
    """A cron schedule by the clock of a time zone. What falls into the hour that a clock skips is due right after it; what falls
    into the hour that comes twice is due the first time, unless it recurs by the hour or oftener."""

    def __init__(self, cron: str, timezone: str) -> None:
        self._cron = cron
        self._zone = ZoneInfo(timezone)

    def after(self, instant: float) -> float | None:
        return next(self._from(instant), None)

    def latest(self, after: float, until: float, most: int) -> list[float]:
        if after >= until:
            return []
        span = HOUR
        while True:
            start = max(after, until - span)
            found: list[float] = []
            for due in self._from(start):
                if due > until:
                    break
                found.append(due)
            if len(found) >= most or start <= after:
                return found[-most:]
            span *= 4

    def _from(self, instant: float) -> Iterator[float]:
        start = _moment(instant)
        local = start.astimezone(self._zone)
        if (start - _MARGIN).astimezone(self._zone).utcoffset() != (start + _MARGIN).astimezone(self._zone).utcoffset():
            local = (start - 2 * _MARGIN).astimezone(self._zone)
        for due in CronSim(self._cron, local):
            at = due.timestamp() * 1000
            if at > instant:
                yield at


def _moment(instant: float) -> datetime:
    return datetime.fromtimestamp(instant / 1000, UTC)
