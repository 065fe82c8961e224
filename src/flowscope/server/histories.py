"""What the journal tells of one execution, for those who ask over HTTP.

Reading a long journal takes time, so it is read in a thread; everything that belongs to the event loop (programs, the
payload cache, the views) is touched on the loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from flowscope.engine import Engine
from flowscope.errors import ExecutionNotFound
from flowscope.execution.events import (
    AnyEvent,
    ExecutionStarted,
    NodeAdopted,
    NodeStarted,
    NodeSucceeded,
    decode_lines,
    encode,
)
from flowscope.execution.inputs import gather, output_of
from flowscope.execution.payload import Payload
from flowscope.execution.state import State, fold, recorded
from flowscope.execution.view import ExecutionView
from flowscope.orchestrator.library import missing
from flowscope.orchestrator.ports import ExecutionRow, Store
from flowscope.server.problems import Refusal
from flowscope.unhurried import unhurried

MOST_READ: Final = 500_000
"""Events that are looked through for one page of those of the top level."""


class Histories:
    """Reads; changes nothing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def row(self, execution_id: str) -> ExecutionRow:
        """Its line in the list; `ExecutionNotFound`."""
        row = await asyncio.to_thread(self._engine.store.row, execution_id)
        if row is None:
            raise await asyncio.to_thread(missing, self._engine.store, execution_id)
        return row

    async def view(self, execution_id: str) -> ExecutionView:
        """The facts of its nodes; `ExecutionNotFound`."""
        view = await self._engine.state_manager.read(execution_id)
        if view is None:
            raise ExecutionNotFound(execution_id)
        return view

    async def state(self, row: ExecutionRow, upto: Sequence[AnyEvent] | None = None) -> State | None:
        """Its state, by default as it is now; None for a run that is only reported, or whose node types are not here."""
        if not row.definition:
            return None
        live = self._engine.orchestrator.live(row.execution_id)
        if live is not None and upto is None:
            return live.state
        library = self._engine.orchestrator.library
        try:
            plan = library.stored_program(row.definition).plan
        except LookupError:
            return None
        events = upto if upto is not None else await self.events(row.execution_id)
        return await asyncio.to_thread(fold, row.execution_id, plan, events)

    async def events(self, execution_id: str) -> list[AnyEvent]:
        """All that is durable."""
        return await asyncio.to_thread(self._engine.orchestrator.library.history, execution_id)

    # --- payloads ---

    async def run_input(self, row: ExecutionRow) -> bytes:
        """What it was started with, as JSON."""
        first = self._engine.store.read(row.execution_id, 0, 1)
        event = decode_lines(first[0].lines)[0] if first else None
        if not isinstance(event, ExecutionStarted):
            raise ExecutionNotFound(row.execution_id)
        return self._build(recorded(event.input, event.input_blob))

    async def run_output(self, row: ExecutionRow) -> bytes:
        """What it came to, as JSON; a `Refusal` while there is nothing."""
        if row.status == "success":
            state = await self.state(row)
            if state is not None:
                return self._build(output_of(state))
            reported = self._engine.state_manager.get_execution_state(row.execution_id)
            if reported is not None and reported.output:
                return encode(reported.output)
        raise _no_payload(f"Execution {row.execution_id} has no output: it is {row.status}")

    async def node_payload(self, row: ExecutionRow, node_id: str, path: str, which: str, upto: int = 1 << 53) -> bytes:
        """`input` or `output` of a node, in the iteration at `path`, as it was after event `upto`; a `Refusal` if it had
        none."""
        events = [event for event in await self.events(row.execution_id) if event.seq <= upto]
        wanted = (NodeSucceeded, NodeAdopted) if which == "output" else (NodeStarted, NodeAdopted)
        for last in range(len(events) - 1, -1, -1):
            event = events[last]
            if isinstance(event, wanted) and event.node_id == node_id and event.path == path:
                break
        else:
            where = f" in {path}" if path else ""
            raise _no_payload(f"Node {node_id}{where} of execution {row.execution_id} has no {which}")
        told = None if isinstance(event, NodeStarted) else recorded(event.output, event.output_blob)
        if which == "output" and told is not None and not event.passed:  # type: ignore[union-attr]  # no start has one
            return self._build(told)  # the rest follows from what went before
        state = await self.state(row, events[: last + 1])
        if state is None:
            return self._build(told)
        frame = state.frames[path]
        number = frame.scope.index[node_id]
        return self._build(frame.outputs[number] if which == "output" else gather(state, frame, number))

    def _build(self, payload: Payload | None) -> bytes:
        return b"null" if payload is None else self._engine.orchestrator.payloads.build(payload)


def _no_payload(message: str) -> Refusal:
    return Refusal(404, "NO_PAYLOAD", message)


class _Place(msgspec.Struct, gc=False):
    """Where an event belongs: the rest of its line is not even read."""

    type: str
    path: str = ""


_places: Final = msgspec.json.Decoder(_Place)


def top_lines(store: Store, execution_id: str, after: int, limit: int) -> tuple[list[bytes], int]:
    """The events with `seq > after` of the run itself and of its top level, without iterations, as JSON: at most `limit`, among
    at most `MOST_READ`; and the seq up to which was read."""
    found: list[bytes] = []
    upto = after + MOST_READ
    while len(found) < limit and after < upto and (segments := store.read(execution_id, after, 10_000)):
        for segment in segments:
            places = zip(segment.lines.splitlines(), _places.decode_lines(segment.lines), strict=True)
            for seq, (line, place) in enumerate(unhurried(places), segment.first_seq):
                if seq > after and not place.path and not place.type.startswith("Iteration"):
                    found.append(line)
                    if len(found) == limit:
                        return found, seq
            after = segment.last_seq
    return found, after


def event_lines(store: Store, execution_id: str, after: int, limit: int) -> Iterator[tuple[int, bytes]]:
    """The events with `seq > after` as (seq, JSON), at most `limit`. Reads as it goes."""
    left = limit
    while left > 0:
        segments = store.read(execution_id, after, min(left, 10_000))
        if not segments:
            return
        for segment in segments:
            for seq, line in enumerate(segment.lines.splitlines(), segment.first_seq):
                if seq > after and left > 0:
                    left -= 1
                    yield seq, line
        after = segments[-1].last_seq
