"""A disk that now and then is full, or breaks: SQLite's own way to the system, with faults in it.

For some milliseconds at a time, writes say that there is no room and syncs that they have failed; then all is well again.
What was synced before is there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import apsw

BAD = 0.03
"""Seconds that a bad time lasts at most."""
GOOD = 0.06
"""Seconds between two of them at most."""


class FaultyDisk(apsw.VFS):
    """The default way to the disk of every connection made after it. `tell` is called at each fault, once `armed`."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.armed = False
        self._tell = tell
        self._turns = 0.0
        self._bad = False
        super().__init__("faulty", base="unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _FaultyFile(self, name, flags)

    def fails(self) -> bool:
        now = time.monotonic()
        if not self.armed:
            return False
        if now > self._turns:
            self._bad = not self._bad
            self._turns = now + random.random() * (BAD if self._bad else GOOD)
        if self._bad:
            self._tell()
        return self._bad


class _FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        if self._disk.fails():
            raise apsw.FullError("no room is left")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._disk.fails():
            raise apsw.IOError("the disk did not take it")
        super().xSync(flags)
