"""A viewer: its wire, its session, and how far it is in each execution it watches."""

from __future__ import annotations

from typing import Protocol

from flowscope.live.history import Replay
from flowscope.live.parcel import Parcel
from flowscope.live.protocol import CloseCode, Lagged, encode
from flowscope.live.session import Session


class Wire(Protocol):
    """A connection, as the hub sees it. None of it blocks or raises.

    Its owner tells the hub what comes in (`received`), that there is room again after more than `LiveSettings.high_water`
    bytes were waiting (`drained`), and that it is gone (`left`).
    """

    def send(self, parcel: Parcel) -> None: ...

    def buffered(self) -> int:
        """Bytes the network has not taken yet."""
        ...

    def ping(self) -> bool:
        """Ask for a sign of life; False where the transport below sees to that."""
        ...

    def close(self, code: CloseCode, reason: str) -> None: ...


class Viewer:
    """One connection. `framed`: it speaks `flowscope.v1`.

    `excused` is what of the wire's buffer does not count against the budget: snapshots, and a past that was asked for.
    `unanswered`, `stuck` and `full_at_beat` are the heartbeat's: pings without an answer, beats without progress.
    """

    __slots__ = (
        "client_id", "excused", "framed", "full_at_beat", "high_water", "session", "stuck", "subscriptions", "unanswered", "wire",
    )  # fmt: skip

    def __init__(self, client_id: str, wire: Wire, *, framed: bool, high_water: int) -> None:
        self.client_id = client_id
        self.wire = wire
        self.framed = framed
        self.high_water = high_water
        self.session = Session()
        self.subscriptions: dict[str, Subscription] = {}
        self.excused = self.unanswered = self.stuck = self.full_at_beat = 0

    def overfull(self, budget: int) -> bool:
        """It is further behind than its budget allows."""
        buffered = self.wire.buffered()
        self.excused = min(self.excused, buffered)
        return buffered - self.excused > budget

    def send_excused(self, parcel: Parcel) -> None:
        self.excused += parcel.size
        self.wire.send(parcel)


class Subscription:
    """One viewer's place in one execution.

    It is level when it has been sent all up to the audience's `told`; then the audience writes to it directly and `cursor`
    is not kept up. Otherwise it has a `queue` to be sent as the wire drains, which leads to `cursor`; or it was too far behind
    (`lagging`), and goes on from a snapshot when its wire has room.
    """

    __slots__ = (
        "cursor", "execution_id", "lagging", "level", "owes_caught_up", "queue", "reading", "replay", "sent", "start", "viewer",
    )  # fmt: skip

    def __init__(self, viewer: Viewer, execution_id: str, after: int | None) -> None:
        self.viewer = viewer
        self.execution_id = execution_id
        self.start: int | None = after
        self.cursor = -1
        """-1: nothing has been decided yet."""
        self.sent = -1
        """The cursor of what has been handed to the wire; -1: nothing yet."""
        self.level = self.lagging = self.reading = False
        self.owes_caught_up = after is not None
        self.queue: list[Parcel] = []
        self.replay: Replay | None = None

    def begin_anew(self) -> None:
        """Drop what is on its way, and start from a snapshot."""
        self.start = None
        self.cursor = self.sent = -1
        self.level = self.lagging = self.reading = False
        self.queue.clear()
        self.replay = None

    def write(self) -> bool:
        """Send of the queue what the wire takes; True when it is empty."""
        viewer = self.viewer
        while self.queue:
            if viewer.wire.buffered() > viewer.high_water:
                return False
            viewer.send_excused(self.queue.pop(0))
        self.sent = self.cursor
        return True

    def lagged(self, to: int) -> None:
        """Say that the messages up to `to` are not sent."""
        message = Lagged(execution_id=self.execution_id, from_=self.cursor + 1, to=to)
        self.queue.append(Parcel((encode(message),)))
