"""One watched execution: what it shows, what was said of it lately, and what is still to be said.

`tail` holds the latest messages, about as many bytes as a viewer may be behind. `pending` is the part of it not yet sent to
those who are caught up; `told` the seq they have. All of it is pure: the hub says when.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec
from msgspec import UNSET

from flowscope.live.parcel import Parcel
from flowscope.live.protocol import ExecutionSnapshot, NodeEntry, SnapshotData, encode
from flowscope.live.translation import Encoded, Translator
from flowscope.live.visuals import visual

PAGE_BYTES: Final = 1024 * 1024
"""A snapshot larger than this comes in pages."""

NODE_BYTES: Final = 2_500
"""Of a node's view and entry in memory, about."""

MESSAGE_BYTES: Final = 200
"""Of a message in memory beside its body, about."""

_seq_of = attrgetter("seq")


class Tail:
    """The latest messages, up to `limit` bytes or a little more. Whoever has seen `floor` or later can be served from it."""

    def __init__(self, floor: int, limit: int) -> None:
        self.floor = floor
        self._limit = limit
        self._size = 0
        self._messages: list[Encoded] = []

    @property
    def size(self) -> int:
        """Bytes, about."""
        return self._size + len(self._messages) * MESSAGE_BYTES

    def extend(self, messages: Sequence[Encoded]) -> None:
        self._messages += messages
        self._size += sum(len(message.body) for message in messages)
        if self._size > 2 * self._limit:
            self._shorten()

    def after(self, seq: int) -> Sequence[Encoded]:
        """The messages of the events after `seq`, which must not lie before `floor`."""
        return self._messages[bisect_right(self._messages, seq, key=_seq_of) :]

    def _shorten(self) -> None:
        """Drop the oldest, half of what is held; not message by message, so that it costs little each."""
        drop = 0
        while self._size > self._limit:
            self._size -= len(self._messages[drop].body)
            drop += 1
        self.floor = self._messages[drop - 1].seq
        del self._messages[:drop]


class Channel:
    """What the viewers of one execution share."""

    def __init__(self, translator: Translator, tail: Tail) -> None:
        self.translator = translator
        self.tail = tail
        self.told = translator.seq
        self.pending: list[Encoded] = []
        self.progress: dict[str, tuple[int, str]] = {}
        self.final = 0
        """Of a replay, the last event there will be; 0: what is to come is not known."""
        self._snapshot: tuple[Parcel, ...] = ()
        self._snapshot_seq = -1

    @property
    def execution_id(self) -> str:
        return self.translator.view.execution_id

    @property
    def seq(self) -> int:
        return self.translator.seq

    @property
    def size(self) -> int:
        """Bytes of memory, about."""
        pages = sum(parcel.size for parcel in self._snapshot)
        return self.tail.size + 2 * pages + len(self.translator.view.nodes) * NODE_BYTES

    @property
    def ended(self) -> bool:
        return self.translator.view.ended or bool(self.final and self.seq >= self.final)

    def publish(self, events: Sequence[Any]) -> None:
        """Events have become durable, the next after `seq`; those before it are dropped."""
        for event in events:
            messages = self.translator.translate(event)
            if messages:
                self.pending += messages
                self.tail.extend(messages)
                for message in messages:
                    self.progress.pop(message.subject, None)

    def remember(self, node_id: str, percent: int, detail: str) -> None:
        """A running node has said how far it is, or that it waits; a snapshot says so too until its next change."""
        if self.progress.get(node_id) != (percent, detail):
            self.progress[node_id] = percent, detail
            self._snapshot_seq = -1

    def entry(self, node_id: str) -> NodeEntry | None:
        """A node as it is shown, with the progress it reported."""
        entry = self.translator.entry(node_id)
        said = self.progress.get(node_id)
        return _with_progress(entry, *said) if entry and said is not None else entry

    def snapshot(self) -> Sequence[Parcel]:
        """The whole as it is now, in pages; built once for all who ask until something changes."""
        if self._snapshot_seq != self.seq:
            self._snapshot = tuple(self._pages())
            self._snapshot_seq = self.seq
        return self._snapshot

    def beginning(self) -> Sequence[Parcel]:
        """The execution before its first event, for a client that wants to hear all of it."""
        before = Channel(Translator(self.execution_id, self.translator.shape), Tail(0, 0))
        return before.snapshot()

    def _pages(self) -> list[Parcel]:
        shares: list[list[msgspec.Raw]] = [[]]
        size = 0
        for entry in self.translator.entries():
            said = self.progress.get(entry.node_id)
            data = encode(entry if said is None else _with_progress(entry, *said))
            size += len(data) + 1
            if size > PAGE_BYTES - 4096 and shares[-1]:
                shares.append([])
                size = len(data)
            shares[-1].append(msgspec.Raw(data))
        facts = self.translator.snapshot()
        return [self._page(facts, share, page, len(shares)) for page, share in enumerate(shares, 1)]

    def _page(self, facts: SnapshotData, share: list[msgspec.Raw], page: int, pages: int) -> Parcel:
        # The nodes are bytes already; the type says what they are bytes of.
        data = msgspec.structs.replace(facts, nodes=share)
        if pages > 1:
            data = msgspec.structs.replace(data, page=page, pages=pages)
        return Parcel((encode(ExecutionSnapshot(data=data)),), (self.seq if page == pages else 0,))


def _with_progress(entry: NodeEntry, percent: int, detail: str) -> NodeEntry:
    if entry.status != "running":
        return entry
    looks = visual("running", None, percent)
    return msgspec.structs.replace(entry, progress=percent, visual=looks, detail=detail or UNSET)
