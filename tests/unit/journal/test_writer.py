"""The writer's thread, driven with a backend that does as it is told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest

from flowscope.errors import StoreError, StoreUnavailable
from flowscope.journal.writer import Writer
from flowscope.orchestrator.ports import Commit, CommitResult
from flowscope.testing.store_conformance import PATIENCE_SECONDS, Receipt


class Scripted:
    """Notes what it is asked for; fails when told to."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.rested = threading.Event()
        self.closed = False
        self.fail: Exception | None = None
        self.fail_tidy: Exception | None = None
        self.fail_close: StoreError | None = None

    def write(self, commits: Sequence[Commit]) -> Sequence[CommitResult]:
        self.batches.append(len(commits))
        if self.fail is not None:
            raise self.fail
        return [CommitResult() for _ in commits]

    def tidy(self, *, resting: bool) -> None:
        if self.fail_tidy is not None:
            raise self.fail_tidy
        if resting:
            self.rested.set()

    def close(self) -> None:
        self.closed = True
        if self.fail_close is not None:
            raise self.fail_close

    def statistics(self) -> dict[str, Any]:
        return {}


def submitted(writer: Writer) -> Receipt:
    receipt = Receipt()
    writer.submit(Commit(done=receipt))
    return receipt


@pytest.fixture
def backend() -> Scripted:
    return Scripted()


@pytest.fixture
def writer(backend: Scripted) -> Writer:
    return Writer(backend, name="test")


def test_what_waits_is_written_at_once(writer: Writer, backend: Scripted) -> None:
    receipts = [submitted(writer) for _ in range(10)]
    writer.start()
    assert all(receipt.wait() == CommitResult() for receipt in receipts)
    writer.stop()
    assert backend.batches == [10]
    assert backend.closed


def test_tasks_keep_their_turn(writer: Writer, backend: Scripted) -> None:
    seen: list[list[int]] = []
    submitted(writer)
    submitted(writer)
    caller = threading.Thread(target=lambda: writer.call(lambda: seen.append(list(backend.batches))))
    caller.start()
    while writer.statistics()["queue"] < 3:
        pass
    last = submitted(writer)
    writer.start()
    last.wait()
    caller.join()
    writer.stop()
    assert seen == [[2]]
    assert backend.batches == [2, 1]


def test_a_task_that_fails_raises_where_it_is_waited_for(writer: Writer) -> None:
    def work() -> None:
        raise KeyError("no")

    writer.start()
    with pytest.raises(KeyError):
        writer.call(work)
    assert submitted(writer).wait() == CommitResult()
    writer.stop()


def test_a_backend_that_raises_refuses_and_goes_on(
    writer: Writer, backend: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    backend.fail = ZeroDivisionError("oops")
    writer.start()
    assert isinstance(submitted(writer).wait().error, StoreError)
    backend.fail = None
    assert submitted(writer).wait() == CommitResult()
    writer.stop()
    assert "unforeseen" in caplog.text
    assert writer.statistics()["failures"] == 1


def test_when_the_thread_ends_unforeseen_everybody_is_told(
    writer: Writer, backend: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    backend.fail_tidy = ZeroDivisionError("oops")
    backend.fail_close = StoreUnavailable("nor this")
    writer.start()
    submitted(writer).wait()
    writer.stop()
    assert isinstance(submitted(writer).results[0].error, StoreUnavailable)
    with pytest.raises(StoreUnavailable):
        writer.call(lambda: None)
    assert "writer has ended" in caplog.text and "did not close cleanly" in caplog.text


def test_a_writer_with_nothing_to_do_rests(writer: Writer, backend: Scripted) -> None:
    writer.start()
    assert backend.rested.wait(PATIENCE_SECONDS)
    assert submitted(writer).wait() == CommitResult()
    writer.stop()
