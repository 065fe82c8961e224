"""What every `Store` must do: derive a test class, say how to make one, and pytest does the rest.

    class TestMyStore(StoreConformance):
        def make_store(self, directory: Path) -> Store:
            return MyStore(directory)

Nothing here sleeps: a commit is waited for by its acknowledgement.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from flowscope.errors import StoreCorrupt, StoreError, StoreUnavailable
from flowscope.orchestrator.ports import (
    Commit,
    CommitResult,
    ExecutionQuery,
    ExecutionRow,
    LogLine,
    Retention,
    Segment,
    Store,
)

PATIENCE_SECONDS = 30.0
"""How long an acknowledgement may take before the test fails; no test waits that long for a fact."""


class Receipt:
    """A `done` that can be waited for, and that counts its calls."""

    def __init__(self) -> None:
        self.results: list[CommitResult] = []
        self.thread = 0
        self._called = threading.Event()

    def __call__(self, result: CommitResult) -> None:
        self.results.append(result)
        self.thread = threading.get_ident()
        self._called.set()

    def wait(self) -> CommitResult:
        if not self._called.wait(PATIENCE_SECONDS):
            raise TimeoutError("the commit was not acknowledged")
        return self.results[0]


def row(execution_id: str, **fields: object) -> ExecutionRow:
    """A row with what is of no interest filled in."""
    return ExecutionRow(**{"execution_id": execution_id, "workflow_id": "w", **fields})  # type: ignore[arg-type]


def lines(first_seq: int, last_seq: int) -> bytes:
    """One line an event, that tells its number."""
    return b"".join(b'{"seq":%d}\n' % seq for seq in range(first_seq, last_seq + 1))


def segment(
    execution_id: str,
    first_seq: int,
    last_seq: int,
    *,
    epoch: int = 1,
    row: ExecutionRow | None = None,
    data: bytes | None = None,
) -> Segment:
    """A segment of numbered lines; the first of an execution has a row."""
    if row is None and first_seq == 1:
        row = ExecutionRow(execution_id=execution_id, workflow_id="w", last_seq=last_seq)
    return Segment(
        execution_id=execution_id,
        first_seq=first_seq,
        last_seq=last_seq,
        epoch=epoch,
        lines=lines(first_seq, last_seq) if data is None else data,
        row=row,
    )


def submit(
    store: Store,
    *segments: Segment,
    blobs: Sequence[tuple[str, bytes]] = (),
    definitions: Sequence[tuple[str, str, str, bytes]] = (),
    logs: Sequence[LogLine] = (),
) -> Receipt:
    """Hand a commit over."""
    receipt = Receipt()
    store.submit(Commit(segments=segments, blobs=blobs, definitions=definitions, logs=logs, done=receipt))
    return receipt


def append(store: Store, *segments: Segment) -> CommitResult:
    """Commit segments, and wait."""
    return submit(store, *segments).wait()


def together(store: Store, work: Callable[[], Sequence[Receipt]]) -> list[CommitResult]:
    """Submit several commits while the writer is held up, so that it finds them all waiting at once."""
    reached, proceed = threading.Event(), threading.Event()

    def hold(_: CommitResult) -> None:
        reached.set()
        proceed.wait(PATIENCE_SECONDS)

    store.submit(Commit(done=hold))
    assert reached.wait(PATIENCE_SECONDS)
    try:
        receipts = work()
    finally:
        proceed.set()
    return [receipt.wait() for receipt in receipts]


def seqs(segments: Sequence[Segment]) -> list[int]:
    """The sequence numbers the segments cover, in order; and that their lines are those events."""
    for each in segments:
        assert each.lines == lines(each.first_seq, each.last_seq)
    return [seq for each in segments for seq in range(each.first_seq, each.last_seq + 1)]


def sha(character: str) -> str:
    """A digest, of nothing in particular."""
    return character * 64


def reference(character: str) -> bytes:
    """An event that refers to the payload of that digest."""
    return b'{"seq":1,"outputBlob":{"sha256":"%s","size":1}}\n' % sha(character).encode()


class StoreConformance:
    """The suite. Override `make_store`; called again with the same directory it must give the same contents."""

    def make_store(self, directory: Path) -> Store:
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = self.make_store(tmp_path / "data")
        store.start()
        yield store
        store.stop()

    # --- append and read ---

    def test_what_is_appended_is_read(self, store: Store) -> None:
        assert append(store, segment("a", 1, 3)) == CommitResult()
        assert append(store, segment("a", 4, 4)) == CommitResult()
        found = store.read("a")
        assert seqs(found) == [1, 2, 3, 4]
        assert all(each.execution_id == "a" and each.epoch == 1 and each.version == 1 for each in found)

    def test_an_unknown_execution_is_empty(self, store: Store) -> None:
        assert list(store.read("none")) == []
        assert list(store.logs("none")) == []
        assert store.row("none") is None

    def test_reading_goes_on_after_a_cursor(self, store: Store) -> None:
        for first in range(1, 30, 3):
            append(store, segment("a", first, first + 2))
        for after in range(32):
            found = seqs(store.read("a", after))
            assert [seq for seq in found if seq > after] == list(range(after + 1, 31))
            assert not found or found[0] > after - 3  # the first segment may begin before the cursor, no earlier one

    def test_reading_by_pages_gives_everything_once(self, store: Store) -> None:
        for first in range(1, 101, 5):
            append(store, segment("a", first, first + 4))
        for limit in (1, 5, 7, 12, 1_000):
            cursor, found = 0, []
            while page := store.read("a", cursor, limit):
                assert sum(each.last_seq - each.first_seq + 1 for each in page) <= max(limit, 5)
                found += seqs(page)
                cursor = page[-1].last_seq
            assert found == list(range(1, 101))

    def test_executions_do_not_mix(self, store: Store) -> None:
        append(store, segment("a", 1, 2), segment("b", 1, 1))
        append(store, segment("b", 2, 5), segment("a", 3, 3))
        assert seqs(store.read("a")) == [1, 2, 3]
        assert seqs(store.read("b")) == [1, 2, 3, 4, 5]

    def test_small_segments_that_wait_together_stay_whole(self, store: Store) -> None:
        def work() -> list[Receipt]:
            return [
                submit(store, segment(execution_id, seq, seq)) for seq in range(1, 50) for execution_id in ("a", "b")
            ]

        assert set(map(repr, together(store, work))) == {repr(CommitResult())}
        assert seqs(store.read("a")) == seqs(store.read("b")) == list(range(1, 50))
        assert seqs(store.read("a", 30))[-19:] == list(range(31, 50))

    def test_versions_are_kept_apart(self, store: Store) -> None:
        def work() -> list[Receipt]:
            second = Segment(execution_id="a", first_seq=2, last_seq=2, epoch=1, lines=lines(2, 2), version=2)
            return [submit(store, segment("a", 1, 1)), submit(store, second)]

        together(store, work)
        assert [(each.first_seq, each.version) for each in store.read("a")] == [(1, 1), (2, 2)]

    def test_large_segments(self, store: Store) -> None:
        data = bytes(range(256)) * 8_000
        append(store, segment("a", 1, 1, data=data), segment("a", 2, 2, data=data[::-1]))
        assert b"".join(each.lines for each in store.read("a")) == data + data[::-1]

    # --- the fence ---

    @pytest.mark.parametrize("first_seq", [1, 2, 3, 5, 9])
    def test_another_sequence_number_than_the_next_conflicts(self, store: Store, first_seq: int) -> None:
        append(store, segment("a", 1, 3))
        result = append(store, segment("a", first_seq, first_seq + 1))
        assert result.error is None
        assert result.conflicts["a"].execution_id == "a"
        assert seqs(store.read("a")) == [1, 2, 3]

    def test_the_first_segment_of_an_unknown_execution_begins_at_one(self, store: Store) -> None:
        assert set(append(store, segment("a", 2, 3)).conflicts) == {"a"}
        assert store.row("a") is None

    def test_the_first_segment_needs_a_row(self, store: Store) -> None:
        bare = Segment(execution_id="a", first_seq=1, last_seq=1, epoch=1, lines=lines(1, 1))
        assert set(append(store, bare).conflicts) == {"a"}

    def test_a_segment_without_events_conflicts(self, store: Store) -> None:
        append(store, segment("a", 1, 1))
        assert set(append(store, segment("a", 2, 1, data=b"")).conflicts) == {"a"}

    def test_an_execution_that_is_there_cannot_begin_again(self, store: Store) -> None:
        append(store, segment("a", 1, 1, row=row("a", status="done", ended_at=5.0)))
        assert set(append(store, segment("a", 1, 1)).conflicts) == {"a"}
        found = store.row("a")
        assert found is not None and found.status == "done"

    def test_a_conflict_refuses_one_execution_and_keeps_the_others(self, store: Store) -> None:
        append(store, segment("a", 1, 1))
        result = append(store, segment("b", 1, 1), segment("a", 1, 1), segment("c", 1, 1), segment("a", 2, 2))
        assert set(result.conflicts) == {"a"}
        assert seqs(store.read("a")) == [1]
        assert seqs(store.read("b")) == seqs(store.read("c")) == [1]

    def test_a_conflict_does_not_reach_the_commits_beside_it(self, store: Store) -> None:
        append(store, segment("a", 1, 1))

        def work() -> list[Receipt]:
            return [submit(store, segment("a", 5, 5)), submit(store, segment("a", 2, 2))]

        refused, kept = together(store, work)
        assert set(refused.conflicts) == {"a"}
        assert kept == CommitResult()

    def test_a_claim_fences_off_the_earlier_owner(self, store: Store) -> None:
        append(store, segment("a", 1, 2, row=row("a", status="running", started_at=7.0)))
        claimed = store.claim(["a"])[0]
        assert (claimed.epoch, claimed.last_seq, claimed.started_at) == (2, 2, 7.0)
        assert store.row("a") == claimed
        assert set(append(store, segment("a", 3, 3, epoch=1)).conflicts) == {"a"}
        assert append(store, segment("a", 3, 4, epoch=2)) == CommitResult()
        assert store.claim(["a"])[0].epoch == 3
        assert set(append(store, segment("a", 5, 5, epoch=2)).conflicts) == {"a"}
        assert [each.epoch for each in store.read("a")] == [1, 2]

    def test_a_claim_comes_after_what_was_submitted(self, store: Store) -> None:
        receipt = submit(store, segment("a", 1, 4))
        assert store.claim(["a"])[0].last_seq == 4
        assert receipt.wait() == CommitResult()

    def test_an_unknown_execution_cannot_be_claimed(self, store: Store) -> None:
        append(store, segment("a", 1, 1))
        assert [each.execution_id for each in store.claim(["none", "a", "a"])] == ["a"]
        assert store.claim([]) == []

    # --- acknowledgement ---

    def test_done_is_called_once_each_in_order_of_submission(self, store: Store) -> None:
        order: list[int] = []

        def acknowledge(number: int) -> Callable[[CommitResult], None]:
            return lambda _: order.append(number)

        for number in range(500):
            store.submit(Commit(segments=[segment(f"e{number}", 1, 1)], done=acknowledge(number)))
        append(store, segment("last", 1, 1))
        assert order == list(range(500))

    def test_done_is_called_from_another_thread(self, store: Store) -> None:
        receipt = submit(store, segment("a", 1, 1))
        receipt.wait()
        assert receipt.thread != threading.get_ident()

    def test_what_is_acknowledged_can_be_read(self, store: Store) -> None:
        found: list[list[int]] = []
        read = threading.Event()

        def done(_: CommitResult) -> None:
            found.append(seqs(store.read("a")))
            read.set()

        store.submit(Commit(segments=[segment("a", 1, 3)], done=done))
        assert read.wait(PATIENCE_SECONDS)
        assert found == [[1, 2, 3]]

    def test_a_done_may_submit_and_claim(self, store: Store) -> None:
        receipt = Receipt()
        epochs: list[int] = []

        def done(_: CommitResult) -> None:
            epochs.append(store.claim(["a"])[0].epoch)
            store.submit(Commit(segments=[segment("a", 2, 2, epoch=2)], done=receipt))

        store.submit(Commit(segments=[segment("a", 1, 1)], done=done))
        assert receipt.wait() == CommitResult()
        assert epochs == [2]

    def test_a_done_that_raises_harms_nobody(self, store: Store, caplog: pytest.LogCaptureFixture) -> None:
        def done(_: CommitResult) -> None:
            raise KeyError("of the caller")

        # Whatever somebody has set for the loggers above it.
        with caplog.at_level(logging.ERROR, logger="flowscope.journal.writer"):
            store.submit(Commit(segments=[segment("a", 1, 1)], done=done))
            assert append(store, segment("a", 2, 2)) == CommitResult()
        assert "executions a" in caplog.text

    def test_many_threads_may_submit(self, store: Store) -> None:
        receipts: dict[str, list[Receipt]] = {}

        def work(execution_id: str) -> None:
            receipts[execution_id] = [submit(store, segment(execution_id, seq, seq)) for seq in range(1, 101)]

        threads = [threading.Thread(target=work, args=(f"t{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for execution_id, given in receipts.items():
            assert all(receipt.wait() == CommitResult() for receipt in given)
            assert seqs(store.read(execution_id)) == list(range(1, 101))

    def test_a_commit_that_cannot_be_stored_stands_alone(self, store: Store) -> None:
        def work() -> list[Receipt]:
            return [
                submit(store, segment("a", 1, 1)),
                submit(store, segment("b", 1, 1), blobs=[("not a digest", b"1")]),
                submit(store, segment("\ud800", 1, 1)),
                submit(store, segment("c", 1, 1)),
            ]

        first, second, third, fourth = together(store, work)
        assert first == fourth == CommitResult()
        assert isinstance(second.error, StoreError) and isinstance(third.error, StoreError)
        assert store.row("b") is None
        assert store.row("\ud800") is None
        assert list(store.read("\ud800")) == []

    # --- the list of executions ---

    def test_the_row_is_that_of_the_last_segment_that_had_one(self, store: Store) -> None:
        append(store, segment("a", 1, 1, row=row("a", workflow_name="A", started_at=3.0)))
        append(store, segment("a", 2, 5))
        assert store.row("a") == row("a", workflow_name="A", started_at=3.0, last_seq=5)
        full = row(
            "a",
            workflow_id="v",
            workflow_name="B",
            definition=sha("d"),
            status="failed",
            detail="at once",
            started_at=4.0,
            ended_at=9.5,
            parent_execution_id="p",
            caller_execution_id="c",
            error="no",
            last_seq=6,
        )
        append(store, segment("a", 6, 6, row=full))
        assert store.row("a") == full
        assert store.search(ExecutionQuery(workflow_id="v", text="NO")) == [full]

    def test_odd_text_is_kept(self, store: Store) -> None:
        for execution_id in ("nul\0nul", "nul\0other", "ünï", "🤷", "%_'\"\\", " ", "\u202e"):
            odd = row(execution_id, workflow_id=execution_id, error=execution_id, last_seq=1)
            append(store, segment(execution_id, 1, 1, row=odd))
            assert store.row(execution_id) == odd
            assert odd in store.search(ExecutionQuery(text=execution_id))
            assert store.search(ExecutionQuery(workflow_id=execution_id)) == [odd]

    def test_broken_text_is_mended_where_it_is_only_said(self, store: Store) -> None:
        broken = row("a", error="file \udcff", workflow_name="\ud83d")
        log = LogLine(execution_id="a", node_id="n", text="\udcff!")
        assert submit(store, segment("a", 1, 1, row=broken), logs=[log]).wait() == CommitResult()
        found = store.row("a")
        assert found is not None and (found.error, found.workflow_name) == ("file ?", "?")
        assert [line.text for line in store.logs("a")] == ["?!"]

    @pytest.mark.parametrize(
        ("query", "ids"),
        [
            (ExecutionQuery(), "edcba"),
            (ExecutionQuery(limit=2), "ed"),
            (ExecutionQuery(limit=0), ""),
            (ExecutionQuery(workflow_id="w1"), "eca"),
            (ExecutionQuery(statuses=["failed"]), "db"),
            (ExecutionQuery(statuses=["failed", "running", "failed"]), "edba"),
            (ExecutionQuery(statuses=["failed", "running"], limit=3), "edb"),
            (ExecutionQuery(statuses=["unheard of"]), ""),
            (ExecutionQuery(started_after=2.0, started_before=4.0), "cb"),
            (ExecutionQuery(parent_execution_id="a"), "b"),
            (ExecutionQuery(on_top=True), "edba"),
            (ExecutionQuery(on_top=True, workflow_id="w1", limit=1), "e"),
            (ExecutionQuery(text="FLOW"), "ec"),
            (ExecutionQuery(text="straße"), "d"),
            (ExecutionQuery(text="STRASSE"), "d"),
            (ExecutionQuery(text="100%"), "b"),
            (ExecutionQuery(text="1%0"), ""),
            (ExecutionQuery(text="w_"), ""),
            (ExecutionQuery(text="w1", workflow_id="w1", started_before=5.0), "ca"),
            (ExecutionQuery(text="\ud800"), ""),
        ],
    )
    def test_search(self, store: Store, query: ExecutionQuery, ids: str) -> None:
        rows = [
            row("a", workflow_id="w1", started_at=1.0),
            row("b", workflow_id="w2", started_at=2.0, status="failed", error="100% full", parent_execution_id="a"),
            row(
                "c",
                workflow_id="w1",
                started_at=3.0,
                status="success",
                workflow_name="My Flow",
                caller_execution_id="b",
            ),
            row("d", workflow_id="w2", started_at=4.0, status="failed", workflow_name="Straße"),
            row("e", workflow_id="w1", started_at=5.0, workflow_name="flow"),
        ]
        append(store, *(segment(each.execution_id, 1, 1, row=each) for each in rows))
        assert [found.execution_id for found in store.search(query)] == list(ids)

    def test_the_latest_of_each_workflow(self, store: Store) -> None:
        rows = [
            row("a", workflow_id="w1", started_at=2.0),
            row("b", workflow_id="w1", started_at=1.0),
            row("c", workflow_id="w2", started_at=3.0),
            row("d", workflow_id="w2", started_at=3.0, caller_execution_id="a"),
            row("e", workflow_id="w\0", started_at=4.0),
        ]
        append(store, *(segment(each.execution_id, 1, 1, row=each) for each in rows))
        append(store, segment("d", 2, 3))
        found = store.latest(["w1", "w\0", "w2", "w2", "w", "\ud800"])
        assert {workflow: each.execution_id for workflow, each in found.items()} == {"w1": "a", "w2": "d", "w\0": "e"}
        assert found["w2"] == store.row("d")
        assert store.latest([]) == {}
        assert len(store.latest([*map(str, range(1_000)), "w1"])) == 1

    def test_pages_are_stable_where_rows_start_at_the_same_instant(self, store: Store) -> None:
        ids = [f"e{number:02}" for number in range(25)]
        append(store, *(segment(name, 1, 1, row=row(name, started_at=float(int(name[1:]) // 10))) for name in ids))
        seen: list[str] = []
        before: tuple[float, str] | None = None
        while page := store.search(ExecutionQuery(before=before, limit=4)):
            seen += [each.execution_id for each in page]
            before = (page[-1].started_at, page[-1].execution_id)
            # what starts later does not shift the pages
            name = f"new{len(seen)}"
            append(store, segment(name, 1, 1, row=row(name, started_at=1_000.0)))
        assert seen == ids[::-1]

    # --- logs, payloads, definitions ---

    def test_logs_are_numbered_for_each_execution(self, store: Store) -> None:
        def line(execution_id: str, text: str) -> LogLine:
            return LogLine(
                execution_id=execution_id, node_id="n", path="l[1]", attempt=2, at=5.0, kind="stream", text=text
            )

        submit(store, segment("a", 1, 1), segment("b", 1, 1), logs=[line("a", "1"), line("b", "1")]).wait()
        submit(store, logs=[line("a", "2"), line("a", "3"), line("nobody", "?")]).wait()
        found = store.logs("a")
        assert [(each.offset, each.text) for each in found] == [(1, "1"), (2, "2"), (3, "3")]
        assert (found[0].path, found[0].attempt, found[0].at, found[0].kind) == ("l[1]", 2, 5.0, "stream")
        assert [each.text for each in store.logs("a", 1, 1)] == ["2"]
        assert list(store.logs("a", 3)) == []
        assert [each.offset for each in store.logs("b")] == [1]
        assert list(store.logs("nobody")) == []

    def test_the_logs_of_a_fenced_owner_are_refused_with_its_segment(self, store: Store) -> None:
        append(store, segment("a", 1, 1))
        store.claim(["a"])[0]
        submit(store, segment("a", 2, 2), logs=[LogLine(execution_id="a", node_id="n", text="late")]).wait()
        assert list(store.logs("a")) == []

    def test_payloads_are_kept_by_content(self, store: Store) -> None:
        submit(store, blobs=[(sha("a"), b"1"), (sha("b"), b"2")]).wait()
        assert submit(store, blobs=[(sha("a"), b"1")]).wait() == CommitResult()
        assert (store.blob(sha("a")), store.blob(sha("b"))) == (b"1", b"2")
        for unknown in (sha("c"), "", "odd", "\ud800"):
            with pytest.raises(StoreCorrupt):
                store.blob(unknown)

    def test_the_definition_stored_last_is_the_latest(self, store: Store) -> None:
        assert store.latest_definition("w") is None
        submit(store, definitions=[("d1", "w", "One", b"1"), ("d2", "v", "Other", b"2")]).wait()
        assert store.latest_definition("w") == ("d1", b"1")
        submit(store, definitions=[("d3", "w", "Three", b"3")]).wait()
        assert store.latest_definition("w") == ("d3", b"3")
        submit(store, definitions=[("d1", "w", "One", b"1")]).wait()
        assert store.latest_definition("w") == ("d1", b"1")
        assert store.latest_definition("v") == ("d2", b"2")
        assert store.definition("d3") == b"3"
        with pytest.raises(StoreCorrupt):
            store.definition("d4")

    # --- retention ---

    def test_pruning_takes_what_ended_before_the_oldest_first(self, store: Store) -> None:
        append(
            store,
            segment("old", 1, 1, row=row("old", ended_at=20.0)),
            segment("older", 1, 1, row=row("older", ended_at=10.0)),
            segment("young", 1, 1, row=row("young", ended_at=30.0)),
            segment("unended", 1, 1, row=row("unended", started_at=1.0)),
        )
        assert list(store.prune(Retention(ended_before=30.0, dry_run=True))) == ["older", "old"]
        assert store.row("older") is not None
        assert list(store.prune(Retention(ended_before=30.0, limit=1))) == ["older"]
        assert list(store.prune(Retention(ended_before=30.0))) == ["old"]
        assert list(store.prune(Retention(ended_before=30.0))) == []
        assert [each.execution_id for each in store.search(ExecutionQuery())] == ["unended", "young"]
        assert list(store.read("old")) == []
        assert append(store, segment("unended", 2, 2)) == CommitResult()

    def test_pruning_by_count_keeps_the_newest_ends(self, store: Store) -> None:
        append(store, *(segment(f"e{n}", 1, 1, row=row(f"e{n}", ended_at=10.0 + n)) for n in range(4)))
        append(store, segment("unended", 1, 1, row=row("unended", started_at=1.0)))
        assert list(store.prune(Retention(keep_count=3, dry_run=True))) == ["e0"]
        assert list(store.prune(Retention(keep_count=3, ended_before=12.0, dry_run=True))) == ["e0", "e1"]
        assert list(store.prune(Retention(keep_count=2))) == ["e0", "e1"]
        assert list(store.prune(Retention())) == []
        assert {each.execution_id for each in store.search(ExecutionQuery())} == {"e2", "e3", "unended"}

    def test_pruning_by_size_frees_what_it_takes(self, store: Store) -> None:
        big = b'{"seq":1,"x":"%s"}\n' % (b"y" * 10_000)
        append(store, *(segment(f"e{n}", 1, 1, row=row(f"e{n}", ended_at=10.0 + n), data=big) for n in range(4)))
        append(store, segment("unended", 1, 1, row=row("unended", started_at=1.0), data=big))
        assert list(store.prune(Retention(max_bytes=60_000))) == []
        assert list(store.prune(Retention(max_bytes=35_000))) == ["e0", "e1"]
        assert list(store.prune(Retention(max_bytes=1))) == ["e2", "e3"]
        assert store.row("unended") is not None

    def test_what_was_pruned_is_remembered(self, store: Store) -> None:
        append(store, segment("a", 1, 1, row=row("a", ended_at=1.0)), segment("b", 1, 1, row=row("b", ended_at=9.0)))
        assert not store.pruned("a")
        store.prune(Retention(ended_before=2.0))
        assert (store.pruned("a"), store.pruned("b"), store.pruned("nobody")) == (True, False, False)

    def test_pruning_keeps_what_others_refer_to(self, store: Store) -> None:
        submit(
            store,
            segment(
                "gone", 1, 1, row=row("gone", ended_at=1.0, definition=sha("1")), data=reference("a") + reference("b")
            ),
            segment("kept", 1, 1, row=row("kept", definition=sha("2")), data=reference("b")),
            segment("child", 1, 1, data=b'{"seq":1,"childDefinition":"%s"}\n' % sha("3").encode()),
            blobs=[(sha(character), b"1") for character in "abc"],
            definitions=[(sha(character), "w", "", b"{}") for character in "12345"],
            logs=[LogLine(execution_id="gone", node_id="n")],
        ).wait()
        assert list(store.prune(Retention(ended_before=2.0))) == ["gone"]
        assert store.blob(sha("b")) == b"1"
        for character in "ac":  # its own, and one that nobody ever referred to
            with pytest.raises(StoreCorrupt):
                store.blob(sha(character))
        for character in "235":  # of a run, of a child to come, the latest
            assert store.definition(sha(character)) == b"{}"
        for character in "14":
            with pytest.raises(StoreCorrupt):
                store.definition(sha(character))
        assert list(store.logs("gone")) == []

    def test_what_was_pruned_may_come_back(self, store: Store) -> None:
        definitions = [(sha("1"), "w", "", b"1"), (sha("2"), "w", "", b"2")]
        append(store, segment("a", 1, 1, row=row("a", ended_at=1.0)))
        submit(store, blobs=[(sha("a"), b"1")], definitions=definitions).wait()
        store.prune(Retention(ended_before=2.0))
        submit(store, segment("a", 1, 2), blobs=[(sha("a"), b"1")], definitions=definitions[:1]).wait()
        assert seqs(store.read("a")) == [1, 2]
        assert store.blob(sha("a")) == b"1"
        assert store.latest_definition("w") == (sha("1"), b"1")

    # --- life ---

    def test_stop_commits_what_was_submitted(self, store: Store) -> None:
        receipts = [submit(store, segment(f"e{number}", 1, 1)) for number in range(300)]
        store.stop()
        assert [receipt.results for receipt in receipts] == [[CommitResult()]] * 300
        store.start()
        assert len(store.search(ExecutionQuery(limit=1_000))) == 300

    def test_a_stopped_or_unstarted_store_refuses(self, store: Store, tmp_path: Path) -> None:
        unstarted = self.make_store(tmp_path / "other")
        unstarted.stop()
        unstarted.stop()
        store.stop()
        store.stop()
        for closed in (store, unstarted):
            receipt = submit(closed, segment("a", 1, 1))
            assert len(receipt.results) == 1  # at once
            assert isinstance(receipt.results[0].error, StoreUnavailable)
            for read in (closed.read, closed.row, closed.logs, closed.blob, closed.claim):
                with pytest.raises(StoreUnavailable):
                    read("a")
            with pytest.raises(StoreUnavailable):
                closed.search(ExecutionQuery())
            with pytest.raises(StoreUnavailable):
                closed.latest(["w"])
            assert closed.statistics() == {}

    def test_every_commit_is_answered_once_when_stop_comes_between(self, store: Store) -> None:
        receipts: list[Receipt] = []
        submitting = threading.Event()

        def work() -> None:
            for number in range(2_000):
                receipts.append(submit(store, segment(f"e{number}", 1, 1)))
                submitting.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert submitting.wait(PATIENCE_SECONDS)
        store.stop()
        thread.join()
        for receipt in receipts:
            receipt.wait()
        kept = [receipt.results == [CommitResult()] for receipt in receipts]
        assert kept == sorted(kept, reverse=True)  # kept up to some commit, refused from there
        store.start()
        assert len(store.search(ExecutionQuery(limit=5_000))) == sum(kept)

    def test_everything_is_there_after_a_restart(self, store: Store, tmp_path: Path) -> None:
        log = LogLine(execution_id="a", node_id="n", text="1")
        submit(
            store, segment("a", 1, 2), blobs=[(sha("a"), b"1")], definitions=[("d", "w", "", b"{}")], logs=[log]
        ).wait()
        store.claim(["a"])[0]
        store.stop()
        store.start()
        store.start()
        assert seqs(store.read("a")) == [1, 2]
        assert (store.blob(sha("a")), store.latest_definition("w")) == (b"1", ("d", b"{}"))
        assert set(append(store, segment("a", 3, 3, epoch=1)).conflicts) == {"a"}
        assert set(append(store, segment("a", 1, 1)).conflicts) == {"a"}
        assert submit(store, segment("a", 3, 3, epoch=2), logs=[log]).wait() == CommitResult()
        assert [line.offset for line in store.logs("a")] == [1, 2]

    def test_statistics(self, store: Store) -> None:
        append(store, segment("a", 1, 10))
        append(store, segment("a", 10, 11))
        found = store.statistics()
        assert (found["commits"], found["events"], found["segments"]) == (2, 10, 1)
        assert (found["conflicts"], found["failures"], found["queue"]) == (1, 0, 0)
        assert found["bytes"] == len(lines(1, 10))
        assert 0 < found["mean_commit_ms"] <= found["max_commit_ms"]
        assert found["last_commit_ms"] > 0
