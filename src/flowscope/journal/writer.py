"""One thread that writes: drain what waits, write it once, acknowledge, and rest when nothing waits.

Nothing waits in order to be grouped. While one batch is on its way to the disk the next collects itself, so groups grow
exactly with the load.

Handing over costs the submitter an append to a deque and one look at a flag. The order of the two on either side is what
keeps a wake-up from being lost: a submitter appends and then looks whether the writer rests; the writer says that it rests
and then looks whether anything was appended. Whoever comes second sees the other.
"""

from __future__ import annotations

import _thread
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Protocol, TypeVar

from flowscope.errors import StoreError, StoreUnavailable
from flowscope.failpoints import failpoint
from flowscope.orchestrator.ports import Commit, CommitResult

_logger = logging.getLogger(__name__)

BATCH = 4_096
"""Commits in one transaction at most."""

REST_SECONDS = 0.05
"""How long nothing must have come before the backend is told to tidy up."""

Answer = TypeVar("Answer")


class Backend(Protocol):
    """What the thread drives. Only that thread calls it."""

    def write(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """All of them as one transaction; a result for each, in order."""
        ...

    def tidy(self, *, resting: bool) -> None:
        """Between batches, or when nothing waits: the place for work that must not delay an acknowledgement."""
        ...

    def close(self) -> None: ...

    def statistics(self) -> dict[str, Any]: ...


class Task:
    """Work for the writer's thread whose answer somebody waits for."""

    __slots__ = ("answer", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.answer: Future[Any] = Future()

    def run(self) -> None:
        try:
            self.answer.set_result(self.work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where somebody waits for it
            self.answer.set_exception(error)


class Writer:
    """Owns the thread and the queue. `stop` writes what was submitted before it; what comes later is refused at once."""

    def __init__(self, backend: Backend, *, name: str) -> None:
        self._backend = backend
        self._queue: deque[Commit | Task] = deque()
        self._resting = False
        self._stopping = False
        self._ended = False
        self._wake = _thread.allocate_lock()
        self._wake.acquire()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._commits = self._failures = self._conflicts = self._transactions = 0
        self._last_seconds = self._total_seconds = self._max_seconds = 0.0

    def start(self) -> None:
        self._thread.start()

    def submit(self, request: Commit | Task) -> None:
        self._queue.append(request)
        if self._resting:
            # Another submitter may have woken it in this instant: releasing twice is an error that means nothing.
            with suppress(RuntimeError):
                self._wake.release()
        if self._stopping:
            self._submitted_late()

    def call(self, work: Callable[[], Answer]) -> Answer:
        """Do something on the writer's thread, in turn, and wait for its answer."""
        if threading.get_ident() == self._thread.ident:
            return work()  # from a `done`, between transactions: waiting would be for itself
        task = Task(work)
        self.submit(task)
        answer: Answer = task.answer.result()
        return answer

    def stop(self) -> None:
        """Write what was submitted, and end the thread. Called on the thread itself it only asks for that."""
        self._stopping = True
        with suppress(RuntimeError):
            self._wake.release()
        if threading.get_ident() != self._thread.ident:
            self._thread.join()

    def statistics(self) -> dict[str, Any]:
        mean = self._total_seconds / self._transactions if self._transactions else 0.0
        return {
            "queue": len(self._queue),
            "commits": self._commits,
            "failures": self._failures,
            "conflicts": self._conflicts,
            "transactions": self._transactions,
            "last_commit_ms": self._last_seconds * 1_000,
            "mean_commit_ms": mean * 1_000,
            "max_commit_ms": self._max_seconds * 1_000,
            **self._backend.statistics(),
        }

    def _run(self) -> None:
        try:
            while self._await_requests():
                self._turn()
                self._backend.tidy(resting=False)
        except BaseException:
            # Only a fault of this file or of a backend reaches this: whoever waits must hear of it.
            _logger.exception("The journal's writer has ended")
        finally:
            self._stopping = self._ended = True
            try:
                self._backend.close()
            except StoreError:
                _logger.exception("The journal did not close cleanly; what was acknowledged is kept")
            self._refuse_rest()

    def _await_requests(self) -> bool:
        """True when something waits, False when it is time to end. Stopping is read before the queue: what was
        submitted before `stop` is seen."""
        timeout = REST_SECONDS
        while True:
            stopping = self._stopping
            self._resting = True
            if self._queue:
                self._resting = False
                return True
            if stopping:
                return False
            if not self._wake.acquire(timeout=timeout):
                self._backend.tidy(resting=True)
                timeout = -1
            self._resting = False

    def _turn(self) -> None:
        """What waits now: commits together, tasks between them in the order of submission."""
        commits: list[Commit] = []
        for _ in range(min(len(self._queue), BATCH)):
            request = self._queue.popleft()
            if type(request) is Task:
                self._write(commits)
                commits = []
                request.run()
            else:
                commits.append(request)  # type: ignore[arg-type]
        self._write(commits)

    def _write(self, commits: list[Commit]) -> None:
        if not commits:
            return
        began = time.perf_counter()
        try:
            results = self._backend.write(commits)
        except Exception as error:
            # A backend answers with results; what it raises is a fault of its own and must not end the thread.
            _logger.exception("Writing to the journal failed in an unforeseen way")
            refusal = StoreError(f"The commit was not kept: {error}")
            results = [CommitResult(error=refusal) for _ in commits]
        self._measure(time.perf_counter() - began, results)
        for commit, result in zip(commits, results, strict=True):
            failpoint("before_done")
            _acknowledge(commit, result)

    def _measure(self, seconds: float, results: Sequence[CommitResult]) -> None:
        self._transactions += 1
        self._commits += len(results)
        self._last_seconds = seconds
        self._total_seconds += seconds
        self._max_seconds = max(self._max_seconds, seconds)
        for result in results:
            self._failures += result.error is not None
            self._conflicts += len(result.conflicts)

    def _submitted_late(self) -> None:
        """A request met a writer that is stopping. While the thread lives it sees the queue once more before it ends;
        after that nobody does, so whoever appended answers."""
        if self._ended:
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        while True:
            try:
                request = self._queue.popleft()
            except IndexError:
                return
            refuse(request)


def refuse(request: Commit | Task, why: str = "The store is not open: it was stopped, or never started") -> None:
    """Answer a request that no thread will take."""
    error = StoreUnavailable(why)
    if isinstance(request, Task):
        request.answer.set_exception(error)
    else:
        _acknowledge(request, CommitResult(error=error))


def _acknowledge(commit: Commit, result: CommitResult) -> None:
    try:
        commit.done(result)
    except BaseException:
        ids = sorted({segment.execution_id for segment in commit.segments})
        _logger.exception("The acknowledgement of a commit failed: executions %s", ", ".join(ids))
