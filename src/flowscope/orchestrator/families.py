"""The tree of executions that were taken up from one another."""

from __future__ import annotations

import msgspec

from flowscope.execution.events import ExecutionStarted, decode_lines
from flowscope.orchestrator.library import missing
from flowscope.orchestrator.ports import ExecutionQuery, ExecutionRow, Store

MOST = 1_000
"""Members that are told."""

PAGE = 200


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, and how it came to be: see `ExecutionStarted`."""

    row: ExecutionRow
    origin: str = ""
    fork_from: str = ""
    until: str = ""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """`members` hold the root first and each after its parent; `more`: there are others beyond the limit."""

    execution_id: str
    members: tuple[Member, ...]
    more: bool = False


def family_of(store: Store, execution_id: str) -> Family:
    """The whole family of an execution; blocking. A parent that has been pruned leaves its children roots."""
    row = store.row(execution_id)
    if row is None:
        raise missing(store, execution_id)
    seen = {execution_id}
    while row.parent_execution_id and row.parent_execution_id not in seen:
        parent = store.row(row.parent_execution_id)
        if parent is None:
            break
        row = parent
        seen.add(row.execution_id)
    members = [_member(store, row)]
    for member in members:
        before: tuple[float, str] | None = None
        while len(members) <= MOST:
            query = ExecutionQuery(parent_execution_id=member.row.execution_id, before=before, limit=PAGE)
            children = list(store.search(query))
            members += [_member(store, child) for child in children]
            if len(children) < PAGE:
                break
            before = (children[-1].started_at, children[-1].execution_id)
    return Family(execution_id=execution_id, members=tuple(members[:MOST]), more=len(members) > MOST)


def _member(store: Store, row: ExecutionRow) -> Member:
    segments = store.read(row.execution_id, 0, 1)
    first = decode_lines(segments[0].lines)[0] if segments else None
    if not isinstance(first, ExecutionStarted):
        return Member(row=row)
    return Member(row=row, origin=first.origin, fork_from=first.fork_from, until=first.until)
