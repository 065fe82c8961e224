"""Large graphs: docs/spec.md M-07. Nothing recurses, frames are dropped, and the work is counted rather than timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from flowscope.definition.plan import Plan
from flowscope.definition.workflow import Edge, Node, Policy
from flowscope.execution import invariants, state
from flowscope.execution.events import NodeSkipped
from flowscope.execution.state import digest, fold
from flowscope.testing.scripted import Script, ScriptedRun, fails, gives, loops, maps, passes
from flowscope.testing.sketch import plan_of, sketch

MANY = 100_000


def tasks(count: int) -> list[Node]:
    return [Node(f"n{number}", "task", "", {}, Policy()) for number in range(count)]


def chain(count: int) -> Plan:
    return plan_of(tasks(count), [Edge("", f"n{number}", f"n{number + 1}") for number in range(count - 1)])


def fan(count: int) -> Plan:
    """One node, many after it, and one that joins them."""
    out = [Edge("", "n0", f"n{number}") for number in range(1, count - 1)]
    back = [Edge("", f"n{number}", f"n{count - 1}") for number in range(1, count - 1)]
    return plan_of(tasks(count), out + back)


def finished(plan: Plan, script: Script | None = None, status: str = "success") -> ScriptedRun:
    run = ScriptedRun(plan, script, check=False)
    run.start()
    run.go()
    assert run.state.status == status
    invariants.check(run.state)
    invariants.check_journal(run.events)
    return run


@pytest.mark.parametrize("make", [chain, fan])
def test_a_hundred_thousand_nodes(make: Callable[[int], Plan]) -> None:
    """M-07: in two events a node."""
    run = finished(make(MANY))
    assert len(run.events) == 2 * MANY + 2
    assert digest(fold("run", run.state.plan, run.events)) == digest(run.state)


def test_a_hundred_thousand_nodes_that_are_skipped_one_after_the_other() -> None:
    """M-07."""
    run = finished(chain(MANY), {"n0": gives(1, "elsewhere")})
    assert len(run.of(NodeSkipped)) == MANY - 1


def test_a_failure_ahead_of_a_hundred_thousand_nodes() -> None:
    """M-07."""
    assert len(finished(fan(MANY), {"n0": fails()}, "failed").of(NodeSkipped)) == MANY - 1


def test_a_map_of_a_hundred_thousand_items_holds_only_what_runs() -> None:
    """M-07."""
    run = ScriptedRun(sketch("map { a }"), {"map": maps([1] * MANY, concurrency=8), "a": gives(1)}, check=False)
    run.start()
    most = 0
    while run.step():
        most = max(most, len(run.state.frames))
    assert (most, run.state.status, len(run.state.frames)) == (9, "success", 1)
    assert run.value("map") == [1] * MANY


def test_a_loop_of_ten_thousand_rounds() -> None:
    """M-07."""
    finished(sketch("loop { a }"), {"loop": loops(10_000), "a": passes()})


def test_bodies_nest_as_deep_as_they_may() -> None:
    """M-07."""
    depth = 64
    text = "".join(f"c{'x' * level} {{ " for level in range(depth)) + "a" + " }" * depth
    maps_ = {f"c{'x' * level}": maps([1]) for level in range(depth)}
    assert finished(sketch(text), maps_).state.ended
    assert finished(sketch(text), {**maps_, "a": fails()}, "failed").state.ended


def test_a_ladder_of_diamonds_that_pass_their_input_on_does_not_double() -> None:
    """M-07: recipes are shared, flat, and hashed without recursion."""
    rungs = 2_000
    nodes = [
        Node(name, "task", "", {}, Policy()) for rung in range(rungs) for name in (f"a{rung}", f"b{rung}", f"c{rung}")
    ]
    edges = [
        Edge("", source, target)
        for rung in range(rungs)
        for source, target in [
            (f"a{rung}", f"b{rung}"), (f"a{rung}", f"c{rung}"),
            *([(f"b{rung}", f"a{rung + 1}"), (f"c{rung}", f"a{rung + 1}")] if rung < rungs - 1 else []),
        ]
    ]  # fmt: skip
    run = finished(plan_of(nodes, edges), {node.id: passes() for node in nodes})
    assert digest(fold("run", run.state.plan, run.events)) == digest(run.state)
    assert run.value(f"c{rungs - 1}") == {}


@pytest.mark.parametrize("make", [chain, fan])
def test_the_work_grows_with_the_graph_and_no_faster(make: Callable[[int], Plan]) -> None:
    """M-07: calls into `state`, counted at two sizes."""
    calls = {}
    for size in (500, 5_000):
        run = ScriptedRun(make(size), check=False)
        calls[size] = _calls_into(state.__file__, run)
    assert calls[5_000] < 10.5 * calls[500]


def _calls_into(file: str, run: ScriptedRun) -> int:
    counted = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal counted
        counted += event == "call" and frame.f_code.co_filename == file

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        run.start()
        run.go()
    finally:
        sys.setprofile(before)
    assert run.state.status == "success"
    return counted
