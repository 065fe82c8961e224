"""The reference of the built-in nodes, made from the nodes themselves: `python -m flowscope.nodes.reference >
docs/nodes.md`."""

from __future__ import annotations

import json
import sys
from typing import Any

from flowscope.nodes.builtin import ALIASES, builtin_registry
from flowscope.nodes.sdk import Category, NodeType

_CATEGORIES: dict[Category, str] = {
    "trigger": "Triggers",
    "flow": "Flow",
    "data": "Data",
    "text": "Text",
    "files": "Files",
    "database": "Databases",
    "network": "Network",
    "testing": "Testing",
    "code": "Code",
    "ai": "Models",
}

_OPENING = """\
# Nodes

Made by `python -m flowscope.nodes.reference > docs/nodes.md`; a test keeps it up to date.

The settings below stand in `data.config`. Any of them may hold expressions, `{{ … }}`, unless it says *raw*.
Every node has these beside its own: `retry`, `timeout`, `continueOnError`, `join`, `onLost`, `resources`,
`disabled`.

A **pure** node only decides or shapes data: it may run again after a crash, and nobody can tell. An
**external** one touches the world: it starts only when all it depends on is on disk. A **container** runs the
nodes whose `parentId` is its id.
"""


def reference() -> str:
    """The whole page as Markdown."""
    nodes = list(builtin_registry(entry_points=False))
    parts = [_OPENING, _contents(nodes)]
    for category, title in _CATEGORIES.items():
        chosen = [node for node in nodes if node.category == category]
        if chosen:
            parts.append(f"## {title}\n")
            parts += [_section(node) for node in chosen]
    return "\n".join(parts).rstrip() + "\n"


def _contents(nodes: list[NodeType]) -> str:
    lines = ["| | |", "|---|---|"]
    for category, title in _CATEGORIES.items():
        links = [f"[`{node.type}`](#{node.type})" for node in nodes if node.category == category]
        if links:
            lines.append(f"| {title} | {', '.join(links)} |")
    return "\n".join(lines) + "\n"


def _section(node: NodeType) -> str:
    parts = [f'### <a id="{node.type}"></a>{node.title}\n', _facts(node) + "\n", _flowing(node.description) + "\n"]
    schema = node.schema()
    parts += _table(schema, node.raw_fields)
    for name, below in schema.get("$defs", {}).items():
        what = _flowing(below.get("description", ""))
        parts.append(f"A `{name}`{' is ' + what[0].lower() + what[1:] if what else ':'}\n")
        parts += _table(below, frozenset())
    if node.example is not None:
        written = {"data": {"type": node.type, "label": node.title, "config": node.example}}
        parts.append(f"```json\n{json.dumps(written, indent=2, ensure_ascii=False)}\n```\n")
    return "\n".join(parts)


def _facts(node: NodeType) -> str:
    names = ", ".join(f"`{name}`" for name in (node.type, *ALIASES.get(node.type, ())))
    handles = "one a case, and `default`"
    if node.handles is not None:
        handles = ", ".join(f"`{handle}`" for handle in node.handles)
    facts = [names, node.effects]
    if node.role != "task":
        facts.append(node.role.replace("_", " "))
    facts.append(f"handles: {handles}")
    if node.timeout:
        facts.append(f"time-out {node.timeout:,.0f} ms")
    return " · ".join(facts)


def _table(schema: dict[str, Any], raw: frozenset[str]) -> list[str]:
    properties = schema.get("properties", {})
    if not properties:
        return []
    required = schema.get("required", [])
    lines = ["| setting | type | default | |", "|---|---|---|---|"]
    for name, field in properties.items():
        default = "required" if name in required else _default(field)
        notes = "*raw* " if name in raw else ""
        lines.append(f"| `{name}` | {_kind(field)} | {default} | {notes}{_escaped(field.get('description', ''))} |")
    return ["\n".join(lines) + "\n"]


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, "", [], {}) else f"`{json.dumps(default)}`"


def _kind(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        kinds = [_kind(each) for each in field["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    kind = str(field.get("type", "any"))
    return {"string": "text", "integer": "whole number"}.get(kind, kind)


def _escaped(text: str) -> str:
    return _flowing(text).replace("|", "\\|")


def _flowing(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.stdout.write(reference())
