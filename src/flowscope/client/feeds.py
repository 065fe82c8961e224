"""The two ways the messages of an execution come: over a WebSocket, or as Server-Sent Events.

A feed gives messages until its connection is gone, and then raises `Interrupted`. What coming back cannot help is raised as
what it is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final, NoReturn, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from flowscope.client.address import execution_path
from flowscope.client.door import Door, Interrupted, NotThere
from flowscope.client.event_stream import EventStream
from flowscope.client.failures import RequestRefused, ServerError, key_refused, unreachable
from flowscope.live.client_fold import JSONObject
from flowscope.live.protocol import SUBPROTOCOL, CloseCode

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of one message. A server's largest are the pages of a snapshot, of about a MiB."""

CLOSING: Final = 1.0
"""Seconds for taking leave; whoever does not answer is left without it."""


class Feed(Protocol):
    """Called with the door, the execution, and the event to go on after (None: begin with a snapshot)."""

    def __call__(self, door: Door, execution_id: str, after: int | None) -> AsyncGenerator[JSONObject]: ...


async def socket_feed(door: Door, execution_id: str, after: int | None) -> AsyncGenerator[JSONObject]:
    """Over a WebSocket. With an API key a ticket is got first: a key in a URL would end up in logs."""
    ticket = ""
    if door.has_key:
        ticket = await _ticket(door)
    socket = await _connected(door, door.address.socket(execution_id, after, ticket))
    try:
        while True:
            yield msgspec.json.decode(await socket.recv())
    except ConnectionClosed as closed:
        _raise_for(closed, door)
    except msgspec.DecodeError as error:
        raise Interrupted(f"not one of our messages: {error}") from None
    finally:
        with suppress(OSError):
            await socket.close()


async def stream_feed(door: Door, execution_id: str, after: int | None) -> AsyncGenerator[JSONObject]:
    """As Server-Sent Events: plain HTTP, for networks that do not let WebSockets through."""
    headers = {"accept": "text/event-stream"}
    if after is not None:
        headers["last-event-id"] = str(after)
    events = EventStream()
    try:
        async with door.stream(execution_path(execution_id, "stream"), headers) as chunks:
            async for chunk in chunks:
                for data in events.feed(chunk):
                    yield msgspec.json.decode(data)
    except (ServerError, msgspec.DecodeError) as error:
        if not door.reached:
            raise
        raise Interrupted(str(error)) from None
    except RequestRefused as error:
        if error.status in (404, 405):
            raise NotThere(str(error)) from None
        raise
    raise Interrupted("the server has ended the stream")


async def _ticket(door: Door) -> str:
    try:
        return str((await door.ask("POST", "/api/tickets"))["ticket"])
    except ServerError as error:
        if not door.reached:
            raise
        raise Interrupted(str(error)) from None


async def _connected(door: Door, url: str) -> ClientConnection:
    half = door.silence / 2
    try:
        socket = await connect(
            url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression=None,
            proxy=None if door.address.is_loopback else True,
            open_timeout=min(10.0, door.silence),
            ping_interval=half,
            ping_timeout=half,
            close_timeout=CLOSING,
            max_size=LARGEST,
        )
    except InvalidStatus as refused:
        door.reached = True
        status = refused.response.status_code
        if status in (401, 403):
            door.raise_for(status, bytes(refused.response.body or b""))
        raise NotThere(f"no WebSocket there: HTTP {status}") from None
    except InvalidHandshake as error:
        door.reached = True
        raise Interrupted(str(error)) from None
    except ConnectionResetError as error:
        raise Interrupted(str(error)) from None
    except OSError as error:
        reason = "connection refused" if isinstance(error, ConnectionRefusedError) else str(error) or "no answer"
        if not door.reached:
            raise unreachable(door.address.url, reason) from None
        raise Interrupted(reason) from None
    door.reached = True
    return socket


def _raise_for(closed: ConnectionClosed, door: Door) -> NoReturn:
    code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (0, "the connection was cut")
    if code in (CloseCode.UNAUTHORIZED, CloseCode.FORBIDDEN):
        raise key_refused(door.address.url, reason, given=door.has_key) from None
    raise Interrupted(f"{code} {reason}") from None
