"""The mission's `ExecutionStateManager`: a thin face over the journal, not a second truth.

An execution nobody looks at costs nothing here. The first who asks has its journal folded into a view, which then keeps up
by what is published after each commit; with nobody subscribed it is dropped an hour after the end, or earlier when too much
is held. Whoever asks again has it folded again: the history is the store's.

Runs that somebody's own handler runs are reported through `initialize_execution` and `update_node_state`. Their events are
journaled like any other's, and shown when they are durable; `settled` waits for that.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flowscope.definition import decode
from flowscope.definition.workflow import JSON
from flowscope.execution.events import AnyEvent
from flowscope.execution.view import ExecutionView, WorkflowShape
from flowscope.log import get_logger
from flowscope.orchestrator.execution_state import ExecutionState, ExecutionUpdate, Picture
from flowscope.orchestrator.ports import Clock, LogLine, Progress, Publisher, Segment, Store
from flowscope.orchestrator.report_desk import ReportDesk, history
from flowscope.unhurried import unhurried

log = get_logger("flowscope.state")

Callback = Callable[[ExecutionUpdate], object]

HOUR = 3_600_000.0
SHAPES = 256


class ExecutionStateManager:
    """What is known of executions, for whoever asks; and the desk where runs are reported. Belongs to one event loop.

    `kept` executions and `kept_nodes` nodes at most are held that nobody subscribes to, and each for `keep` milliseconds
    after its end. `publishers` are told of reported runs; of the others their orchestrator tells them.
    """

    def __init__(
        self, store: Store, clock: Clock, *, keep: float = HOUR, kept: int = 10_000, kept_nodes: int = 200_000
    ) -> None:
        self.store = store
        self.publishers: list[Publisher] = []
        self._clock = clock
        self._keep = keep
        self._kept = kept
        self._kept_nodes = kept_nodes
        self._pictures: OrderedDict[str, Picture] = OrderedDict()
        self._nodes = 0
        self._callbacks: dict[str, list[Callback]] = {}
        self._shapes: OrderedDict[str, WorkflowShape] = OrderedDict()
        self._expiring: deque[tuple[float, str]] = deque()
        self._desk = ReportDesk(store, clock, self._reported)

    # --- looking ---

    def get_execution_state(self, execution_id: str) -> ExecutionState | None:
        """What is durable of an execution; None if there is no such execution."""
        picture = self._picture(execution_id)
        return picture.state() if picture else None

    def subscribe(self, execution_id: str, callback: Callback) -> Callable[[], None]:
        """Call back at once if the execution is known, and after each commit of it; returns what ends that."""
        callbacks = self._callbacks.setdefault(execution_id, [])
        callbacks.append(callback)
        picture = self._picture(execution_id)
        if picture:
            self._call(execution_id, callback, picture.update())

        def unsubscribe() -> None:
            if callback in callbacks:
                callbacks.remove(callback)
            if not callbacks and self._callbacks.get(execution_id) is callbacks:
                self._leave(execution_id)

        return unsubscribe

    def _leave(self, execution_id: str) -> None:
        del self._callbacks[execution_id]
        picture = self._pictures.get(execution_id)
        if picture is not None and picture.view.ended:
            self._expire_later(execution_id, picture)
        self._trim()

    def view(self, execution_id: str) -> ExecutionView | None:
        """The facts as they are kept, to be read and not changed; None if there is no such execution."""
        picture = self._picture(execution_id)
        return picture.view if picture else None

    async def read(self, execution_id: str) -> ExecutionView | None:
        """`view`, for who can wait: the journal, which may be long, is read in a thread."""
        if execution_id not in self._pictures:
            picture = await asyncio.to_thread(self._read, execution_id)
            if picture is not None and execution_id not in self._pictures:
                self._hold(picture)
                self._fold(picture)  # what came meanwhile
                self._settled_in(picture)
        return self.view(execution_id)

    def statistics(self) -> dict[str, Any]:
        return {
            "views": len(self._pictures),
            "nodes": self._nodes,
            "subscribers": sum(map(len, self._callbacks.values())),
            "reported": self._desk.open,
        }

    # --- the Publisher port ---

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        """Events have become durable."""
        execution_id = segment.execution_id
        watched = execution_id in self._callbacks
        picture = self._pictures.get(execution_id) or (self._open(execution_id) if watched else None)
        if picture is None:
            return
        if segment.first_seq > picture.view.seq + 1:
            self._fold(picture)
        else:
            self._apply(picture, events)
        if watched:
            self._tell(execution_id, picture)
        if picture.view.ended:
            self._expire_later(execution_id, picture)

    def murmur(self, word: Progress | LogLine) -> None:
        """Something that is not kept."""
        if isinstance(word, Progress) and not word.path:
            picture = self._pictures.get(word.execution_id)
            if picture is not None:
                picture.progress[word.node_id] = word.fraction

    # --- reporting ---

    def initialize_execution(
        self, execution_id: str, workflow_id: str, total_nodes: int, input: JSON | None = None
    ) -> None:
        """A run that somebody else runs has begun. `ExecutionActive` or `ExecutionEnded` if there is one by that id."""
        self._desk.begin(execution_id, workflow_id, total_nodes, input)

    def update_node_state(
        self, execution_id: str, node_id: str, node_name: str, status: str, data: Mapping[str, Any] | None = None
    ) -> None:
        """A node of a reported run has gone over to a status; `data` may hold `output`, `error`, `progress` (percent).

        `ExecutionNotFound`; `ExecutionEnded` after the last of the nodes, or `finish_execution`; `InputInvalid` for a
        status that is none, or a run that the engine itself is running.
        """
        data = data or {}
        self._desk.update(execution_id, node_id, node_name, status, data)
        percent = data.get("progress")
        picture = self._pictures.get(execution_id)
        if picture and isinstance(percent, int | float):
            picture.progress[node_id] = percent / 100

    def finish_execution(
        self, execution_id: str, status: str, output: JSON | None = None, error: JSON | None = None
    ) -> None:
        """A reported run is over: `success`, `failed` or `cancelled`."""
        self._desk.finish(execution_id, status, output, error)

    async def settled(self, execution_id: str) -> None:
        """All that has been reported of an execution is durable and shown; the `StoreError` if it could not be kept."""
        await self._desk.settled(execution_id)

    def _reported(self, segment: Segment, events: Sequence[AnyEvent]) -> None:
        for publisher in (self, *self.publishers):
            publisher.publish(segment, events)

    # --- keeping ---

    def _picture(self, execution_id: str) -> Picture | None:
        picture = self._pictures.get(execution_id)
        if picture is not None:
            self._pictures.move_to_end(execution_id)
            return picture
        picture = self._open(execution_id)
        if picture is not None:
            self._fold(picture)
            self._settled_in(picture)
        return picture

    def _open(self, execution_id: str) -> Picture | None:
        picture = self._blank(execution_id)
        if picture is not None:
            self._hold(picture)
        return picture

    def _blank(self, execution_id: str) -> Picture | None:
        """A picture of an execution with nothing in it yet."""
        row = self.store.row(execution_id)
        if row is None:
            return None
        return Picture(ExecutionView(execution_id, self._shape(row.definition) if row.definition else None))

    def _read(self, execution_id: str) -> Picture | None:
        """One that nobody else knows of yet, with all that is durable in it. For a thread."""
        picture = self._blank(execution_id)
        if picture is not None:
            for event in unhurried(history(self.store, execution_id)):
                picture.apply(event)
        return picture

    def _hold(self, picture: Picture) -> None:
        self._pictures[picture.view.execution_id] = picture
        self._nodes += len(picture.view.nodes)

    def _settled_in(self, picture: Picture) -> None:
        if picture.view.ended:
            self._expire_later(picture.view.execution_id, picture)
        self._trim()

    def _fold(self, picture: Picture) -> None:
        self._apply(picture, history(self.store, picture.view.execution_id, picture.view.seq))

    def _apply(self, picture: Picture, events: Iterable[Any]) -> None:
        nodes = len(picture.view.nodes)
        for event in events:
            picture.apply(event)
        self._nodes += len(picture.view.nodes) - nodes

    def _shape(self, definition: str) -> WorkflowShape:
        shape = self._shapes.get(definition)
        if shape is None:
            shape = self._shapes[definition] = WorkflowShape.of(decode(self.store.definition(definition)))
            if len(self._shapes) > SHAPES:
                self._shapes.popitem(last=False)
        return shape

    def _tell(self, execution_id: str, picture: Picture) -> None:
        update = picture.update()
        for callback in tuple(self._callbacks[execution_id]):
            self._call(execution_id, callback, update)

    def _call(self, execution_id: str, callback: Callback, update: ExecutionUpdate) -> None:
        try:
            callback(update)
        except Exception:  # a subscriber's fault is its own: neither the run nor other subscribers hear of it
            log.exception("subscriber.failed", execution_id=execution_id)

    def _expire_later(self, execution_id: str, picture: Picture) -> None:
        due = max(picture.view.end_time, self._clock.now()) + self._keep
        self._expiring.append((due, execution_id))
        if len(self._expiring) == 1:
            self._clock.call_at(due, self._expire)

    def _expire(self) -> None:
        now = self._clock.now()
        while self._expiring and self._expiring[0][0] <= now:
            _, execution_id = self._expiring.popleft()
            if execution_id not in self._callbacks:
                self._drop(execution_id)
        if self._expiring:
            self._clock.call_at(self._expiring[0][0], self._expire)

    def _trim(self) -> None:
        """Drop the least recently asked for, down to what may be held; the newest stays."""
        surplus = len(self._pictures) - len(self._callbacks) - self._kept
        if surplus <= 0 and self._nodes <= self._kept_nodes:
            return
        for execution_id in list(self._pictures)[:-1]:
            if surplus <= 0 and self._nodes <= self._kept_nodes:
                return
            if execution_id not in self._callbacks:
                self._drop(execution_id)
                surplus -= 1

    def _drop(self, execution_id: str) -> None:
        picture = self._pictures.pop(execution_id, None)
        if picture is not None:
            self._nodes -= len(picture.view.nodes)
