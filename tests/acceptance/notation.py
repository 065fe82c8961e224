"""Workflows in few words: `chain("order", one("go", "manual_trigger"), one("rest", "wait", {"duration": 5}))`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from flowscope.definition.workflow import JSON


def one(node_id: str, kind: str, config: dict[str, JSON] | None = None, parent: str = "") -> dict[str, JSON]:
    """A node in React Flow's form."""
    node: dict[str, JSON] = {"id": node_id, "data": {"type": kind, "config": config or {}}}
    return {**node, "parentId": parent} if parent else node


def edge(text: str) -> dict[str, JSON]:
    """`a -> b`, or `a.handle -> b`."""
    source, target = text.split(" -> ")
    source, _, handle = source.partition(".")
    return {"source": source, "target": target, **({"sourceHandle": handle} if handle else {})}


def graph(name: str, nodes: Sequence[dict[str, JSON]], edges: Sequence[str]) -> dict[str, JSON]:
    """A workflow's document."""
    return {"id": name, "name": name, "nodes": list(nodes), "edges": [edge(text) for text in edges]}


def chain(name: str, *nodes: dict[str, JSON]) -> dict[str, JSON]:
    """A workflow whose top-level nodes follow each other."""
    ids = [node["id"] for node in nodes if "parentId" not in node]
    return graph(name, nodes, [f"{left} -> {right}" for left, right in pairwise(ids)])
