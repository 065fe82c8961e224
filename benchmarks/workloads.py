"""The graphs that are measured, and the node types they are made of."""

from __future__ import annotations

from typing import Any

from flowscope.definition import load
from flowscope.definition.workflow import JSON, Workflow
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.sdk import node

DIAMONDS = ((0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (2, 5), (3, 5), (4, 6), (5, 7), (6, 8), (7, 8), (8, 9))
"""The edges of the 10-node DAG: three branches, two joins, a chain to the end."""


@node("external_noop", title="External no-op", category="testing", effects="external")
async def external_noop() -> JSON:
    """Touches nothing, but is treated as if it did: it waits for the disk."""
    return {"ok": True}


REGISTRY = builtin_registry(entry_points=False)
REGISTRY.add(external_noop)


def dag(kind: str) -> Workflow:
    return _workflow("dag", kind, 10, DIAMONDS)


def chain(kind: str, length: int) -> Workflow:
    return _workflow("chain", kind, length, tuple((number, number + 1) for number in range(length - 1)))


def mapping() -> Workflow:
    """A map whose body is one no-op."""
    nodes: list[dict[str, Any]] = [
        {"id": "each", "data": {"type": "map", "config": {"items": "{{ json.items }}", "concurrency": 16}}},
        {"id": "body", "parentId": "each", "data": {"type": "noop", "config": {}}},
    ]
    return load({"id": "map", "nodes": nodes, "edges": []}, REGISTRY)


def waiting() -> Workflow:
    """Ten nodes, the first of which waits for a signal."""
    nodes: list[dict[str, Any]] = [{"id": "n0", "data": {"type": "wait", "config": {"signal": "go"}}}]
    nodes += [{"id": f"n{number}", "data": {"type": "noop", "config": {}}} for number in range(1, 10)]
    edges = [{"source": f"n{source}", "target": f"n{target}"} for source, target in DIAMONDS]
    return load({"id": "waiting", "nodes": nodes, "edges": edges}, REGISTRY)


def _workflow(name: str, kind: str, size: int, edges: tuple[tuple[int, int], ...]) -> Workflow:
    document = {
        "id": f"{name}-{kind}-{size}",
        "nodes": [{"id": f"n{number}", "data": {"type": kind, "config": {}}} for number in range(size)],
        "edges": [{"source": f"n{source}", "target": f"n{target}"} for source, target in edges],
    }
    return load(document, REGISTRY)
