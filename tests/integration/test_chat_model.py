"""`chat_model` and `embeddings` against a server that speaks the interface, over real sockets."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from flowscope import Engine
from flowscope.engine import ExecutionUnsuccessful
from flowscope.execution.events import NodeFailed
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import OpenAICredential
from flowscope.orchestrator.ports import LogLine, Progress
from flowscope.orchestrator.workflow_orchestrator import Outcome
from integration.model_server import KEY, MODEL, ModelServer, Reply, event, model_server, sse, tokens_of, vector_of

LONG = "The quick brown fox jumps over the lazy dog, again and again. " * 20


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


class Ear:
    """A viewer of the ephemeral lane."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.spoken = asyncio.Event()

    def publish(self, segment: object, events: object) -> None:
        """Nothing: the durable lane."""

    def murmur(self, word: Progress | LogLine) -> None:
        if isinstance(word, LogLine) and word.kind == "stream":
            self.heard.append(word.text)
            self.spoken.set()


def surroundings(server: ModelServer, **more: Any) -> Surroundings:
    credential = OpenAICredential(base_url=server.url, api_key=KEY)
    return Surroundings(allow_private_addresses=True, credentials={"local": credential}, **more)


async def outcome_of(
    server: ModelServer, config: dict[str, Any], *, type: str = "chat_model", ear: Ear | None = None, **policy: Any
) -> tuple[Outcome, list[Any]]:
    """Run one node; how it ended, and its events."""
    config = {"credential": "local", "model": MODEL, **config, **policy}
    node = {"id": "ask", "data": {"type": type, "config": config}}
    async with Engine(None, surroundings=surroundings(server), publisher=ear) as engine:
        run = await engine.start({"nodes": [node]}, {"name": "Ada"})
        async with asyncio.timeout(60):
            outcome = await run.outcome()
        return outcome, [one async for one in run.events()]


async def output_of(server: ModelServer, config: dict[str, Any], **more: Any) -> Any:
    outcome, _ = await outcome_of(server, config, **more)
    assert outcome.error is None, outcome.error
    return outcome.output


async def error_of(server: ModelServer, config: dict[str, Any], **more: Any) -> Any:
    outcome, _ = await outcome_of(server, config, **more)
    assert outcome.error is not None
    return outcome.error


# --- the answer ---


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("type_", ["chat_model", "openai_gpt"])
async def test_an_answer(server: ModelServer, stream: bool, type_: str) -> None:
    server.replies = [Reply("Hello Ada, how are you?")]
    config = {"system": "Be brief.", "prompt": "Hello, I am {{ name }}", "temperature": 0.2, "maxTokens": 50}
    output = await output_of(server, {**config, "stream": stream, "options": {"seed": 7}}, type=type_)
    assert output == {
        "text": "Hello Ada, how are you?",
        "finishReason": "stop",
        "usage": {"promptTokens": 10, "completionTokens": 6, "totalTokens": 16},
        "model": MODEL,
        "id": "chatcmpl-1",
        "message": {"role": "assistant", "content": "Hello Ada, how are you?"},
    }
    [asked] = server.asked
    assert asked["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello, I am Ada"},
    ]
    assert (asked["temperature"], asked["max_tokens"], asked["seed"]) == (0.2, 50, 7)


async def test_a_conversation_goes_on(server: ModelServer) -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    assert (await output_of(server, {"messages": messages, "prompt": "So?"}))["text"] == "You said: So?"
    assert server.asked[0]["messages"] == [*messages, {"role": "user", "content": "So?"}]


async def test_tokens_are_shown_while_they_come(server: ModelServer) -> None:
    """The first is with viewers while the server still holds the rest back."""
    gate = threading.Event()
    server.replies = [Reply(LONG, gate=gate)]
    ear = Ear()
    running = asyncio.create_task(output_of(server, {"prompt": "?"}, ear=ear))
    try:
        async with asyncio.timeout(30):
            await ear.spoken.wait()
        assert ear.heard == [tokens_of(LONG)[0]]
        assert not running.done()
    finally:
        gate.set()
    assert (await running)["text"] == LONG
    assert "".join(ear.heard) == LONG
    assert len(ear.heard) < len(tokens_of(LONG)), "they are batched"


async def test_what_is_asked_for_as_json_comes_as_a_value(server: ModelServer) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    server.replies = [Reply('{"city": "Oslo"}')]
    output = await output_of(server, {"prompt": "?", "jsonSchema": schema})
    assert output["data"] == {"city": "Oslo"}
    wanted = server.asked[0]["response_format"]
    assert wanted == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


async def test_calls_of_tools_are_put_together(server: ModelServer) -> None:
    server.replies = [Reply("Let me see.", calls=[("weather", {"city": "Oslo, Norway"}), ("time", "{broken")])]
    tool = {"name": "weather", "description": "The weather", "parameters": {"type": "object"}}
    output = await output_of(server, {"prompt": "?", "tools": [tool]})
    assert output["finishReason"] == "tool_calls"
    assert output["toolCalls"] == [
        {"id": "call_weather_0", "name": "weather", "arguments": {"city": "Oslo, Norway"}},
        {"id": "call_time_1", "name": "time", "arguments": "{broken"},
    ]
    assert server.asked[0]["tools"] == [{"type": "function", "function": tool}]


