"""The search of executions: one meaning, as a predicate for memory and as conditions for SQL.

Newest first, by (started_at, execution_id) falling, which is also the cursor: rows that start at the same instant keep
their order from page to page. `started_after` and `ended_after` are inclusive, and `started_before` exclusive, so that ranges adjoin. Text is
compared case-folded, in all of Unicode, which LIKE is not; so the folded text is kept in a column of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowscope.journal.admission import is_unicode
from flowscope.orchestrator.ports import ExecutionQuery, ExecutionRow

Condition = tuple[str, tuple[str | float, ...]]


def folded(row: ExecutionRow) -> str:
    """The text that is searched: a line each of id, workflow id, workflow name and error."""
    return "\n".join((row.execution_id, row.workflow_id, row.workflow_name, row.error)).casefold()


def order(row: ExecutionRow) -> tuple[float, str]:
    """The sort key, and the cursor."""
    return (row.started_at, row.execution_id)


def matches(row: ExecutionRow, query: ExecutionQuery) -> bool:
    """Whether the query finds the row."""
    return (
        (not query.workflow_id or row.workflow_id == query.workflow_id)
        and (not query.statuses or row.status in query.statuses)
        and (not query.started_after or row.started_at >= query.started_after)
        and (not query.started_before or row.started_at < query.started_before)
        and (not query.ended_after or row.ended_at >= query.ended_after)
        and (not query.parent_execution_id or row.parent_execution_id == query.parent_execution_id)
        and (not query.on_top or not row.caller_execution_id)
        and (not query.text or query.text.casefold() in folded(row))
        and (query.before is None or order(row) < query.before)
    )


def search_statement(select: str, query: ExecutionQuery) -> tuple[str, list[str | float]]:
    """The same in SQL, with its bindings: `select` for each status asked for, in order and limited by an index, and then
    the newest of them all. (One condition over several statuses would sort every row that has one of them.)"""
    limit = max(query.limit, 0)
    parts: list[str] = []
    bindings: list[str | float] = []
    for status in dict.fromkeys(query.statuses) or (None,):
        found = _conditions(query, status)
        where = " WHERE " + " AND ".join(sql for sql, _ in found) if found else ""
        # Constants of this package are put together here; every value is bound.
        parts.append(f"SELECT * FROM ({select}{where}{_NEWEST})")  # noqa: S608
        bindings += [value for _, values in found for value in values]
        bindings.append(limit)
    return " UNION ALL ".join(parts) + _NEWEST, [*bindings, limit]


def latest_statement(select: str, workflow_ids: Sequence[str]) -> tuple[str, list[str]]:
    """The newest of each of these workflows, with its bindings: one look into an index for each, however many it has."""
    bindings = [one for one in dict.fromkeys(workflow_ids) if is_unicode(one)]
    wanted = "SELECT NULL AS column1" if not bindings else "VALUES " + ", ".join(["(?)"] * len(bindings))
    newest = f"SELECT number FROM executions WHERE workflow_id = column1{_ORDER} LIMIT 1"  # noqa: S608
    return f"{select} WHERE number IN (SELECT ({newest}) FROM ({wanted}))", bindings  # noqa: S608


_ORDER = " ORDER BY started_at DESC, execution_id DESC"
_NEWEST = _ORDER + " LIMIT ?"


def _conditions(query: ExecutionQuery, status: str | None) -> list[Condition]:
    """Only those asked for, so that an index fits."""
    found: list[Condition] = []
    if query.workflow_id:
        found.append(("workflow_id = ?", (query.workflow_id,)))
    if status is not None:
        found.append(("status = ?", (status,)))
    if query.started_after:
        found.append(("started_at >= ?", (query.started_after,)))
    if query.started_before:
        found.append(("started_at < ?", (query.started_before,)))
    if query.ended_after:
        found.append(("ended_at >= ?", (query.ended_after,)))
    if query.parent_execution_id:
        found.append(("parent_execution_id = ? AND parent_execution_id <> ''", (query.parent_execution_id,)))
    if query.on_top:
        found.append(("caller_execution_id = ''", ()))
    if query.text:
        found.append(("instr(folded, ?) > 0", (query.text.casefold(),)))
    if query.before is not None:
        found.append(("(started_at, execution_id) < (?, ?)", query.before))
    return found
