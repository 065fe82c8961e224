"""The database file: opened for the one writer or for readers, checked, set up, migrated.

`synchronous=FULL` because an acknowledgement means the disk has it. No memory map: a damaged or shortened file would then
end the process by SIGBUS instead of failing with a sentence. Checkpoints are the writer's, at its leisure, never SQLite's
own in the middle of a commit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import apsw

from flowscope.errors import StoreCorrupt, StoreTooNew, StoreUnavailable
from flowscope.journal.failures import failures_at
from flowscope.journal.statements import SCHEMA

DATABASE_FILE = "flowscope.db"

SCHEMA_VERSION = 2

OLDEST_SQLITE = (3, 51, 3)
"""Before it, a WAL that is reset while another connection checkpoints can lose committed pages (sqlite.org/wal.html)."""

_APPLICATION_ID = 0x666C7363  # "flsc": tells a store from another program's database

_BUSY_MILLISECONDS = 5_000
_WRITER_CACHE_KIB = 16_384
_READER_CACHE_KIB = 4_096
_KEPT_WAL_BYTES = 16 << 20
_PREPARED = 256


def _remember_what_was_pruned(connection: apsw.Connection) -> None:
    connection.execute("CREATE TABLE pruned (number INTEGER PRIMARY KEY, execution_id TEXT NOT NULL UNIQUE) STRICT")


def _find_what_is_on_top(connection: apsw.Connection) -> None:
    connection.execute(
        "CREATE INDEX executions_on_top ON executions (started_at, execution_id) WHERE caller_execution_id = ''"
    )


MIGRATIONS: dict[int, Callable[[apsw.Connection], None]] = {1: _remember_what_was_pruned, 2: _find_what_is_on_top}
"""From a schema version to the next one, inside one transaction with the new `user_version`."""


def check_sqlite(version: str) -> None:
    """Refuse an SQLite that can lose what it acknowledged."""
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST_SQLITE:
        wanted = ".".join(map(str, OLDEST_SQLITE))
        raise StoreUnavailable(
            f"SQLite {version} can lose committed data in WAL mode: install apsw {wanted} or newer (pip install -U apsw)"
        )


def prepare_directory(data_dir: Path) -> None:
    """Make the directory (for this user only: it will hold what nodes returned) unless it is there."""
    if data_dir.exists() and not data_dir.is_dir():
        raise StoreUnavailable(f"{data_dir} is a file, not a directory: name a directory with --data")
    with failures_at(data_dir):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)


def open_writer(data_dir: Path, *, page_limit: int | None = None) -> apsw.Connection:
    """The one connection that writes, its schema up to date. `page_limit` caps the file, in pages of 4 KiB."""
    path = data_dir / DATABASE_FILE
    check_sqlite(apsw.sqlite_lib_version())
    with failures_at(path):
        connection = apsw.Connection(
            str(path),
            flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE,
            statementcachesize=_PREPARED,
        )
        try:
            connection.set_busy_timeout(_BUSY_MILLISECONDS)
            _check_identity(connection, path)
            _set_up_writer(connection, path, page_limit)
            _migrate(connection, path)
            _sync_directory(data_dir)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(data_dir: Path) -> apsw.Connection:
    """A connection that cannot write; beside the writer, or when there is none."""
    path = data_dir / DATABASE_FILE
    if not path.exists():
        raise StoreUnavailable(
            f"There is no store in {data_dir}: run something first, or name another directory with --data"
        )
    with failures_at(path):
        try:
            return _connect_reader(str(path), path)
        except (apsw.CantOpenError, apsw.ReadOnlyError):
            # Readers share an index of the WAL through a file, which cannot be made on a read-only disk. There nobody
            # writes either, so that the database alone is the whole truth, if no WAL is left.
            if os.access(data_dir, os.W_OK) or _has_wal(path):
                raise
            return _connect_reader(f"file:{quote(str(path))}?immutable=1", path)


def _connect_reader(name: str, path: Path) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(name if name.startswith("file:") else f"file:{quote(name)}", flags=flags)
    try:
        connection.set_busy_timeout(_BUSY_MILLISECONDS)
        version = _check_identity(connection, path)
        if version < SCHEMA_VERSION:
            raise StoreUnavailable(
                f"{path} is of schema version {version} and this flowscope reads {SCHEMA_VERSION}: start it once for writing"
            )
        connection.pragma("cache_size", -_READER_CACHE_KIB)
        connection.pragma("trusted_schema", False)
    except BaseException:
        connection.close()
        raise
    return connection


def _has_wal(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def _check_identity(connection: apsw.Connection, path: Path) -> int:
    """The schema version; refuses another program's database and a newer flowscope's."""
    version = int(connection.pragma("user_version") or 0)
    application_id = int(connection.pragma("application_id") or 0)
    empty = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").get is None
    if application_id != _APPLICATION_ID and not (empty and application_id == version == 0):
        raise StoreCorrupt(
            f"{path} is a database of another program: name another directory with --data", detail=application_id
        )
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path} was written by a newer flowscope (schema version {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade flowscope, or name another directory with --data"
        )
    return version


def _set_up_writer(connection: apsw.Connection, path: Path, page_limit: int | None) -> None:
    mode = connection.pragma("journal_mode", "wal")
    if mode != "wal":
        raise StoreUnavailable(f"{path} is on a file system without shared memory: name a directory on a local disk")
    connection.pragma("synchronous", "FULL")
    connection.pragma("wal_autocheckpoint", 0)
    connection.pragma("journal_size_limit", _KEPT_WAL_BYTES)
    connection.pragma("cache_size", -_WRITER_CACHE_KIB)
    connection.pragma("temp_store", "MEMORY")
    connection.pragma("mmap_size", 0)
    connection.pragma("foreign_keys", False)
    connection.pragma("trusted_schema", False)
    if page_limit is not None:
        connection.pragma("max_page_count", page_limit)


def _migrate(connection: apsw.Connection, path: Path) -> None:
    """To the newest schema, all or nothing."""
    version = _check_identity(connection, path)
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version == 0:
            connection.pragma("application_id", _APPLICATION_ID)
            connection.execute(SCHEMA)
        else:
            for step in range(version, SCHEMA_VERSION):
                MIGRATIONS[step](connection)
        connection.pragma("user_version", SCHEMA_VERSION)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _sync_directory(data_dir: Path) -> None:
    """A file's name is durable only when its directory is."""
    handle = os.open(data_dir, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
