"""A plan from a few lines of text, for tests of the machine.

    sketch("start -> check; check:true -> yes -> end; check:false -> no -> end:right")
    sketch("start -> each { fetch -> store } -> end", each={"retry": Retry(attempts=3)})

`a:handle` is the handle an edge leaves by, and at the end of a chain the one it comes in by; braces hold a container's body. A node's type follows from its id
without the digits at its end (`map2` is a `map`; a node with a body is a `map` unless its id says otherwise); everything
else is a task. Keywords, or for odd ids `policies`, give a node's policy, and its `type`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flowscope.definition.catalogue import Role
from flowscope.definition.plan import Plan, compile_plan
from flowscope.definition.workflow import JSON, Edge, Effects, Node, Policy, Resources, Retry, Settings, Workflow
from flowscope.errors import Problem

_ROLES: dict[str, Role] = {
    "manual_trigger": "trigger",
    "webhook": "trigger",
    "error_trigger": "error_trigger",
    "map": "container",
    "loop": "container",
    "split_in_batches": "container",
    "try_catch": "container",
}

_TOKEN = re.compile(r"->|[{};]|[^\s{};:]+(?::[^\s{};]+)?")


class SketchedKind:
    """A node type that only has a name and a role. Satisfies `NodeKind`."""

    handles: tuple[str, ...] | None = None
    effects: Effects = "pure"
    resources: Resources = "io"
    retry = Retry()
    timeout = 0.0

    def __init__(self, type: str) -> None:
        self.type = type
        self.role: Role = _ROLES.get(type, "task")

    def check(self, config: dict[str, JSON], place: str) -> list[Problem]:
        return []

    def check_expressions(self, text: str, place: str) -> list[Problem]:
        return []


class SketchedCatalogue:
    """Knows every type. Satisfies `Catalogue`."""

    def find(self, type: str) -> SketchedKind:
        return SketchedKind(type)

    def types(self) -> Iterable[str]:
        return _ROLES

    def instead_of(self, type: str) -> str | None:
        return None


def sketch(text: str, *, timeout: float = 0, policies: Mapping[str, dict[str, Any]] | None = None, **more: Any) -> Plan:
    """The plan of a sketched workflow."""
    settled = {**(policies or {}), **more}
    ids, edges, bodies = _read(text)
    nodes = []
    for node_id, parent in ids.items():
        said = dict(settled.get(node_id, {}))
        stem = node_id.rstrip("0123456789")
        type_ = said.pop("type", stem if stem in _ROLES else "map" if node_id in bodies else "task")
        nodes.append(Node(node_id, type_, node_id, {}, Policy(**said), parent))
    return plan_of(nodes, edges, timeout=timeout)


def plan_of(nodes: Iterable[Node], edges: Iterable[Edge], *, timeout: float = 0) -> Plan:
    """The plan of these nodes and edges."""
    workflow = Workflow("sketch", "sketch", tuple(nodes), tuple(edges), Settings(timeout), {}, b"{}", "0" * 64)
    return compile_plan(workflow, SketchedCatalogue())


def _read(text: str) -> tuple[dict[str, str | None], list[Edge], set[str]]:
    ids: dict[str, str | None] = {}
    edges: list[Edge] = []
    outer: list[tuple[str | None, str]] = []
    parent: str | None = None
    before, joined = "", False
    tokens = _TOKEN.findall(text)
    for token, after in zip(tokens, [*tokens[1:], ""], strict=True):
        if token == "->":
            joined = True
        elif token == "{":
            outer.append((parent, before))
            parent, before = before.partition(":")[0], ""
        elif token == "}":
            parent, before = outer.pop()
        elif token == ";":
            before = ""
        else:
            node_id, _, handle = token.partition(":")
            ids.setdefault(node_id, parent)
            if joined and before:
                source, _, leaves = before.partition(":")
                # In the middle of a chain a handle is the one that the next edge leaves by.
                comes = handle if handle and after != "->" else "input"
                edges.append(Edge(f"e{len(edges)}", source, node_id, leaves or "output", comes))
            before, joined = token, False
    return ids, edges, {owner for owner in ids.values() if owner}