async def test_a_server_that_does_not_stream_is_understood(server: ModelServer) -> None:
    server.replies = [Reply("All at once", whole=True)]
    ear = Ear()
    assert (await output_of(server, {"prompt": "?"}, ear=ear))["text"] == "All at once"
    assert ear.heard == ["All at once"]


async def test_a_stream_may_be_cut_anywhere(server: ModelServer) -> None:
    """Bytes of a character, a line, an event; comments, other fields, and both line ends."""
    whole = (
        b": keep-alive\r\n\r\nevent: message\r\nid: 1\r\n" + sse({"content": "På"}).replace(b"\n", b"\r\n")
        + b"retry: 10\n" + sse({"content": " \u2028 ø"}).replace(b"\\u2028", "\u2028".encode()) + b": again\n\n"
        + sse({}, finish="stop") + b"data:[DONE]\n\n"
    )  # fmt: skip
    server.replies = [Reply(raw=[whole[at : at + 1] for at in range(len(whole))])]
    assert (await output_of(server, {"prompt": "?"}))["text"] == "På \u2028 ø"


async def test_a_stream_may_end_without_its_mark(server: ModelServer) -> None:
    server.replies = [Reply(raw=[sse({"content": "Done"}), sse({}, finish="stop").rstrip(b"\n")])]
    assert (await output_of(server, {"prompt": "?"}))["text"] == "Done"


# --- what goes wrong ---

ONCE = {"retry": {"attempts": 1}}


@pytest.mark.parametrize(
    ("reply", "code", "message", "again"),
    [
        (Reply(status=400, error={"message": "Too long"}), "HTTP_400", "answered 400 Bad Request: Too long", False),
        (Reply(status=404), "HTTP_404", "answered 404 Not Found: Try again", False),
        (Reply(status=429, error={"message": "Pay", "code": "insufficient_quota"}), "HTTP_429", "Too Many Requests: Pay", False),
        (Reply(status=429, headers={"Retry-After": "86400"}), "HTTP_429", "left alone for 1,440 minutes", False),
        (Reply(status=503), "HTTP_503", "answered 503 Service Unavailable: Try again", True),
        (Reply(status=307, headers={"Location": "https://elsewhere.example"}), "HTTP_307", "is sent on to https://elsewhere.example: put", False),
        (Reply("Half an answer is no answer", cut=2), "", "", True),
        (Reply(raw=[sse({"content": "Hal"})]), "BROKEN_OFF", "The answer broke off after 3 characters", True),
        (Reply(raw=[sse({"content": "Hal"}), b"data: {nonsense\n\n"]), "BAD_RESPONSE", "sent what is no JSON object: '{nonsense'", True),
        (Reply(raw=[b"data: [1]\n\n"]), "BAD_RESPONSE", "sent what is no JSON object: '[1]'", True),
        (Reply(raw=[event({"error": {"message": "Overloaded", "code": 503}})]), "HTTP_503", "server reports: Overloaded", True),
        (Reply(raw=[event({"error": {"message": "Bad", "code": 400}})]), "HTTP_400", "server reports: Bad", False),
        (Reply(raw=[b"data: [DONE]\n\n"]), "BAD_RESPONSE", "answered without an answer", True),
        (Reply(raw=[b"<html>\n\n"]), "BROKEN_OFF", "broke off after 0 characters", True),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
async def test_failures(server: ModelServer, reply: Reply, code: str, message: str, again: bool) -> None:
    server.replies = [reply]
    error = await error_of(server, {"prompt": "?"}, **ONCE)
    assert message in error.message
    assert error.code == code or (not code and error.code in ("UNREACHABLE", "BROKEN_OFF"))
    assert error.retryable == again
    assert KEY not in error.message


async def test_a_busy_server_is_tried_again_as_late_as_it_asks(server: ModelServer) -> None:
    server.replies = [
        Reply(status=429, headers={"Retry-After": "2"}),
        Reply(status=500, headers={"Retry-After-Ms": "1500"}),
        Reply("At last"),
    ]
    retry = {"attempts": 4, "delay": 1, "factor": 1, "jitter": 0}
    outcome, events = await outcome_of(server, {"prompt": "?"}, retry=retry)
    assert outcome.output["text"] == "At last"
    failed = [one for one in events if isinstance(one, NodeFailed)]
    assert [(round(one.retry_at - one.at), one.error.code) for one in failed] == [
        (2000, "HTTP_429"),
        (1500, "HTTP_500"),
    ]
    assert len(set(server.keys)) == 1, "every attempt has the same idempotency key"


async def test_without_a_word_on_retrying_it_is_tried_four_times(server: ModelServer) -> None:
    server.think = lambda body: Reply(status=429, headers={"Retry-After-Ms": "1"})
    error = await error_of(server, {"prompt": "?"}, retry={"attempts": 4, "delay": 1})
    assert error.code == "HTTP_429" and len(server.asked) == 4


async def test_a_silent_server_is_given_up(server: ModelServer) -> None:
    gate = threading.Event()
    server.replies = [Reply("Slow and slower", gate=gate)]
    try:
        error = await error_of(server, {"prompt": "?", "idleTimeout": 300}, **ONCE)
    finally:
        gate.set()
    assert error.code == "TIMEOUT" and "not a word for 0.3 s (idleTimeout)" in error.message and error.retryable


async def test_what_was_to_be_json_and_is_not(server: ModelServer) -> None:
    server.replies = [Reply("Sure! Here it is"), Reply('{"city": "Os', finish="length")]
    config = {"prompt": "?", "jsonSchema": {"type": "object"}}
    assert "asked for JSON and answered 'Sure! Here it is'" in (await error_of(server, config, **ONCE)).message
    assert "raise maxTokens" in (await error_of(server, config, **ONCE)).message


async def test_an_answer_that_is_not_as_the_schema_wants_it_is_asked_for_again(server: ModelServer) -> None:
    schema = {"type": "object", "properties": {"people": {"type": "array", "items": {"type": "integer"}}}}
    server.replies = [Reply('{"people": [1, "two"]}'), Reply('{"people": [1, 2]}')]
    outcome, events = await outcome_of(server, {"prompt": "?", "jsonSchema": schema}, retry={"attempts": 2, "delay": 1})
    assert outcome.output["data"] == {"people": [1, 2]}
    failed = next(one.error for one in events if isinstance(one, NodeFailed))
    assert failed.code == "NOT_AS_SCHEMA"
    assert failed.message == 'The answer is not as jsonSchema wants it: people[1]: "two" is not of type "integer"'


async def test_a_wrong_key_is_not_shown_even_if_the_server_shows_it(server: ModelServer) -> None:
    """S-04"""
    wrong = "sk-wrong-key-77"
    node = {"id": "ask", "data": {"type": "chat_model", "config": {"baseUrl": server.url, "apiKey": "{{ secrets.key }}", "model": MODEL, "prompt": "?"}}}  # fmt: skip
    async with Engine(None, surroundings=surroundings(server, secrets={"key": wrong})) as engine:
        with pytest.raises(ExecutionUnsuccessful) as failed:
            await (await engine.start({"nodes": [node]})).result()
    assert "answered 401 Unauthorized: Incorrect API key provided: Bearer [secret]." in str(failed.value)
    assert wrong not in str(failed.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"credential": "other"}, "credential: there is no openai credential named 'other'. There are: local"),
        ({"credential": "", "baseUrl": "ftp://x"}, "baseUrl: it must begin with http:// or https:// and a host"),
        ({"credential": "", "baseUrl": "https://me:pw@x/v1"}, "baseUrl: leave out user names, passwords and queries"),
        ({"apiKey": "two\nlines"}, "apiKey: it holds what no header can"),
        ({"jsonSchema": {"type": "{{ 'objekt' }}"}}, "jsonSchema: this is no JSON Schema: type: "),
    ],
)
async def test_what_is_wrong_with_the_config_is_said(server: ModelServer, config: dict[str, Any], message: str) -> None:
    assert message in (await error_of(server, {"prompt": "?", **config})).message
    assert not server.asked


