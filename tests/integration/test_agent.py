"""`ai_agent` against a server that speaks the interface: tools are nodes and sub-workflows, and what is paid for is kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowscope import Engine
from flowscope.execution.events import (
    IterationStarted,
    NodeExpanded,
    NodeFailed,
    NodeLost,
    NodeStarted,
    NodeSucceeded,
    decode_lines,
)
from flowscope.journal import SqliteStore
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import OpenAICredential
from flowscope.orchestrator.workflow_orchestrator import Outcome
from integration.model_server import KEY, MODEL, ModelServer, Reply, model_server

SEARCH = {
    "node": "search",
    "description": "Finds the price of a thing",
    "parameters": {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]},
}


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


def workflow(**config: Any) -> dict[str, Any]:
    """An agent with two tools: a search with something behind it, and a sub-workflow."""
    inner = {
        "nodes": [
            {"id": "double", "data": {"type": "math", "config": {"operation": "multiply", "a": "{{ n }}", "b": 2}}}
        ]
    }
    agent = {"credential": "local", "model": MODEL, "prompt": "{{ question }}", **config}
    return {
        "id": "agency",
        "nodes": [
            {"id": "agent", "data": {"type": "ai_agent", "config": agent}},
            {"id": "search", "parentId": "agent", "data": {"type": "set", "config": {"fields": {"price": "{{ 100 / len(thing) }}"}}}},
            {"id": "round", "parentId": "agent", "data": {"type": "math", "config": {"operation": "round", "a": "{{ price }}", "b": 0}}},
            {"id": "double", "parentId": "agent", "data": {"type": "execute_workflow", "config": {"workflow": inner}}},
        ],
        "edges": [{"source": "search", "target": "round"}],
    }  # fmt: skip


async def run_of(server: ModelServer, document: dict[str, Any], **more: Any) -> tuple[Outcome, list[Any]]:
    credential = OpenAICredential(base_url=server.url, api_key=KEY)
    surroundings = Surroundings(allow_private_addresses=True, credentials={"local": credential}, **more)
    async with Engine(None, surroundings=surroundings) as engine:
        run = await engine.start(document, {"question": "What is it?"})
        async with asyncio.timeout(60):
            outcome = await run.outcome()
        return outcome, [one async for one in run.events()]


async def test_an_agent_calls_its_tools_until_it_has_an_answer(server: ModelServer) -> None:
    server.replies = [
        Reply("I look it up.", calls=[("search", {"thing": "tree"}), ("double", {"n": 21})]),
        Reply(calls=[("search", {"thing": "house"})]),
        Reply("It is 25."),
    ]
    outcome, events = await run_of(server, workflow(tools=[SEARCH, {"node": "double"}]))
    assert outcome.error is None
    assert outcome.output["text"] == "It is 25."
    assert outcome.output["steps"] == [
        {"tool": "search", "arguments": {"thing": "tree"}, "result": {"thing": "tree", "price": 25.0, "result": 25}},
        {"tool": "double", "arguments": {"n": 21}, "result": {"n": 21, "result": 42}},
        {"tool": "search", "arguments": {"thing": "house"}, "result": {"thing": "house", "price": 20.0, "result": 20}},
    ]
    assert outcome.output["usage"] == {"promptTokens": 30, "completionTokens": 22, "totalTokens": 52}
    last = server.asked[-1]["messages"]
    assert [message["role"] for message in last] == ["user", "assistant", "tool", "tool", "assistant", "tool"]
    assert json.loads(last[3]["content"]) == {"n": 21, "result": 42}
    started = [(one.path, one.node_id) for one in events if isinstance(one, NodeStarted)]
    assert Counter(started) == Counter(
        [("", "agent"), ("agent[0]", "search"), ("agent[0]", "round"), ("agent[1]", "double"), ("agent[2]", "search"), ("agent[2]", "round")]
    )  # fmt: skip
    assert [one.entry for one in events if isinstance(one, IterationStarted)] == ["search", "double", "search"]
    assert server.keys == [f"{outcome.execution_id}:agent#{turn}" for turn in range(3)]


async def test_the_model_is_told_what_the_tools_are(server: ModelServer) -> None:
    await run_of(server, workflow(tools=[{**SEARCH, "name": "price of"}]))
    assert server.asked[0]["tools"] == [
        {"type": "function", "function": {"name": "price_of", "description": SEARCH["description"], "parameters": SEARCH["parameters"]}}
    ]  # fmt: skip
    await run_of(server, workflow())
    assert [tool["function"]["name"] for tool in server.asked[1]["tools"]] == ["search", "double"]


async def test_the_model_hears_of_errors_and_goes_on(server: ModelServer) -> None:
    """Of a tool that fails, of one that there is not, and of arguments that are none."""
    server.replies = [
        Reply(
            calls=[
                ("search", {"thing": ""}),
                ("find", {}),
                ("search", "{not json"),
                ("double", "[1]"),
                ("search", {"thing": 5}),
            ]
        ),
        Reply("I give up."),
    ]
    outcome, events = await run_of(server, workflow(tools=[SEARCH, {"node": "double"}]))
    assert outcome.output["text"] == "I give up."
    told = [message["content"] for message in server.asked[1]["messages"] if message["role"] == "tool"]
    assert json.loads(told[0])["error"]["nodeId"] == "search"
    assert told[1:] == [
        "There is no tool 'find'. There are: search, double",
        "The arguments must be a JSON object, not '{not json'",
        "The arguments must be a JSON object, not '[1]'",
        'The arguments are not as the tool wants them: thing: 5 is not of type "string"',
    ]
    assert len([one for one in events if isinstance(one, IterationStarted)]) == 1


async def test_a_turn_of_nothing_but_mistakes_is_a_turn(server: ModelServer) -> None:
    server.replies = [Reply(calls=[("find", {})]), Reply("Sorry.")]
    outcome, _ = await run_of(server, workflow())
    assert outcome.output["text"] == "Sorry." and outcome.output["steps"] == []


async def test_an_agent_that_finds_no_end_is_stopped(server: ModelServer) -> None:
    server.think = lambda body: Reply(calls=[("double", {"n": 1})])
    outcome, _ = await run_of(server, workflow(maxIterations=3))
    assert outcome.error is not None and outcome.error.code == "MAX_ITERATIONS" and not outcome.error.retryable
    assert outcome.error.message == (
        "The agent had no answer after 3 of the model's (maxIterations). Raise it, or see in the iterations what it was "
        "looking for"
    )
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"tools": [{"node": "round"}]}, "tools[0].node: the body does not begin with 'round'. It begins with: search, double"),
        ({"tools": [SEARCH, {"node": "double", "name": "search"}]}, "tools[1]: two tools are called 'search'. Give one another name"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_the_tools_is_said_before_anything_is_paid(
    server: ModelServer, config: dict[str, Any], message: str
) -> None:
    outcome, _ = await run_of(server, workflow(**config))
    assert outcome.error is not None and outcome.error.message == message
    assert not server.asked


async def test_a_failure_in_the_middle_repeats_nothing_that_was_paid_for(server: ModelServer) -> None:
    """G-30: the third answer is refused twice; the first two, and their calls, are not asked for again."""
    server.replies = [
        Reply(calls=[("search", {"thing": "tree"})]),
        Reply(calls=[("double", {"n": 2})]),
        Reply(status=429, headers={"Retry-After-Ms": "5"}),
        Reply("Half of an ans", cut=1),
        Reply("The end."),
    ]
    outcome, events = await run_of(server, workflow(retry={"attempts": 3, "delay": 1}))
    assert outcome.error is None and outcome.output["text"] == "The end."
    assert [len(body["messages"]) for body in server.asked] == [1, 3, 5, 5, 5]
    assert len([one for one in events if isinstance(one, NodeExpanded)]) == 2
    assert Counter(one.node_id for one in events if isinstance(one, NodeStarted)) == Counter(
        {"agent": 3, "search": 1, "round": 1, "double": 1}
    )
    assert next(one.error.code for one in events if isinstance(one, NodeFailed)) == "HTTP_429"


async def test_an_agent_answers_in_json(server: ModelServer) -> None:
    server.replies = [Reply(calls=[("double", {"n": 2})]), Reply('{"price": 4}')]
    outcome, _ = await run_of(server, workflow(jsonSchema={"type": "object"}))
    assert outcome.output["data"] == {"price": 4}


# --- crashes ---

PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path
from flowscope import Engine
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import OpenAICredential

async def main():
    data, url, key, document = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
    credential = OpenAICredential(base_url=url, api_key=key)
    surroundings = Surroundings(
        file_roots=(Path(data).resolve().parent,), allow_private_addresses=True, credentials={"local": credential}
    )
    async with Engine(data, surroundings=surroundings) as engine:
        if engine.store.row("run") is None:
            await engine.start(document, {"question": "?"}, execution_id="run")
        print(json.dumps((await engine.run("run").result())["text"]))

asyncio.run(main())
"""


