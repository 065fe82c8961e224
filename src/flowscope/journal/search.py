"""The search of executions: one meaning, as a predicate for memory and as conditions for SQL.

Newest first, by (started_at, execution_id) falling, which is also the cursor: rows that start at the same instant keep
their order from page to page. `started_after` is inclusive and `started_before` exclusive, so that ranges adjoin. Text is
compared case-folded, in all of Unicode, which LIKE is not; so the folded text is kept in a column of its own.
"""

from __future__ import annotations

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
        and (not query.parent_execution_id or row.parent_execution_id == query.parent_execution_id)
        and (not query.text or query.text.casefold() in folded(row))
        and (query.before is None or order(row) < query.before)
    )


def conditions(query: ExecutionQuery) -> list[Condition]:
    """The same as SQL conditions with their bindings, to be joined by AND; only those asked for, so that an index fits."""
    found: list[Condition] = []
    if query.workflow_id:
        found.append(("workflow_id = ?", (query.workflow_id,)))
    if query.statuses:
        marks = ", ".join("?" * len(query.statuses))
        found.append((f"status IN ({marks})", tuple(query.statuses)))
    if query.started_after:
        found.append(("started_at >= ?", (query.started_after,)))
    if query.started_before:
        found.append(("started_at < ?", (query.started_before,)))
    if query.parent_execution_id:
        found.append(("parent_execution_id = ?", (query.parent_execution_id,)))
    if query.text:
        found.append(("instr(folded, ?) > 0", (query.text.casefold(),)))
    if query.before is not None:
        found.append(("(started_at, execution_id) < (?, ?)", query.before))
    return found
