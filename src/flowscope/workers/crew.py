"""The worker processes: begun when there is work for them, replaced when they die, all gone when it stops.

A process has one task at a time. So when one dies, or is killed, exactly one task is concerned, and it is known which.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from flowscope.errors import WorkerLost
from flowscope.log import get_logger
from flowscope.workers.assignment import Assignment
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.spawner import Spawner
from flowscope.workers.worker import Worker

log = get_logger("flowscope.workers")

Finished = Callable[[Assignment, Any, BaseException | None], None]

FRUITLESS: Final = 5
"""Processes that end before they take a task, in a row, until it is taken that none will."""


class Crew:
    """Runs as many tasks at once as it is given; `finished` is called once for each, on the event loop."""

    def __init__(self, settings: WorkerSettings, finished: Finished) -> None:
        self._settings = settings
        self._finished = finished
        self._spawner = Spawner(self)
        self._unnamed: deque[Worker] = deque()
        self._workers: dict[int, Worker] = {}
        self._starting: set[Worker] = set()
        self._idle: list[Worker] = []
        self._pending: deque[Assignment] = deque()
        self._fruitless = 0
        self._quiet = asyncio.Event()
        self.started = self.lost = self.recycled = 0

    @property
    def size(self) -> int:
        """Processes there are."""
        return len(self._workers) + len(self._unnamed)

    @property
    def busy(self) -> int:
        """Processes that have a task."""
        return sum(worker.assignment is not None for worker in self._workers.values())

    @property
    def idle(self) -> int:
        return len(self._idle)

    def pids(self) -> list[int]:
        """The processes' own, and the fork server's."""
        return [pid for pid in (*self._workers, self._spawner.pid) if pid]

    def run(self, assignment: Assignment) -> None:
        if self._idle:
            self._idle.pop().give(assignment)
            return
        self._pending.append(assignment)
        self._recruit()

    def cancel(self, assignment: Assignment) -> None:
        """Stop it; its end is told by `finished` when nothing of it runs any more."""
        if assignment in self._pending:
            self._pending.remove(assignment)
            self._finished(assignment, None, None)
            return
        for worker in self._workers.values():
            if worker.assignment is assignment and not worker.dying:
                worker.cancel()

    async def stop(self, grace: float) -> None:
        """Give running tasks `grace` seconds, then kill every process. Safe twice, and unstarted."""
        self._pending.clear()
        self._quiet.clear()
        if self.busy:
            try:
                await asyncio.wait_for(self._quiet.wait(), grace)
            except TimeoutError:
                log.warning("workers_killed", busy=self.busy)
        for worker in (*self._workers.values(), *self._unnamed):
            worker.assignment = None
            worker.dying = True
            worker.close()
        await self._spawner.stop()
        self._forget()

    # --- what workers tell ---

    def ready(self, worker: Worker) -> None:
        self._starting.discard(worker)
        self._fruitless = 0
        self._employ(worker)

    def done(
        self, worker: Worker, assignment: Assignment, answer: Any, failure: BaseException | None, *, spent: bool
    ) -> None:
        worn = self._settings.recycle_after and worker.served >= self._settings.recycle_after
        if spent or worn:
            self.recycled += 1
            worker.dying = True
            worker.close()  # an idle process ends by that
            if self._pending:
                self._recruit()
        else:
            self._employ(worker)
        self._finished(assignment, answer, failure)
        if not self.busy:
            self._quiet.set()

    def broken(self, worker: Worker) -> None:
        self._starting.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if worker.pid:
            self._spawner.kill(worker.pid)

    # --- what the spawner tells ---

    def born(self, pid: int) -> None:
        worker = self._unnamed.popleft()
        worker.pid = pid
        self._workers[pid] = worker
        if worker.dying:
            self._spawner.kill(pid)

    def died(self, pid: int, status: int) -> None:
        worker = self._workers.pop(pid, None)
        if worker is not None:
            self._bury(worker, status)

    def bereft(self) -> None:
        workers = [*self._workers.values(), *self._unnamed]
        self._workers.clear()
        self._unnamed.clear()
        for worker in workers:
            self._bury(worker, None)
        if self._pending and not workers:
            self._fruitless += 1
            self._recruit()

    def _bury(self, worker: Worker, status: int | None) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        if worker in self._starting:
            self._starting.discard(worker)
            self._fruitless += 1
        expected = worker.dying and worker.assignment is None
        failure = worker.gone(status)
        if not expected:
            self.lost += 1
            log.warning("worker_ended", pid=worker.pid, status=status, task=_name(worker.assignment))
        assignment, worker.assignment = worker.assignment, None
        if assignment is not None:
            self._finished(assignment, None, failure)
        if not self.busy:
            self._quiet.set()
        self._recruit()

    # --- the processes ---

    def _employ(self, worker: Worker) -> None:
        if self._pending:
            worker.give(self._pending.popleft())
        else:
            self._idle.append(worker)

    def _recruit(self) -> None:
        """As many new processes as tasks wait for one."""
        if self._fruitless >= FRUITLESS:
            self._despair()
        while len(self._starting) < len(self._pending):
            worker = Worker(self._spawner.fork(), self, self._settings)
            self.started += 1
            self._unnamed.append(worker)
            self._starting.add(worker)

    def _despair(self) -> None:
        self._fruitless = 0
        pending, self._pending = self._pending, deque()
        for assignment in pending:
            message = f"Worker processes end before they take a task, {FRUITLESS} in a row: what do they say on stderr?"
            self._finished(assignment, None, WorkerLost(message))

    def _forget(self) -> None:
        self._workers.clear()
        self._unnamed.clear()
        self._starting.clear()
        self._idle.clear()


def _name(assignment: Assignment | None) -> str:
    return ":".join(map(str, assignment.task.key)) if assignment else ""
