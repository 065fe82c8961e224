"""A real server on a free port of the loopback, with a real engine behind it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from flowscope.engine import Engine
from flowscope.live.client_fold import ClientFold, Outcome
from flowscope.live.guard import Authorize
from flowscope.live.lean import LeanProtocol
from flowscope.live.protocol import SUBPROTOCOL
from flowscope.live.settings import LiveSettings
from flowscope.live.visualization_service import VisualizationService
from flowscope.nodes.registry import Registry

PATIENCE = 60.0
"""Seconds after which a fact will not come any more."""

KINDS: dict[str, Any] = {"lean": LeanProtocol, "plain": "websockets-sansio"}


class Site:
    """What is served. `address` is the WebSocket's."""

    def __init__(self, engine: Engine, service: VisualizationService, port: int) -> None:
        self.engine = engine
        self.service = service
        self.port = port
        self.address = f"ws://127.0.0.1:{port}{service.settings.path}"

    def url(self, execution_id: str, after: int | None = None) -> str:
        return f"{self.address}?executionId={execution_id}" + ("" if after is None else f"&after={after}")

    def framed(self, execution_id: str, after: int | None = None) -> connect:
        return connect(self.url(execution_id, after), subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None)


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application that serves nothing."""


@asynccontextmanager
async def serving(
    kind: str,
    *,
    data_dir: Path | None = None,
    settings: LiveSettings | None = None,
    registry: Registry | None = None,
    app: Any = nothing,
    sndbuf: int = 0,
    authorize: Authorize | None = None,
) -> AsyncIterator[Site]:
    async with Engine(data_dir, registry=registry, grace=0) as engine:
        service = VisualizationService(engine.store, engine.state_manager, settings=settings, authorize=authorize)
        engine.orchestrator.publishers.append(service)
        service.start()
        with socket.socket() as listener:
            if sndbuf:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, sndbuf)
            listener.bind(("127.0.0.1", 0))
            config = uvicorn.Config(
                service.initialize(app),
                ws=KINDS[kind],
                lifespan="off",
                log_level="warning",
                ws_max_size=64 * 1024,
                ws_per_message_deflate=False,
            )
            server = _Quiet(config)
            task = asyncio.create_task(server.serve([listener]))
            await asyncio.wait_for(server.up.wait(), PATIENCE)
            try:
                yield Site(engine, service, listener.getsockname()[1])
            finally:
                service.stop()
                server.should_exit = True
                await task


class _Quiet(uvicorn.Server):
    """Leaves the signals to pytest, and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()

    def install_signal_handlers(self) -> None:
        """Nothing."""


async def hear(connection: ClientConnection) -> Any:
    """The next message."""
    return msgspec.json.decode(await asyncio.wait_for(connection.recv(), PATIENCE))


async def hear_until(connection: ClientConnection, kind: str, **facts: Any) -> list[Any]:
    """All messages up to the first of that type with those facts in its `data`."""
    heard = []
    while True:
        heard.append(await hear(connection))
        data = heard[-1].get("data", heard[-1])
        if heard[-1].get("type") == kind and all(data.get(name) == value for name, value in facts.items()):
            return heard


async def watch_to_end(connection: ClientConnection, fold: ClientFold) -> list[Any]:
    """Fold what comes until the execution has ended; a gap is asked about."""
    heard = []
    while not fold.ended:
        heard.append(await hear(connection))
        if fold.receive(heard[-1]) is Outcome.GAP:
            await connection.send(
                msgspec.json.encode(
                    {"type": "SUBSCRIBE", "executionId": fold.execution_id, "after": fold.cursor}
                ).decode()
            )
    return heard
