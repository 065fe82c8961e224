"""What the machine could do at best: the same graphs with nothing but the event loop, and the disk with nothing but commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import apsw

from benchmarks.workloads import DIAMONDS

_TARGETS = {source: [target for first, target in DIAMONDS if first == source] for source in range(10)}
_SOURCES = [[source for source, target in DIAMONDS if target == number] for number in range(10)]
_INDEGREE = [sum(1 for _, target in DIAMONDS if target == number) for number in range(10)]


async def _node() -> None:
    return None


async def _run() -> None:
    """One run of the 10-node DAG: every node a task, joins by counters, nothing recorded."""
    waiting = list(_INDEGREE)
    done = asyncio.get_running_loop().create_future()
    left = 10

    async def one(number: int) -> None:
        nonlocal left
        await _node()
        left -= 1
        if not left:
            done.set_result(None)
        for target in _TARGETS[number]:
            waiting[target] -= 1
            if not waiting[target]:
                start(target)

    tasks: set[asyncio.Task[None]] = set()

    def start(number: int) -> None:
        task = asyncio.create_task(one(number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    start(0)
    await done


async def _gathered_run() -> None:
    """The same as one would write it by hand: a task a node, which gathers its predecessors."""
    tasks: list[asyncio.Task[None]] = []

    async def one(number: int) -> None:
        if _SOURCES[number]:
            await asyncio.gather(*(tasks[source] for source in _SOURCES[number]))
        await _node()

    tasks += [asyncio.create_task(one(number)) for number in range(10)]
    await asyncio.gather(*tasks)


async def bare_loop(runs: int) -> float:
    """Nodes a second of `runs` concurrent runs by counters: the leanest there is."""
    return await _rate(_run, runs)


async def gathered(runs: int) -> float:
    """Nodes a second of `runs` concurrent runs by `asyncio.gather`."""
    return await _rate(_gathered_run, runs)


async def _rate(run: Callable[[], Coroutine[None, None, None]], runs: int) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(run() for _ in range(runs)))
    return runs * 10 / (time.perf_counter() - began)


def commits(directory: Path, seconds: float = 1.0) -> float:
    """Commits a second of one small row each, WAL and `synchronous=FULL`."""
    connection = apsw.Connection(str(directory / "floor.db"))
    for statement in [
        "PRAGMA journal_mode=WAL",
        " PRAGMA synchronous=FULL",
        " CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)",
    ]:
        connection.execute(statement).fetchall()
    payload = b"x" * 200
    count = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        connection.execute("INSERT INTO t (b) VALUES (?)", (payload,))
        count += 1
    rate = count / (time.perf_counter() - began)
    connection.close()
    return rate
