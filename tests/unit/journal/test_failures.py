"""Errors become sentences."""

import errno
from pathlib import Path

import apsw
import pytest

from flowscope.errors import StoreConflict, StoreCorrupt, StoreError, StoreUnavailable
from flowscope.journal.database import check_sqlite
from flowscope.journal.failures import failures_at, translated

PATH = Path("data/flowscope.db")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (apsw.FullError("database or disk is full"), StoreUnavailable, "free some space"),
        (apsw.NotADBError("file is not a database"), StoreCorrupt, "move it away"),
        (apsw.CorruptError("malformed"), StoreCorrupt, "backup"),
        (apsw.IOError("disk I/O error"), StoreUnavailable, "check the disk"),
        (apsw.ReadOnlyError("readonly"), StoreUnavailable, "permissions"),
        (apsw.BusyError("locked"), StoreUnavailable, "another program"),
        (apsw.TooBigError("too big"), StoreError, "1 GB"),
        (apsw.SQLError("no such table: x"), StoreUnavailable, "no such table"),
        (OSError(errno.ENOSPC, "No space left on device"), StoreUnavailable, "No space left"),
        (MemoryError(), StoreUnavailable, "memory"),
        (OverflowError("int too big"), StoreUnavailable, "int too big"),
    ],
)
def test_a_sentence_names_the_path_and_what_to_do(error: Exception, kind: type[StoreError], words: str) -> None:
    found = translated(error, PATH)
    assert type(found) is kind
    assert str(PATH) in str(found) and words in str(found)


def test_an_error_of_ours_stays_itself() -> None:
    error = StoreConflict("a", "no")
    assert translated(error, PATH) is error
    with pytest.raises(StoreConflict) as caught, failures_at(PATH):
        raise error
    assert caught.value is error


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.50.7"])
def test_an_sqlite_that_loses_data_is_refused(version: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"install apsw 3\.51\.3"):
        check_sqlite(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.51.3.1", "3.54.1", "4.0.0"])
def test_a_sound_sqlite_is_taken(version: str) -> None:
    check_sqlite(version)
