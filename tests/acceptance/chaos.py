"""Kill it, restart it, count what was lost.

    python -m tests.acceptance.chaos [--kills 1000] [--failpoints 1] [--seed N] [--json]

A process runs the workload on a data directory (`workload.py`). It is killed with SIGKILL at a random moment, or kills itself
at a named failpoint; the next one takes up what it left, is killed in turn, perhaps while it recovers, and after some deaths
one is let finish. Some are stopped for a while (SIGSTOP) and go on; the disk of some is full, or fails to sync, now and then. Then the oracle (`oracle.py`) judges what happened. Exit status 1 if it finds a violation.

Most time would go into starting Python, so this process imports the engine once and forks: what dies is a process of its own
all the same. Failpoints are read when the module is imported, so those run as commands.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import flowscope

from . import workload
from .oracle import Oracle, Remains, Told
from .tether import tether, tethered
from .workload import identity

ROOT = Path(__file__).resolve().parents[2]
DEATHS = 8
"""Of random kills, in one data directory before it is let finish."""
LONGEST = 0.35
"""Seconds a process lives at most."""
PATIENCE = 120.0
"""Seconds a process that is let finish may take."""


@dataclass(slots=True)
class Report:
    """What was done, and what was found."""

    seed: int
    kills: int = 0
    kills_during_recovery: int = 0
    stops: int = 0
    disk_faults: int = 0
    failpoints: dict[str, int] = field(default_factory=dict)
    directories: int = 0
    executions: int = 0
    accepted: int = 0
    taken_up: int = 0
    events: int = 0
    effects: int = 0
    attempts_lost: int = 0
    recoveries: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    seconds: float = 0

    def shown(self) -> dict[str, object]:
        facts = asdict(self)
        times = sorted(facts.pop("recoveries")) or [0.0]
        return {
            **facts,
            "recovery_p50_ms": round(statistics.median(times), 1),
            "recovery_p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))], 1),
            "recovery_max_ms": round(times[-1], 1),
        }


def failpoints() -> list[str]:
    """Every name that the engine passes, from its sources."""
    package = Path(flowscope.__file__).parent
    sources = [path for part in ("orchestrator", "journal") for path in (package / part).rglob("*.py")]
    return sorted({name for path in sources for name in re.findall(r'failpoint\("(\w+)"\)', path.read_text())})


class House:
    """One data directory and the processes that lived in it."""

    def __init__(self, directory: Path, expected: dict[str, tuple[str, str]]) -> None:
        self.directory = directory
        self.told = Told()
        self.oracle = Oracle(Remains(directory), self.told, expected)
        self.lives = 0
        self._rest = b""

    def live(
        self, seconds: float, *, finish: bool = False, once: bool = False, bad_disk: bool = False, stopped: float = 0
    ) -> bool:
        """A process that is killed after so many seconds; whether it had recovered by then. `stopped`: half-way it is
        stopped for that long."""
        recoveries = len(self.told.recoveries)
        process, output = self._fork(finish=finish, once=once, bad_disk=bad_disk)
        with os.fdopen(output, "rb"):
            began = time.monotonic()
            if stopped:
                self._listen(output, began + seconds / 2, process, signal.SIGSTOP)
                time.sleep(stopped)
                os.kill(process, signal.SIGCONT)
                seconds += stopped
            killed = self._listen(output, began + seconds, process)
        _, status = os.waitpid(process, 0)
        if killed is (finish or once) or (not killed and status):
            self.oracle.violations.append(f"life {self.lives}: status {status}, {'killed' if killed else 'not killed'}")
            self.oracle.violations.append((self.directory / "said.log").read_text()[-4000:])
        self.oracle.look()
        return len(self.told.recoveries) > recoveries

    def command(self, failpoint: str) -> bool:
        """A process that dies at a failpoint; whether it came there."""
        self.lives += 1
        environment = {**os.environ, "FLOWSCOPE_FAILPOINT": failpoint}
        arguments = [sys.executable, "-m", "tests.acceptance.workload", str(self.directory), "--round", str(self.lives)]
        with (self.directory / "said.log").open("ab") as said:
            process = subprocess.Popen(
                tethered(arguments), cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=said
            )
        assert process.stdout is not None
        with process.stdout as output:
            self._listen(output.fileno(), time.monotonic() + PATIENCE, process.pid)
        self.oracle.look()
        return process.wait() == -signal.SIGKILL

    def finish(self) -> None:
        """Let it come to rest, and judge."""
        self.live(PATIENCE, finish=True)
        self.oracle.judge()

    def add_to(self, report: Report) -> None:
        report.directories += 1
        report.executions += len(self.told.results)
        report.accepted += len(self.told.accepted)
        report.taken_up += self.told.taken_up
        report.disk_faults += self.told.faults
        report.recoveries += self.told.recoveries
        report.events += self.oracle.events
        report.effects += self.oracle.effects
        report.attempts_lost += self.oracle.attempts_lost
        report.violations += self.oracle.violations

    def _fork(self, *, finish: bool, once: bool, bad_disk: bool) -> tuple[int, int]:
        self.lives += 1
        output, there = os.pipe()
        parent = os.getpid()
        process = os.fork()
        if process:
            os.close(there)
            return process, output
        status = 1
        try:
            tether(parent)
            said = os.open(self.directory / "said.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            os.dup2(said, 1)
            os.dup2(said, 2)
            random.seed()
            workload.main(self.directory, finish=finish, once=once, round=self.lives, output=there, bad_disk=bad_disk)
            status = 0
        except BaseException:  # noqa: BLE001 -- nothing of the parent may run here
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _listen(self, output: int, deadline: float, process: int, then: signal.Signals = signal.SIGKILL) -> bool:
        """Hear what it says until it ends; kill it at the deadline, or stop it and return. Whether that was necessary."""
        killed = False
        rest, self._rest = self._rest, b""
        while True:
            left = deadline - time.monotonic()
            if not killed and left <= 0:
                os.kill(process, then)
                killed = True
                if then is signal.SIGSTOP:
                    self._rest = rest
                    break
            if not killed and not select.select([output], [], [], left)[0]:
                continue
            data = os.read(output, 1 << 16)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.told.hear(line.decode())
        return killed


class Chaos:
    """Random kills in one directory after another, and failpoints in one more."""

    def __init__(self, seed: int, place: Path, tell: Callable[[str], None]) -> None:
        self.report = Report(seed)
        self._random = random.Random(seed)
        self._place = place
        self._tell = tell
        self._expected = self._undisturbed()

    def random_kills(self, count: int) -> None:
        left = count
        while left:
            house = self._house()
            for _ in range(min(DEATHS, left)):
                left -= 1
                # One in three early: most of those are still recovering.
                seconds = self._random.uniform(0, LONGEST / (5 if self._random.random() < 1 / 3 else 1))
                stopped = self._random.choice((0, 0, 0, self._random.uniform(0.01, 0.1)))
                recovered = house.live(seconds, bad_disk=self._random.random() < 1 / 3, stopped=stopped)
                self.report.kills += 1
                self.report.stops += bool(stopped)
                self.report.kills_during_recovery += house.lives > 1 and not recovered
            self._close(house)

    def named(self, rounds: int) -> None:
        """At every failpoint, at its first passage in the first round and later in the others."""
        for round in range(rounds):
            house = self._house()
            names = failpoints()
            self._random.shuffle(names)
            # What is passed in recovery only, or rarely, comes when there is something to recover.
            for name in sorted(names, key=lambda name: "recover" in name):
                most = 4 if "recover" in name else 60
                passage = 1 if round == 0 else self._random.randrange(2, most)
                if house.command(f"{name}:{passage}"):
                    self.report.failpoints[name] = self.report.failpoints.get(name, 0) + 1
                else:
                    house.oracle.violations.append(f"{name}:{passage} was never passed")
            self._close(house)

    def _undisturbed(self) -> dict[str, tuple[str, str]]:
        house = House(self._directory(), {})
        house.live(PATIENCE, once=True)
        if not house.told.finished:
            raise SystemExit("\n".join(house.oracle.violations))
        return {identity(execution_id): result for execution_id, result in house.told.results.items()}

    def _house(self) -> House:
        return House(self._directory(), self._expected)

    def _directory(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self._place))

    def _close(self, house: House) -> None:
        house.finish()
        house.add_to(self.report)
        if house.oracle.violations:
            self._tell(f"kept: {house.directory}\n" + "\n".join(house.oracle.violations[:20]))
        else:
            shutil.rmtree(house.directory)
        self._tell(f"{self.report.kills} kills, {self.report.failpoints}, {len(self.report.violations)} violations")


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the engine, restart it, count what was lost")
    parser.add_argument("--kills", type=int, default=1000, help="at random moments")
    parser.add_argument("--failpoints", type=int, default=1, help="rounds through every named one")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--json", action="store_true", help="print only the report, as JSON")
    arguments = parser.parse_args()
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="flowscope-chaos-"))
    chaos = Chaos(arguments.seed, place, lambda line: None if arguments.json else print(line, flush=True))
    chaos.random_kills(arguments.kills)
    chaos.named(arguments.failpoints)
    report = chaos.report
    report.seconds = round(time.monotonic() - began, 1)
    if arguments.json:
        print(json.dumps(report.shown()))
    else:
        for key, value in report.shown().items():
            print(f"{key:22} {value}")
    if not report.violations:
        shutil.rmtree(place)
    return bool(report.violations)


if __name__ == "__main__":
    sys.exit(main())
