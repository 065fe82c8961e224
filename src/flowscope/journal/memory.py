"""A store in memory: a real one, with the same checks, the same thread and the same order of acknowledgement as on disk.

What it holds outlives `stop` and a later `start` of the same object, so that a restart can be played with it.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowscope.errors import StoreCorrupt, StoreUnavailable
from flowscope.journal.admission import Standing, Standings, admitted_logs, digest, fault, judge, storable
from flowscope.journal.pruning import beyond
from flowscope.journal.references import references
from flowscope.journal.search import matches, order
from flowscope.journal.writer import Answer, Writer, refuse
from flowscope.orchestrator.ports import (
    Commit,
    CommitResult,
    ExecutionQuery,
    ExecutionRow,
    LogLine,
    Retention,
    Segment,
)


class _Contents:
    """The tables, as dicts, and what writes them. The lock makes a commit visible at once or not at all."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.standings = Standings()
        self.segments: dict[str, list[Segment]] = {}
        self.logs: dict[str, list[LogLine]] = {}
        self.references: dict[str, set[bytes]] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.definitions: dict[str, bytes] = {}
        self.latest: dict[str, str] = {}
        self.gone: dict[str, None] = {}
        self._events = self._rows = self._bytes = 0

    def write(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        with self.lock:
            return [self._keep(commit) for commit in commits]

    def _keep(self, commit: Commit) -> CommitResult:
        error = fault(commit)
        if error is not None:
            return CommitResult(error=error)
        for sha256, workflow_id, _, document in commit.definitions:
            self.definitions.setdefault(storable(sha256), document)
            self.latest[storable(workflow_id)] = storable(sha256)
        for sha256, payload in commit.blobs:
            self.blobs.setdefault(bytes.fromhex(sha256), payload)
        accepted, conflicts = judge(commit, self.standings)
        for standing, segment in accepted:
            self._append(standing, segment)
        for standing, line in admitted_logs(commit, self.standings, conflicts):
            self.logs.setdefault(standing.row.execution_id, []).append(line)
        return CommitResult(conflicts=conflicts)

    def _append(self, standing: Standing, segment: Segment) -> None:
        execution_id = segment.execution_id
        kept = Segment(
            execution_id=execution_id,
            first_seq=segment.first_seq,
            last_seq=segment.last_seq,
            epoch=segment.epoch,
            lines=segment.lines,
            version=segment.version,
        )
        self.segments.setdefault(execution_id, []).append(kept)
        self.references.setdefault(execution_id, set()).update(references(segment.lines))
        self._rows += 1
        self._events += segment.last_seq - segment.first_seq + 1
        self._bytes += len(segment.lines)

    def claim(self, execution_ids: Sequence[str]) -> list[ExecutionRow]:
        with self.lock:
            wanted = dict.fromkeys(execution_ids)
            standings = [self.standings[execution_id] for execution_id in wanted if execution_id in self.standings]
            for standing in standings:
                standing.epoch += 1
            return [standing.current() for standing in standings]

    def prunable(self, retention: Retention) -> list[str]:
        with self.lock:
            rows = [standing.row for standing in self.standings.values()]
            rows.sort(key=lambda row: (row.ended_at, row.execution_id))
            ended = [row for row in rows if row.ended_at]
            surplus = max(len(ended) - retention.keep_count, 0) if retention.keep_count else 0
            gone = {
                row.execution_id: row.ended_at
                for place, row in enumerate(ended)
                if row.ended_at < retention.ended_before or place < surplus
            }
            if retention.max_bytes:
                sizes = [(row.execution_id, row.ended_at, self._size(row.execution_id)) for row in rows]
                gone = beyond(sizes, gone, retention.max_bytes)
        return list(gone)[: max(retention.limit, 0)]

    def _size(self, execution_id: str) -> int:
        lines = sum(len(segment.lines) for segment in self.segments.get(execution_id, ()))
        text = sum(len(line.text) for line in self.logs.get(execution_id, ()))
        return lines + text + sum(len(self.blobs.get(key, b"")) for key in self.references.get(execution_id, ()))

    def remove(self, execution_ids: Sequence[str]) -> None:
        with self.lock:
            for execution_id in execution_ids:
                del self.standings[execution_id]
                self.gone[execution_id] = None
                self.segments.pop(execution_id, None)
                self.logs.pop(execution_id, None)
                self.references.pop(execution_id, None)
            self._sweep()

    def _sweep(self) -> None:
        referred = set().union(*self.references.values())
        self.blobs = {key: value for key, value in self.blobs.items() if key in referred}
        kept = {standing.row.definition for standing in self.standings.values()} | set(self.latest.values())
        self.definitions = {
            key: value for key, value in self.definitions.items() if key in kept or digest(key) in referred
        }

    def tidy(self, *, resting: bool) -> None:
        """Memory needs no tidying."""

    def close(self) -> None:
        """Kept for the next `start`."""

    def statistics(self) -> dict[str, Any]:
        return {"events": self._events, "segments": self._rows, "bytes": self._bytes}


class MemoryStore:
    """The `Store` port in memory. `done` is called from its own thread, as it is everywhere."""

    def __init__(self) -> None:
        self._contents = _Contents()
        self._writer: Writer | None = None
        self._ending: Writer | None = None  # the last one: stopped by its own `done` it has not been waited for

    def start(self) -> None:
        """Open for writing and reading; nothing happens if it is open already."""
        if self._writer is None:
            self._writer = Writer(self._contents, name="flowscope-journal")
            self._writer.start()

    def stop(self) -> None:
        """Commit what was submitted, then close. Safe twice, and unstarted."""
        writer, self._writer = self._writer, None
        self._ending = writer or self._ending
        if self._ending is not None:
            self._ending.stop()

    def submit(self, commit: Commit) -> None:
        """Hand over; `commit.done` is called once, from the writer's thread (at once if the store is not open)."""
        writer = self._writer
        if writer is None:
            refuse(commit)
        else:
            writer.submit(commit)

    def claim(self, execution_ids: Sequence[str]) -> Sequence[ExecutionRow]:
        """Raise the epochs, after all that was submitted before; the rows of those executions that exist."""
        return self._call(lambda: self._contents.claim(execution_ids))

    def read(self, execution_id: str, after: int = 0, limit: int = 10_000) -> Sequence[Segment]:
        """Segments holding events after `after`, in order; at least one if there are any."""
        self._open()
        with self._contents.lock:
            segments = self._contents.segments.get(execution_id, [])
            start = bisect.bisect_right(segments, after, key=lambda segment: segment.last_seq)
            found: list[Segment] = []
            events = 0
            for segment in segments[start:]:
                events += segment.last_seq - max(segment.first_seq - 1, after)
                if found and events > limit:
                    break
                found.append(segment)
            return found

    def row(self, execution_id: str) -> ExecutionRow | None:
        """The execution's line, or None."""
        self._open()
        with self._contents.lock:
            standing = self._contents.standings.get(execution_id)
            return standing.current() if standing else None

    def search(self, query: ExecutionQuery) -> Sequence[ExecutionRow]:
        """Newest first, `limit` at most."""
        self._open()
        with self._contents.lock:
            rows = [standing.current() for standing in self._contents.standings.values()]
        found = sorted((row for row in rows if matches(row, query)), key=order, reverse=True)
        return found[: max(query.limit, 0)]

    def latest(self, workflow_ids: Sequence[str]) -> Mapping[str, ExecutionRow]:
        """By workflow, the execution that started last."""
        self._open()
        with self._contents.lock:
            rows = [standing.current() for standing in self._contents.standings.values()]
        wanted = set(workflow_ids)
        return {row.workflow_id: row for row in sorted(rows, key=order) if row.workflow_id in wanted}

    def prune(self, retention: Retention) -> Sequence[str]:
        """Delete what may go, oldest first, and then what nothing refers to."""
        found = self._call(lambda: self._contents.prunable(retention))
        if not retention.dry_run:
            self._call(lambda: self._contents.remove(found))
        return found

    def pruned(self, execution_id: str) -> bool:
        """Whether it was there once, and has been pruned."""
        self._open()
        return execution_id in self._contents.gone

    def blob(self, sha256: str) -> bytes:
        """The payload; `StoreCorrupt` if it is not there."""
        self._open()
        found = self._contents.blobs.get(digest(sha256) or b"")
        if found is None:
            raise StoreCorrupt(f"The payload {sha256} is not in the store", detail=sha256)
        return found

    def definition(self, sha256: str) -> bytes:
        """The document; `StoreCorrupt` if it is not there."""
        self._open()
        found = self._contents.definitions.get(sha256)
        if found is None:
            raise StoreCorrupt(f"The definition {sha256} is not in the store", detail=sha256)
        return found

    def latest_definition(self, workflow_id: str) -> tuple[str, bytes] | None:
        """(sha256, document) of the one stored last, or stored again last; None if there is none."""
        self._open()
        with self._contents.lock:
            sha256 = self._contents.latest.get(workflow_id)
            return None if sha256 is None else (sha256, self._contents.definitions[sha256])

    def logs(self, execution_id: str, after: int = 0, limit: int = 1_000) -> Sequence[LogLine]:
        """Log lines with an offset greater than `after`, in order."""
        self._open()
        with self._contents.lock:
            lines = self._contents.logs.get(execution_id, [])
            return lines[max(after, 0) : max(after, 0) + max(limit, 0)]

    def statistics(self) -> dict[str, Any]:
        """Counts and durations since `start`; empty when it is not open."""
        writer = self._writer
        return {} if writer is None else writer.statistics()

    def _call(self, work: Callable[[], Answer]) -> Answer:
        return self._open().call(work)

    def _open(self) -> Writer:
        writer = self._writer
        if writer is None:
            raise StoreUnavailable("The store is not open: it was stopped, or never started")
        return writer
