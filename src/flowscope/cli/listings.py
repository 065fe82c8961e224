"""What is only read: the events of a run, the list of runs, the catalogue of nodes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowscope.cli.formats import LOOKS, counted, duration, iso, local, shortened
from flowscope.definition.workflow import JSON
from flowscope.execution.events import decode_lines, encode
from flowscope.execution.view import ENDED
from flowscope.journal import SqliteStore
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeType
from flowscope.orchestrator.library import missing
from flowscope.orchestrator.ports import IMPORTED, ExecutionRow, Store

PATIENCE = 0.2
"""Seconds between two looks into the store of another process."""


@contextmanager
def reading(data: Path) -> Iterator[Store]:
    """The store of a data directory, read-only: beside the process that writes it, or without one."""
    store = SqliteStore(data, read_only=True)
    store.start()
    try:
        yield store
    finally:
        store.stop()


def print_events(store: Store, execution_id: str, after: int, *, follow: bool) -> None:
    """The events with `seq > after` as NDJSON; with `follow`, those to come until the run ends."""
    while True:
        row = store.row(execution_id)
        if row is None:
            raise missing(store, execution_id)
        after = _print_history(store, execution_id, after)
        if not follow or (row.status in ENDED and after >= row.last_seq):
            return
        time.sleep(PATIENCE)


def _print_history(store: Store, execution_id: str, after: int) -> int:
    out = sys.stdout.buffer
    while segments := store.read(execution_id, after):
        for segment in segments:
            if segment.first_seq > after:
                out.write(segment.lines)
            else:
                out.writelines(encode(event) + b"\n" for event in decode_lines(segment.lines) if event.seq > after)
        after = segments[-1].last_seq
        out.flush()
    return after


def execution_object(row: ExecutionRow) -> dict[str, JSON]:
    """One execution in `executions --json`. Instants are ISO 8601 UTC; null where there is none."""
    return {
        "executionId": row.execution_id,
        "workflowId": row.workflow_id,
        "workflowName": row.workflow_name,
        "status": row.status,
        "detail": row.detail,
        "startedAt": iso(row.started_at),
        "endedAt": iso(row.ended_at),
        "durationMs": round(row.ended_at - row.started_at, 3) if row.ended_at else None,
        "error": row.error or None,
        "parentExecutionId": row.parent_execution_id or row.caller_execution_id or None,
        "lastSeq": row.last_seq,
    }


def print_executions(rows: list[ExecutionRow]) -> None:
    """A table, newest first."""
    if not rows:
        print("No executions")
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("execution", no_wrap=True)
    table.add_column("workflow", overflow="ellipsis", no_wrap=True, max_width=32)
    table.add_column("status", no_wrap=True)
    table.add_column("started", no_wrap=True)
    table.add_column("took", no_wrap=True, justify="right")
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for row in rows:
        look = LOOKS[row.status]
        table.add_row(
            row.execution_id,
            Text(row.workflow_name or row.workflow_id),
            Text(f"{look.icon} {row.status}", look.colour),
            local(row.started_at) if row.started_at else "",
            duration(row.ended_at - row.started_at) if row.ended_at else "",
            Text(shortened(_remark(row), 200), LOOKS["error"].colour if row.error else "dim"),
        )
    print_wide(table)


def _remark(row: ExecutionRow) -> str:
    if row.error and row.detail.startswith(IMPORTED):
        return f"{row.detail} · {row.error}"
    return row.error or row.detail


def print_nodes(registry: Registry) -> None:
    """The catalogue by category: type, and the first sentence of what it does."""
    by_category: dict[str, list[NodeType]] = {}
    for kind in registry:
        by_category.setdefault(kind.category, []).append(kind)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for category, kinds in sorted(by_category.items()):
        table.add_row(Text(category, "bold"), "")
        for kind in kinds:
            table.add_row(Text(f"  {kind.type}"), Text(_first_sentence(kind.description) or kind.title, "dim"))
    print_wide(table)
    print(f"\n{counted(len(list(registry)), 'node type')}; `flowscope nodes --json` has their settings")


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n")[0].split())
    head, dot, _ = paragraph.partition(". ")
    return head + dot.strip()


def print_lines(objects: Iterable[JSON]) -> None:
    """Values as one JSON array, a line each."""
    out = sys.stdout.buffer
    lines = b",\n ".join(msgspec.json.encode(value) for value in objects)
    out.write(b"[" + lines + b"]\n")
    out.flush()


def print_wide(table: Table) -> None:
    """In a pipe a table has the width it needs."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=400)
    console.print(table)
