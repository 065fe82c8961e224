"""The process that worker processes are forked from: it has imported what they need, runs one thread, and does nothing else.

    pool ── F + descriptor ──> fork: a process that serves that line
    pool ── K + pid ─────────> kill that process and what it has started
    pool <── pid + status ──── one has begun, or ended
    pool gone ───────────────> kill them all, and end

Only who forked a process can kill it and be sure to hit no other: until it is reaped here, its number is its own. Each leads
a process group, so that programs started by a handler end with it. `multiprocessing` would import the main program again in
each process, and run it where it is not guarded; this does not.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import struct
import sys
from typing import Final, NoReturn

COMMAND: Final = struct.Struct("=ci")
REPORT: Final = struct.Struct("=ii")
FORK: Final = b"F"
KILL: Final = b"K"
FORKED: Final = 1_000_000
"""For a status: it has just begun."""

PARENT_WATCH: Final = 1.0
"""Seconds between two looks whether the pool's process is still there."""

_PR_SET_PDEATHSIG: Final = 1


def main(descriptor: int) -> None:
    """Serve the pool at the other end of that socket until it is gone."""
    from flowscope.workers import child  # noqa: F401 -- for the processes forked from here

    for which in (signal.SIGINT, signal.SIGTERM):
        # Meant for the pool, which gives what runs its time. A handler, not SIG_IGN: programs started here shall not inherit it.
        signal.signal(which, lambda number, frame: None)
    wake, waker = os.pipe()
    for end in (wake, waker):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=descriptor) as control:
        ForkServer(control, (wake, waker)).serve()


class ForkServer:
    def __init__(self, control: socket.socket, pipe: tuple[int, int]) -> None:
        self._control = control
        self._pipe = pipe
        self._parent = os.getppid()
        self._children: set[int] = set()
        self._data = b""
        self._lines: list[int] = []
        self._prepared = False

    def serve(self) -> None:
        wake, control = self._pipe[0], self._control.fileno()
        try:
            while os.getppid() == self._parent:
                readable, _, _ = select.select([control, wake], [], [], PARENT_WATCH)
                if not readable and not self._prepared:
                    self._prepare()
                if wake in readable:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4_096)
                self._reap()
                if control in readable and not self._obey():
                    return
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            for pid in self._children:
                _end_group(pid)
            for pid in self._children:
                os.waitpid(pid, 0)

    def _prepare(self) -> None:
        """With nothing to do, import what the later processes are likely to need; the first ones do not wait for it."""
        self._prepared = True

        gc.collect()
        gc.freeze()

    def _obey(self) -> bool:
        """Do what is asked; False when the pool is gone."""
        data, lines, _, _ = socket.recv_fds(self._control, 4_096, 64)
        self._data += data
        self._lines += lines
        while len(self._data) >= COMMAND.size:
            what, pid = COMMAND.unpack_from(self._data)
            self._data = self._data[COMMAND.size :]
            if what == FORK:
                self._fork(self._lines.pop(0))
            elif pid in self._children:
                _end_group(pid)
        return bool(data)

    def _fork(self, line: int) -> None:
        pid = os.fork()
        if not pid:
            self._become_child(line)
        os.close(line)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._children.add(pid)
        self._control.sendall(REPORT.pack(pid, FORKED))

    def _become_child(self, line: int) -> NoReturn:
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _die_with_parent()
            self._control.close()
            for end in self._pipe:
                os.close(end)
            for other in self._lines:
                os.close(other)
            from flowscope.workers.child import Child

            with socket.socket(fileno=line) as connection:
                Child(connection).serve()
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(0)

    def _reap(self) -> None:
        for pid in list(self._children):
            status = _ended(pid)
            if status is not None:
                self._children.discard(pid)
                self._control.sendall(REPORT.pack(pid, status))


def _ended(pid: int) -> int | None:
    """How a process ended (as `subprocess` has it: negative for a signal), or None. What it started ends too."""
    if hasattr(os, "waitid"):
        # While it is not reaped, no other process can have its number, nor its group's.
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        _end_group(pid)
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _end_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    except PermissionError:  # what is left of the group is a zombie, on some systems
        pass


def _die_with_parent() -> None:
    """Should the fork server be killed, so are its processes. Elsewhere than on Linux they notice by their line."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
