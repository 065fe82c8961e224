"""Taking up what nobody runs: at start, and again and again.

It is not special: fold the journal, and let the machine ask for what has no answer. An execution that cannot be taken up
does not stop the others; one on which this process fails three times in a row, with nothing new durable between, is ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from flowscope.errors import StoreConflict, StoreError, StoreUnavailable
from flowscope.execution.events import ErrorInfo, ExecutionFailed, encode_lines
from flowscope.log import get_logger
from flowscope.orchestrator.ports import UNENDED, Commit, CommitResult, ExecutionQuery, ExecutionRow, Segment

if TYPE_CHECKING:
    from flowscope.orchestrator.live_execution import LiveExecution
    from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

log = get_logger("flowscope.recovery")

CRASHES = 3
SWEEP = 10_000.0
PAGE = 500
CHUNK = 50


class Recovery:
    """`held` are executions that cannot run in this process, with the reason: a node type that is missing here."""

    def __init__(self, orchestrator: WorkflowOrchestrator) -> None:
        self._orchestrator = orchestrator
        self._crashes: dict[str, tuple[int, int]] = {}
        self._cancel_sweep: Any = None
        self.held: dict[str, str] = {}

    async def begin(self) -> int:
        """Take up every execution that has not ended, and plan to look again; how many there were."""
        self.stop()
        count = await self._sweep()
        self._plan()
        return count

    def stop(self) -> None:
        if self._cancel_sweep:
            self._cancel_sweep()
            self._cancel_sweep = None

    def ended(self, live: LiveExecution) -> None:
        """An execution has come to its end."""
        self._crashes.pop(live.state.execution_id, None)

    def crashed(self, live: LiveExecution, error: Exception) -> None:
        """This process failed on an execution it drove."""
        self._count_crash(live.state.execution_id, live.committed, error)

    def _plan(self) -> None:
        clock = self._orchestrator.clock

        def sweep() -> None:
            self._orchestrator.driver.own(self._sweep())
            self._plan()

        self._cancel_sweep = clock.call_at(clock.now() + SWEEP, sweep)

    async def _sweep(self) -> int:
        orchestrator = self._orchestrator
        count = 0
        before: tuple[float, str] | None = None
        unseen = {*orchestrator.driver.live, *orchestrator.passivation.passive}
        while True:
            rows = orchestrator.store.search(ExecutionQuery(statuses=UNENDED, before=before, limit=PAGE))
            self._step_back(rows)
            unseen.difference_update(row.execution_id for row in rows)
            # A run without a definition is only reported here: its own system runs it.
            orphans = [
                row
                for row in rows
                if row.definition and not orchestrator.holds(row.execution_id) and row.execution_id not in self.held
            ]
            for first in range(0, len(orphans), CHUNK):
                count += await self._take_up(orphans[first : first + CHUNK])
            if len(rows) < PAGE:
                break
            before = (rows[-1].started_at, rows[-1].execution_id)
        # What has begun just now, or ended: nearly always by our own doing.
        self._step_back([row for execution_id in unseen if (row := orchestrator.store.row(execution_id))])
        return count

    def _step_back(self, rows: Sequence[ExecutionRow]) -> None:
        """Drop what somebody else has taken over meanwhile. One that has nothing to write would never notice."""
        orchestrator = self._orchestrator
        for row in rows:
            execution_id = row.execution_id
            live = orchestrator.live(execution_id)
            passive = orchestrator.passivation.passive.get(execution_id)
            ours = live.state if live else passive
            if ours is None or row.epoch <= ours.epoch:
                continue
            log.error("step_back", execution_id=execution_id, epoch=row.epoch)
            conflict = StoreConflict(execution_id, "Another owner has taken it over")
            if live:
                orchestrator.driver.abandon(live, conflict)
            else:
                orchestrator.passivation.drop(execution_id, conflict)

    async def _take_up(self, orphans: list[ExecutionRow]) -> int:
        """Claim a few and let them go on; how many could be claimed. The loop gets its turn between one few and the next."""
        orchestrator = self._orchestrator
        try:
            claimed = await orchestrator.claim([row.execution_id for row in orphans])
        except StoreError as error:
            log.error("recovery_refused", error=str(error))
            return 0
        for row in claimed:
            try:
                orchestrator.adopt(row)
            except LookupError as error:
                self.held[row.execution_id] = str(error)
                log.warning("execution_held", execution_id=row.execution_id, reason=str(error))
            except StoreUnavailable as error:
                log.error("recovery_refused", execution_id=row.execution_id, error=str(error))
            except Exception as error:  # stored bytes must not stop the others from being recovered
                log.error("recovery_failed", execution_id=row.execution_id, error=str(error), exc_info=error)
                self._count_crash(row.execution_id, row.last_seq, error)
        return len(claimed)

    def _count_crash(self, execution_id: str, seq: int, error: Exception) -> None:
        """This process failed on an execution whose last durable event is `seq`."""
        times, at = self._crashes.get(execution_id, (0, seq))
        times = times + 1 if at == seq else 1
        self._crashes[execution_id] = (times, seq)
        if times >= CRASHES:
            self._quarantine(execution_id, error)

    def _quarantine(self, execution_id: str, error: Exception) -> None:
        """End an execution without understanding it: by a terminal event after its last one."""
        orchestrator = self._orchestrator
        row = orchestrator.store.row(execution_id)
        if row is None or row.status not in UNENDED:
            return
        now = orchestrator.clock.now()
        message = f"Quarantined: it could not be continued {CRASHES} times in a row: {error}"
        fault = ErrorInfo("Quarantined", message, detail=type(error).__name__, retryable=False)
        event = ExecutionFailed(seq=row.last_seq + 1, at=now, error=fault)
        ended = msgspec.structs.replace(
            row, status="failed", detail="quarantined", error=message, ended_at=now, last_seq=event.seq
        )
        segment = Segment(
            execution_id=execution_id,
            first_seq=event.seq,
            last_seq=event.seq,
            epoch=row.epoch,
            lines=encode_lines([event]),
            row=ended,
        )
        loop = asyncio.get_running_loop()

        def show() -> None:
            for publisher in orchestrator.publishers:
                publisher.publish(segment, [event])
            orchestrator.quarantined(ended)

        def done(result: CommitResult) -> None:
            if result.error is None and not result.conflicts:
                loop.call_soon_threadsafe(show)

        orchestrator.store.submit(Commit(segments=[segment], done=done))
        log.error("execution_quarantined", execution_id=execution_id, error=str(error))
