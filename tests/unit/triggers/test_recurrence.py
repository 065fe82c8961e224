"""When something recurs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowscope.triggers.recurrence import Cron, Every

HOUR = 3_600_000.0
DAY = 24 * HOUR


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


def told(instants: list[float]) -> list[str]:
    return [datetime.fromtimestamp(one / 1000, UTC).strftime("%m-%dT%H:%M") for one in instants]


@pytest.mark.parametrize(
    ("cron", "since", "until", "dues"),
    [
        # 2026-03-29, Oslo: 02:00 to 03:00 is not there. What falls into it runs right after it, once.
        (
            "30 2 * * *",
            "2026-03-28T00:00+01:00",
            "2026-03-30T12:00+02:00",
            ["03-28T01:30", "03-29T01:00", "03-30T00:30"],
        ),
        # 2026-10-25, Oslo: 02:00 to 03:00 comes twice. What falls into it runs the first time.
        (
            "30 2 * * *",
            "2026-10-24T00:00+02:00",
            "2026-10-26T12:00+01:00",
            ["10-24T00:30", "10-25T00:30", "10-26T01:30"],
        ),
        # What recurs by the hour goes by time that passes: three hours are three runs.
        (
            "0 * * * *",
            "2026-10-25T01:30+02:00",
            "2026-10-25T03:30+01:00",
            ["10-25T00:00", "10-25T01:00", "10-25T02:00"],
        ),
        ("0 9 * * 1-5", "2026-05-15T12:00+02:00", "2026-05-19T12:00+02:00", ["05-18T07:00", "05-19T07:00"]),
        ("0 0 29 2 *", "2026-01-01T00:00+01:00", "2028-12-31T00:00+01:00", ["02-28T23:00"]),
    ],
)
def test_cron_goes_by_the_clock_of_its_zone(cron: str, since: str, until: str, dues: list[str]) -> None:
    """W-02."""
    recurrence = Cron(cron, "Europe/Oslo")
    assert told(recurrence.latest(at(since), at(until), 100)) == dues
    assert told([recurrence.after(at(since)) or 0]) == dues[:1]


CRONS = ["30 2 * * *", "*/15 * * * *", "0 * * * *", "15 1-4 * * *", "0 3 * * 0", "5 0 1 * *", "*/20 2 * * *"]
ZONES = ["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CRONS),
    st.sampled_from(ZONES),
    st.sampled_from(["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2026-07-01"]),
    st.integers(-36 * 60, 36 * 60),
    st.integers(1, 72 * 60),
    st.integers(1, 40),
)
@example("*/20 2 * * *", "Australia/Lord_Howe", "2026-04-05", -600, 3_000, 100)
def test_the_same_instants_come_out_wherever_one_begins(
    cron: str, zone: str, day: str, offset: int, length: int, most: int
) -> None:
    """W-01: a firing is known by its instant."""
    recurrence = Cron(cron, zone)
    begin = (datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=offset)).timestamp() * 1000
    end = begin + length * 60_000
    one_by_one, instant = [], begin
    while (due := recurrence.after(instant)) is not None and due <= end:
        one_by_one.append(due)
        instant = due
    assert all(one < two for one, two in pairwise(one_by_one))
    assert recurrence.latest(begin, end, 10_000) == one_by_one
    assert recurrence.latest(begin, end, most) == one_by_one[-most:]
    middle = (begin + end) / 2
    assert recurrence.latest(begin, middle, 10_000) + recurrence.latest(middle, end, 10_000) == one_by_one


@given(st.integers(1_000, 10**9), st.integers(0, 10**12), st.integers(0, 10**9), st.integers(1, 50))
def test_every_is_counted_from_its_beginning(period: int, since: int, later: int, most: int) -> None:
    recurrence = Every(period, since)
    now = since + later
    due = recurrence.after(now)
    assert due is not None and 0 < due - now <= period and (due - since) % period == 0
    dues = recurrence.latest(since, now, most)
    assert len(dues) == min(most, later // period)
    assert all(since < one <= now and (one - since) % period == 0 for one in dues)
    assert recurrence.latest(now, now, most) == []
