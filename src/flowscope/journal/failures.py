"""What SQLite and the system say, as a `StoreError` that names the path and what to do. No other error leaves the journal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from flowscope.errors import StoreCorrupt, StoreError, StoreUnavailable

FAILURES = (apsw.Error, OSError, ValueError, TypeError, OverflowError, MemoryError)
"""What the database, or binding a value to a statement, can raise."""

_FOREIGN = "is not a flowscope store: move it away, or name another directory with --data"
_DAMAGED = "is damaged: restore it from a backup, or move it away and start with an empty one"
_FULL = "cannot grow, its disk is full: free some space; what was acknowledged is kept, and writing goes on by itself"
_CLOSED = "cannot be opened: check that the directory exists and that this user may read and write it"
_READ_ONLY = (
    "cannot be written: check the permissions of the file and its directory, and that the disk is not read-only"
)
_BUSY = "is in use by another program: end whatever else has it open (a database shell, a backup)"
_DISK = "could not be read or written, the disk reported an error: check the disk and the system's log"
_TOO_BIG = "does not take a value that big: keep single payloads below 1 GB"
_MEMORY = "could not be read or written, there is no memory left"

_SENTENCES: dict[type[BaseException], tuple[type[StoreError], str]] = {
    apsw.NotADBError: (StoreCorrupt, _FOREIGN),
    apsw.CorruptError: (StoreCorrupt, _DAMAGED),
    apsw.FormatError: (StoreCorrupt, _DAMAGED),
    apsw.FullError: (StoreUnavailable, _FULL),
    apsw.CantOpenError: (StoreUnavailable, _CLOSED),
    apsw.PermissionsError: (StoreUnavailable, _READ_ONLY),
    apsw.AuthError: (StoreUnavailable, _READ_ONLY),
    apsw.ReadOnlyError: (StoreUnavailable, _READ_ONLY),
    apsw.BusyError: (StoreUnavailable, _BUSY),
    apsw.LockedError: (StoreUnavailable, _BUSY),
    apsw.IOError: (StoreUnavailable, _DISK),
    apsw.TooBigError: (StoreError, _TOO_BIG),
    apsw.NoMemError: (StoreUnavailable, _MEMORY),
    MemoryError: (StoreUnavailable, _MEMORY),
}


def translated(error: BaseException, path: Path) -> StoreError:
    """The error as a `StoreError` about `path`; itself if it is one."""
    if isinstance(error, StoreError):
        return error
    kind, sentence = _SENTENCES.get(type(error), (StoreUnavailable, "could not be read or written"))
    said = str(error) or type(error).__name__
    if isinstance(error, OSError):
        kind, sentence, said = StoreUnavailable, _CLOSED, error.strerror or said
    if kind is StoreCorrupt:
        return StoreCorrupt(f"{path} {sentence} ({said})", detail=said)
    return kind(f"{path} {sentence} ({said})")


def blames_a_commit(error: BaseException) -> bool:
    """Whether one value of one commit may be at fault, rather than the disk: then the others are worth another try."""
    return isinstance(
        error,
        apsw.ConstraintError | apsw.MismatchError | apsw.TooBigError | ValueError | TypeError | OverflowError,
    )


@contextmanager
def failures_at(path: Path) -> Iterator[None]:
    """Turn what the database or the system raises into a `StoreError` about `path`."""
    try:
        yield
    except FAILURES as error:
        raise translated(error, path) from error
