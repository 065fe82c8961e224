"""Record, then show: what the machine decided goes to the journal as one commit a turn, and is shown when that is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from flowscope.definition.workflow import Workflow
from flowscope.errors import StoreError
from flowscope.execution.events import AnyEvent, encode_lines
from flowscope.failpoints import failpoint
from flowscope.log import get_logger
from flowscope.orchestrator.payloads import PayloadStore
from flowscope.orchestrator.ports import Commit, CommitResult, LogLine, Publisher, Segment, Store

if TYPE_CHECKING:
    from flowscope.orchestrator.attempt import Attempt
    from flowscope.orchestrator.live_execution import LiveExecution

log = get_logger("flowscope.recorder")

IN_FLIGHT = 20_000
"""Events on their way to the disk beyond which nothing more should be decided."""


class Owner(Protocol):
    """Who is told what became of a commit, on the event loop."""

    def recorded(self, live: LiveExecution, released: Sequence[Attempt]) -> None:
        """All up to `live.committed` is durable and shown; what it released may start."""
        ...

    def refused(self, live: LiveExecution, error: StoreError) -> None:
        """The segment was not kept: step back."""
        ...

    def unwritable(self, live: LiveExecution, error: Exception) -> None:
        """Its events have no JSON: drop it."""
        ...

    def unblocked(self) -> None:
        """A commit is through, so there may be room to decide more."""
        ...


Entry = tuple["LiveExecution", Segment, list[AnyEvent], tuple["Attempt", ...]]


class Recorder:
    """`note` an execution that has decided something; `flush` at the end of the turn."""

    def __init__(self, store: Store, payloads: PayloadStore, publishers: list[Publisher], owner: Owner) -> None:
        self._store = store
        self._payloads = payloads
        self._publishers = publishers
        self._owner = owner
        self._dirty: dict[str, LiveExecution] = {}
        self._logs: list[LogLine] = []
        self._new_definitions: list[tuple[str, str, str, bytes]] = []
        self._stored_definitions: set[str] = set()
        self.in_flight = 0

    @property
    def full(self) -> bool:
        return self.in_flight >= IN_FLIGHT

    @property
    def words(self) -> int:
        """Lines of nodes' logs that wait for a commit."""
        return len(self._logs)

    def note(self, live: LiveExecution) -> None:
        self._dirty[live.state.execution_id] = live

    def forget(self, live: LiveExecution) -> None:
        self._dirty.pop(live.state.execution_id, None)

    def log(self, line: LogLine) -> None:
        """Keep a node's word with the next commit."""
        self._logs.append(line)

    def define(self, workflow: Workflow) -> None:
        """Have the next commit bring the definition to the store, once."""
        if workflow.hash not in self._stored_definitions:
            self._stored_definitions.add(workflow.hash)
            self._new_definitions.append((workflow.hash, workflow.id, workflow.name, workflow.document))

    def flush(self) -> None:
        """Hand everything decided since the last time to the journal."""
        if not self._dirty and not self._logs:
            return
        dirty, self._dirty = self._dirty, {}
        entries: list[Entry] = []
        count = 0
        for live in dirty.values():
            decision = live.undurable
            if live.gone is not None or decision is None:
                continue
            events = decision.events
            if not events:
                self._release_at_rest(live)
                continue
            try:
                lines = encode_lines(events)
            except Exception as error:  # noqa: BLE001 -- what cannot be written must cost one execution, not this turn's
                self._owner.unwritable(live, error)
                continue
            # A later turn gets a fresh one: what it releases must not start with this commit.
            live.undurable = None
            count += len(events)
            entries.append((live, live.segment(events, lines), events, tuple(decision.released)))
        blobs = self._payloads.take_fresh()
        definitions, self._new_definitions = self._new_definitions, []
        logs, self._logs = self._logs, []
        if not (entries or blobs or definitions or logs):
            return
        self.in_flight += count
        loop = asyncio.get_running_loop()

        def done(result: CommitResult) -> None:
            loop.call_soon_threadsafe(self._committed, entries, blobs, count, result)

        failpoint("before_submit")
        self._store.submit(
            Commit(segments=[entry[1] for entry in entries], blobs=blobs, definitions=definitions, logs=logs, done=done)
        )

    async def flushed(self) -> None:
        """Everything decided so far is durable, or was refused, and its consequences have been drawn."""
        self.flush()
        loop = asyncio.get_running_loop()
        through = loop.create_future()

        def done(result: CommitResult) -> None:
            loop.call_soon_threadsafe(through.set_result, None)

        self._store.submit(Commit(done=done))
        await through

    def _committed(
        self, entries: Sequence[Entry], blobs: Sequence[tuple[str, bytes]], count: int, result: CommitResult
    ) -> None:
        failpoint("after_commit_heard")
        self.in_flight -= count
        self._payloads.written(blobs)
        if result.error is not None:
            # Perhaps the definitions went down with it.
            self._stored_definitions.clear()
        for live, segment, events, released in entries:
            if live.gone is not None:
                continue
            error = result.error or result.conflicts.get(segment.execution_id)
            if error is not None:
                log.error("step_back", execution_id=segment.execution_id, error=str(error))
                self._owner.refused(live, error)
                continue
            failpoint("before_publish")
            for publisher in self._publishers:
                publisher.publish(segment, events)
            live.advance(segment.last_seq)
            self._owner.recorded(live, released)
            self._release_at_rest(live)
        self._owner.unblocked()

    def _release_at_rest(self, live: LiveExecution) -> None:
        """Attempts no event announces (a container asked what next) start when all before them is durable."""
        decision = live.undurable
        if decision and decision.released and not decision.events and live.committed == live.state.seq:
            live.undurable = None
            asyncio.get_running_loop().call_soon(self._owner.recorded, live, decision.released)