async def test_internal_addresses_are_closed_unless_opened(server: ModelServer) -> None:
    node = {
        "id": "ask",
        "data": {"type": "chat_model", "config": {"baseUrl": server.url, "model": MODEL, "prompt": "?"}},
    }
    async with Engine(None, surroundings=Surroundings()) as engine:
        with pytest.raises(ExecutionUnsuccessful, match="is not on the public internet"):
            await (await engine.start({"nodes": [node]})).result()
    assert not server.asked


async def test_cancelling_hangs_up(server: ModelServer) -> None:
    gate = threading.Event()
    server.replies = [Reply(LONG, gate=gate)]
    ear = Ear()
    node = {
        "id": "ask",
        "data": {"type": "chat_model", "config": {"credential": "local", "model": MODEL, "prompt": "?"}},
    }
    try:
        async with Engine(None, surroundings=surroundings(server), publisher=ear) as engine, asyncio.timeout(30):
            run = await engine.start({"nodes": [node]})
            await ear.spoken.wait()
            await run.cancel()
            assert (await run.outcome()).status == "cancelled"
    finally:
        gate.set()


# --- embeddings ---


async def test_embeddings_come_in_the_order_of_the_texts(server: ModelServer) -> None:
    texts = ["one", "two", "three"]
    output = await output_of(server, {"input": texts, "batchSize": 2, "dimensions": 3}, type="embeddings")
    assert output == {
        "embeddings": [vector_of(text, 3) for text in texts],
        "dimensions": 3,
        "model": MODEL,
        "usage": {"promptTokens": 11, "totalTokens": 11},
    }
    assert [asked["input"] for asked in server.asked] == [["one", "two"], ["three"]]


async def test_the_embedding_of_one_text(server: ModelServer) -> None:
    output = await output_of(server, {"input": "{{ name }}"}, type="embeddings")
    assert output["embedding"] == vector_of("Ada", 4) == output["embeddings"][0]
    assert json.dumps(output)
