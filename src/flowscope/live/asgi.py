"""The WebSocket as a plain ASGI application: the reference, which runs under any server and mounted in any application.

The handshake and its checks are always here. A server whose WebSocket protocol offers the extension `flowscope.live` (see
`lean`) takes the connection over after it has been accepted; under any other, messages go through ASGI's `send`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qs

import structlog

from flowscope.live.guard import Authorize, Refusal, Scope
from flowscope.live.hub import Hub
from flowscope.live.parcel import Parcel
from flowscope.live.protocol import SUBPROTOCOL, CloseCode
from flowscope.live.viewer import Viewer

log = structlog.get_logger("flowscope.live")

Receive: TypeAlias = Callable[[], Awaitable[Any]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]

EXTENSION: Final = "flowscope.live"
"""In `scope["extensions"]`: a function `(hub, framed, execution_id, after)` that takes the accepted connection over."""

CLOSING: Final = 5.0
"""Seconds a closing connection has to take what is on its way."""


class LiveEndpoint:
    """`await endpoint(scope, receive, send)`, for a scope of type `websocket`."""

    def __init__(self, hub: Hub, authorize: Authorize) -> None:
        self._hub = hub
        self._authorize = authorize

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            raise ValueError(f"The live endpoint speaks WebSocket, not {scope['type']}")
        if (await receive())["type"] != "websocket.connect":
            return
        refusal = await self._authorize(scope)
        if refusal is not None:
            return await self._refuse(refusal, send)
        framed = SUBPROTOCOL in scope.get("subprotocols", ())
        accept = {"type": "websocket.accept", "subprotocol": SUBPROTOCOL if framed else None}
        await send(accept)
        execution_id, after = asked(scope)
        take_over = scope.get("extensions", {}).get(EXTENSION)
        if take_over is not None:
            take_over(self._hub, framed, execution_id, after)
            return
        wire = AsgiWire(self._hub)
        wire.viewer = self._hub.connect(wire, framed=framed, execution_id=execution_id, after=after)
        await wire.run(receive, send)

    async def _refuse(self, refusal: Refusal, send: Send) -> None:
        log.info("live.refused", code=int(refusal.code), reason=refusal.reason)
        await send({"type": "websocket.close", "code": int(refusal.code), "reason": refusal.reason})


def asked(scope: Scope) -> tuple[str | None, int | None]:
    """`executionId` and `after` of the query; an `after` that is no number is -1, which the session refuses."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    execution_id = query["executionId"][0] if "executionId" in query else None
    if "after" not in query:
        return execution_id, None
    after = query["after"][0]
    return execution_id, int(after) if after.isascii() and after.isdigit() and len(after) < 19 else -1


class AsgiWire:
    """A wire over ASGI's `send`, with a queue and a writer of its own: this is what `lean` does without."""

    viewer: Viewer

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._outbox: deque[bytes] = deque()
        self._size = 0
        self._goodbye: dict[str, Any] | None = None
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    # --- the Wire ---

    def send(self, parcel: Parcel) -> None:
        if self._goodbye is None:
            self._outbox.extend(parcel.texts)
            self._size += parcel.size
            self._wake.set()

    def buffered(self) -> int:
        return self._size

    def ping(self) -> bool:
        """ASGI has no pings. The server sends its own (uvicorn: `ws_ping_interval`) and ends what does not answer."""
        return False

    def close(self, code: CloseCode, reason: str) -> None:
        if self._goodbye is None:
            self._goodbye = {"type": "websocket.close", "code": int(code), "reason": reason}
            self._wake.set()
            # One that takes nothing is cut. (uvicorn then waits for TCP to give up; `lean` does not.)
            asyncio.get_running_loop().call_later(CLOSING, self._cut)

    # --- the connection ---

    async def run(self, receive: Receive, send: Send) -> None:
        """Until either side has closed."""
        writer = self._writer = asyncio.create_task(self._write(send))
        reader = asyncio.create_task(self._read(receive))
        try:
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.left(self.viewer)
            reader.cancel()
            writer.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)

    def _cut(self) -> None:
        if self._writer is not None:
            self._writer.cancel()

    async def _read(self, receive: Receive) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            self._hub.received(self.viewer, message.get("bytes") or b"" if text is None else text)

    async def _write(self, send: Send) -> None:
        try:
            while True:
                await self._write_outbox(send)
                if self._goodbye is not None:
                    await send(self._goodbye)
                    return
                self._wake.clear()
                if not self._outbox:
                    await self._wake.wait()
        except (OSError, RuntimeError) as error:  # the peer is gone, or has closed first; the reader hears of it too
            log.debug("live.gone", client_id=self.viewer.client_id, error=str(error))

    async def _write_outbox(self, send: Send) -> None:
        while self._outbox:
            text = self._outbox.popleft()
            await send({"type": "websocket.send", "text": text.decode()})
            self._size -= len(text)
            if not self._outbox:
                self._hub.drained(self.viewer)
