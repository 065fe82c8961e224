"""Workflows to look at."""

from __future__ import annotations

from typing import Any


def one(node_id: str, type: str, label: str, parent: str = "", **config: Any) -> dict[str, Any]:
    node: dict[str, Any] = {"id": node_id, "data": {"label": label, "type": type, "config": config}}
    return node | ({"parentId": parent} if parent else {})


def graph(workflow_id: str, nodes: list[dict[str, Any]], *edges: str) -> dict[str, Any]:
    """`edges` are `a > b`, or `a.handle > b`."""
    drawn = []
    for number, text in enumerate(edges):
        source, target = text.split(" > ")
        source, _, handle = source.partition(".")
        edge = {"id": f"e{number}", "source": source, "target": target}
        drawn.append(edge | ({"sourceHandle": handle} if handle else {}))
    return {"id": workflow_id, "name": workflow_id.capitalize(), "nodes": nodes, "edges": drawn}


QUICK = graph(
    "quick",
    [one("go", "manual_trigger", "Go"), one("set", "set", "Set", fields={"done": True})],
    "go > set",
)

LONG = graph(
    "long",
    [
        one("go", "manual_trigger", "Go"),
        *(one(f"s{n}", "simulate", f"Step {n}", sleep=0.2, progress=10) for n in range(4)),
        one("end", "noop", "The end"),
    ],
    "go > s0",
    "s0 > s1",
    "s1 > s2",
    "s2 > s3",
    "s3 > end",
)

ENDLESS = graph(
    "endless",
    [
        one("go", "manual_trigger", "Go"),
        one("before", "noop", "Before"),
        one("works", "simulate", "Works on and on", sleep=3_600),
        one("after", "noop", "After"),
    ],
    "go > before",
    "before > works",
    "works > after",
)
"""Runs until somebody cancels it: time enough to pull the plug, however slow the machine."""

HOSTILE = graph(
    "hostile",
    [
        one("go", "manual_trigger", '<img src="x" onerror="document.title=1">'),
        one("stop", "stop_and_error", "Stop", errorMessage="<script>document.title=2</script>"),
    ],
    "go > stop",
)


def wide(count: int, across: int = 50) -> dict[str, Any]:
    """So many nodes, in layers."""
    nodes = [one("go", "manual_trigger", "Go")]
    edges = []
    for n in range(1, count):
        nodes.append(one(f"n{n}", "noop", f"Step {n}"))
        edges.append(f"{'go' if n <= across else f'n{n - across}'} > n{n}")
    return graph("wide", nodes, *edges)
