"""Signs of life: each viewer is looked at once an interval, not all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flowscope.live.protocol import CloseCode
from flowscope.live.timer import Timer
from flowscope.live.viewer import Viewer

ROUNDS: Final = 8
"""An interval is parted in as many, and so are the viewers."""

PATIENCE: Final = 2
"""Heartbeats a viewer may leave unanswered, or leave its buffer as full as it was."""


class Heartbeat:
    """`give_up` is called for a viewer that is dead, or does not read."""

    def __init__(self, interval: float, timer: Timer, give_up: Callable[[Viewer, CloseCode], None]) -> None:
        self._interval = interval
        self._timer = timer
        self._give_up = give_up
        self._groups: tuple[dict[Viewer, None], ...] = tuple({} for _ in range(ROUNDS))
        self._joined = self._round = 0
        self._cancel: Callable[[], None] | None = None

    def start(self) -> None:
        if self._cancel is None:
            self._cancel = self._timer.later(self._interval / ROUNDS, self._turn)

    def stop(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    def add(self, viewer: Viewer) -> None:
        self._joined += 1
        self._groups[self._joined % ROUNDS][viewer] = None

    def remove(self, viewer: Viewer) -> None:
        for group in self._groups:
            group.pop(viewer, None)

    def _turn(self) -> None:
        self._round = (self._round + 1) % ROUNDS
        for viewer in list(self._groups[self._round]):
            self._look_at(viewer)
        self._cancel = self._timer.later(self._interval / ROUNDS, self._turn)

    def _look_at(self, viewer: Viewer) -> None:
        full, viewer.full_at_beat = viewer.full_at_beat, viewer.wire.buffered()
        if viewer.full_at_beat > viewer.high_water:
            viewer.stuck = viewer.stuck + 1 if full and viewer.full_at_beat >= full else 0
            if viewer.stuck >= PATIENCE:
                return self._give_up(viewer, CloseCode.TOO_SLOW)
        else:
            viewer.stuck = 0
        if viewer.full_at_beat < full:
            viewer.unanswered = 0  # it reads, so it lives
        if viewer.unanswered >= PATIENCE:
            return self._give_up(viewer, CloseCode.NO_HEARTBEAT)
        if viewer.wire.ping():
            viewer.unanswered += 1
