"""A batch of commits as one transaction: begin, append, commit; or roll back and say so.

Each step of a statement gives up the interpreter's lock, and under a busy event loop getting it back takes milliseconds.
So a batch is worked out in memory first and then written in a handful of statements of many rows: in the common case
BEGIN, the new executions, the segments, the executions that changed, COMMIT, however many executions take part.

The standings of the executions being written are kept in memory: while the lock on the directory is held nobody else
writes, so they are the truth, and no SELECT is needed. An id never seen is taken for new; should it be there already
the transaction fails on its uniqueness and is done again with a look first. After any failure the memory is dropped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from flowscope.failpoints import failpoint
from flowscope.journal.admission import Standing, Standings, begins, fault, is_unicode
from flowscope.journal.batch import (
    IDENTITY,
    PROGRESS,
    Batch,
    differ,
    execution_row,
    identity_columns,
    log_columns,
    new_columns,
    progress_columns,
)
from flowscope.journal.failures import FAILURES, blames_a_commit, failures_at, translated
from flowscope.journal.lock import DirectoryLock
from flowscope.journal.references import references
from flowscope.journal.statements import SQL, Row, in_rows
from flowscope.orchestrator.ports import Commit, CommitResult, ExecutionRow

KNOWN = 100_000
"""Standings kept between transactions; more are looked up again."""

_LONG_WAL_PAGES = 2_048
"""8 MiB: then a checkpoint is made although more waits, lest the WAL grow for ever. Long enough to be worth its two syncs,
short enough that the commits behind it wait tens of milliseconds and not hundreds."""

_WORTHWHILE_WAL_PAGES = 1_000
"""A shorter WAL is left alone at rest."""


class Transactions:
    """The writer's backend on one connection. Only the writer's thread uses it."""

    def __init__(self, connection: apsw.Connection, path: Path, lock: DirectoryLock) -> None:
        self._connection = connection
        self._path = path
        self._lock = lock
        self._latest: dict[str, str] = {}
        self._wal_pages = 0
        self._segments = self._events = self._bytes = self._checkpoints = 0
        connection.set_wal_hook(self._written)
        with failures_at(path):
            self._standings = Standings(connection.execute(SQL["next_number"]).get)

    # --- the writer's backend ---

    def write(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        """All of them in one transaction; each a result, in order. A commit that cannot be stored at all stands alone."""
        faults = [fault(commit) for commit in commits]
        sound = [commit for commit, error in zip(commits, faults, strict=True) if error is None]
        kept = iter(self._settle(sound))
        return [next(kept) if error is None else CommitResult(error=error) for error in faults]

    def tidy(self, *, resting: bool) -> None:
        """Move what the WAL holds into the database: at rest, or when it has grown long."""
        if self._wal_pages > (_WORTHWHILE_WAL_PAGES if resting else _LONG_WAL_PAGES):
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def close(self) -> None:
        """Empty the WAL, close, and give the directory up; what cannot be moved now is found in the WAL at the next start."""
        self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        try:
            with failures_at(self._path):
                self._connection.close(force=True)
        finally:
            self._lock.release()

    def statistics(self) -> dict[str, Any]:
        return {
            "segments": self._segments,
            "events": self._events,
            "bytes": self._bytes,
            "wal_pages": self._wal_pages,
            "checkpoints": self._checkpoints,
            "known_executions": len(self._standings),
        }

    # --- tasks between batches ---

    def claim(self, execution_ids: Sequence[str]) -> list[ExecutionRow]:
        """Raise the epochs durably; the rows of those executions that exist."""
        wanted = list(dict.fromkeys(execution_id for execution_id in execution_ids if is_unicode(execution_id)))
        with failures_at(self._path):
            self._look_up(wanted)
        standings = [self._standings[execution_id] for execution_id in wanted if execution_id in self._standings]
        with self.task():
            self._execute(SQL["raise_epoch"], json.dumps([standing.number for standing in standings]))
        for standing in standings:
            standing.epoch += 1
        return [standing.current() for standing in standings]

    def forget(self, execution_ids: Sequence[str]) -> None:
        """They have been pruned."""
        for execution_id in execution_ids:
            self._standings.pop(execution_id, None)

    @contextmanager
    def task(self) -> Iterator[apsw.Connection]:
        """A transaction of its own, whose failure is a `StoreError`."""
        with failures_at(self._path), self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[apsw.Connection]:
        """BEGIN IMMEDIATE … COMMIT. On any failure all is rolled back, what is known by heart too, and the failure goes on."""
        if self._connection.in_transaction:
            self._roll_back()  # an earlier roll-back failed: a disk that comes and goes
        try:
            self._execute(SQL["begin"])
            yield self._connection
            failpoint("before_commit")
            self._execute(SQL["commit"])
            failpoint("after_commit")
        except BaseException:
            self._roll_back()
            raise

    # --- steps ---

    def _settle(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        if not commits:
            return ()
        failure: BaseException
        try:
            return self._attempt(commits, look_first=False)
        except apsw.ConstraintError:
            try:
                return self._attempt(commits, look_first=True)
            except FAILURES as error:
                failure = error
        except FAILURES as error:
            failure = error
        if blames_a_commit(failure) and len(commits) > 1:
            return [result for commit in commits for result in self._settle([commit])]
        return [CommitResult(error=translated(failure, self._path)) for _ in commits]

    def _attempt(self, commits: Sequence[Commit], *, look_first: bool) -> Sequence[CommitResult]:
        failpoint("before_append")
        batch = Batch()
        with self._transaction():
            self._look_up(self._unknown(commits, look_first=look_first))
            results = [batch.take(commit, self._standings) for commit in commits]
            self._write_contents(batch)
            self._write_executions(batch)
            self._write_segments(batch)
            failpoint("after_append")
            self._write_logs(batch)
        self._remember(batch)
        return results

    def _unknown(self, commits: Sequence[Commit], *, look_first: bool) -> list[str]:
        """Ids whose standing has to be looked up: not known by heart, and not new by what they say."""
        wanted: dict[str, None] = {}
        new: set[str] = set()
        for commit in commits:
            for segment in commit.segments:
                if segment.execution_id not in self._standings:
                    if begins(segment) and not look_first:
                        new.add(segment.execution_id)
                    elif segment.execution_id not in new:
                        wanted[segment.execution_id] = None
            for line in commit.logs:
                if line.execution_id not in self._standings and line.execution_id not in new:
                    wanted[line.execution_id] = None
        return list(wanted)

    def _look_up(self, execution_ids: Sequence[str]) -> None:
        unknown = [(execution_id,) for execution_id in execution_ids if execution_id not in self._standings]
        for sql, bindings in in_rows("standings", unknown):
            for number, *columns, epoch, last_seq, log_offset in self._connection.execute(sql, bindings):
                row = execution_row((*columns, last_seq, epoch))
                self._standings[row.execution_id] = Standing(number, row, fresh=False, log_offset=log_offset)

    def _write_contents(self, batch: Batch) -> None:
        for sha256, payload in batch.blobs.items():
            self._execute(SQL["insert_blob"], bytes.fromhex(sha256), payload)
        for sha256, (workflow_id, name, document) in batch.definitions.items():
            if self._latest.get(workflow_id) != sha256:
                now = time.time() * 1_000
                self._execute(SQL["insert_definition"], sha256, workflow_id, name, now, document)
        for workflow_id, sha256 in batch.latest.items():
            if self._latest.get(workflow_id) != sha256:
                self._execute(SQL["set_latest"], workflow_id, sha256)

    def _write_executions(self, batch: Batch) -> None:
        touched = batch.touched()
        self._insert("insert_executions", [new_columns(one) for one in touched if one.stored is None])
        changed = [one for one in touched if one.stored is not None and differ(one, PROGRESS + IDENTITY)]
        self._insert("advance_executions", [progress_columns(one) for one in changed])
        for one in changed:
            if differ(one, IDENTITY):
                self._execute(SQL["rewrite_execution"], *identity_columns(one))

    def _write_segments(self, batch: Batch) -> None:
        rows = [joined.columns() for joined in batch.joined]
        self._insert("insert_segments", rows)
        refs = [(key >> 32, digest) for key, *_, lines in rows for digest in sorted(references(lines))]
        self._insert("insert_refs", refs)

    def _write_logs(self, batch: Batch) -> None:
        self._insert("insert_logs", [log_columns(standing, line) for standing, line in batch.logs])

    def _remember(self, batch: Batch) -> None:
        """After the commit: what was written is what is stored; ended executions, and too many, are known by heart no more."""
        if len(self._latest) > KNOWN:
            self._latest.clear()
        self._latest.update(batch.latest)
        for joined in batch.joined:
            self._segments += 1
            self._events += joined.last_seq - joined.first_seq + 1
            self._bytes += joined.size
        for standing in batch.touched():
            standing.stored = standing.row
            if standing.ended:
                self._standings.pop(standing.row.execution_id, None)
        surplus = len(self._standings) - KNOWN
        for execution_id in list(islice(self._standings, max(surplus, 0))):
            del self._standings[execution_id]

    # --- the connection ---

    def _execute(self, sql: str, *bindings: object) -> None:
        self._connection.execute(sql, bindings)

    def _insert(self, name: str, rows: Sequence[Row]) -> None:
        for sql, bindings in in_rows(name, rows):
            self._connection.execute(sql, bindings)

    def _roll_back(self) -> None:
        self._standings = Standings(self._standings.next_number)
        self._latest.clear()
        # The disk that failed may fail here too; then the next transaction tries again.
        with suppress(apsw.Error):
            if self._connection.in_transaction:
                self._execute(SQL["rollback"])

    def _written(self, connection: apsw.Connection, name: str, pages: int) -> int:
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self, mode: int) -> None:
        """A failure costs nothing but room: the WAL is as durable as the database."""
        with suppress(apsw.Error):
            self._connection.wal_checkpoint(mode=mode)
            self._checkpoints += 1
        self._wal_pages = 0
