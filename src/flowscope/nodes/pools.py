"""Connections that outlive the attempt that opened them: one pool a server and login, for each event loop.

The orchestrator closes those of its loop when it stops. Which server a pool is connected to is part of its name, as the
addresses that were judged: when a host's name comes to mean another address, it is another pool.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

from flowscope.errors import NodeError

MOST = 64


class Pool(Protocol):
    async def close(self) -> Any: ...


P = TypeVar("P", bound=Pool)

_pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, asyncio.Future[Any]]] = WeakKeyDictionary()


async def shared(name: Hashable, make: Callable[[], Awaitable[P]]) -> P:
    """The pool of that name; the first to ask has it made, and those who ask meanwhile wait. One that could not be made
    is not kept."""
    ours = _pools.setdefault(asyncio.get_running_loop(), {})
    if name not in ours:
        if len(ours) >= MOST:
            raise NodeError(f"More than {MOST} servers or logins at once", code="TOO_MANY_CONNECTIONS")
        ours[name] = asyncio.ensure_future(make())
    try:
        pool: P = await asyncio.shield(ours[name])
    except asyncio.CancelledError:
        raise
    except BaseException:
        ours.pop(name, None)
        raise
    return pool


async def drop(name: Hashable) -> None:
    """Close one and forget it: the next to ask gets a fresh one."""
    made = _pools.get(asyncio.get_running_loop(), {}).pop(name, None)
    if made is not None:
        await _close(made)


async def close() -> None:
    """Close all of this event loop's."""
    for made in _pools.pop(asyncio.get_running_loop(), {}).values():
        await _close(made)


async def _close(made: asyncio.Future[Any]) -> None:
    if not made.done():
        made.cancel()
    elif not made.cancelled() and made.exception() is None:
        await made.result().close()
