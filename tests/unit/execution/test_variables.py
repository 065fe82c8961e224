"""Variables of a run: docs/spec.md G-27."""

from __future__ import annotations

from typing import Any

from flowscope.execution.events import VariableSet
from flowscope.execution.state import fold
from flowscope.execution.stimuli import Assign
from flowscope.testing.scripted import ScriptedRun, gives, hangs
from flowscope.testing.sketch import sketch


def running() -> ScriptedRun:
    run = ScriptedRun(sketch("a -> b"), {"a": hangs(), "b": gives(1)})
    run.start()
    run.go()
    return run


def assign(run: ScriptedRun, name: str, value: bytes, attempt: int = 1) -> list[Any]:
    return run.send(Assign(node_id="a", attempt=attempt, name=name, value=value))


def test_the_last_in_the_journal_wins_and_the_fold_has_it_too() -> None:
    """G-27."""
    run = running()
    assign(run, "x", b"1")
    assign(run, "y", b"null")
    (event,) = assign(run, "x", b"2")
    assert isinstance(event, VariableSet)
    assert run.state.variables == {"x": b"2", "y": b"null"}
    run.crash()
    assert run.state.variables == {"x": b"2", "y": b"null"}
    before = fold(run.state.execution_id, run.state.plan, run.events[: event.seq - 1])
    assert before.variables["x"] == b"1"


def test_an_attempt_that_is_over_sets_nothing() -> None:
    """G-27, M-06."""
    run = running()
    assert assign(run, "x", b"1", attempt=2) == []
    run.crash()
    assert assign(run, "x", b"1", attempt=1) == []
    assert run.state.variables == {}
