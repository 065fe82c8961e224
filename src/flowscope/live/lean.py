"""A WebSocket protocol for uvicorn (`ws=LeanProtocol`) that lets the hub write to the transport.

Until a connection is accepted it is uvicorn's own: the handshake goes through the ASGI application and its checks. When the
live endpoint takes it over, the application's part is done, and the transport gets a protocol that is nothing but a viewer's
wire: no task, no queue, a few hundred bytes. Finished frames are written to the transport as they are, what the client says
goes to the hub, and pings are the hub's. Other WebSocket routes of the same server are served as ever.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request

from flowscope.live.asgi import CLOSING, EXTENSION
from flowscope.live.hub import Hub
from flowscope.live.inbox import Inbox, Opcode, Violation, is_text
from flowscope.live.parcel import Parcel
from flowscope.live.protocol import CloseCode
from flowscope.live.session import FRAME_BYTES_IN
from flowscope.live.viewer import Viewer

PING: Final = b"\x89\x00"

PONGS_UNREAD: Final = 256 * 1024
"""Bytes waiting beyond which a peer that pings and does not read is cut."""


class LeanProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol on the `websockets` library, up to the moment when the hub takes the connection over."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Frames are built once for all viewers, so none is compressed for one; nor does each viewer cost a zlib window.
        self.conn.available_extensions = []
        self._early = b""
        self._taken = False

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # the application's task has been made, and starts after this
            extensions = cast("dict[str, Any]", self.scope["extensions"])
            extensions[EXTENSION] = self.take_over

    def take_over(self, hub: Hub, framed: bool, execution_id: str | None, after: int | None) -> None:
        """The connection is the hub's from now on."""
        if self.disconnected or self.transport.is_closing():
            return
        self._taken = True
        self.stop_keepalive()
        wire = LeanWire(hub, self.transport, self.connections)
        wire.take(framed, execution_id, after)
        if self._early:
            wire.data_received(self._early)

    def data_received(self, data: bytes) -> None:
        """What a client says before it has been greeted waits: it is not known yet whom it is for."""
        if self.handshake_initiated and not self.handshake_complete:
            self._early += data
            if len(self._early) > 2 * FRAME_BYTES_IN:
                self.transport.abort()
        else:
            super().data_received(data)

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.accept" and self._early:
            self.loop.call_soon(self._release)

    def _release(self) -> None:
        if not self._taken and not self.disconnected:
            super().data_received(self._early)
            self._early = b""

    async def run_asgi(self) -> None:
        """As uvicorn's, but that a connection which was taken over stays open when the application returns."""
        try:
            await self.app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            pass
        except BaseException:
            self.logger.exception("Exception in ASGI application\n")
            self.send_500_response()
        else:
            if not self.handshake_complete:
                self.logger.error("ASGI callable returned without completing handshake.")
                self.send_500_response()
        if not self._taken:
            if self.close_timer is None:
                self.transport.close()
        else:
            del self.scope, self.request, self.response  # they refer to us, and we to them


class LeanWire(asyncio.Protocol):
    """A viewer's connection: the hub's hand on the transport, and its ear. `connections` are those of uvicorn's server."""

    __slots__ = ("_closing", "_connections", "_cutting", "_hub", "_inbox", "_transport", "_viewer", "buffered")

    _viewer: Viewer

    def __init__(self, hub: Hub, transport: asyncio.Transport, connections: set[Any]) -> None:
        self._hub = hub
        self._transport = transport
        self._connections = connections
        self._inbox = Inbox(FRAME_BYTES_IN)
        self._closing = False
        self._cutting: asyncio.TimerHandle | None = None
        self.buffered: Callable[[], int] = transport.get_write_buffer_size

    def take(self, framed: bool, execution_id: str | None, after: int | None) -> None:
        """Be the transport's protocol, and a viewer of the hub's."""
        transport, hub = self._transport, self._hub
        self._connections.discard(transport.get_protocol())
        self._connections.add(self)
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=hub.settings.high_water)
        transport.resume_reading()
        self._viewer = hub.connect(self, framed=framed, execution_id=execution_id, after=after)

    # --- the Wire ---

    def send(self, parcel: Parcel) -> None:
        self._transport.write(parcel.framed)

    def ping(self) -> bool:
        self._transport.write(PING)
        return True

    def close(self, code: CloseCode, reason: str) -> None:
        self._end(struct.pack("!H", code) + reason.encode()[:123])

    # --- what comes in ---

    def data_received(self, data: bytes) -> None:
        try:
            for opcode, payload in self._inbox.feed(data):
                self._hear(opcode, payload)
        except Violation as violation:
            self._hub.left(self._viewer)
            self._end(struct.pack("!H", violation.code) + violation.reason.encode())

    def _hear(self, opcode: Opcode, payload: bytes) -> None:
        if opcode is Opcode.CLOSE:
            self._end(payload[:2])
            self._transport.close()
        elif self._closing:
            return
        elif opcode is Opcode.PING:
            self._transport.write(bytes((0x8A, len(payload))) + payload)
            if self.buffered() > self._hub.settings.budget + PONGS_UNREAD:
                self._transport.abort()
        elif opcode is Opcode.PONG:
            self._hub.alive(self._viewer)
        else:
            if opcode is Opcode.TEXT and not is_text(payload):
                raise Violation(1007, "a text message is UTF-8")
            self._hub.received(self._viewer, payload)

    # --- what becomes of the transport ---

    def resume_writing(self) -> None:
        self._hub.drained(self._viewer)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
        self._connections.discard(self)
        self._hub.left(self._viewer)

    def shutdown(self) -> None:
        """uvicorn ends."""
        self.close(CloseCode.RESTART, "the server restarts; resume with `after`")

    def _end(self, facts: bytes) -> None:
        """Say goodbye, once. A peer that does not read, or does not answer it, must not keep the connection open."""
        if self._closing or self._transport.is_closing():
            return
        self._closing = True
        self._transport.write(bytes((0x88, len(facts))) + facts)
        self._cutting = asyncio.get_running_loop().call_later(CLOSING, self._transport.abort)
