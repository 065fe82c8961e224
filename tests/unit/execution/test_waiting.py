"""Waits and limits of time: docs/spec.md G-21 … G-23."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.definition.workflow import Retry
from flowscope.execution.events import ErrorInfo, NodeFailed, NodeSuspended
from flowscope.execution.instructions import CancelNode, SetTimer, StartChild
from flowscope.execution.state import fold
from flowscope.execution.stimuli import Fail, Fire, Succeed, Suspend, Wake
from flowscope.testing.scripted import ScriptedRun, calls, hangs, maps, passes, waits
from flowscope.testing.sketch import sketch


def begun(text: str, script: dict[str, Any], timeout: float = 0, **more: Any) -> ScriptedRun:
    """Gone as far as it goes without time passing."""
    run = ScriptedRun(sketch(text, timeout=timeout, **more), script)
    run.start({"x": 1})
    while run.take() or run.answer():
        pass
    return run


def test_a_wait_ends_when_its_time_comes_and_passes_its_input_on() -> None:
    """G-22."""
    run = begun("w -> end", {"w": waits(after=500), "end": passes()})
    assert run.statuses["w"] == "suspended"
    run.advance(499)
    assert run.statuses["w"] == "suspended"
    run.advance(1)
    run.go()
    assert (run.state.status, run.value("end")) == ("success", {"x": 1})


def test_what_is_woken_asks_again_for_all_it_waits_for_and_records_nothing() -> None:
    """M-03: the state is folded, and goes on as if it had not been."""
    run = begun("w; c; s; map { i }", {
        "w": waits(after=100), "c": calls("kid"), "s": waits(signal="go"), "map": maps([1, 2], concurrency=2), "i": waits(after=50),
    }, timeout=500)  # fmt: skip
    asked = list(run.instructions)
    run.state = fold(run.state.execution_id, run.state.plan, run.events)
    run.instructions.clear()
    assert run.send(Wake()) == []
    assert set(run.instructions) == set(asked)
    assert not run.state.agenda


def test_a_timer_that_comes_early_is_set_again() -> None:
    """G-22: clocks are set back."""
    run = begun("w", {"w": waits(after=500)})
    run.instructions.clear()
    assert not run.send(Fire(node_id="w", attempt=1))
    assert run.instructions == [SetTimer("w", "", 1, 1500)]


def test_a_signal_ends_the_waits_for_it_with_its_payload() -> None:
    """G-22."""
    run = begun("a; b; c", {"a": waits(signal="go"), "b": waits(signal="go"), "c": waits(signal="other")})
    run.signal("go", {"yes": True})
    assert run.statuses == {"a": "success", "b": "success", "c": "suspended"}
    assert run.value("a") == {"yes": True}


@pytest.mark.parametrize(("name", "ended"), [("w", 2), ("map[1].w", 1), ("go", 2), ("map[2].w", 0), ("", 0)])
def test_a_signal_may_name_the_waiting_node(name: str, ended: int) -> None:
    """G-22: by its id, or by path and id."""
    run = begun("map { w -> x }", {"map": maps([1, 2], concurrency=2), "w": waits(signal="go"), "x": hangs()})
    assert len(run.signal(name)) == ended


def test_a_wait_for_a_signal_can_time_out() -> None:
    """G-22."""
    run = begun("w", {"w": waits(signal="go", after=100, expires=True)})
    run.go()
    assert run.state.status == "failed"
    assert run.of(NodeFailed)[0].error.message == "Waited too long for the signal 'go'"


def test_a_signal_for_nobody_changes_nothing() -> None:
    """G-22."""
    run = begun("w", {"w": waits(after=100)})
    assert not run.signal("w") and not run.signal("")


@pytest.mark.parametrize("answer", [waits(signal="go"), waits(after=9000), calls("child")])
def test_a_nodes_time_out_cuts_its_wait_short(answer: Any) -> None:
    """G-21: and each attempt has its own."""
    run = begun("w", {"w": answer}, w={"timeout": 100.0, "retry": Retry(attempts=2, delay=50)})
    run.go()
    assert [(event.at, event.error.type) for event in run.of(NodeFailed)] == [
        (1100, "NodeTimeout"),
        (1250, "NodeTimeout"),
    ]
    assert run.state.status == "failed"


def test_a_wait_within_the_time_out_is_not_cut_short() -> None:
    """G-21."""
    run = begun("w", {"w": waits(after=50)}, w={"timeout": 100.0})
    run.go()
    assert run.state.status == "success"


def test_a_run_times_out() -> None:
    """G-21: no retry and no handle helps; error triggers run."""
    run = begun("a -> b; error_trigger", {"a": hangs(), "error_trigger": passes()}, timeout=300)
    run.go()
    assert (run.now, run.state.status, run.statuses["a"]) == (1300, "failed", "cancelled")
    assert run.value("error_trigger")["error_type"] == "Timeout"
    assert run.value("error_trigger")["failed_node"] is None
    assert "300 ms" in run.value("error_trigger")["error_message"]


def test_the_deadline_is_set_again_when_it_comes_early() -> None:
    """G-21."""
    run = begun("a", {"a": hangs()}, timeout=300)
    run.instructions.clear()
    assert not run.send(Fire())
    assert run.instructions == [SetTimer("", "", 0, 1300)]


def test_a_sub_workflow_is_started_and_its_end_answers() -> None:
    """G-23."""
    run = begun("c -> end", {"c": calls("kid", definition="abc"), "end": passes()})
    assert run.instructions == [StartChild("c", "", 1, "kid", "abc", b"{}")]
    run.send(Succeed(node_id="c", attempt=1, output=b'{"from":"kid"}'))
    run.go()
    assert run.value("end") == {"from": "kid"}


def test_a_sub_workflows_failure_fails_its_node() -> None:
    """G-23."""
    run = begun("c -> end", {"c": calls("kid")})
    run.send(Fail(node_id="c", attempt=1, error=ErrorInfo("ChildFailed", "no", retryable=False)))
    assert (run.state.status, run.statuses) == ("failed", {"c": "error", "end": "skipped"})


def test_cancelling_cancels_the_sub_workflow() -> None:
    """G-23 G-25."""
    run = begun("c", {"c": calls("kid")})
    run.cancel()
    assert CancelNode("c", "", 1, "kid") in run.instructions


def test_a_sub_workflow_that_takes_too_long_is_cancelled() -> None:
    """G-21 G-23."""
    run = begun("c", {"c": calls("kid")}, c={"timeout": 100.0})
    run.go()
    assert CancelNode("c", "", 1, "kid") in run.instructions
    assert run.of(NodeFailed)[0].error.message == "Waited too long for the sub-workflow"


def test_after_a_crash_every_wait_is_asked_for_again() -> None:
    """G-22 G-23 G-26: the deadline, too."""
    run = begun("w; c; s", {"w": waits(after=100), "c": calls("kid"), "s": waits(signal="go")}, timeout=500)
    run.instructions.clear()
    run.crash()
    assert run.instructions == [
        SetTimer("", "", 0, 1500),
        SetTimer("w", "", 1, 1100),
        StartChild("c", "", 1, "kid", "child", b"{}"),
    ]
    assert run.statuses == {"w": "suspended", "c": "suspended", "s": "suspended"}


def test_only_an_attempt_that_runs_can_wait() -> None:
    """M-06: a repeated answer changes nothing."""
    run = begun("w", {"w": waits(signal="go")})
    assert not run.send(Suspend(node_id="w", attempt=1, signal="other"))
    assert len(run.of(NodeSuspended)) == 1


def test_a_timer_without_a_wait_changes_nothing() -> None:
    """M-06."""
    run = begun("w; s", {"w": waits(signal="go"), "s": hangs()})
    for timer in (
        Fire(node_id="w", attempt=1),
        Fire(node_id="s", attempt=1),
        Fire(node_id="no"),
        Fire(node_id="w", path="x"),
    ):
        assert not run.send(timer)
    assert not run.send(Fire())
