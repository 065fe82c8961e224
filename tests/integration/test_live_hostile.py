"""Garbage in: nothing breaks, nothing leaks."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from unit.live.serving import PATIENCE, hear, serving

FRAMES = 3_000

kinds = pytest.mark.parametrize("kind", ["lean", "plain"])

WORDS: list[Any] = [
    {"type": "SUBSCRIBE", "executionId": "nobody"},
    {"type": "SUBSCRIBE", "executionId": "x" * 200},
    {"type": "SUBSCRIBE", "executionId": None, "after": "1"},
    {"type": "SUBSCRIBE", "executionId": "a", "after": 2**63},
    {"type": "SUBSCRIBE", "executionId": "a", "after": 1.5},
    {"type": "UNSUBSCRIBE", "executionId": "never"},
    {"type": "PING", "more": [[[[]]]]},
    {"type": ["SUBSCRIBE"]},
    {"type": ""},
    [],
    None,
    "PING",
    7,
]


def mangled(dice: Random) -> bytes | str:
    """Something a client should not say, or nearly."""
    text = msgspec.json.encode(dice.choice(WORDS))
    match dice.randrange(6):
        case 0:
            return dice.randbytes(dice.randint(0, 300))
        case 1:
            at = dice.randrange(len(text) + 1)
            return text[:at]
        case 2:
            at = dice.randrange(len(text))
            return text[:at] + dice.randbytes(1) + text[at + 1 :]
        case 3:
            return '{"type":"SUBSCRIBE","executionId":"\\ud800"}'
        case 4:
            return "".join(chr(dice.choice((dice.randrange(0xD800), 0x1F600, 0))) for _ in range(dice.randrange(60)))
    return text.decode()


@kinds
async def test_fuzzed_messages_never_break_the_server(kind: str) -> None:
    dice = Random(3)
    async with serving(kind) as site:
        sent = 0
        while sent < FRAMES:
            async with connect(site.address, max_queue=None) as connection:
                try:
                    for _ in range(90):
                        await connection.send(mangled(dice))
                        sent += 1
                except ConnectionClosed:
                    pass  # said too much
        async with connect(site.address) as connection:
            assert (await hear(connection))["type"] == "CONNECTED"
            await connection.send('{"type":"PING"}')
            assert (await hear(connection))["type"] == "PONG"
        await all_gone(site)


@kinds
async def test_fuzzed_bytes_after_the_handshake_never_break_the_server(kind: str) -> None:
    dice = Random(4)
    async with serving(kind) as site:
        for _ in range(100):
            reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
            writer.write(
                f"GET /ws/executions?executionId=nobody&after={dice.choice(('', 'x', '-1', '9' * 30))} HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{site.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            assert b"101" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
            writer.write(dice.randbytes(dice.randint(1, 400)))
            writer.transport.abort() if dice.random() < 0.5 else writer.close()
        async with connect(site.address) as connection:
            assert (await hear(connection))["type"] == "CONNECTED"
        await all_gone(site)


async def all_gone(site: Any) -> None:
    """Every connection has been forgotten."""
    turn = asyncio.Event()
    loop = asyncio.get_running_loop()

    def look() -> None:
        turn.set() if not any(site.service.get_stats().values()) else loop.call_soon(look)

    look()
    await asyncio.wait_for(turn.wait(), PATIENCE)
    statistics = site.service.statistics()
    assert (statistics["viewers"], statistics["subscriptions"]) == (0, 0)
