"""Work that lets others go first gives all of its items, in order, and as they are asked for."""

from __future__ import annotations

from itertools import count, islice

import pytest

from flowscope import unhurried as module
from flowscope.unhurried import unhurried


@pytest.mark.parametrize("many", [0, 1, 99, 100, 101, 1_000])
def test_every_item_comes_once_and_in_order(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 0.0)
    assert list(unhurried(range(many))) == list(range(many))


def test_nothing_is_taken_ahead() -> None:
    numbers = count()
    assert list(islice(unhurried(numbers), 250)) == list(range(250))
    assert next(numbers) == 250
