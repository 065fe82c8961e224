"""Replays: an execution's past, shown over again as if it happened now, to any viewer.

A replay has an id that is subscribed to like an execution's, and its messages are the live stream's own. It may be paused, sped
up, and moved to any event: then its viewers get a snapshot, as those do who were too far behind.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from flowscope.errors import ExecutionNotFound, InputInvalid
from flowscope.execution.events import AnyEvent
from flowscope.live.channel import Channel, Tail
from flowscope.live.chronicle import Chronicle, Chronicles
from flowscope.live.translation import Translator
from flowscope.orchestrator.ports import Segment

PREFIX: Final = "replay:"

SLOWEST: Final = 0.1
FASTEST: Final = 1_000.0

LONGEST_PAUSE: Final = 2.0
"""Seconds in which nothing is shown, however long nothing happened."""

TICK: Final = 0.016
LOOK: Final = 0.25
"""Seconds between two looks whether somebody watches."""

AHEAD: Final = 2_000
"""Events read from the store at once."""

UNWATCHED: Final = 60.0
"""Seconds after which a replay that nobody watches goes."""

MOST: Final = 200

Publish = Callable[[Segment, list[AnyEvent]], None]


class ReplayState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where a replay is: after event `seq` of `lastSeq`, which happened `at` (epoch ms)."""

    replay_id: str
    execution_id: str
    seq: int
    last_seq: int
    at: float
    start_time: float
    end_time: float
    speed: float
    playing: bool


class Replaying:
    """One replay. `seq` is the last event shown."""

    def __init__(self, replay_id: str, chronicle: Chronicle, seq: int, speed: float, playing: bool) -> None:
        self.replay_id = replay_id
        self.chronicle = chronicle
        self.seq = min(max(seq, 1), chronicle.last_seq)
        self.speed = speed
        self.playing = playing and self.seq < chronicle.last_seq
        self.task: asyncio.Task[None] | None = None
        self.unwatched_since: float | None = None
        self._now = chronicle.times[self.seq - 1]
        self.ahead: list[AnyEvent] = []
        self.changed = asyncio.Event()
        self.turn = 0
        """Raised by every command: what was begun before it is dropped."""

    def state(self) -> ReplayState:
        times = self.chronicle.times
        return ReplayState(
            replay_id=self.replay_id,
            execution_id=self.chronicle.execution_id,
            seq=self.seq,
            last_seq=self.chronicle.last_seq,
            at=times[self.seq - 1],
            start_time=times[0],
            end_time=times[-1],
            speed=self.speed,
            playing=self.playing,
        )

    def channel(self, tail_bytes: int) -> Channel:
        """What its viewers share, as it is now; blocking."""
        view = self.chronicle.view_at(self.seq, self.replay_id)
        channel = Channel(Translator(self.replay_id, self.chronicle.shape, view), Tail(view.seq, tail_bytes))
        channel.final = self.chronicle.last_seq
        return channel

    def seek(self, seq: int) -> None:
        self.seq = min(max(seq, 1), self.chronicle.last_seq)
        self._now = self.chronicle.times[self.seq - 1]
        self.ahead = []

    def pause_before_next(self) -> float:
        """Seconds until the next event is due; its time is then."""
        due = self.chronicle.times[self.seq]
        wait = min(max(due - self._now, 0.0) / 1000 / self.speed, LONGEST_PAUSE)
        wait = max(wait, TICK)
        self._now = max(self._now + wait * 1000 * self.speed, due if wait >= LONGEST_PAUSE else 0.0)
        return wait

    def due(self, after: int) -> tuple[list[AnyEvent], list[AnyEvent]]:
        """The events after that one that are due by now, and those read ahead; blocking where they must be read."""
        last = max(self.chronicle.seq_at(self._now), after)
        ahead = self.ahead
        if last - after > len(ahead):
            begin = after + len(ahead)
            ahead = ahead + list(self.chronicle.events(begin, min(last + AHEAD, self.chronicle.last_seq)))
        return ahead[: last - after], ahead[last - after :]


