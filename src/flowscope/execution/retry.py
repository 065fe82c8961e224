"""When a failed attempt is tried again."""

from __future__ import annotations

from flowscope.definition.workflow import Retry


def backoff(retry: Retry, failed_attempts: int, chance: float) -> float:
    """Milliseconds to wait after that many failed attempts. `chance` is a random number in [0, 1)."""
    exponent = min(failed_attempts - 1, 64)
    delay = min(retry.max_delay, retry.delay * retry.factor**exponent)
    return delay * (1 + retry.jitter * (2 * chance - 1))
