"""The vectors are those that the server's messages and the reference fold, and its timelines, make."""

from __future__ import annotations

import json

from vectors import timelines
from vectors.record import FILE, text, vectors


def test_the_vectors_are_those_that_record_writes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m tests.vectors.record"


def test_they_hold_all_that_can_come_of_a_message() -> None:
    outcomes = {outcome for one in json.loads(FILE.read_text(encoding="utf-8")) for outcome in one["outcomes"]}
    assert outcomes == {"applied", "ignored", "gap", "waiting"}


def test_the_end_of_every_vector_is_the_end_of_its_run() -> None:
    for one in vectors():
        assert one["state"]["status"] in ("success", "failed", "cancelled"), one["name"]


def test_the_vectors_of_timelines_are_those_that_it_writes() -> None:
    """L-01 L-02 L-03: what the browser makes of a journal is checked with them."""
    written = timelines.FILE.read_text(encoding="utf-8")
    assert written == timelines.text(), "run: PYTHONPATH=tests python -m vectors.timelines"
    told = [one["timeline"] for one in json.loads(written)]
    parts = [
        part["kind"]
        for one in told
        for node in one["nodes"]
        for attempt in node.get("attempts", ())
        for part in attempt["segments"]
    ]
    assert set(parts) == {"queue", "run", "backoff", "wait", "down"}
    assert {one["ended"] for one in told} == {True, False}
