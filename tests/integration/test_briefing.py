"""The example that joins everything: a web API, a model that is watched while it answers, an approval, PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
import websockets

from acceptance.servers import PostgresqlServer, postgresql_server
from compatibility.live_server import Client, serving
from flowscope.library import KeySettings
from flowscope.library.sealing import new_key
from flowscope.nodes import pools
from flowscope.nodes.context import Surroundings
from integration.model_server import KEY, MODEL, ModelServer, Reply, model_server, said, tokens_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "briefing.json"
ARTICLES = [{"title": "Snow in May", "text": "It snowed."}, {"title": "Sun in June", "text": "It shone."}]
SUMMARY = "It snowed in May, and in June the sun shone. Nobody was surprised. More is to come."


class _Articles(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert self.path == "/articles?topic=weather"
        body = json.dumps(ARTICLES).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Articles)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/articles"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        yield server


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


@asynccontextmanager
async def desk(model: ModelServer, database: PostgresqlServer) -> AsyncIterator[Client]:
    """A server with the example and the credentials it needs, set as people set them."""
    surroundings = Surroundings(allow_private_addresses=True)
    async with serving(surroundings=surroundings, sealing=KeySettings(given=(new_key(),))) as client:
        credentials = {
            "model": ("openai", {"baseUrl": model.url, "apiKey": KEY}),
            "archive": ("postgresql", database.connection),
        }
        for name, (type_, fields) in credentials.items():
            set_ = await client.put(f"/api/credentials/{name}", json={"type": type_, "fields": fields})
            assert set_.status_code == 201, set_.text
            tested = (await client.post(f"/api/credentials/{name}/test")).json()
            assert tested["ok"], tested
        assert (await client.post("/api/workflows", content=EXAMPLE.read_bytes())).json()["valid"]
        try:
            yield client
        finally:
            await pools.close()


async def begun(client: Client, api: str, execution_id: str) -> str:
    body = {
        "workflowId": "briefing",
        "executionId": execution_id,
        "input": {"api": api, "topic": "weather", "model": MODEL},
    }
    started = await client.post("/api/executions", json=body)
    assert started.status_code in (201, 202), started.text
    return str(started.json()["executionId"])


async def decided(client: Client, execution_id: str, decision: str) -> None:
    await client.until(execution_id, "waiting")
    [waiting] = (await client.get("/api/waiting")).json()["waiting"]
    assert (waiting["title"], waiting["message"]) == ("Keep the briefing on weather?", SUMMARY)
    path = f"/api/executions/{execution_id}/approvals/{waiting['approvalId']}"
    answer = await client.post(path, json={"decision": decision, "by": "Grace"})
    assert answer.status_code == 200, answer.text


async def test_a_briefing_is_read_summed_up_approved_and_kept(
    api: str, model: ModelServer, database: PostgresqlServer
) -> None:
    gate = threading.Event()
    model.replies = [Reply(SUMMARY, gate=gate)]
    async with desk(model, database) as client:
        execution_id, streamed = "briefing-1", ""
        url = f"ws://{client.address}/ws/executions?executionId={execution_id}"
        try:
            async with (
                asyncio.timeout(60),
                websockets.connect(url, subprotocols=[websockets.Subprotocol("flowscope.v1")]) as socket,
            ):
                await socket.recv()
                await begun(client, api, execution_id)
                async for frame in socket:
                    streamed += _streamed(json.loads(frame))
                    if streamed and not gate.is_set():
                        # The rest is still with the server: this was shown while the model was at it. (An `s` may be
                        # the beginning of the key, and so is shown with what follows it.)
                        assert tokens_of(SUMMARY)[0].startswith(streamed)
                        gate.set()
                    if streamed == SUMMARY:
                        break
        finally:
            gate.set()
        assert json.loads(said(model.asked[0])) == ARTICLES
        await decided(client, execution_id, "approved")
        ended = await client.until(execution_id, "success")
        assert ended["status"] == "success"
        assert (await client.get(f"/api/executions/{execution_id}/output")).json()["state"] == "kept"
        for path in ("events", "logs", "lines"):
            text = (await client.get(f"/api/executions/{execution_id}/{path}")).text
            assert KEY not in text and database.password not in text
    place = database.connection
    connection = await asyncpg.connect(
        host=place["host"], port=place["port"], user=place["username"], password=place["password"], database=place["database"]
    )  # fmt: skip
    try:
        [row] = await connection.fetch("SELECT * FROM briefings WHERE run = $1", execution_id)
    finally:
        await connection.close()
    assert dict(row) == {"run": execution_id, "topic": "weather", "summary": SUMMARY, "approved_by": "Grace"}


async def test_what_is_rejected_is_not_kept(api: str, model: ModelServer, database: PostgresqlServer) -> None:
    model.replies = [Reply(SUMMARY)]
    async with desk(model, database) as client:
        execution_id = await begun(client, api, "briefing-2")
        await decided(client, execution_id, "rejected")
        await client.until(execution_id, "success")
        assert (await client.get(f"/api/executions/{execution_id}/output")).json()["state"] == "dropped"


def _streamed(frame: dict[str, Any]) -> str:
    """What a frame adds to the text that the node shows."""
    texts = [
        message["data"]["text"]
        for message in frame.get("messages", [frame])
        if message["type"] == "NODE_LOG" and message["data"].get("kind") == "stream"
    ]
    return "".join(texts)
