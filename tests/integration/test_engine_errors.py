"""What goes wrong in a node is recorded as what it is, and costs nobody else; secrets are nowhere."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import structlog

from acceptance.nodes import registry_with
from acceptance.notation import chain, graph, one
from acceptance.watcher import Watcher
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine, ExecutionUnsuccessful
from flowscope.errors import NodeError
from flowscope.execution.events import ErrorInfo, NodeSuspended
from flowscope.nodes.context import NodeContext, Surroundings
from flowscope.nodes.sdk import NodeConfig, NodeType, node
from flowscope.orchestrator.ports import LogLine

TOKEN = 'canary-"7f3a"\nünd-91c2'
SHORT = "canary-7f3a"
LONG = "canary-7f3a-with-a-tail-5521"


class Raising(NodeConfig):
    what: str = ""


async def error_of(engine: Engine, *nodes: dict[str, JSON], input: JSON = None) -> ErrorInfo:
    outcome = await (await engine.start(chain("bad", one("go", "manual_trigger"), *nodes), input)).outcome()
    assert outcome.status == "failed"
    assert outcome.error is not None
    return outcome.error


def thrown(what: str) -> BaseException:
    errors: dict[str, BaseException] = {
        "own": NodeError("a fact", code="E42"),
        "python": ZeroDivisionError("by zero"),
        "silent": ValueError(),
        "stop": StopIteration("enough"),
        "stop async": StopAsyncIteration("enough"),
        "exit": SystemExit(3),
        "cancelled": asyncio.CancelledError("from within"),
        "future": concurrent.futures.CancelledError("of a pool"),
        "group": ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
        "generator": GeneratorExit("closed"),
        "undecodable": ValueError("a lone surrogate \ud800"),
        "nul": ValueError("a NUL \0 in it"),
        "long": ValueError("x" * 100_000),
    }
    return errors[what]


def raising() -> list[NodeType]:
    @node("raises_pure", title="Raises", category="testing", effects="pure")
    def raises_pure(config: Raising) -> JSON:
        raise thrown(config.what)

    @node("raises_async", title="Raises", category="testing", effects="external")
    async def raises_async(config: Raising) -> JSON:
        raise thrown(config.what)

    @node("raises_late", title="Raises", category="testing", effects="external")
    async def raises_late(config: Raising) -> JSON:
        await asyncio.sleep(0)
        raise thrown(config.what)

    @node("raises_in_thread", title="Raises", category="testing", effects="external")
    def raises_in_thread(config: Raising) -> JSON:
        raise thrown(config.what)

    return [raises_pure, raises_async, raises_late, raises_in_thread]


WHATS = [
    "own", "python", "silent", "stop", "stop async", "exit", "cancelled", "future", "group", "generator", "undecodable",
    "nul", "long",
]  # fmt: skip


KINDS = ["raises_pure", "raises_async", "raises_late", "raises_in_thread"]

# Out of a coroutine, GeneratorExit means that the coroutine is being closed.
RAISED = [(kind, what) for kind in KINDS for what in WHATS if (kind, what) not in product(KINDS[1:3], ["generator"])]


@pytest.mark.parametrize(("kind", "what"), RAISED)
async def test_whatever_a_handler_raises_is_its_node_s_error(tmp_path: Path, kind: str, what: str) -> None:
    async with Engine(tmp_path, registry=registry_with(*raising()), grace=0) as engine:
        async with asyncio.timeout(60):
            error = await error_of(engine, one("bad", kind, {"what": what}))
        # The engine is well.
        assert await (await engine.start(chain("good", one("go", "manual_trigger")), {"n": 1})).result() == {"n": 1}
    assert error.node_id == "bad"
    assert error.type
    assert error.message
    assert len(error.message) <= 4_000
    if what == "own":
        assert (error.type, error.message, error.code) == ("NodeError", "a fact", "E42")
    if what == "python":
        assert (error.type, error.message) == ("ZeroDivisionError", "by zero")
        assert error.detail.startswith(kind)
        assert "line" in error.detail


def answering(value: Any) -> list[NodeType]:
    @node("answers_pure", title="Answers", category="testing", effects="pure")
    def answers_pure(context: NodeContext) -> JSON:
        return value

    @node("answers_async", title="Answers", category="testing", effects="external")
    async def answers_async() -> JSON:
        return value

    return [answers_pure, answers_async]


def looped() -> JSON:
    value: list[Any] = []
    value.append(value)
    return value


def deep() -> JSON:
    value: JSON = 1
    for _ in range(5_000):
        value = [value]
    return value


@pytest.mark.parametrize("kind", ["answers_pure", "answers_async"])
@pytest.mark.parametrize(
    ("value", "type", "message"),
    [
        (object(), "NotJSON", "not JSON"),
        ({"a": float("nan")}, "NotJSON", "NaN"),
        ([1, float("inf")], "NotJSON", "NaN"),
        ({1, 2, object}, "NotJSON", "not JSON"),
        (looped(), "NotJSON", "not JSON"),
        (deep(), "NotJSON", "not JSON"),
        ("\ud800", "NotJSON", "not JSON"),
        ("x" * (65 << 20), "PayloadTooLarge", "65 MiB"),
    ],
    ids=["object", "nan", "inf", "set", "looped", "deep", "surrogate", "large"],
)
async def test_an_answer_that_cannot_be_kept(tmp_path: Path, kind: str, value: Any, type: str, message: str) -> None:
    async with Engine(tmp_path, registry=registry_with(*answering(value))) as engine:
        error = await error_of(engine, one("bad", kind))
        assert (error.type, error.node_id, error.retryable) == (type, "bad", False)
        assert message in error.message


async def test_the_largest_answer_is_kept(tmp_path: Path) -> None:
    text = "x" * ((64 << 20) - 2)
    async with Engine(tmp_path, registry=registry_with(*answering(text))) as engine:
        run = await engine.start(chain("large", one("go", "manual_trigger"), one("big", "answers_async")))
        assert await run.result() == text


async def test_a_config_that_is_wrong_once_its_expressions_are_known_names_the_place(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        error = await error_of(engine, one("bad", "simulate", {"sleep": "{{ json.s }}"}), input={"s": "soon"})
        assert (error.type, error.place, error.retryable) == ("ConfigInvalid", "sleep", False)


async def test_an_expression_that_fails_says_where_and_what_was_meant(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        for kind in ("set", "simulate"):
            field: dict[str, JSON] = (
                {"fields": {"a": "{{ custmer }}"}} if kind == "set" else {"output": "{{ custmer }}"}
            )
            error = await error_of(engine, one("bad", kind, field), input={"customer": 1})
            assert (error.type, error.retryable) == ("UnknownName", False)
            assert "customer" in error.message
            assert "custmer" in error.detail


async def test_an_unsuccessful_run_raises_with_its_outcome(tmp_path: Path) -> None:
    async with Engine(tmp_path) as engine:
        run = await engine.start(chain("bad", one("go", "manual_trigger"), one("stop", "stop_and_error")))
        with pytest.raises(ExecutionUnsuccessful, match="failed at stop: Stopped by the workflow") as raised:
            await run.result()
        assert raised.value.outcome == await run.outcome()


async def test_error_handles_and_error_triggers(tmp_path: Path) -> None:
    handled = graph(
        "handled",
        [
            one("go", "manual_trigger"), one("bad", "stop_and_error", {"errorMessage": "no"}),
            one("saved", "set", {"fields": {"why": "{{ json.error.message }}"}}),
        ],
        ["go -> bad", "bad.error -> saved"],
    )  # fmt: skip
    watched = graph(
        "watched",
        [
            one("go", "manual_trigger"), one("bad", "stop_and_error", {"errorMessage": "no"}), one("siren", "error_trigger"),
            one("note", "log_output", {"message": "{{ failed_node }}: {{ error_message }}"}),
        ],
        ["go -> bad", "siren -> note"],
    )  # fmt: skip
    watcher = Watcher()
    async with Engine(tmp_path, publisher=watcher) as engine:
        assert (await (await engine.start(handled)).result())["why"] == "no"
        assert (await (await engine.start(watched)).outcome()).status == "failed"
        await watcher.word(LogLine, text="bad: no")


# --- secrets ---


class Telling(NodeConfig):
    value: str = ""


def telling() -> list[NodeType]:
    def tell(context: NodeContext) -> str:
        token = context.secret("token")
        context.log(f"log {token}")
        context.log("x" * 7_990 + token)
        context.stream(f"stream {token}")
        context.progress(0.5, f"progress {token}")
        context.secret("short")
        return token + context.secret("long")

    @node("tells", title="Tells", category="testing", effects="external")
    async def tells(context: NodeContext) -> JSON:
        text = tell(context)
        return {"nested": [{"deep": f"a {text} b"}], text: 1, "large": text * 5_000}

    @node("tells_pure", title="Tells", category="testing", effects="pure")
    def tells_pure(config: Telling, context: NodeContext) -> JSON:
        return {"own": config.value, "text": tell(context)}

    @node("tells_and_fails", title="Tells", category="testing", effects="external")
    def tells_and_fails(config: Telling, context: NodeContext) -> JSON:
        raise NodeError(f"message {config.value} {tell(context)} " + "x" * 3_900 + LONG * 20, code=tell(context))

    return [tells, tells_pure, tells_and_fails]


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


def contents(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.iterdir()]


async def test_a_secret_is_in_no_event_log_error_or_file(tmp_path: Path, logged: list[Any]) -> None:
    every = "{{ secrets.token }}{{ secrets.long }}{{ secrets.short }}"
    shared: list[dict[str, JSON]] = [
        one("go", "manual_trigger"),
        one("set", "set", {"fields": {"a": "{{ secrets.token }}", "b": every, "all": "{{ secrets }}"}}),
        one("tells", "tells"),
        one("pure", "tells_pure", {"value": every}),
        one("note", "log_output", {"message": every}),
        one("each", "map", {"items": ["{{ secrets.token }}", every]}),
        one("inner", "set", {"fields": {"c": "{{ secrets.long }}"}}, "each"),
        one("call", "execute_workflow", {"workflow": chain("kid", one("go", "manual_trigger")), "input": {"a": every}}),
    ]
    watcher = Watcher()
    ends: list[dict[str, JSON]] = [
        one("bad", "tells_and_fails", {"value": every}),
        one("bad", "stop_and_error", {"errorMessage": every, "errorCode": "{{ secrets.token }}"}),
        one("bad", "simulate", {"sleep": "{{ secrets.token }}"}),
        one("bad", "set", {"fields": {"a": "{{ secrets.token.nothing }}"}}),
        one("bad", "execute_workflow", {"workflowId": "{{ secrets.token }}"}),
        one("bad", "read_file", {"path": "{{ secrets.long }}"}),
        one("bad", "wait", {"signal": "{{ secrets.long }}", "duration": 1}),
    ]
    said: list[str] = []
    surroundings = Surroundings(secrets={"token": TOKEN, "short": SHORT, "long": LONG, "empty": ""})
    engine = Engine(
        tmp_path / "store", registry=registry_with(*telling()), surroundings=surroundings, publisher=watcher
    )
    async with engine:
        for end in ends:
            run = await engine.start(chain("secret", *shared, end))
            outcome = await run.outcome()
            assert outcome.status == "failed"
            said.append(repr(outcome))
            said += [repr(event) async for event in run.events()]
            said += [repr(line) for line in engine.store.logs(run.execution_id)]
            said += [repr(row) for row in engine.executions()]
        files = contents(tmp_path / "store")
        assert watcher.of(NodeSuspended)
    files += contents(tmp_path / "store")
    said += [repr(event) for event in watcher.shown] + [repr(word) for word in watcher.words] + [repr(logged)]
    assert any("[secret]" in text for text in said)
    for part in ("canary", "7f3a", "91c2", "tail-55", "5521"):
        assert [text[max(0, text.find(part) - 200) :][:400] for text in said if part in text] == []
        assert not any(part.encode() in content for content in files), part
