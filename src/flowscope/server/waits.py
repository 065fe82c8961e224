"""Requests that wait for a run: until it has ended, or waits itself for something that may take for ever.

An HTTP answer comes after the last node. But a run that waits for a person, or is paused, or sleeps for longer than any
client holds a connection, is answered at once with what it waits for; whoever started it asks again later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from flowscope.execution import status as st
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.ports import LogLine, Progress, Segment
from flowscope.orchestrator.workflow_orchestrator import Outcome, WorkflowOrchestrator

PATIENCE = 60_000.0
"""Milliseconds: a wait for an instant that is further away is answered at once."""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """What a run waits for: `reason` is `approval` (a decision or any other signal, named by `signal`, or a person's word about
    a lost attempt), `form`, `paused`, or `time` (then `until` is when, in epoch milliseconds). `execution_id` and
    `workflow_id` are those of what waits, which may be a sub-workflow. `kind` is the wait's own."""

    reason: str
    node_id: str = ""
    signal: str = ""
    until: float = 0
    detail: str = ""
    execution_id: str = ""
    workflow_id: str = ""
    kind: str = ""


class Waits:
    """A publisher that wakes those who wait for a run's answer."""

    def __init__(self, orchestrator: WorkflowOrchestrator) -> None:
        self._orchestrator = orchestrator
        self._waiting: dict[str, list[asyncio.Event]] = {}

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        if self._waiting and segment.row is not None and segment.row.status == "waiting":
            for execution_id in self._line_of(segment.execution_id, segment.row.caller_execution_id):
                for woken in self._waiting.get(execution_id, ()):
                    woken.set()

    def murmur(self, word: Progress | LogLine) -> None:
        """Nothing: who waits here waits for facts."""

    def _line_of(self, execution_id: str, caller: str) -> list[str]:
        """The run, the one that called it, and so on."""
        line = [execution_id]
        while caller:
            line.append(caller)
            row = self._orchestrator.store.row(caller)  # it may be passive
            caller = row.caller_execution_id if row else ""
        return line

    async def answer(self, live: LiveExecution) -> Outcome | Pause:
        """How the run has ended, or what it waits for. Raises a `StoreError` if this process had to let it go."""
        execution_id = live.state.execution_id
        woken = asyncio.Event()
        self._waiting.setdefault(execution_id, []).append(woken)
        ended = asyncio.ensure_future(self._orchestrator.outcome(live))
        try:
            while True:
                woken.clear()
                pause = None if live.state.ended else await self.pause_of(live)
                if pause is not None:
                    return pause
                waking = asyncio.ensure_future(woken.wait())
                await asyncio.wait({ended, waking}, return_when=asyncio.FIRST_COMPLETED)
                waking.cancel()
                if ended.done():
                    return ended.result()
        finally:
            ended.cancel()
            self._waiting[execution_id].remove(woken)
            if not self._waiting[execution_id]:
                del self._waiting[execution_id]

    async def pause_of(self, live: LiveExecution) -> Pause | None:
        """What the run waits for, if nothing of it runs and it will not go on by itself soon. Passive children are taken up to
        see what they wait for."""
        state = live.state
        if live.committed < state.seq or live.working or state.agenda or live.inbox:
            return None  # what is not on disk yet is not told; its commit wakes us
        if state.paused:
            return Pause(reason="paused")
        pauses: list[Pause | None] = []
        for frame in list(state.frames.values()):
            for number, wait in list((frame.suspensions or {}).items()):
                node_id = frame.scope.ids[number]
                if wait.child:
                    await self._orchestrator.passivation.wake(wait.child)
                    child = self._orchestrator.live(wait.child)
                    pauses.append(await self.pause_of(child) if child else None)
                elif wait.signal or frame.status[number] == st.ASKING:
                    signal = wait.signal or node_id
                    pauses.append(
                        Pause(
                            reason="form" if wait.kind == "form" else "approval",
                            node_id=node_id,
                            signal=signal,
                            detail=wait.detail,
                            execution_id=state.execution_id,
                            workflow_id=state.workflow_id,
                            kind=wait.kind,
                        )
                    )
                elif wait.until > self._orchestrator.clock.now() + PATIENCE:
                    pauses.append(Pause(reason="time", node_id=node_id, until=wait.until, detail=wait.detail))
                else:
                    pauses.append(None)
        if not pauses or None in pauses:
            return None
        chosen = [pause for pause in pauses if pause is not None]
        return min(chosen, key=lambda pause: ("form", "approval", "paused", "time").index(pause.reason))
