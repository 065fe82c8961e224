"""When to flush: at once when quiet, every 16 to 50 ms under load."""

from __future__ import annotations

from typing import Final

SHORTEST: Final = 0.016
LONGEST: Final = 0.050

BUSY: Final = 0.25
"""The share of its time the server may spend on flushing before it flushes less often."""


class Pace:
    """Seconds throughout."""

    def __init__(self) -> None:
        self.interval = SHORTEST
        self._last = float("-inf")

    def delay(self, now: float) -> float:
        """How long what has just come up must wait."""
        return max(0.0, self._last + self.interval - now)

    def flushed(self, began: float, ended: float) -> None:
        """A flush took from `began` to `ended`."""
        self._last = began
        share = (ended - began) / self.interval
        if share > BUSY:
            self.interval = min(LONGEST, self.interval * 1.5)
        elif share < BUSY / 2:
            self.interval = max(SHORTEST, self.interval / 1.25)
