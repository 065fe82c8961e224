from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHILD = "import signal; print('up', flush=True); signal.pause()"
PARENT = f"""
import signal, subprocess, sys
from tests.acceptance.tether import tethered
subprocess.Popen(tethered([sys.executable, "-c", {CHILD!r}]))
signal.pause()
"""


def test_what_is_tethered_dies_with_whoever_started_it() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    parent.kill()
    # The child writes there too, so this ends when both are gone.
    assert parent.communicate(timeout=60)[0] == b""
