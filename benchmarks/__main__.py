"""`make bench`: the engine's figures, each beside its floor measured in the same run.

Each figure is the median of several rounds, floor and product in turn, because machines drift. The table is printed, and
written to `benchmarks/RESULTS.md` with how it was got.
"""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
from rich.console import Console
from rich.table import Table

from benchmarks import floors, workloads
from benchmarks.fan_out import bench_convergence, bench_fan_out
from benchmarks.pool import bench_pool
from benchmarks.row import Measured, Row
from benchmarks.studio import bench_studio
from flowscope.definition.workflow import Workflow
from flowscope.engine import Engine, run_loop
from flowscope.orchestrator.passivation import IDLE
from flowscope.server.inbox import Inbox
from flowscope.testing.clock import MovedClock

ROUNDS = 7
RESULTS = Path(__file__).parent / "RESULTS.md"


@asynccontextmanager
async def engine_in(directory: Path) -> AsyncIterator[Engine]:
    async with Engine(directory, registry=workloads.REGISTRY, recover=False) as engine:
        yield engine


async def throughput(engine: Engine, workflow: Workflow, runs: int) -> float:
    """Durable nodes a second: `runs` started at once, until the last result is on disk."""
    began = time.perf_counter()
    started = await asyncio.gather(*(engine.start(workflow) for _ in range(runs)))
    outcomes = await asyncio.gather(*(run.outcome() for run in started))
    seconds = time.perf_counter() - began
    assert all(outcome.status == "success" for outcome in outcomes)
    return runs * len(workflow.nodes) / seconds


async def seconds_of(engine: Engine, workflow: Workflow, input: object = None) -> float:
    began = time.perf_counter()
    outcome = await (await engine.start(workflow, input)).outcome()
    assert outcome.status == "success"
    return time.perf_counter() - began


async def bench_throughput(directory: Path) -> Measured:
    rows = []
    async with engine_in(directory) as engine:
        for kind, name in (("noop", "pure"), ("external_noop", "external")):
            workflow = workloads.dag(kind)
            await throughput(engine, workflow, 50)
            rounds = [
                (await throughput(engine, workflow, 200), await floors.gathered(200), await floors.bare_loop(200))
                for _ in range(ROUNDS)
            ]
            ours, gathered, bare = (statistics.median(column) for column in zip(*rounds, strict=True))
            by_hand = statistics.median(mine / floor for mine, floor, _ in rounds)
            leanest = statistics.median(mine / floor for mine, _, floor in rounds)
            rows.append(
                Row(
                    f"200 runs of a 10-node DAG, {name}, durable",
                    f"{ours:,.0f} nodes/s",
                    f"{by_hand:.2f} of asyncio.gather by hand ({gathered:,.0f}), nothing recorded; "
                    f"{leanest:.2f} of the leanest loop ({bare:,.0f})",
                    ">= 35,000 nodes/s",
                    ours >= 35_000,
                )
            )
    return rows


async def bench_chain(directory: Path) -> Measured:
    """What a node adds is the slope between two lengths; what is left at length 0 is the commit and the start."""
    rows = []
    async with engine_in(directory) as engine:
        bare = 1e6 / floors.commits(directory)
        spent, transactions = {}, 0.0
        for length in (100, 300):
            workflow = workloads.chain("noop", length)
            await seconds_of(engine, workflow)
            before = engine.store.statistics()["transactions"]
            spent[length] = statistics.median([await seconds_of(engine, workflow) for _ in range(30)]) * 1e6
            transactions = (engine.store.statistics()["transactions"] - before) / 30
        per_node = (spent[300] - spent[100]) / 200
        rows.append(
            Row(
                "chain of pure nodes",
                f"{per_node:.1f} µs a node, and {spent[100] - 100 * per_node:,.0f} µs for {transactions:.2f} commits",
                f"a bare commit: {bare:,.0f} µs",
                "one commit + <= 10 µs a node (aim 4)",
                per_node <= 10 and transactions < 1.5,
            )
        )
        external = workloads.chain("external_noop", 100)
        await seconds_of(engine, external)
        before = engine.store.statistics()["transactions"]
        times = [await seconds_of(engine, external) for _ in range(5)]
        commits = (engine.store.statistics()["transactions"] - before) / 5 / 100
        rows.append(
            Row(
                "chain of 100 external no-op nodes",
                f"{commits:.2f} commits a node, {statistics.median(times) * 1e4:,.0f} µs a node",
                f"a bare commit: {bare:,.0f} µs",
                "<= 1.1 commits a node",
                commits <= 1.1,
            )
        )
    return rows


