"""What is known of one run while it goes on: a publisher that folds its events and tells a display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from flowscope.execution.events import AnyEvent
from flowscope.execution.view import ExecutionView
from flowscope.orchestrator.ports import LogLine, Progress, Segment


class Display(Protocol):
    """Shows a run. `event` comes after the view has taken it in; `tick` some times a second."""

    def event(self, event: AnyEvent) -> None: ...

    def log(self, line: LogLine) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None:
        """The last picture; nothing is shown after it. Safe twice."""
        ...


class Silence:
    """Shows nothing."""

    def event(self, event: AnyEvent) -> None: ...

    def log(self, line: LogLine) -> None: ...

    def tick(self) -> None: ...

    def close(self) -> None: ...


class Watcher:
    """Follows one execution. A display that can no longer write, its reader gone, is silenced; the run goes on."""

    def __init__(self, view: ExecutionView) -> None:
        self.view = view
        self.display: Display = Silence()
        self.progress: dict[str, Progress] = {}

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        if segment.execution_id != self.view.execution_id:
            return
        for event in events:
            self.take(event)

    def take(self, event: AnyEvent) -> None:
        """One event; one that is known already changes nothing."""
        if event.seq > self.view.seq:
            self.view.apply(event)
            self._show(event)

    def murmur(self, word: Progress | LogLine) -> None:
        if word.execution_id != self.view.execution_id:
            return
        if isinstance(word, LogLine):
            try:
                self.display.log(word)
            except OSError:
                self.display = Silence()
        elif not word.path:
            self.progress[word.node_id] = word

    def tick(self) -> None:
        """Time has passed."""
        try:
            self.display.tick()
        except OSError:
            self.display = Silence()

    def close(self) -> None:
        try:
            self.display.close()
        except OSError:
            self.display = Silence()

    def _show(self, event: AnyEvent) -> None:
        try:
            self.display.event(event)
        except OSError:
            self.display = Silence()
