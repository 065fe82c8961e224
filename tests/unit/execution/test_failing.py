"""What an error does: docs/spec.md G-10 … G-16."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.definition.workflow import Retry
from flowscope.execution.events import (
    ExecutionFailed,
    ExecutionFailing,
    NodeCancelled,
    NodeFailed,
    NodeStarted,
)
from flowscope.execution.instructions import CancelNode, SetTimer
from flowscope.execution.retry import backoff
from flowscope.testing.scripted import ScriptedRun, fails, gives, hangs, maps, passes, tries
from flowscope.testing.sketch import sketch


def run_of(text: str, script: dict[str, Any] | None = None, **more: Any) -> ScriptedRun:
    run = ScriptedRun(sketch(text, **more), script)
    run.start()
    run.go()
    return run


def test_an_error_fails_the_run() -> None:
    """G-10: what runs is cancelled, what was not reached is skipped."""
    run = ScriptedRun(sketch("a; b -> after; ready; a -> c -> d"), {"b": hangs()})
    run.start()
    run.take()
    run.take()
    run.answer("a", fails("no luck"))
    assert run.statuses == {
        "a": "error",
        "b": "cancelled",
        "after": "skipped",
        "ready": "skipped",
        "c": "skipped",
        "d": "skipped",
    }
    assert run.state.status == "failed"
    [failed] = run.of(ExecutionFailed)
    assert (failed.error.node_id, failed.error.message) == ("a", "no luck")
    assert [one for one in run.instructions if isinstance(one, CancelNode)] == [CancelNode("b", "", 1)]


@pytest.mark.parametrize("order", [("done", "bad", "join"), ("join", "done", "bad")])
def test_what_becomes_ready_while_the_run_fails_does_not_start(order: tuple[str, str, str]) -> None:
    """G-10: the join has one active edge when the other branch is cancelled, wherever it stands in the document."""
    run = ScriptedRun(
        sketch(f"{'; '.join(order)}; slow; done -> join -> end; slow -> join; bad -> x"), {"slow": hangs()}
    )
    run.start()
    while run.take():
        pass
    run.answer("done", gives(1))
    run.answer("bad", fails())
    assert (run.state.status, run.statuses["join"], run.statuses["end"]) == ("failed", "skipped", "skipped")


def test_the_error_handle_takes_the_error_on() -> None:
    """G-11."""
    run = run_of("a -> next; a:error -> rescue -> end", {"a": fails("boom"), "rescue": passes()})
    assert run.statuses == {"a": "error", "next": "skipped", "rescue": "success", "end": "success"}
    assert run.value("rescue")["error"]["message"] == "boom"
    assert run.state.status == "success"


def test_without_an_error_the_error_handle_is_not_taken() -> None:
    """G-11."""
    assert run_of("a -> next; a:error -> rescue").statuses == {"a": "success", "next": "success", "rescue": "skipped"}


def test_continue_on_error_goes_on_by_the_output() -> None:
    """G-12."""
    run = run_of("a -> next; a:other -> no", {"a": fails("boom"), "next": passes()}, a={"continue_on_error": True})
    assert (run.state.status, run.statuses) == ("success", {"a": "error", "next": "success", "no": "skipped"})
    assert run.value("next")["error"]["message"] == "boom"


def test_the_error_handle_comes_before_continue_on_error() -> None:
    """G-11 G-12."""
    run = run_of("a -> next; a:error -> rescue", {"a": fails()}, a={"continue_on_error": True})
    assert (run.statuses["next"], run.statuses["rescue"]) == ("skipped", "success")


@pytest.mark.parametrize(
    ("chance", "waits"), [(0.5, [1000, 2000, 4000, 5000]), (0, [800, 1600, 3200, 4000]), (1, [1200, 2400, 4800, 6000])]
)
def test_back_off_doubles_up_to_its_limit_give_or_take_the_jitter(chance: float, waits: list[float]) -> None:
    """G-13."""
    retry = Retry(attempts=9, max_delay=5000)
    assert [backoff(retry, failed, chance) for failed in (1, 2, 3, 4)] == waits
    assert backoff(retry, 10_000, chance) == waits[-1]


def test_a_failed_attempt_is_tried_again() -> None:
    """G-13: `attempts` includes the first."""
    run = run_of("a -> b", {"a": [fails(), fails(), gives("third")]}, a={"retry": Retry(attempts=3)})
    assert [event.at for event in run.of(NodeStarted, "a")] == [1000, 2000, 4000]
    assert [(event.attempt, event.retry_at, event.handled) for event in run.of(NodeFailed)] == [
        (1, 2000, False),
        (2, 4000, False),
    ]
    assert run.value("a") == "third"


def test_when_the_attempts_are_spent_the_error_stands() -> None:
    """G-13."""
    run = run_of("a", {"a": fails()}, a={"retry": Retry(attempts=3)})
    assert [event.retry_at for event in run.of(NodeFailed)] == [2000, 4000, 0]
    assert run.state.status == "failed"


def test_what_cannot_be_helped_is_not_tried_again() -> None:
    """G-13."""
    run = run_of("a", {"a": fails(retryable=False)}, a={"retry": Retry(attempts=3)})
    assert len(run.of(NodeFailed)) == 1


def test_a_node_does_not_start_before_its_back_off_is_over() -> None:
    """G-13: a clock that was set back leads to another timer, not to a lost one."""
    run = ScriptedRun(sketch("a", a={"retry": Retry(attempts=2)}), {"a": [fails(), gives(1)]})
    run.start()
    run.take()
    run.answer()
    run.advance(1000)
    run.now -= 500
    assert run.take() and not run.turns
    assert run.instructions[-1] == SetTimer("a", "", 1, 2000)
    run.go()
    assert run.state.status == "success"


def test_error_triggers_run_when_the_run_fails() -> None:
    """G-14."""
    script = {"a": fails("boom"), "error_trigger": passes()}
    run = run_of("start -> a -> b; error_trigger -> tell", script)
    assert run.value("error_trigger") == {
        "failed_node": "a",
        "error_message": "boom",
        "error_type": "NodeError",
        "workflow_id": "sketch",
        "execution_id": "run",
    }
    assert (run.statuses["b"], run.statuses["tell"], run.state.status) == ("skipped", "success", "failed")
    kinds = [type(event).__name__ for event in run.events]
    assert kinds.index("ExecutionFailing") < kinds.index("NodeStarted", kinds.index("ExecutionFailing"))


def test_without_an_error_error_triggers_are_skipped() -> None:
    """G-14."""
    run = run_of("a; error_trigger -> tell")
    assert run.statuses == {"a": "success", "error_trigger": "skipped", "tell": "skipped"}
    assert run.state.status == "success"


def test_a_handled_error_is_none_to_error_triggers() -> None:
    """G-11 G-14."""
    run = run_of("a:error -> b; error_trigger", {"a": fails()})
    assert run.statuses["error_trigger"] == "skipped"


def test_an_error_behind_an_error_trigger_ends_the_run() -> None:
    """G-14: the first error is the run's; retries go on there too."""
    run = run_of(
        "a; error_trigger -> tell -> more; error_trigger2 -> slow",
        {"a": fails("first"), "tell": fails("second"), "slow": hangs()},
        tell={"retry": Retry(attempts=2)},
    )
    assert len(run.of(NodeFailed, "tell")) == 2
    assert (run.state.status, run.statuses["slow"], run.statuses["more"]) == ("failed", "cancelled", "skipped")
    assert run.state.error is not None and run.state.error.message == "first"
    assert len(run.of(ExecutionFailing)) == 1


