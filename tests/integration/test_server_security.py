"""The gate of the running server: everything is closed but what is named (docs/spec.md, V-06; contract 7.8)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from starlette.routing import BaseRoute, Route

from compatibility.live_server import Client, node, serving
from flowscope.library import KeyRing, LibraryDatabase
from flowscope.server.security import PUBLIC
from flowscope.server.studio import SECTIONS


def key(client: Client, scope: str) -> dict[str, str]:
    return {"x-api-key": client.services.keys.create(scope, scope).text}


def every_route(client: Client) -> Iterator[tuple[str, str]]:
    """(method, path) of all there is, whether the document names it or not."""
    yield from _routes(client.app.router.routes)


def _routes(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if isinstance(route, Route):
            for method in route.methods or ():
                yield method, re.sub(r"{[^}]*}", "1", route.path)
        elif inner is not None:
            yield from _routes(inner.routes)


async def test_every_route_is_closed_without_a_key() -> None:
    async with serving() as client:
        admin = key(client, "admin")
        found = set(every_route(client))
        documented = (await client.get("/openapi.json", headers=admin)).json()["paths"]
        assert len(found) >= sum(len(methods) for methods in documented.values())
        for method, path in sorted(found):
            response = await client.request(method, path)
            page = path == "/" or path.split("/")[1] in SECTIONS
            expected = {200, 405} if path in PUBLIC else {200, 503} if page else {401}
            assert response.status_code in expected, (method, path, response.status_code)
        for path in (
            "/nothing",
            "/health/",
            "/health/live/../../api/executions",
            "/workflowsx",
            "/assets/nothing.js",
            "/assets/../../server/app.py",
            "/api/keys",
        ):
            assert (await client.get(path)).status_code == 401, path
        assert (await client.get("/health", headers={"x-api-key": "wrong"})).status_code == 200


@pytest.mark.parametrize("path", ["/ws/executions", "/ws/nothing"])
async def test_the_socket_is_closed_without_a_key(path: str) -> None:
    async with serving() as client:
        key(client, "viewer")
        async with websockets.connect(f"ws://{client.address}{path}") as socket:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


async def test_a_ticket_opens_the_socket_once() -> None:
    async with serving() as client:
        headers = key(client, "viewer")
        ticket = (await client.post("/api/tickets", headers=headers)).json()["ticket"]
        async with websockets.connect(f"ws://{client.address}/ws/executions?ticket={ticket}") as socket:
            assert json.loads(await socket.recv())["type"] == "CONNECTED"
        async with websockets.connect(f"ws://{client.address}/ws/executions?ticket={ticket}") as socket:
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401


async def test_each_scope_does_its_own() -> None:
    async with serving() as client:
        viewer, editor, admin = (key(client, scope) for scope in ("viewer", "editor", "admin"))
        document = {"id": "flow", "nodes": [node("a", "manual_trigger")], "edges": []}
        assert (await client.post("/api/workflows", json=document, headers=viewer)).status_code == 403
        assert (await client.post("/api/workflows", json=document, headers=editor)).status_code == 201
        assert (await client.get("/api/workflows/flow", headers=viewer)).json()["savedBy"] == "editor"
        assert (await client.get("/api/webhook-trigger/flow", headers=viewer)).status_code == 403
        assert (await client.get("/api/keys", headers=editor)).status_code == 403
        keys = (await client.get("/api/keys", headers=admin)).json()["keys"]
        assert {one["name"] for one in keys} == {"viewer", "editor", "admin"}
        assert "hash" not in json.dumps(keys)
        bearer = {"Authorization": f"Bearer {viewer['x-api-key']}"}
        assert (await client.get("/api/workflows", headers=bearer)).status_code == 200
        assert (await client.delete(f"/api/keys/{keys[0]['keyId']}", headers=admin)).status_code == 204


async def test_a_key_made_beside_the_running_server_closes_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as client:
        assert (await client.get("/api/executions")).status_code == 200
        database = LibraryDatabase(tmp_path)
        database.start()
        KeyRing(database).create("first", "viewer")
        database.stop()
        assert (await client.get("/api/executions")).status_code == 401


async def test_no_header_of_old_opens_anything() -> None:
    async with serving() as client:
        key(client, "viewer")
        for name in ("x-internal", "x-internal-request", "x-forwarded-for", "x-real-ip", "x-original-url"):
            assert (await client.get("/api/executions", headers={name: "127.0.0.1"})).status_code == 401


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}])
async def test_a_foreign_page_reaches_nothing_on_loopback(headers: dict[str, str]) -> None:
    async with serving() as client:
        for method, path in (("GET", "/api/executions"), ("GET", "/health"), ("POST", "/api/execute-workflow")):
            response = await client.request(method, path, headers=headers)
            assert response.status_code == 403
            assert "access-control-allow-origin" not in response.headers
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with websockets.connect(f"ws://{client.address}/ws/executions", additional_headers=headers):
                pass
        assert refused.value.response.status_code == 403


async def test_an_allowed_origin_may_read_and_ask_before() -> None:
    async with serving(allowed_origins=frozenset({"http://localhost:5173"})) as client:
        origin = {"Origin": "http://localhost:5173"}
        response = await client.get("/api/executions", headers=origin)
        assert response.headers["access-control-allow-origin"] == origin["Origin"]
        asked = await client.options("/api/workflows/x", headers=origin | {"Access-Control-Request-Method": "PUT"})
        assert asked.status_code == 204 and "PUT" in asked.headers["access-control-allow-methods"]
        evil = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PUT"}
        assert (await client.options("/api/workflows/x", headers=evil)).status_code == 403
        async with websockets.connect(f"ws://{client.address}/ws/executions", origin="http://localhost:5173") as socket:  # type: ignore[arg-type]
            await socket.recv()


async def test_every_answer_says_what_a_browser_may_do_with_it() -> None:
    async with serving() as client:
        for path in ("/api", "/health", "/nothing", "/api/executions"):
            headers = (await client.get(path)).headers
            assert headers["content-security-policy"].startswith("default-src 'self'")
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"


async def test_a_body_that_is_too_large_is_not_read() -> None:
    async with serving(max_body_bytes=2_000, max_definition_bytes=1_000) as client:
        for path, size in (("/api/execute-workflow", 3_000), ("/api/workflows", 1_500), ("/api/executions", 3_000)):
            response = await client.post(path, content=b"x" * size)
            assert (response.status_code, response.json()["code"]) == (413, "BODY_TOO_LARGE"), path

        async def chunks() -> Any:
            for _ in range(100):
                yield b"x" * 100

        assert (await client.post("/api/execute-node", content=chunks())).status_code == 413


async def test_who_asks_too_often_is_told_to_wait() -> None:
    async with serving(rate_limit=5) as client:
        answers = await asyncio.gather(*(client.get("/health/live") for _ in range(30)))
        refused = [one for one in answers if one.status_code == 429]
        assert refused and refused[0].headers["retry-after"] == "1"


async def test_guessing_keys_is_slow() -> None:
    async with serving() as client:
        key(client, "viewer")
        answers = [(await client.get("/api/nodes", headers={"x-api-key": f"guess-{n}"})).status_code for n in range(30)]
        assert answers[0] == 401 and answers[-1] == 429


async def test_a_fault_of_ours_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as client:

        def break_down(*_: object, **__: object) -> None:
            raise RuntimeError("password=hunter2")

        monkeypatch.setattr(client.services.engine.store, "search", break_down)
        response = await client.get("/api/executions")
        assert (response.status_code, response.json()) == (500, {"error": "Internal error", "code": "INTERNAL_ERROR"})
        assert response.headers["x-content-type-options"] == "nosniff"
