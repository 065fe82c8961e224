"""Where events become what viewers see. The hub is the engine's `Publisher`; it never makes the engine wait.

    engine ── publish ──> Audience (one a watched execution) ── flush ──> Wire (one a viewer)
    viewer ── bytes ──> Session ──> command ──> Hub

An execution nobody watches costs a dictionary lookup. What is published is translated and encoded once; a flush builds one
parcel for all viewers alike and hands it to each wire. There is no queue and no task for a viewer.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

import structlog
from msgspec import UNSET

from flowscope.errors import StoreError
from flowscope.execution.events import TERMINAL
from flowscope.live.audience import Audience
from flowscope.live.chronicle import Chronicles
from flowscope.live.heartbeat import Heartbeat
from flowscope.live.history import History
from flowscope.live.pace import Pace
from flowscope.live.parcel import Parcel, note
from flowscope.live.protocol import CloseCode, Connected, ErrorMessage, Ping, Pong, Subscribe, Unsubscribe
from flowscope.live.replays import Replays
from flowscope.live.session import Command, Goodbye
from flowscope.live.settings import LiveSettings
from flowscope.live.timer import LoopTimer, Timer
from flowscope.live.translation import Encoded
from flowscope.live.viewer import Subscription, Viewer, Wire
from flowscope.orchestrator.clock import SystemClock
from flowscope.orchestrator.ports import Clock, LogLine, Progress, Segment, Store

log = structlog.get_logger("flowscope.live")

READERS: Final = 4
"""Journals read at once."""

Standing = Callable[[str], Iterable[Progress]]
"""What nodes of an execution have said that still holds, for who comes later."""

InThread = Callable[..., Awaitable[Any]]
"""Calls a blocking function elsewhere: `asyncio.to_thread`."""


class Hub:
    """All viewers. Belongs to one event loop; `start`, `stop` and `statistics` as everywhere."""

    def __init__(
        self,
        store: Store,
        clock: Clock | None = None,
        settings: LiveSettings | None = None,
        *,
        timer: Timer | None = None,
        in_thread: InThread = asyncio.to_thread,
        standing: Standing = lambda execution_id: (),
    ) -> None:
        self.settings = settings or LiveSettings()
        self._clock = clock or SystemClock()
        self._timer = timer or LoopTimer()
        self._in_thread = in_thread
        self._standing = standing
        self._history = History(store, self.settings.budget)
        self.chronicles = Chronicles(store, self._history.shape)
        self.replays = Replays(self.chronicles, self.publish, self.reopen, self.watched)
        self._history.replays = self.replays
        self._heartbeat = Heartbeat(self.settings.heartbeat_interval / 1000, self._timer, self._give_up)
        self._pace = Pace()
        self._viewers: dict[Viewer, None] = {}
        self._audiences: dict[str, Audience] = {}
        self._dirty: dict[Audience, None] = {}
        self._armed = False
        self._offsets: dict[str, dict[tuple[str, str, int], int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = asyncio.Semaphore(READERS)
        self._stopped = False
        self._closed = dict.fromkeys(CloseCode, 0)
        self._events = self._flushes = self._lagged = 0

    # --- life ---

    def start(self) -> None:
        self._stopped = False
        self._heartbeat.start()

    def stop(self, code: CloseCode = CloseCode.RESTART) -> None:
        """Send what there is, and let all viewers go with a code that says whether to come back."""
        self._stopped = True
        self._heartbeat.stop()
        if self._dirty:
            self._flush()
        for viewer in list(self._viewers):
            self._close(viewer, code, "the server restarts; resume with `after`")
        for task in list(self._tasks):
            task.cancel()
        self.replays.stop()

    def statistics(self) -> dict[str, Any]:
        return {
            "viewers": len(self._viewers),
            "watchedExecutions": sum(not audience.absent for audience in self._audiences.values()),
            "subscriptions": sum(len(audience.members) for audience in self._audiences.values()),
            "events": self._events,
            "flushes": self._flushes,
            "flushIntervalMs": round(self._pace.interval * 1000, 1),
            "lagged": self._lagged,
            "closed": {code.name.lower(): count for code, count in self._closed.items() if count},
        }

    # --- the Publisher port ---

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        """Events have become durable."""
        execution_id = segment.execution_id
        if self._offsets and events and isinstance(events[-1], TERMINAL):
            self._offsets.pop(execution_id, None)
        audience = self._audiences.get(execution_id)
        if audience is None:
            return
        self._events += len(events)
        if audience.absent:
            audience.absent = False
            self._open(audience)
        try:
            complete = audience.publish(segment.first_seq, events)
        except Exception:  # one event that cannot be told must not cost the run, nor other viewers: read it all again
            log.exception("live.publish_failed", execution_id=execution_id, seq=segment.first_seq)
            audience.closed()
            complete = False
        if complete:
            self._mark(audience)
        else:
            self._open(audience)

    def murmur(self, word: Progress | LogLine) -> None:
        """A node has said something that is not kept in the order of events."""
        offset = self._offset(word) if isinstance(word, LogLine) else 0
        audience = self._audiences.get(word.execution_id)
        if audience is not None:
            audience.murmur(word, offset)
            self._mark(audience)

    def runs(self, execution_id: str, node_id: str) -> bool | None:
        """Whether the execution's viewers are told that the node runs; None if it has none."""
        audience = self._audiences.get(execution_id)
        if audience is None or audience.channel is None:
            return None
        entry = audience.channel.entry(node_id)
        return entry is not None and entry.status == "running"

    def _offset(self, word: LogLine) -> int:
        offsets = self._offsets.setdefault(word.execution_id, {})
        key = word.node_id, word.path, word.attempt
        offset = offsets.get(key, 0)
        offsets[key] = offset + 1
        return offset

    # --- viewers ---

    def connect(self, wire: Wire, *, framed: bool, execution_id: str | None = None, after: int | None = None) -> Viewer:
        """A connection has been accepted. It is greeted, and subscribed if it named an execution."""
        viewer = Viewer(str(uuid.uuid4()), wire, framed=framed, high_water=self.settings.high_water)
        if self._stopped or len(self._viewers) >= self.settings.viewers:
            code = CloseCode.RESTART if self._stopped else CloseCode.FULL
            self._closed[code] += 1
            wire.close(code, "come back later")
            return viewer
        self._viewers[viewer] = None
        self._heartbeat.add(viewer)
        now = round(self._clock.now())
        wire.send(note(Connected(client_id=viewer.client_id, execution_id=execution_id, timestamp=now)))
        if execution_id is not None:
            self._obey(
                viewer,
                viewer.session.subscribe(Subscribe(execution_id=execution_id, after=UNSET if after is None else after)),
            )
        return viewer

    def received(self, viewer: Viewer, data: bytes | str) -> None:
        """The client has sent a message."""
        viewer.unanswered = 0
        if viewer in self._viewers:
            self._obey(viewer, viewer.session.receive(data, self._timer.now()))

    def alive(self, viewer: Viewer) -> None:
        """The client has answered a ping."""
        viewer.unanswered = 0

    def drained(self, viewer: Viewer) -> None:
        """The wire has room again."""
        viewer.excused = 0
        for subscription in list(viewer.subscriptions.values()):
            audience = self._audiences.get(subscription.execution_id)
            if audience is not None and not subscription.level:
                audience.advance(subscription)

    def finished(self, viewer: Viewer) -> bool:
        """All it watches has ended, and it has been sent all of that; or it is not connected any more."""
        return all(
            self._audiences[execution_id].finished(subscription)
            for execution_id, subscription in viewer.subscriptions.items()
        )

    def left(self, viewer: Viewer) -> None:
        """The connection is gone. Safe twice."""
        if viewer not in self._viewers:
            return
        del self._viewers[viewer]
        self._heartbeat.remove(viewer)
        for execution_id in list(viewer.subscriptions):
            self._unsubscribe(viewer, execution_id)

    def _obey(self, viewer: Viewer, command: Command) -> None:
        match command:
            case Subscribe():
                self._subscribe(viewer, command)
            case Unsubscribe():
                self._unsubscribe(viewer, command.execution_id)
            case Ping():
                viewer.wire.send(note(Pong(timestamp=round(self._clock.now()))))
            case ErrorMessage():
                viewer.wire.send(note(command))
            case Goodbye():
                self._close(viewer, command.code, command.reason)

    def _close(self, viewer: Viewer, code: CloseCode, reason: str) -> None:
        self._closed[code] += 1
        self.left(viewer)
        viewer.wire.close(code, reason)

    def _give_up(self, viewer: Viewer, code: CloseCode) -> None:
        """It is dead or does not read. If the reason arrives, all that was sent before it has."""
        subscriptions = list(viewer.subscriptions.values())
        reason = "resume with `after`"
        if len(subscriptions) == 1:
            cursor = self._audiences[subscriptions[0].execution_id].cursor(subscriptions[0])
            reason = f"after={cursor}" if cursor >= 0 else reason
        log.info("live.viewer_given_up", client_id=viewer.client_id, code=code.name)
        self._close(viewer, code, reason)

    # --- subscriptions ---

    def _subscribe(self, viewer: Viewer, command: Subscribe) -> None:
        """Again is from anew."""
        execution_id = command.execution_id
        old = viewer.subscriptions.pop(execution_id, None)
        audience = self._audiences.get(execution_id)
        if old is not None and audience is not None:
            audience.leave(old)
        if audience is None:
            audience = self._audiences[execution_id] = Audience(execution_id, self.settings, self._replay)
            self._open(audience)
        elif audience.absent:
            viewer.wire.send(_not_found(execution_id))
        after = None if command.after is UNSET else command.after
        subscription = viewer.subscriptions[execution_id] = Subscription(viewer, execution_id, after)
        audience.join(subscription)

    def _unsubscribe(self, viewer: Viewer, execution_id: str) -> None:
        subscription = viewer.subscriptions.pop(execution_id, None)
        audience = self._audiences.get(execution_id)
        if subscription is None or audience is None:
            return
        audience.leave(subscription)
        if not audience.members:
            self._disband(audience)

    def _disband(self, audience: Audience) -> None:
        del self._audiences[audience.execution_id]
        self._dirty.pop(audience, None)
        if audience.channel is not None:
            self._history.ended.put(audience.channel)

    # --- reading the journal ---

    def watched(self, execution_id: str) -> bool:
        """Whether anybody watches it."""
        return execution_id in self._audiences

    def forget(self, execution_ids: Iterable[str]) -> None:
        """They have been pruned."""
        for execution_id in execution_ids:
            self._history.ended.drop(execution_id)

    def reopen(self, execution_id: str) -> None:
        """What is known of it is void: all who watch it begin anew, with a snapshot."""
        audience = self._audiences.get(execution_id)
        if audience is not None:
            audience.begin_anew()
            self._dirty.pop(audience, None)
            self._open(audience)

    def _open(self, audience: Audience) -> None:
        self._own(self._opened(audience))

    async def _opened(self, audience: Audience) -> None:
        execution_id, generation = audience.execution_id, audience.generation
        try:
            async with self._reading:
                channel = await self._in_thread(self._history.open, execution_id)
            if self._audiences.get(execution_id) is not audience or audience.generation != generation:
                if channel is not None:
                    self._history.ended.put(channel)
                return
            if channel is not None:
                audience.opened(channel, self._standing(execution_id))
            elif audience.arrivals:  # it began while we looked
                self._open(audience)
            else:
                self._await(audience)
        except Exception as reason:  # a task's outermost frame: a StoreError, or a journal that does not fold
            log.error("live.open_failed", execution_id=execution_id, error=str(reason), exc_info=reason)
            self._dismiss(audience, _unavailable(execution_id, reason))

    def _await(self, audience: Audience) -> None:
        """There is no such execution. Whoever makes up an id, watches it and then starts it is told so, and stays."""
        audience.absent = True
        parcel = _not_found(audience.execution_id)
        for subscription in audience.members:
            subscription.viewer.wire.send(parcel)

    def _replay(self, subscription: Subscription) -> None:
        self._own(self._replayed(subscription))

    async def _replayed(self, subscription: Subscription) -> None:
        execution_id = subscription.execution_id
        page: tuple[int, list[Encoded]] = (subscription.cursor, [])
        asked = self._audiences.get(execution_id)
        generation = asked.generation if asked is not None else 0
        try:
            async with self._reading:
                if subscription.replay is None:
                    replay = self._history.replay
                    subscription.replay = await self._in_thread(replay, execution_id, subscription.cursor)
                if subscription.replay is not None:
                    page = await self._in_thread(subscription.replay.page)
        except Exception as reason:  # a task's outermost frame, as above
            log.error("live.replay_failed", execution_id=execution_id, error=str(reason), exc_info=reason)
        audience = self._audiences.get(execution_id)
        if audience is not None and audience.generation == generation and subscription in audience.members:
            audience.replayed(subscription, *page)  # without a page a snapshot follows

    def _dismiss(self, audience: Audience, error: ErrorMessage) -> None:
        """There is nothing to watch."""
        if self._audiences.get(audience.execution_id) is not audience:
            return
        parcel = note(error)
        for subscription in list(audience.members):
            viewer = subscription.viewer
            viewer.wire.send(parcel)
            viewer.session.forget(audience.execution_id)
            del viewer.subscriptions[audience.execution_id]
        self._disband(audience)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("live.task_failed", exc_info=task.exception())

    # --- flushing ---

    def _mark(self, audience: Audience) -> None:
        self._dirty[audience] = None
        if not self._armed:
            self._armed = True
            self._timer.later(self._pace.delay(self._timer.now()), self._flush)

    def _flush(self) -> None:
        self._armed = False
        began = self._timer.now()
        dirty, self._dirty = self._dirty, {}
        for audience in dirty:
            self._lagged += audience.flush()
        self._flushes += 1
        self._pace.flushed(began, self._timer.now())


def _not_found(execution_id: str) -> Parcel:
    text = f"Execution {execution_id} not found; if it begins later, it will be shown"
    return note(ErrorMessage(code="EXECUTION_NOT_FOUND", message=text, execution_id=execution_id))


def _unavailable(execution_id: str, reason: Exception) -> ErrorMessage:
    text = str(reason) if isinstance(reason, StoreError) else "The execution's history cannot be read"
    return ErrorMessage(code="UNAVAILABLE", message=text, execution_id=execution_id)
