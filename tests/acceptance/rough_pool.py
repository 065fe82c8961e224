"""Mixed tasks in worker processes: some are killed, some hang, some raise, some return 50 MB. Every other must be right.

    python -m tests.acceptance.rough_pool [--tasks 1000] [--kills 20] [--seed N] [--json]

First all of them in one run; then, with `--kills`, a run whose server is killed with SIGKILL again and again and goes on each
time. Exit status 1 if a task is lost or wrong, or a process is left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flowscope.engine import Engine, Run, run_loop
from flowscope.errors import ExecutionNotFound
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.worker_pool import WorkflowWorkerPool

from .nodes import registry_with
from .notation import graph, one
from .rough_nodes import FATES, data_of, rough, weigh
from .tether import tethered

ROOT = Path(__file__).resolve().parents[2]
SHARES = {"killed": 0.025, "doomed": 0.025, "hung": 0.025, "stuck": 0.025, "raising": 0.05, "large": 0.05}
"""Together a fifth: 5 % killed, 5 % hung, 5 % raising, 5 % large."""
TIMEOUT = 8_000
"""Milliseconds. A large task takes a fraction of that, and on a busy machine most of it."""
ERRORS = {"doomed": "WorkerLost", "stuck": "WorkerTimeout", "raising": "ValueError"}
EXECUTION = "rough"
PATIENCE = 60.0
QUARTERS = 4


@dataclass(slots=True)
class Report:
    """What was done, and what was found. Memory is the server's own, resident, in MB: before, the most in each quarter of
    the tasks, and after. (Of large values the engine keeps up to 128 MiB at hand.)"""

    tasks: int = 0
    right: int = 0
    failed_as_they_should: int = 0
    seconds: float = 0
    kills: int = 0
    attempts_lost: int = 0
    workers_started: int = 0
    workers_lost: int = 0
    memory_at_first: float = 0
    memory_peaks: list[float] = field(default_factory=lambda: [0.0] * QUARTERS)
    memory_at_last: float = 0
    violations: list[str] = field(default_factory=list)


def tasks_of(count: int, seed: int) -> list[dict[str, Any]]:
    """The tasks, each fate as often as its share, at least once, in an order that the seed decides."""
    fates = [fate for fate in FATES for _ in range(max(1, round(SHARES[fate] * count)))]
    fates += [""] * (count - len(fates))
    random.Random(seed).shuffle(fates)
    return [{"number": number, "fate": fate} for number, fate in enumerate(fates)]


def workflow_of(tasks: list[dict[str, Any]], token: str) -> dict[str, Any]:
    config = {"number": "{{ item.number }}", "fate": "{{ item.fate }}", "token": token}
    each = one("each", "map", {"items": "{{ json.tasks }}", "concurrency": 16, "onItemError": "collect"})
    nodes = [
        one("go", "manual_trigger"),
        each,
        one("rough", "rough", config, "each"),
        one("weigh", "weigh", {}, "each"),
    ]
    return graph("rough", nodes, ["go -> each", "rough -> weigh"])


def engine_of(directory: Path) -> tuple[Engine, WorkflowWorkerPool]:
    pool = WorkflowWorkerPool(WorkerSettings(concurrency=4, timeout=TIMEOUT, retry_attempts=1))
    return Engine(directory, registry=registry_with(rough, weigh), runner=pool, recover=False, grace=0), pool


def judge(report: Report, tasks: list[dict[str, Any]], results: list[Any], losses_of_server: bool) -> None:
    """Hold each result against what it must be."""
    report.tasks = len(tasks)
    if len(results) != len(tasks):
        report.violations.append(f"{len(tasks)} tasks, {len(results)} results")
    for task, result in zip(tasks, results, strict=False):
        number, fate = task["number"], task["fate"]
        data = data_of(number, fate)
        right = {"number": number, "size": len(data), "digest": hashlib.sha256(data.encode()).hexdigest()}
        error = result.get("error", {}).get("type") if isinstance(result, dict) else None
        # A loss with the server counts like one of the worker's own, so what dies once may then have had its chances.
        excused = losses_of_server and fate in ("killed", "hung") and error in ("WorkerLost", "WorkerTimeout")
        if fate in ERRORS:
            if error != ERRORS[fate]:
                report.violations.append(f"task {number}, {fate}: {json.dumps(result)[:200]}")
            report.failed_as_they_should += error == ERRORS[fate]
        elif result == right or excused:
            report.right += result == right
        else:
            report.violations.append(f"task {number}, {fate or 'usual'}: {json.dumps(result)[:200]}")


def left_behind(token: str, pids: set[int]) -> list[int]:
    """Processes that run and should not: the pool's own, and programs with the token in their arguments."""
    found = [pid for pid in pids if _state(pid) not in ("", "Z")]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if token.encode() in arguments:
                found.append(int(entry.name))
    return found


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


