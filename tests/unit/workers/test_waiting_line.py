"""The pool's line, without a pool: docs/spec.md P-05."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope.orchestrator.ports import Limit
from flowscope.testing.runner_conformance import SampleTask
from flowscope.workers.assignment import Assignment
from flowscope.workers.waiting_line import WORKER, WaitingLine

LIMITS = (
    (),
    (Limit("key a", 1),),
    (Limit("key b", 2),),
    (Limit("key a", 1), Limit("key b", 2)),
    (Limit("key b", 2), Limit("key c", 1, own=True)),
    (Limit("key d", 1, own=True),),
)

arrivals = st.lists(st.tuples(st.sampled_from("xyz"), st.integers(-1, 1), st.integers(0, 3)), max_size=30)


def assignment(number: int, execution: str, priority: int, limits: tuple[Limit, ...]) -> Assignment:
    task = SampleTask(execution_id=execution, node_id=str(number), priority=priority)
    return Assignment(task, lambda *_: None, limits)


def in_the_plain_way(waiting: list[Assignment]) -> list[Assignment]:
    """The order, by the words of the rule: priority, then turns by execution, then as they came."""
    order = []
    for priority in sorted({one.task.priority for one in waiting}, reverse=True):
        equals = [one for one in waiting if one.task.priority == priority]
        executions = list(dict.fromkeys(one.execution_id for one in equals))
        queues = {name: [one for one in equals if one.execution_id == name] for name in executions}
        while any(queues.values()):
            order += [queues[name].pop(0) for name in executions if queues[name]]
    return order


@given(arrivals)
def test_one_place_is_given_in_the_order_that_is_shown(came: list[tuple[str, int, int]]) -> None:
    line = WaitingLine()
    waiting = [
        assignment(n, execution, priority, (Limit(WORKER, 1),)) for n, (execution, priority, _) in enumerate(came)
    ]
    for one in waiting:
        line.add(one)
    assert list(line.in_order()) == in_the_plain_way(waiting)
    taken = []
    while (one_taken := line.take()) is not None:
        taken.append(one_taken)
        assert line.take() is None
        line.release(one_taken)
    assert taken == in_the_plain_way(waiting) and len(line) == 0


@settings(max_examples=80)
@given(st.data())
def test_no_limit_is_passed_and_nobody_waits_without_a_reason(data: st.DataObject) -> None:
    line = WaitingLine()
    running: list[Assignment] = []
    waiting: list[Assignment] = []
    for number in range(data.draw(st.integers(0, 40))):
        deed = data.draw(st.sampled_from(["add", "add", "take", "end", "leave"]))
        if deed == "add":
            execution, priority = data.draw(st.sampled_from("xy")), data.draw(st.integers(0, 1))
            one = assignment(number, execution, priority, (*data.draw(st.sampled_from(LIMITS)), Limit(WORKER, 3)))
            line.add(one)
            waiting.append(one)
        elif deed == "take":
            taken = line.take()
            free = [one for one in waiting if _free(one, running)]
            assert (taken is None) == (not free)
            if taken is not None:
                assert taken in free
                assert taken.task.priority == max(one.task.priority for one in free)
                waiting.remove(taken)
                running.append(taken)
        elif deed == "end" and running:
            line.release(running.pop(data.draw(st.integers(0, len(running) - 1))))
        elif deed == "leave" and waiting:
            line.remove(waiting.pop(data.draw(st.integers(0, len(waiting) - 1))))
        assert len(line) == len(waiting) == sum(1 for _ in line.in_order())
        counts = _counts(running)
        assert all(line.taken(name) == count for name, count in counts.items())
    for one in waiting:
        assert (line.waits_for(one) == "its turn") == _free(one, running)


def _counts(running: list[Assignment]) -> Counter[str]:
    return Counter(limit.name for one in running for limit in one.limits)


def _free(one: Assignment, running: list[Any]) -> bool:
    counts = _counts(running)
    return all(counts[limit.name] < limit.most for limit in one.limits)
