"""Runs that somebody's own handler reports: they end as `failed`, detail lost, when nobody reports any more.

A reporter lives in this process. So at start every unfinished report has lost its reporter with the process that had it;
later one is taken for lost when it has said nothing for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from flowscope.engine import Engine
from flowscope.errors import FlowscopeError
from flowscope.execution.view import ENDED
from flowscope.log import get_logger
from flowscope.orchestrator.ports import UNENDED, ExecutionQuery, LogLine, Progress, Segment

log = get_logger("flowscope.reporters")

PAGE = 500
LOST = {"name": "NodeLost", "code": "lost", "message": "lost: whoever reported this run fell silent"}


class Reporters:
    """A publisher that notes who still reports. `start` and `stop` are safe twice."""

    def __init__(self, engine: Engine, silence_ms: float) -> None:
        self._engine = engine
        self._silence = silence_ms
        self._heard: dict[str, float] = {}
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """End what an earlier process left unfinished, and look from time to time who has fallen silent."""
        if self._watching is None:
            await self._end_orphans()
            self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        execution_id = segment.execution_id
        row = segment.row
        if row is not None and not row.definition and row.status not in ENDED:
            self._heard[execution_id] = self._now()
        elif row is not None and row.status in ENDED:
            self._heard.pop(execution_id, None)
        elif execution_id in self._heard:
            self._heard[execution_id] = self._now()

    def murmur(self, word: Progress | LogLine) -> None:
        """Reported runs have no such words."""

    def end_silent(self) -> list[str]:
        """End those that have said nothing for too long; which they were."""
        due = self._now() - self._silence
        silent = [execution_id for execution_id, heard in self._heard.items() if heard <= due]
        for execution_id in silent:
            self._end(execution_id)
        return silent

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(60.0, self._silence / 2_000))
            self.end_silent()

    async def _end_orphans(self) -> None:
        before: tuple[float, str] | None = None
        while True:
            query = ExecutionQuery(statuses=UNENDED, before=before, limit=PAGE)
            rows = await asyncio.to_thread(self._engine.store.search, query)
            for row in rows:
                if not row.definition:
                    self._end(row.execution_id)
            if len(rows) < PAGE:
                return
            before = (rows[-1].started_at, rows[-1].execution_id)

    def _end(self, execution_id: str) -> None:
        self._heard.pop(execution_id, None)
        try:
            self._engine.state_manager.finish_execution(execution_id, "failed", error=LOST)
        except FlowscopeError as error:
            log.warning("report_not_ended", execution_id=execution_id, error=str(error))

    def _now(self) -> float:
        return self._engine.orchestrator.clock.now()
