"""Runs external nodes in this process: async handlers on the event loop, others in threads.

A task of the event loop costs more than most handlers do, so async handlers share them: a lane is a task that takes one
attempt after the other. As long as none of them waits, one lane serves all. When one does wait, its lane is its own from
then on, and a fresh one takes over what is left: so no attempt ever waits for another, and each runs, from its first step
to its last, in one task, as `asyncio.timeout` and the like require.

A thread cannot be killed: past its time-out it is told to stop (`context.cancelled()`), reported as timed out, and what it
answers later is dropped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flowscope.errors import NodeTimeout
from flowscope.orchestrator.ports import Task

Report = Callable[[Any, Any, BaseException | None], None]
Key = tuple[str, str, str, int]


class InlineRunner:
    """`threads` bounds how many blocking handlers run at once; the others queue."""

    def __init__(self, threads: int = 32) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Task, Report]] = deque()
        self._running: dict[Key, tuple[Task, asyncio.Task[None] | None]] = {}
        self._lanes: set[asyncio.Task[None]] = set()
        self._finished = 0

    async def start(self) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="flowscope-node")

    async def stop(self, grace: float) -> None:
        if self._lanes:
            await asyncio.wait(self._lanes, timeout=grace)
        for key in list(self._running):
            self.cancel(key)
        if self._lanes:
            await asyncio.wait(self._lanes)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def run(self, task: Task, report: Report) -> None:
        self._running[task.key] = (task, None)
        self._waiting.append((task, report))
        if len(self._waiting) == 1:
            self._open_lane()

    def cancel(self, key: Key) -> bool:
        entry = self._running.pop(key, None)
        if entry is None:
            return False
        task, lane = entry
        task.cancel()
        if lane is not None:
            lane.cancel()
        return True

    def waiting(self, execution_id: str) -> dict[Key, str]:
        return {}

    def statistics(self) -> dict[str, Any]:
        return {"running": len(self._running), "finished": self._finished}

    def _open_lane(self) -> None:
        loop = asyncio.get_running_loop()
        lane = loop.create_task(self._lane())
        self._lanes.add(lane)
        lane.add_done_callback(self._lanes.discard)
        # Runs when the lane has given up control for the first time: at its end, or because an attempt waits.
        loop.call_soon(self._relieve)

    def _relieve(self) -> None:
        if self._waiting:
            self._open_lane()

    async def _lane(self) -> None:
        me = asyncio.current_task()
        while self._waiting:
            task, report = self._waiting.popleft()
            if task.key not in self._running:
                continue
            self._running[task.key] = (task, me)
            await self._one(task, report, me)

    async def _one(self, task: Task, report: Report, lane: asyncio.Task[None] | None) -> None:
        answer: Any = None
        failure: BaseException | None = None
        try:
            if task.timeout:
                async with asyncio.timeout(task.timeout / 1000) as limit:
                    answer = await (task.call() if task.is_async else self._in_thread(task))
            else:
                answer = await (task.call() if task.is_async else self._in_thread(task))
        except (Exception, SystemExit) as error:  # noqa: BLE001 -- a handler may raise anything; it becomes the node's error
            failure = error
            if isinstance(error, TimeoutError) and task.timeout and limit.expired():
                task.cancel()
                failure = NodeTimeout(f"Took longer than its time-out of {task.timeout:g} ms")
        except asyncio.CancelledError as error:
            if lane is not None:
                lane.uncancel()
            # If we did it, nobody waits for the answer; otherwise the handler cancelled itself and is answered for.
            failure = RuntimeError(f"The handler was cancelled from within: {error}")
        if self._running.pop(task.key, None) is not None:
            self._finished += 1
            report(task, answer, failure)

    async def _in_thread(self, task: Task) -> Any:
        assert self._pool is not None, "start() comes first"
        answer, failure = await asyncio.get_running_loop().run_in_executor(self._pool, _called, task)
        if failure is None:
            return answer
        if isinstance(failure, Exception) and not isinstance(failure, StopIteration):
            raise failure
        raise RuntimeError(f"The handler raised {type(failure).__name__}: {failure}") from failure


def _called(task: Task) -> tuple[Any, BaseException | None]:
    """What it raises comes back as a value: some exceptions mean something else to a future (`StopIteration` would be
    lost, and its node would run for ever), or to the event loop (`SystemExit` would end it)."""
    try:
        return task.call(), None
    except BaseException as error:  # noqa: BLE001 -- as above
        return None, error
