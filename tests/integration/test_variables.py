"""Variables of a run: docs/spec.md G-27."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from acceptance.notation import chain, graph, one
from flowscope import Engine
from flowscope.engine import ExecutionUnsuccessful
from flowscope.execution.events import NodeSucceeded, NodeSuspended, VariableSet
from flowscope.nodes.context import Surroundings

SEEN = one("seen", "set", {"fields": {"vars": "{{ vars }}"}})


async def result(document: dict[str, Any], input: Any = None, **surroundings: Any) -> Any:
    async with Engine(None, surroundings=Surroundings(**surroundings)) as engine:
        return await (await engine.start(document, input)).result()


async def test_a_variable_is_read_by_whatever_starts_later() -> None:
    """G-27."""
    document = chain("v", one("a", "set_variable", {"variables": {"x": 1, "y": "{{ n }}"}}), one("b", "noop"), SEEN)
    assert await result({**document, "vars": {"x": 0, "z": 3}}, {"n": 2}) == {"n": 2, "vars": {"x": 1, "y": 2, "z": 3}}


async def test_a_loop_counts_in_one() -> None:
    """G-27."""
    again = one("again", "loop", {"while": "vars.n < 4"})
    more = one("more", "set_variable", {"name": "n", "value": "{{ vars.n + 1 }}"}, "again")
    document = graph("v", [again, more, SEEN], ["again -> seen"])
    assert (await result({**document, "vars": {"n": 0}}))["vars"] == {"n": 4}


async def test_a_variable_outlives_the_process(tmp_path: Path) -> None:
    """G-27: it is in the journal before the node's end, large ones by content."""
    document = chain(
        "v",
        one("a", "set_variable", {"variables": {"small": 1, "large": "{{ 'x' * 50000 }}"}}),
        one("ask", "wait", {"signal": "on"}),
        one("seen", "set", {"fields": {"n": "{{ vars.small + len(vars.large) }}"}}),
    )
    async with Engine(tmp_path) as engine:
        run = await engine.start(document, {}, execution_id="v1")
        async for event in run.events():
            if isinstance(event, NodeSuspended):
                break
    async with Engine(tmp_path) as engine:
        run = engine.run("v1")
        await run.signal("on", {})
        assert await run.result() == {"n": 50_001}
        events = [event async for event in run.events()]
    told = [event for event in events if isinstance(event, VariableSet)]
    assert {event.name for event in told} == {"small", "large"}
    (end,) = [event for event in events if isinstance(event, NodeSucceeded) and event.node_id == "a"]
    assert told[-1].seq == end.seq - 1


async def test_a_secret_does_not_enter_a_variable() -> None:
    document = chain("v", one("a", "set_variable", {"name": "key", "value": "Bearer {{ secrets.key }}"}), SEEN)
    assert (await result(document, secrets={"key": "s3cr3t"}))["vars"] == {"key": "Bearer [secret]"}


async def test_there_is_an_end_to_how_many() -> None:
    each = one("each", "map", {"items": "{{ range(1001) }}"})
    name = one("name", "set_variable", {"variables": '{{ {"v" + str(item): item} }}'}, "each")
    with pytest.raises(ExecutionUnsuccessful, match=r"at most 1,000 variables\. Put many values into one"):
        await result(graph("v", [each, name], []))
