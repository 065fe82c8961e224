"""Pausing, cancelling, crashing: docs/spec.md G-24 … G-26, M-05 … M-07."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.definition.workflow import Retry
from flowscope.execution.events import (
    ErrorInfo,
    ExecutionCancelled,
    NodeCancelled,
    NodeFailed,
    NodeLost,
    NodeReleased,
    NodeSkipped,
    NodeStarted,
)
from flowscope.execution.instructions import Finish
from flowscope.execution.machine import Decision, begin
from flowscope.execution.stimuli import (
    Begin,
    Cancel,
    Expand,
    Fail,
    Fire,
    Pause,
    Recover,
    Resume,
    Signal,
    Start,
    Succeed,
    Wake,
)
from flowscope.testing.scripted import ScriptedRun, fails, gives, hangs, maps, opens, passes, waits
from flowscope.testing.sketch import sketch


def begun(text: str, script: dict[str, Any] | None = None, **more: Any) -> ScriptedRun:
    run = ScriptedRun(sketch(text, **more), script)
    run.start()
    while run.take() or run.answer():
        pass
    return run


def test_during_a_pause_nothing_starts_and_what_runs_finishes() -> None:
    """G-24."""
    run = begun("a -> b", {"a": hangs()})
    run.pause()
    run.answer("a", gives(1))
    run.go()
    assert run.statuses == {"a": "success", "b": "ready"}
    assert not begin(run.state, run.state.root, 1, run.now, Decision())
    run.resume()
    run.go()
    assert run.state.status == "success"


def test_a_pause_holds_timers_and_resuming_fires_them() -> None:
    """G-24: waits, back-offs and the run's deadline."""
    run = begun("w; r", {"w": waits(after=100), "r": [fails(), gives(1)]}, r={"retry": Retry(attempts=2, delay=50)})
    run.pause()
    run.advance(1000)
    assert run.statuses == {"w": "suspended", "r": "retrying"}
    run.resume()
    run.go()
    assert (run.now, run.state.status) == (2000, "success")


def test_a_paused_run_does_not_time_out_until_it_is_resumed() -> None:
    """G-21 G-24."""
    run = ScriptedRun(sketch("a", timeout=100), {"a": hangs()})
    run.start()
    run.take()
    run.pause()
    run.advance(1000)
    assert run.state.status == "running"
    run.resume()
    run.advance(0)
    assert run.state.status == "failed"


def test_a_paused_map_opens_no_iteration() -> None:
    """G-24."""
    run = begun("map { a }", {"map": maps([1, 2]), "a": hangs()})
    run.pause()
    run.answer("a", gives(1))
    assert len(run.state.frames) == 1
    run.resume()
    run.go()
    assert len(run.state.frames) == 2


def test_pausing_twice_is_pausing_once() -> None:
    """G-24."""
    run = begun("a", {"a": hangs()})
    assert [len(run.send(one)) for one in (Resume(), Pause(), Pause(), Resume(), Resume())] == [0, 1, 0, 1, 0]


def test_a_pause_outlives_a_crash() -> None:
    """G-24."""
    run = begun("a -> b", {"a": hangs()})
    run.pause()
    run.crash()
    run.go()
    assert run.state.paused and run.statuses["a"] == "ready"
    run.resume()
    run.go()
    run.answer("a", gives(1))
    run.go()
    assert run.state.status == "success"


EVERY_STATUS = {
    "done": gives(1),
    "running": hangs(),
    "retrying": fails(),
    "suspended": waits(signal="go"),
    "map": maps([1, 2], concurrency=2),
    "inner": hangs(),
}


def test_cancelling_ends_everything_whatever_its_status() -> None:
    """G-25: idle, ready, running, retrying, suspended, expanded, asking, lost."""
    plan = sketch(
        "done; running -> idle; retrying; suspended; map { inner -> more }; error_trigger -> tell; asking; lost",
        retrying={"retry": Retry(attempts=2)},
        asking={"on_lost": "ask"},
    )
    run = ScriptedRun(plan, {**EVERY_STATUS, "asking": hangs(), "lost": hangs()})
    run.start()
    while run.take() or run.answer():
        pass
    run.crash()
    for node_id in ("running", "inner", "inner"):
        place = next(at for at, (frame, number) in enumerate(run.state.agenda) if frame.scope.ids[number] == node_id)
        run.state.agenda.insert(0, run.state.agenda.pop(place))
        run.take()
    assert run.statuses["lost"] == "ready" and run.statuses["asking"] == "asking"
    run.cancel("enough")
    assert run.state.status == "cancelled" and run.state.error is not None
    started = ("running", "retrying", "suspended", "map", "asking", "lost")
    assert {node_id: run.statuses[node_id] for node_id in started} == dict.fromkeys(started, "cancelled")
    assert run.statuses["done"] == "success"
    assert [run.statuses[node_id] for node_id in ("idle", "error_trigger", "tell")] == ["skipped"] * 3
    assert {event.reason for event in run.of(NodeCancelled)} == {"enough"}
    assert run.of(ExecutionCancelled)[0].reason == "enough"
    assert run.instructions[-1] == Finish()
    attempts = {event.node_id: event.attempt for event in run.of(NodeCancelled)}
    assert attempts == {"running": 2, "retrying": 2, "suspended": 1, "map": 1, "asking": 2, "lost": 2, "inner": 2}


def test_cancelling_starts_nothing() -> None:
    """G-25: not even where it leaves a join with nothing but active edges."""
    run = begun("join; done -> join; slow -> join", {"slow": hangs()})
    run.cancel()
    assert run.statuses == {"join": "skipped", "done": "success", "slow": "cancelled"}


