"""The store on SQLite: one file, one process that writes it, one thread in it that does.

Readers of the same process use connections of their own, and other processes `read_only=True`: neither holds the writer up.
Why it is as it is: docs/decisions/0002-journal.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from flowscope.errors import StoreCorrupt, StoreUnavailable
from flowscope.journal.admission import MAX_SEQ, digest
from flowscope.journal.batch import execution_row
from flowscope.journal.database import DATABASE_FILE, open_reader, open_writer, prepare_directory
from flowscope.journal.lock import DirectoryLock
from flowscope.journal.pruning import prunable, prune
from flowscope.journal.readers import Readers
from flowscope.journal.search import latest_statement, search_statement
from flowscope.journal.statements import SQL
from flowscope.journal.transaction import Transactions
from flowscope.journal.writer import Writer, refuse
from flowscope.orchestrator.ports import (
    Commit,
    ExecutionQuery,
    ExecutionRow,
    LogLine,
    Retention,
    Segment,
)

_CLOSED = "The store is not open: it was stopped, or never started"


class SqliteStore:
    """The `Store` port on `data_dir/flowscope.db`.

    `read_only` opens beside a writer or without one, takes no lock and refuses to write. `page_limit` caps the file, in
    pages of 4 KiB; beyond it writing fails as on a full disk.
    """

    def __init__(self, data_dir: Path, *, read_only: bool = False, page_limit: int | None = None) -> None:
        self._data_dir = Path(data_dir)
        self._read_only = read_only
        self._page_limit = page_limit
        self._readers: Readers | None = None
        self._transactions: Transactions | None = None
        self._writer: Writer | None = None
        self._ending: Writer | None = None  # the last one: stopped by its own `done` it has not been waited for

    # --- life ---

    def start(self) -> None:
        """Take the lock and open; a `StoreError` says why it cannot. Nothing happens if it is open already."""
        if self._readers is not None:
            return
        if not self._read_only:
            prepare_directory(self._data_dir)
            lock = DirectoryLock(self._data_dir)
            try:
                self._open_writer(lock)
            except BaseException:
                lock.release()
                raise
        else:
            open_reader(self._data_dir).close()  # what is wrong is said now
        self._readers = Readers(self._data_dir)

    def _open_writer(self, lock: DirectoryLock) -> None:
        connection = open_writer(self._data_dir, page_limit=self._page_limit)
        try:
            self._transactions = Transactions(connection, self._data_dir / DATABASE_FILE, lock)
        except BaseException:
            connection.close(force=True)
            raise
        self._writer = Writer(self._transactions, name="flowscope-journal")
        self._writer.start()

    def stop(self) -> None:
        """Commit what was submitted, empty the WAL, close, give the lock up. Safe twice, and unstarted."""
        readers, self._readers = self._readers, None
        writer, self._writer = self._writer, None
        self._transactions = None
        if readers is not None:
            readers.close()
        self._ending = writer or self._ending
        if self._ending is not None:
            self._ending.stop()

    def statistics(self) -> dict[str, Any]:
        """Counts and durations since `start`; empty when it is not open for writing."""
        writer = self._writer
        return {} if writer is None else writer.statistics()

    # --- journal ---

    def submit(self, commit: Commit) -> None:
        """Hand over; `commit.done` is called once, from the writer's thread (at once if the store is not open)."""
        writer = self._writer
        if writer is None:
            refuse(commit, self._why_not())
        else:
            writer.submit(commit)

    def claim(self, execution_ids: Sequence[str]) -> Sequence[ExecutionRow]:
        """Raise the epochs, after all that was submitted before; the rows of those executions that exist."""
        writer, transactions = self._writing()
        return writer.call(lambda: transactions.claim(execution_ids))

    def read(self, execution_id: str, after: int = 0, limit: int = 10_000) -> Sequence[Segment]:
        """Segments holding events after `after`, in order; at least one if there are any."""
        readers = self._reading()
        after = min(max(after, 0), MAX_SEQ)
        base = self._base(readers, execution_id)
        if base is None:
            return []
        found: list[Segment] = []
        events = 0
        with closing(readers.iterate(SQL["read_segments"], base, after)) as rows:
            for first_seq, last_seq, epoch, version, lines in rows:
                events += last_seq - max(first_seq - 1, after)
                if found and events > limit:
                    break
                found.append(
                    Segment(
                        execution_id=execution_id,
                        first_seq=first_seq,
                        last_seq=last_seq,
                        epoch=epoch,
                        lines=lines,
                        version=version,
                    )
                )
        return found

    # --- the list of executions ---

    def row(self, execution_id: str) -> ExecutionRow | None:
        """The execution's line, or None."""
        rows = self._reading().rows(SQL["read_rows"] + " WHERE execution_id = ?", execution_id)
        return execution_row(rows[0]) if rows else None

    def search(self, query: ExecutionQuery) -> Sequence[ExecutionRow]:
        """Newest first, `limit` at most."""
        sql, bindings = search_statement(SQL["read_rows"], query)
        return [execution_row(row) for row in self._reading().rows(sql, *bindings)]

    def latest(self, workflow_ids: Sequence[str]) -> Mapping[str, ExecutionRow]:
        """By workflow, the execution that started last."""
        sql, bindings = latest_statement(SQL["read_rows"], workflow_ids)
        return {row[1]: execution_row(row) for row in self._reading().rows(sql, *bindings)}

    def prune(self, retention: Retention) -> Sequence[str]:
        """Delete what may go, oldest first, and then what nothing refers to."""
        if retention.dry_run:
            return [execution_id for execution_id, _ in prunable(self._reading(), retention)]
        writer, transactions = self._writing()
        return prune(self._reading(), writer, transactions, retention)

    def pruned(self, execution_id: str) -> bool:
        """Whether it was there once, and has been pruned."""
        return bool(self._reading().rows(SQL["read_pruned"], execution_id))

    # --- what is kept by content, and logs ---

    def blob(self, sha256: str) -> bytes:
        """The payload; `StoreCorrupt` if it is not there."""
        rows = self._reading().rows(SQL["read_blob"], digest(sha256))
        if not rows:
            raise StoreCorrupt(f"The payload {sha256} is not in the store", detail=sha256)
        return bytes(rows[0][0])

    def definition(self, sha256: str) -> bytes:
        """The document; `StoreCorrupt` if it is not there."""
        rows = self._reading().rows(SQL["read_definition"], sha256)
        if not rows:
            raise StoreCorrupt(f"The definition {sha256} is not in the store", detail=sha256)
        return bytes(rows[0][0])

    def latest_definition(self, workflow_id: str) -> tuple[str, bytes] | None:
        """(sha256, document) of the one stored last, or stored again last; None if there is none."""
        rows = self._reading().rows(SQL["read_latest_definition"], workflow_id)
        return (rows[0][0], rows[0][1]) if rows else None

    def logs(self, execution_id: str, after: int = 0, limit: int = 1_000) -> Sequence[LogLine]:
        """Log lines with an offset greater than `after`, in order."""
        readers = self._reading()
        base = self._base(readers, execution_id)
        if base is None:
            return []
        after = min(max(after, 0), MAX_SEQ)
        return [
            LogLine(
                execution_id=execution_id,
                node_id=node_id,
                path=path,
                attempt=attempt,
                at=at,
                kind=kind,
                level=level,
                text=text,
                offset=offset,
            )
            for offset, node_id, path, attempt, at, kind, level, text in readers.rows(
                SQL["read_logs"], base, after, max(limit, 0)
            )
        ]

    # --- what is open ---

    def _reading(self) -> Readers:
        if self._readers is None:
            raise StoreUnavailable(_CLOSED)
        return self._readers

    def _writing(self) -> tuple[Writer, Transactions]:
        if self._writer is None or self._transactions is None:
            raise StoreUnavailable(self._why_not())
        return self._writer, self._transactions

    def _why_not(self) -> str:
        if self._read_only:
            return f"{self._data_dir} was opened for reading only"
        return _CLOSED

    def _base(self, readers: Readers, execution_id: str) -> int | None:
        """The least key of an execution's segments and log lines, less one."""
        rows = readers.rows(SQL["number"], execution_id)
        return rows[0][0] << 32 if rows else None
