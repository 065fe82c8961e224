"""A few dozen deaths at random moments, and some at every named failpoint; `make chaos N=1000` for the long run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from .chaos import failpoints

ROOT = Path(__file__).resolve().parents[2]


def chaos(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.acceptance.chaos", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert report["violations"] == [], f"seed {report['seed']}"
    assert done.returncode == 0, done.stderr
    return report


def test_killed_at_random_it_loses_nothing_and_repeats_nothing() -> None:
    report = chaos("--kills", "32", "--failpoints", "0")
    assert report["kills"] == 32
    assert report["stops"] + report["disk_faults"] > 0
    assert report["accepted"] > 20
    assert report["effects"] > 100
    assert report["taken_up"] > 10


def test_killed_at_every_failpoint_it_loses_nothing_and_repeats_nothing() -> None:
    report = chaos("--kills", "0", "--failpoints", "2")
    names = set(failpoints())
    assert len(names) >= 11
    assert all(report["failpoints"][name] == 2 for name in names)
    assert report["failpoints"].keys() == names