def test_a_run_that_has_not_begun_takes_nothing_but_its_start() -> None:
    """M-01."""
    run = ScriptedRun(sketch("a"))
    for stimulus in (Cancel(), Pause(), Recover(epoch=2), Wake(), Fire(), Begin(node_id="a"), Signal(name="a")):
        assert not run.send(stimulus)
    run.start()
    assert not run.send(Start())


@pytest.mark.parametrize("end", [gives(1), fails(), None])
def test_the_end_absorbs(end: Any) -> None:
    """M-05."""
    run = begun("a -> b", {"a": hangs()})
    if end:
        run.answer("a", end)
        run.go()
    else:
        run.cancel()
    length, status = len(run.events), run.state.status
    for stimulus in (
        Start(), Cancel(), Pause(), Resume(), Recover(epoch=9), Wake(), Signal(name="a"), Fire(node_id="a", attempt=1),
        Succeed(node_id="a", attempt=1, output=b"1"), Fail(node_id="a", attempt=1, error=ErrorInfo("E", "late")),
    ):  # fmt: skip
        run.send(stimulus)
    assert (len(run.events), run.state.status) == (length, status)


def test_late_and_repeated_answers_change_nothing() -> None:
    """M-06: an answer is for one attempt, and for as long as that runs."""
    run = begun("a -> hold", {"a": [fails(), hangs()], "hold": hangs()}, a={"retry": Retry(attempts=3)})
    first = Succeed(node_id="a", attempt=1, output=b"1")
    assert not run.send(first)
    run.go()
    assert not run.send(first)
    assert run.send(Succeed(node_id="a", attempt=2, output=b"2"))
    for again in (
        Succeed(node_id="a", attempt=2, output=b"3"), Fail(node_id="a", attempt=2, error=ErrorInfo("E", "late")),
        Expand(node_id="a", attempt=2, count=1), Succeed(node_id="?", attempt=1), Succeed(node_id="a", path="?", attempt=1),
        Begin(node_id="a"),
    ):  # fmt: skip
        assert not run.send(again)
    assert run.value("a") == 2


def test_begin_can_be_a_stimulus() -> None:
    run = ScriptedRun(sketch("a"))
    run.start()
    assert [event.attempt for event in run.send(Begin(node_id="a")) if isinstance(event, NodeStarted)] == [1]


def test_a_lost_node_runs_again_and_that_spends_no_retry() -> None:
    """G-26."""
    run = begun("a", {"a": [hangs(), hangs(), fails(), gives(1)]}, a={"retry": Retry(attempts=2)})
    for _ in range(2):
        run.crash()
        while run.take() or run.answer():
            pass
    assert [(event.attempt, event.outcome) for event in run.of(NodeLost)] == [(1, "rerun"), (2, "rerun")]
    run.go()
    assert [event.attempt for event in run.of(NodeStarted)] == [1, 2, 3, 4]
    assert [event.retry_at for event in run.of(NodeFailed)] == [2000]
    assert run.state.status == "success" and run.state.epoch == 3


@pytest.mark.parametrize("handled", [False, True])
def test_a_lost_node_may_fail(handled: bool) -> None:
    """G-26: without a retry, by the handle `error` if there is one."""
    run = begun("map { a; a:error -> b }" if handled else "map { a }", {"map": maps([1, 2]), "a": hangs()},
                a={"on_lost": "fail", "retry": Retry(attempts=3)})  # fmt: skip
    run.crash()
    assert run.of(NodeFailed, "a")[0].error.type == "NodeLost"
    assert run.state.status == ("running" if handled else "failed")
    run.go()
    assert not run.of(NodeLost)


def test_a_lost_last_node_that_is_handled_ends_its_iteration() -> None:
    """G-26: nothing else in it would."""
    run = begun("map { a }", {"map": maps([1]), "a": hangs()}, a={"on_lost": "fail", "continue_on_error": True})
    run.crash()
    run.go()
    assert run.state.status == "success"


def test_a_lost_node_may_ask() -> None:
    """G-26: the answer is recorded, and outlives a pause and a crash."""
    run = begun("a -> b", {"a": [hangs(), passes()]}, a={"on_lost": "ask"})
    run.crash()
    run.go()
    assert run.statuses["a"] == "asking"
    run.crash()
    run.pause()
    assert [type(event) for event in run.signal("a", "again")] == [NodeReleased]
    run.crash()
    run.resume()
    run.go()
    assert run.state.status == "success"
    assert [event.attempt for event in run.of(NodeStarted, "a")] == [1, 2]


def test_a_lost_node_that_asked_may_be_told_to_fail() -> None:
    """G-26 M-02: the attempt that will not be is the one that failed."""
    run = begun("a -> b", {"a": hangs()}, a={"on_lost": "ask", "retry": Retry(attempts=5)})
    run.crash()
    run.signal("a", "fail")
    [failed] = run.of(NodeFailed)
    assert (failed.attempt, failed.error.type, run.state.status) == (2, "NodeLost", "failed")


def test_a_crash_between_two_iterations_loses_nothing() -> None:
    """G-26: the container is asked again."""
    run = begun("loop { a }", {"loop": [opens(None), hangs(), opens(None), passes()]})
    run.crash()
    run.go()
    assert run.state.status == "success"
    assert not run.of(NodeLost) and len(run.of(NodeStarted, "a")) == 2


def test_a_lost_node_that_is_cancelled_before_it_runs_again_is_not_skipped() -> None:
    """M-02: it has started."""
    run = begun("a", {"a": hangs()})
    run.crash()
    run.cancel()
    assert not run.of(NodeSkipped)
    assert [event.attempt for event in run.of(NodeCancelled)] == [2]
