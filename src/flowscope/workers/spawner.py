"""The pool's end of the fork server: has processes made and killed, and hears of their ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from typing import Final, Protocol

from flowscope.log import get_logger
from flowscope.workers.fork_server import COMMAND, FORK, FORKED, KILL, REPORT

log = get_logger("flowscope.workers")

_PROGRAM: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from flowscope.workers.fork_server import main; main(int(sys.argv[2]))"
)

PATIENCE: Final = 10.0
"""Seconds for the fork server to end."""


class Births(Protocol):
    """Who is told of processes."""

    def born(self, pid: int) -> None:
        """The next of those asked for has begun."""
        ...

    def died(self, pid: int, status: int) -> None: ...

    def bereft(self) -> None:
        """The fork server has ended, and all its processes with it."""
        ...


class Spawner:
    """Starts the fork server when the first process is asked for, and again should it die."""

    def __init__(self, births: Births) -> None:
        self._births = births
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._data = b""

    @property
    def pid(self) -> int:
        """The fork server's; 0 while there is none."""
        return self._process.pid if self._process else 0

    def fork(self) -> socket.socket:
        """Have a process made; our end of its line."""
        control = self._control or self._start()
        ours, theirs = socket.socketpair()
        with theirs, contextlib.suppress(OSError):  # a fork server that is gone is heard of by its line
            socket.send_fds(control, [COMMAND.pack(FORK, 0)], [theirs.fileno()])
        return ours

    def kill(self, pid: int) -> None:
        """Kill a process and what it has started; `died` follows."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.sendall(COMMAND.pack(KILL, pid))

    async def stop(self) -> None:
        """Kill them all. Safe twice, and unstarted."""
        process, self._process = self._process, None
        self._disconnect()
        if process is not None:
            await asyncio.to_thread(_reap, process)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._control = ours
        path = json.dumps([entry or "." for entry in sys.path])
        with theirs:
            theirs.set_inheritable(True)
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, path, str(number)],
                stdin=subprocess.DEVNULL,
                stdout=2,  # what handlers print must not get into the output of the program
                pass_fds=(number,),
            )
        asyncio.get_running_loop().add_reader(ours.fileno(), self._readable)
        log.debug("fork_server_started", pid=self._process.pid)
        return ours

    def _readable(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(REPORT.size * 256)
        except OSError:
            data = b""
        if not data:
            return self._lost()
        self._data += data
        while len(self._data) >= REPORT.size:
            pid, status = REPORT.unpack_from(self._data)
            self._data = self._data[REPORT.size :]
            if status == FORKED:
                self._births.born(pid)
            else:
                self._births.died(pid, status)

    def _lost(self) -> None:
        process, self._process = self._process, None
        self._disconnect()
        if process is not None:
            status = _reap(process)
            log.warning("fork_server_ended", pid=process.pid, status=status)
        self._births.bereft()

    def _disconnect(self) -> None:
        control, self._control = self._control, None
        self._data = b""
        if control is not None:
            asyncio.get_running_loop().remove_reader(control.fileno())
            control.close()


def _reap(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
