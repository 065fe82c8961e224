"""What is kept no longer: runs that ended too long ago, or are too many, or too large, go by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from flowscope.errors import StoreError
from flowscope.log import get_logger
from flowscope.orchestrator.ports import Clock, Retention, Store

log = get_logger("flowscope.retention")

DAY: Final = 86_400_000.0
INTERVAL: Final = 600.0
"""Seconds between two rounds."""

BATCH: Final = 500


class Keep(msgspec.Struct, frozen=True):
    """How much is kept: for so many `days`, so many runs (`count`), so many `bytes`; 0 is no limit."""

    days: float = 0
    count: int = 0
    bytes: int = 0

    @property
    def everything(self) -> bool:
        return not (self.days or self.count or self.bytes)

    def retention(self, now: float, *, limit: int = BATCH, dry_run: bool = False) -> Retention:
        """What may go at that instant."""
        before = now - self.days * DAY if self.days else 0
        return Retention(ended_before=before, keep_count=self.count, max_bytes=self.bytes, limit=limit, dry_run=dry_run)


class Retainer:
    """Prunes a store from time to time, and tells `forget` which went. `start` and `stop` are safe twice."""

    def __init__(self, store: Store, clock: Clock, keep: Keep, forget: Callable[[Sequence[str]], None]) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._forget = forget
        self._working: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._working is None and not self._keep.everything:
            self._working = asyncio.create_task(self._work())

    async def stop(self) -> None:
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            await asyncio.wait({working})

    async def prune(self) -> list[str]:
        """One round: all that may go now; the ids that went."""
        gone: list[str] = []
        while True:
            some: Sequence[str] = await asyncio.to_thread(
                self._store.prune, self._keep.retention(self._clock.now(), limit=BATCH)
            )
            self._forget(some)
            gone += some
            if len(some) < BATCH:
                return gone

    async def _work(self) -> None:
        while True:
            try:
                gone = await self.prune()
                if gone:
                    log.info("executions_pruned", count=len(gone))
            except StoreError as error:  # a full disk, say: it may be better next time
                log.error("prune_failed", error=str(error))
            await asyncio.sleep(INTERVAL)
