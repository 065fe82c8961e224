"""The library's file: opened, checked, set up. One connection behind a lock: what is kept here is small and seldom changes.

`flowscope keys` may write it while a server has it open, so every change is a transaction that takes the write lock first.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import apsw

from flowscope.errors import StoreCorrupt, StoreError, StoreTooNew, StoreUnavailable

DATABASE_FILE = "library.db"

_APPLICATION_ID = 0x666C736C  # "flsl"
_BUSY_MILLISECONDS = 5_000
_STEPS = ("schema.sql", "schema_2.sql", "schema_3.sql", "schema_4.sql")
"""What makes each version out of the one before; a new version is a new file."""

SCHEMA_VERSION = len(_STEPS)


class LibraryDatabase:
    """`data_dir/library.db`; with `data_dir=None`, in memory only. `start` and `stop` are safe twice."""

    def __init__(self, data_dir: Path | None) -> None:
        self.path = Path(":memory:") if data_dir is None else Path(data_dir) / DATABASE_FILE
        self._directory = None if data_dir is None else Path(data_dir)
        self._connection: apsw.Connection | None = None
        self._lock = threading.Lock()

    @property
    def in_memory(self) -> bool:
        """Whether it is gone when it is closed."""
        return self._directory is None

    def start(self) -> None:
        """Open it; a `StoreError` says why it cannot."""
        if self._connection is not None:
            return
        with self._failures():
            if self._directory is not None:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = apsw.Connection(str(self.path))
            try:
                self._set_up(connection)
            except BaseException:
                connection.close()
                raise
        self._connection = connection

    def start_if_there(self) -> bool:
        """Open it unless that would make it; whether it is open."""
        if self._connection is None and self._directory is not None and self.path.exists():
            self.start()
        return self._connection is not None

    def stop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with self._lock:
                connection.close()

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """The connection, for one thread at a time."""
        with self._lock, self._failures():
            if self._connection is None:
                raise StoreUnavailable("The library is not open: it was stopped, or never started")
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """A transaction that nobody else's write can come into."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def changes(self) -> int:
        """A number that is another one when any process has changed the file; cheap."""
        with self.reading() as connection:
            return int(connection.pragma("data_version") or 0) + connection.total_changes()

    def _set_up(self, connection: apsw.Connection) -> None:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        version = self._check_identity(connection)
        if self._directory is not None and connection.pragma("journal_mode", "wal") != "wal":
            raise StoreUnavailable(f"{self.path} is on a file system without shared memory: name a local directory")
        connection.pragma("synchronous", "FULL")
        connection.pragma("trusted_schema", False)
        if version == SCHEMA_VERSION:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Read again: somebody may have been faster.
            for step in _STEPS[self._check_identity(connection) :]:
                connection.execute(files("flowscope.library").joinpath(step).read_text("utf-8"))
            connection.pragma("application_id", _APPLICATION_ID)
            connection.pragma("user_version", SCHEMA_VERSION)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _check_identity(self, connection: apsw.Connection) -> int:
        version = int(connection.pragma("user_version") or 0)
        application_id = int(connection.pragma("application_id") or 0)
        empty = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").get is None
        if application_id != _APPLICATION_ID and not (empty and application_id == version == 0):
            raise StoreCorrupt(f"{self.path} is a database of another program: name another directory with --data")
        if version > SCHEMA_VERSION:
            raise StoreTooNew(
                f"{self.path} was written by a newer flowscope (schema version {version}, this one knows "
                f"{SCHEMA_VERSION}): upgrade flowscope, or name another directory with --data"
            )
        return version

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (apsw.NotADBError, apsw.CorruptError) as error:
            raise StoreCorrupt(
                f"{self.path} is damaged, or no library: restore it from a backup, or move it away ({error})"
            ) from error
        except apsw.FullError as error:
            raise StoreUnavailable(f"{self.path} cannot grow, its disk is full: free some space ({error})") from error
        except (apsw.BusyError, apsw.LockedError) as error:
            raise StoreUnavailable(f"{self.path} is in use by another program, which does not let go") from error
        except apsw.Error as error:
            raise StoreError(f"{self.path} could not be read or written ({error})") from error
        except OSError as error:
            raise StoreUnavailable(
                f"{self.path} cannot be opened: check that this user may read and write it ({error.strerror})"
            ) from error
