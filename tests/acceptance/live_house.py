"""A whole server in the test's own loop, which can be restarted on the same port and directory, and workflows to watch."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from flowscope.definition.workflow import JSON
from flowscope.live.client_fold import ClientFold
from flowscope.live.history import History
from flowscope.live.lean import LeanProtocol
from flowscope.nodes.context import NodeContext
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeType, node
from flowscope.server import Services, Settings, create_app

from .nodes import registry_with
from .notation import chain, graph, one


class Doors:
    """The type `door`: passes its input on when the test opens it, for each execution and node. `all_open`: at once."""

    def __init__(self) -> None:
        self.all_open = False
        self._doors: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)
        self.type: NodeType = self._make()

    def open(self, execution_id: str, node_id: str) -> None:
        self._doors[execution_id, node_id].set()

    def _make(self) -> NodeType:
        @node("door", title="Door", category="testing", effects="external")
        async def door(input: JSON, context: NodeContext) -> JSON:
            if not self.all_open:
                await self._doors[context.execution_id, context.node_id].wait()
            return input

        return door


RICH = graph(
    "rich",
    [
        one("go", "manual_trigger"),
        one("first", "door"),
        one("which", "if_else", {"condition": "n > 0"}),
        one("yes", "door"),
        one("no", "door"),
        one("aside", "noop"),
        one("rows", "set", {"fields": {"rows": "{{ range(4) }}"}}),
        one("each", "map", {"items": "{{ rows.rows }}", "onItemError": "collect"}),
        one("odd", "if_else", {"condition": "item % 2 == 1"}, "each"),
        one("bad", "stop_and_error", {"errorMessage": "odd {{ item }}"}, "each"),
        one("good", "noop", {}, "each"),
        one("try", "try_catch"),
        one("fall", "stop_and_error", {"errorMessage": "fell", "retry": {"attempts": 2, "delay": 1}}, "try"),
        one("saved", "door"),
        one("last", "door"),
    ],
    [
        "go -> first", "first -> which", "which.true -> yes", "which.false -> no", "go -> aside", "yes -> rows",
        "no -> rows", "rows -> each", "odd.true -> bad", "odd.false -> good", "each -> try", "try.catch -> saved",
        "saved -> last",
    ],
)  # fmt: skip
"""Branches, a map with errors, retries, a body that fails and is caught: about sixty events."""

FAILING = graph(
    "failing",
    [
        one("go", "manual_trigger"),
        one("first", "door"),
        one("aside", "door"),
        one("stop", "stop_and_error", {"errorMessage": "no more"}),
        one("never", "noop"),
        one("siren", "error_trigger"),
        one("alarm", "door"),
    ],
    ["go -> first", "first -> stop", "first -> aside", "stop -> never", "siren -> alarm"],
)

CROWDED = graph(
    "crowded",
    [
        one("go", "manual_trigger"),
        *(one(f"step{k}", "door") for k in range(8)),
        *(one(f"{k}-{n}", "noop") for k in range(8) for n in range(25)),
    ],
    [
        "go -> step0",
        *(f"step{k} -> step{k + 1}" for k in range(7)),
        *(f"step{k} -> {k}-{n}" for k in range(8) for n in range(25)),
    ],
)
"""Eight steps, each with much happening at once behind it."""

STEPS = chain("steps", one("go", "manual_trigger"), *(one(f"step{k}", "door") for k in range(4)), one("end", "noop"))


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class House:
    """The server. `up` and `down` may be called again and again; `doors` stays what it is."""

    def __init__(self, data: Path | None, **settings: Any) -> None:
        self.doors = Doors()
        self._registry: Registry = registry_with(self.doors.type)
        self._settings = replace(
            Settings.from_environment({}, data_dir=data), grace=0.0, rate_limit=100_000, **settings
        )
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.services: Services
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def up(self, *, send_buffer: int = 0) -> None:
        app = create_app(self._settings, registry=self._registry)
        self.services = app.state.flowscope
        listener = socket.create_server(("127.0.0.1", self.port), backlog=2_048)
        if send_buffer:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            app, ws=LeanProtocol, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self._server = _Quiet(config)
        self._serving = asyncio.create_task(self._serve(self._server, listener))
        while not self._server.started:
            assert not self._serving.done(), "the server did not start"
            await asyncio.sleep(0.001)

    async def _serve(self, server: uvicorn.Server, listener: socket.socket) -> None:
        with listener:
            await server.serve([listener])

    async def down(self) -> None:
        if self._server is not None and self._serving is not None:
            self.services.visualization.stop()
            self._server.should_exit = True
            await self._serving
            self._server = self._serving = None

    def fold(self, execution_id: str) -> Any:
        """What the server itself makes of the journal: the picture that every viewer must end with."""
        channel = History(self.services.engine.store, 0).open(execution_id)
        assert channel is not None
        fold = ClientFold(execution_id)
        for page in channel.snapshot():
            fold.receive(msgspec.json.decode(page.texts[0]))
        return fold.state()


@asynccontextmanager
async def house(data: Path | None = None, *, send_buffer: int = 0, **settings: Any) -> AsyncIterator[House]:
    """A server that is up. `send_buffer`: bytes the system holds for each connection; 0: as many as it likes."""
    made = House(data, **settings)
    await made.up(send_buffer=send_buffer)
    try:
        yield made
    finally:
        await made.down()
