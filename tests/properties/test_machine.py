"""The machine under any graph and any order of stimuli: docs/spec.md, section Machine (M-01 …)."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope.definition.plan import Plan
from flowscope.definition.workflow import JSON, Edge, Join, Node, OnLost, Policy, Retry
from flowscope.execution import invariants
from flowscope.execution import status as s
from flowscope.execution.events import ErrorInfo, decode_lines, encode_lines
from flowscope.execution.state import digest, fold
from flowscope.execution.stimuli import (
    AnyStimulus,
    Begin,
    Cancel,
    Expand,
    Fail,
    Fire,
    Lose,
    Pause,
    Recover,
    Resume,
    Signal,
    Start,
    Succeed,
    Suspend,
    Wake,
)
from flowscope.testing.scripted import Answer, ScriptedRun, Turn, gives, loops, maps, tries
from flowscope.testing.sketch import plan_of

HANDLES = ("output", "output", "output", "true", "error")
JOINS: tuple[Join, ...] = ("all", "all", "any")
LOSSES: tuple[OnLost, ...] = ("rerun", "fail", "ask")
CONTAINERS = ("map", "loop", "try_catch")


# --- any graph ---


def any_plan(seed: int, size: int, *, simple: bool = False) -> Plan:
    """Scopes of up to `size` nodes, nested two deep, in no particular document order. `simple`: what the reference can
    evaluate. Hypothesis chooses the sizes and a seed; choosing every edge, it would mostly choose none."""
    dice = Random(seed)
    nodes: list[Node] = []
    edges: list[Edge] = []

    def policy() -> Policy:
        if simple:
            return Policy()
        return Policy(
            retry=Retry(attempts=dice.choice((1, 1, 2, 3)), delay=dice.choice((0, 10, 1000))),
            timeout=dice.choice((None, None, None, 50.0)),
            continue_on_error=dice.random() < 0.2,
            join=dice.choice(JOINS),
            on_lost=dice.choice(LOSSES),
        )

    def scope(parent: str | None, depth: int) -> None:
        mine: list[str] = []
        for number in range(dice.randint(1 + size // 2, size) if depth == 0 else dice.randint(1, min(size, 4))):
            node_id = f"{parent or ''}{'abcdefgh'[number]}"
            kind = dice.choice(("task", "task", "task", *CONTAINERS)) if depth < 2 else "task"
            sources = dice.sample(mine, dice.randint(0, min(3, len(mine))))
            if parent is None and not sources and number and not simple:
                kind = dice.choice((kind, "manual_trigger", "error_trigger"))
            nodes.append(Node(node_id, kind, node_id, {}, policy(), parent))
            for source in sources:
                for handle in dict.fromkeys(dice.choices(HANDLES, k=2)):
                    edges.append(Edge("", source, node_id, handle, dice.choice(("input", "input", "left"))))
            mine.append(node_id)
            if kind in CONTAINERS:
                scope(node_id, depth + 1)

    scope(None, 0)
    dice.shuffle(nodes)
    return plan_of(nodes, edges, timeout=0 if simple else dice.choice((0, 0, 0, 2000)))


seeds = st.integers(0, 2**32)
sizes = st.integers(1, 8)
lengths = st.integers(0, 90)


# --- any order of stimuli ---


class Chaos:
    """A run in which everything goes wrong that can, and then no more: it must end."""

    def __init__(self, plan: Plan, seed: int, steps: int) -> None:
        self.random = Random(seed)
        self.ids = [node.id for node in plan.workflow.nodes]
        self.kinds = {node.id: node.type for node in plan.workflow.nodes}
        self.run = ScriptedRun(plan, dict.fromkeys(self.ids, self.any_answer), dice=self.random.randrange)
        self.sent: list[AnyStimulus] = []
        self.tame = False
        for _ in range(steps):
            self.one_thing()
        self.tame = True
        self.calm_down()

    def one_thing(self) -> None:
        run, dice = self.run, self.random
        what = dice.choice("tttttttaaaaaaaaaprrsscxduuk")
        if run.state.status == "pending":
            self.send(Start(trigger=dice.choice(["", *self.ids])) if dice.random() < 0.8 else self.alien())
        elif what == "t":
            run.take()
        elif what == "a":
            run.answer()
        elif what == "p":
            self.send(Pause())
        elif what == "r":
            self.send(Resume())
        elif what == "s":
            payload = dice.choice([b"1", b'"fail"', b'{"a":1}'])
            self.send(
                Signal(name=dice.choice(["go", *self.ids]), payload=payload, handle=dice.choice(("output", "true")))
            )
        elif what == "c" and dice.random() < 0.1:
            self.send(Cancel(reason=dice.choice(["", "enough"])))
        elif what == "x":
            at = dice.choice(run.steps[-6:])
            if at:
                run.crash(run.events[:at])
        elif what == "d" and self.sent:
            self.send(dice.choice(self.sent))
        elif what == "u":
            run.advance(dice.choice((0, 1, 40, 300, 1500)))
        elif what == "k":
            self.send(self.alien())

    def send(self, stimulus: AnyStimulus) -> None:
        self.sent.append(stimulus)
        self.run.send(stimulus)

    def alien(self) -> AnyStimulus:
        """Something about some node, of which it may well know nothing."""
        dice = self.random
        node_id = dice.choice([*self.ids, "nobody"])
        path = dice.choice(["", "", *self.run.state.frames, "gone[3]"])
        attempt = dice.randint(0, 3)
        aliens: list[AnyStimulus] = [
            Begin(node_id=node_id, path=path),
            Succeed(node_id=node_id, path=path, attempt=attempt, output=b"7"),
            Fail(node_id=node_id, path=path, attempt=attempt, error=ErrorInfo("Alien", "?")),
            Lose(node_id=node_id, path=path, attempt=attempt, error=ErrorInfo("WorkerLost", "?")),
            Suspend(node_id=node_id, path=path, attempt=attempt, signal="go"),
            Expand(node_id=node_id, path=path, attempt=attempt, count=2, items=b"[1,2]"),
            Fire(node_id=node_id, path=path, attempt=attempt),
            Fire(),
            Recover(epoch=0),
            Start(),
        ]
        return dice.choice(aliens)

    def any_answer(self, turn: Turn) -> AnyStimulus | None:
        dice = self.random
        common: dict[str, Any] = {"node_id": turn.node_id, "path": turn.path, "attempt": turn.attempt}
        what = (
            "ok"
            if self.tame
            else dice.choice(("ok", "ok", "ok", "ok", "pass", "over", "fail", "stop", "lose", "wait", "never"))
        )
        if self.kinds[turn.node_id] in CONTAINERS and what not in ("fail", "lose", "wait", "never"):
            return self.contain(turn, common)
        if what == "fail" or what == "stop":
            error = ErrorInfo("NodeError", what, retryable=what == "fail")
            return Fail(error=error, chance=dice.random(), **common)
        if what == "lose":
            return Lose(error=ErrorInfo("WorkerLost", what), **common)
        if what == "wait":
            until, child = dice.choice((0, turn.now + 30, turn.now + 3000)), dice.choice(("", "child"))
            return Suspend(
                until=until,
                child=child,
                signal=dice.choice(("", "go")),
                expires=dice.random() < 0.5,
                choices=dice.choice(((), (), ("true", "error"))),
                extends=dice.random() < 0.5,
                otherwise=dice.choice((None, None, b'{"late":1}')),
                otherwise_handle=dice.choice(("output", "true")),
                **common,
            )
        if what == "never":
            return None
        handle = dice.choice((("output",), ("true",), ("nowhere", "true", "output"), ("catch",)))
        output = None if what == "pass" else msgspec.json.encode(dice.choice((None, 1, [2], {turn.node_id: 3})))
        return Succeed(output=output, handle=handle, passed=what in ("pass", "over"), **common)

    def contain(self, turn: Turn, common: dict[str, Any]) -> AnyStimulus:
        dice = self.random
        if self.tame or turn.iteration >= dice.randint(0, 5):
            return Succeed(last=dice.random() < 0.5, handle=dice.choice((("output",), ("try", "true"))), **common)
        if dice.random() < 0.3:
            return Expand(count=1, **common)
        size = dice.randint(0, 3)
        items, most = msgspec.json.encode(list(range(size))), dice.randint(0, 3)
        return Expand(count=size, items=items, concurrency=most, collect_errors=dice.random() < 0.5, **common)

    def calm_down(self) -> None:
        """Everything that waits is answered, until the end."""
        run = self.run
        if run.state.status == "pending":
            run.start()
        run.resume()
        for _ in range(10_000):
            run.go()
            if run.state.ended:
                return
            for frame in list(run.state.frames.values()):
                for number, code in enumerate(frame.status):
                    node_id, attempt = frame.scope.ids[number], frame.attempts[number]
                    if code == s.ASKING:
                        run.signal(node_id, self.random.choice(("again", "fail")))
                    elif code in (s.SUSPENDED, s.RUNNING, s.EXPANDED):
                        self.run.send(Succeed(node_id=node_id, path=frame.path, attempt=attempt, output=b"9"))
        raise AssertionError(f"It never ends: {run.state} {list(run.state.frames.values())}")


@settings(max_examples=1_000, deadline=None)
@given(seeds, sizes, lengths)
def test_any_run_keeps_every_invariant_and_ends(seed: int, size: int, steps: int) -> None:
    """M-01 M-02 M-03: never raises, always ends; `ScriptedRun` checks the state and the fold after every step."""
    plan = any_plan(seed, size)
    run = Chaos(plan, seed, steps).run
    invariants.check_journal(run.events)
    folded = fold("run", plan, decode_lines(encode_lines(run.events)))
    assert digest(folded) == digest(run.state)


@settings(max_examples=150, deadline=None)
@given(seeds, sizes, lengths)
def test_the_same_script_gives_the_same_journal(seed: int, size: int, steps: int) -> None:
    """M-04."""
    plan = any_plan(seed, size)
    first, second = Chaos(plan, seed, steps).run, Chaos(plan, seed, steps).run
    assert encode_lines(first.events) == encode_lines(second.events)


@settings(max_examples=150, deadline=None)
@given(seeds, sizes, lengths)
def test_the_end_absorbs(seed: int, size: int, steps: int) -> None:
    """M-05."""
    chaos = Chaos(any_plan(seed, size), seed, steps)
    before, length = digest(chaos.run.state), len(chaos.run.events)
    for stimulus in [*chaos.sent, Cancel(), Pause(), Resume(), Signal(name="go"), Recover(epoch=99), Wake(), Fire()]:
        chaos.run.send(stimulus)
    assert (digest(chaos.run.state), len(chaos.run.events)) == (before, length)


# --- the meaning, said a second time ---


class Reference:
    """Evaluates a graph in which every node succeeds, by recursion over the document: no counters, no events."""

    def __init__(self, plan: Plan, routes: dict[str, str]) -> None:
        self.nodes = plan.workflow.nodes
        self.edges = plan.workflow.edges
        self.routes = routes

    def scope(self, parent: str | None, entry: JSON) -> tuple[JSON, dict[str, JSON]]:
        """The output of a scope, and those of its nodes that ran."""
        members = [node for node in self.nodes if node.parent_id == parent]
        outputs: dict[str, JSON] = {}
        decided: set[str] = set()
        while len(decided) < len(members):
            for node in members:
                into = [edge for edge in self.edges if edge.target == node.id]
                if node.id in decided or any(edge.source not in decided for edge in into):
                    continue
                decided.add(node.id)
                came = [e for e in into if e.source in outputs and self.leaves(e.source) == e.source_handle]
                if came or not into:
                    outputs[node.id] = self.node(node, entry if not into else self.input(into, came, outputs))
        onward = {edge.source for edge in self.edges if edge.source_handle != "error"}
        last = {node.id: outputs[node.id] for node in members if node.id in outputs and node.id not in onward}
        return next(iter(last.values())) if len(last) == 1 else last, outputs

    def leaves(self, node_id: str) -> str:
        return self.routes[node_id]

    def input(self, into: list[Edge], came: list[Edge], outputs: dict[str, JSON]) -> JSON:
        if len({edge.target_handle for edge in into}) > 1:
            handles = dict.fromkeys(edge.target_handle for edge in came)
            return {
                handle: merge([outputs[edge.source] for edge in came if edge.target_handle == handle])
                for handle in handles
            }
        return merge([outputs[edge.source] for edge in came])

    def node(self, node: Node, value: JSON) -> JSON:
        if node.type == "map":
            return [self.scope(node.id, item)[0] for item in items_of(value)]
        if node.type == "loop":
            for _ in range(2):
                value = self.scope(node.id, value)[0]
            return value
        if node.type == "try_catch":
            return self.scope(node.id, value)[0]
        return told(node.id, value)


def merge(values: list[JSON]) -> JSON:
    if len(values) == 1:
        return values[0]
    whole: dict[str, JSON] = {}
    for value in values:
        whole.update(
            value if isinstance(value, dict) else {"items": value} if isinstance(value, list) else {"value": value}
        )
    return whole


def told(node_id: str, value: JSON) -> JSON:
    """An output that gives away the input it was made from. Some nodes give lists and numbers."""
    mark = zlib.crc32(msgspec.json.encode(value, order="sorted"))
    return [{node_id: mark, "shared": mark}, [mark], mark][len(node_id) % 3 if node_id.endswith("b") else 0]


def items_of(value: JSON) -> list[JSON]:
    return [1, value, "three"][: zlib.crc32(msgspec.json.encode(value, order="sorted")) % 4]


@settings(max_examples=150, deadline=None)
@given(seeds, sizes)
def test_what_comes_out_is_what_the_graph_means(seed: int, size: int) -> None:
    """G-01 G-03 G-04 G-05 G-07 G-08 G-09 G-17 G-18, against an evaluator that shares nothing with the machine."""
    plan = any_plan(seed, size, simple=True)
    dice = Random(seed)
    routes = {node.id: dice.choice(("output", "output", "true")) for node in plan.workflow.nodes}
    for node in plan.workflow.nodes:
        if node.type in CONTAINERS:
            routes[node.id] = "try" if node.type == "try_catch" else "output"
    kinds = {node.id: node.type for node in plan.workflow.nodes}

    def answer(turn: Turn) -> AnyStimulus | None:
        answers: dict[str, Answer] = {
            "map": maps(items_of(turn.value), concurrency=dice.randint(0, 3)),
            "loop": loops(2),
            "try_catch": tries(),
        }
        plain = gives(told(turn.node_id, turn.value), routes[turn.node_id])
        return answers.get(kinds[turn.node_id], plain)(turn)

    run = ScriptedRun(plan, dict.fromkeys(kinds, answer), dice=dice.randrange)
    run.start({"in": 1})
    run.go()
    expected, outputs = Reference(plan, routes).scope(None, {"in": 1})
    assert run.state.status == "success"
    assert {node_id for node_id, status in run.statuses.items() if status == "success"} == set(outputs)
    assert {node_id: run.value(node_id) for node_id in outputs} == outputs
    assert run.output == expected
