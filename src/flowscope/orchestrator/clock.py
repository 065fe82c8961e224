"""The system's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class SystemClock:
    """Wall time for what is recorded and for what is due; the event loop's monotonic time for waiting.

    A long wait is taken in steps, so that a clock set meanwhile, or a machine that slept, is noticed within a minute.
    """

    LONGEST_SLEEP = 60.0

    def now(self) -> float:
        return time.time() * 1000

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        loop = asyncio.get_running_loop()
        handle: asyncio.TimerHandle | None = None

        def check() -> None:
            nonlocal handle
            left = (when - self.now()) / 1000
            if left <= 0:
                callback()
            else:
                handle = loop.call_later(min(left, self.LONGEST_SLEEP), check)

        handle = loop.call_later(min(max(0.0, (when - self.now()) / 1000), self.LONGEST_SLEEP), check)

        def cancel() -> None:
            if handle is not None:
                handle.cancel()

        return cancel
