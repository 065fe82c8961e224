"""A WebSocket protocol for uvicorn (`ws=LeanProtocol`) that lets the hub write to the transport.

Until a connection is accepted it is uvicorn's own: the handshake goes through the ASGI application and its checks. When the
live endpoint takes it over, the application's part is done. There is no task and no queue for it any more: finished frames
are written to the transport as they are, what the client says goes to the hub, and pings are the hub's. Other WebSocket
routes of the same server are served as ever.
"""

from __future__ import annotations

from typing import Any, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request
from websockets.protocol import State

from flowscope.live.asgi import CLOSING, EXTENSION
from flowscope.live.hub import Hub
from flowscope.live.parcel import Parcel
from flowscope.live.protocol import CloseCode
from flowscope.live.session import FRAME_BYTES_IN
from flowscope.live.viewer import Viewer

PING: Final = b"\x89\x00"

PONGS_UNREAD: Final = 1024 * 1024
"""Bytes waiting beyond which a peer that pings and does not read is cut."""


class LeanProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol on the `websockets` library; after `take_over`, a wire of the hub's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Frames are built once for all viewers, so none is compressed for one; nor does each viewer cost a zlib window.
        self.conn.available_extensions = []
        self._viewer: Viewer | None = None
        self._hub: Hub | None = None

    # --- the handshake ---

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:  # the application's task has been made, and starts after this
            extensions = cast("dict[str, Any]", self.scope["extensions"])
            extensions[EXTENSION] = self.take_over

    def take_over(self, hub: Hub, framed: bool, execution_id: str | None, after: int | None) -> None:
        """The connection is the hub's from now on."""
        if self.disconnected or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.conn.max_message_size = FRAME_BYTES_IN
        self.transport.set_write_buffer_limits(high=hub.settings.high_water)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self._hub = hub
        self._viewer = hub.connect(LeanWire(self), framed=framed, execution_id=execution_id, after=after)
        while not self.queue.empty():  # what the client said before its greeting
            message = self.queue.get_nowait()
            if message["type"] == "websocket.receive":
                hub.received(self._viewer, message.get("text") or message.get("bytes") or b"")

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
        if self._viewer is None:
            if self.close_timer is None:
                self.transport.close()
        else:
            del self.scope, self.request, self.response  # a viewer may stay for days

    # --- what comes in ---

    def send_receive_event_to_app(self) -> None:
        if self._hub is None or self._viewer is None:
            return super().send_receive_event_to_app()
        data = b"".join(self.frames)
        self.frames = []
        self._hub.received(self._viewer, data)

    def handle_ping(self) -> None:
        super().handle_ping()
        if self._viewer is not None and self.transport.get_write_buffer_size() > PONGS_UNREAD * 4:
            self.transport.abort()

    def handle_pong(self, event: Frame) -> None:
        if self._hub is None or self._viewer is None:
            return super().handle_pong(event)
        self._hub.alive(self._viewer)

    # --- what becomes of the transport ---

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._hub is not None and self._viewer is not None:
            self._hub.drained(self._viewer)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._hub is not None and self._viewer is not None:
            self._hub.left(self._viewer)

    def shutdown(self) -> None:
        super().shutdown()
        self.cut_later()

    def cut_later(self) -> None:
        """A peer that does not read, or does not answer the goodbye, must not keep the connection open."""
        self.close_timer = self.loop.call_later(CLOSING, self.transport.abort)


class LeanWire:
    """The hub's hand on the transport."""

    __slots__ = ("_protocol", "_transport", "buffered")

    def __init__(self, protocol: LeanProtocol) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self.buffered = protocol.transport.get_write_buffer_size

    def send(self, parcel: Parcel) -> None:
        self._transport.write(parcel.framed)

    def ping(self) -> bool:
        self._transport.write(PING)
        return True

    def close(self, code: CloseCode, reason: str) -> None:
        protocol = self._protocol
        if protocol.conn.state is not State.OPEN or self._transport.is_closing():
            return
        protocol.conn.send_close(int(code), reason)
        self._transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        protocol.cut_later()
