"""The ephemeral lane: what a running handler says. Shown at once; its log and streamed text are also kept, up to a cap."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from flowscope.orchestrator.ports import Clock, LogLine, Progress, Publisher

if TYPE_CHECKING:
    from flowscope.orchestrator.attempt import Attempt

LOG_LINES = 10_000
"""Lines kept of one execution."""

LOG_TEXT = 8_000
"""Characters kept of one line."""


class Voice:
    """Belongs to the event loop it was made on; handlers may speak from any thread."""

    def __init__(self, clock: Clock, publishers: list[Publisher], keep: Callable[[LogLine], None]) -> None:
        self._clock = clock
        self._publishers = publishers
        self._keep = keep
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def speak(self, attempt: Attempt, kind: str, fraction: float, text: str) -> None:
        """`kind` is `progress`, `queued`, `waits` or `begins` (which are not said, but recorded in the end), `stream`, or a log
        level."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.speak, attempt, kind, fraction, text)
            return
        if kind in ("waits", "begins"):
            attempt.live.admit(attempt, self._clock.now() if kind == "begins" else 0)
            return
        text = attempt.redact_stream(text) if kind == "stream" else attempt.redact(text)
        self._say(attempt, kind, fraction, text[:LOG_TEXT])

    def finish(self, attempt: Attempt) -> None:
        """The attempt has ended: what was held back of its stream was the beginning of nothing."""
        if attempt.held:
            text, attempt.held = attempt.held, ""
            self._say(attempt, "stream", 0, text)

    def _say(self, attempt: Attempt, kind: str, fraction: float, text: str) -> None:
        if kind == "stream" and not text:
            return
        if kind in ("progress", "queued"):
            word: Progress | LogLine | None = self._progress(attempt, kind, fraction, text)
        else:
            word = self._line(attempt, kind, text)
        if word is not None:
            for publisher in self._publishers:
                publisher.murmur(word)

    def _progress(self, attempt: Attempt, kind: str, fraction: float, text: str) -> Progress:
        execution_id, path, node_id, number = attempt.key
        return Progress(
            execution_id=execution_id,
            node_id=node_id,
            path=path,
            attempt=number,
            at=self._clock.now(),
            fraction=fraction,
            message=text if kind == "progress" else "",
            detail=text if kind == "queued" else "",
        )

    def _line(self, attempt: Attempt, kind: str, text: str) -> LogLine | None:
        attempt.live.logged += 1
        if attempt.live.logged > LOG_LINES:
            return None
        if attempt.live.logged == LOG_LINES:
            kind, text = "warning", f"This run has logged {LOG_LINES} lines; the rest is not kept"
        execution_id, path, node_id, number = attempt.key
        line = LogLine(
            execution_id=execution_id,
            node_id=node_id,
            path=path,
            attempt=number,
            at=self._clock.now(),
            kind="stream" if kind == "stream" else "log",
            level="info" if kind == "stream" else kind,
            text=text,
        )
        self._keep(line)
        return line
