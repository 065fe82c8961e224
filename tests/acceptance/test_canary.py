"""S-04, S-05, S-06: a secret that workflows do their best to leak is found nowhere.

A server keeps three canaries: a text with awkward characters, a number, and a credential's password. Workflows say them in every
way there is: output, error, log, stream, progress, exception, HTTP, text, child, webhook. Then everything that can be read from
outside is read, every file of the data directory among it, and searched for the canaries in every spelling.
"""

from __future__ import annotations

import asyncio
import base64
import html
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
import websockets

from compatibility.live_server import Client, listening, node
from flowscope.nodes.answer import Call, Items, Output, Wait
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import NodeContext
from flowscope.nodes.credentials import OpenAICredential
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeConfig
from flowscope.nodes.sdk import node as node_type
from flowscope.server import Settings, create_app
from integration.model_server import MODEL, ModelServer, Reply, model_server, said

TEXT = 'Kanari/"gul"+fugl & Ørn\\9f3c'
NUMBER = "918273645546372819"
PASSWORD = "sk-canary-Passw0rd-71b2"
CANARIES = {"text": TEXT, "number": NUMBER, "password": PASSWORD}

READ = "{{ secrets.canary }}"
PIN = "{{ secrets.pin }}"


# --- how a canary may be spelled, found without the code that hides it ---


def spellings(canary: str) -> Iterator[bytes]:
    data = canary.encode()
    for text in (canary, json.dumps(canary)[1:-1], json.dumps(canary, ensure_ascii=False)[1:-1], repr(canary)[1:-1]):
        yield text.encode()
        yield json.dumps(text)[1:-1].encode()
        yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
    for text in (quote(canary), quote(canary, safe=""), quote_plus(canary), html.escape(canary)):
        yield text.encode()
    yield data.hex().encode()
    yield from (base64.b64encode(b"x" * before + data)[4:-4] for before in range(3))


def assert_clean(place: str, data: bytes) -> None:
    for name, canary in CANARIES.items():
        for spelling in spellings(canary):
            at = data.find(spelling)
            assert at < 0, f"{place} shows the {name}: …{data[max(0, at - 120) : at + 80]!r}"


# --- node types that leak as hard as they can ---


@node_type("leak", title="Leak", category="testing", effects="external")
def leak(config: NodeConfig, context: NodeContext) -> Any:
    """In a thread: into the log, the progress and the stream, in pieces and in code; then as an output of odd shape."""
    secret = context.secret("canary")
    for level in ("debug", "info", "warning", "error"):
        context.log(f"it is {secret}", level)
    context.progress(0.5, f"half of {secret}")
    for char in f"slowly: {secret}, and again {base64.b64encode(secret.encode()).decode()}.":
        context.stream(char)
    context.stream(secret[:-1])
    context.stream(f"{secret[-1]} {secret}")
    deep = {"a": [{"b": json.dumps({"c": secret})}], secret: 1, "n": int(context.secret("pin")), "q": quote(secret)}
    return {**deep, "basic": base64.b64encode(f"user:{secret}".encode()).decode(), "large": secret * 2_000}


class Raise(NodeConfig):
    how: str


@node_type("leak_error", title="Leak", category="testing", effects="external")
async def leak_error(config: Raise, context: NodeContext) -> Any:
    """As an exception of every kind."""
    secret = context.secret("canary")
    if config.how == "key":
        raise KeyError(secret)
    if config.how == "group":
        raise ExceptionGroup(secret, [ValueError(secret)])
    if config.how == "chained":
        try:
            raise OSError(5, secret, secret)
        except OSError as error:
            raise RuntimeError(f"after {error!r}") from error
    if config.how == "exit":
        raise SystemExit(secret)
    return {"not json": type(secret, (), {"__repr__": lambda _: secret})()}


@node_type("leak_handle", title="Leak", category="testing", effects="external", handles=None)
def leak_handle(context: NodeContext) -> Output:
    """As the handle it leaves by."""
    return Output({}, context.secret("canary"))


@node_type("leak_wait", title="Leak", category="testing", effects="external")
def leak_wait(context: NodeContext) -> Wait:
    """As what it waits for."""
    secret = context.secret("canary")
    return Wait(until=context.now + 1, signal=f"signal {secret}", detail=f"for {secret}")


@node_type("leak_call", title="Leak", category="testing", effects="external")
def leak_call(context: NodeContext) -> Call:
    """In the document and the input of a sub-workflow."""
    secret = context.secret("canary")
    fields = {"said": secret, "again": "{{ json.given }}"}
    document = {
        "name": secret,
        "nodes": [{"id": "say", "data": {"type": "set", "label": secret, "config": {"fields": fields}}}],
    }
    return Call(document=document, input={"given": secret})


