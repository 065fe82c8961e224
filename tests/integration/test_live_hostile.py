"""docs/spec.md, V-05. Garbage in: nothing breaks, nothing leaks. The long form is `make fuzz`."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest
from websockets.asyncio.client import connect

from acceptance.frame_fuzz import pester_all
from acceptance.notation import chain, one
from flowscope.live.guard import Scope
from unit.live.serving import PATIENCE, hear, serving

FRAMES = 5_000

kinds = pytest.mark.parametrize("kind", ["lean", "plain"])


@kinds
async def test_fuzzed_frames_never_break_the_server(kind: str) -> None:
    async with serving(kind) as site:
        run = await site.engine.start(chain("w", one("go", "manual_trigger"), one("a", "noop")), execution_id="run")
        await run.result()
        await pester_all(site.port, FRAMES if kind == "lean" else FRAMES // 5, seed=3)
        await is_well(site)
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
        await is_well(site)
        await all_gone(site)


@kinds
async def test_what_is_said_before_the_greeting_is_heard_after_it(kind: str) -> None:
    """A client may speak while it is being looked at."""
    looking, said = asyncio.Event(), asyncio.Event()

    async def look(scope: Scope) -> None:
        looking.set()
        await said.wait()
        for _ in range(8):  # turns of the loop, in each of which it reads what has arrived
            await asyncio.sleep(0)

    async with serving(kind, authorize=look) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(
            f"GET /ws/executions HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await looking.wait()
        ping = b'{"type":"PING"}'
        writer.write(bytes((0x81, 0x80 | len(ping))) + bytes(4) + ping)
        said.set()
        await asyncio.wait_for(reader.readuntil(b'"PONG"'), PATIENCE)
        writer.close()
        await all_gone(site)


async def is_well(site: Any) -> None:
    """Somebody who comes now is served."""
    async with connect(site.address) as connection:
        assert (await hear(connection))["type"] == "CONNECTED"
        await connection.send('{"type":"PING"}')
        assert (await hear(connection))["type"] == "PONG"


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
