"""An attempt whose process is gone while this one goes on: docs/spec.md P-01."""

from __future__ import annotations

import pytest

from flowscope.definition.workflow import OnLost
from flowscope.execution.events import ErrorInfo, NodeFailed, NodeLost
from flowscope.execution.stimuli import Lose
from flowscope.testing.scripted import ScriptedRun, gives, hangs, opens
from flowscope.testing.sketch import sketch

GONE = ErrorInfo("WorkerLost", "was killed by SIGKILL")


def running(text: str = "a -> b", **more: object) -> ScriptedRun:
    run = ScriptedRun(sketch(text, **more), {"a": [hangs(), gives(1)]})  # type: ignore[arg-type]
    run.start()
    run.go()
    return run


def test_the_node_runs_again_without_spending_a_retry() -> None:
    run = running()
    run.send(Lose(node_id="a", attempt=1, error=GONE))
    assert [(event.attempt, event.outcome) for event in run.of(NodeLost)] == [(1, "rerun")]
    run.go()
    assert run.state.status == "success"
    assert (run.state.root.attempts[0], run.state.root.losses(0)) == (2, 1)


def test_only_the_present_attempt_can_be_lost() -> None:
    run = running()
    for attempt in (0, 2):
        assert run.send(Lose(node_id="a", attempt=attempt, error=GONE)) == []
    assert run.send(Lose(node_id="b", attempt=1, error=GONE)) == []
    run.answer("a", gives(1))
    assert run.send(Lose(node_id="a", attempt=1, error=GONE)) == []


@pytest.mark.parametrize("on_lost", ["fail", "ask"])
def test_what_must_not_run_twice_is_asked_about_or_has_failed(on_lost: OnLost) -> None:
    run = running("a -> b", policies={"a": {"on_lost": on_lost}})
    run.send(Lose(node_id="a", attempt=1, error=GONE))
    if on_lost == "fail":
        [failed] = run.of(NodeFailed)
        assert (failed.error.type, failed.error.message) == ("WorkerLost", "was killed by SIGKILL")
        assert run.state.status == "failed"
    else:
        assert run.state.status == "running" and run.statuses["a"] == "asking"
        run.signal("a")
        run.go()
        assert run.state.status == "success"


def test_a_container_that_is_lost_when_asked_again_has_failed() -> None:
    """Its iterations have ended; to run it again would run them again."""
    run = ScriptedRun(sketch("each { x }"), {"each": [opens([1]), hangs()]})
    run.start()
    run.go()
    assert run.statuses["each"] == "expanded"
    run.send(Lose(node_id="each", attempt=1, error=GONE))
    assert run.of(NodeLost) == []
    [failed] = run.of(NodeFailed)
    assert failed.error.type == "WorkerLost" and run.state.status == "failed"
