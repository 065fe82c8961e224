"""The timeline of any run: docs/spec.md, section Time (L-01 …)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings

from flowscope.definition.workflow import Retry
from flowscope.execution.timeline import TimedNode, Timeline, best_timeline, timeline
from flowscope.testing.scripted import ScriptedRun, fails, gives, maps, waits
from flowscope.testing.sketch import sketch
from properties.test_machine import Chaos, any_plan, lengths, seeds, sizes


def check_iterations(told: Timeline) -> None:
    """The critical path of an iteration is a chain, too: each of its nodes was made due by the end of the one before."""
    chains: dict[str, list[TimedNode]] = {}
    for node in sorted(told.nodes, key=lambda node: (node.due, node.end)):
        if node.path and node.critical:
            chains.setdefault(node.path, []).append(node)
    for chain in chains.values():
        length = sum(node.end - node.due for node in chain)
        assert length == pytest.approx(chain[-1].end - chain[0].due)
        assert chain[-1].slack is not None


def check(told: Timeline) -> None:
    for node in told.nodes:
        last = node.due
        for attempt in node.attempts:
            assert attempt.start == pytest.approx(last), node
            for one, two in zip(attempt.segments, attempt.segments[1:], strict=False):
                assert one.end == two.start
            assert all(segment.end >= segment.start for segment in attempt.segments)
            parts = sum(segment.end - segment.start for segment in attempt.segments)
            assert parts == pytest.approx(attempt.end - attempt.start)
            last = attempt.end
        assert node.slack is None or node.slack >= 0
        assert told.start <= node.due <= node.end <= told.end


@settings(max_examples=100, deadline=None)
@given(seeds, sizes, lengths)
def test_attempts_are_made_of_segments_without_gaps_or_overlaps(seed: int, size: int, steps: int) -> None:
    """L-01 L-02: of any run and any beginning of one."""
    run = Chaos(any_plan(seed, size), seed, steps).run
    whole = timeline(run.events, run.state.plan)
    check(whole)
    assert whole.ended
    check(timeline(run.events[: Random(seed).randrange(1, len(run.events) + 1)], run.state.plan, now=1e9))
    spans = {node.node_id: node for node in whole.nodes if not node.path}
    path = [spans[node_id] for node_id in whole.critical_path]
    if run.state.status != "cancelled":  # whose nodes end when somebody says so, and not because of each other
        length = sum(node.end - node.due for node in path)
        assert length == pytest.approx(path[-1].end - path[0].due)
    assert all(node.critical for node in path)
    check_iterations(whole)
    if run.state.status == "success":
        assert path[0].due == whole.start
        assert path[-1].slack == pytest.approx(whole.end - path[-1].end)


@settings(max_examples=100, deadline=None)
@given(seeds, sizes)
def test_where_nothing_waits_the_work_on_the_critical_path_is_the_run(seed: int, size: int) -> None:
    """L-02: nodes take time and start at once when they are due."""
    plan, dice = any_plan(seed, size, simple=True), Random(seed)
    kinds = {node.id: node.type for node in plan.workflow.nodes}
    took = {node_id: dice.choice((0.0, 5.0, 20.0)) for node_id in kinds}
    script = {
        node_id: gives(1) if kind in ("task",) else maps([1], concurrency=0) if kind == "map" else gives([])
        for node_id, kind in kinds.items()
    }
    run = ScriptedRun(plan, script)
    run.start()
    answers: list[tuple[float, int]] = []
    while not run.state.ended:
        while run.take():
            answers.append((run.now + took[run.turns[-1].node_id], len(answers)))
        due = min(range(len(run.turns)), key=lambda place: answers[place])
        at, _ = answers.pop(due)
        run.turns.rotate(-due)
        run.now = max(run.now, at)
        run.answer()
        run.turns.rotate(due)
    told = timeline(run.events, plan)
    check(told)
    assert told.work == pytest.approx(told.end - told.start)
    assert all(node.slack == pytest.approx(0) for node in told.nodes if node.critical and not node.path)


def kinds_of(told: Timeline, node_id: str) -> list[list[tuple[str, float]]]:
    node = next(one for one in told.nodes if one.node_id == node_id)
    return [[(part.kind, part.end - part.start) for part in attempt.segments] for attempt in node.attempts]


def test_a_back_off_belongs_to_the_attempt_that_follows_it() -> None:
    """L-01."""
    plan = sketch("start -> flaky -> end", flaky={"retry": Retry(3, 100, 2, 1000, 0)})
    run = ScriptedRun(plan, {"flaky": [fails(), gives(1)]})
    run.start()
    run.go()
    told = timeline(run.events, plan)
    assert kinds_of(told, "flaky")[1][0] == ("backoff", 100.0)
    assert [attempt.status for attempt in told.nodes[1].attempts] == ["error", "success"]


def test_a_journal_that_does_not_fit_its_plan_is_told_without_it() -> None:
    """L-01: a quarantined run is looked at more than any."""
    run = ScriptedRun(sketch("start -> a -> b"))
    run.start()
    run.go()
    told = best_timeline(run.events, sketch("other -> nodes"), 0)
    assert [node.node_id for node in told.nodes] == ["start", "a", "b"]
    assert told.critical_path == ()


def test_a_stop_of_the_process_is_neither_running_nor_waiting() -> None:
    """L-03."""
    plan = sketch("start -> slow -> end; start -> ask")
    run = ScriptedRun(plan, {"ask": waits(signal="go")})
    run.start()
    run.step()
    run.step()
    run.take()
    run.take()
    run.now += 50
    at = run.now
    run.pause()
    run.now += 1_000
    run.crash()
    run.resume()
    run.go()
    told = timeline(run.events, plan, now=run.now)
    stopped = next(mark for mark in told.marks if mark.kind == "stopped")
    assert (stopped.at, stopped.until) == (at, at + 1_000)
    assert ("down", 1_000.0) in kinds_of(told, "slow")[0]
    assert [attempt.status for attempt in next(n for n in told.nodes if n.node_id == "slow").attempts] == [
        "lost",
        "success",
    ]
