"""An event loop without the world: time stands still while something can run, and jumps to what is due next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

TICK = 1e-6
"""Seconds: less than any wait, and more than what is lost to rounding."""


class Killed(BaseException):
    """The process dies here."""


class Stuck(Exception):
    """Nothing is ready, nothing is due, and somebody waits."""


class _Jump:
    """Stands in for a selector: there are no sockets to wait for, so waiting is done at once."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.turn(timeout)
        return []

    def close(self) -> None: ...


class SimulatedLoop(asyncio.BaseEventLoop):
    """`kill_after` turns it raises `Killed` out of whatever runs. What others do in threads is done at once."""

    def __init__(self, now: float, kill_after: int, longest: float) -> None:
        super().__init__()
        self._selector = _Jump(self)
        self._now = now
        self._end = now + longest
        self._left = kill_after
        self._clock_resolution = TICK
        self.set_exception_handler(lambda loop, context: self.faults.append(str(context.get("exception") or context)))
        self.faults: list[str] = []
        """What no task's owner has heard of."""

    def time(self) -> float:
        return self._now

    def turn(self, timeout: float | None) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed
        if timeout is None:
            raise Stuck("nothing is due")
        self._now += timeout + (TICK if timeout else 0)
        if self._now > self._end:
            raise Stuck("time is up")

    def live(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run to the end, or to death; whether it died. What dies is unwound, but nothing of it is written any more."""
        task = self.create_task(work)
        try:
            self.run_until_complete(task)
            return False
        except Killed:
            return True

    def bury(self) -> None:
        """Let go of every task, so that none is left half-way for the garbage collector to complain of."""
        self._left, self._end = -1, float("inf")
        self.set_exception_handler(lambda loop, context: None)
        for _ in range(10):
            tasks = [task for task in asyncio.all_tasks(self) if not task.done()]
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            # It may have died with its end on the agenda: that stops the loop once more.
            with contextlib.suppress(Stuck, RuntimeError):
                self.run_until_complete(asyncio.wait(tasks, timeout=1))
        self.close()

    def run_in_executor(  # type: ignore[override]  # the same call; its types say less
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- raised where somebody waits for it
            future.set_exception(error)
        return future

    def _process_events(self, event_list: Any) -> None: ...

    def _write_to_self(self) -> None: ...
