"""The fold of events into the facts that people look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from flowscope.definition.workflow import Node, Policy, Settings, Workflow
from flowscope.execution.events import (
    AnyEvent,
    ErrorInfo,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionFailing,
    ExecutionPaused,
    ExecutionRecovered,
    ExecutionResumed,
    ExecutionStarted,
    ExecutionSucceeded,
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeCancelled,
    NodeExpanded,
    NodeFailed,
    NodeLost,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
)
from flowscope.execution.view import ExecutionView, NodeView, WorkflowShape

OUCH = ErrorInfo("NodeError", "ouch", node_id="b")


class Told:
    """A view, and a short way to tell it events: numbered, a second apart."""

    def __init__(self, shape: WorkflowShape | None) -> None:
        self.view = ExecutionView("x1", shape)
        self._numbers: Iterator[int] = count(1)
        self(ExecutionStarted, workflow_id="w", workflow_name="W", total_nodes=0)

    def __call__(self, event: Callable[..., AnyEvent], node_id: str = "", path: str = "", **facts: Any) -> None:
        seq = next(self._numbers)
        where = {"node_id": node_id, "path": path} if node_id else {}
        self.view.apply(event(seq=seq, at=1_000.0 * seq, **where, **facts))

    def node(self, node_id: str) -> NodeView:
        return self.view.nodes[node_id]


def shape(*node_ids: str, **parents: str) -> WorkflowShape:
    labels = {node_id: node_id.upper() for node_id in (*node_ids, *parents)}
    return WorkflowShape(labels, parents, len(labels))


def test_the_shape_of_a_workflow() -> None:
    inner = Node("b", "noop", "Inner", {}, Policy(), parent_id="a")
    outer = Node("a", "map", "Outer", {}, Policy())
    workflow = Workflow("w", "W", (inner, outer), (), Settings(), {}, b"{}", "")
    assert WorkflowShape.of(workflow) == WorkflowShape({"b": "Inner", "a": "Outer"}, {"b": "a"}, 2)


def test_before_its_first_event_it_is_pending() -> None:
    view = ExecutionView("x1", shape("a"))
    assert (view.status, view.progress, view.counts["idle"], view.seq) == ("pending", 0, 1, 0)


def test_a_run_from_start_to_success() -> None:
    told = Told(shape("a", "b", "c"))
    told(NodeStarted, "a")
    assert (told.view.status, told.node("a").status, told.node("a").duration) == ("running", "running", None)
    told(NodeSucceeded, "a")
    told(NodeSkipped, "c", reason="no error")
    assert told.view.progress == 67
    told(NodeStarted, "b")
    told(NodeSucceeded, "b")
    told(ExecutionSucceeded)
    view = told.view
    assert (view.status, view.progress, view.completed_nodes, view.duration) == ("success", 100, 3, 6_000)
    assert view.counts == {"idle": 0, "pending": 0, "running": 0, "success": 2, "error": 0, "skipped": 1}
    assert [(node.node_id, node.sequence, node.duration) for node in view.nodes.values()] == [
        ("a", 1, 1_000), ("b", 2, 1_000), ("c", 0, None),
    ]  # fmt: skip
    assert (told.node("c").reason, told.node("c").end_time) == ("no error", 4_000)


def test_no_nodes_is_no_progress() -> None:
    assert Told(None).view.progress == 0


def test_a_failing_run() -> None:
    told = Told(shape("a"))
    told(NodeStarted, "a")
    told(NodeFailed, "a", error=OUCH)
    told(ExecutionFailing, error=OUCH)
    assert (told.view.status, told.view.detail, told.node("a").status) == ("running", "failing", "error")
    told(ExecutionFailed, error=OUCH)
    assert (told.view.status, told.view.detail, told.view.error, told.node("a").error) == ("failed", "", OUCH, OUCH)


def test_a_retry_is_pending_and_forgets_its_error_when_it_succeeds() -> None:
    told = Told(shape("a"))
    told(NodeStarted, "a")
    told(NodeFailed, "a", error=OUCH, retry_at=9_000)
    node = told.node("a")
    assert (node.status, node.detail, node.error) == ("pending", "retrying", OUCH)
    assert node.waiting is not None and (node.waiting.until, node.waiting.attempt) == (9_000, 2)
    assert node.until == 9_000
    assert told.view.status == "running", "a retry goes on by itself"
    told(NodeStarted, "a", attempt=2)
    assert (node.status, node.detail, node.attempts) == ("running", "", 2)
    assert not node.waiting
    told(NodeSucceeded, "a", attempt=2)
    assert (node.status, node.error, node.duration) == ("success", None, 3_000)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"kind": "duration", "until": 9_000}, "waiting for its time"),
        ({"kind": "signal", "signal": "approve"}, "waiting for the signal 'approve'"),
        ({"kind": "child", "child": "x2"}, "waiting for the execution x2"),
    ],
)
def test_a_run_waits_when_something_is_suspended_and_nothing_runs(facts: dict[str, Any], sentence: str) -> None:
    told = Told(shape("a", "b"))
    told(NodeStarted, "a")
    told(NodeStarted, "b")
    told(NodeSuspended, "a", **facts)
    assert (told.node("a").status, told.node("a").detail) == ("pending", "waiting")
    assert told.view.status == "running"
    told(NodeSucceeded, "b")
    assert (told.view.status, told.view.detail) == ("waiting", sentence)
    assert list(told.view.waiting_nodes()) == [told.node("a")]
    told(NodeSucceeded, "a")
    assert (told.view.status, told.view.detail) == ("running", "")


def test_a_pause_is_waiting_even_while_something_runs() -> None:
    told = Told(shape("a"))
    told(NodeStarted, "a")
    told(ExecutionPaused)
    assert (told.view.status, told.view.detail, told.node("a").status) == ("waiting", "paused", "running")
    told(ExecutionResumed)
    assert (told.view.status, told.view.detail) == ("running", "")


def test_a_lost_attempt() -> None:
    told = Told(shape("a", "b"))
    told(NodeStarted, "a")
    told(NodeStarted, "b")
    told(ExecutionRecovered, epoch=2)
    told(NodeLost, "a")
    told(NodeLost, "b", outcome="ask")
    assert (told.node("a").status, told.node("a").detail) == ("pending", "queued")
    assert (told.node("b").status, told.node("b").detail) == ("pending", "asking")
    assert told.view.status == "running"
    told(NodeStarted, "a", attempt=2)
    told(NodeSucceeded, "a", attempt=2)
    assert told.view.detail == "was lost; waiting for the signal 'b' to run it again"
    told(NodeFailed, "b", error=ErrorInfo("NodeLost", "gone"))
    assert (told.node("b").status, told.node("b").detail) == ("error", "lost")


def test_a_time_out_says_so() -> None:
    told = Told(shape("a"))
    told(NodeStarted, "a")
    told(NodeFailed, "a", error=ErrorInfo("NodeTimeout", "too long"))
    assert (told.node("a").status, told.node("a").detail) == ("error", "timed out")


def test_cancelled_is_shown_as_skipped() -> None:
    told = Told(shape("a", "b"))
    told(NodeStarted, "a")
    told(NodeCancelled, "a", reason="enough")
    told(NodeSkipped, "b", reason="enough")
    told(ExecutionCancelled, reason="enough")
    assert (told.node("a").status, told.node("a").detail, told.node("a").reason) == ("skipped", "cancelled", "enough")
    assert (told.node("b").status, told.node("b").detail) == ("skipped", "")
    assert (told.view.status, told.view.detail, told.view.progress) == ("cancelled", "enough", 100)


def iteration(told: Told, index: int, *, fail: bool = False) -> None:
    path = f"m[{index}]"
    told(IterationStarted, "m", index=index)
    told(NodeStarted, "b", path)
    if fail:
        told(NodeFailed, "b", path, error=OUCH)
        told(IterationFailed, "m", index=index, error=OUCH)
    else:
        told(NodeSucceeded, "b", path)
        told(IterationSucceeded, "m", index=index)


def test_a_body_node_is_one_aggregate_that_ends_with_its_container() -> None:
    told = Told(shape("m", b="m", c="m"))
    told(NodeStarted, "m")
    told(NodeExpanded, "m", count=3, concurrency=2)
    iteration(told, 0)
    iteration(told, 1, fail=True)
    iterations = told.node("m").iterations
    assert iterations is not None
    assert (iterations.done, iterations.failed, iterations.running, iterations.total) == (1, 1, 0, 3)
    assert (told.node("b").status, told.node("c").status) == ("running", "idle")
    assert told.view.completed_nodes == 0
    iteration(told, 2)
    told(NodeSucceeded, "m")
    assert [told.node(name).status for name in "mbc"] == ["success", "error", "skipped"]
    assert (told.node("b").error, told.view.completed_nodes, told.view.progress) == (OUCH, 3, 100)


def test_a_body_node_waits_only_when_all_that_is_live_of_it_waits() -> None:
    told = Told(shape("m", b="m"))
    told(NodeStarted, "m")
    told(NodeExpanded, "m", count=2)
    for index in range(2):
        told(IterationStarted, "m", index=index)
        told(NodeStarted, "b", f"m[{index}]")
    told(NodeSuspended, "b", "m[0]", signal="go")
    assert (told.node("b").status, told.view.status) == ("running", "running")
    told(NodeSucceeded, "b", "m[1]")
    assert (told.node("b").status, told.node("b").detail, told.view.status) == ("pending", "waiting", "waiting")
    told(NodeSucceeded, "b", "m[0]")
    assert (told.node("b").status, told.view.status) == ("running", "running")


def test_a_container_tried_again_begins_its_body_anew() -> None:
    told = Told(shape("m", b="m"))
    told(NodeStarted, "m")
    told(NodeExpanded, "m", count=2)
    iteration(told, 0, fail=True)
    told(NodeFailed, "m", error=OUCH, retry_at=99_000)
    assert (told.node("b").status, told.node("m").iterations) == ("idle", None)
    told(NodeStarted, "m", attempt=2)
    told(NodeExpanded, "m", count=2)
    iteration(told, 0)
    iteration(told, 1)
    told(NodeSucceeded, "m", attempt=2)
    assert (told.node("b").status, told.node("b").error) == ("success", None)
    assert told.view.counts["success"] == 2


def test_a_nested_body_ends_with_the_outermost_container() -> None:
    told = Told(shape("o", i="o", b="i"))
    told(NodeStarted, "o")
    told(NodeExpanded, "o", count=2)
    for index in range(2):
        outer = f"o[{index}]"
        told(IterationStarted, "o", index=index)
        told(NodeStarted, "i", outer)
        told(NodeExpanded, "i", outer, count=1)
        told(IterationStarted, "i", outer, index=0)
        told(NodeStarted, "b", f"{outer}.i[0]")
        told(NodeSucceeded, "b", f"{outer}.i[0]")
        told(IterationSucceeded, "i", outer, index=0)
        told(NodeSucceeded, "i", outer)
        told(IterationSucceeded, "o", index=index)
        assert (told.node("i").status, told.node("b").status) == ("running", "running")
    inner = told.node("i").iterations
    assert inner is not None and (inner.done, inner.total, inner.running) == (2, 2, 0)
    told(NodeSucceeded, "o")
    assert {node.status for node in told.view.nodes.values()} == {"success"}


def test_iterations_cut_off_are_not_left_running() -> None:
    told = Told(shape("o", i="o", b="i"))
    told(NodeStarted, "o")
    told(NodeExpanded, "o", count=1)
    told(IterationStarted, "o", index=0)
    told(NodeStarted, "i", "o[0]")
    told(NodeExpanded, "i", "o[0]", count=5)
    told(IterationStarted, "i", "o[0]", index=0)
    told(NodeStarted, "b", "o[0].i[0]")
    told(NodeCancelled, "b", "o[0].i[0]")
    told(NodeCancelled, "i", "o[0]")
    told(NodeCancelled, "o")
    counts = [node.iterations.running for node in told.view.nodes.values() if node.iterations]
    assert counts == [0, 0]
    assert [(node.status, node.detail) for node in told.view.nodes.values()] == [("skipped", "cancelled")] * 3


def test_a_skipped_container_takes_its_body_along() -> None:
    told = Told(shape("m", b="m"))
    told(NodeSkipped, "m")
    assert told.view.progress == 100
    assert (told.node("b").status, told.node("b").detail) == ("skipped", "")


def test_nothing_is_kept_of_an_iteration_that_has_ended() -> None:
    told = Told(shape("m", b="m"))
    told(NodeStarted, "m")
    told(NodeExpanded, "m", count=1_000)
    for index in range(1_000):
        iteration(told, index)
    body = told.node("b")
    assert not body._live and not body._why


def test_without_a_shape_nodes_appear_as_they_are_reported() -> None:
    told = Told(None)
    told.view.total_nodes = 2
    told(NodeStarted, "a", node_name="Fetch")
    assert (told.node("a").node_name, told.view.progress) == ("Fetch", 0)
    told(NodeSucceeded, "a")
    told(NodeSkipped, "b")
    told(NodeStarted, "c")
    assert (told.view.total_nodes, told.view.progress) == (3, 67)


def test_an_event_seen_twice_changes_nothing_and_a_gap_is_refused() -> None:
    told = Told(shape("a"))
    told(NodeStarted, "a")
    told.view.apply(NodeSucceeded(seq=2, at=0, node_id="a"))
    assert told.node("a").status == "running"
    with pytest.raises(ValueError, match="event 4 follows 2"):
        told.view.apply(NodeSucceeded(seq=4, at=0, node_id="a"))


def test_the_handle_of_an_answer_is_told_of_nodes_outside_of_bodies() -> None:
    told = Told(shape("a", "m", b="m"))
    for node_id, path, handle in (("a", "", "true"), ("b", "m[0]", "false")):
        told(NodeStarted, node_id, path)
        told(NodeSucceeded, node_id, path, handle=handle)
    assert (told.node("a").handle, told.node("b").handle) == ("true", "")
