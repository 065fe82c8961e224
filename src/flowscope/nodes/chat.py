"""Asking a model: the conversation that is sent, and the answer, shown while it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_text
from flowscope.nodes.chat_answer import ChatAnswer, data_of
from flowscope.nodes.context import NodeContext
from flowscope.nodes.http_body import collect
from flowscope.nodes.json_schema import Schema, violations
from flowscope.nodes.model_service import MEBIBYTE, RETRY, ModelService, asked
from flowscope.nodes.sdk import NodeConfig, node

LARGEST_ANSWER = 16 * MEBIBYTE

SHORTEST_PAUSE = 0.05
LONGEST_PAUSE = 0.5
"""Seconds between two pieces of streamed text; they grow while a long answer comes, so that no viewer is flooded."""


class Message(NodeConfig):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"] = Field(description="Whose it is")
    content: JSON = Field(None, description="A text, or a list of parts as the server takes them")
    name: str | None = Field(None, description="A name for whose it is")
    tool_call_id: str | None = Field(
        None, alias="tool_call_id", description="With the role tool: the call that it answers"
    )
    tool_calls: list[dict[str, JSON]] | None = Field(
        None, alias="tool_calls", description="With the role assistant: what it wanted to have called"
    )


class Conversation(ModelService):
    system: str = Field("", description="What the model is to be; goes first")
    messages: list[Message] = Field(default_factory=list, description="The conversation so far")
    prompt: str = Field("", description="What the user says; goes last. A list or an object is sent as JSON")
    temperature: float | None = Field(
        None, ge=0, le=2, description="How freely it chooses; left to the server by default"
    )
    max_tokens: int | None = Field(None, ge=1, description="The longest answer, in tokens")
    json_schema: Schema | None = Field(
        None, description="The answer is to be JSON of this schema; it is then in `data`"
    )
    stream: bool = Field(True, description="Show the answer while it comes")

    @field_validator("system", "prompt", mode="before")
    @classmethod
    def _as_text(cls, value: JSON) -> JSON:
        return json_text.stringify(value) if isinstance(value, list | dict) else value

    @model_validator(mode="after")
    def _something_to_say(self) -> Conversation:
        if not self.prompt and not self.messages:
            raise ValueError("give prompt, or messages")
        return self


class ChatModel(Conversation):
    tools: list[dict[str, JSON]] = Field(
        default_factory=list,
        description="Functions the model may ask for, as `{name, description, parameters}`; its calls are in `toolCalls`",
    )


@node(
    "chat_model",
    title="Ask a model",
    category="ai",
    icon="message-square",
    effects="external",
    timeout=600_000,
    retry=RETRY,
    example={
        "credential": "openai",
        "model": "gpt-4o-mini",
        "system": "You answer in one sentence.",
        "prompt": "What is the weather like: {{ json.data }}",
    },
)
async def chat_model(config: ChatModel, context: NodeContext) -> JSON:
    """Asks a language model, of any server that speaks OpenAI's interface. The answer is shown while it comes; the output is
    `{text, finishReason, usage, model, id, message}`, with `data`, which is as `jsonSchema` wants it, where that
    is set, and `toolCalls` where the model wants some. A busy server (408, 409, 425, 429, 5xx) is tried again, up to four times in all and as late as its
    `Retry-After` says."""
    answer = await ask(config, context, opening(config), [_function(tool) for tool in config.tools])
    output = told(answer, config)
    if answer.tool_calls:
        output["toolCalls"] = [
            {"id": call.id, "name": call.name, "arguments": arguments_of(call.arguments)} for call in answer.tool_calls
        ]
    return output


def _function(tool: dict[str, JSON]) -> JSON:
    return tool if tool.get("type") == "function" else {"type": "function", "function": tool}


def opening(config: Conversation) -> list[JSON]:
    """The messages that begin the conversation."""
    messages: list[JSON] = [{"role": "system", "content": config.system}] if config.system else []
    messages += [message.model_dump(by_alias=True, exclude_unset=True) for message in config.messages]
    return [*messages, {"role": "user", "content": config.prompt}] if config.prompt else messages


def told(answer: ChatAnswer, config: Conversation) -> dict[str, Any]:
    """An answer as an output. `NodeError` where JSON was wanted and something else came."""
    output: dict[str, Any] = {
        "text": answer.text,
        "finishReason": answer.finish_reason,
        "usage": answer.usage,
        "model": answer.model,
        "id": answer.id,
        "message": answer.message,
    }
    if answer.refusal:
        output["refusal"] = answer.refusal
    if config.json_schema is not None and not answer.tool_calls:
        output["data"] = _data(answer, config.json_schema)
    return output


def _data(answer: ChatAnswer, schema: dict[str, JSON]) -> JSON:
    if answer.refusal:
        raise NodeError(f"The model refused: {answer.refusal[:500]}", code="REFUSED", retryable=False)
    try:
        data = json_text.parse(answer.text, "jsonSchema")
    except NodeError:
        if answer.finish_reason == "length":
            raise NodeError(
                "The answer was cut off before its JSON was complete: raise maxTokens", code="CUT_OFF", retryable=False
            ) from None
        raise NodeError(
            f"The model was asked for JSON and answered {answer.text[:120]!r}. Does this server know json_schema?",
            code="NOT_JSON",
        ) from None
    if wrong := violations(schema, data):
        raise NodeError(f"The answer is not as jsonSchema wants it: {'; '.join(wrong)}", code="NOT_AS_SCHEMA")
    return data


def arguments_of(text: str) -> JSON:
    """A call's arguments as a value, or as the text they are where they are no JSON."""
    try:
        return json_text.parse(text, "arguments") if text.strip() else {}
    except NodeError:
        return text


