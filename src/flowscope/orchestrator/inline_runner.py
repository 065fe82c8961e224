"""Runs external nodes in this process: async handlers as tasks of the event loop, others in threads.

A thread cannot be killed: past its time-out it is told to stop (`context.cancelled()`), reported as timed out, and what it
answers later is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flowscope.errors import NodeTimeout
from flowscope.orchestrator.ports import Task

Report = Callable[[Any, BaseException | None], None]
Key = tuple[str, str, str, int]


class InlineRunner:
    """`threads` bounds how many blocking handlers run at once; the others queue."""

    def __init__(self, threads: int = 32) -> None:
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._running: dict[Key, tuple[asyncio.Task[None], Task]] = {}
        self._finished = 0

    async def start(self) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="flowscope-node")

    async def stop(self, grace: float) -> None:
        running = [task for task, _ in self._running.values()]
        if running:
            _, late = await asyncio.wait(running, timeout=grace)
            for key in list(self._running):
                self.cancel(key)
            if late:
                await asyncio.wait(late)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def run(self, task: Task, report: Report) -> None:
        runs = self._run_async(task, report) if task.is_async else self._run_in_thread(task, report)
        self._running[task.key] = (asyncio.create_task(runs), task)

    def cancel(self, key: Key) -> bool:
        entry = self._running.pop(key, None)
        if entry is None:
            return False
        entry[1].cancel()
        entry[0].cancel()
        return True

    def statistics(self) -> dict[str, Any]:
        return {"running": len(self._running), "finished": self._finished}

    async def _run_async(self, task: Task, report: Report) -> None:
        answer: Any = None
        failure: BaseException | None = None
        try:
            if task.timeout:
                async with asyncio.timeout(task.timeout / 1000) as limit:
                    answer = await task.call()
            else:
                answer = await task.call()
        except Exception as error:  # noqa: BLE001 -- a handler may raise anything; it becomes the node's error
            timed_out = isinstance(error, TimeoutError) and task.timeout and limit.expired()
            failure = _timeout(task) if timed_out else error
        except asyncio.CancelledError as error:
            if task.key not in self._running:
                raise
            # Not by us: the handler cancelled itself. It must still be answered for.
            failure = RuntimeError(f"The handler was cancelled from within: {error}")
        self._end(task, report, answer, failure)

    async def _run_in_thread(self, task: Task, report: Report) -> None:
        assert self._pool is not None, "start() comes first"
        answer: Any = None
        failure: BaseException | None = None
        future = asyncio.get_running_loop().run_in_executor(self._pool, task.call)
        try:
            if task.timeout:
                async with asyncio.timeout(task.timeout / 1000) as limit:
                    answer = await future
            else:
                answer = await future
        except Exception as error:  # noqa: BLE001 -- as above
            if isinstance(error, TimeoutError) and task.timeout and limit.expired():
                task.cancel()
                failure = _timeout(task)
            else:
                failure = error
        self._end(task, report, answer, failure)

    def _end(self, task: Task, report: Report, answer: Any, failure: BaseException | None) -> None:
        if self._running.pop(task.key, None) is not None:
            self._finished += 1
            report(answer, failure)


def _timeout(task: Task) -> NodeTimeout:
    return NodeTimeout(f"Took longer than its time-out of {task.timeout:g} ms")
