"""Results kept for nodes that are declared cacheable: a file of its own, which may be deleted at any time.

A key says what the work was (node type and version, config, input); the result is kept once by its content. Nothing here is
part of the truth: a result that is gone is worked out again, so commits need not reach the disk, and a damaged file is
thrown away. What is being written is answered from memory.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from flowscope.log import get_logger

log = get_logger("flowscope.results")

RESULTS_FILE = "results.db"
LARGEST_TOTAL = 1024 * 1024 * 1024
SWEEP_EVERY = 256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (
  key TEXT PRIMARY KEY,
  handle TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  until REAL NOT NULL                      -- epoch milliseconds
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS results_by_end ON results (until);
CREATE INDEX IF NOT EXISTS results_by_content ON results (sha256);
CREATE TABLE IF NOT EXISTS contents (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT;
"""
_FIND = "SELECT handle, data FROM results JOIN contents USING (sha256) WHERE key = ? AND until > ?"
_ORPHANS = "DELETE FROM contents WHERE sha256 NOT IN (SELECT sha256 FROM results)"
_OLDEST = "DELETE FROM results WHERE key IN (SELECT key FROM results ORDER BY until LIMIT max(1, (SELECT count(*) FROM results) / 4))"


class ResultCache:
    """`data_dir/results.db`, opened when it is first needed; with `data_dir=None`, in memory only. `find` is quick, and for
    the event loop; writing is done by a thread."""

    def __init__(self, data_dir: Path | None) -> None:
        self._path = Path(":memory:") if data_dir is None else Path(data_dir) / RESULTS_FILE
        self._directory = data_dir
        self._connection: apsw.Connection | None = None
        self._lock = threading.Lock()
        self._writer: ThreadPoolExecutor | None = None
        self._unwritten: dict[str, tuple[str, bytes, float]] = {}
        self._writes = self._hits = self._misses = 0

    def stop(self) -> None:
        """Write what is on its way, and close. Safe twice, and unstarted."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.shutdown()
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def statistics(self) -> dict[str, Any]:
        return {"hits": self._hits, "misses": self._misses, "kept": self._writes}

    def find(self, key: str, now: float) -> tuple[str, bytes] | None:
        """The handle and the JSON of a result that still holds."""
        found = self._find(key, now)
        self._hits += found is not None
        self._misses += found is None
        return found

    def _find(self, key: str, now: float) -> tuple[str, bytes] | None:
        pending = self._unwritten.get(key)
        if pending is not None:
            handle, data, until = pending
            return (handle, data) if until > now else None
        try:
            with self._lock:
                row = self._open().execute(_FIND, (key, now)).fetchone()
        except (apsw.Error, OSError) as error:
            self._broken(error)
            return None
        return None if row is None else (row[0], bytes(row[1]))

    def keep(self, key: str, handle: str, data: bytes, until: float) -> None:
        """Keep a result until then (epoch milliseconds)."""
        self._unwritten[key] = entry = (handle, data, until)
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="flowscope-results")
        self._writer.submit(self._write, key, entry)

    def _write(self, key: str, entry: tuple[str, bytes, float]) -> None:
        handle, data, until = entry
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            with self._lock:
                connection = self._open()
                with connection:
                    connection.execute("INSERT OR IGNORE INTO contents VALUES (?, ?)", (sha256, data))
                    connection.execute(
                        "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", (key, handle, sha256, until)
                    )
                self._writes += 1
                if self._writes % SWEEP_EVERY == 0:
                    self._sweep(connection)
        except (apsw.Error, OSError) as error:
            self._broken(error)
        if self._unwritten.get(key) is entry:
            del self._unwritten[key]

    def _sweep(self, connection: apsw.Connection) -> None:
        """Drop what has run out, and if there is still too much, the quarter that runs out first."""
        with connection:
            connection.execute("DELETE FROM results WHERE until < unixepoch('subsec') * 1000")
            connection.execute(_ORPHANS)
            total = connection.execute("SELECT coalesce(sum(length(data)), 0) FROM contents").get
            if total > LARGEST_TOTAL:
                connection.execute(_OLDEST)
                connection.execute(_ORPHANS)

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            if self._directory is not None:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = apsw.Connection(str(self._path))
            connection.set_busy_timeout(2_000)
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "OFF")
            connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection

    def _broken(self, error: Exception) -> None:
        """The file cannot be used. It is no loss: the next start makes a new one if this one is damaged."""
        log.warning("result_cache_unusable", path=str(self._path), error=str(error))
        if not isinstance(error, apsw.NotADBError | apsw.CorruptError):
            return
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._path}{suffix}").unlink(missing_ok=True)
