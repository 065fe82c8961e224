"""A TCP proxy between clients and a server, which does to a connection whatever a test wants.

It knows just enough of the two protocols to see where a unit ends: a WebSocket frame, a chunk of an HTTP answer. What the
server says is given to a `Weather` unit by unit; what the client says goes through, the head of each request by `Weather.ask`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count

_SEQ = re.compile(rb'"seq":(\d+)')
_AFTER = re.compile(rb"((?:after=|last-event-id: ))(\d+)", re.IGNORECASE)


class Cut(Exception):
    """The connection is to be cut now."""


class Weather:
    """What happens to each unit: by default nothing."""

    def ask(self, head: bytes) -> bytes:
        """The head of a request, on its way to the server."""
        return head

    async def tell(self, unit: bytes, link: Link) -> None:
        """A unit on its way to the client."""
        link.pass_on(unit)


class Link:
    """One connection through the proxy. `is_stream`: what is passed now are messages, not the head of an answer;
    `is_socket`: it is, or is about to be, a WebSocket."""

    def __init__(self, number: int, to_client: asyncio.StreamWriter) -> None:
        self.number = number
        self.is_stream = self.is_socket = False
        self._to_client = to_client

    def pass_on(self, data: bytes) -> None:
        if self._to_client.is_closing():
            raise Cut
        self._to_client.write(data)

    async def taken(self) -> None:
        """Wait until the system has taken what was passed on: an abort would throw it away."""
        self._to_client.transport.set_write_buffer_limits(0)
        await self._to_client.drain()

    def cut(self) -> None:
        self._to_client.transport.abort()

    def reset(self) -> None:
        """Cut it as a machine does that has forgotten it."""
        peer = self._to_client.get_extra_info("socket")
        if peer is not None and peer.fileno() >= 0:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()


class BadNetwork:
    """A proxy to `127.0.0.1:port`; `upstream` may change, and connections are refused where nothing listens."""

    def __init__(self, upstream: int, weather: Weather | None = None) -> None:
        self.upstream = upstream
        self.weather = weather or Weather()
        self.port = 0
        self.links = 0
        self.standing: set[Link] = set()
        self._numbers = count(1)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def up(self) -> AsyncIterator[BadNetwork]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._connect(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.links += 1
        link = Link(next(self._numbers), writer)
        try:
            with suppress(OSError):
                await self._join(link, reader)
                await link.taken()
        finally:  # also when this is cancelled, wherever it is
            link.cut()

    async def _join(self, link: Link, reader: asyncio.StreamReader) -> None:
        below, above = await asyncio.open_connection("127.0.0.1", self.upstream)
        self.standing.add(link)
        going = asyncio.ensure_future(self._up(reader, above))
        coming = asyncio.ensure_future(self._down(below, link))
        try:
            await asyncio.wait({going, coming}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.standing.discard(link)
            above.transport.abort()
            for task in (going, coming):
                task.cancel()
            await asyncio.gather(going, coming, return_exceptions=True)

    async def _up(self, reader: asyncio.StreamReader, above: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                above.write(self.weather.ask(data) if data[:4] in (b"GET ", b"POST", b"PUT ") else data)

    async def _down(self, below: asyncio.StreamReader, link: Link) -> None:
        units = Units()
        with suppress(OSError, Cut):
            while data := await below.read(65_536):
                for unit in units.feed(data):
                    link.is_stream = units.is_stream(unit)
                    link.is_socket = units.is_socket
                    await self.weather.tell(unit, link)
            return
        link.cut()


class Units:
    """Bytes from a server, cut into heads of answers, WebSocket frames and chunks."""

    def __init__(self) -> None:
        self._rest = b""
        self._kind = ""

    @property
    def is_socket(self) -> bool:
        return self._kind == "frames"

    def is_stream(self, unit: bytes) -> bool:
        return bool(self._kind) and not unit.startswith(b"HTTP/")

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._rest += data
        while (length := self._length()) and length <= len(self._rest):
            unit, self._rest = self._rest[:length], self._rest[length:]
            if not self._kind and b" 101 " in unit[:20]:
                self._kind = "frames"
            elif not self._kind and b"text/event-stream" in unit.lower():
                self._kind = "chunks"
            yield unit

    def _length(self) -> int:
        """Bytes of the next unit; 0 if that is not known yet."""
        rest = self._rest
        if self._kind == "frames":
            return frame_length(rest)
        if self._kind == "chunks":
            size, found, _ = rest.partition(b"\r\n")
            return len(size) + 2 + int(size, 16) + 2 if found else 0
        end = rest.find(b"\r\n\r\n") + 4
        if end < 4:
            return 0
        body = re.search(rb"content-length: (\d+)", rest[:end].lower())
        return end + (int(body[1]) if body else 0)


def frame_length(data: bytes) -> int:
    if len(data) < 2:
        return 0
    short = data[1] & 127
    if short < 126:
        return 2 + short
    head, form = (4, "!H") if short == 126 else (10, "!Q")
    return head + int(struct.unpack(form, data[2:head])[0]) if len(data) >= head else 0


def last_seq(unit: bytes) -> int:
    """The highest seq a unit speaks of; 0 for none."""
    return max(map(int, _SEQ.findall(unit)), default=0)


def older(head: bytes, by: int) -> bytes:
    """A request that asks for what follows on an older event than it did."""
    return _AFTER.sub(
        lambda found: found[1] + str(max(0, int(found[2]) - by)).encode().rjust(len(found[2]), b"0"), head
    )
