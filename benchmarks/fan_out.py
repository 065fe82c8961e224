"""Many viewers of one run: what a delivery costs beside C, what a stream of events costs, and whether all see the same.

The server is a process of its own, as users start it, and what counts is its CPU time: the viewers are a program in C
(`fanout.c`) that costs little, and nobody's waiting is measured. The run is one that a handler reports, so that its events
come at the rate that is asked for; each is journaled before it is shown, like any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.row import Measured, Row
from flowscope.engine import run_loop
from flowscope.live.client_fold import ClientFold
from flowscope.live.history import History
from flowscope.live.settings import LiveSettings
from flowscope.server import Services, Settings
from flowscope.server.serving import serve

SOURCE = Path(__file__).with_suffix("").with_name("fanout.c")
RUN = "measured"
NODES = 2_000
"""The most that a load reports on; `fanout.c` keeps as many statuses and more."""


class Watched(msgspec.Struct, frozen=True):
    """What the viewers saw. `different`: those that end with another picture than the last of them; `p50`, `p99`: ms from
    an event's recording to a viewer that reads."""

    ended: int
    different: int
    seq: int
    frames: int
    bytes: int
    gaps: int
    lagged: int
    p50: int
    p99: int
    picture: str


class Spent(msgspec.Struct, frozen=True):
    """What the server says. `seconds` of CPU for the events, `each`: bytes of memory a viewer before them, `most`: at the
    worst, `picture`: its own state."""

    seconds: float
    duration: float
    each: float
    most: float
    lagged: int
    seq: int
    picture: str


class Load(msgspec.Struct, frozen=True):
    """`viewers` of a run of `events` at `rate` a second, some of them `slow` to read, some `deaf`. `budget`: bytes that one
    may be behind."""

    viewers: int
    rate: int
    events: int
    slow: int = 0
    deaf: int = 0
    budget: int = LiveSettings().budget


ROUNDS = 3
"""Product and floor in turn; the figures are of the round whose ratio is the median."""


async def bench_fan_out(directory: Path) -> Measured:
    program = await compiled(directory)
    single = Load(1_000, rate=20, events=40)
    _, ours, floor, _ = await beside_floor(program, directory, single)
    stream = Load(1_000, rate=1_000, events=2_500)
    share, each, least, frames = await beside_floor(program, directory, stream)
    return [
        Row(
            "fan-out: 1,000 viewers, an event a frame",
            f"{ours:.1f} µs of CPU a delivery",
            f"{ours / floor:.2f} x the same bytes written by C ({floor:.1f} µs)",
            "<= 2 x (aim 1.3)",
            ours <= 2 * floor,
        ),
        Row(
            "fan-out: 1,000 viewers x 1,000 events/s",
            f"{share:.0%} of a core, recording included",
            f"{frames:.0f} frames/s a viewer, {each:.1f} µs each; {each / least:.2f} x C ({least:.1f} µs)",
            "<= 60 % of a core (aim 40)",
            share <= 0.6,
        ),
    ]


