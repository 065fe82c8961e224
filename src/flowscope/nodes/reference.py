"""The reference of the built-in nodes, made from the nodes themselves: `python -m flowscope.nodes.reference docs/nodes`
writes a page for each, and an index.

A page shows a workflow with the node in it, what goes in and what comes out: `examples/<type>.json` beside the pages, as
`{"input", "workflow", "output"}`. `output` is left out where it differs from run to run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
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
    "code": "Code",
    "ai": "Models",
    "testing": "Testing",
}

_OPENING = """\
# Nodes

Made by `python -m flowscope.nodes.reference docs/nodes`; a test keeps these pages up to date, and another runs their
examples.

A node's settings stand in `data.config`. Any of them may hold expressions, `{{ … }}`, unless it says *raw*.
Every node has these beside its own: `retry`, `timeout`, `continueOnError`, `join`, `onLost`, `resources`,
`disabled`, `cache`, `concurrencyKey`, `concurrencyLimit`.

A **pure** node only decides or shapes data: it may run again after a crash, and nobody can tell. An
**external** one touches the world: it starts only when all it depends on is on disk. A **container** runs the
nodes whose `parentId` is its id.
"""


_WIDTH = 100


def reference(examples: Path) -> dict[str, str]:
    """Every page as Markdown, by the name of its file; `examples` is the folder of the examples."""
    nodes = list(builtin_registry(entry_points=False))
    return {"README.md": _index(nodes)} | {f"{node.type}.md": _page(node, examples) for node in nodes}


def write(folder: Path) -> None:
    """Write the pages; those of nodes that are no more are removed."""
    pages = reference(folder / "examples")
    for stale in {path.name for path in folder.glob("*.md")} - set(pages):
        (folder / stale).unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, "utf-8")


def _index(nodes: list[NodeType]) -> str:
    parts = [_OPENING]
    for category, title in _CATEGORIES.items():
        rows = [_row(node) for node in nodes if node.category == category]
        if rows:
            parts.append("\n".join([f"## {title}\n", "| | |", "|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _row(node: NodeType) -> str:
    first = _flowing(node.description).partition(". ")[0].rstrip(".")
    return f"| [{node.title}]({node.type}.md) | `{node.type}`: {first.replace('|', chr(92) + '|')} |"


def _page(node: NodeType, examples: Path) -> str:
    parts = [f"# {node.title}\n", _facts(node) + "\n", _flowing(node.description) + "\n"]
    schema = node.schema()
    parts += _table(schema, node.raw_fields)
    for name, below in schema.get("$defs", {}).items():
        what = _flowing(below.get("description", ""))
        article = "An" if name[0] in "AEIOU" else "A"
        parts.append(f"{article} `{name}`{' is ' + what[0].lower() + what[1:] if what else ':'}\n")
        parts += _table(below, frozenset())
    parts += _example(node, examples / f"{node.type}.json")
    return "\n".join(parts).rstrip() + "\n"


def _example(node: NodeType, file: Path) -> list[str]:
    if not file.exists():
        written = {"data": {"type": node.type, "label": node.title, "config": node.example}}
        return ["## Example\n", _fenced(written)]
    example = json.loads(file.read_text("utf-8"))
    parts = ["## Example\n"]
    if note := example.get("note"):
        parts.append(f"{note}\n")
    parts.append(_fenced(example["workflow"]))
    if example.get("input"):
        parts += ["The input:\n", _fenced(example["input"])]
    if "output" in example:
        parts += ["The output of the run:\n", _fenced(example["output"])]
    return parts


def _fenced(value: Any) -> str:
    return f"```json\n{laid_out(value)}\n```\n"


def laid_out(value: Any, indent: int = 0, taken: int = 0) -> str:
    """JSON that keeps on one line what fits on one; `taken` are the columns already filled on the first line."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + taken + len(line) <= _WIDTH or not isinstance(value, list | dict) or not value:
        return line
    inner = indent + 2
    if isinstance(value, dict):
        keys = [json.dumps(key, ensure_ascii=False) + ": " for key in value]
        items = [key + laid_out(below, inner, len(key) + 1) for key, below in zip(keys, value.values(), strict=True)]
    else:
        items = [laid_out(below, inner, 1) for below in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    between = f",\n{' ' * inner}".join(items)
    return f"{opening}\n{' ' * inner}{between}\n{' ' * indent}{closing}"


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
    if field.get("writeOnly"):
        return "secret"
    if "anyOf" in field:
        kinds = [_kind(each) for each in field["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    kind = "any" if isinstance(field.get("type", []), list) else field["type"]
    return {"string": "text", "integer": "whole number"}.get(kind, kind)


def _escaped(text: str) -> str:
    return _flowing(text).replace("|", "\\|")


def _flowing(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
