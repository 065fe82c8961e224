"""The display where there is no terminal: a line for each start and end of a node, with the time since the run began.

Many nodes, or many iterations, are told in sums, a line every few seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TextIO

from flowscope.cli.formats import LOOKS, counted, duration, shortened
from flowscope.execution.events import (
    AnyEvent,
    ErrorInfo,
    ExecutionFailing,
    ExecutionPaused,
    ExecutionRecovered,
    ExecutionResumed,
    ExecutionStarted,
    NodeAdopted,
    NodeCancelled,
    NodeFailed,
    NodeLost,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
)
from flowscope.execution.view import ExecutionView, Iterations, NodeView
from flowscope.orchestrator.ports import LogLine

MANY = 200
"""Nodes, beyond which only errors are told one by one."""

EVERY = 2_000.0
"""Milliseconds between two sums."""

WIDTH = 300


class PlainLines:
    """Writes to `out` and flushes each line. `limits` are attempts by node id, `now` the wall time in milliseconds."""

    def __init__(self, view: ExecutionView, limits: Mapping[str, int], out: TextIO, now: Callable[[], float]) -> None:
        self._view = view
        self._limits = limits
        self._out = out
        self._now = now
        self._many = view.total_nodes > MANY
        self._summed_at = 0.0
        self._sums: dict[str, str] = {}
        self._closed = False

    def event(self, event: AnyEvent) -> None:
        view = self._view
        if isinstance(event, ExecutionStarted | ExecutionRecovered):
            self._head(again=isinstance(event, ExecutionRecovered))
        elif isinstance(event, ExecutionPaused | ExecutionResumed):
            paused = isinstance(event, ExecutionPaused)
            self._line(event.at, "waiting" if paused else "running", "paused" if paused else "resumed")
        elif isinstance(event, ExecutionFailing):
            return
        elif view.ended:
            self._end()
        elif not getattr(event, "path", "") and (not self._many or isinstance(event, NodeFailed)):
            self._node(event)

    def log(self, line: LogLine) -> None:
        if line.kind != "log":
            return
        node = self._view.nodes.get(line.node_id)
        name = node.node_name if node else line.node_id
        level = "" if line.level == "info" else f"{line.level}: "
        self._write(f"{self._offset(line.at)}  · {name}: {level}{shortened(line.text, WIDTH)}")

    def tick(self) -> None:
        now = self._now()
        if now - max(self._summed_at, self._view.start_time) < EVERY or self._view.ended:
            return
        self._summed_at = now
        if self._many:
            done = f"{self._view.completed_nodes:,}/{self._view.total_nodes:,} nodes"
            self._sum("", f"{self._offset(now)}  … {done}", done)
        for node in self._view.nodes.values() if not self._many else ():
            if node.iterations and node.parent is None and not node.complete:
                text = iterations_text(node.iterations)
                self._sum(node.node_id, f"{self._offset(now)}  … {node.node_name}  {text}", text)

    def close(self) -> None:
        if not self._closed and not self._view.ended and self._view.seq:
            self._write(f"{self._offset(self._now())}  … stopped")
        self._closed = True

    def _sum(self, key: str, line: str, text: str) -> None:
        if self._sums.get(key) != text:
            self._sums[key] = text
            self._write(line)

    def _head(self, *, again: bool) -> None:
        view = self._view
        verb = "Resuming" if again else "Running"
        name = view.workflow_name or view.workflow_id
        self._write(f"{verb} {name} · {counted(view.total_nodes, 'node')} · {view.execution_id}")

    def _node(self, event: AnyEvent) -> None:
        node = self._view.nodes[event.node_id]  # type: ignore[union-attr]  # what has a path has a node
        words = self._words(node, event)
        if words is not None:
            self._line(event.at, "waiting" if node.status == "pending" else node.status, f"{node.node_name}  {words}")

    def _words(self, node: NodeView, event: AnyEvent) -> str | None:
        if isinstance(event, NodeStarted):
            return "" if event.attempt == 1 else f"attempt {self._attempt(node, event.attempt)}"
        if isinstance(event, NodeSucceeded):
            times = f"  {iterations_text(node.iterations)}" if node.iterations else ""
            return f"{duration(node.duration or 0)}{times}"
        if isinstance(event, NodeAdopted):
            return "kept"
        if isinstance(event, NodeFailed):
            why = error_text(event.error)
            if not event.retry_at:
                return f"{duration(node.duration or 0)}  {why}{'  (handled)' if event.handled else ''}"
            wait = duration(max(0.0, event.retry_at - event.at))
            return f"attempt {self._attempt(node, event.attempt)} failed: {why}; trying again in {wait}"
        if isinstance(event, NodeSuspended):
            return waiting_text(node, event.at)
        if isinstance(event, NodeSkipped):
            return f"skipped{f' ({event.reason})' if event.reason else ''}"
        if isinstance(event, NodeCancelled):
            return "cancelled"
        if isinstance(event, NodeLost):
            return "was lost; it runs again" if event.outcome == "rerun" else waiting_text(node, event.at)
        return None

    def _attempt(self, node: NodeView, attempt: int) -> str:
        limit = self._limits.get(node.node_id, 1)
        return f"{attempt}/{limit}" if limit >= attempt > 0 and limit > 1 else str(attempt)

    def _end(self) -> None:
        view = self._view
        counts = " · ".join(f"{number:,} {status}" for status, number in view.counts.items() if number)
        took = duration(view.duration or 0)
        self._write(f"{LOOKS[view.status].icon} {view.status} in {took} · {counts}")

    def _line(self, at: float, status: str, text: str) -> None:
        self._write(f"{self._offset(at)}  {LOOKS[status].icon} {text}".rstrip())

    def _offset(self, at: float) -> str:
        return f"{max(0.0, at - self._view.start_time) / 1000:8.2f}s"

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()


def iterations_text(iterations: Iterations) -> str:
    """`412/1,000 · 3 failed`."""
    failed = f" · {iterations.failed:,} failed" if iterations.failed else ""
    return f"{iterations.done + iterations.failed:,}/{iterations.total:,}{failed}"


def error_text(error: ErrorInfo) -> str:
    """An error in one line; its type only where it says more than that a node failed."""
    name = "" if error.type in ("NodeError", "RuntimeError", "Exception") else f"{error.type}: "
    return shortened(f"{name}{error.message}", WIDTH)


def waiting_text(node: NodeView, now: float) -> str:
    """What a node waits for, with the time that is left where there is one."""
    waiting = node.waiting
    if waiting is None:
        return ""
    left = duration(max(0.0, waiting.until - now)) if waiting.until else ""
    if waiting.kind == "retry":
        return f"attempt {waiting.attempt} in {left}"
    if waiting.signal or waiting.child:
        return f"{waiting}{f', {left} left' if left else ''}"
    return f"waiting {left}"
