"""Taking an execution up from another: docs/spec.md, M-08 and M-09, on any graph and from any moment of any run."""

from __future__ import annotations

import zlib
from collections.abc import Set
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope.definition.plan import Plan
from flowscope.definition.workflow import JSON
from flowscope.execution import invariants
from flowscope.execution.events import ErrorInfo, NodeAdopted, NodeStarted, decode_lines, encode_lines
from flowscope.execution.keeping import Choice, Wanted, choose
from flowscope.execution.past import Past
from flowscope.execution.payload import Payload
from flowscope.execution.state import digest, fold
from flowscope.execution.stimuli import AnyStimulus, Expand, Fail, Start, Succeed
from flowscope.execution.view import COMPLETE, ExecutionView, WorkflowShape
from flowscope.testing.scripted import ScriptedRun, Turn, value_of
from properties.test_machine import CONTAINERS, Chaos, any_plan, lengths, seeds, sizes


def build(payload: Payload) -> bytes:
    return msgspec.json.encode(value_of(payload))


def no_difference(node_id: str, same: Set[str]) -> str:
    return ""


def past_of(run: ScriptedRun, upto: int) -> Past:
    return Past("run", run.state.plan, decode_lines(encode_lines(run.events[:upto])))


def start_of(choice: Choice, wanted: Wanted, **more: object) -> Start:
    past = choice.past.state
    return Start(
        input=b"{}", trigger=past.trigger, origin="fork", parent_execution_id="run", until=wanted.until,
        kept=choice.kept(build), **more,  # type: ignore[arg-type]
    )  # fmt: skip


class Taken(Chaos):
    """A run in which everything goes wrong that can, and that began with what another had done."""

    def __init__(self, plan: Plan, seed: int, steps: int, start: Start) -> None:
        self.beginning = start
        super().__init__(plan, seed, steps)

    def one_thing(self) -> None:
        if self.run.state.status == "pending":
            self.send(self.beginning)
        else:
            super().one_thing()

    def calm_down(self) -> None:
        if self.run.state.status == "pending":
            self.send(self.beginning)
        super().calm_down()


@settings(max_examples=120, deadline=None)
@given(seeds, sizes, lengths, st.booleans())
def test_any_run_may_be_taken_up_from_any_moment_of_any_other(seed: int, size: int, steps: int, forked: bool) -> None:
    """M-08: what is kept never runs, what is asked for does, every invariant holds, the state is the fold, it ends."""
    plan, dice = any_plan(seed, size), Random(seed)
    first = Chaos(plan, seed, steps).run
    past = past_of(first, dice.choice([step for step in first.steps if step] or [0]))
    if past.state.status == "pending":
        return
    ids = plan.root.ids
    again = dice.choice(ids) if forked else ""
    wanted = Wanted(again=again, until=dice.choice(("", "", *ids)) if forked else "", trigger=past.state.trigger)
    choice = choose(past, plan, wanted, no_difference)
    second = Taken(plan, seed + 1, steps, start_of(choice, wanted)).run
    invariants.check_journal(second.events)
    assert digest(fold("run", plan, decode_lines(encode_lines(second.events)))) == digest(second.state)
    fates = {fate.node_id: fate.fate for fate in choice.fates}
    started = {event.node_id for event in second.of(NodeStarted) if not event.path}
    adopted = {event.node_id for event in second.of(NodeAdopted) if not event.path}
    assert adopted == {node_id for node_id, fate in fates.items() if fate == "kept"}
    assert not adopted & started
    assert again not in adopted
    for node_id in adopted:
        number = plan.root.index[node_id]
        assert second.value(node_id) == value_of(past.state.root.outputs[number] or b"null")
    unwanted = {node_id for node_id, fate in fates.items() if fate == "skipped"}
    assert not wanted.until or not unwanted & started


@settings(max_examples=60, deadline=None)
@given(seeds, sizes, lengths)
def test_a_view_of_a_run_that_was_taken_up_is_complete_at_its_end(seed: int, size: int, steps: int) -> None:
    """M-08."""
    plan = any_plan(seed, size)
    first = Chaos(plan, seed, steps).run
    past = past_of(first, len(first.events))
    wanted = Wanted(trigger=past.state.trigger)
    second = Taken(plan, seed, steps, start_of(choose(past, plan, wanted, no_difference), wanted)).run
    view = ExecutionView("run", WorkflowShape.of(plan.workflow))
    for event in second.events:
        view.apply(event)
        assert sum(view.counts.values()) == len(view.nodes)
    assert view.ended
    assert all(node.status in COMPLETE for node in view.nodes.values() if node.parent is None)


