"""How much of what is inside of containers ran when."""

from __future__ import annotations

from typing import Any

from flowscope.execution.events import (
    AnyEvent,
    ErrorInfo,
    ExecutionCancelled,
    ExecutionStarted,
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeFailed,
    NodeStarted,
    NodeSucceeded,
    encode_lines,
)
from flowscope.server.heat import HeatTable

OUCH = ErrorInfo("NodeError", "ouch", node_id="b")


def table(*events: Any) -> HeatTable:
    """`events` are (time, class, facts); each is folded twice, as a segment that is read again may be."""
    made = HeatTable()
    folded: list[AnyEvent] = [ExecutionStarted(seq=1, at=0.5, workflow_id="w")]
    for time, kind, *facts in events:
        folded.append(kind(seq=len(folded) + 1, at=float(time), **dict(*facts)))
    for event in folded:
        made.fold(event.seq, encode_lines([event]))
        made.fold(event.seq, encode_lines([event]))
    return made


def strips(made: HeatTable, start: float = 0, end: float = 100, bins: int = 4, now: float = 0) -> dict[str, Any]:
    return {
        one["nodeId"]: (one["runs"], one["failed"], one["running"], one["failures"])
        for one in made.told(start, end, bins, now)
    }


def iteration(index: int, **more: Any) -> dict[str, Any]:
    return {"node_id": "m", "index": index} | more


def inside(index: int, **more: Any) -> dict[str, Any]:
    return {"node_id": "b", "path": f"m[{index}]"} | more


def test_what_had_to_wait_for_a_place_ran_from_then_on() -> None:
    made = table(
        (0, NodeStarted, inside(0)),
        (0, NodeStarted, inside(1)),
        (60, NodeSucceeded, inside(0)),
        (90, NodeSucceeded, inside(1, began_at=60.0)),
    )
    assert strips(made)["b"] == (2, 0, [1, 1, 2, 1], [0, 0, 0, 0])


def test_iterations_and_what_ran_in_them_are_counted_where_they_were() -> None:
    made = table(
        (1, NodeStarted, {"node_id": "m"}),
        (10, IterationStarted, iteration(0)),
        (10, NodeStarted, inside(0)),
        (12, IterationStarted, iteration(1)),
        (30, NodeStarted, inside(1)),
        (40, NodeSucceeded, inside(0)),
        (40, IterationSucceeded, iteration(0)),
        (60, NodeFailed, inside(1, error=OUCH)),
        (60, IterationFailed, iteration(1, error=OUCH)),
        (90, NodeSucceeded, {"node_id": "m"}),
    )
    assert strips(made) == {
        "m": (2, 1, [2, 2, 1, 0], [0, 0, 1, 0]),
        "b": (2, 1, [1, 2, 1, 0], [0, 0, 1, 0]),
    }
    assert strips(made, 30, 40, 2)["b"][2] == [2, 2]
    assert [one["order"] for one in made.told(0, 100, 4, 0)] == [3, 4]


def test_what_is_open_goes_on_until_now_and_ends_with_the_run() -> None:
    events: list[Any] = [(10, IterationStarted, iteration(0)), (10, NodeStarted, inside(0))]
    assert strips(table(*events), now=60)["b"] == (1, 0, [1, 1, 1, 0], [0, 0, 0, 0])
    over = table(*events, (40, ExecutionCancelled))
    assert strips(over, now=90)["b"] == (1, 0, [1, 1, 0, 0], [0, 0, 0, 0])


def test_an_attempt_after_another_is_another() -> None:
    again = table(
        (10, IterationStarted, iteration(0)),
        (10, NodeStarted, inside(0)),
        (20, NodeFailed, inside(0, error=OUCH, retry_at=30.0)),
        (60, NodeStarted, inside(0, attempt=2)),
        (70, NodeSucceeded, inside(0, attempt=2)),
    )
    assert strips(again)["b"] == (2, 1, [1, 0, 1, 0], [1, 0, 0, 0])
    container = table(
        (10, IterationStarted, iteration(0)),
        (20, NodeFailed, {"node_id": "m", "error": OUCH, "retry_at": 30.0}),
        (60, IterationStarted, iteration(0)),
        (70, IterationSucceeded, iteration(0)),
        (80, ExecutionCancelled),
    )
    assert strips(container)["m"] == (2, 0, [1, 1, 2, 1], [0, 0, 0, 0])
