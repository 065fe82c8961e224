"""How much one client may ask: token buckets, a bounded number of them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class RateLimit:
    """`rate` requests a second for each client, `burst` at once. Forgets who has not come for long."""

    def __init__(
        self, rate: float, burst: float, *, clients: int = 10_000, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._clients = clients
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """One request; False if that is too many."""
        left = self._left(client)
        self._buckets[client] = (max(0.0, left - 1), self._now())
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return left >= 1

    def spent(self, client: str) -> bool:
        """Whether one more would be too many; it is not counted."""
        return self._left(client) < 1

    def _left(self, client: str) -> float:
        left, at = self._buckets.get(client, (self._burst, self._now()))
        return min(self._burst, left + (self._now() - at) * self._rate)
