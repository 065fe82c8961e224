"""Time that does not jump: what paces the stream. (The wall clock is only for what viewers read.)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """Seconds of a clock that only goes forward."""

    def now(self) -> float: ...

    def later(self, delay: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after `delay` seconds (0: in the loop's next turn); returns a function that cancels."""
        ...


class LoopTimer:
    """The running event loop's."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def later(self, delay: float, callback: Callable[[], None]) -> Callable[[], None]:
        loop = asyncio.get_running_loop()
        return loop.call_later(delay, callback).cancel if delay > 0 else loop.call_soon(callback).cancel
