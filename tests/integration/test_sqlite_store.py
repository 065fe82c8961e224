"""The SQLite store against the world: other processes, death, full and broken disks, strange files."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

import apsw
import pytest

from flowscope.errors import StoreCorrupt, StoreError, StoreLocked, StoreTooNew, StoreUnavailable
from flowscope.journal import SqliteStore
from flowscope.orchestrator.ports import Commit, CommitResult, ExecutionQuery, Retention
from flowscope.testing.store_conformance import (
    Receipt,
    append,
    row,
    segment,
    seqs,
    sha,
    submit,
    together,
)

HOLDER = """
import sys
from pathlib import Path
from flowscope.journal import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.start()
print("ready", flush=True)
sys.stdin.read()
store.stop()
"""

# Submits for ever, a few commits ahead of what is acknowledged; says what is, one line each.
APPENDER = """
import os, sys, threading
from pathlib import Path
from flowscope.journal import SqliteStore
from flowscope.orchestrator.ports import Commit
from flowscope.testing.store_conformance import row, segment
store = SqliteStore(Path(sys.argv[1]))
store.start()
ahead = threading.Semaphore(8)
def acknowledge(execution_id, last):
    def done(result):
        assert result.error is None and not result.conflicts, result
        os.write(1, f"{execution_id} {last}\\n".encode())
        ahead.release()
    return done
for turn in range(1, 1_000_000):
    for execution_id in ("a", "b", "c"):
        ahead.acquire()
        first, last = 3 * turn - 2, 3 * turn
        store.submit(Commit(
            segments=[segment(execution_id, first, last, row=row(execution_id, detail=str(last)))],
            done=acknowledge(execution_id, last),
        ))
"""

# A forked child outlives its parent, which is killed.
FORKER = """
import os, signal, sys
from pathlib import Path
from flowscope.journal import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.start()
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, b"!")
    sys.stdin.read()
    os._exit(0)
