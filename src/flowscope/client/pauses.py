"""How long to wait before coming back: longer each time, and never as long as everybody else."""

from __future__ import annotations

from random import Random
from typing import Final

_DICE: Final = Random()


class Pauses:
    """Exponential back-off with full jitter: the n-th pause is anywhere from 0 to `first` × 2ⁿ, at most `longest` seconds.

    A server that restarts sees its viewers come back spread over time, not all in the same instant.
    """

    def __init__(self, first: float = 0.25, longest: float = 15.0, dice: Random = _DICE) -> None:
        self.first = first
        self.longest = longest
        self._dice = dice
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait now."""
        most = min(self.longest, self.first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return self._dice.uniform(0, most)

    def reset(self) -> None:
        """It went well again."""
        self._failures = 0
