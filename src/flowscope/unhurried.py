"""Long work in a thread, so that the event loop does not feel it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

PIECE: Final = 500
BREATH: Final = 0.000_05

Item = TypeVar("Item")


def unhurried(items: Iterable[Item]) -> Iterator[Item]:
    """The items, with a breath now and then in which another thread gets the interpreter. One that has to ask for it waits 5 ms
    each time, and an event loop asks after every call to the system."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % PIECE:
            time.sleep(BREATH)
