"""What an operator may set of the live stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

KIB = 1024


class LiveSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`path` and `heartbeat_interval` (milliseconds) are `WS_PATH` and `WS_HEARTBEAT_INTERVAL`.

    `budget`: bytes one viewer may be behind before its backlog becomes a snapshot. `replay_events`: how many events a
    returning viewer is told one by one; beyond, it gets a snapshot. `allowed_origins` and `allowed_hosts` are for the
    default guard: pages on other origins (`https://example.org`), and names this server goes by beside the loopback's.
    """

    path: str = "/ws/executions"
    heartbeat_interval: float = 30_000
    budget: int = 1024 * KIB
    replay_events: int = 100_000
    viewers: int = 20_000
    allowed_origins: Sequence[str] = ()
    allowed_hosts: Sequence[str] = ()

    @property
    def high_water(self) -> int:
        """Bytes waiting in a wire beyond which what can wait does: pages of a snapshot, a past being caught up with. Less
        than the budget, so that whoever is over its budget is also heard of when there is room again."""
        return min(64 * KIB, self.budget // 2)
