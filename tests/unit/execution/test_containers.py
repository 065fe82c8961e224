"""Bodies: docs/spec.md G-16 … G-21."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.definition.workflow import Retry
from flowscope.execution.events import (
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeCancelled,
    NodeFailed,
    NodeSkipped,
    NodeStarted,
)
from flowscope.execution.frame import key_of
from flowscope.execution.machine import MAX_OPEN
from flowscope.execution.state import path_of
from flowscope.execution.stimuli import Expand, Succeed
from flowscope.testing.scripted import (
    ScriptedRun,
    Turn,
    collects,
    fails,
    gives,
    hangs,
    loops,
    maps,
    opens,
    passes,
    value_of,
)
from flowscope.testing.sketch import sketch


def run_of(text: str, script: dict[str, Any] | None = None, input: Any = None, **more: Any) -> ScriptedRun:
    run = ScriptedRun(sketch(text, **more), script)
    run.start(input)
    run.go()
    return run


def counted(turn: Turn) -> Any:
    """A loop's body that counts."""
    value = turn.value
    return gives({"n": value["n"] + 1})(turn)


def test_a_loop_hands_its_state_on() -> None:
    """G-17."""
    run = run_of("loop { a } -> end", {"loop": loops(3), "a": counted, "end": passes()}, {"n": 0})
    assert run.value("loop") == run.value("end") == {"n": 3}
    assert [event.path for event in run.of(NodeStarted, "a")] == ["loop[0]", "loop[1]", "loop[2]"]


def test_a_loop_that_does_not_run_gives_its_input() -> None:
    """G-17: the state before the first iteration is the input."""
    assert run_of("loop { a }", {"loop": loops(0)}, {"n": 7}).value("loop") == {"n": 7}


def test_a_map_gives_its_results_in_item_order() -> None:
    """G-18: however the iterations finish."""
    run = ScriptedRun(sketch("map { a }"), {"map": maps(["x", "y", "z"], concurrency=3), "a": hangs()})
    run.start()
    run.go()
    for turn in reversed(list(run.turns)):
        run.send(Succeed(node_id="a", path=turn.path, attempt=1, passed=True))
    run.go()
    assert run.value("map") == ["x", "y", "z"]
    assert [event.index for event in run.of(IterationSucceeded)] == [2, 1, 0]


@pytest.mark.parametrize(("said", "open_at_once"), [(1, 1), (2, 2), (7, 5), (0, 5)])
def test_a_map_opens_as_many_iterations_as_it_may(said: int, open_at_once: int) -> None:
    """G-18."""
    run = ScriptedRun(sketch("map { a -> b }"), {"map": maps([0] * 5, concurrency=said)})
    run.start()
    most = 0
    while run.step():
        most = max(most, len(run.state.frames) - 1)
    assert most == open_at_once and run.state.status == "success"


def test_without_a_limit_there_still_is_one() -> None:
    """G-18."""
    run = ScriptedRun(sketch("map { a }"), {"map": maps([0] * (MAX_OPEN + 1), concurrency=0)}, check=False)
    run.start()
    run.take()
    run.answer()
    assert len(run.of(IterationStarted)) == MAX_OPEN


def test_an_empty_map_gives_an_empty_list() -> None:
    """G-18: whether it opens nothing or says so at once."""
    assert run_of("map { a } -> end", {"map": maps([])}).value("map") == []
    opened = run_of("map { a } -> end", {"map": [opens([]), collects()]})
    assert (opened.value("map"), opened.statuses["end"]) == ([], "success")


def test_a_body_with_several_ends_gives_an_object() -> None:
    """G-09 G-18."""
    run = run_of("map { a -> b; a -> c; a:no -> d }", {"map": maps([1])})
    assert run.value("map") == [{"b": {"b": 1}, "c": {"c": 1}}]


def test_maps_nest() -> None:
    """G-18."""

    def inner(turn: Turn) -> Any:
        return maps(turn.value, concurrency=2)(turn) if not turn.iteration else collects()(turn)

    run = run_of("map { map2 { a } }", {"map": maps([[1, 2], [], [3]], concurrency=2), "map2": inner, "a": passes()})
    assert run.value("map") == [[1, 2], [], [3]]
    assert "map[0].map2[1]" in {event.path for event in run.of(NodeStarted, "a")}


def test_batches_of_one_container_follow_each_other() -> None:
    """G-18: items of a former batch stay what they were."""
    run = run_of("map { a }", {"map": [opens(["x", "y"]), opens(["z"]), collects()], "a": passes()})
    assert run.value("map") == ["x", "y", "z"]
    assert [event.path for event in run.of(NodeStarted, "a")] == ["map[0]", "map[1]", "map[2]"]


def test_an_items_error_fails_the_map() -> None:
    """G-19: the other items end as cancelled, in every frame every node ends, and the run fails."""
    run = ScriptedRun(sketch("map { a -> b } -> end"), {"map": maps([1, 2, 3], concurrency=2), "a": hangs()})
    run.start()
    run.go()
    run.answer("a", fails("boom"))
    assert [(event.path, event.node_id) for event in run.of(NodeCancelled)] == [("map[1]", "a")]
    assert [(event.path, event.node_id) for event in run.of(NodeSkipped)] == [
        ("map[0]", "b"),
        ("map[1]", "b"),
        ("", "end"),
    ]
    [failed] = run.of(IterationFailed)
    assert (failed.index, failed.error.node_id) == (0, "a")
    assert run.state.status == "failed" and run.state.error == failed.error


