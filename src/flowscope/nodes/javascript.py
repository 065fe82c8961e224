"""JavaScript on its way to the process that runs it (`javascript_house.py`) and back.

That process is started when the first code comes, shared by all that follow, and ends with this one: its standard input
is a socket whose other end is here. Each piece of code gets a socket of its own, handed over by that one.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.printing import Printed

HARD_SECONDS = 600
MOST_ANSWER = 64 * 1024 * 1024
_HOUSE = Path(__file__).with_name("javascript_house.py")


class _Message(msgspec.Struct):
    pid: int = 0
    log: str | None = None
    answer: str | None = None
    error: str | None = None
    kind: str = ""
    line: int = 0


class House:
    """The process, as long as there is one. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None

    def enter(self) -> socket.socket:
        """A socket to a run of its own; starts the process where there is none."""
        mine, theirs = socket.socketpair()
        with self._lock, theirs:
            if self._process is None or self._process.poll() is not None:
                self._open()
            assert self._door is not None
            socket.send_fds(self._door, [b"\0"], [theirs.fileno()])
        return mine

    def start(self) -> None:
        """Have the process begin, so that the first code does not wait for it; nothing where the engine is missing."""
        with self._lock:
            if self._process is None and installed():
                self._open()

    def _open(self) -> None:
        self._shut()
        self._door, inside = socket.socketpair()
        with inside:
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(_HOUSE)], stdin=inside.fileno(), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env={}, cwd="/", start_new_session=True,
            )  # fmt: skip

    def _shut(self) -> None:
        if self._door is not None:
            self._door.close()
        if self._process is not None:
            self._process.wait()
        self._door = self._process = None

    def close(self) -> None:
        """End the process; runs in it go on to their own end."""
        with self._lock:
            self._shut()


def installed() -> bool:
    """Whether the engine is there."""
    return importlib.util.find_spec("quickjs_rs") is not None


house = House()
atexit.register(house.close)


async def evaluate(code: str, names: dict[str, JSON], context: NodeContext, memory: int) -> JSON:
    """Run the body of an async function with these names; its answer. `NodeError` says what went wrong, and where."""
    if not installed():
        raise NodeDenied(
            "javascript: its engine is not installed: pip install 'flowscope[javascript]'", code="NOT_INSTALLED"
        )
    reader, writer = await _entered()
    printed, pid = Printed(context), 0
    request = {"code": code, "names": names, "memory": memory, "seconds": HARD_SECONDS}
    try:
        while line := await reader.readline():
            message = msgspec.json.decode(line, type=_Message)
            if message.pid:  # only now that it can be killed is it told what to run
                pid = message.pid
                writer.write(msgspec.json.encode(request) + b"\n")
            elif message.log is not None:
                printed.add(message.log + "\n")
            elif message.answer is not None or message.error is not None:
                pid = 0  # it ends by itself
                return _answer(message, code, memory)
    except ValueError:
        raise NodeError("code: its answer is larger than 64 MiB", code="TOO_LARGE", retryable=False) from None
    except ConnectionError:
        pass
    finally:
        printed.end()
        writer.close()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    said = "its process ended before it answered: too much time or memory" if pid else "no process would run it"
    raise NodeError(f"code: {said}", code="CODE_CRASHED")


async def _entered() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    entering = asyncio.get_running_loop().run_in_executor(None, house.enter)
    try:
        peer = await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(_left)
        raise
    try:
        return await asyncio.open_connection(sock=peer, limit=MOST_ANSWER)
    except BaseException:
        peer.close()
        raise


def _left(entering: asyncio.Future[socket.socket]) -> None:
    if entering.exception() is None:
        entering.result().close()


def _answer(message: _Message, code: str, memory: int) -> JSON:
    if message.error is None:
        return json_text.parse(message.answer or "null", "code")
    said = message.error
    if message.kind == "MemoryLimitError":
        said = f"it needs more than {memory // 1024 // 1024} MiB of memory"
    elif message.kind == "DeadlockError":
        said = "it waits for a promise that nothing will settle. There are no timers and no fetch here"
    elif message.kind not in ("JSError", "HostError"):
        said = "it went too deep: a function calls itself without end" if "wasm" in said else said.splitlines()[0]
    at = f" (line {message.line})" if 0 < message.line <= code.count("\n") + 1 else ""
    syntax = said.startswith("SyntaxError")
    raise NodeError(f"code: {said}{at}", code="BAD_CODE" if syntax else "CODE_FAILED", retryable=False)
