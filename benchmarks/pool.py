"""Nodes in worker processes: what a task costs there, and what a second core is worth."""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.row import Measured, Row
from flowscope.definition import load
from flowscope.definition.workflow import Workflow
from flowscope.engine import Engine
from flowscope.nodes.builtin import builtin_registry
from flowscope.testing.runner_conformance import SampleTask, ran
from flowscope.testing.sample_nodes import SAMPLES
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.worker_pool import WorkflowWorkerPool

TRIPS = 300
ROUNDS = 5
LARGE = 50 * 1024 * 1024
ITEMS = 8
BURN = 0.25
"""Seconds of processor time an item takes."""


def _echo(value: object) -> object:
    return value


def _large(size: int) -> str:
    return "x" * size


async def bench_pool(directory: Path) -> Measured:
    """All of it, the bare pool of processes in turn with ours."""
    return [*await _trips(), await _cores(directory)]


async def _trips() -> Measured:
    pool = WorkflowWorkerPool(WorkerSettings(concurrency=1))
    await pool.start()
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as bare:

        async def ours() -> None:
            assert (await ran(pool, SampleTask(value=1))).failure is None

        async def floor() -> None:
            await loop.run_in_executor(bare, _echo, {"value": 1})

        async def ours_large() -> None:
            assert (await ran(pool, SampleTask(do="large", size=LARGE, input=""))).failure is None

        async def floor_large() -> None:
            assert len(await loop.run_in_executor(bare, _large, LARGE)) == LARGE

        await _median(ours, 20), await _median(floor, 20)
        small = [(await _median(ours, TRIPS), await _median(floor, TRIPS)) for _ in range(ROUNDS)]
        large = [(await _median(ours_large, 5), await _median(floor_large, 5)) for _ in range(3)]
    await pool.stop(0)
    trip, bare_trip = (statistics.median(column) * 1e6 for column in zip(*small, strict=True))
    heavy, bare_heavy = (statistics.median(column) * 1e3 for column in zip(*large, strict=True))
    return [
        Row(
            "a task to a worker process and back",
            f"{trip:,.0f} µs",
            f"{trip / bare_trip:.2f} of a bare ProcessPoolExecutor's {bare_trip:,.0f} µs, which has no limits and no priorities",
            "<= 2 x the bare pool",
            trip <= 2 * bare_trip,
        ),
        Row(
            "50 MB out of a worker process",
            f"{heavy:,.0f} ms",
            f"{heavy / bare_heavy:.2f} of a bare ProcessPoolExecutor's {bare_heavy:,.0f} ms",
            "<= the bare pool",
            heavy <= bare_heavy,
        ),
    ]


async def _median(trip: Callable[[], Awaitable[None]], times: int) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        await trip()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


async def _cores(directory: Path) -> Row:
    """A map whose items compute, with one process and with two; and the same in bare processes, for what the machine gives."""
    rounds = [
        (await _mapped(directory, 1), await _mapped(directory, 2), await _bare(1), await _bare(2)) for _ in range(3)
    ]
    one, two, bare_one, bare_two = (statistics.median(column) for column in zip(*rounds, strict=True))
    gain, bare = one / two, bare_one / bare_two
    return Row(
        f"a map over {ITEMS} items of {BURN} s of processor time each, 2 processes",
        f"{gain:.2f} x one process",
        f"{two:.2f} s; one process {one:.2f} s; bare processes {bare:.2f} x",
        ">= 1.8 x",
        gain >= 1.8,
    )


async def _bare(processes: int) -> float:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("forkserver")) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, _burn, 0.05) for _ in range(processes * 2)))
        began = time.perf_counter()
        await asyncio.gather(*(loop.run_in_executor(pool, _burn, BURN) for _ in range(ITEMS)))
        return time.perf_counter() - began


def _burn(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1_000))


async def _mapped(directory: Path, processes: int) -> float:
    pool = WorkflowWorkerPool(WorkerSettings(concurrency=processes))
    async with Engine(directory, registry=REGISTRY, runner=pool, recover=False) as engine:
        warm = await engine.start(_burning(processes * 2, 0.05))
        await warm.outcome()
        began = time.perf_counter()
        outcome = await (await engine.start(_burning(ITEMS, BURN))).outcome()
        assert outcome.status == "success"
        return time.perf_counter() - began


def _burning(items: int, seconds: float) -> Workflow:
    nodes = [
        {"id": "each", "data": {"type": "map", "config": {"items": f"{{{{ range({items}) }}}}", "concurrency": 0}}},
        {"id": "burn", "parentId": "each", "data": {"type": "sample", "config": {"do": "burn", "seconds": seconds}}},
    ]
    return load({"id": f"burn-{items}", "nodes": nodes, "edges": []}, REGISTRY)


REGISTRY = builtin_registry(entry_points=False)
for _node_type in SAMPLES:
    REGISTRY.add(_node_type)
