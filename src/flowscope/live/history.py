"""What the journal holds of an execution, read for its viewers. Everything here blocks, and belongs in a thread."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from flowscope.definition import decode
from flowscope.execution.events import AnyEvent, decode_lines
from flowscope.execution.view import WorkflowShape
from flowscope.live.channel import Channel, Tail
from flowscope.live.ended import EndedChannels
from flowscope.live.translation import Encoded, Translator
from flowscope.orchestrator.ports import Store
from flowscope.unhurried import unhurried

if TYPE_CHECKING:
    from flowscope.live.replays import Replays

SHAPES: Final = 256

TAIL_EVENTS: Final = 2_000
"""Of an execution's past, the last events are translated for those who come back."""

PAGE_EVENTS: Final = 1_000


class History:
    """Reads; changes nothing."""

    def __init__(self, store: Store, tail_bytes: int) -> None:
        self._store = store
        self._tail_bytes = tail_bytes
        self.replays: Replays | None = None
        self.ended = EndedChannels()
        self._shapes: OrderedDict[str, WorkflowShape] = OrderedDict()

    def open(self, execution_id: str) -> Channel | None:
        """All that is durable of an execution, and its latest messages; None if there is no such execution."""
        row = self._store.row(execution_id)
        if row is None:
            self.ended.drop(execution_id)
            replay = self.replays.find(execution_id) if self.replays else None
            return replay.channel(self._tail_bytes) if replay else None
        if row.ended_at and (kept := self.ended.take(row)) is not None:
            return kept
        translator = Translator(execution_id, self.shape(row.definition))
        floor = max(0, row.last_seq - TAIL_EVENTS)
        tail = Tail(floor, self._tail_bytes)
        events = self._events(execution_id)
        translator.fold(islice(events, floor))
        for event in events:
            tail.extend(translator.translate(event))
        return Channel(translator, tail)

    def replay(self, execution_id: str, after: int) -> Replay | None:
        """To be read from the event after `after`; None if there is no such execution."""
        row = self._store.row(execution_id)
        if row is None:
            return None
        translator = Translator(execution_id, self.shape(row.definition))
        return Replay(translator, self._events(execution_id), after)

    def _events(self, execution_id: str) -> Iterator[AnyEvent]:
        after = 0
        while segments := self._store.read(execution_id, after, PAGE_EVENTS):
            for segment in segments:
                yield from unhurried(decode_lines(segment.lines))
            after = segments[-1].last_seq

    def shape(self, definition: str) -> WorkflowShape | None:
        """The shape of a definition; None without one."""
        if not definition:
            return None
        shape = self._shapes.get(definition)
        if shape is None:
            shape = self._shapes[definition] = WorkflowShape.of(decode(self._store.definition(definition)))
            if len(self._shapes) > SHAPES:
                self._shapes.popitem(last=False)
        return shape


class Replay:
    """An execution's past, translated page by page for one viewer."""

    def __init__(self, translator: Translator, events: Iterator[AnyEvent], after: int) -> None:
        self._translator = translator
        self._events = events
        self._after = after

    def page(self) -> tuple[int, list[Encoded]]:
        """The next messages, and the seq they lead to; the same seq again when there are no more."""
        messages: list[Encoded] = []
        self._translator.fold(islice(self._events, max(0, self._after - self._translator.seq)))
        for event in self._events:
            messages += self._translator.translate(event)
            if event.seq - self._after >= PAGE_EVENTS:
                break
        self._after = max(self._after, self._translator.seq)
        return self._after, messages
