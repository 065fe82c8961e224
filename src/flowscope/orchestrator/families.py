"""The tree of executions that were taken up from one another."""

from __future__ import annotations

from typing import Any

import msgspec

from flowscope.execution.events import Event, ExecutionStarted, NodeInputReplaced, decode_lines
from flowscope.orchestrator.library import missing
from flowscope.orchestrator.ports import ExecutionQuery, ExecutionRow, Store

MOST = 1_000
"""Members that are told."""

PAGE = 200


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, and how it came to be: see `ExecutionStarted`. `new_input`: the run, or the node it was taken up from, was
    given another input; `changed`: the nodes that are otherwise than in the parent's workflow, or are not in both."""

    row: ExecutionRow
    origin: str = ""
    fork_from: str = ""
    until: str = ""
    new_input: bool = False
    changed: tuple[str, ...] = ()


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
    register = _Register(store)
    members = [register.member(row)]
    for member in members:
        before: tuple[float, str] | None = None
        while len(members) <= MOST:
            query = ExecutionQuery(parent_execution_id=member.row.execution_id, before=before, limit=PAGE)
            children = list(store.search(query))
            members += [register.member(child) for child in children]
            if len(children) < PAGE:
                break
            before = (children[-1].started_at, children[-1].execution_id)
    return Family(execution_id=execution_id, members=tuple(members[:MOST]), more=len(members) > MOST)


class _Register:
    """How executions began, and what their workflows are, each read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._beginnings: dict[str, tuple[ExecutionRow, ExecutionStarted]] = {}
        self._nodes: dict[str, dict[str, Any]] = {}

    def member(self, row: ExecutionRow) -> Member:
        segments = self._store.read(row.execution_id, 0, 1)
        events: list[Any] = decode_lines(segments[0].lines) if segments else [None]
        first = events[0]
        if not isinstance(first, ExecutionStarted):
            return Member(row=row)
        self._beginnings[row.execution_id] = row, first
        parent, before = self._beginnings.get(first.parent_execution_id, (row, first))
        return Member(
            row=row,
            origin=first.origin,
            fork_from=first.fork_from,
            until=first.until,
            new_input=_input(first) != _input(before) or _replaced(events),
            changed=self._changed(parent.definition, row.definition),
        )

    def _changed(self, old: str, new: str) -> tuple[str, ...]:
        if old == new:
            return ()
        before, after = self._by_id(old), self._by_id(new)
        return tuple(node_id for node_id in before | after if before.get(node_id) != after.get(node_id))

    def _by_id(self, definition: str) -> dict[str, Any]:
        if definition not in self._nodes:
            document = msgspec.json.decode(self._store.definition(definition)) if definition else {"nodes": []}
            self._nodes[definition] = {
                node["id"]: (node.get("data"), node.get("parentId"), node.get("type")) for node in document["nodes"]
            }
        return self._nodes[definition]


def _input(first: ExecutionStarted) -> tuple[bytes, object]:
    return bytes(first.input), first.input_blob


def _replaced(events: list[Event]) -> bool:
    return any(isinstance(event, NodeInputReplaced) for event in events)
