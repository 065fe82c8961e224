"""A publisher that remembers, and lets a test wait for a fact."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flowscope.orchestrator.ports import LogLine, Progress, Segment

Fact = TypeVar("Fact")
PATIENCE = 60.0
"""Seconds after which a fact will not come any more."""


class Watcher:
    """Hears both lanes. `shown` holds (execution id, event) in order, `words` the ephemeral lane."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, Any]] = []
        self.words: list[Progress | LogLine] = []
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        self.shown += [(segment.execution_id, event) for event in events]
        self._look()

    def murmur(self, word: Progress | LogLine) -> None:
        self.words.append(word)
        self._look()

    async def event(self, kind: type[Fact], execution_id: str = "", **facts: object) -> Fact:
        """The first event of that kind with those facts, shown already or to come."""

        def found() -> Fact | None:
            for owner, event in self.shown:
                if isinstance(event, kind) and execution_id in ("", owner) and _has(event, facts):
                    return event
            return None

        return await self._until(found)

    async def word(self, kind: type[Fact], **facts: object) -> Fact:
        """The first progress or log line with those facts."""

        def found() -> Fact | None:
            return next((word for word in self.words if isinstance(word, kind) and _has(word, facts)), None)

        return await self._until(found)

    def of(self, kind: type[Fact], execution_id: str = "") -> list[Fact]:
        """All events of that kind that were shown."""
        return [event for owner, event in self.shown if isinstance(event, kind) and execution_id in ("", owner)]

    async def _until(self, found: Callable[[], Fact | None]) -> Fact:
        fact = found()
        if fact is not None:
            return fact
        future: asyncio.Future[Fact] = asyncio.get_running_loop().create_future()
        self._waiting.append((found, future))
        async with asyncio.timeout(PATIENCE):
            return await future

    def _look(self) -> None:
        for found, future in self._waiting:
            fact = None if future.done() else found()
            if fact is not None:
                future.set_result(fact)
        self._waiting = [(found, future) for found, future in self._waiting if not future.done()]


def _has(fact: object, wanted: dict[str, object]) -> bool:
    return all(getattr(fact, name) == value for name, value in wanted.items())
