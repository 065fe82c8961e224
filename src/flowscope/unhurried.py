"""Long work in a thread, so that the event loop does not feel it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

PIECE: Final = 100
"""Items between two looks at the clock."""

MOST: Final = 0.002
"""Seconds of the processor's time without a breath."""

BREATH: Final = 0.000_05

Item = TypeVar("Item")


def unhurried(items: Iterable[Item]) -> Iterator[Item]:
    """The items, with a breath now and then in which another thread gets the interpreter. One that has to ask for it waits 5 ms
    each time, and an event loop asks after every call to the system."""
    since = time.thread_time()
    for number, item in enumerate(items, 1):
        yield item
        if not number % PIECE and time.thread_time() - since > MOST:
            time.sleep(BREATH)
            since = time.thread_time()
