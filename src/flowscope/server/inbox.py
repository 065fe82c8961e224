"""What waits for people: approvals, forms, signals, and lost attempts that somebody is asked about.

A publisher that notes what has begun to wait. Whether it still does is seen when somebody asks, in the execution itself; one
that has left memory meanwhile waits as it did.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from flowscope.errors import StoreConflict, StoreCorrupt
from flowscope.execution import status as st
from flowscope.execution.events import ExecutionRecovered, NodeLost, NodeSuspended
from flowscope.execution.state import Frame
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.ports import LogLine, Progress, Segment
from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

KINDS = ("approval", "form", "signal", "ask")
CROWD = 256
"""Questions of one execution beyond which those that are answered are forgotten as it goes, and not only at its end."""

_NOTED = frozenset({NodeSuspended, NodeLost, ExecutionRecovered})


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One question. `signal` is its id within the execution; `since` and `until` are epoch milliseconds, `until` 0 for no
    limit. `kind` is one of `KINDS`; `started_by` who started the run, where that is known."""

    execution_id: str
    workflow_id: str
    workflow_name: str
    node_id: str
    node_name: str
    path: str
    kind: str
    signal: str
    since: float
    until: float
    detail: str
    started_by: str = ""


class Inbox:
    """Lists and finds what waits. Belongs to the event loop."""

    def __init__(self, orchestrator: WorkflowOrchestrator) -> None:
        self._orchestrator = orchestrator
        self._noted: dict[str, dict[tuple[str, str], Waiting]] = {}
        """By execution, and the path and node in it: what has begun to wait."""

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        for event in events:
            if type(event) not in _NOTED:  # most are not, and there are many
                continue
            if isinstance(event, ExecutionRecovered):
                self._look_through(segment.execution_id)
            elif event.signal if isinstance(event, NodeSuspended) else event.outcome == "ask":
                self._note(segment.execution_id, event.path, event.node_id, event.at)
        if segment.row is not None and segment.row.ended_at:
            self._noted.pop(segment.execution_id, None)

    def murmur(self, word: Progress | LogLine) -> None:
        """Nothing: who waits for people waits for facts."""

    def _note(self, execution_id: str, path: str, node_id: str, since: float) -> None:
        found = self._place(execution_id, path, node_id)
        if found is None:
            return  # it was answered before its question was on disk
        waiting = self._waiting(*found, since)
        noted = self._noted.setdefault(waiting.execution_id, {})
        noted[waiting.path, waiting.node_id] = waiting
        if len(noted) & (len(noted) - 1) == 0 and len(noted) >= CROWD:  # a loop that asks again and again
            self._noted[execution_id] = {
                place: waiting
                for place, waiting in noted.items()
                if place == (path, node_id) or self._place(execution_id, *place)
            }

    def _look_through(self, execution_id: str) -> None:
        """After a restart: what an execution waited for already."""
        live = self._orchestrator.live(execution_id)
        for frame in live.state.frames.values() if live else ():
            for number, wait in (frame.suspensions or {}).items():
                if wait.signal:
                    self._note(execution_id, frame.path, frame.scope.ids[number], frame.times[2 * number])

    def all(self) -> Iterator[Waiting]:
        """Everything that waits, the longest first."""
        noted = [waiting for places in self._noted.values() for waiting in places.values()]
        noted.sort(key=lambda waiting: (waiting.since, waiting.execution_id, waiting.path, waiting.node_id))
        for waiting in noted:
            if self._orchestrator.live(waiting.execution_id) is None:
                if self._orchestrator.holds(waiting.execution_id):
                    yield waiting
            elif found := self._place(waiting.execution_id, waiting.path, waiting.node_id):
                yield self._waiting(*found, waiting.since)

    async def find(self, execution_id: str, signal: str) -> tuple[Waiting, LiveExecution, Frame, int] | None:
        """What waits by that id, in the execution or a sub-workflow of it; it is taken up for that if it is passive."""
        named = [
            waiting
            for noted, places in self._noted.items()
            if noted == execution_id or noted.startswith(f"{execution_id}:")
            for waiting in places.values()
        ]
        for waiting in named:
            if waiting.signal == signal:
                with suppress(StoreConflict, StoreCorrupt):  # then it is not here
                    await self._orchestrator.passivation.wake(waiting.execution_id)
            found = self._place(waiting.execution_id, waiting.path, waiting.node_id)
            if found is not None:
                fresh = self._waiting(*found, waiting.since)
                if fresh.signal == signal:
                    return (fresh, *found)
        return None

    def _place(self, execution_id: str, path: str, node_id: str) -> tuple[LiveExecution, Frame, int] | None:
        live = self._orchestrator.live(execution_id)
        frame = live.state.frames.get(path) if live else None
        number = frame.scope.index.get(node_id) if frame else None
        if live is None or frame is None or number is None:
            return None
        wait = frame.suspension(number)
        waits = wait is not None and wait.signal and frame.status[number] in (st.SUSPENDED, st.ASKING)
        return (live, frame, number) if waits else None

    def _waiting(self, live: LiveExecution, frame: Frame, number: int, since: float) -> Waiting:
        wait, state = frame.suspension(number), live.state
        assert wait is not None
        node_id = frame.scope.ids[number]
        return Waiting(
            execution_id=state.execution_id,
            workflow_id=state.workflow_id,
            workflow_name=state.workflow_name,
            node_id=node_id,
            node_name=state.plan.labels[node_id],
            path=frame.path,
            kind="ask" if frame.status[number] == st.ASKING else wait.kind,
            signal=wait.signal,
            since=since,
            until=wait.until,
            detail=wait.detail,
            started_by=state.user_id,
        )