async def ask(
    config: Conversation, context: NodeContext, messages: list[JSON], tools: list[JSON], part: str = ""
) -> ChatAnswer:
    """One request to the model, and its whole answer."""
    body: dict[str, JSON] = {"model": config.model, "messages": messages}
    if config.temperature is not None:
        body["temperature"] = config.temperature
    if config.max_tokens is not None:
        body["max_tokens"] = config.max_tokens
    if tools:
        body["tools"] = tools
    if config.json_schema is not None:
        schema = {"name": "answer", "schema": config.json_schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if config.stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    async with asked(config, context, "chat/completions", body, part) as response:
        answer = ChatAnswer()
        if "text/event-stream" in response.headers.get("content-type", ""):
            await _follow(response.aiter_raw(), answer, context.stream)
        else:
            encoding = response.headers.get("content-encoding", "")
            said = answer.take(await collect(response.aiter_raw(), encoding, LARGEST_ANSWER), whole=True)
            if config.stream and said:
                context.stream(said)
    if not answer.finish_reason and not answer.text and not answer.tool_calls:
        raise NodeError("The model's server answered without an answer", code="BAD_RESPONSE")
    return answer


async def _follow(chunks: Any, answer: ChatAnswer, say: Callable[[str], None]) -> None:
    flow = TokenFlow(say)
    ended = False
    try:
        async for data in data_of(chunks, LARGEST_ANSWER):
            if data.strip() == "[DONE]":
                ended = True
                break
            flow.add(answer.take(data))
    finally:
        flow.close()
    if not ended and not answer.finish_reason:
        raise NodeError(
            f"The answer broke off after {len(answer.text):,} characters: the server hung up", code="BROKEN_OFF"
        )


class TokenFlow:
    """Streams text in pieces that are not too many: the first at once, the others with a pause between them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._loop = asyncio.get_running_loop()
        self._began = self._said = 0.0
        self._parts: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, text: str) -> None:
        """More of it."""
        if not text:
            return
        self._parts.append(text)
        if self._timer is None:
            now = self._loop.time()
            self._began = self._began or now
            pause = min(LONGEST_PAUSE, SHORTEST_PAUSE + (now - self._began) / 100)
            if now >= self._said + pause:
                self._emit()
            else:
                self._timer = self._loop.call_at(self._said + pause, self._emit)

    def close(self) -> None:
        """That was all."""
        self._emit()

    def _emit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._said = self._loop.time()
        text, self._parts = "".join(self._parts), []
        if text:
            self._say(text)
