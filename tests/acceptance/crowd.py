"""Many viewers at little cost: a WebSocket client on bare asyncio for each, reading or not, answering or not."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import msgspec

from flowscope.live.client_fold import ClientFold, Outcome
from flowscope.live.protocol import SUBPROTOCOL

from .bad_network import frame_length

Manner = Literal["attentive", "slow", "deaf", "mute"]
"""`slow` reads a little now and then, `deaf` nothing at all, `mute` reads and never answers a ping."""

SMALL_BUFFER = 4_096

TEXT, PONG = 1, 10


class Onlooker(asyncio.Protocol):
    """One viewer. `ended`: it has seen the run end; `gone`: its connection is over, by `code` (0: it was not closed)."""

    def __init__(self, execution_id: str, manner: Manner) -> None:
        self.fold = ClientFold(execution_id)
        self.manner = manner
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.gone = asyncio.Event()
        self.code = 0
        self._execution_id = execution_id
        self._rest = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(
            f"GET /ws/executions?executionId={self._execution_id} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self.ready.is_set():
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._rest = rest
            self.ready.set()
            if self.manner == "deaf":
                return self._transport.pause_reading()
        if self.manner == "slow":
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(0.02, self._transport.resume_reading)
        while (length := frame_length(self._rest)) and length <= len(self._rest):
            frame, self._rest = self._rest[:length], self._rest[length:]
            self._take(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    def close(self) -> None:
        self._transport.abort()

    def _take(self, frame: bytes) -> None:
        payload = frame[{126: 4, 127: 10}.get(frame[1], 2) :]
        match frame[0] & 15:
            case 1:
                self._hear(msgspec.json.decode(payload))
            case 9 if self.manner != "mute":
                self._say(PONG, payload)
            case 8:
                self.code = struct.unpack("!H", payload[:2])[0]
                self._transport.close()

    def _hear(self, message: Any) -> None:
        if self.fold.receive(message) is Outcome.GAP:
            again = {"type": "SUBSCRIBE", "executionId": self._execution_id, "after": self.fold.cursor}
            self._say(TEXT, msgspec.json.encode(again))
        if self.fold.ended:
            self.ended.set()

    def _say(self, opcode: int, payload: bytes) -> None:
        """A masked frame of less than 126 bytes; a mask of zeros is as good as any here."""
        self._transport.write(bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload)


@asynccontextmanager
async def gathered(port: int, execution_id: str, manners: Sequence[Manner]) -> AsyncIterator[list[Onlooker]]:
    """All of them, connected."""
    crowd = []
    for manner in manners:
        crowd.append(await _connected(port, Onlooker(execution_id, manner)))
    await asyncio.gather(*(one.ready.wait() for one in crowd))
    try:
        yield crowd
    finally:
        for one in crowd:
            one.close()
        await asyncio.gather(*(one.gone.wait() for one in crowd))


async def _connected(port: int, onlooker: Onlooker) -> Onlooker:
    sock = socket.socket()
    sock.setblocking(False)
    if onlooker.manner in ("slow", "deaf"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", port))
    await loop.create_connection(lambda: onlooker, sock=sock)
    return onlooker
