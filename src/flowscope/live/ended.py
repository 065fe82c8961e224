"""Executions that have ended, and that somebody has looked at: as they were shown, for whoever looks again.

Nothing changes them any more, so what a long journal was folded to need not be folded again. Kept are those asked for last, up
to a number of bytes; an execution that has been pruned since, also if another was begun by its id, is not told of.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from flowscope.live.channel import Channel
from flowscope.orchestrator.ports import ExecutionRow

LEAST_EVENTS: Final = 2_000
"""Shorter ones are folded in no time."""

MOST_BYTES: Final = 32 * 1024 * 1024


class EndedChannels:
    """A channel belongs to one audience at a time: it is taken out, and put back. Safe from any thread."""

    def __init__(self) -> None:
        self._channels: OrderedDict[str, tuple[Channel, int]] = OrderedDict()
        self._lock = threading.Lock()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._channels)

    def put(self, channel: Channel) -> None:
        """Nobody watches it; one that goes on, or is a replay's, is not kept."""
        if channel.final or not channel.ended or channel.seq < LEAST_EVENTS:
            return
        size = channel.size
        with self._lock:
            self._drop(channel.execution_id)
            self._channels[channel.execution_id] = channel, size
            self.bytes += size
            while self.bytes > MOST_BYTES:
                self._drop(next(iter(self._channels)))

    def take(self, row: ExecutionRow) -> Channel | None:
        """That of the very execution which the row is of."""
        with self._lock:
            channel, _ = self._channels.get(row.execution_id, (None, 0))
            self._drop(row.execution_id)
        return channel if channel is not None and _is_of(channel, row) else None

    def drop(self, execution_id: str) -> None:
        """It is no longer in the store."""
        with self._lock:
            self._drop(execution_id)

    def _drop(self, execution_id: str) -> None:
        _, size = self._channels.pop(execution_id, (None, 0))
        self.bytes -= size


def _is_of(channel: Channel, row: ExecutionRow) -> bool:
    view = channel.translator.view
    return (row.last_seq, row.started_at, row.definition) == (view.seq, view.start_time, view.definition)