def test_a_collecting_map_goes_on() -> None:
    """G-19: with the items it has not opened yet, too."""

    def odd(turn: Turn) -> Any:
        return (fails(f"not {turn.value}") if turn.value % 2 else passes())(turn)

    run = run_of("map { a }", {"map": maps([1, 2, 3, 4, 5], concurrency=2, collect=True), "a": odd})
    results = run.value("map")
    assert [value if isinstance(value, int) else value["error"]["message"] for value in results] == [
        "not 1", 2, "not 3", 4, "not 5",
    ]  # fmt: skip
    assert run.state.status == "success"


def test_a_container_that_is_tried_again_opens_new_iterations() -> None:
    """G-20: with paths of their own, and the same keys."""
    plan = sketch("map { a }", map={"retry": Retry(attempts=2)})
    again = passes()
    script = {"map": maps([1, 2]), "a": lambda turn: (again if turn.path.startswith("map#2") else fails())(turn)}
    run = ScriptedRun(plan, script)
    run.start()
    keys = set()
    while run.step():
        keys |= {key_of(frame) for frame in run.state.frames.values()} - {""}
    assert [event.path for event in run.of(NodeStarted, "a")] == ["map[0]", "map#2[0]", "map#2[1]"]
    assert keys == {"map[0]", "map[1]"}
    assert run.value("map") == [1, 2]


def test_lost_attempts_of_a_container_leave_no_mark_on_its_paths() -> None:
    """G-20 G-26."""
    run = ScriptedRun(sketch("map { a }"), {"map": [hangs(), maps([1])]})
    run.start()
    run.go()
    run.crash()
    run.go()
    assert [(event.path, event.attempt) for event in run.of(NodeStarted, "a")] == [("map[0]", 1)]


def test_paths_of_odd_ids_do_not_meet() -> None:
    """G-20: an id may hold brackets; paths are told apart all the same."""
    plan = sketch("m { n { a } }; m[0].n { b }", n={"type": "map"})
    run = ScriptedRun(plan, {"m": maps([1]), "n": maps([1]), "m[0].n": maps([1])})
    run.start()
    run.go()
    assert run.state.status == "success"
    assert {event.path for event in run.of(NodeStarted, "b")} == {"m%5B0%5D.n[0]"}
    assert path_of(run.state.root, 0, 3) == "m[3]"


def test_a_handled_error_inside_does_not_fail_the_iteration() -> None:
    """G-11 G-18."""
    run = run_of("map { a:error -> b }", {"map": maps([1, 2]), "a": fails()})
    assert (run.value("map"), run.state.status) == ([{"b": 1}, {"b": 1}], "success")


def test_an_iteration_whose_last_node_is_skipped_is_through() -> None:
    """G-03 G-18."""
    run = run_of("map { a:no -> b -> c }", {"map": maps([1, 2])})
    assert (run.value("map"), run.state.status) == ([{}, {}], "success")


def test_a_container_is_asked_by_one_only() -> None:
    """G-17: a repeated question, by a resumption or a late entry, would count an iteration twice."""
    run = ScriptedRun(sketch("loop { a }"), {"loop": [opens(None), hangs()]})
    run.start()
    run.go()
    frame, number = run.state.root, 0
    assert [turn.iteration for turn in run.turns] == [1]
    run.pause()
    run.resume()
    run.state.agenda.append((frame, number))
    while run.take():
        pass
    assert len(run.turns) == 1


def test_an_answer_with_iterations_from_a_node_without_a_body_fails_it() -> None:
    run = run_of("a", {"a": opens([1])})
    assert run.state.status == "failed" and "no body" in run.of(NodeFailed)[0].error.message


def test_a_late_expansion_changes_nothing() -> None:
    run = ScriptedRun(sketch("map { a }"), {"map": maps([1, 2], concurrency=1), "a": hangs()})
    run.start()
    run.go()
    assert not run.send(Expand(node_id="map", attempt=1, count=3, items=b"[1,2,3]"))
    assert not run.send(Expand(node_id="map", attempt=2, count=3, items=b"[1,2,3]"))


def test_a_container_times_out() -> None:
    """G-21: from its expansion on; its iterations end as cancelled. The next attempt has the whole time again."""
    plan = sketch("map { a }", map={"timeout": 100.0, "retry": Retry(attempts=2, delay=1000)})
    run = ScriptedRun(plan, {"map": maps([1]), "a": hangs()})
    run.start()
    run.go()
    times = [(event.at, event.error.type, event.retry_at) for event in run.of(NodeFailed)]
    assert times == [(1100, "NodeTimeout", 2100), (2200, "NodeTimeout", 0)]
    assert [event.at for event in run.of(NodeCancelled)] == [1100, 2200]


def test_the_last_result_of_a_run_in_the_middle_can_be_looked_at() -> None:
    run = ScriptedRun(
        sketch("loop { a }"),
        {"loop": loops(3), "a": lambda turn: (hangs() if turn.path == "loop[2]" else counted)(turn)},
    )
    run.start({"n": 1})
    run.go()
    expansion = run.state.root.expansion(0)
    assert expansion is not None and expansion.items is None and not expansion.idle
    assert expansion.last is not None and value_of(expansion.last) == {"n": 3}