# --- the meaning ---


class Steady:
    """Handlers that give the same answer to the same input; in the first run some of them fail, once."""

    def __init__(self, plan: Plan, faults: int, seed: int) -> None:
        self.kinds = {node.id: node.type for node in plan.workflow.nodes}
        self.faults = faults
        parents = {node.id: node.parent_id for node in plan.workflow.nodes}
        handled = {edge.source for edge in plan.workflow.edges if edge.source_handle == "error"}
        handled |= {node_id for node_id, kind in self.kinds.items() if kind == "try_catch"}
        self.fragile = {node_id for node_id in parents if not handled.intersection(_around(node_id, parents))}
        """Nodes whose failure is the run's."""
        self.dice = Random(seed)
        self.calls: list[tuple[str, str, JSON]] = []

    def answer(self, turn: Turn) -> AnyStimulus:
        common = {"node_id": turn.node_id, "path": turn.path, "attempt": turn.attempt}
        kind = self.kinds[turn.node_id]
        if kind in CONTAINERS:
            return self.contain(kind, turn)
        if self.faults and turn.node_id in self.fragile and self.dice.random() < 0.2:
            self.faults -= 1
            return Fail(error=ErrorInfo("NodeError", "boom", retryable=False), **common)  # type: ignore[arg-type]
        self.calls.append((turn.path, turn.node_id, None))
        output = msgspec.json.encode({turn.node_id: zlib.crc32(msgspec.json.encode(turn.value, order="sorted"))})
        return Succeed(output=output, **common)  # type: ignore[arg-type]

    def contain(self, kind: str, turn: Turn) -> AnyStimulus:
        common = {"node_id": turn.node_id, "path": turn.path, "attempt": turn.attempt}
        rounds = {"map": 1, "loop": 3, "try_catch": 1}[kind]
        if turn.iteration >= (1 if kind != "loop" else rounds):
            handle = ("try",) if kind == "try_catch" else ("output",)
            return Succeed(last=kind != "map", handle=handle, **common)  # type: ignore[arg-type]
        if kind == "loop":
            return Expand(count=1, **common)  # type: ignore[arg-type]
        items = msgspec.json.encode([turn.value] if kind == "try_catch" else [turn.value, 2, "three"])
        count = 1 if kind == "try_catch" else 3
        return Expand(count=count, items=items, concurrency=2, **common)  # type: ignore[arg-type]


def _around(node_id: str, parents: dict[str, str | None]) -> list[str]:
    inner: str | None = node_id
    around = []
    while inner is not None:
        around.append(inner)
        inner = parents[inner]
    return around


@settings(max_examples=60, deadline=None)
@given(seeds, sizes)
def test_a_retried_run_comes_to_what_it_would_have_come_to(seed: int, size: int) -> None:
    """M-09: retried until it succeeds, it ends as the run in which nothing had failed, and nothing kept was called again."""
    plan = any_plan(seed, size, simple=True)

    def run_of(steady: Steady) -> ScriptedRun:
        return ScriptedRun(plan, dict.fromkeys(steady.kinds, steady.answer), dice=Random(seed).randrange)

    calm = Steady(plan, 0, seed)
    smooth = run_of(calm)
    smooth.start({"in": 1})
    smooth.go()
    steady = Steady(plan, 2, seed)
    rough = run_of(steady)
    rough.start({"in": 1})
    rough.go()
    for _ in range(4):
        past = past_of(rough, len(rough.events))
        choice = choose(past, plan, Wanted(), no_difference)
        rough = run_of(steady)
        rough.send(msgspec.structs.replace(start_of(choice, Wanted()), input=b'{"in":1}'))
        rough.go()
    assert (rough.state.status, smooth.state.status) == ("success", "success")
    assert rough.output == smooth.output
    # A call that failed is not among them.
    assert {(path, node) for path, node, _ in steady.calls} == {(path, node) for path, node, _ in calm.calls}