async def bench_large(directory: Path) -> Measured:
    async with engine_in(directory) as engine:
        figures = {}
        for size in (1_000, 100_000):
            workflow = workloads.chain("noop", size)
            engine.orchestrator.library.program(workflow)
            rounds = 21 if size == 1_000 else 5
            figures[size] = statistics.median([await seconds_of(engine, workflow) for _ in range(rounds)]) * 1e6 / size
        small, large = figures.values()
        rows = [
            Row(
                "one graph of 100,000 nodes",
                f"{large:.1f} µs a node",
                f"of 1,000 nodes: {small:.1f} µs",
                "<= 15 µs a node (aim 6), within 20 % of 1,000",
                large <= 15 and large <= 1.2 * small,
            )
        ]
        items = [{"id": number} for number in range(100_000)]
        before = _resident()
        seconds = await seconds_of(engine, workloads.mapping(), {"items": items})
        rows.append(
            Row(
                "map over 100,000 items, one pure node each",
                f"{seconds * 1e6 / 100_000:.1f} µs an item",
                f"resident memory rose by {(_resident() - before) / 1e6:,.0f} MB",
                "bounded memory",
                _resident() - before < 400e6,
            )
        )
    return rows


async def bench_open_loop(directory: Path) -> Measured:
    """2,000 runs of 10 nodes a second for three seconds, started by the clock and not by our answers."""
    workflow = workloads.dag("noop")
    latencies: list[float] = []
    async with engine_in(directory) as engine:
        await throughput(engine, workflow, 50)

        async def one() -> None:
            began = time.perf_counter()
            await (await engine.start(workflow)).outcome()
            latencies.append((time.perf_counter() - began) * 1e3)

        tasks: list[asyncio.Task[None]] = []
        began = time.perf_counter()
        while (elapsed := time.perf_counter() - began) < 3.0:
            tasks += [asyncio.create_task(one()) for _ in range(int(elapsed * 2_000) - len(tasks))]
            await asyncio.sleep(0.001)
        await asyncio.gather(*tasks)
    latencies.sort()
    p50, p99 = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
    return [
        Row(
            "open loop at 20,000 nodes/s, submit to durable result",
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
            f"{len(latencies):,} runs",
            "p50 <= 5 ms, p99 <= 50 ms",
            p50 <= 5 and p99 <= 50,
        )
    ]


async def bench_memory_and_restart(directory: Path) -> Measured:
    runs = 10_000
    workflow = workloads.waiting()
    clock = MovedClock()
    async with Engine(directory, registry=workloads.REGISTRY, clock=clock) as engine:
        engine.orchestrator.publishers.append(Inbox(engine.orchestrator))
        await _start_waiting(engine, workflow, 500)
        await _passivated(engine, clock, 500)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        await _start_waiting(engine, workflow, 2_000)
        gc.collect()
        fresh = (tracemalloc.get_traced_memory()[0] - before) / 2_000
        await _passivated(engine, clock, 2_500)
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) / 2_000
        tracemalloc.stop()
        wakes = await _wakes(engine, 1_000)
        await _start_waiting(engine, workflow, runs - 2_500)
    rows = [
        Row(
            "memory of a waiting execution of 10 nodes",
            f"{each:,.0f} bytes",
            f"all that is allocated for it, the store's and the inbox's share too, once it is passive; {fresh:,.0f} in its first half minute; "
            f"woken in p50 {wakes[len(wakes) // 2]:.2f} ms",
            "<= 1 KB + 32 B a node",
            each <= 1024 + 320,
        )
    ]
    began = time.perf_counter()
    async with Engine(directory, registry=workloads.REGISTRY) as engine:
        await engine.orchestrator.driver.recorder.flushed()
        seconds = time.perf_counter() - began
        alive = engine.orchestrator.statistics()["executions"]
    rows.append(
        Row(
            "restart with 10,000 runs in flight",
            f"{seconds:.2f} s until {alive:,} are resumed and durable",
            "",
            "< 5 s",
            seconds < 5 and alive >= runs,
        )
    )
    return rows


