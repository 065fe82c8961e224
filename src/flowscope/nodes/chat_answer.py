"""What a model answers, put together from one JSON object or from the pieces of a stream.

The server is somebody else's: whatever it sends is looked at before it is believed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError

_MOST_CALLS = 128


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What the model wants to have called; `arguments` is JSON text, as it was sent."""

    id: str
    name: str
    arguments: str


class ChatAnswer:
    """Takes pieces; afterwards it is the whole answer."""

    def __init__(self) -> None:
        self.id = self.model = self.finish_reason = self.refusal = ""
        self.usage: dict[str, int] = {}
        self._text: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def tool_calls(self) -> list[ToolCall]:
        """In the order of the answer. One without an id gets its place as one."""
        return [
            ToolCall(call["id"] or f"call_{place}", call["name"], call["arguments"])
            for place, call in sorted(self._calls.items())
        ]

    @property
    def message(self) -> dict[str, JSON]:
        """The answer as a message of the conversation that goes on."""
        message: dict[str, JSON] = {"role": "assistant", "content": self.text or None}
        if self._calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.tool_calls
            ]
        return message

    def take(self, data: str | bytes, *, whole: bool = False) -> str:
        """One chunk of a stream, or the `whole` answer; the text it brings. `NodeError` for what is neither."""
        chunk = _object(data)
        if chunk.get("error"):
            raise failure(chunk["error"])
        self.id = _text(chunk.get("id")) or self.id
        self.model = _text(chunk.get("model")) or self.model
        self._take_usage(chunk.get("usage"))
        said = ""
        for choice in _list(chunk.get("choices"))[:1]:
            said = self._take_delta(_dict(_dict(choice).get("message" if whole else "delta")))
            self.finish_reason = _text(_dict(choice).get("finish_reason")) or self.finish_reason
        return said

    def _take_delta(self, delta: dict[str, Any]) -> str:
        said = _text(delta.get("content"))
        self._text.append(said)
        self.refusal += _text(delta.get("refusal"))
        for place, piece in enumerate(_list(delta.get("tool_calls"))):
            self._take_call(_dict(piece), place)
        return said

    def _take_call(self, piece: dict[str, Any], place: int) -> None:
        index = piece.get("index")
        call = self._calls.setdefault(
            index if isinstance(index, int) else place, {"id": "", "name": "", "arguments": ""}
        )
        if len(self._calls) > _MOST_CALLS:
            raise NodeError(f"The model calls more than {_MOST_CALLS} tools at once", code="BAD_RESPONSE")
        function = _dict(piece.get("function"))
        call["id"] = _text(piece.get("id")) or call["id"]
        call["name"] += _text(function.get("name"))
        call["arguments"] += _text(function.get("arguments"))

    def _take_usage(self, usage: Any) -> None:
        for theirs, ours in _USAGE.items():
            count = _dict(usage).get(theirs)
            if isinstance(count, int) and not isinstance(count, bool):
                self.usage[ours] = count


_USAGE = {"prompt_tokens": "promptTokens", "completion_tokens": "completionTokens", "total_tokens": "totalTokens"}


async def data_of(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[str]:
    """The data of each server-sent event, of at most `limit` bytes in all."""
    buffer, lines, size = b"", list[str](), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise NodeError(
                f"The answer is larger than maxBytes, {limit:,}", code="RESPONSE_TOO_LARGE", retryable=False
            )
        *complete, buffer = (buffer + chunk).split(b"\n")
        for line in complete:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text.startswith("data:"):
                lines.append(text[5:].removeprefix(" "))
            elif not text and lines:
                yield "\n".join(lines)
                lines = []
    rest = buffer.decode("utf-8", "replace").strip()
    if rest.startswith("data:"):
        lines.append(rest[5:].strip())
    if lines:
        yield "\n".join(lines)


def failure(error: Any) -> NodeError:
    """What a server reports in the place of an answer, as it says it."""
    facts = _dict(error)
    said = _text(facts.get("message")) or (_text(error) if isinstance(error, str) else "it gives no reason")
    code = facts.get("code")
    status = code if isinstance(code, int) else 0
    return NodeError(
        f"The model's server reports: {said[:500]}",
        code=f"HTTP_{status}" if status else str(code or "MODEL_ERROR")[:60].upper(),
        retryable=not 400 <= status < 500 or status == 429,
    )


def _object(data: str | bytes) -> dict[str, Any]:
    try:
        chunk = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        chunk = None
    if not isinstance(chunk, dict):
        shown = (data if isinstance(data, str) else data.decode("utf-8", "replace"))[:80]
        raise NodeError(f"The model's server sent what is no JSON object: {shown!r}", code="BAD_RESPONSE")
    return chunk


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
