"""WebSocket frames that no client should send: nothing breaks, and nothing is left of who sent them.

`make fuzz` (python -m tests.acceptance.frame_fuzz --frames 100000 --seed 1) is the long form; a short one is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import msgspec

AT_ONCE = 16
A_CONNECTION = 80
"""Frames that one connection sends, if it is let; a little less than what it may say at once."""

WORDS: list[Any] = [
    {"type": "SUBSCRIBE", "executionId": "nobody"},
    {"type": "SUBSCRIBE", "executionId": "x" * 200},
    {"type": "SUBSCRIBE", "executionId": None, "after": "1"},
    {"type": "SUBSCRIBE", "executionId": "a", "after": 2**63},
    {"type": "SUBSCRIBE", "executionId": "a", "after": 1.5},
    {"type": "SUBSCRIBE", "executionId": "run", "after": 3},
    {"type": "SUBSCRIBE", "executionId": "run"},
    {"type": "UNSUBSCRIBE", "executionId": "never"},
    {"type": "UNSUBSCRIBE", "executionId": "run"},
    {"type": "PING", "more": [[[[]]]]},
    {"type": ["SUBSCRIBE"]},
    {"type": ""},
    [],
    None,
    "PING",
    7,
]


def mangled(dice: Random) -> bytes:
    """A message that a client should not send, or nearly."""
    text = msgspec.json.encode(dice.choice(WORDS))
    match dice.randrange(7):
        case 0:
            return dice.randbytes(dice.randint(0, 300))
        case 1:
            return text[: dice.randrange(len(text) + 1)]
        case 2:
            at = dice.randrange(len(text))
            return text[:at] + dice.randbytes(1) + text[at + 1 :]
        case 3:
            return b'{"type":"SUBSCRIBE","executionId":"\\ud800"}'
        case 4:
            letters = (chr(dice.choice((dice.randrange(0xD800), 0x1F600, 0))) for _ in range(dice.randrange(60)))
            return "".join(letters).encode()
        case 5 if dice.random() < 0.02:
            return b"x" * dice.randint(15_000, 70_000)
    return text


def framed(payload: bytes, dice: Random) -> bytes:
    """A frame around it, now and then a wrong one."""
    wrong = dice.random()
    opcode = dice.randrange(16) if wrong < 0.02 else dice.choice((1, 1, 1, 1, 2, 0, 9, 10))
    if opcode in (9, 10):
        payload = payload[:125]
    first = opcode | (0x80 if wrong > 0.04 or opcode >= 8 else 0) | (0x40 if 0.04 < wrong < 0.045 else 0)
    length = len(payload) + (dice.randint(-3, 3) if 0.05 < wrong < 0.055 else 0)
    masked = 0 if 0.06 < wrong < 0.065 else 0x80
    if 0 <= length < 126:
        head = bytes((first, masked | length))
    elif length < 65_536:
        head = bytes((first, masked | 126)) + max(0, length).to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + length.to_bytes(8, "big")
    mask = dice.randbytes(4)
    if not masked:
        return head + payload
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return head + mask + bytes(one ^ two for one, two in zip(payload, repeated, strict=True))


async def pester(port: int, dice: Random, frames: int) -> int:
    """One connection; how many frames it sent before it was shown the door."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    query = dice.choice(("", "?executionId=run", "?executionId=nobody&after=x", "?executionId=run&after=" + "9" * 30))
    protocol = dice.choice(("", "Sec-WebSocket-Protocol: flowscope.v1\r\n"))
    writer.write(
        f"GET /ws/executions{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n".encode()
    )
    sent = 0
    with contextlib.suppress(OSError):
        assert b" 101 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        while sent < frames and not reader.at_eof() and not writer.is_closing():
            writer.write(framed(mangled(dice), dice))
            sent += 1
            if dice.random() < 0.2:
                await writer.drain()
    if dice.random() < 0.5:
        writer.transport.abort()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return sent


async def pester_all(port: int, frames: int, seed: int) -> None:
    """So many frames, over some connections at a time."""
    left = frames
    dice = Random(seed)

    async def one() -> None:
        nonlocal left
        while left > 0:
            left -= max(1, await pester(port, dice, A_CONNECTION))

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))


async def main(frames: int, seed: int) -> int:
    from integration.test_live_hostile import all_gone, is_well
    from unit.live.serving import serving

    from .notation import chain, one

    async with serving("lean") as site:
        run = await site.engine.start(chain("w", one("go", "manual_trigger"), one("a", "noop")), execution_id="run")
        await run.result()
        await pester_all(site.port, frames // 5, seed)
        before = await settled(site, all_gone)
        began = time.perf_counter()
        await pester_all(site.port, frames - frames // 5, seed + 1)
        await is_well(site)
        after = await settled(site, all_gone)
    grown, objects = (after[0] - before[0]) / 1e6, after[1] - before[1]
    print(
        f"{frames:,} frames, {time.perf_counter() - began:.0f} s: the server is well; {grown:+.1f} MB, {objects:+,} objects"
    )
    return 0 if grown < 24 and objects < 5_000 else 1


async def settled(site: Any, all_gone: Any) -> tuple[int, int]:
    """Bytes of memory and objects, when everybody has gone."""
    await all_gone(site)
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240
    return pages * os.sysconf("SC_PAGE_SIZE"), len(gc.get_objects())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # which warns of every connection that was cut
    sys.exit(asyncio.run(main(chosen.frames, chosen.seed)))
