"""A server that speaks OpenAI's HTTP interface on a real socket, and thinks what it is told to.

It is as strict as the real one: a key, a model it has, messages in an order that makes sense (every call of a tool answered),
and it streams in the same chunks. `replies` are given one a request, then `think` decides.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-2f9d71c0a4"
MODEL = "small-model"


@dataclass
class Reply:
    """What comes back: a text in tokens, calls of tools, or something that goes wrong.

    `gate` is waited for after the first token; `cut` hangs up after that many tokens; `raw` is sent instead of what would be
    right; `whole` answers without streaming, whatever was asked.
    """

    text: str = ""
    calls: Sequence[tuple[str, Any]] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: dict[str, Any] | None = None
    finish: str = ""
    gate: threading.Event | None = None
    cut: int | None = None
    raw: Sequence[bytes] | None = None
    whole: bool = False
    first_sent: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_GET(self) -> None:
        if self._let_in():
            self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._let_in():
            return
        if self.path == "/v1/embeddings":
            self._embed(body)
        elif self.path == "/v1/chat/completions":
            self._chat(body)
        else:
            self._json(404, {"error": {"message": f"Unknown request URL: POST {self.path}"}})

    def _let_in(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        message = f"Incorrect API key provided: {self.headers.get('Authorization', '')}."
        self._json(401, {"error": {"message": message, "code": "invalid_api_key"}})
        return False

    def _chat(self, body: dict[str, Any]) -> None:
        complaint = _complaint(body)
        with self.server.lock:
            self.server.asked.append(body)
            self.server.keys.append(self.headers.get("Idempotency-Key", ""))
            self.server.counted.notify_all()
            if complaint:
                reply = Reply(status=400, error={"message": complaint, "type": "invalid_request_error"})
            else:
                reply = self.server.replies.pop(0) if self.server.replies else self.server.think(body)
        if reply.status != 200:
            self._json(reply.status, {"error": reply.error or {"message": "Try again"}}, reply.headers)
        elif body.get("stream") and not reply.whole:
            self._stream(body, reply)
        else:
            self._json(200, _completion(reply))

    def _stream(self, body: dict[str, Any], reply: Reply) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = reply.raw if reply.raw is not None else _pieces(body, reply)
        for number, piece in enumerate(pieces):
            self._chunk(piece)
            if number == 0:
                reply.first_sent.set()
                if reply.gate is not None:
                    assert reply.gate.wait(60), "the test forgot to open the gate"
            if reply.cut == number:
                self.close_connection = True
                return
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def _embed(self, body: dict[str, Any]) -> None:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        with self.server.lock:
            self.server.asked.append(body)
        rows = [
            {"object": "embedding", "index": index, "embedding": vector_of(text, body.get("dimensions", 4))}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": sum(map(len, texts)), "total_tokens": sum(map(len, texts))}
        self._json(200, {"object": "list", "data": rows[::-1], "model": body["model"], "usage": usage})

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class ModelServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.RLock()
        self.counted = threading.Condition(self.lock)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.replies: list[Reply] = []
        self.think: Callable[[dict[str, Any]], Reply] = lambda body: Reply(f"You said: {said(body)}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has read enough, or was killed, hangs up."""


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """One that runs in threads of this process."""
    server = ModelServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def said(body: dict[str, Any]) -> str:
    """The last message of a conversation."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else json.dumps(content)


def vector_of(text: str, dimensions: int) -> list[float]:
    """The same for the same text."""
    digest = hashlib.sha256(text.encode()).digest()
    return [digest[place % 32] / 255 for place in range(dimensions)]


def _complaint(body: dict[str, Any]) -> str:
    """What the real one refuses too."""
    if body.get("model") != MODEL:
        return f"The model `{body.get('model')}` does not exist"
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return "'messages' must be a list with something in it"
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            return f"messages[{place}].role: {role!r} is none"
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'"
            open_calls.discard(message["tool_call_id"])
        elif open_calls:
            return f"tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}"
        open_calls |= {call["id"] for call in message.get("tool_calls") or ()}
    return f"tool_call_ids did not have response messages: {', '.join(sorted(open_calls))}" if open_calls else ""


def tokens_of(text: str) -> list[str]:
    """A text in the pieces it is streamed in."""
    return [text[start : start + 4] for start in range(0, len(text), 4)]


def _usage(reply: Reply) -> dict[str, int]:
    count = len(tokens_of(reply.text)) + 5 * len(reply.calls)
    return {"prompt_tokens": 10, "completion_tokens": count, "total_tokens": 10 + count}


def _finish(reply: Reply) -> str:
    return reply.finish or ("tool_calls" if reply.calls else "stop")


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [
        {
            "index": index,
            "id": f"call_{name}_{index}",
            "type": "function",
            "function": {"name": name, "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments)},
        }
        for index, (name, arguments) in enumerate(reply.calls)
    ]


def _completion(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = _calls(reply)
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": _finish(reply)}],
        "usage": _usage(reply),
    }


def _pieces(body: dict[str, Any], reply: Reply) -> Iterator[bytes]:
    yield (
        sse({"role": "assistant", "content": ""})
        if not reply.text
        else sse({"role": "assistant", "content": tokens_of(reply.text)[0]})
    )
    for token in tokens_of(reply.text)[1:]:
        yield sse({"content": token})
    for call in _calls(reply):
        whole = call["function"]["arguments"]
        yield sse({"tool_calls": [{**call, "function": {**call["function"], "arguments": ""}}]})
        for token in tokens_of(whole):
            yield sse({"tool_calls": [{"index": call["index"], "function": {"arguments": token}}]})
    yield sse({}, finish=_finish(reply))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield event({**CHUNK, "choices": [], "usage": _usage(reply)})
    yield b"data: [DONE]\n\n"


CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}


def sse(delta: dict[str, Any], finish: str | None = None) -> bytes:
    """One chunk of a stream."""
    return event({**CHUNK, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def event(value: Any) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()
