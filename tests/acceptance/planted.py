"""The proof of the proof: plant known bugs in a copy of the sources, one at a time, and see that each is caught.

    python -m tests.acceptance.planted [--only NAME] [--jobs 2]

A bug is a passage and what stands there instead; a passage that is not found any more is an error, so the list ages with
the code. The catchers are the project's own campaigns, the cheapest first; the report says which one caught the bug, and by
what. Exit status 1 if one is not caught.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .tether import tethered

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Bug:
    """`old` stands once in `file` (below src/flowscope) and becomes `new`. `catchers` are tried in order."""

    name: str
    file: str
    old: str
    new: str
    catchers: tuple[str, ...] = ("simulation", "machine", "engine", "chaos")


@dataclass(frozen=True, slots=True)
class Verdict:
    bug: Bug
    catcher: str
    by: str
    seconds: float

    def __str__(self) -> str:
        found = f"caught by {self.catcher}: {self.by}" if self.catcher else "NOT CAUGHT"
        return f"{self.bug.name:42} {self.seconds:6.1f} s  {found}"


def _pytest(*places: str) -> list[str]:
    return ["-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *places]


CATCHERS: dict[str, list[str]] = {
    "simulation": ["-m", "tests.simulation", "--seeds", "1000", "--stop"],
    "simulation-long": ["-m", "tests.simulation", "--first", "2000", "--seeds", "1000", "--stop"],
    "machine": _pytest("tests/properties/test_machine.py", "tests/unit/execution"),
    "engine": _pytest(
        "tests/integration/test_engine_recovery.py",
        "tests/integration/test_engine_commands.py",
        "tests/integration/test_engine_runs.py",
    ),
    "stores": _pytest("tests/conformance", "tests/unit/journal", "tests/properties/test_stores_agree.py"),
    "sqlite": _pytest("tests/integration/test_sqlite_store.py"),
    "live": _pytest("tests/properties/test_live.py", "tests/integration/test_live_streams.py"),
    "chaos": ["-m", "tests.acceptance.chaos", "--kills", "40", "--failpoints", "0"],
}

STORES = ("stores", "chaos")
LIVE = ("live",)

BUGS = (
    Bug(
        "no fence: a former owner may append",
        "journal/admission.py",
        "            and segment.epoch == standing.epoch\n",
        "",
    ),
    Bug(
        "no order: events may be appended twice",
        "journal/admission.py",
        "            and segment.first_seq == standing.last_seq + 1\n",
        "            and segment.first_seq <= standing.last_seq + 1\n",
        STORES,
    ),
    Bug(
        "a claim does not raise the epoch",
        "journal/memory.py",
        "                standing.epoch += 1\n",
        "                pass\n",
    ),
    Bug(
        "an owner that waits does not notice another",
        "orchestrator/recovery.py",
        "            self._step_back(rows)\n",
        "",
        ("simulation-long",),
    ),
    Bug(
        "shown before it is durable",
        "orchestrator/recorder.py",
        '        failpoint("before_submit")\n',
        '        failpoint("before_submit")\n'
        "        for entry in entries:\n"
        "            for publisher in self._publishers:\n"
        "                publisher.publish(entry[1], entry[2])\n",
    ),
    Bug(
        "external nodes do not wait for the disk",
        "orchestrator/driver.py",
        "        live.decision.released.append(attempt)\n",
        "        self._launch(live, attempt)\n",
    ),
    Bug(
        "a refused commit is taken for kept",
        "orchestrator/recorder.py",
        "            error = result.error or result.conflicts.get(segment.execution_id)\n",
        "            error = None\n",
    ),
    Bug(
        "the end does not absorb",
        "execution/machine.py",
        '    if state.status == ("pending" if type(stimulus) is Start else "running"):\n',
        '    if (state.status == "pending") == (type(stimulus) is Start):\n',
    ),
    Bug(
        "an end recorded twice",
        "execution/settling.py",
        "        record(state, ExecutionSucceeded(seq=state.seq + 1, at=now), out)\n",
        "        record(state, ExecutionSucceeded(seq=state.seq + 1, at=now), out)\n"
        "        record(state, ExecutionSucceeded(seq=state.seq + 1, at=now), out)\n",
    ),
    Bug(
        "a seq left out",
        "execution/machine.py",
        "    raw, blob = carried(output)\n    seq = state.seq + 1\n",
        '    raw, blob = carried(output)\n    seq = state.seq + 1 + (handle == "true")\n',
    ),
    Bug(
        "timers are lost at recovery",
        "execution/recovery.py",
        "                    ask_for(frame, number, out)\n",
        "                    pass\n",
    ),
    Bug(
        "timers are lost with what leaves memory",
        "orchestrator/passivation.py",
        "            self._ring_at(due, execution_id)\n",
        "            pass\n",
    ),
    Bug(
        "a child's end does not wake its caller",
        "orchestrator/sub_workflows.py",
        "                self._orchestrator.passivation.wake_soon(caller.execution_id)\n",
        "                pass\n",
    ),
    Bug(
        "a lost attempt spends a retry",
        "execution/failing.py",
        "    spent = attempt - frame.losses(number)\n",
        "    spent = attempt\n",
    ),
    Bug(
        "a lost attempt's number is used again",
        "execution/machine.py",
        "attempt=frame.attempts[number] + 1\n",
        "attempt=max(1, frame.attempts[number])\n",
    ),
    Bug(
        "lost attempts are not told from running ones",
        "execution/recovery.py",
        "            if status == st.RUNNING:\n",
        "            if status == st.RUNNING and not frame.parent:\n",
    ),
    Bug(
        "the key names the attempt",
        "nodes/context.py",
        'if path else f"{execution_id}:{node_id}"\n',
        'if path else f"{execution_id}:{node_id}:{attempt}"\n',
    ),
    Bug(
        "a cancel is acknowledged before it is durable",
        "orchestrator/workflow_orchestrator.py",
        "        self.driver.step(live, stimulus)\n        await live.wait_for(live.state.seq)\n",
        "        self.driver.step(live, stimulus)\n",
    ),
    Bug(
        "a child that ended meanwhile does not answer",
        "orchestrator/sub_workflows.py",
        "                self.tell_caller(orchestrator.library.replay(child, row.definition))\n",
        "                pass\n",
    ),
    Bug(
        "results of a map in the order they came",
        "execution/state.py",
        "        expansion.results[index] = result\n",
        "        expansion.results[expansion.next - 1 - len(expansion.running)] = result\n",
    ),
    Bug(
        "a join starts at its last but one edge",
        "execution/state.py",
        "            elif left == 0:\n                _ready(state, frame, target)\n        elif left == 0:\n",
        "            elif left <= 1:\n                _ready(state, frame, target)\n        elif left == 0:\n",
    ),
    Bug(
        "a timer that comes early counts",
        "execution/waiting.py",
        "    if due and now < due:\n",
        "    if due and now < due - 1e9:\n",
    ),
    Bug(
        "a pause is forgotten at recovery",
        "execution/state.py",
        "    state.epoch = event.epoch\n",
        "    state.epoch = event.epoch\n    state.paused = False\n",
    ),
    Bug(
        "payloads are not brought to the store",
        "orchestrator/payloads.py",
        "        fresh, self._fresh = self._fresh, []\n        return fresh\n",
        "        self._fresh = []\n        return []\n",
        ("engine", "chaos"),
    ),
    Bug(
        "acknowledged before it is written",
        "journal/writer.py",
        "        began = time.perf_counter()\n        try:\n",
        "        began = time.perf_counter()\n"
        "        for commit in commits:\n"
        "            _acknowledge(commit, CommitResult())\n"
        "        try:\n",
        STORES,
    ),
    Bug(
        "a failed transaction is not rolled back",
        "journal/transaction.py",
        "        except BaseException:\n            self._roll_back()\n            raise\n",
        "        except BaseException:\n            raise\n",
        ("stores", "sqlite", "chaos"),
    ),
    Bug(
        "a viewer misses what comes while it subscribes",
        "live/audience.py",
        "        channel.publish(arrivals)\n",
        "",
        LIVE,
    ),
    Bug(
        "a viewer on its way misses one event",
        "live/audience.py",
        "channel.tail.after(subscription.cursor))\n",
        "channel.tail.after(subscription.cursor + 1))\n",
        LIVE,
    ),
)


def planted(bug: Bug) -> str:
    """The file with the bug in it; `SystemExit` if its passage is not there."""
    text = (ROOT / "src" / "flowscope" / bug.file).read_text()
    if text.count(bug.old) != 1:
        raise SystemExit(
            f"{bug.name}: its passage stands {text.count(bug.old)} times in {bug.file}, and should stand once"
        )
    return text.replace(bug.old, bug.new)


def _plant(bug: Bug, copy: Path) -> None:
    """A copy of the project, with the bug."""
    for name in ("src", "tests", "docs", "examples", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "studio"))
        else:
            shutil.copy(source, copy / name)
    (copy / "src" / "flowscope" / bug.file).write_text(planted(bug))


def trial(bug: Bug) -> Verdict:
    """Plant it, and ask the catchers one after the other."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="flowscope-planted-") as directory:
        copy = Path(directory)
        _plant(bug, copy)
        for catcher in bug.catchers:
            by = _caught(catcher, copy)
            if by:
                return Verdict(bug, catcher, by, time.monotonic() - began)
    return Verdict(bug, "", "", time.monotonic() - began)


def _caught(catcher: str, copy: Path) -> str:
    """What the catcher complains of; empty if it is content."""
    environment = {"PYTHONPATH": f"{copy / 'src'}:{copy}", "PATH": "/usr/bin:/bin", "HOME": str(copy)}
    command = tethered([sys.executable, *CATCHERS[catcher]])
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it hung for {PATIENCE} s"
    if not done.returncode:
        return ""
    return _complaint(done.stdout + done.stderr)


def _complaint(output: str) -> str:
    lines = output.splitlines()
    for pattern in (r"^seed \d+: ", r"^I\d+: |^output: ", r"^FAILED ", r"Error"):
        for line in lines:
            if re.search(pattern, line):
                return line.strip()[:160]
    return (lines or ["it failed without a word"])[-1][:160]


def main() -> int:
    parser = argparse.ArgumentParser(description="Plant known bugs, and see each caught")
    parser.add_argument("--only", default="", help="bugs whose name holds this")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    wanted: Sequence[Bug] = [bug for bug in BUGS if arguments.only in bug.name]
    missed = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for verdict in pool.map(trial, wanted):
            print(verdict, flush=True)
            missed += not verdict.catcher
    print(f"{len(wanted)} bugs planted, {missed} not caught")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
