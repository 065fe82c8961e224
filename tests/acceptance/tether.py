"""A child that dies with whoever started it, however that ends: a campaign that is killed leaves nothing behind.

The kernel sees to it (Linux: PR_SET_PDEATHSIG). It means the thread that started the child: one that lives as long as it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tethered(command: Sequence[str]) -> list[str]:
    """The command to start instead; it becomes that command, in the same process."""
    return [sys.executable, "-IS", str(Path(__file__).resolve()), str(os.getpid()), *command]


def tether(parent: int) -> None:
    """Have this process killed when `parent` is gone, also if it is already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    tether(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
