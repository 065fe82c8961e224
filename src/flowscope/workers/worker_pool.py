"""The mission's `WorkflowWorkerPool`: every external node passes here, and those that keep a core busy run in processes.

    run ──> no limit, no process needed ────────────────────> inline
        └─> waiting line ──> its limits have room ──> inline, or a worker process ──> report

It starts no process before there is a task for one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeTimeout, WorkerLost, WorkerTimeout
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import Surroundings
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.inline_runner import InlineRunner
from flowscope.orchestrator.job import encode_job
from flowscope.orchestrator.ports import Limit, NodeRunner, Task
from flowscope.workers.assignment import Assignment, Report
from flowscope.workers.crew import Crew
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.submitted_task import SubmittedTask, WorkerTask
from flowscope.workers.waiting_line import WORKER, WaitingLine

Key = tuple[str, str, str, int]

ANNOUNCE_FIRST: Final = 0.1
ANNOUNCE_AGAIN: Final = 1.0
"""Seconds until a task that waits says so, and then between two looks at its place."""

ANNOUNCED: Final = 1_000
"""Places in the line that are told, from the front."""

COUNTED: Final = 20_000
"""Places in the line that are looked through for one execution."""


class WorkflowWorkerPool:
    """A `NodeRunner`. `inline` runs what needs no process. `registry` and `surroundings` are for `submit_task` alone.

    `start`, `stop` (safe twice, safe unstarted), `statistics` as everywhere; all of it belongs to one event loop.
    """

    def __init__(
        self,
        settings: WorkerSettings | None = None,
        *,
        inline: NodeRunner | None = None,
        registry: Registry | None = None,
        surroundings: Surroundings | None = None,
    ) -> None:
        self.settings = settings or WorkerSettings()
        self._inline = inline or InlineRunner()
        self._registry = registry
        self._surroundings = surroundings or Surroundings()
        self._worker = Limit(WORKER, self.settings.concurrency)
        self._line = WaitingLine()
        self._crew = Crew(self.settings, self._finished)
        self._open: dict[Key, Assignment] = {}
        self._stopping = False
        self._announcing: asyncio.TimerHandle | None = None
        self._total = self._completed = self._failed = self._timed_out = self._retried = 0
        self._seconds = 0.0

    # --- life ---

    async def start(self) -> None:
        self._stopping = False
        await self._inline.start()

    async def stop(self, grace: float) -> None:
        """What waits is not started any more; what runs gets `grace` seconds, then every process is killed."""
        self._stopping = True
        if self._announcing is not None:
            self._announcing.cancel()
            self._announcing = None
        for key in [key for key, assignment in self._open.items() if not assignment.began]:
            del self._open[key]
        self._line.clear()
        await asyncio.gather(self._inline.stop(grace), self._crew.stop(grace))
        self._open.clear()
        self._line = WaitingLine()

    async def shutdown(self, timeout: float = 30.0) -> None:
        """Wait `timeout` seconds for what runs, then kill it."""
        await self.stop(timeout)

    # --- the NodeRunner port ---

    def run(self, task: Task, report: Report) -> None:
        limits = task.limits
        if task.in_pool:
            limits = (*limits, self._worker)
            self._total += 1
        elif not limits:
            self._inline.run(task, report)
            return
        assignment = self._open[task.key] = Assignment(task, report, limits)
        self._line.add(assignment)
        if self._line.holds_up(assignment):  # and all that waited before it is held up too
            assignment.waited = True
            task.in_line(True)
            self._announce_soon()
        else:
            self._pump()

    def cancel(self, key: Key) -> bool:
        assignment = self._open.pop(key, None)
        if assignment is None:
            return self._inline.cancel(key)
        assignment.report = None
        if not assignment.began:
            self._line.remove(assignment)
            assignment.task.cancel()
        elif assignment.task.in_pool:
            assignment.task.cancel()
            self._crew.cancel(assignment)
        else:
            self._inline.cancel(key)
            self._finished(assignment, None, None)
        return True

    def waiting(self, execution_id: str) -> dict[Key, str]:
        """What of an execution waits in the line, by key, and what for."""
        waiting: dict[Key, str] = {}
        for place, assignment in enumerate(islice(self._line.in_order(), COUNTED), 1):
            if assignment.execution_id == execution_id:
                # Whoever asks is to hear, too, when it begins.
                assignment.told = waiting[assignment.task.key] = self._detail(assignment, place)
        return waiting

    def statistics(self) -> dict[str, Any]:
        inline = self._inline.statistics()
        running = inline.get("running", 0) + self._line.taken(WORKER)
        return {**inline, "running": running, "waiting": len(self._line), "pool": self.get_metrics()}

    # --- the mission's face ---

    async def submit_task(self, task: WorkerTask | Mapping[str, JSON]) -> JSON:
        """Run one node in a worker process and return its output.

        A task is `{id, executionId, nodeId, nodeData, input, nodeOutputs, priority?}`; expressions in its config see the
        input and the earlier outputs. It is run again as `WORKER_RETRY_ATTEMPTS` says when its process dies or takes too
        long; what its handler raises is raised here. `InputInvalid` for a task that is none.
        """
        self._registry = self._registry or builtin_registry()
        submitted = SubmittedTask(task, self._registry, self._surroundings)
        while True:
            try:
                return await self._answer_of(submitted)
            except (WorkerLost, WorkerTimeout) as error:
                if submitted.attempt > error.chances:
                    raise
                submitted = submitted.again()
                self._retried += 1

    async def _answer_of(self, submitted: SubmittedTask) -> JSON:
        future: asyncio.Future[JSON] = asyncio.get_running_loop().create_future()

        def report(task: Any, answer: Any, failure: BaseException | None) -> None:
            if future.done():
                return
            if failure is None:
                future.set_result(answer)
            else:
                future.set_exception(submitted.raised(failure))

        self.run(submitted, report)
        try:
            return submitted.output(await future)
        except asyncio.CancelledError:
            self.cancel(submitted.key)
            raise

    def get_metrics(self) -> dict[str, float]:
        """The mission's six, and what else one wants to know of a pool. Times in milliseconds."""
        ended = self._completed + self._failed
        return {
            "totalTasks": self._total,
            "completedTasks": self._completed,
            "failedTasks": self._failed,
            "averageExecutionTime": 1000 * self._seconds / ended if ended else 0.0,
            "activeWorkers": self._crew.busy,
            "queueLength": len(self._line),
            "workers": self._crew.size,
            "idleWorkers": self._crew.idle,
            "maxWorkers": self.settings.concurrency,
            "startedWorkers": self._crew.started,
            "lostWorkers": self._crew.lost,
            "recycledWorkers": self._crew.recycled,
            "timedOutTasks": self._timed_out,
            "retriedTasks": self._retried,
        }

    def pids(self) -> list[int]:
        """Of every process of the pool that runs."""
        return self._crew.pids()

    # --- the way of a task ---

    def _pump(self) -> None:
        """Start what may start."""
        while not self._stopping and (assignment := self._line.take()) is not None:
            self._begin(assignment)
        self._announce_soon()

    def _announce_soon(self) -> None:
        if len(self._line) and self._announcing is None and not self._stopping:
            self._announcing = asyncio.get_running_loop().call_later(ANNOUNCE_FIRST, self._announce)

    def _begin(self, assignment: Assignment) -> None:
        task = assignment.task
        assignment.began = time.monotonic()
        if assignment.waited:
            task.in_line(False)
        if assignment.told:
            task.queued("")
        if not task.in_pool:
            self._inline.run(task, lambda task, answer, failure: self._finished(assignment, answer, failure))
            return
        try:
            job = task.job()
            assignment.job, assignment.surroundings = encode_job(job), job.surroundings
        except Exception as error:  # noqa: BLE001 -- a handler that cannot be named: the node's error
            asyncio.get_running_loop().call_soon(self._finished, assignment, None, error)
            return
        self._crew.run(assignment)

    def _finished(self, assignment: Assignment, answer: Any, failure: BaseException | None) -> None:
        self._line.release(assignment)
        task, report = assignment.task, assignment.report
        if task.in_pool:
            self._seconds += time.monotonic() - assignment.began
            self._completed += failure is None
            self._failed += failure is not None
            self._timed_out += isinstance(failure, NodeTimeout)
        if report is not None:
            if self._open.get(task.key) is assignment:
                del self._open[task.key]
            report(task, answer, failure)
        self._pump()

    # --- the line, for people ---

    def _announce(self) -> None:
        self._announcing = None
        for place, assignment in enumerate(islice(self._line.in_order(), ANNOUNCED), 1):
            detail = self._detail(assignment, place)
            if detail != assignment.told:
                assignment.told = detail
                assignment.task.queued(detail)
        if len(self._line):
            self._announcing = asyncio.get_running_loop().call_later(ANNOUNCE_AGAIN, self._announce)

    def _detail(self, assignment: Assignment, place: int) -> str:
        return f"queued, {_ordinal(place)} of {len(self._line):,}, waits for {self._line.waits_for(assignment)}"


def _ordinal(number: int) -> str:
    teens = 10 <= number % 100 <= 20
    return f"{number:,}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