@node_type("leak_items", title="Leak", category="testing", effects="external", role="container")
def leak_items(context: NodeContext) -> Any:
    """As items, and as the memo of a turn."""
    if context.body.turns:
        return Output(context.body.turns[0].memo)
    secret = context.secret("canary")
    return Items([secret, {"deep": secret}], entries=("body", "body"), memo={"kept": secret})


@node_type("leak_credential", title="Leak", category="testing", effects="external")
def leak_credential(context: NodeContext) -> Any:
    """The fields of a credential."""
    found = context.credential("model", OpenAICredential)
    context.log(f"{found} {found.api_key}")
    return found.revealed()


def registry() -> Registry:
    found = builtin_registry(entry_points=False)
    for one in (leak, leak_error, leak_handle, leak_wait, leak_call, leak_items, leak_credential):
        found.add(one)
    return found


# --- a server that repeats everything it is sent ---


class _Echo(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        answer = json.dumps({"path": self.path, "headers": dict(self.headers.items()), "body": body}).encode()
        self.send_response(500 if "fail" in self.path else 200, "Fine")
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Echo", self.headers.get("X-Token", "").encode("ascii", "replace").decode())
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as server:
        server.think = lambda body: Reply(f"You said {said(body)}. Again: {said(body)}")
        yield server


# --- the workflows ---


def plain(id: str, type: str, **config: Any) -> list[dict[str, Any]]:
    return [node(id, type, **config)]


def leaks(echo: str, model: ModelServer) -> dict[str, dict[str, Any]]:
    """Every workflow by its id; each says a canary, or has it said."""
    basic = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    assert basic
    ask = {"baseUrl": model.url, "apiKey": "sk-test-2f9d71c0a4", "model": MODEL, "retry": {"attempts": 1}}
    headers = {
        "X-Token": PIN,
        "X-Quoted": "{{ url_encode(secrets.canary) }}",
        "X-Coded": "{{ base64_encode('u:' + secrets.canary) }}",
    }
    nodes: dict[str, list[dict[str, Any]]] = {
        "output": plain("a", "set", fields={"text": f"it is {READ}", "list": [READ], "key": {"deep": READ}, "pin": "{{ int(secrets.pin) }}"}),
        "all": plain("a", "set", fields={"everything": "{{ secrets }}", "every": "{{ credentials }}"}),
        "by-name": plain("a", "set", fields={"one": "{{ secrets[trigger.name] }}"}),
        "credential": plain("a", "set", fields={"key": "{{ credentials.model.apiKey }}"}),
        "log": plain("a", "log_output", message=f"say {READ} and {PIN}", level="error"),
        "stop": plain("a", "stop_and_error", errorMessage=f"no {READ}", errorCode=PIN),
        "expression": plain("a", "set", fields={"x": "{{ secrets.canary - 1 }}"}),
        "expression-int": plain("a", "set", fields={"x": "{{ int(secrets.canary) }}"}),
        "config": plain("a", "http_request", url=READ, headers={READ: READ}),
        "date": plain("a", "date_time", value=READ),
        "json": plain("a", "text_formatter", template=f"<{READ}>"),
        "switch": [node("a", "switch", expression=READ, cases=[{"value": READ}]), node("b", "noop")],
        "variable": plain("a", "set_variable", name="kept", value=READ),
        "file": plain("a", "read_file", path=f"{READ}.txt"),
        "host": plain("a", "http_request", url=f"http://{PIN * 4}.invalid/"),
        "url": plain("a", "http_request", url=f"{echo}/{{{{ secrets.pin }}}}?q={{{{ secrets.pin }}}}", query={"c": READ}, headers=headers),
        "post": plain("a", "http_request", method="POST", url=f"{echo}/ok", headers=headers, body={"token": READ}),
        "fail": plain("a", "http_request", method="POST", url=f"{echo}/fail/{{{{ secrets.pin }}}}", headers=headers, body=READ),
        "later": [node("a", "http_request", url=f"{echo}/", headers=headers), node("b", "http_request", url=f"{echo}/{{{{ '{NUMBER[:9]}' + '{NUMBER[9:]}' }}}}")],
        "retry": plain("a", "stop_and_error", errorMessage=READ, retry={"attempts": 2, "delay": 1}),
        "map": [node("a", "map", items=[READ, READ]), {**node("b", "noop"), "parentId": "a"}],
        "loop": [node("a", "loop", times=2), {**node("b", "set", fields={"s": READ}), "parentId": "a"}],
        "caught": [node("a", "try_catch"), {**node("b", "stop_and_error", errorMessage=READ), "parentId": "a"}],
        "triggered": [node("a", "stop_and_error", errorMessage=READ), node("e", "error_trigger"), node("f", "log_output", message="{{ json.error_message }}")],
        "child": plain("a", "execute_workflow", workflow={"nodes": plain("c", "set", fields={"got": "{{ json.s }}"})}, input={"s": READ}),
        "respond": plain("a", "respond_to_webhook", body={"token": READ}, headers={"X-T": PIN}),
        "chat": plain("a", "chat_model", prompt=f"Repeat {READ} and {PIN}", **ask),
        "chat-wrong": plain("a", "chat_model", prompt="?", **{**ask, "apiKey": PIN}),
        "agent": [node("a", "ai_agent", prompt=f"Repeat {READ}", **ask), {**node("b", "noop"), "parentId": "a"}],
        "leak": plain("a", "leak"),
        **{f"leak-{how}": plain("a", "leak_error", how=how) for how in ("key", "group", "chained", "exit", "output")},
        "leak-handle": plain("a", "leak_handle"),
        "leak-wait": plain("a", "leak_wait"),
        "leak-call": plain("a", "leak_call"),
        "leak-items": [node("a", "leak_items"), {**node("body", "noop"), "parentId": "a"}],
        "leak-credential": plain("a", "leak_credential"),
        "approval": plain("a", "approval", title=f"Pay {READ}?", message=READ, waitFor=1, otherwise="approve"),
        "cached": plain("a", "http_request", url=f"{echo}/cached", headers=headers, cache={"ttl": 60_000}),
    }  # fmt: skip
    edges = {"later": ("a", "b"), "triggered": ("e", "f")}
    return {
        id: {"id": id, "name": id, "nodes": found, "edges": [{"source": edges[id][0], "target": edges[id][1]}] if id in edges else []}
        for id, found in nodes.items()
    }  # fmt: skip


@asynccontextmanager
async def watched(data: Path) -> AsyncIterator[tuple[Client, io.StringIO, list[bytes]]]:
    """A server with its canaries set over HTTP, its log at DEBUG, and a viewer who keeps every frame."""
    log, frames = io.StringIO(), list[bytes]()
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s %(pathname)s"))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    settings = Settings.from_environment({"FLOWSCOPE_SECRET_KEY_FILE": str(data.parent / "sealing.key")}, data_dir=data)
    opened = replace(settings.surroundings, allow_private_addresses=True)
    app = create_app(replace(settings, surroundings=opened, grace=1.0), registry=registry())
    try:
        async with listening(app) as address, Client(base_url=f"http://{address}", timeout=30) as client:
            client.app, client.services, client.address = app, app.state.flowscope, address
            for name, value in (("canary", TEXT), ("pin", NUMBER)):
                assert (await client.put(f"/api/secrets/{name}", json={"value": value})).status_code == 201
            fields = {"baseUrl": "http://127.0.0.1:1/v1", "apiKey": PASSWORD}
            made = await client.put("/api/credentials/model", json={"type": "openai", "fields": fields})
            assert made.status_code == 201, made.text
            yield client, log, frames
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


async def watch(
    client: Client, execution_id: str, frames: list[bytes], subprotocol: str | None, connected: asyncio.Event
) -> None:
    """Keep every frame of one run, from before its start to its end."""
    chosen = [websockets.Subprotocol(subprotocol)] if subprotocol else None
    url = f"ws://{client.address}/ws/executions?executionId={execution_id}"
    async with websockets.connect(url, subprotocols=chosen) as socket, asyncio.timeout(60):
        async for frame in socket:
            connected.set()
            data = frame if isinstance(frame, bytes) else frame.encode()
            frames.append(data)
            if _tells_the_end(json.loads(data)):
                return


def _tells_the_end(message: dict[str, Any]) -> bool:
    if "messages" in message:
        return any(_tells_the_end(one) for one in message["messages"])
    told = message.get("type") in ("EXECUTION_UPDATE", "EXECUTION_SNAPSHOT")
    return told and message["data"]["status"] in ("success", "failed", "cancelled")


async def run_all(
    client: Client, documents: dict[str, dict[str, Any]], frames: list[bytes]
) -> dict[str, httpx.Response]:
    answers: dict[str, httpx.Response] = {}
    for number, (id, document) in enumerate(documents.items()):
        stored = await client.post("/api/workflows", json=document)
        assert stored.status_code == 201 and stored.json()["valid"], stored.text
        execution_id, connected = f"run-{id}", asyncio.Event()
        watching = asyncio.create_task(
            watch(client, execution_id, frames, "flowscope.v1" if number % 2 else None, connected)
        )
        async with asyncio.timeout(60):
            await connected.wait()
        body = {"workflowId": id, "executionId": execution_id, "input": {"name": "canary"}}
        answers[id] = await client.post("/api/execute-workflow", json=body)
        await watching
    return answers


async def read_everything(client: Client, documents: dict[str, dict[str, Any]]) -> dict[str, bytes]:
    """Whatever can be asked for."""
    found: dict[str, bytes] = {}

    async def read(path: str, method: str = "GET", **more: Any) -> None:
        response = await client.request(method, path, **more)
        assert response.status_code < 500 or path == "/api/execute-node", (path, response.text)
        found[f"{method} {path}"] = response.content + repr(response.headers.raw).encode()

    for path in (
        "/metrics", "/api/executions?limit=500", "/api/workflows", "/api/secrets", "/api/credentials",
        "/api/credential-types", "/api/variables", "/api/nodes", "/api/config", "/openapi.json",
    ):  # fmt: skip
        await read(path)
    await read("/api/credentials/model/test", "POST")
    await read("/api/workflows/export?" + "&".join(f"id={id}" for id in documents))
    await read("/api/secrets/canary", "GET")
    rows = (await client.get("/api/executions?limit=500")).json()["executions"]
    for number, row in enumerate(rows):
        run = f"/api/executions/{quote(row['executionId'], safe='')}"
        for part in (
            "",
            "/events",
            "/events?format=ndjson",
            "/logs",
            "/lines",
            "/input",
            "/output",
            "/timeline",
            "/stream",
        ):
            if part == "/stream" and number % 8:
                continue
            if part == "/stream":
                async with client.stream("GET", run + part) as stream:
                    async with asyncio.timeout(30):
                        found[run + part] = b"".join([piece async for piece in _until_the_end(stream)])
            else:
                await read(run + part)
        for one in ("a", *(("b",) if len(documents.get(row["workflowId"], {"nodes": []})["nodes"]) > 1 else ())):
            for which in ("input", "output", "iterations"):
                await read(f"{run}/nodes/{one}/{which}")
    for number, (id, document) in enumerate(documents.items()):
        if len(document["nodes"]) == 1 and number % 3 == 0:
            only = document["nodes"][0]
            config = {key: value for key, value in only["data"]["config"].items() if key != "retry"}
            trial = {"nodeId": "t", "nodeType": only["data"]["type"], "config": config, "input": {"name": "canary"}}
            await read("/api/execute-node", "POST", json=trial)
            found[f"trial of {id}"] = found.pop("POST /api/execute-node")
    return found


async def _until_the_end(stream: httpx.Response) -> AsyncIterator[bytes]:
    async for piece in stream.aiter_bytes():
        yield piece
        if any(end in piece for end in (b"CAUGHT_UP", b"EXECUTION_SNAPSHOT", b"EXECUTION_UPDATE")):
            return


def ends(outcome: str) -> Callable[[dict[str, Any]], bool]:
    return lambda answer: answer.get("success", False) is (outcome == "success")


FAILING = {
    "stop", "expression", "expression-int", "config", "date", "file", "host", "fail", "retry", "triggered", "chat-wrong",
    "leak-key", "leak-group", "leak-chained", "leak-exit", "leak-output", "leak-wait",
}  # fmt: skip


async def test_a_canary_is_found_nowhere(tmp_path: Path, echo: str, model: ModelServer) -> None:
    """S-04, S-05, S-06."""
    documents = leaks(echo, model)
    data = tmp_path / "data"
    async with watched(data) as (client, log, frames):
        answers = await run_all(client, documents, frames)
        for id, answer in answers.items():
            assert_clean(f"the answer of {id}", answer.content + repr(answer.headers.raw).encode())
            assert ends("failed" if id in FAILING else "success")(answer.json()), (id, answer.text)
        hidden = [id for id, answer in answers.items() if "[secret]" in answer.text]
        found = await read_everything(client, documents)
        for place, content in found.items():
            assert_clean(place, content)
        for frame in frames:
            assert_clean("a frame", frame)
    assert_clean("the log", log.getvalue().encode())
    assert "execution_ended" in log.getvalue()
    files = [path for path in data.rglob("*") if path.is_file()]
    assert {"flowscope.db", "library.db", "results.db"} <= {path.name for path in files}
    for path in files:
        assert_clean(path.name, path.read_bytes())
    # And it was not for want of trying.
    assert len(hidden) >= 30, sorted(set(documents) - set(hidden))
    streams = b"".join(content for place, content in found.items() if place.endswith("/lines"))
    assert streams.count(b"[secret]") >= 15
    assert b"".join(frames).count(b"[secret]") >= 20
    assert any(TEXT in said(body) for body in model.asked), "the model was told"


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_the_search_finds_what_is_there(canary: str) -> None:
    for place, data in {
        "plain": canary.encode(),
        "json": json.dumps({"a": json.dumps([canary])}).encode(),
        "base64": base64.b64encode(f"user:{canary}, and more".encode()),
        "url": quote_plus(canary).encode(),
    }.items():
        with pytest.raises(AssertionError, match="shows the"):
            assert_clean(place, b"before " + data + b" after")
