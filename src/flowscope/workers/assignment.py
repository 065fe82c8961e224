"""A task on its way through the pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowscope.nodes.context import Surroundings
from flowscope.orchestrator.ports import Limit, Task

Report = Callable[[Any, Any, BaseException | None], None]


class Assignment:
    """`report` is None once nobody waits for it any more. `began` is when it left the line (seconds, monotonic; 0: it has
    not). `shared` are the limits whose names many have, `own` the rest. `job` is what a worker process is sent, `surroundings` what it may ask about. `told` is what was last said of its place in the line, in
    which it `waited`, or begins at once."""

    __slots__ = ("began", "job", "limits", "order", "own", "report", "shared", "surroundings", "task", "told", "waited")

    def __init__(self, task: Task, report: Report, limits: tuple[Limit, ...]) -> None:
        self.task = task
        self.report: Report | None = report
        self.limits = limits
        self.shared = tuple(limit for limit in limits if not limit.own)
        self.own = tuple(limit for limit in limits if limit.own)
        self.order = 0
        self.told = ""
        self.began = 0.0
        self.waited = False
        self.job: tuple[bytes | memoryview, ...] = ()
        self.surroundings: Surroundings | None = None

    @property
    def execution_id(self) -> str:
        return self.task.key[0]
