"""The table of a container's iterations, and pages of it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from flowscope.execution.events import (
    AnyEvent,
    ErrorInfo,
    ExecutionCancelled,
    IterationAdopted,
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeFailed,
)
from flowscope.server.iterations import IterationTable

OUCH = ErrorInfo("NodeError", "ouch", node_id="b")


def table(*events: Any, path: str = "") -> IterationTable:
    """`events` are (class, index or node id, more facts)."""
    made = IterationTable("m", path)
    numbers = count(1)
    folded: list[AnyEvent] = []
    for kind, what, *more in events:
        facts: dict[str, Any] = dict(*more)
        if isinstance(what, int):
            facts = {"node_id": "m", "index": what, "path": path} | facts
        elif what:
            facts = {"node_id": what} | facts
        seq = next(numbers)
        folded.append(kind(seq=seq, at=1_000.0 * seq, **facts))
    for event in folded:  # however it comes in parts
        made.fold([event])
    return made


def page(of: IterationTable, **wanted: Any) -> list[tuple[int, str]]:
    facts: dict[str, Any] = {"offset": 0, "after": -1, "limit": 10, "status": ""}
    entries, _ = of.page(**(facts | wanted))
    return [(entry["index"], entry["status"]) for entry in entries]


BEGUN = [(IterationStarted, index) for index in range(4)]


def test_pages_are_by_index_whatever_ended_first() -> None:
    made = table(*BEGUN, (IterationSucceeded, 2), (IterationFailed, 0, {"error": OUCH}))
    assert page(made) == [(0, "error"), (1, "running"), (2, "success"), (3, "running")]
    assert page(made, offset=1, limit=2) == [(1, "running"), (2, "success")]
    assert page(made, after=2) == [(3, "running")]
    assert page(made, status="error") == [(0, "error")]
    assert made.facts(10) == {
        "begun": 4, "ended": 2, "failed": 1, "strip": ["error", "running", "success", "running"],
    }  # fmt: skip
    assert made.facts(2)["strip"] == ["error", "running"]
    (first,), found = made.page(offset=0, after=-1, limit=1, status="error")
    assert (first["path"], first["error"], found) == ("m[0]", "ouch", 1)


def test_what_its_container_or_the_run_leaves_open_is_skipped() -> None:
    failed = table(*BEGUN, (IterationSucceeded, 0), (NodeFailed, "m", {"error": OUCH}))
    assert page(failed) == [(0, "success"), (1, "skipped"), (2, "skipped"), (3, "skipped")]
    cancelled = table(*BEGUN, (ExecutionCancelled, ""))
    assert {status for _, status in page(cancelled)} == {"skipped"}


def test_a_repeated_attempt_begins_them_again() -> None:
    made = table((IterationStarted, 0), (IterationFailed, 0, {"error": OUCH}), (IterationStarted, 0))
    assert page(made) == [(0, "running")]
    assert "error" not in made.page(offset=0, after=-1, limit=1, status="")[0][0]


def test_other_containers_and_other_runs_of_it_are_not_counted() -> None:
    made = table(
        (IterationStarted, 0, {"path": "outer[1]"}),
        (IterationStarted, 0, {"node_id": "n"}),
        (IterationStarted, 0),
        (IterationAdopted, 0, {"origin_seq": 3}),
        path="outer[0]",
    )
    ((entry,), _) = made.page(offset=0, after=-1, limit=10, status="")
    assert (entry["path"], entry["status"], entry["detail"]) == ("outer[0].m[0]", "success", "kept")


@pytest.mark.parametrize("cells", [0, 5])
def test_nothing_begun_is_an_empty_table(cells: int) -> None:
    made = table()
    assert page(made) == []
    assert made.facts(cells) == {"begun": 0, "ended": 0, "failed": 0, "strip": []}
