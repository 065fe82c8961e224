"""A real server on a real port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from flowscope.live.lean import LeanProtocol
from flowscope.orchestrator.ports import LogLine, Progress, Segment
from flowscope.server import Services, Settings, create_app


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[str]:
    """Serve an ASGI application, its lifespan included; yields `127.0.0.1:port`."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, ws=LeanProtocol, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=2
    )
    server = _Quiet(config)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        assert not serving.done(), "the server did not start"
        await asyncio.sleep(0.001)
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


class _Bell:
    """A publisher that rings."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        self._event.set()

    def murmur(self, word: Progress | LogLine) -> None:
        """Silence."""


class Client(httpx.AsyncClient):
    """A client of one server; `services` is what is behind it."""

    app: FastAPI
    services: Services
    address: str

    async def stored(self, *nodes: dict[str, Any], id: str = "flow", edges: Any = (), **members: Any) -> str:
        """Store a workflow of these nodes, joined in a row unless `edges` says otherwise; its id."""
        row = [{"source": one["id"], "target": two["id"]} for one, two in pairwise(nodes)]
        document = {"id": id, "nodes": list(nodes), "edges": list(edges) or row, **members}
        response = await self.post("/api/workflows", json=document)
        assert response.status_code == 201, response.text
        assert response.json()["valid"], response.json()["problems"]
        return id

    async def execute(self, workflow_id: str = "flow", **body: Any) -> httpx.Response:
        return await self.post("/api/execute-workflow", json={"workflowId": workflow_id, **body})

    async def begun(self) -> None:
        """Wait for the next commit of any execution."""
        committed = asyncio.Event()
        self.services.engine.orchestrator.publishers.append(_Bell(committed))
        async with asyncio.timeout(60):
            await committed.wait()

    async def until(self, execution_id: str, status: str) -> dict[str, Any]:
        """Watch the execution's states until it is in that one."""
        reached = asyncio.Event()
        manager = self.services.state_manager

        def look(update: Any) -> None:
            if update.status == status:
                reached.set()

        unsubscribe = manager.subscribe(execution_id, look)
        try:
            async with asyncio.timeout(60):
                await reached.wait()
        finally:
            unsubscribe()
        found: dict[str, Any] = (await self.get(f"/api/executions/{execution_id}")).json()
        return found


@asynccontextmanager
async def serving(data: Path | None = None, **settings: Any) -> AsyncIterator[Client]:
    """The whole server; by default everything is in memory."""
    chosen = replace(Settings.from_environment({}, data_dir=data), grace=1.0, **settings)
    app: FastAPI = create_app(chosen)
    async with listening(app) as address, Client(base_url=f"http://{address}", timeout=60) as client:
        client.app = app
        client.services = app.state.flowscope
        client.address = address
        yield client


def node(id: str, type: str, **config: Any) -> dict[str, Any]:
    """A node of a workflow's document."""
    return {"id": id, "data": {"type": type, "label": id.title(), "config": config}}
