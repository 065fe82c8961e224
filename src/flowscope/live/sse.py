"""The same messages as Server-Sent Events: one message an event, `id:` the seq it brings the reader to.

A browser's `EventSource` comes back by itself with `Last-Event-ID`, which is `after`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from flowscope.live.hub import Hub
from flowscope.live.parcel import Parcel
from flowscope.live.protocol import CloseCode

MEDIA_TYPE: Final = "text/event-stream"

HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""What keeps proxies from holding the stream back."""


class SseWire:
    """A wire whose reader takes what has gathered."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0
        self._wake = asyncio.Event()
        self.closed = False

    def send(self, parcel: Parcel) -> None:
        self._put(parcel.stream)

    def buffered(self) -> int:
        return self._size

    def ping(self) -> bool:
        """A comment: it keeps proxies from cutting a quiet stream. There is no answer to it."""
        self._put(b": ping\n\n")
        return False

    def close(self, code: CloseCode, reason: str) -> None:
        self.closed = True
        self._wake.set()

    async def take(self) -> bytes:
        """What has gathered; empty when the wire is closed."""
        if not self.closed:
            await self._wake.wait()
        self._wake.clear()
        chunks, self._chunks, self._size = self._chunks, [], 0
        return b"".join(chunks)

    def _put(self, chunk: bytes) -> None:
        if not chunk:
            return  # events that show nothing; to the reader of `take` it would be the end
        self._chunks.append(chunk)
        self._size += len(chunk)
        self._wake.set()


async def stream(
    hub: Hub, execution_id: str, after: int | None = None, *, until_end: bool = False
) -> AsyncIterator[bytes]:
    """The execution's messages as they come; with `until_end`, no longer than to its end.

    The caller has seen that the reader may, and that the execution exists (otherwise an `ERROR` comes until it begins).
    """
    wire = SseWire()
    viewer = hub.connect(wire, framed=False, execution_id=execution_id, after=after)
    try:
        while chunk := await wire.take():
            yield chunk
            hub.drained(viewer)
            if until_end and hub.finished(viewer) and not wire.buffered():
                return
    finally:
        hub.left(viewer)


def last_event_id(value: str | None) -> int | None:
    """The header `Last-Event-ID` as `after`; None if there is none, or it is not one of ours."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 19 else None