# --- all of them in one run ---


async def run_all(report: Report, directory: Path, count: int, seed: int) -> None:
    token = f"rough-{uuid.uuid4()}"
    tasks = tasks_of(count, seed)
    engine, pool = engine_of(directory)
    pids: set[int] = set()
    began = time.monotonic()
    async with engine:
        report.memory_at_first = _resident()
        run = await engine.start(workflow_of(tasks, token), {"tasks": tasks}, execution_id=EXECUTION)
        watching = asyncio.create_task(_watch(report, engine, pool, pids, count))
        results = await run.result()
        watching.cancel()
        metrics = pool.get_metrics()
        gc.collect()
        report.memory_at_last = _resident()
    report.seconds = time.monotonic() - began
    report.workers_started = int(metrics["startedWorkers"])
    report.workers_lost = int(metrics["lostWorkers"])
    report.attempts_lost = report.workers_lost
    judge(report, tasks, results, losses_of_server=False)
    await _gone(report, token, pids)


async def _watch(report: Report, engine: Engine, pool: WorkflowWorkerPool, pids: set[int], count: int) -> None:
    """Look at memory and processes while it goes on."""
    while True:
        pids.update(pool.pids())
        metrics = pool.get_metrics()
        ended = metrics["completedTasks"] + metrics["failedTasks"]
        quarter = min(QUARTERS - 1, int(QUARTERS * ended / (2 * count)))
        report.memory_peaks[quarter] = max(report.memory_peaks[quarter], _resident())
        await asyncio.sleep(0.02)


async def _gone(report: Report, token: str, pids: set[int]) -> None:
    """What was killed is gone at once, but the system may take a moment to say so."""
    end = time.monotonic() + PATIENCE
    while left := left_behind(token, pids):
        if time.monotonic() > end:
            report.violations.append(f"left behind: {left}")
            return
        await asyncio.sleep(0.05)


# --- killed again and again ---


async def run_killed(report: Report, directory: Path, count: int, kills: int, seed: int) -> None:
    token = f"rough-{uuid.uuid4()}"
    dice = random.Random(seed)
    began = time.monotonic()
    for life in range(kills + 1):
        arguments = ["-m", "tests.acceptance.rough_pool", "--live", str(directory), "--tasks", str(count)]
        command = tethered([sys.executable, *arguments, "--seed", str(seed), "--token", token])
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
        assert process.stdout is not None
        pids = {int(pid) for pid in (await process.stdout.readline()).split()}
        if life < kills:
            try:
                await asyncio.wait_for(process.wait(), dice.uniform(0.2, 1.5))
                break  # it was done
            except TimeoutError:
                process.kill()
                report.kills += 1
        await process.wait()
        await _gone(report, token, pids)
    if process.returncode:
        report.violations.append(f"the last life ended with status {process.returncode}")
    tasks = tasks_of(count, seed)
    engine, _ = engine_of(directory)
    async with engine:
        judge(report, tasks, await engine.run(EXECUTION).result(), losses_of_server=True)
    report.seconds = time.monotonic() - began


async def live(directory: Path, count: int, seed: int, token: str) -> None:
    """One life of the server: begin, or go on. Says its processes once there are some."""
    engine, pool = engine_of(directory)
    tasks = tasks_of(count, seed)
    async with engine:
        run: Run
        try:
            engine.run(EXECUTION)
            if engine.executions()[0].status == "success":
                print(flush=True)
                return
            run = await engine.take_up(EXECUTION)
        except ExecutionNotFound:
            run = await engine.start(workflow_of(tasks, token), {"tasks": tasks}, execution_id=EXECUTION)
        result = asyncio.create_task(run.result())
        while not (pool.get_metrics()["activeWorkers"] or result.done()):  # noqa: ASYNC110 -- a figure has no event
            await asyncio.sleep(0.005)
        print(*pool.pids(), flush=True)
        await result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--live", type=Path)
    parser.add_argument("--token", default="")
    said = parser.parse_args()
    if said.live:
        run_loop(live(said.live, said.tasks, said.seed, said.token))
        return 0
    print(f"seed {said.seed}")
    violations = 0
    for name in ("all", "killed"):
        report = Report()
        with tempfile.TemporaryDirectory() as directory:
            if name == "all":
                run_loop(run_all(report, Path(directory), said.tasks, said.seed))
            elif said.kills:
                run_loop(run_killed(report, Path(directory), min(said.tasks, 200), said.kills, said.seed))
            else:
                continue
        print(name, json.dumps(asdict(report), indent=1))
        violations += len(report.violations)
    return 1 if violations else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
