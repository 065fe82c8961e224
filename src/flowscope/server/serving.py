"""The process around the application: a port, signals, an orderly end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from flowscope.errors import InputInvalid
from flowscope.live.lean import LeanProtocol
from flowscope.live.session import FRAME_BYTES_IN
from flowscope.log import get_logger
from flowscope.server.app import create_app
from flowscope.server.examples import store_examples
from flowscope.server.services import Services
from flowscope.server.settings import Settings

log = get_logger("flowscope.serving")

INTERRUPTED = 130

CONNECTIONS_SECONDS = 5
"""What a connection gets to take its last answer, once the engine has stopped."""


async def serve(settings: Settings, announce: Callable[[str, Services], None], *, examples: Path | None = None) -> None:
    """Serve until a signal ends it. `announce` is told the address when all is ready; the workflows of the directory
    `examples` are stored first, if they never were.

    `InputInvalid` for a port that is taken or an address that needs keys; a `StoreError` for the data directory.
    """
    listener = listen(settings)
    try:
        app = create_app(settings)
        services: Services = app.state.flowscope
        await services.start()
        try:
            require_keys(services)
            if examples is not None:
                await store_examples(services, examples)
            announce(address_of(listener), services)
            await _Server(_config(app, settings), services).serve([listener])
        finally:
            await services.stop()
    finally:
        listener.close()


def listen(settings: Settings) -> socket.socket:
    """The socket; `InputInvalid` says why it cannot be had."""
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2_048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise InputInvalid(
                f"{where} is in use: end what listens there, or choose another port with --port"
            ) from None
        if error.errno == errno.EACCES:
            raise InputInvalid(f"{where} needs more rights: choose a port from 1024 with --port") from None
        raise InputInvalid(f"Cannot listen on {where}: {error.strerror or error}. Choose another --host") from None


def require_keys(services: Services) -> None:
    """Whoever can reach it could run things: beyond this machine nobody may without a key."""
    settings = services.settings
    if not settings.is_loopback and not services.keys:
        raise InputInvalid(
            f"flowscope does not listen on {settings.host} without keys, for others could reach it: make one with "
            f"`flowscope keys create NAME --data {settings.data_dir}`, or listen on 127.0.0.1"
        )


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(app: Any, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws=LeanProtocol,
        ws_max_size=FRAME_BYTES_IN,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=CONNECTIONS_SECONDS,
    )


class _Server(uvicorn.Server):
    """uvicorn's, but that the engine stops between closing the port and waiting for connections: requests that wait for a
    run are answered, and viewers are told to come back, instead of holding the end up."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        log.info("server_stopping")
        for server in self.servers:
            server.close()
        await self._services.stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The first signal stops in order, the second at once; neither is raised again, for both have been obeyed."""
        loop = asyncio.get_running_loop()

        def asked() -> None:
            if self.should_exit:
                os._exit(INTERRUPTED)
            self.should_exit = True

        for which in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(which, asked)
        try:
            yield
        finally:
            for which in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(which)
