"""Watching one execution until it ends, whatever the network does.

    connect ──> messages ──> fold ──> updates ──> ended
       ^            │          │
       └─ a pause ──┴── gone   └── a gap: come back with `after` = the cursor

The fold's cursor says what is known. Whatever happens to a connection, the next one asks for what follows on that, and what
comes twice is ignored: so the picture cannot lose anything, and where too much was missed the server sends a snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from itertools import cycle
from typing import Final

from flowscope.client.door import Door, Interrupted, NotThere
from flowscope.client.failures import RequestRefused
from flowscope.client.feeds import Feed, socket_feed, stream_feed
from flowscope.client.pauses import Pauses
from flowscope.client.updates import Update, snapshot_of, updates_of
from flowscope.errors import ExecutionNotFound
from flowscope.live.client_fold import ClientFold, JSONObject, Outcome

WAYS: Final[tuple[Feed, ...]] = (socket_feed, stream_feed)
"""In order of preference. The one that works is kept; after one that gave nothing the next is tried."""


class Watch:
    """An asynchronous iterator over the updates of one execution; it ends when the run has ended.

    `state` is the whole picture at any time. With `after`, what comes first are the updates that follow on that event; then a
    snapshot completes the picture.
    """

    def __init__(
        self, door: Door, execution_id: str, after: int | None, pauses: Pauses, ways: tuple[Feed, ...] = WAYS
    ) -> None:
        self.execution_id = execution_id
        self._door = door
        self._pauses = pauses
        self._ways = cycle(ways)
        self._way = next(self._ways)
        self._missing = len(ways)
        """Ways that may still be there; counted down until one has given something."""
        self._fold = ClientFold(execution_id)
        self._fold.cursor = -1 if after is None else after
        self._whole = False
        """A snapshot has been seen, so that nothing is missing in the picture."""
        self._again = self._closed = False
        self._updates = self._follow()
        self.connections = 0

    # --- the picture ---

    @property
    def state(self) -> JSONObject:
        """The run and its nodes as far as is known: the `data` of a snapshot."""
        return self._fold.state()

    @property
    def cursor(self) -> int:
        """The last event that is known; -1: none. `after` for another watch that is to go on from here."""
        return self._fold.cursor

    @property
    def ended(self) -> bool:
        """The run has ended, and the picture is its last."""
        return self._fold.ended and self._whole

    # --- the iterator ---

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Update:
        return await anext(self._updates)

    async def close(self) -> None:
        """Stop watching. Safe twice, and while another task waits for the next update."""
        self._closed = True
        with suppress(RuntimeError):  # that task is in the generator
            await self._updates.aclose()

    async def end(self) -> JSONObject:
        """Wait for the run's end; the last picture."""
        async for _ in self:
            pass
        return self.state

    async def _follow(self) -> AsyncGenerator[Update]:
        while not self._closed:
            heard = False
            before = self._fold.cursor
            try:
                self.connections += 1
                feed = self._way(self._door, self.execution_id, self._after())
                async with aclosing(feed) as messages:
                    async for message in messages:
                        heard, self._missing = True, 0
                        for update in self._receive(message):
                            yield update
                        if self.ended:
                            return
                        if self._again:
                            break
            except Interrupted as reason:
                self._count(reason)
            if not heard:
                self._way = next(self._ways)
            if self._fold.cursor > before:
                self._pauses.reset()
            await asyncio.sleep(self._pauses.next())

    def _count(self, reason: Interrupted) -> None:
        if isinstance(reason, NotThere) and self._missing:
            self._missing -= 1
            if not self._missing:
                message = f"{self._door.address.url} answers, but not as a flowscope server: {reason}"
                raise RequestRefused(message, status=404) from None

    def _after(self) -> int | None:
        """Where the next connection is to begin; None for a snapshot."""
        complete = self._whole or not self._fold.caught_up
        self._again = self._fold.caught_up = False
        return self._fold.cursor if complete and self._fold.cursor >= 0 else None

    def _receive(self, message: JSONObject) -> Iterator[Update]:
        kind = message.get("type")
        if kind == "ERROR":
            self._complain(message)
        outcome = self._fold.receive(message)
        if outcome is Outcome.GAP:
            self._again = True
        elif kind == "EXECUTION_SNAPSHOT":
            if outcome is Outcome.APPLIED:
                self._whole = True
                yield snapshot_of(self._fold.state(), message)
        elif kind == "CAUGHT_UP":
            self._again = not self._whole
        elif outcome is Outcome.APPLIED or kind in ("NODE_LOG", "NODE_PROGRESS"):
            yield from updates_of(message)

    def _complain(self, message: JSONObject) -> None:
        """An error the server has sent: one that passes is only another reason to come back."""
        code = message.get("code", "")
        if code == "EXECUTION_NOT_FOUND":
            raise ExecutionNotFound(self.execution_id)
        if code != "UNAVAILABLE":
            raise RequestRefused(str(message.get("message", code)), status=400, code=code)
        self._again = True
