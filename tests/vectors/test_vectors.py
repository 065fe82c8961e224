"""The vectors of the live stream are those that the server's messages and the reference fold make."""

from __future__ import annotations

import json

from vectors.record import FILE, text, vectors


def test_the_vectors_are_those_that_record_writes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m tests.vectors.record"


def test_they_hold_all_that_can_come_of_a_message() -> None:
    outcomes = {outcome for one in json.loads(FILE.read_text(encoding="utf-8")) for outcome in one["outcomes"]}
    assert outcomes == {"applied", "ignored", "gap", "waiting"}


def test_the_end_of_every_vector_is_the_end_of_its_run() -> None:
    for one in vectors():
        assert one["state"]["status"] in ("success", "failed", "cancelled"), one["name"]
