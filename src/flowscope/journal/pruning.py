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


def prunable(readers: Readers, retention: Retention) -> list[str]:
    """The ids of what may go, oldest first."""
    rows = readers.rows(SQL["prunable"], retention.ended_before, max(retention.limit, 0))
    return [execution_id for (execution_id,) in rows]


def prune(readers: Readers, writer: Writer, transactions: Transactions, retention: Retention) -> list[str]:
    """Delete what may go, and sweep; the ids that went."""
    gone: list[str] = []
    for ids in _chunks(prunable(readers, retention)):
        gone += writer.call(partial(_delete_executions, transactions, ids, retention.ended_before))
    for candidates, statement in _UNREFERENCED:
        numbers = [number for (number,) in readers.rows(SQL[candidates])]
        for some in _chunks(numbers):
            writer.call(partial(_delete_unreferenced, transactions, statement, some))
    return gone


def _delete_executions(transactions: Transactions, ids: Sequence[str], ended_before: float) -> list[str]:
    gone = []
    with transactions.task() as connection:
        for execution_id in ids:
            number = connection.execute(SQL["prunable_number"], (execution_id, ended_before)).get
            if number is None:
                continue
            for name in _OF_EXECUTION:
                connection.execute(SQL[name], (number,))
            gone.append(execution_id)
    transactions.forget(gone)
    return gone


def _delete_unreferenced(transactions: Transactions, statement: str, numbers: Sequence[int]) -> None:
    with transactions.task() as connection:
        connection.executemany(SQL[statement], [(number,) for number in numbers])


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
