"""A pool lent to somebody who comes and goes."""

from __future__ import annotations

from typing import Any

from flowscope.orchestrator.ports import NodeRunner, Task
from flowscope.workers.assignment import Report

Key = tuple[str, str, str, int]


class Guest:
    """A `NodeRunner` that runs its tasks in another, which it neither starts nor stops; at its own end it takes them along."""

    def __init__(self, host: NodeRunner) -> None:
        self._host = host
        self._open: set[Key] = set()

    async def start(self) -> None:
        """The host is up."""

    async def stop(self, grace: float) -> None:
        for key in list(self._open):
            self.cancel(key)

    def run(self, task: Task, report: Report) -> None:
        def done(task: Any, answer: Any, failure: BaseException | None) -> None:
            self._open.discard(task.key)
            report(task, answer, failure)

        self._open.add(task.key)
        self._host.run(task, done)

    def cancel(self, key: Key) -> bool:
        self._open.discard(key)
        return self._host.cancel(key)

    def waiting(self, execution_id: str) -> dict[Key, str]:
        return dict(self._host.waiting(execution_id))

    def statistics(self) -> dict[str, Any]:
        return {"running": len(self._open)}
