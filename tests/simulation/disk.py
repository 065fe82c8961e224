"""The in-memory store, with the disk's time and the disk's faults."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from flowscope.errors import StoreUnavailable
from flowscope.journal.memory import MemoryStore
from flowscope.journal.writer import Answer, Task, Writer
from flowscope.orchestrator.ports import Commit, CommitResult


class PlayedWriter(Writer):
    """A writer without a thread: what waits is written after a while, as one group, and acknowledged a while later.

    `refusals`: the part of the groups that the disk refuses.
    """

    def __init__(self, backend: Any, dice: Random, refusals: float) -> None:
        super().__init__(backend, name="played")
        self._dice = dice
        self._refusals = refusals
        self._commits_waiting: deque[Commit] = deque()
        self._planned = False
        self.dead = False

    def start(self) -> None: ...

    def submit(self, request: Commit | Task) -> None:
        assert isinstance(request, Commit)
        if self.dead:
            return
        self._commits_waiting.append(request)
        if not self._planned:
            self._planned = True
            asyncio.get_running_loop().call_later(self._dice.random() * 0.004, self._write_group)

    def call(self, work: Callable[[], Answer]) -> Answer:
        """In turn: what was submitted before is written first."""
        self._write_group()
        if self.dead:
            raise StoreUnavailable("The process is dead")
        return work()

    def die(self) -> None:
        """Perhaps what waits reaches the disk, but nobody hears of it."""
        if not self.dead and self._commits_waiting and self._dice.random() < 0.5:
            self._backend.write(self._taken())
        self.dead = True

    def stop(self) -> None:
        if not self.dead:
            self._write_group()
        self.dead = True

    def _taken(self) -> list[Commit]:
        taken = list(self._commits_waiting)
        self._commits_waiting.clear()
        return taken

    def _write_group(self) -> None:
        self._planned = False
        group = self._taken()
        if self.dead or not group:
            return
        results: list[CommitResult]
        if self._dice.random() < self._refusals:
            results = [CommitResult(error=StoreUnavailable("The disk is full")) for _ in group]
        else:
            results = list(self._backend.write(group))
        # Acknowledged in order, as by one thread; how long that takes may not be the same for two groups.
        asyncio.get_running_loop().call_soon(self._acknowledge, list(zip(group, results, strict=True)))

    def _acknowledge(self, answers: list[tuple[Commit, CommitResult]]) -> None:
        if not self.dead:
            for commit, result in answers:
                commit.done(result)


class PlayedStore(MemoryStore):
    """One process's hand on the disk. `after` is the store of the process before: what it kept is there."""

    def __init__(self, dice: Random, refusals: float, after: PlayedStore | None = None) -> None:
        super().__init__()
        self._dice = dice
        self._refusals = refusals
        if after is not None:
            self._contents = after._contents

    def start(self) -> None:
        self._writer = PlayedWriter(self._contents, self._dice, self._refusals)

    def die(self) -> None:
        writer = self._writer
        assert isinstance(writer, PlayedWriter)
        writer.die()

    def everything(self) -> Any:
        """The tables themselves, for a judge."""
        return self._contents