class Replays:
    """All of them. `publish` is the hub's; `reopen` has the viewers of one begin anew; `watched` tells whether it has any."""

    def __init__(
        self,
        chronicles: Chronicles,
        publish: Publish,
        reopen: Callable[[str], None],
        watched: Callable[[str], bool],
    ) -> None:
        self._chronicles = chronicles
        self._publish = publish
        self._reopen = reopen
        self._watched = watched
        self._replays: dict[str, Replaying] = {}

    def find(self, replay_id: str) -> Replaying | None:
        return self._replays.get(replay_id)

    async def create(self, execution_id: str, *, speed: float = 1.0, seq: int = 1, playing: bool = True) -> ReplayState:
        """A new one, from event `seq` on; it plays as soon as somebody watches. `ExecutionNotFound`, `InputInvalid`."""
        _check_speed(speed)
        chronicle = await asyncio.to_thread(self._chronicles.of, execution_id)
        if chronicle is None or not chronicle.last_seq:
            raise ExecutionNotFound(execution_id)
        self._make_room()
        replay_id = f"{PREFIX}{execution_id}:{secrets.token_hex(8)}"
        replay = self._replays[replay_id] = Replaying(replay_id, chronicle, seq, speed, playing)
        replay.task = asyncio.get_running_loop().create_task(self._play(replay))
        return replay.state()

    def state(self, replay_id: str) -> ReplayState:
        return self._get(replay_id).state()

    def command(
        self, replay_id: str, *, playing: bool | None = None, speed: float | None = None, seq: int | None = None,
        at: float | None = None,
    ) -> ReplayState:  # fmt: skip
        """Play or pause, go faster or slower, go to an event or an instant."""
        replay = self._get(replay_id)
        if speed is not None:
            _check_speed(speed)
            replay.speed = speed
        if at is not None:
            seq = replay.chronicle.seq_at(at)
        if seq is not None:
            replay.seek(seq)
            self._reopen(replay_id)
        if playing is not None:
            replay.playing = playing
        replay.playing = replay.playing and replay.seq < replay.chronicle.last_seq
        replay.turn += 1
        replay.changed.set()
        return replay.state()

    def close(self, replay_id: str) -> None:
        """End it; safe twice."""
        replay = self._replays.pop(replay_id, None)
        if replay is not None and replay.task is not None:
            replay.task.cancel()

    def stop(self) -> None:
        for replay_id in list(self._replays):
            self.close(replay_id)

    def _get(self, replay_id: str) -> Replaying:
        replay = self._replays.get(replay_id)
        if replay is None:
            raise ExecutionNotFound(replay_id)
        return replay

    def _make_room(self) -> None:
        if len(self._replays) < MOST:
            return
        idle = next((replay_id for replay_id in self._replays if not self._watched(replay_id)), None)
        if idle is None:
            raise InputInvalid(f"There are {MOST} replays already: close one first")
        self.close(idle)

    async def _play(self, replay: Replaying) -> None:
        while self._is_wanted(replay):
            turn = replay.turn
            idle = not replay.playing or not self._watched(replay.replay_id)
            await _nap(replay, LOOK if idle else replay.pause_before_next())
            if idle or turn != replay.turn:
                continue
            events, ahead = await asyncio.to_thread(replay.due, replay.seq)
            if events and turn == replay.turn:
                replay.ahead = ahead
                self._show(replay, events)

    def _is_wanted(self, replay: Replaying) -> bool:
        """Somebody watches, or did a moment ago; what nobody wants any more goes."""
        now = asyncio.get_running_loop().time()
        if replay.unwatched_since is None or self._watched(replay.replay_id):
            replay.unwatched_since = now
        wanted = now - replay.unwatched_since <= UNWATCHED
        if not wanted:
            self._replays.pop(replay.replay_id, None)
        return wanted

    def _show(self, replay: Replaying, events: list[AnyEvent]) -> None:
        first, last = events[0].seq, events[-1].seq
        replay.seq = last
        segment = Segment(execution_id=replay.replay_id, first_seq=first, last_seq=last, epoch=1, lines=b"")
        self._publish(segment, events)
        replay.playing = last < replay.chronicle.last_seq


async def _nap(replay: Replaying, seconds: float) -> None:
    """Until something is due, or a command comes."""
    replay.changed.clear()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await replay.changed.wait()


def _check_speed(speed: float) -> None:
    if not SLOWEST <= speed <= FASTEST:
        raise InputInvalid(f"The speed of a replay is {SLOWEST:g} to {FASTEST:g}")
