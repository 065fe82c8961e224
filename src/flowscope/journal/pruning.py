"""Retention: executions that ended long enough ago go, and then what nothing refers to any more (mark and sweep).

Candidates are looked for on a reader, which holds nobody up; the writer deletes them in small transactions, between which
commits have their turn, and asks in each once more whether they may go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeVar

from flowscope.journal.readers import Readers
from flowscope.journal.statements import SQL
from flowscope.journal.transaction import Transactions
from flowscope.journal.writer import Writer
from flowscope.orchestrator.ports import Retention

BATCH = 64
"""Executions, payloads or definitions deleted in one transaction."""

_OF_EXECUTION = ("delete_segments", "delete_logs", "delete_refs", "delete_execution")
_UNREFERENCED = (
    ("unreferenced_blobs", "delete_blob"),
    ("unreferenced_definitions", "delete_definition"),
)

Item = TypeVar("Item")


Candidate = tuple[str, float]
"""An execution's id and when it ended."""


def prunable(readers: Readers, retention: Retention) -> list[Candidate]:
    """What may go, oldest first."""
    rows = readers.rows(SQL["prunable"], retention.ended_before, retention.keep_count)
    found: dict[str, float] = dict(rows)
    if retention.max_bytes:
        found = beyond(readers.rows(SQL["sizes"]), found, retention.max_bytes)
    return list(found.items())[: max(retention.limit, 0)]


def beyond(sizes: Sequence[tuple[str, float, int]], gone: dict[str, float], max_bytes: int) -> dict[str, float]:
    """Those that go anyway, and as many more as it takes, of (id, end, bytes) in the order of their ends."""
    left = sum(size for execution_id, _, size in sizes if execution_id not in gone)
    for execution_id, ended_at, size in sizes:
        if left <= max_bytes:
            break
        if ended_at and execution_id not in gone:
            left -= size
            gone[execution_id] = ended_at
    return dict(sorted(gone.items(), key=lambda item: (item[1], item[0])))


def prune(readers: Readers, writer: Writer, transactions: Transactions, retention: Retention) -> list[str]:
    """Delete what may go, and sweep; the ids that went."""
    gone: list[str] = []
    for ids in _chunks(prunable(readers, retention)):
        gone += writer.call(partial(_delete_executions, transactions, ids))
    for candidates, statement in _UNREFERENCED:
        numbers = [number for (number,) in readers.rows(SQL[candidates])]
        for some in _chunks(numbers):
            writer.call(partial(_delete_unreferenced, transactions, statement, some))
    return gone


def _delete_executions(transactions: Transactions, candidates: Sequence[Candidate]) -> list[str]:
    gone = []
    with transactions.task() as connection:
        for execution_id, ended_at in candidates:
            number = connection.execute(SQL["prunable_number"], (execution_id, ended_at)).get
            if number is None:
                continue
            for name in _OF_EXECUTION:
                connection.execute(SQL[name], (number,))
            connection.execute(SQL["note_pruned"], (execution_id,))
            gone.append(execution_id)
        connection.execute(SQL["forget_pruned"])
    transactions.forget(gone)
    return gone


def _delete_unreferenced(transactions: Transactions, statement: str, numbers: Sequence[int]) -> None:
    with transactions.task() as connection:
        connection.executemany(SQL[statement], [(number,) for number in numbers])


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