def start(server: ModelServer, data: Path, document: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(data), server.url, KEY, json.dumps(document)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("asking", [1, 2, 3])
def test_a_killed_agent_pays_for_nothing_twice(server: ModelServer, tmp_path: Path, asking: int) -> None:
    """G-29: killed while the model is at an answer, which is the only one that is asked for again."""
    replies = [
        Reply(calls=[("search", {"thing": "tree"})]),
        Reply(calls=[("double", {"n": 2}), ("search", {"thing": "house"})]),
        Reply("The end, and no more."),
    ]
    gate = threading.Event()

    def think(body: dict[str, Any]) -> Reply:
        reply = replies[[message["role"] for message in body["messages"]].count("assistant")]
        if len(server.asked) == asking:
            return Reply(reply.text or "Wait", calls=reply.calls, gate=gate, first_sent=sent)
        return reply

    sent = threading.Event()
    server.think = think
    dying = start(server, tmp_path / "data", workflow())
    try:
        reached(sent, dying)
        os.kill(dying.pid, signal.SIGKILL)
        dying.communicate(timeout=60)
    finally:
        gate.set()
    output, _ = start(server, tmp_path / "data", workflow()).communicate(timeout=60)
    assert json.loads(output) == "The end, and no more."
    turns = [sum(message["role"] == "assistant" for message in body["messages"]) for body in server.asked]
    assert sorted(Counter(turns).items()) == [(turn, 2 if turn + 1 == asking else 1) for turn in range(3)]
    assert server.keys[asking - 1] == server.keys[asking], "and under the same idempotency key"
    assert Counter(_ended(tmp_path / "data"))["agent"] == 1


def test_a_tool_that_had_ended_is_not_called_again_after_a_crash(server: ModelServer, tmp_path: Path) -> None:
    """G-29: of two calls of one answer, one has ended and one is killed; only that one runs again."""
    document = workflow()
    slow = {"id": "double", "parentId": "agent", "data": {"type": "chat_model", "config": {"credential": "local", "model": MODEL, "prompt": "slow {{ n }}", "retry": {"attempts": 1}}}}  # fmt: skip
    document["nodes"][-1] = slow
    gate, sent = threading.Event(), threading.Event()

    def think(body: dict[str, Any]) -> Reply:
        if body["messages"][-1]["content"] == "slow 7":
            return Reply("It is done", gate=gate, first_sent=sent)
        asked = any(message["role"] == "assistant" for message in body["messages"])
        return Reply("The end.") if asked else Reply(calls=[("search", {"thing": "tree"}), ("double", {"n": 7})])

    server.think = think
    dying = start(server, tmp_path / "data", document)
    try:
        reached(sent, dying)
        wait_for(tmp_path / "data", lambda events: any(one.path == "agent[0]" and one.node_id == "round" for one in events if isinstance(one, NodeSucceeded)))  # fmt: skip
        os.kill(dying.pid, signal.SIGKILL)
        dying.communicate(timeout=60)
    finally:
        gate.set()
    output, _ = start(server, tmp_path / "data", document).communicate(timeout=60)
    assert json.loads(output) == "The end."
    events = journal(tmp_path / "data")
    started = Counter((one.path, one.node_id) for one in events if isinstance(one, NodeStarted))
    assert started[("agent[0]", "search")] == 1 and started[("agent[1]", "double")] == 2
    assert [one.node_id for one in events if isinstance(one, NodeLost)] == ["double"]
    assert sum(body["messages"][-1]["content"] == "?" for body in server.asked) == 1


def wait_for(data: Path, fact: Any) -> None:
    """Look into the journal of another process until something is in it."""
    looked = threading.Event()
    for _ in range(600):
        if fact(journal(data)):
            return
        looked.wait(0.1)
    raise AssertionError("it never happened")


def journal(data: Path) -> list[Any]:
    store = SqliteStore(data, read_only=True)
    store.start()
    try:
        return [event for segment in store.read("run") for event in decode_lines(segment.lines)]
    finally:
        store.stop()


def _ended(data: Path) -> list[str]:
    return [one.node_id for one in journal(data) if isinstance(one, NodeSucceeded)]


def reached(moment: threading.Event, process: subprocess.Popen[str]) -> None:
    """Wait until it is, or the process is gone."""
    while not moment.wait(0.1):
        assert process.poll() is None, "it ended by itself"
