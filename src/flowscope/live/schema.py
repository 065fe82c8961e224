"""The protocol for other languages: `python -m flowscope.live.schema [DIRECTORY]` writes it (default: `docs`).

protocol.schema.json   JSON Schema of every message, under `$defs`
protocol.d.ts          the same as TypeScript types
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from flowscope.live import protocol

DIRECTIONS: Final = {
    "ServerMessage": protocol.ServerMessage | protocol.Frame,
    "ClientMessage": protocol.ClientMessage,
}
"""What the server says, and what a client says."""

_PRIMITIVES: Final = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}


def schema() -> dict[str, Any]:
    """JSON Schema, draft 2020-12."""
    members = [kind.__args__ for kind in DIRECTIONS.values()]
    _, definitions = msgspec.json.schema_components(
        [kind for kinds in members for kind in kinds], ref_template="#/$defs/{name}"
    )
    for name, kinds in zip(DIRECTIONS, members, strict=True):
        definitions[name] = {"anyOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"flowscope live stream, {protocol.SUBPROTOCOL}",
        "$defs": dict(sorted(definitions.items())),
    }


def typescript() -> str:
    """TypeScript types, one a definition of the schema."""
    lines = [
        "// The flowscope live stream. Written by `python -m flowscope.live.schema`; do not edit.",
        "",
        f'export declare const SUBPROTOCOL: "{protocol.SUBPROTOCOL}";',
    ]
    for name, definition in schema()["$defs"].items():
        lines += ["", *_comment(definition.get("description", ""), "")]
        if "properties" in definition:
            lines += [f"export interface {name} {{", *_members(definition), "}"]
        else:
            lines.append(f"export type {name} = {_type(definition)};")
    codes = " | ".join(str(int(code)) for code in protocol.CloseCode)
    lines += ["", "/** Application close codes: see docs/protocol.md. */", f"export type CloseCode = {codes};"]
    return "\n".join(lines) + "\n"


def _members(definition: dict[str, Any]) -> list[str]:
    required = definition.get("required", [])
    return [
        f"  {name}{'' if name in required else '?'}: {_type(member)};"
        for name, member in definition["properties"].items()
    ]


def _type(member: dict[str, Any]) -> str:
    if "$ref" in member:
        return str(member["$ref"]).rpartition("/")[2]
    if "anyOf" in member:
        return " | ".join(_type(one) for one in member["anyOf"])
    if "enum" in member:
        return " | ".join(json.dumps(value) for value in member["enum"])
    if "const" in member:
        return json.dumps(member["const"])
    if member["type"] == "array":
        inner = _type(member["items"])
        return f"({inner})[]" if "|" in inner else f"{inner}[]"
    return _PRIMITIVES[member["type"]]


def _comment(text: str, indent: str) -> list[str]:
    return [f"{indent}/** {' '.join(text.split())} */"] if text else []


def files() -> dict[str, str]:
    """What is written, by file name."""
    return {
        "protocol.schema.json": json.dumps(schema(), indent=2, ensure_ascii=False) + "\n",
        "protocol.d.ts": typescript(),
    }


def main(arguments: list[str]) -> None:
    directory = Path(arguments[0]) if arguments else Path("docs")
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
