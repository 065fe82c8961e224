"""Which nodes run, and with what: docs/spec.md G-01 … G-09."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.definition.workflow import Retry
from flowscope.execution.events import NodeSkipped, NodeStarted
from flowscope.execution.stimuli import Recover
from flowscope.testing.scripted import ScriptedRun, Turn, fails, gives, hangs, passes
from flowscope.testing.sketch import sketch


def ran(text: str, script: dict[str, Any] | None = None, input: Any = None, **more: Any) -> ScriptedRun:
    run = ScriptedRun(sketch(text, **more), script)
    run.start(input)
    run.go()
    assert run.state.status == "success"
    return run


def told(run: ScriptedRun, node_id: str) -> Any:
    """The input that a node which passes it on had."""
    return run.value(node_id)


def test_roots_get_the_input() -> None:
    """G-01."""
    run = ran("a; b", {"a": passes(), "b": passes()}, {"x": 1})
    assert told(run, "a") == told(run, "b") == {"x": 1}


@pytest.mark.parametrize(("named", "fired"), [("", "m"), ("w", "w"), ("webhook", "webhook")])
def test_only_the_trigger_that_fired_is_active(named: str, fired: str) -> None:
    """G-02."""
    plan = sketch("webhook -> end; m -> end; w -> end", m={"type": "manual_trigger"}, w={"type": "webhook"})
    run = ScriptedRun(plan)
    run.start(trigger=named)
    run.go()
    others = {"webhook", "m", "w"} - {fired}
    assert {node_id for node_id, status in run.statuses.items() if status == "skipped"} == others
    assert run.statuses[fired] == run.statuses["end"] == "success"


def test_without_a_manual_trigger_the_first_one_fires() -> None:
    """G-02."""
    run = ran("webhook; webhook2; free")
    assert run.statuses == {"webhook": "success", "webhook2": "skipped", "free": "success"}


def test_what_nothing_reaches_is_skipped_and_so_is_what_follows() -> None:
    """G-03."""
    run = ran("a -> if:no -> b -> c -> d; if:yes -> e", {"if": passes("yes")})
    assert [event.node_id for event in run.of(NodeSkipped)] == ["b", "c", "d"]
    assert run.statuses["e"] == "success"


@pytest.mark.parametrize(("side", "other"), [("true", "false"), ("false", "true")])
def test_an_if_takes_one_side(side: str, other: str) -> None:
    """G-04."""
    run = ran("if:true -> true; if:false -> false; true -> end; false -> end", {"if": passes(side)}, {"x": 1})
    assert (run.statuses[side], run.statuses[other], run.statuses["end"]) == ("success", "skipped", "success")
    assert run.value("if") == {"x": 1}


@pytest.mark.parametrize(
    ("preferred", "taken"),
    [(("b", "default"), "b"), (("z", "default"), "rest"), (("z", "y"), None), (("default",), "rest")],
)
def test_a_switch_takes_its_first_handle_with_an_edge_else_the_last(
    preferred: tuple[str, ...], taken: str | None
) -> None:
    """G-04."""
    run = ran("s:a -> a; s:b -> b; s:default -> rest", {"s": passes(*preferred)})
    assert [node_id for node_id in ("a", "b", "rest") if run.statuses[node_id] == "success"] == (
        [taken] if taken else []
    )


def test_a_handle_without_an_edge_does_not_leave_by_the_default_one() -> None:
    """G-04."""
    run = ran("s -> next", {"s": passes("paid")})
    assert run.statuses["next"] == "skipped"


def test_several_edges_on_one_handle_are_all_active() -> None:
    """G-04."""
    run = ran("s:yes -> a; s:yes -> b; s:no -> c", {"s": passes("yes")})
    assert (run.statuses["a"], run.statuses["b"], run.statuses["c"]) == ("success", "success", "skipped")


def test_an_all_join_waits_for_every_edge_and_needs_one_active() -> None:
    """G-05."""
    run = ScriptedRun(sketch("a -> c; if:yes -> c; if:no -> d; d -> e; a:other -> e"), {"if": hangs()})
    run.start()
    run.go()
    assert run.statuses["c"] == "idle"
    run.answer("if", passes("no"))
    run.go()
    assert (run.statuses["c"], run.value("c"), run.statuses["e"]) == ("success", {"c": 1}, "success")


def test_a_diamond_runs_each_node_once() -> None:
    """G-05."""
    run = ran("a -> b; a -> c; b -> d; c -> d", {"d": passes()})
    assert sorted(event.node_id for event in run.of(NodeStarted)) == ["a", "b", "c", "d"]
    assert told(run, "d") == {"b": 1, "c": 1}


def any_join(**script: Any) -> ScriptedRun:
    """`late` stands first in edge order, `early` answers first."""
    plan = sketch("late -> join; early -> join -> end", join={"join": "any", "retry": Retry(attempts=3)})
    run = ScriptedRun(plan, {"late": hangs(), "join": passes(), **script})
    run.start()
    run.take()
    run.take()
    run.answer("early", gives("early"))
    return run


def test_an_any_join_starts_at_its_first_edge_and_ignores_later_ones() -> None:
    """G-06."""
    run = any_join()
    run.go()
    assert run.value("join") == "early" and run.statuses["end"] == "success"
    run.answer("late", gives("late"))
    assert run.state.status == "success"
    assert len(run.of(NodeStarted, "join")) == 1


def test_an_any_join_keeps_to_the_first_edge_in_time_not_in_order() -> None:
    """G-06: the second edge comes in before the node has started."""
    run = any_join()
    run.answer("late", gives("late"))
    run.go()
    assert run.value("join") == "early"


def test_an_any_join_keeps_its_edge_when_it_is_tried_again_and_after_a_crash() -> None:
    """G-06."""
    run = any_join(join=[fails(), hangs(), passes()])
    run.go()
    run.answer("late", gives("late"))
    run.crash()
    run.go()
    assert [event.attempt for event in run.of(NodeStarted, "join")] == [1, 2, 3]
    assert run.value("join") == "early"


def test_an_any_join_that_nothing_reaches_is_skipped() -> None:
    """G-03 G-06."""
    run = ran("a:no -> join; b:no -> join", join={"join": "any"})
    assert run.statuses["join"] == "skipped"


def test_several_active_edges_merge_in_edge_order() -> None:
    """G-07."""
    script = {"a": gives({"x": 1, "y": 1}), "b": gives({"y": 2}), "c": gives([7]), "d": gives(8), "end": passes()}
    run = ran("b -> end; a -> end; c -> end; d -> end", script)
    assert told(run, "end") == {"x": 1, "y": 1, "items": [7], "value": 8}


@pytest.mark.parametrize("value", [[1], 2, None, "text", {"x": 1}])
def test_one_active_edge_gives_the_output_as_it_is(value: Any) -> None:
    """G-07."""
    run = ran("a -> end; b:no -> end", {"a": gives(value), "end": passes()})
    assert told(run, "end") == value


def test_two_input_handles_make_an_object_by_handle() -> None:
    """G-08."""
    script = {"a": gives(1), "b": gives([2]), "c": gives({"x": 3}), "end": passes()}
    assert told(ran("a -> end:left; b -> end:right; c -> end:right", script), "end") == {
        "left": 1,
        "right": {"items": [2], "x": 3},
    }


def test_the_shape_by_handle_does_not_depend_on_what_is_active() -> None:
    """G-08."""
    run = ran("a -> end:left; b:no -> end:right", {"a": gives(1), "end": passes()})
    assert told(run, "end") == {"left": 1}


def test_one_input_handle_of_another_name_makes_no_object() -> None:
    """G-08."""
    assert told(ran("a -> end:left", {"a": gives(1), "end": passes()}), "end") == 1


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("a -> b", {"b": 1}),
        ("a -> b; a -> c", {"b": {"b": 1}, "c": {"c": 1}}),
        ("a -> b; a:no -> c", {"b": 1}),
        ("a:no -> b", {}),
        ("a -> b; b:error -> c", {"b": 1}),
    ],
)
def test_the_output_of_a_run(text: str, output: Any) -> None:
    """G-09."""
    assert ran(text).output == output


def test_the_first_turn_of_a_node_knows_its_input() -> None:
    seen: list[Turn] = []

    def answer(turn: Turn) -> Any:
        seen.append(turn)
        return passes()(turn)

    ran("a -> b", {"b": answer})
    assert [(turn.node_id, turn.value, turn.attempt) for turn in seen] == [("b", {"a": 1}, 1)]


def test_recovery_under_an_old_epoch_changes_nothing() -> None:
    run = ScriptedRun(sketch("a"), {"a": hangs()})
    run.start()
    run.go()
    assert not run.send(Recover(epoch=1))