os.read(reader, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""

# The disk takes no more than 400 kB a file, then as much as it likes.
LIMITED = """
import json, resource, sys
from pathlib import Path
from flowscope.journal import SqliteStore
from flowscope.testing.store_conformance import append, segment, seqs
store = SqliteStore(Path(sys.argv[1]))
store.start()
append(store, segment("a", 1, 1))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
failed = append(store, segment("a", 2, 2, data=b"x" * 1_000_000)).error
readable = seqs(store.read("a"))
small = append(store, segment("a", 2, 2)).error
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
last = store.row("a").last_seq
after = append(store, segment("a", last + 1, last + 1))
print(json.dumps([type(failed).__name__, str(failed), readable, repr(small), repr(after)]))
store.stop()
"""

FILLED = """
import json, sys
from pathlib import Path
from flowscope.journal import SqliteStore
from flowscope.testing.store_conformance import append, segment, seqs
store = SqliteStore(Path(sys.argv[1]))
store.start()
ballast = Path(sys.argv[1]) / "ballast"
append(store, segment("a", 1, 1))
ballast.write_bytes(b"x" * 500_000)
failed = append(store, segment("a", 2, 2, data=b"x" * 2_000_000)).error
readable = seqs(store.read("a"))
ballast.unlink()
after = append(store, segment("a", 2, 2))
print(json.dumps([type(failed).__name__, str(failed), readable, repr(after)]))
store.stop()
"""

# Run by root it becomes somebody else first: root may write anywhere.
OPENER = """
import os, sys
from pathlib import Path
from flowscope.errors import StoreError
from flowscope.journal import SqliteStore
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
store = SqliteStore(Path(sys.argv[1]), read_only=sys.argv[2] == "read")
try:
    store.start()
    print("row", store.row("a").last_seq)
    store.stop()
except StoreError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@contextmanager
def opened(data_dir: Path, **options: Any) -> Iterator[SqliteStore]:
    store = SqliteStore(data_dir, **options)
    store.start()
    try:
        yield store
    finally:
        store.stop()


@contextmanager
def running(program: str, *arguments: object, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A program in a process of its own; it is gone, and its pipes closed, at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def said_by(program: str, *arguments: object, command: Sequence[str] = ()) -> str:
    """What a program prints, that ends by itself."""
    line = [*command, sys.executable, "-c", program, *map(str, arguments)]
    output: str = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout
    return output.strip()


def line_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


# --- one owner -------------------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_with_a_sentence(data_dir: Path) -> None:
    with running(HOLDER, data_dir) as holder:
        assert line_from(holder) == "ready\n"
        with pytest.raises(StoreLocked) as caught:
            SqliteStore(data_dir).start()
        message = str(caught.value)
        assert f"process {holder.pid}" in message
        assert "--url" in message and "--data" in message and str(data_dir) in message
        holder.kill()
        holder.wait()
        with opened(data_dir) as store:
            assert append(store, segment("a", 1, 1)).error is None


def test_a_second_store_in_the_same_process_is_refused(data_dir: Path) -> None:
    with opened(data_dir) as store:
        with pytest.raises(StoreLocked):
            SqliteStore(data_dir).start()
        assert append(store, segment("a", 1, 1)).error is None


def test_a_done_may_stop_the_store_and_the_lock_is_given_up(data_dir: Path) -> None:
    store = SqliteStore(data_dir)
    store.start()
    stopped = Receipt()

    def done(result: CommitResult) -> None:
        store.stop()
        stopped(result)

    store.submit(Commit(segments=[segment("a", 1, 1)], done=done))
    assert stopped.wait().error is None
    assert submit(store, segment("a", 2, 2)).results[0].error is not None
    store.stop()  # waits for the thread, which could not wait for itself
    with opened(data_dir) as again:
        assert seqs(again.read("a")) == [1]


def test_a_forked_child_does_not_keep_the_lock(data_dir: Path) -> None:
    with running(FORKER, data_dir) as parent:
        assert parent.wait() == -signal.SIGKILL
        with opened(data_dir) as store:  # while the child lives
            assert append(store, segment("a", 1, 1)).error is None


def test_the_directory_is_for_its_user_only(data_dir: Path) -> None:
    with opened(data_dir / "below"):
        assert (data_dir / "below").stat().st_mode & 0o777 == 0o700


# --- reading beside the writer ---------------------------------------------------------------------------------------


def test_a_reader_beside_a_writer_sees_what_is_committed(data_dir: Path) -> None:
    with opened(data_dir) as store:
        append(store, segment("a", 1, 2))
        with opened(data_dir, read_only=True) as reader:
            assert seqs(reader.read("a")) == [1, 2]
            append(store, segment("a", 3, 3))
            assert seqs(reader.read("a")) == [1, 2, 3]
            store.stop()
            assert seqs(reader.read("a")) == [1, 2, 3]
        with opened(data_dir, read_only=True) as reader:  # nobody writes
            assert [each.execution_id for each in reader.search(ExecutionQuery())] == ["a"]


def test_a_reader_finds_what_a_killed_writer_left_in_the_wal(data_dir: Path) -> None:
    with running(APPENDER, data_dir) as appender:
        execution_id, last = line_from(appender).split()
        appender.kill()
        appender.wait()
    with opened(data_dir, read_only=True) as reader:
        assert seqs(reader.read(execution_id))[: int(last)] == list(range(1, int(last) + 1))


def test_a_reader_refuses_to_write(data_dir: Path) -> None:
    with opened(data_dir) as store:
        append(store, segment("a", 1, 1, row=row("a", ended_at=1.0)))
    before = hashlib.sha256((data_dir / "flowscope.db").read_bytes()).digest()
    with opened(data_dir, read_only=True) as reader:
        error = append(reader, segment("a", 2, 2)).error
        assert isinstance(error, StoreUnavailable) and "reading only" in str(error)
        with pytest.raises(StoreUnavailable, match="reading only"):
            reader.claim("a")
        with pytest.raises(StoreUnavailable, match="reading only"):
            reader.prune(Retention(ended_before=2.0))
        assert list(reader.prune(Retention(ended_before=2.0, dry_run=True))) == ["a"]
        assert reader.statistics() == {}
    assert hashlib.sha256((data_dir / "flowscope.db").read_bytes()).digest() == before


def test_a_reader_needs_a_store(data_dir: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no store"):
        SqliteStore(data_dir, read_only=True).start()
    assert not data_dir.exists()


# --- death -----------------------------------------------------------------------------------------------------------


def acknowledged(output: IO[str]) -> dict[str, int]:
    """The last sequence number acknowledged of each execution. The last line may be cut."""
    last: dict[str, int] = {}
    for line in output.read().splitlines(keepends=True):
        if line.endswith("\n"):
            execution_id, seq = line.split()
            last[execution_id] = int(seq)
    return last


def verify(data_dir: Path, last: dict[str, int]) -> None:
    """All that was acknowledged is there, without a gap; rows and journals agree; and it goes on."""
    with opened(data_dir) as store:
        for execution_id in ("a", "b", "c"):
            found = seqs(store.read(execution_id, limit=10_000_000))
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= last.get(execution_id, 0)
            stored = store.row(execution_id)
            if stored is None:
                assert not found
                continue
            assert (stored.last_seq, stored.detail) == (len(found), str(len(found)))
            assert append(store, segment(execution_id, len(found) + 1, len(found) + 1)).conflicts == {}
    with closing(apsw.Connection(str(data_dir / "flowscope.db"))) as connection:
        assert connection.pragma("integrity_check") == "ok"


@pytest.mark.parametrize("passage", [1, 2, 30])
@pytest.mark.parametrize("name", ["before_append", "after_append", "before_commit", "after_commit", "before_done"])
def test_killed_at_a_failpoint_nothing_acknowledged_is_lost(data_dir: Path, name: str, passage: int) -> None:
    with running(APPENDER, data_dir, FLOWSCOPE_FAILPOINT=f"{name}:{passage}") as appender:
        assert appender.stdout is not None
        last = acknowledged(appender.stdout)
        assert appender.wait() == -signal.SIGKILL
    verify(data_dir, last)


def test_killed_again_and_again_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    randomness = random.Random(20261123)
    for life in range(20):
        data_dir = tmp_path / str(life)
        with running(APPENDER, data_dir) as appender:
            assert appender.stdout is not None
            seen = [line_from(appender) for _ in range(randomness.randrange(1, 1_500))]
            appender.kill()
            last = acknowledged(appender.stdout)
        for line in seen:
            execution_id, seq = line.split()
            last[execution_id] = max(last.get(execution_id, 0), int(seq))
        verify(data_dir, last)


# --- full and broken disks -------------------------------------------------------------------------------------------


def test_a_full_file_fails_the_whole_transaction_and_nothing_else(data_dir: Path) -> None:
    with opened(data_dir, page_limit=100) as store:
        append(store, segment("a", 1, 1))

        def work() -> list[Receipt]:
            huge = segment("b", 1, 1, data=b"x" * 500_000)
            return [submit(store, segment("a", 2, 2)), submit(store, huge), submit(store, segment("a", 3, 3))]

        for result in together(store, work):
            assert isinstance(result.error, StoreUnavailable)
            assert "full" in str(result.error) and str(data_dir) in str(result.error)
        assert seqs(store.read("a")) == [1]
        assert append(store, segment("a", 2, 2)).error is None
        assert append(store, segment("b", 1, 1)).error is None
        assert store.statistics()["failures"] == 3
    with opened(data_dir) as store:
        assert seqs(store.read("a")) == [1, 2]


def test_a_claim_needs_no_room(data_dir: Path) -> None:
    with opened(data_dir, page_limit=60) as store:
        append(store, segment("a", 1, 1))
        number = 0
        while append(store, segment(f"filler{number}", 1, 1, data=b"x" * 3_000)).error is None:
            number += 1
        assert append(store, segment("a", 2, 2, data=b"y" * 3_000)).error is not None
        claimed = store.claim(["a"])[0]  # in place: needs no page
        assert claimed.epoch == 2
        assert set(append(store, segment("a", 2, 2)).conflicts) == {"a"}


def test_a_file_that_may_not_grow_and_then_may(data_dir: Path) -> None:
    kind, message, readable, small, after = json.loads(said_by(LIMITED, data_dir))
    assert kind == "StoreUnavailable" and "disk" in message
    assert readable == [1]
    assert small == "None" or "StoreUnavailable" in small
    assert after == "CommitResult(conflicts={}, error=None)"
    with opened(data_dir) as store:
        assert seqs(store.read("a"))[:2] == [1, 2]


def test_a_real_disk_that_is_full_and_then_is_not(tmp_path: Path) -> None:
    mounted = ["--mount", "sh", "-c", 'mount -t tmpfs -o size=1m none "$0" && exec "$@"', str(tmp_path)]
    ways = [["unshare", *mounted], ["unshare", "--user", "--map-root-user", *mounted]]
    allowed = (way for way in ways if not subprocess.run([*way, "true"], capture_output=True).returncode)
    mount = next(allowed, None) if shutil.which("unshare") else None
    if mount is None:  # what the kernel forbids, nothing can be installed for; files that may not grow are tried above
        pytest.skip("this kernel lets this user mount no small disk")
    kind, message, readable, after = json.loads(said_by(FILLED, tmp_path, command=mount))
    assert kind == "StoreUnavailable" and "full" in message
    assert readable == [1]
    assert after == "CommitResult(conflicts={}, error=None)"


# --- strange files ---------------------------------------------------------------------------------------------------


def refused(data_dir: Path, kind: type[StoreError], words: str) -> None:
    for read_only in (False, True):
        with pytest.raises(kind, match=words) as caught:
            SqliteStore(data_dir, read_only=read_only).start()
        assert str(data_dir) in str(caught.value)
    # nothing is held by what failed to open
    (data_dir / "flowscope.db").unlink()
    with opened(data_dir):
        pass


def test_a_newer_store_is_refused(data_dir: Path) -> None:
    with opened(data_dir):
        pass
    with closing(apsw.Connection(str(data_dir / "flowscope.db"))) as connection:
        connection.pragma("user_version", 99)
    refused(data_dir, StoreTooNew, "newer flowscope.*99")


def test_a_store_of_the_first_schema_is_brought_up_to_date(data_dir: Path) -> None:
    """It had no memory of what was pruned; what it held stays."""
    with opened(data_dir) as store:
        append(store, segment("a", 1, 1, row=row("a", ended_at=1.0)))
    with closing(apsw.Connection(str(data_dir / "flowscope.db"))) as connection:
        connection.execute("DROP TABLE pruned")
        connection.pragma("user_version", 1)
    refused_for_reading = SqliteStore(data_dir, read_only=True)
    with pytest.raises(StoreUnavailable, match="schema version 1"):
        refused_for_reading.start()
    with opened(data_dir) as store:
        assert list(store.prune(Retention(ended_before=2.0))) == ["a"]
        assert store.pruned("a")


def test_a_file_that_is_no_database_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()
    (data_dir / "flowscope.db").write_text("Dear diary, " * 500)
    refused(data_dir, StoreCorrupt, "not a flowscope store")


def test_a_database_of_another_program_is_refused(data_dir: Path) -> None:
    data_dir.mkdir()
    with closing(apsw.Connection(str(data_dir / "flowscope.db"))) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    refused(data_dir, StoreCorrupt, "another program")


def test_damaged_pages_are_told_and_writing_does_not_raise(data_dir: Path) -> None:
    with opened(data_dir) as store:
        for number in range(200):
            append(store, segment(f"e{number}", 1, 1, data=b"x" * 3_000))
    path = data_dir / "flowscope.db"
    data = bytearray(path.read_bytes())
    for page in range(4_096, len(data), 4_096):  # all but the schema
        data[page : page + 100] = b"\xff" * 100
    path.write_bytes(data)
    try:
        with opened(data_dir) as store:
            for read in (lambda: store.read("e7"), lambda: store.search(ExecutionQuery())):
                with pytest.raises(StoreCorrupt, match="damaged"):
                    read()
            assert isinstance(append(store, segment("new", 1, 1)).error, StoreCorrupt)
    except StoreError as error:
        assert isinstance(error, StoreCorrupt)


def test_a_shortened_file_is_told(data_dir: Path) -> None:
    with opened(data_dir) as store:
        append(store, *(segment(f"e{number}", 1, 1, data=b"x" * 3_000) for number in range(200)))
    os.truncate(data_dir / "flowscope.db", 70_000)
    with pytest.raises(StoreCorrupt, match="damaged"), opened(data_dir, read_only=True) as store:
        store.read("e199")


def test_a_file_in_place_of_the_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreUnavailable, match="is a file, not a directory"):
        SqliteStore(tmp_path / "data").start()
    with pytest.raises(StoreUnavailable, match="data"):
        SqliteStore(tmp_path / "data" / "below").start()
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path / "data", read_only=True).start()


def test_a_place_where_nothing_can_be_made() -> None:
    with pytest.raises(StoreUnavailable, match="/proc/flowscope"):
        SqliteStore(Path("/proc/flowscope")).start()


@pytest.fixture
def closed_directory() -> Iterator[Path]:
    """A store in a directory that may only be read. (Not below pytest's own, which other users may not enter.)"""
    directory = Path(tempfile.mkdtemp(prefix="flowscope-test-"))
    with opened(directory) as store:
        append(store, segment("a", 1, 2))
    directory.chmod(0o555)
    yield directory
    directory.chmod(0o755)
    shutil.rmtree(directory)


def test_a_directory_that_may_only_be_read(closed_directory: Path) -> None:
    said = said_by(OPENER, closed_directory, "write")
    assert said.startswith("StoreUnavailable") and str(closed_directory) in said
    assert said_by(OPENER, closed_directory, "read") == "row 2"


def test_a_directory_that_may_only_be_read_beside_its_writer(closed_directory: Path) -> None:
    closed_directory.chmod(0o755)
    with opened(closed_directory) as store:
        closed_directory.chmod(0o555)
        append(store, segment("a", 3, 3))
        assert said_by(OPENER, closed_directory, "read") == "row 3"


# --- what is inside --------------------------------------------------------------------------------------------------


def test_small_segments_of_one_transaction_are_joined_in_one_row(data_dir: Path) -> None:
    with opened(data_dir) as store:

        def work() -> list[Receipt]:
            small = [submit(store, segment("a", seq, seq)) for seq in range(1, 101)]
            return [*small, submit(store, segment("a", 101, 101, data=b"x" * 70_000))]

        together(store, work)
        found = store.read("a")
        assert [(each.first_seq, each.last_seq) for each in found] == [(1, 100), (101, 101)]
        assert store.statistics()["segments"] == 2


def test_the_wal_is_emptied_at_the_end(data_dir: Path) -> None:
    with opened(data_dir) as store:
        append(store, segment("a", 1, 1))
    assert sorted(path.name for path in data_dir.iterdir()) == ["flowscope.db", "flowscope.lock"]


def test_a_long_wal_is_moved_while_writing_goes_on(data_dir: Path) -> None:
    with opened(data_dir) as store:
        for seq in range(1, 20):
            submit(store, segment("a", seq, seq, data=b"x" * 1_000_000))
        append(store, segment("a", 20, 20))
        store.claim(["a"])[0]
        assert store.statistics()["checkpoints"] >= 1
        assert (data_dir / "flowscope.db-wal").stat().st_size < 40_000_000


def test_pruning_gives_room_back_to_what_follows(data_dir: Path) -> None:
    with opened(data_dir, page_limit=300) as store:
        for life in range(5):
            for number in range(10):
                ended = row(f"{life}.{number}", ended_at=1.0)
                done = submit(
                    store,
                    segment(f"{life}.{number}", 1, 1, row=ended, data=b"x" * 40_000),
                    blobs=[(sha(f"{life}"), b"y" * 40_000)],
                )
                assert done.wait().error is None
            assert len(store.prune(Retention(ended_before=2.0))) == 10
