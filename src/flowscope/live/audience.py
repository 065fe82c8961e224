"""Those who watch one execution: who is level with it, who is still on the way, and what each is to be sent.

    subscribe ──> (channel opens) ──> begin ──> snapshot | tail | replay from the journal ──> level ──> flush …
                                        ^                                                            │
                                        └── lag: LAGGED and a snapshot, when the wire is empty again ┘

Subscribe first, then read, then drop what is older than the cursor: while the channel is being opened, events that are
published wait in `arrivals`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from flowscope.live.channel import Channel
from flowscope.live.murmurs import Murmurs, percent
from flowscope.live.parcel import Parcel, frames, note, singles
from flowscope.live.protocol import CaughtUp
from flowscope.live.settings import LiveSettings
from flowscope.live.translation import Encoded
from flowscope.live.viewer import Subscription
from flowscope.orchestrator.ports import LogLine, Progress

Read = Callable[[Subscription], None]
"""Have the next page of the journal read for a subscription, whose `replayed` is then called."""

_NOTHING: Final = Parcel(())


class Audience:
    """The viewers of one execution. `read` is called for one whose past the tail does not hold."""

    def __init__(self, execution_id: str, settings: LiveSettings, read: Read) -> None:
        self.execution_id = execution_id
        self.channel: Channel | None = None
        self.absent = False
        """There is no such execution yet."""
        self.arrivals: list[Any] = []
        self.members: dict[Subscription, None] = {}
        self.generation = 0
        """Raised when what was being read is void."""
        self._settings = settings
        self._read = read
        self._level: tuple[dict[Subscription, None], dict[Subscription, None]] = ({}, {})
        """Level with `channel.told`: without frames, with frames."""
        self._fresh: dict[Subscription, int] = {}
        """Level with a later seq, since the last flush."""
        self._murmurs = Murmurs()

    # --- the channel ---

    def opened(self, channel: Channel, standing: Iterable[Progress] = ()) -> None:
        """The journal has been read; what was published meanwhile and is not in it follows. `standing` is what was said last
        and still holds."""
        arrivals, self.arrivals = self.arrivals, []
        self.channel = channel
        channel.publish(arrivals)
        channel.pending.clear()
        channel.told = channel.seq
        for word in standing:
            channel.remember(word.node_id, percent(word), word.detail)
        for subscription in list(self.members):
            self.advance(subscription)

    def closed(self) -> None:
        """The channel has missed something and must be opened again; nobody is level until then."""
        channel = self.channel
        if channel is None:
            return
        for group in self._level:
            for subscription in group:
                subscription.cursor = subscription.sent = channel.told
                subscription.level = False
            group.clear()
        for subscription, cursor in self._fresh.items():
            subscription.cursor = subscription.sent = cursor
            subscription.level = False
        self._fresh.clear()
        self.channel = None

    def begin_anew(self) -> None:
        """What was said is void: everybody gets a snapshot as soon as the channel is open again."""
        self.closed()
        self.generation += 1
        self.arrivals.clear()
        for subscription in self.members:
            subscription.begin_anew()

    def publish(self, first_seq: int, events: Sequence[Any]) -> bool:
        """Events have become durable. False if some before them are missing here: the channel must be opened again."""
        channel = self.channel
        if channel is None:
            self.arrivals += events
            return True
        if first_seq <= channel.seq + 1:
            channel.publish(events)
            return True
        self.closed()
        self.arrivals += events
        return False

    def murmur(self, word: Progress | LogLine, offset: int) -> None:
        """A node has said something that is not kept in the order of events."""
        if isinstance(word, LogLine):
            self._murmurs.line(word, offset)
            return
        self._murmurs.progress(word)
        if self.channel is not None and not word.path:
            self.channel.remember(word.node_id, percent(word), word.detail)

    # --- one member ---

    def cursor(self, subscription: Subscription) -> int:
        """The seq it has been sent everything up to; -1 if nothing."""
        if not subscription.level or self.channel is None:
            return subscription.sent
        return self._fresh.get(subscription, self.channel.told)

    def finished(self, subscription: Subscription) -> bool:
        """The execution has ended, and it has been sent all of it."""
        channel = self.channel
        return channel is not None and channel.ended and self.cursor(subscription) >= channel.seq

    def join(self, subscription: Subscription) -> None:
        self.members[subscription] = None
        self.advance(subscription)

    def leave(self, subscription: Subscription) -> None:
        del self.members[subscription]
        self._level[subscription.viewer.framed].pop(subscription, None)
        self._fresh.pop(subscription, None)

    def advance(self, subscription: Subscription) -> None:
        """Send what the wire takes, until the subscription is level, or waits for its wire or for the journal."""
        channel = self.channel
        if channel is None or subscription.level or subscription.reading:
            return
        if subscription.cursor < 0:
            self._begin(subscription, channel)
        while subscription.write():
            if subscription.lagging:
                subscription.lagging = False
                self._lag(subscription, channel)
                continue
            if subscription.cursor >= channel.seq:
                return self._settle(subscription, channel)
            if subscription.cursor < channel.tail.floor:
                subscription.reading = True
                return self._read(subscription)
            self._enqueue(subscription, channel.seq, channel.tail.after(subscription.cursor))

    def replayed(self, subscription: Subscription, seq: int, messages: Sequence[Encoded]) -> None:
        """A page of the journal has been read for it."""
        subscription.reading = False
        channel = self.channel
        if channel is None:  # it is being opened again; the page is not lost, only read again
            subscription.replay = None
            return
        if seq <= subscription.cursor:  # there is no more to read, though more was said: the snapshot has it
            self._lag(subscription, channel)
        else:
            self._enqueue(subscription, seq, messages)
        self.advance(subscription)

    def _begin(self, subscription: Subscription, channel: Channel) -> None:
        after = subscription.start
        if after is None:
            self._snapshot(subscription, channel)
        elif after > channel.seq or channel.seq - after > self._settings.replay_events:
            subscription.cursor = after
            self._lag(subscription, channel)
        else:
            if after == 0:
                subscription.queue.extend(channel.beginning())
            subscription.cursor = after

    def _snapshot(self, subscription: Subscription, channel: Channel) -> None:
        subscription.queue.extend(channel.snapshot())
        subscription.cursor = channel.seq

    def _lag(self, subscription: Subscription, channel: Channel) -> None:
        subscription.lagged(channel.seq)
        self._snapshot(subscription, channel)

    def _enqueue(self, subscription: Subscription, seq: int, messages: Sequence[Encoded]) -> None:
        if subscription.viewer.framed:
            parcel = frames(self.execution_id, subscription.cursor, seq, messages)
        else:
            parcel = _singles(self.channel, messages) if self.channel and seq == self.channel.seq else singles(messages)
        subscription.queue.append(parcel)
        subscription.cursor = seq

    def _settle(self, subscription: Subscription, channel: Channel) -> None:
        subscription.level = True
        subscription.replay = None
        if subscription.owes_caught_up:
            subscription.owes_caught_up = False
            subscription.viewer.wire.send(note(CaughtUp(execution_id=self.execution_id, seq=subscription.cursor)))
        if subscription.cursor == channel.told:
            self._level[subscription.viewer.framed][subscription] = None
        else:
            self._fresh[subscription] = subscription.cursor

    # --- all of them ---

    def flush(self) -> int:
        """Send what has gathered to all who are level; how many were too far behind for it."""
        channel = self.channel
        if channel is None:
            return 0
        late = self._flush_durable(channel) if channel.told < channel.seq else []
        if self._murmurs:
            self._flush_murmurs(channel)
        return len(late)

    def _flush_durable(self, channel: Channel) -> list[Subscription]:
        pending, channel.pending = channel.pending, []
        prev, channel.told = channel.told, channel.seq
        late: list[Subscription] = []
        plain, framed = self._level
        if plain:
            late += self._send_all(plain, _singles(channel, pending))
        if framed:
            late += self._send_all(framed, frames(self.execution_id, prev, channel.seq, pending))
        for subscription in late:
            subscription.cursor = prev
            del self._level[subscription.viewer.framed][subscription]
        late += self._flush_fresh(channel, pending)
        for subscription in late:
            subscription.sent = subscription.cursor
            subscription.level = False
            subscription.lagging = True
        return late

    def _send_all(self, group: dict[Subscription, None], parcel: Parcel) -> list[Subscription]:
        room = self._settings.budget - parcel.size
        high_water = self._settings.high_water  # whoever reads may be sent more than the budget at once
        late = []
        for subscription in group:
            viewer = subscription.viewer
            wire = viewer.wire
            if wire.buffered() > high_water and viewer.overfull(room):
                late.append(subscription)
            else:
                wire.send(parcel)
        return late

    def _flush_fresh(self, channel: Channel, pending: Sequence[Encoded]) -> list[Subscription]:
        """Those that became level since the last flush have part of what is pending already."""
        fresh, self._fresh = self._fresh, {}
        late = []
        made: dict[tuple[int, bool], Parcel] = {}
        for subscription, cursor in fresh.items():
            viewer = subscription.viewer
            if cursor > channel.seq:  # the journal was read further than what has been published
                self._fresh[subscription] = cursor
                continue
            if viewer.wire.buffered() > viewer.high_water and viewer.overfull(self._settings.budget):
                subscription.cursor = cursor
                late.append(subscription)
                continue
            key = cursor, viewer.framed
            if key not in made:
                made[key] = self._rest(channel, cursor, pending, framed=viewer.framed)
            if made[key].texts:
                viewer.wire.send(made[key])
            self._level[viewer.framed][subscription] = None
        return late

    def _rest(self, channel: Channel, cursor: int, pending: Sequence[Encoded], *, framed: bool) -> Parcel:
        messages = [message for message in pending if message.seq > cursor]
        if cursor >= channel.seq:
            return _NOTHING
        # Even an empty frame is sent: the next one follows on its seq.
        return frames(self.execution_id, cursor, channel.seq, messages) if framed else _singles(channel, messages)

    def _flush_murmurs(self, channel: Channel) -> None:
        parcels = self._murmurs.take(channel)
        most = self._settings.high_water
        for parcel, group in zip(parcels, self._level, strict=True):
            if parcel.texts:
                for subscription in group:
                    wire = subscription.viewer.wire
                    if wire.buffered() <= most:  # the ephemeral lane is dropped first
                        wire.send(parcel)


def _singles(channel: Channel, messages: Sequence[Encoded]) -> Parcel:
    """For clients without frames, to where the channel is: if the last events show nothing, the run as it is says so."""
    level = bool(messages) and messages[-1].seq == channel.seq
    return singles(messages if level else [*messages, channel.translator.standing()])