async def _start_waiting(engine: Engine, workflow: Workflow, count: int) -> None:
    await asyncio.gather(*(engine.start(workflow) for _ in range(count)))
    await engine.orchestrator.driver.recorder.flushed()


async def _passivated(engine: Engine, clock: MovedClock, count: int) -> None:
    """Let the half minute pass, at once, after which executions leave memory that only wait."""
    clock.move(IDLE)
    while len(engine.orchestrator.passivation.passive) < count:  # noqa: ASYNC110 -- it happens on this loop, and tells nobody
        await asyncio.sleep(0)


async def _wakes(engine: Engine, count: int) -> list[float]:
    """How long it takes until a passive execution is in memory again, sorted, in milliseconds."""
    taken = []
    for execution_id in list(engine.orchestrator.passivation.passive)[:count]:
        began = time.perf_counter()
        await engine.orchestrator.take_up(execution_id)
        taken.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(0)
    return sorted(taken)


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


BENCHMARKS: dict[str, Callable[[Path], Awaitable[Measured]]] = {
    "throughput": bench_throughput,
    "chain": bench_chain,
    "large": bench_large,
    "open": bench_open_loop,
    "memory": bench_memory_and_restart,
    "pool": bench_pool,
    "fan-out": bench_fan_out,
    "convergence": bench_convergence,
    "studio": bench_studio,
}


def main() -> int:
    wanted = sys.argv[1:] or list(BENCHMARKS)
    unknown = [name for name in wanted if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}. There are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    console = Console()
    rows: Measured = []
    for name in wanted:
        console.print(f"» {name}")
        # On the project's disk, not in memory: what is measured is durable.
        with tempfile.TemporaryDirectory(dir=RESULTS.parent, prefix=".run-") as directory:
            rows += run_loop(BENCHMARKS[name](Path(directory) / "data"))  # type: ignore[arg-type]
    table = Table("what", "figure", "beside it", "to reach", "", show_lines=True)
    for row in rows:
        table.add_row(row.what, row.figure, row.beside, row.target, "met" if row.met else "short")
    console.print(table)
    RESULTS.write_text(_report(rows, whole=wanted == list(BENCHMARKS)))
    console.print(f"written to {RESULTS.relative_to(Path.cwd())}")
    return 0


def _report(rows: Measured, *, whole: bool) -> str:
    """The page; unless the `whole` was measured, the other rows stay as they were."""
    lines = {
        row.what: f"| {row.what} | {row.figure} | {row.beside} | {row.target} | {'met' if row.met else 'short'} |"
        for row in rows
    }
    if not whole and RESULTS.is_file():
        kept = {line.split("|")[1].strip(): line for line in RESULTS.read_text().splitlines() if line.startswith("| ")}
        kept.pop("what", None)
        lines = kept | lines
    head = [
        "# Measured",
        "",
        f"By `make bench`, {time.strftime('%Y-%m-%d')}: {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"SQLite {apsw.sqlite_lib_version()} in WAL with `synchronous=FULL`, on a disk. Floor and product are measured "
        f"in turn, medians of {ROUNDS} rounds or more (fan-out: 3).",
        "",
        "| what | figure | beside it | to reach | |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines.values()]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
