"""`schedule` and `interval`: runs at times."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec

from flowscope.definition.workflow import JSON, Node, Workflow
from flowscope.errors import FlowscopeError, StoreError
from flowscope.library import TriggerRow
from flowscope.nodes.triggers import IntervalConfig, ScheduleConfig
from flowscope.triggers.recurrence import Cron, Every, Recurrence
from flowscope.triggers.standing import Standing, decided, started
from flowscope.triggers.trigger import House, Trigger, TriggerState


class Timed(Trigger[ScheduleConfig | IntervalConfig, Standing]):
    """Decides what came due, writes the decision down, and starts what is decided."""

    def __init__(
        self, house: House, workflow: Workflow, node: Node, config: ScheduleConfig | IntervalConfig, row: TriggerRow
    ) -> None:
        fresh = row.standing == b"{}"
        known = Standing(cursor=row.since) if fresh else msgspec.json.decode(row.standing, type=Standing)
        super().__init__(house, workflow, node, config, row, known)
        self._recurrence = _recurrence(config, row.since)

    def next_due(self) -> float:
        return self._recurrence.after(max(self.house.clock.now(), self.known.cursor)) or 0

    def state(self) -> TriggerState:
        return msgspec.structs.replace(super().state(), queued=len(self.known.queue), left_out=self.known.left_out)

    async def round(self) -> float | None:
        config, now = self.config, self.house.clock.now()
        wanted = decided(self.known, self._recurrence, missed=config.missed, overlap=config.overlap, now=now)
        if wanted != self.known:
            await self.keep(wanted)
        for due in self.known.queue:
            if config.overlap != "allow" and self.row.execution_id and self.house.goes_on(self.row.execution_id):
                if config.overlap == "queue":
                    self.house.awaits(self.row.execution_id, self)  # type: ignore[arg-type]  # it only wakes it
                    break
                await self.keep(started(self.known, due, left_out=True))
                continue
            await self._start(due)
        return self._recurrence.after(max(now, self.known.cursor))

    async def _start(self, due: float) -> None:
        try:
            await self.start(self._input(due), round(due))
        except StoreError:
            raise  # it is not that run's fault: it stays in the queue
        except FlowscopeError as error:
            self.error = str(error)
            await self.keep(started(self.known, due, left_out=True))
            return
        await self.keep(started(self.known, due))

    def _input(self, due: float) -> JSON:
        name = self.config.timezone if isinstance(self.config, ScheduleConfig) else ""
        when = datetime.fromtimestamp(due / 1000, ZoneInfo(name) if name else UTC)
        facts: dict[str, JSON] = {
            "scheduledTime": when.isoformat(timespec="seconds" if due % 1000 == 0 else "milliseconds"),
            "timestamp": round(due),
        }
        return facts | ({"timezone": name} if name else {})


def _recurrence(config: ScheduleConfig | IntervalConfig, since: float) -> Recurrence:
    if isinstance(config, ScheduleConfig):
        return Cron(config.cron, config.timezone)
    return Every(float(config.interval), since)
