"""Where reported runs are written down: one open report each, and how far it is on its way to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from flowscope.definition.workflow import JSON
from flowscope.errors import ExecutionActive, ExecutionEnded, ExecutionNotFound, InputInvalid, StoreError
from flowscope.execution.events import TERMINAL, AnyEvent, ExecutionStarted, decode_lines, encode_lines
from flowscope.execution.view import ENDED, ExecutionView
from flowscope.log import get_logger
from flowscope.orchestrator.ports import Clock, Commit, CommitResult, Journal, Segment, Store
from flowscope.orchestrator.report import Report

log = get_logger("flowscope.report")

Announce = Callable[[Segment, Sequence[AnyEvent]], None]

LONGEST_ID = 128

PAGE_EVENTS = 1_000


def history(journal: Journal, execution_id: str, after: int = 0) -> Iterator[AnyEvent]:
    """The durable events with `seq > after`, read as they are asked for."""
    while segments := journal.read(execution_id, after, PAGE_EVENTS):
        for segment in segments:
            yield from (event for event in decode_lines(segment.lines) if event.seq > after)
        after = segments[-1].last_seq


class ReportDesk:
    """Takes reports, submits them as events, and announces what has become durable."""

    def __init__(self, store: Store, clock: Clock, announce: Announce) -> None:
        self._store = store
        self._clock = clock
        self._announce = announce
        self._files: dict[str, _File] = {}

    @property
    def open(self) -> int:
        """Runs that have begun and not ended."""
        return len(self._files)

    def begin(self, execution_id: str, workflow_id: str, total_nodes: int, input: JSON | None) -> None:
        if not 1 <= len(execution_id) <= LONGEST_ID or not execution_id.isprintable():
            raise InputInvalid(f"An execution id is 1 to {LONGEST_ID} visible characters")
        if execution_id in self._files:
            raise ExecutionActive(execution_id)
        row = self._store.row(execution_id)
        if row is not None:
            raise ExecutionEnded(execution_id, row.status) if row.status in ENDED else ExecutionActive(execution_id)
        report = Report(ExecutionView(execution_id), total_nodes=max(0, total_nodes))
        events = report.begin(self._clock.now(), workflow_id, input)
        file = self._files[execution_id] = _File(report)
        self._submit(file, events)

    def update(self, execution_id: str, node_id: str, node_name: str, status: str, data: Mapping[str, Any]) -> None:
        file = self._find(execution_id)
        self._submit(file, file.report.update(self._clock.now(), node_id, node_name, status, data))

    def finish(self, execution_id: str, status: str, output: JSON | None, error: JSON | None) -> None:
        file = self._find(execution_id)
        self._submit(file, file.report.finish(self._clock.now(), status, output, error))

    async def settled(self, execution_id: str) -> None:
        file = self._files.get(execution_id)
        if file is not None:
            await file.settled()

    def _find(self, execution_id: str) -> _File:
        file = self._files.get(execution_id) or self._take_over(execution_id)
        if file.error is not None:
            raise file.error
        if file.report.view.ended:
            raise ExecutionEnded(execution_id, file.report.view.status)
        return file

    def _take_over(self, execution_id: str) -> _File:
        """Go on with a report that an earlier process began."""
        row = self._store.row(execution_id)
        if row is None:
            raise ExecutionNotFound(execution_id)
        if row.status in ENDED:
            raise ExecutionEnded(execution_id, row.status)
        if row.definition:
            raise InputInvalid(f"Execution {execution_id} is run by flowscope itself; its nodes are not reported")
        (claimed,) = self._store.claim([execution_id])
        view, total = ExecutionView(execution_id), 0
        for event in history(self._store, execution_id):
            view.apply(event)
            if isinstance(event, ExecutionStarted):
                total = event.total_nodes
        report = Report(view, epoch=claimed.epoch, total_nodes=total)
        file = self._files[execution_id] = _File(report, durable=view.seq)
        self._submit(file, report.take_over(self._clock.now()))
        return file

    def _submit(self, file: _File, events: list[AnyEvent]) -> None:
        if not events:
            return
        loop = asyncio.get_running_loop()
        with_row = events[0].seq == 1 or isinstance(events[-1], TERMINAL)
        segment = Segment(
            execution_id=file.report.view.execution_id,
            first_seq=events[0].seq,
            last_seq=events[-1].seq,
            epoch=file.report.epoch,
            lines=encode_lines(events),
            row=file.report.row() if with_row else None,
        )
        blobs, file.report.blobs = file.report.blobs, []

        def done(result: CommitResult) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._committed, file, segment, events, result)

        self._store.submit(Commit(segments=[segment], blobs=blobs, done=done))

    def _committed(self, file: _File, segment: Segment, events: list[AnyEvent], result: CommitResult) -> None:
        execution_id = segment.execution_id
        error = result.error or result.conflicts.get(execution_id)
        if error is not None:
            log.error("report.refused", execution_id=execution_id, seq=segment.first_seq, error=str(error))
            file.fail(error)
            return
        ended = isinstance(events[-1], TERMINAL)
        self._announce(segment, events)
        file.settle(segment.last_seq)
        if ended:
            self._files.pop(execution_id, None)


class _File:
    """A report on its way to the disk: how far it is durable, and who waits for more."""

    def __init__(self, report: Report, *, durable: int = 0) -> None:
        self.report = report
        self.error: StoreError | None = None
        self._durable = durable
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []

    async def settled(self) -> None:
        wanted = self.report.view.seq
        if self.error is None and self._durable < wanted:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append((wanted, future))
            await future
        if self.error is not None:
            raise self.error

    def settle(self, seq: int) -> None:
        self._durable = seq
        for _, future in (waiter for waiter in self._waiters if waiter[0] <= seq):
            if not future.done():
                future.set_result(None)
        self._waiters = [waiter for waiter in self._waiters if waiter[0] > seq]

    def fail(self, error: StoreError) -> None:
        self.error = error
        self.settle(self.report.view.seq)
