"""Which times start a run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowscope.triggers.recurrence import Every
from flowscope.triggers.standing import MOST, Standing, decided, firing_id, started

MINUTE = 60_000.0
TEN = Every(10 * MINUTE, 0)


def test_what_is_on_time_starts_whatever_the_policy() -> None:
    """W-03."""
    for missed in ("skip", "once", "all"):
        found = decided(Standing(cursor=0), TEN, missed=missed, overlap="allow", now=10 * MINUTE + 20)
        assert found == Standing(cursor=10 * MINUTE, queue=(10 * MINUTE,))


def test_what_was_missed_starts_by_policy() -> None:
    """W-03."""
    now = 55 * MINUTE
    skip = decided(Standing(cursor=0), TEN, missed="skip", overlap="allow", now=now)
    assert (skip.cursor, skip.queue, skip.left_out) == (50 * MINUTE, (), 5)
    once = decided(Standing(cursor=0), TEN, missed="once", overlap="allow", now=now)
    assert (once.queue, once.left_out) == ((50 * MINUTE,), 4)
    each = decided(Standing(cursor=0), TEN, missed="all", overlap="allow", now=now)
    assert (len(each.queue), each.left_out) == (5, 0)


def test_a_long_absence_is_caught_up_with_by_the_last_hundred() -> None:
    """W-03."""
    found = decided(Standing(cursor=0), TEN, missed="all", overlap="allow", now=10_000 * MINUTE)
    assert len(found.queue) == MOST and found.queue[-1] == found.cursor == 10_000 * MINUTE


def test_a_queue_has_an_end() -> None:
    """W-04."""
    full = Standing(cursor=0, queue=tuple(float(one) for one in range(MOST)))
    found = decided(full, TEN, missed="all", overlap="queue", now=10 * MINUTE)
    assert found.queue == full.queue and found.left_out == 1 and found.cursor == 10 * MINUTE


@given(st.lists(st.integers(1, 50 * 60_000), max_size=30), st.sampled_from(["skip", "once", "all"]))
def test_no_time_is_decided_twice_and_none_before_its_time(steps: list[int], missed: str) -> None:
    """W-01."""
    standing, now, chosen = Standing(cursor=0), 0.0, []
    for step in steps:
        now += step
        standing = decided(standing, TEN, missed=missed, overlap="allow", now=now)  # type: ignore[arg-type]
        for due in standing.queue:
            assert due <= now
            chosen.append(due)
            standing = started(standing, due)
    assert len(chosen) == len(set(chosen)) and chosen == sorted(chosen)
    assert len(chosen) + standing.left_out == len(TEN.latest(0, standing.cursor, 10**6))


def test_an_id_says_what_it_is_for() -> None:
    """W-01."""
    assert firing_id("a", "b", 1) == firing_id("a", "b", 1)
    assert len({firing_id("a", "b", 1), firing_id("a", "b", 2), firing_id("a", "c", 1), firing_id("ab", "", 1)}) == 4