async def beside_floor(program: Path, directory: Path, load: Load) -> tuple[float, float, float, float]:
    """The share of a core, µs of CPU a frame, the same of the floor, and frames a second to each viewer."""
    rounds = []
    for number in range(ROUNDS):
        watched, spent = await measured(program, directory / f"{load.rate}-{number}", load)
        ours = spent.seconds * 1e6 / watched.frames
        floor = await floor_of(program, watched, load.viewers, spent.duration)
        pace = watched.frames / load.viewers / spent.duration
        rounds.append((spent.seconds / spent.duration, ours, floor, pace))
    return sorted(rounds, key=lambda one: one[1] / one[2])[ROUNDS // 2]


async def bench_convergence(directory: Path) -> Measured:
    program = await compiled(directory)
    many = Load(10_000, rate=4, events=24, slow=500, deaf=500)
    watched, spent = await measured(program, directory / "many", many)
    rows = [
        Row(
            "convergence: 10,000 viewers of one run, 500 slow and 500 that read nothing",
            f"{converged(many, watched, spent):,} of the 9,500 that read end with the server's state",
            f"{spent.each / 1024:.1f} KiB of memory a viewer; event to viewer p50 {watched.p50} ms, p99 {watched.p99} ms "
            f"at {watched.frames / spent.duration:,.0f} deliveries/s",
            "all; <= 6 KB each; p99 < 250 ms",
            converged(many, watched, spent) == 9_500 and spent.each <= 6_000 and watched.p99 < 250,
        )
    ]
    calm = Load(1_000, rate=500, events=1_500, budget=64 * 1024)
    crowd = msgspec.structs.replace(calm, slow=50, deaf=50)
    late: dict[Load, list[int]] = {calm: [], crowd: []}
    for number in range(ROUNDS):
        for load in late:
            watched, spent = await measured(program, directory / f"{number}-{load.slow}", load)
            late[load].append(watched.p99)
    alone, beside = (statistics.median(late[load]) for load in (calm, crowd))
    rows.append(
        Row(
            "convergence: 1,000 viewers at 500 events/s, 50 slow and 50 that read nothing",
            f"p99 of the others {beside} ms, without these {alone} ms",
            f"{converged(crowd, watched, spent)} of the 950 that read end with the server's state, "
            f"{spent.lagged} backlogs were dropped for a snapshot; the server grew by {spent.most / 1024:.1f} KiB a viewer",
            "all; p99 within 10 %; bounded memory",
            converged(crowd, watched, spent) == 950 and beside <= alone * 1.1 + 1,
        )
    )
    return rows


def converged(load: Load, watched: Watched, spent: Spent) -> int:
    """How many of those that read have the server's state at the end."""
    same = watched.seq == spent.seq and watched.picture == spent.picture and not watched.different
    return watched.ended if same else watched.ended - max(1, watched.different)


# --- the viewers ---


async def compiled(directory: Path) -> Path:
    """The load client."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SystemExit("The fan-out figures need a C compiler: install gcc, or name other benchmarks")
    await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
    program = directory / "fanout"
    process = await asyncio.create_subprocess_exec(compiler, "-O2", "-o", str(program), str(SOURCE))
    if await process.wait():
        raise SystemExit(f"{SOURCE.name} does not compile")
    return program


async def measured(program: Path, directory: Path, load: Load) -> tuple[Watched, Spent]:
    """One run of a server under that load."""
    async with started(sys.executable, "-m", "benchmarks.fan_out", str(directory), str(load.budget)) as server:
        port = (await line_of(server)).strip()
        path = f"/ws/executions?executionId={RUN}"
        numbers = map(str, (load.viewers, load.slow, load.deaf))
        async with started(str(program), "watch", port, path, RUN, *numbers) as crowd:
            assert await line_of(crowd) == "ready\n"
            assert server.stdin is not None
            server.stdin.write(b"%d %d\n" % (load.rate, load.events))
            watched = msgspec.json.decode(await line_of(crowd), type=Watched)
            server.stdin.write(b"done\n")
            spent = msgspec.json.decode(await line_of(server), type=Spent)
        each, most = spent.each / load.viewers, spent.most / load.viewers
        return watched, msgspec.structs.replace(spent, each=each, most=most)


async def floor_of(program: Path, watched: Watched, viewers: int, duration: float) -> float:
    """Microseconds of CPU a frame, for frames as many and as large, at the same pace, from C."""
    frames = watched.frames // viewers
    facts = map(str, (viewers, frames, round(duration * 1e6 / frames), max(200, watched.bytes // watched.frames)))
    async with started(str(program), "serve", *facts) as server:
        port = (await line_of(server)).strip()
        async with started(str(program), "watch", port, "/", RUN, str(viewers), "0", "0") as crowd:
            assert await line_of(crowd) == "ready\n"
            assert server.stdin is not None
            server.stdin.write(b"go\n")
            return float(await line_of(server)) * 1e6 / (frames * viewers)


@asynccontextmanager
async def started(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def line_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


# --- the server ---


async def main(directory: Path, budget: int) -> None:
    """A server: says its port, is told rate and number of events, reports them, says what they cost."""
    settings = Settings.from_environment({}, port=0, data_dir=directory, rate_limit=1_000_000)
    up: asyncio.Future[tuple[str, Services]] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, lambda address, services: up.set_result((address, services))))
    address, services = await up
    hub = services.visualization.hub
    hub.settings = msgspec.structs.replace(hub.settings, budget=budget)
    services.state_manager.initialize_execution(RUN, "reported", NODES)
    await services.state_manager.settled(RUN)
    before = resident()
    print(address.rsplit(":", 1)[1], flush=True)
    rate, events = map(int, (await asyncio.to_thread(sys.stdin.readline)).split())
    crowd = resident()
    usage = cpu()
    await report(services, rate, events)
    await asyncio.to_thread(sys.stdin.readline)
    spent = Spent(
        seconds=cpu() - usage,
        duration=events / rate,
        each=crowd - before,
        most=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before,
        lagged=hub.statistics()["lagged"],
        **state_of(services),
    )
    print(msgspec.json.encode(spent).decode(), flush=True)
    serving.cancel()


async def report(services: Services, rate: int, events: int) -> None:
    """Two events a node, at that rate."""
    states = services.state_manager
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(events):
        status = "success" if number % 2 else "running"
        states.update_node_state(RUN, f"n{number // 2}", f"Node {number // 2}", status)
        await asyncio.sleep(max(0.0, began + (number + 1) / rate - loop.time()))
    states.finish_execution(RUN, "success")


def state_of(services: Services) -> dict[str, Any]:
    """The server's own fold of the journal: its seq, and the first letters of the nodes' statuses."""
    channel = History(services.engine.store, 0).open(RUN)
    assert channel is not None
    fold = ClientFold(RUN)
    for page in channel.snapshot():
        fold.receive(msgspec.json.decode(page.texts[0]))
    return {"seq": fold.cursor, "picture": "".join(node["status"][0] for node in fold.state()["nodes"])}


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    run_loop(main(Path(sys.argv[1]), int(sys.argv[2])))
