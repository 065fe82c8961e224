"""Turns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowscope.nodes.rate_limit import MOST_KEYS, Turns


@given(st.integers(1, 5), st.integers(1, 1_000), st.lists(st.integers(0, 400), min_size=1, max_size=60))
def test_no_stretch_of_time_holds_more_than_may_pass(limit: int, window: int, gaps: list[int]) -> None:
    """F-03."""
    turns, now, given_out = Turns(), 0.0, []
    for gap in gaps:
        now += gap
        turn = turns.take("k", limit, window, now)
        assert turn >= now
        given_out.append(turn)
    assert given_out == sorted(given_out)
    for first, one_more in zip(given_out, given_out[limit:], strict=False):
        assert one_more - first >= window
    # And none waits for nothing: the first of all, and whoever comes after a window without any, passes at once.
    assert given_out[0] == gaps[0]
    assert turns.take("k", limit, window, given_out[-1] + window) == given_out[-1] + window


def test_who_does_not_wait_takes_no_turn() -> None:
    turns = Turns()
    assert turns.take("k", 1, 100, 0) == 0
    for now in (1, 2, 3):
        assert turns.take("k", 1, 100, now, wait=False) == 100
    assert turns.take("k", 1, 100, 100, wait=False) == 100
    assert turns.take("other", 1, 100, 1) == 1


def test_keys_do_not_pile_up() -> None:
    turns = Turns()
    for number in range(MOST_KEYS + 10):
        turns.take(str(number), 1, 100, 0)
    assert len(turns._given) == MOST_KEYS
