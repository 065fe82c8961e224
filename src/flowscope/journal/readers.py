"""A few read-only connections, for any thread. In WAL they see the last commit and hold up no writer."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from flowscope.errors import StoreUnavailable
from flowscope.journal.admission import is_unicode
from flowscope.journal.database import DATABASE_FILE, open_reader
from flowscope.journal.failures import failures_at
from flowscope.journal.statements import Row

CONNECTIONS = 4
"""Open at once at most; who comes then waits for one to come back."""


class Readers:
    """Connections are opened when first needed. One is out at a time for each reading thread."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._path = data_dir / DATABASE_FILE
        self._slots = threading.BoundedSemaphore(CONNECTIONS)
        self._lock = threading.Lock()
        self._idle: list[apsw.Connection] = []
        self._closed = False

    def rows(self, sql: str, *bindings: object) -> list[Row]:
        """All the rows of one statement."""
        return list(self.iterate(sql, *bindings))

    def iterate(self, sql: str, *bindings: object) -> Generator[Row, None, None]:
        """Rows one by one, for a reader that may stop early: then it must close the iterator, which lets the snapshot go."""
        if any(isinstance(value, str) and not is_unicode(value) for value in bindings):
            return  # cannot have been stored
        with failures_at(self._path), self._borrowed() as connection:
            cursor = connection.cursor()
            try:
                yield from cursor.execute(sql, bindings)
            finally:
                cursor.close(force=True)

    def close(self) -> None:
        """Close those that are not out; one that is out is closed on coming back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close(force=True)

    @contextmanager
    def _borrowed(self) -> Iterator[apsw.Connection]:
        with self._slots:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    def _take(self) -> apsw.Connection:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("The store is not open: it was stopped, or never started")
            if self._idle:
                return self._idle.pop()
        return open_reader(self._data_dir)

    def _give_back(self, connection: apsw.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close(force=True)
