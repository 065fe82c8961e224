"""One process owns a data directory: an exclusive lock on a file in it, held for life and given up by the system at death."""

from __future__ import annotations

import errno
import fcntl
import os
import weakref
from pathlib import Path

from flowscope.errors import StoreLocked
from flowscope.journal.failures import failures_at

LOCK_FILE = "flowscope.lock"

_held: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()


class DirectoryLock:
    """Acquired on making it. `release` is safe twice."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / LOCK_FILE
        with failures_at(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            with failures_at(path):
                self._acquire(data_dir)
                os.ftruncate(self._file, 0)
                os.pwrite(self._file, b"%d\n" % os.getpid(), 0)
        except BaseException:
            os.close(self._file)
            raise
        _held.add(self)

    def _acquire(self, data_dir: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            owner = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            raise StoreLocked(
                f"{data_dir} belongs to another flowscope that is running (process {owner or 'unknown'}): "
                "talk to that one with --url, or name another directory with --data"
            ) from error

    def release(self) -> None:
        """Let another process own the directory. The file stays: to delete it would let two hold a lock of that name."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def _forget_in_child() -> None:
    """A forked child shares its parent's lock, and would hold it beyond the parent's death: it closes its own handle,
    which does not release the parent's."""
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)
