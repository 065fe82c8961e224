"""A worker process: takes one task after the other off its line and answers on it.

The handler runs in the main thread. A second thread reads the line meanwhile: it hears that a task is cancelled, and that
the pool is gone, upon which the process ends at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import resource
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import MemoryExceeded, NodeError
from flowscope.execution.events import ErrorInfo
from flowscope.nodes.context import NodeContext
from flowscope.orchestrator.attempt import describe
from flowscope.orchestrator.job import Job, decode_job
from flowscope.orchestrator.payloads import must_fit
from flowscope.workers.answers import pack
from flowscope.workers.frames import Answered, Asked, Cancel, Failed, Inbox, Ready, Run, Said, Started, Told, send
from flowscope.workers.handlers import find_handler

MIB: Final = 1024 * 1024

PROGRESS_INTERVAL: Final = 0.02
"""Seconds between two words of progress; of those between, the last is said."""

LONGEST_WORD: Final = 64 * 1024
LONGEST_MESSAGE: Final = 1024 * 1024


class Child:
    """Serves the pool at the other end of a line."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._tasks: queue.SimpleQueue[tuple[Run, bytes] | None] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._asking = threading.Lock()
        self._present: _Task | None = None
        self._sending = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def serve(self) -> None:
        self._line.setblocking(True)
        threading.Thread(target=self._read, name="flowscope-line", daemon=True).start()
        self.send(Ready())
        while (order := self._tasks.get()) is not None:
            self._run(*order)

    def send(self, message: Any, payload: bytes = b"") -> None:
        with self._sending:
            send(self._line, message, payload)

    def ask(self, question: Asked) -> JSON:
        """Have the pool look something up."""
        with self._asking:
            self.send(question)
            answer = msgspec.json.decode(self._told.get())
        if "error" in answer:
            raise NodeError(answer["error"], retryable=False)
        return answer

    def loop(self) -> asyncio.AbstractEventLoop:
        """Where async handlers run: one loop for all of this process's tasks."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    def _read(self) -> None:
        inbox = Inbox()
        try:
            while inbox.read(self._line):
                for message, payload in inbox.messages():
                    if isinstance(message, Run):
                        self._tasks.put((message, payload))
                    elif isinstance(message, Told):
                        self._told.put(payload)
                    elif isinstance(message, Cancel) and (present := self._present) is not None:
                        present.cancel(message.task)
        except OSError:
            pass
        if self._present is not None:
            os.killpg(0, signal.SIGKILL)
        self._tasks.put(None)

    def _run(self, order: Run, payload: bytes) -> None:
        task = self._present = _Task(self, order.task)
        _limit_memory(order.memory)
        try:
            task.run(decode_job(payload, task.ask))
        except MemoryError:
            _limit_memory(0)
            task.fail(_exceeded(order.memory), spent=True)
        except (Exception, SystemExit, GeneratorExit, asyncio.CancelledError, KeyboardInterrupt) as error:  # noqa: BLE001
            # A handler may raise anything; it becomes the node's error.
            task.fail(describe_untold(error))
        finally:
            _limit_memory(0)
            self._present = None


class _Task:
    """One task: satisfies the nodes' `Reporter`, whose words may come from any thread."""

    def __init__(self, child: Child, number: int) -> None:
        self.number = number
        self.cancelled = False
        self._child = child
        self._lock = threading.RLock()
        self._latest: tuple[float, str] | None = None
        self._last = 0.0
        self._coroutine: asyncio.Task[Any] | None = None

    def run(self, job: Job) -> None:
        node_type = find_handler(job.handler)
        arguments: dict[str, Any] = {}
        if "config" in node_type.takes:
            arguments["config"] = node_type.parse(msgspec.json.decode(job.config))
        if "input" in node_type.takes:
            arguments["input"] = msgspec.json.decode(job.input)
        if "context" in node_type.takes:
            arguments["context"] = self._context(job)
        self._child.send(Started(task=self.number))
        del job
        answer = self._awaited(node_type.handler, arguments) if node_type.is_async else node_type.handler(**arguments)
        del arguments
        self._answer(answer)

    def cancel(self, number: int) -> None:
        if number == self.number:
            self.cancelled = True
            if self._coroutine is not None:
                self._child.loop().call_soon_threadsafe(self._coroutine.cancel)

    def ask(self, field: str, name: str | None) -> JSON:
        return self._child.ask(Asked(task=self.number, field=field, name=name))

    # --- the Reporter ---

    def progress(self, fraction: float, message: str) -> None:
        with self._lock:
            now = time.monotonic()
            self._latest = fraction, message
            if now - self._last >= PROGRESS_INTERVAL:
                self._last = now
                self._tell_progress()

    def log(self, level: str, text: str) -> None:
        with self._lock:
            self._tell_progress()
            self._say(level, 0, text)

    def stream(self, text: str) -> None:
        with self._lock:
            self._tell_progress()
            self._say("stream", 0, text)

    def _tell_progress(self) -> None:
        if self._latest is not None:
            (fraction, text), self._latest = self._latest, None
            self._say("progress", fraction, text)

    def _say(self, kind: str, fraction: float, text: str) -> None:
        text = text[:LONGEST_WORD].encode("utf-8", "replace").decode()
        self._child.send(Said(task=self.number, kind=kind, fraction=fraction, text=text))

    # --- the end ---

    def _awaited(self, handler: Any, arguments: dict[str, Any]) -> Any:
        loop = self._child.loop()
        self._coroutine = loop.create_task(handler(**arguments))
        if self.cancelled:
            self._coroutine.cancel()
        return loop.run_until_complete(self._coroutine)

    def _answer(self, answer: Any) -> None:
        kind, payload = pack(answer)
        must_fit(len(payload))
        with self._lock:
            self._tell_progress()
            _flush()
            self._child.send(Answered(task=self.number, kind=kind), payload)

    def fail(self, error: ErrorInfo, *, spent: bool = False) -> None:
        with self._lock:
            self._tell_progress()
            data = msgspec.msgpack.encode(error)
            _flush()
            self._child.send(Failed(task=self.number, error=data, spent=spent))

    def _context(self, job: Job) -> NodeContext:
        place = job.place
        return NodeContext(
            execution_id=place.execution_id,
            workflow_id=place.workflow_id,
            node_id=place.node_id,
            node_name=place.node_name,
            path=place.path,
            attempt=place.attempt,
            now=place.now,
            handles=frozenset(place.handles),
            surroundings=job.surroundings,
            reporter=self,
            iteration=place.iteration,
            cancelled=lambda: self.cancelled,
            body=place.body,
        )


def _flush() -> None:
    """What the handler has printed, before its answer is known: after that this process may be ended at any moment."""
    with contextlib.suppress(Exception):  # a handler may have closed it, or put anything in its place
        sys.stdout.flush()


def describe_untold(error: BaseException) -> ErrorInfo:
    """As `describe`, but whole: it is cut after the pool has blotted out the secrets in it."""
    if isinstance(error, asyncio.CancelledError):
        return ErrorInfo("RuntimeError", f"The handler was cancelled from within: {error}")
    return describe(error, longest=LONGEST_MESSAGE)


def _exceeded(memory: int) -> ErrorInfo:
    return describe(
        MemoryExceeded(
            f"It needed more than {memory:,} MiB of memory. Give it less at a time, or set FLOWSCOPE_WORKER_MEMORY"
        )
    )


def _limit_memory(mib: int) -> None:
    """So much beside what the process has now; 0 lifts the limit."""
    if sys.platform != "linux":
        return
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = _data_size() + mib * MIB if mib else hard
    resource.setrlimit(resource.RLIMIT_DATA, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _data_size() -> int:
    """Bytes of private memory that can be written, as RLIMIT_DATA counts them."""
    return int(Path("/proc/self/statm").read_bytes().split()[5]) * resource.getpagesize()