@pytest.mark.parametrize(
    ("answer", "status", "seen"),
    [(gives(1), "success", {"value": 1}), (fails("boom"), "failed", {"failed": True})],
)
def test_a_node_behind_both_flows_runs_either_way(answer: Any, status: str, seen: Any) -> None:
    """G-15: the way to clean up whatever happened."""
    script = {"work": answer, "error_trigger": gives({"failed": True}), "clean": passes()}
    run = run_of("work -> clean -> end; other -> clean; error_trigger -> clean", {**script, "other": hangs()})
    if status == "success":
        run.answer("other", gives({}))
        run.go()
        seen = {"value": 1}
    assert (run.state.status, run.statuses["clean"], run.value("clean")) == (status, "success", seen)


def test_an_error_after_the_gates_have_shut_fails_the_run_without_them() -> None:
    """G-15."""
    run = run_of("work -> clean; error_trigger -> clean", {"clean": fails()})
    assert run.statuses == {"work": "success", "clean": "error", "error_trigger": "skipped"}
    assert run.state.status == "failed"


def test_try_leaves_by_try() -> None:
    """G-16."""
    run = run_of("try_catch { a -> b }; try_catch:try -> good; try_catch:catch -> bad", {"try_catch": tries()})
    assert (run.statuses["good"], run.statuses["bad"], run.value("try_catch")) == ("success", "skipped", {"b": 1})


def test_catch_leaves_by_catch_with_the_error() -> None:
    """G-16: the body's other nodes are cancelled, and nothing else fails."""
    script = {"try_catch": tries(), "a": hangs(), "b": fails("boom")}
    run = ScriptedRun(sketch("try_catch { a; b; b -> c }; try_catch:try -> good; try_catch:catch -> bad"), script)
    run.start()
    run.go()
    assert (run.statuses["good"], run.statuses["bad"], run.state.status) == ("skipped", "success", "success")
    assert run.value("try_catch")["error"]["message"] == "boom"
    assert run.value("try_catch")["error"]["nodeId"] == "b"
    assert [event.node_id for event in run.of(NodeCancelled)] == ["a"]


def test_what_is_tried_is_tried_again_before_it_is_caught() -> None:
    """G-13 G-16."""
    plan = sketch("try_catch { a }; try_catch:catch -> bad", try_catch={"retry": Retry(attempts=2)})
    run = ScriptedRun(plan, {"try_catch": [tries(), tries()], "a": fails()})
    run.start()
    run.go()
    assert [event.path for event in run.of(NodeFailed, "a")] == ["try_catch[0]", "try_catch#2[0]"]
    assert run.statuses == {"try_catch": "success", "bad": "success"}


def test_an_error_deep_inside_is_caught_where_it_is_tried() -> None:
    """G-16 G-19."""
    script = {
        "try_catch": tries(),
        "map": maps([1, 2], concurrency=2),
        "map2": maps([1], concurrency=1),
        "a": fails("deep"),
    }
    run = run_of("try_catch { map { map2 { a } } }; try_catch:catch -> bad", script)
    assert (run.state.status, run.value("try_catch")["error"]["message"]) == ("success", "deep")
