"""`show EXECUTION_ID`: where the time of a run went, its attempts, and the runs it comes from and that came from it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from flowscope.cli.formats import LOOKS, Look, counted, duration, local, shortened
from flowscope.definition import decode
from flowscope.definition.plan import Plan, compile_plan
from flowscope.execution.events import AnyEvent, decode_lines
from flowscope.execution.timeline import Mark, TimedNode, Timeline, best_timeline
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.families import Family, Member, family_of
from flowscope.orchestrator.library import missing
from flowscope.orchestrator.ports import ExecutionRow, Store

WIDEST: Final = 60
"""Columns of the timeline, where the terminal has them."""

_BESIDE: Final = 58
"""Columns of all that stands beside it."""

MOST_NODES: Final = 200

_PARTS: Final = {"queue": ("·", "dim"), "backoff": ("~", "#8b5cf6"), "wait": ("─", "#8b5cf6"), "down": ("╳", "#f59e0b")}
_ENDS: Final = {
    "success": ("█", "#10b981"), "error": ("▒", "#ef4444"), "lost": ("▒", "#f59e0b"), "cancelled": ("▒", "#f59e0b"),
    "running": ("█", "#3b82f6"),
}  # fmt: skip
_KEPT: Final = Look("=", "#10b981")
_LOST: Final = Look("✗", "#f59e0b")


def show_execution(store: Store, registry: Registry, execution_id: str) -> None:
    """Print it. `ExecutionNotFound`."""
    row = store.row(execution_id)
    if row is None:
        raise missing(store, execution_id)
    plan = _plan(store, registry, row)
    events = list(_events(store, execution_id))
    told = best_timeline(events, plan, time.time() * 1000)
    labels = plan.labels if plan else {}
    console = Console(highlight=False)
    _print_head(row, told, console)
    _print_lanes(told, labels, console)
    _print_attempts(told, events, labels, console)
    family = family_of(store, execution_id)
    if len(family.members) > 1:
        console.print()
        console.print(_tree(family))


def _plan(store: Store, registry: Registry, row: ExecutionRow) -> Plan | None:
    if not row.definition:
        return None
    try:
        return compile_plan(decode(store.definition(row.definition)), registry)
    except LookupError:
        return None


def _events(store: Store, execution_id: str) -> Iterator[AnyEvent]:
    after = 0
    while segments := store.read(execution_id, after):
        for segment in segments:
            yield from decode_lines(segment.lines)
        after = segments[-1].last_seq


def _print_head(row: ExecutionRow, told: Timeline, console: Console) -> None:
    look = LOOKS[row.status]
    took = duration(told.end - told.start)
    line = Text.assemble(
        (f"{look.icon} {row.status}", look.colour),
        f"  {row.workflow_name or row.workflow_id}  ",
        (row.execution_id, "dim"),
    )
    console.print(line, soft_wrap=True)
    console.print(
        Text(f"{local(told.start)} · {took}{'' if told.ended else ' so far'}{_origin(row)}", "dim"), soft_wrap=True
    )
    if row.error:
        console.print(Text(shortened(row.error, 400), LOOKS["error"].colour), soft_wrap=True)
    console.print()


def _origin(row: ExecutionRow) -> str:
    return f" · taken up from {row.parent_execution_id}" if row.parent_execution_id else ""


def _print_lanes(told: Timeline, labels: dict[str, str], console: Console) -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    top = [node for node in told.nodes if not node.path]
    columns = max(12, min(WIDEST, console.width - _BESIDE))
    for node in top[:MOST_NODES]:
        look = _look(node.status)
        slack = f"slack {duration(node.slack)}" if node.slack and node.slack >= 1 and node.attempts else ""
        table.add_row(
            Text("┃" if node.critical else " ", "#4f46e5"),
            Text(look.icon, look.colour),
            Text(shortened(labels.get(node.node_id, node.node_id), 28)),
            _lane(node, told, columns),
            Text(duration(node.end - node.due), "dim", justify="right"),
            Text(slack, "dim"),
        )
    console.print(table)
    if len(top) > MOST_NODES:
        console.print(Text(f"… and {len(top) - MOST_NODES:,} more nodes", "dim"))
    if told.critical_path:
        path = counted(len(told.critical_path), "node")
        console.print(Text(f"┃ critical path: {path}, {duration(told.work)} of it running", "dim"))
    for mark in told.marks:
        words = _mark(mark, told)
        if words:
            console.print(Text(words, "#b45309"))


def _look(status: str) -> Look:
    return _KEPT if status == "kept" else _LOST if status == "lost" else LOOKS.get(status, LOOKS["idle"])


def _lane(node: TimedNode, told: Timeline, columns: int) -> Text:
    """One character a slice of time; what ran is seen however short it was."""
    width = max(told.end - told.start, 1e-9)
    cells: list[tuple[str, str]] = [(" ", "")] * columns

    def column(at: float) -> int:
        return min(columns - 1, max(0, int((at - told.start) / width * columns)))

    for attempt in node.attempts:
        for part in attempt.segments:
            cell = _ENDS[attempt.status] if part.kind == "run" else _PARTS[part.kind]
            for place in range(column(part.start), column(part.end) + 1):
                if part.kind == "run" or cells[place][0] == " ":
                    cells[place] = cell
    if not node.attempts:
        cells[column(node.end)] = ("│", "dim")
    return Text.assemble(*cells)


def _mark(mark: Mark, told: Timeline) -> str:
    at = f"+{duration(mark.at - told.start)}"
    if mark.kind == "stopped":
        return f"{at}  the process stopped here; resumed {duration(mark.until - mark.at)} later (epoch {mark.epoch})"
    if mark.kind == "paused":
        return f"{at}  paused" + (f" for {duration(mark.until - mark.at)}" if mark.until else "")
    return ""


def _print_attempts(told: Timeline, events: list[AnyEvent], labels: dict[str, str], console: Console) -> None:
    """Of the nodes that took more than one, or did not end well."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    tried = [node for node in told.nodes if len(node.attempts) > 1 or node.status in ("error", "lost")]
    for node in tried[:50]:
        for attempt in node.attempts:
            look = _look(attempt.status)
            parts = ", ".join(f"{part.kind} {duration(part.end - part.start)}" for part in attempt.segments)
            error = getattr(events[attempt.seq - 1], "error", None) if attempt.seq else None
            place = f"{labels.get(node.node_id, node.node_id)}{f' in {node.path}' if node.path else ''}"
            table.add_row(
                Text(shortened(place, 40)),
                Text(f"attempt {attempt.attempt}", "dim"),
                Text(f"{look.icon} {attempt.status}", look.colour),
                Text(parts, "dim"),
                Text(shortened(error.message, 120) if error else "", LOOKS["error"].colour),
            )
    if tried:
        console.print()
        console.print(table)


def _tree(family: Family) -> Tree:
    root = family.members[0]
    tree = Tree(_member(root, family), guide_style="dim")
    places = {root.row.execution_id: tree}
    for member in family.members[1:]:
        places[member.row.execution_id] = places[member.row.parent_execution_id].add(_member(member, family))
    return tree


def _member(member: Member, family: Family) -> Text:
    row, look = member.row, LOOKS[member.row.status]
    how = member.origin + (f" from {member.fork_from}" if member.fork_from else "")
    how += f" to {member.until}" if member.until else ""
    how += ", other input" if member.new_input else ""
    how += f", other {', '.join(member.changed[:3])}{' …' if len(member.changed) > 3 else ''}" if member.changed else ""
    here = "bold" if row.execution_id == family.execution_id else ""
    return Text.assemble(
        (f"{look.icon} ", look.colour), (row.execution_id, here), (f"  {row.status}", look.colour), (f"  {how}", "dim")
    )
