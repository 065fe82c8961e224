"""A clock that moves when told."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count


class MovedClock:
    """Satisfies the port `Clock`. `move` goes forward (or, with less than nothing, back) and calls what came due, each in a
    turn of the event loop of its own, in the order of their times."""

    def __init__(self, now: float = 1_767_225_600_000.0) -> None:
        self._now = now
        self._due: list[tuple[float, int]] = []
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._numbers = count()

    def now(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        number = next(self._numbers)
        heapq.heappush(self._due, (when, number))
        self._callbacks[number] = callback
        if when <= self._now:
            asyncio.get_running_loop().call_soon(self._ring)

        def cancel() -> None:
            self._callbacks.pop(number, None)

        return cancel

    def move(self, milliseconds: float) -> None:
        """Let so much time pass, at once."""
        self._now += milliseconds
        asyncio.get_running_loop().call_soon(self._ring)

    def _ring(self) -> None:
        if self._due and self._due[0][0] <= self._now:
            _, number = heapq.heappop(self._due)
            asyncio.get_running_loop().call_soon(self._ring)
            callback = self._callbacks.pop(number, None)
            if callback is not None:
                callback()
