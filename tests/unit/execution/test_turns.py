"""Containers that work in turns, and start one node of their body at a time: docs/spec.md G-28 … G-30."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from flowscope.definition.workflow import JSON, Retry
from flowscope.execution.digest import digest
from flowscope.execution.events import ErrorInfo, IterationStarted, NodeExpanded, NodeFailed, NodeSkipped, NodeStarted
from flowscope.execution.invariants import check, check_journal
from flowscope.execution.stimuli import Expand, Fail
from flowscope.testing.scripted import Answer, ScriptedRun, Turn, fails, gives, hangs, passes, value_of
from flowscope.testing.sketch import sketch

AGENT = "map { search -> rank; mail }"
"""Two tools: the nodes that the body begins with."""


def asks(memo: JSON, *calls: tuple[str, JSON]) -> Answer:
    """A turn: each call goes to the one node it names."""
    return lambda turn: Expand(
        node_id=turn.node_id, path=turn.path, attempt=turn.attempt, count=len(calls), concurrency=2, collect_errors=True,
        items=msgspec.json.encode([item for _, item in calls]), entries=tuple(entry for entry, _ in calls),
        memo=None if memo is None else msgspec.json.encode(memo),
    )  # fmt: skip


def run_of(agent: Sequence[Answer], plan: Any = None, **script: Any) -> ScriptedRun:
    tools = {"search": passes(), "rank": passes(), "mail": passes()}
    run = ScriptedRun(plan or sketch(AGENT), {"map": agent, **tools, **script})
    run.start({"question": "?"})
    run.go()
    return run


def turns(run: ScriptedRun) -> list[Any]:
    """What the container's handler would be told."""
    taken = (run.state.root.turns or {}).get(0, [])
    return [[value_of(turn.memo), [result and value_of(result) for result in turn.results]] for turn in taken]


def test_only_the_node_that_is_named_starts() -> None:
    """G-28: the others of the body are skipped, and so is what is behind them."""
    run = run_of([asks("first", ("mail", 1), ("search", 2)), hangs()])
    assert [(event.path, event.node_id) for event in run.of(NodeStarted)][1:] == [
        ("map[0]", "mail"),
        ("map[1]", "search"),
        ("map[1]", "rank"),
    ]
    skipped = {(event.path, event.node_id) for event in run.of(NodeSkipped)}
    assert skipped == {("map[0]", "search"), ("map[0]", "rank"), ("map[1]", "mail")}
    assert [event.entry for event in run.of(IterationStarted)] == ["mail", "search"]
    check(run.state)


def test_a_name_that_the_body_does_not_begin_with_fails_the_container() -> None:
    """G-28."""
    run = run_of([asks("first", ("rank", 1))])
    [failed] = run.of(NodeFailed)
    assert failed.error.message == "Its body does not begin with 'rank'"
    assert not run.of(NodeExpanded)


def test_each_turn_keeps_what_it_was_and_what_came_of_it() -> None:
    """G-29: in the order of the calls, errors among them."""
    run = run_of(
        [asks("first", ("search", 1), ("mail", 2)), asks("second", ("mail", 3)), asks("third"), hangs()],
        mail=lambda turn: (fails("no") if turn.path == "map[1]" else gives("sent"))(turn),
    )
    error = {"error": {"type": "NodeError", "message": "no", "nodeId": "mail"}}
    assert turns(run) == [["first", [1, error]], ["second", ["sent"]], ["third", []]]


def test_turns_outlive_a_crash() -> None:
    """G-29: and the handler is asked again only for what has no answer."""
    run = run_of([asks("first", ("search", 1)), asks("second", ("mail", 2)), hangs()])
    before, told = digest(run.state), turns(run)
    run.crash()
    run.go()
    assert turns(run) == told == [["first", [1]], ["second", [2]]]
    assert [event.node_id for event in run.of(NodeStarted)].count("map") == 1
    assert before != digest(run.state), "another epoch"
    check_journal(run.events)


def test_another_attempt_goes_on_with_the_turns_of_the_first() -> None:
    """G-30: nothing that was answered is asked for again."""
    plan = sketch(AGENT, map={"retry": Retry(attempts=2, delay=1000, jitter=0)})
    run = run_of([asks("first", ("search", 1)), fails("busy"), asks("second", ("mail", 2)), gives("end")], plan)
    assert [event.error.message for event in run.of(NodeFailed)] == ["busy"]
    assert [event.path for event in run.of(IterationStarted)] == ["", ""]
    assert [event.path for event in run.of(NodeStarted)] == ["", "map[0]", "map[0]", "", "map#2[0]"]
    assert run.value("map") == "end"
    assert not run.state.root.turns, "they go when the node ends"


def test_what_a_turn_left_undone_can_be_done_by_the_next_attempt() -> None:
    """G-30."""
    plan = sketch(AGENT, map={"retry": Retry(attempts=2, delay=1000, jitter=0), "timeout": 500.0})
    told = []

    def end(turn: Turn) -> Any:
        told.append(turns(run))
        return gives("end")(turn)

    run = ScriptedRun(
        plan,
        {
            "map": [asks("first", ("search", 1), ("mail", 2)), asks(None, ("mail", 2)), end],
            "search": passes(),
            "rank": passes(),
            "mail": lambda turn: (hangs() if turn.path == "map[1]" else gives("sent"))(turn),
        },
    )
    run.start()
    run.go()
    assert [event.error.type for event in run.of(NodeFailed)] == ["NodeTimeout"]
    assert told == [[["first", [1, "sent"]]]]
    expanded = run.of(NodeExpanded)
    assert [bool(bytes(event.memo)) for event in expanded] == [True, False]


@pytest.mark.parametrize("ending", ["cancel", "fail"])
def test_turns_go_when_the_node_ends(ending: str) -> None:
    run = run_of([asks("first", ("search", 1)), hangs()])
    if ending == "cancel":
        run.cancel()
    else:
        error = ErrorInfo("NodeError", "no", retryable=False)
        run.send(Fail(node_id="map", attempt=1, error=error))
    assert run.state.ended and not run.state.root.turns


def test_whoever_refuses_says_how_long() -> None:
    """G-13: the longer of the two is waited."""
    plan = sketch("a", a={"retry": Retry(attempts=3, delay=1000, factor=1, jitter=0)})
    run = ScriptedRun(plan, {"a": hangs()})
    run.start()
    run.go()
    run.send(Fail(node_id="a", attempt=1, error=ErrorInfo("NodeError", "busy", retry_after=5000)))
    run.advance(5000)
    run.go()
    run.send(Fail(node_id="a", attempt=2, error=ErrorInfo("NodeError", "busy", retry_after=10)))
    assert [event.retry_at - event.at for event in run.of(NodeFailed)] == [5000, 1000]
