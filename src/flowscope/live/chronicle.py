"""The past of one execution, for whoever wants to go about in it: any instant, at once.

Going through the journal once leaves keyframes (the view, every few thousand events) and the time of every event. From
then on any instant costs the events since its keyframe. Everything that reads blocks, and belongs in a thread.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import msgspec

from flowscope.execution.events import (
    AnyEvent,
    ExecutionFailed,
    ExecutionFailing,
    ExecutionPaused,
    ExecutionRecovered,
    ExecutionResumed,
    IterationFailed,
    NodeFailed,
    NodeLost,
    decode_lines,
)
from flowscope.execution.timeline import Timeline
from flowscope.execution.view import ExecutionView, WorkflowShape
from flowscope.orchestrator.ports import Store
from flowscope.unhurried import unhurried

ShapeOf: TypeAlias = Callable[[str], WorkflowShape | None]

KEYFRAME: Final = 2_000
"""Events between two keyframes."""

MOST_ERRORS: Final = 1_000
PAGE: Final = 2_000
KEPT: Final = 8
"""Executions whose keyframes are kept."""


class Flaw(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Something that went wrong at event `seq`. `handled`: the run went on, or it is tried again."""

    seq: int
    at: float
    node_id: str
    message: str
    path: str = ""
    handled: bool = False


class Turning(msgspec.Struct, frozen=True, gc=False):
    """Something that concerned the whole run: stopped (before `at`), recovered, paused, resumed, failing."""

    kind: str
    seq: int
    at: float


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """The events of one stretch of time, up to event `seq`."""

    at: float
    seq: int
    events: int
    errors: int


class Chronicle:
    """One execution's. `times` holds the time of event n at n-1, never falling; `errors` the seqs of what went wrong."""

    def __init__(self, store: Store, execution_id: str, shape: WorkflowShape | None) -> None:
        self.execution_id = execution_id
        self.shape = shape
        self.times = array("d")
        self.errors = array("Q")
        self.flaws: list[Flaw] = []
        self.turnings: list[Turning] = []
        self.timeline: Timeline | None = None
        """Once it has been worked out for an execution that has ended."""
        self._store = store
        self._lock = threading.Lock()
        self._view = ExecutionView(execution_id, shape)
        self._keyframes: list[ExecutionView] = [self._view.copy()]

    @property
    def last_seq(self) -> int:
        return len(self.times)

    @property
    def ended(self) -> bool:
        return self._view.ended

    def read_on(self) -> None:
        """Take in what has been written since the last time."""
        with self._lock:
            if self._view.ended:
                return
            for event in unhurried(self.events(self.last_seq)):
                self._take(event)

    def _take(self, event: AnyEvent) -> None:
        before = self.times[-1] if self.times else 0.0
        at = max(event.at, before)
        self.times.append(at)
        self._view.apply(event)
        if event.seq % KEYFRAME == 0:
            self._keyframes.append(self._view.copy())
        if isinstance(event, NodeFailed):
            self._flaw(Flaw(event.seq, at, event.node_id, event.error.message, event.path, _goes_on(event)))
        elif isinstance(event, IterationFailed):
            self._flaw(Flaw(event.seq, at, event.node_id, event.error.message, event.path))
        elif isinstance(event, NodeLost):
            self._flaw(Flaw(event.seq, at, event.node_id, "lost with the process that ran it", event.path, True))
        elif isinstance(event, ExecutionFailed):
            self._flaw(Flaw(event.seq, at, event.error.node_id, event.error.message))
        elif isinstance(event, ExecutionRecovered):
            self.turnings += (Turning("stopped", max(1, event.seq - 1), before), Turning("recovered", event.seq, at))
        elif isinstance(event, ExecutionPaused | ExecutionResumed | ExecutionFailing):
            kind = type(event).__name__.removeprefix("Execution").lower()
            self.turnings.append(Turning(kind, event.seq, at))

    def _flaw(self, flaw: Flaw) -> None:
        self.errors.append(flaw.seq)
        if len(self.flaws) < MOST_ERRORS:
            self.flaws.append(flaw)

    def events(self, after: int, upto: int = 1 << 53) -> Iterator[AnyEvent]:
        """The events `after+1 .. upto`, from the store."""
        while after < upto and (segments := self._store.read(self.execution_id, after, PAGE)):
            for segment in segments:
                for event in decode_lines(segment.lines):
                    if after < event.seq <= upto:
                        yield event
            after = segments[-1].last_seq

    def seq_at(self, at: float) -> int:
        """The last event at or before that instant (epoch ms)."""
        return bisect_right(self.times, at)

    def view_at(self, seq: int, execution_id: str = "") -> ExecutionView:
        """The view as it was after event `seq`; beyond the last one, as it is."""
        seq = min(max(seq, 0), self.last_seq)
        view = self._keyframes[seq // KEYFRAME].copy(execution_id)
        for event in self.events(view.seq, seq):
            view.apply(event)
        return view

    def histogram(self, count: int) -> list[Bucket]:
        """The whole time in `count` stretches alike."""
        if not self.times:
            return []
        start, end = self.times[0], self.times[-1]
        width = (end - start) / count or 1.0
        buckets, before, flaws = [], 0, 0
        for number in range(count):
            seq = bisect_right(self.times, start + width * (number + 1)) if number < count - 1 else self.last_seq
            errors = bisect_right(self.errors, seq)
            buckets.append(Bucket(start + width * number, seq, seq - before, errors - flaws))
            before, flaws = seq, errors
        return buckets


def _goes_on(event: NodeFailed) -> bool:
    return event.handled or bool(event.retry_at)


class Chronicles:
    """Those asked for lately. `shape` finds the shape of a definition by its hash."""

    def __init__(self, store: Store, shape: ShapeOf) -> None:
        self._store = store
        self._shape = shape
        self._kept: OrderedDict[str, Chronicle] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, execution_id: str) -> Chronicle | None:
        """Up to date; None if there is no such execution. Blocking."""
        row = self._store.row(execution_id)
        if row is None:
            return None
        with self._lock:
            chronicle = self._kept.get(execution_id)
            # One that is shorter now has been pruned, and another begun by that id.
            if chronicle is None or chronicle.last_seq > row.last_seq:
                chronicle = Chronicle(self._store, execution_id, self._shape(row.definition))
                self._kept[execution_id] = chronicle
            self._kept.move_to_end(execution_id)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        chronicle.read_on()
        return chronicle
