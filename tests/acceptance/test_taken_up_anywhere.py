"""A run of fifty nodes with a map, a wait and an approval, stopped after every one of its commits: resumed, and cancelled and
retried, it ends as if nothing had happened. docs/spec.md, T-01, T-06, M-09."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from flowscope.engine import Engine, Run
from flowscope.execution import status as st
from flowscope.execution.events import AnyEvent, NodeAdopted, NodeStarted, NodeSuspended, decode_lines, encode_lines
from flowscope.journal import MemoryStore
from flowscope.orchestrator.ports import Commit, CommitResult, ExecutionRow, Segment

Whole = tuple[list[AnyEvent], list[int], ExecutionRow, tuple[str, str, str, bytes], Any]
"""The events, where the commits ended, the row, the definition, the output."""

STRIDE = 4
"""Every so many commits; each offset is a test of its own."""


def document() -> dict[str, Any]:
    """start, 20 steps, a map of two nodes over four items, 10 steps, a wait, 5 steps, an approval, 9 steps, the end: 50."""
    nodes: list[dict[str, Any]] = [{"id": "start", "data": {"type": "manual_trigger"}}]

    def add(id: str, type: str, parent: str = "", **config: Any) -> None:
        node = {"id": id, "data": {"type": type, "config": config}}
        nodes.append(node | ({"parentId": parent} if parent else {}))

    def steps(name: str, count: int) -> None:
        for number in range(count):
            kind = "simulate" if number % 4 else "set"
            fields: dict[str, Any] = {} if kind == "simulate" else {"fields": {f"{name}{number}": number}}
            add(f"{name}{number}", kind, **fields)

    steps("a", 20)
    add("each", "map", items="{{ range(4) }}", concurrency=2)
    add("twice", "set", "each", fields={"n": "{{ item * 2 }}"})
    add("work", "simulate", "each")
    steps("b", 10)
    add("ask", "wait", signal="go")
    steps("c", 5)
    add("approve", "approval")
    steps("d", 9)
    row = [node["id"] for node in nodes if "parentId" not in node]
    edges = [{"source": one, "target": two} for one, two in pairwise(row)]
    edges = [edge | ({"sourceHandle": "approved"} if edge["source"] == "approve" else {}) for edge in edges]
    assert len(nodes) == 50
    return {"id": "long", "nodes": nodes, "edges": [*edges, {"source": "twice", "target": "work"}]}


async def answered(engine: Engine, run: Run) -> Any:
    """Whatever it waits for is answered, until it has ended; its output."""
    outcome = asyncio.ensure_future(run.outcome())
    async for event in run.events():
        if isinstance(event, NodeSuspended):
            live = engine.orchestrator.live(run.execution_id)
            number = live.state.root.scope.index[event.node_id] if live else 0
            if live is not None and live.state.root.status[number] == st.SUSPENDED:
                await run.signal(event.signal, True if event.node_id == "approve" else {"answer": 42})
    ended = await outcome
    assert ended.status == "success", ended
    return ended.output


def plain(output: Any) -> Any:
    """Without when it was approved."""
    return {key: value for key, value in output.items() if "At" not in key and key != "at"}


@pytest.fixture(scope="module")
def whole() -> Whole:
    """The journal of a run that nothing happened to."""

    async def played() -> Whole:
        async with Engine(None) as engine:
            run = await engine.start(document(), execution_id="one")
            output = await answered(engine, run)
            row = engine.store.row("one")
            assert row is not None
            events = engine.orchestrator.library.history("one")
            text = engine.store.definition(row.definition)
            ends = [segment.last_seq for segment in engine.store.read("one")]
            return events, ends, row, (row.definition, row.workflow_id, row.workflow_name, text), output

    return asyncio.run(played())


def stopped_after(events: list[AnyEvent], row: ExecutionRow, definition: tuple[str, str, str, bytes]) -> MemoryStore:
    """A store as a process leaves it that was killed when these events were durable."""
    store = MemoryStore()
    store.start()
    results: list[CommitResult] = []
    last = events[-1].seq
    unended = msgspec.structs.replace(row, status="running", detail="", ended_at=0, last_seq=last)
    segment = Segment(execution_id="one", first_seq=1, last_seq=last, epoch=1, lines=encode_lines(events), row=unended)
    store.submit(Commit(segments=[segment], definitions=[definition], done=results.append))
    store.stop()
    assert results == [CommitResult()]
    return store


@pytest.mark.parametrize("offset", range(STRIDE))
async def test_stopped_after_any_commit_it_is_resumed_and_retried_and_ends_the_same(whole: Any, offset: int) -> None:
    events, ends, row, definition, output = whole
    assert len(ends) > 30
    for last in ends[offset:-1:STRIDE]:
        kept = decode_lines(encode_lines(events[:last]))
        async with Engine(None, store=stopped_after(kept, row, definition)) as engine:
            assert plain(await answered(engine, engine.run("one"))) == plain(output), last
        async with Engine(None, store=stopped_after(kept, row, definition), recover=False) as engine:
            await engine.orchestrator.cancel("one", "stopped here")
            before = engine.orchestrator.library.history("one")
            again = await engine.retry("one", confirm=["*"], new_id="two")
            assert plain(await answered(engine, again)) == plain(output), last
            assert engine.orchestrator.library.history("one") == before
            told = engine.orchestrator.library.history("two")
            adopted = {(event.path, event.node_id) for event in told if isinstance(event, NodeAdopted)}
            assert not adopted & {(event.path, event.node_id) for event in told if isinstance(event, NodeStarted)}
