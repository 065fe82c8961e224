"""What is printed when a run has ended."""

from __future__ import annotations

import json
import os
import sys
from itertools import islice

import msgspec
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.text import Text

from flowscope.definition.workflow import JSON
from flowscope.execution.view import ExecutionView
from flowscope.orchestrator.workflow_orchestrator import Outcome

LINES = 40
TEXT = 400
DEPTH = 20
WIDTH = 100
"""Columns of JSON in a pipe."""


def as_object(outcome: Outcome, view: ExecutionView) -> dict[str, JSON]:
    """The object of `--json`. Every key is always there; nodes are the definition's, by id."""
    return {
        "executionId": outcome.execution_id,
        "workflowId": outcome.workflow_id,
        "status": outcome.status,
        "output": outcome.output,
        "error": msgspec.to_builtins(outcome.error),
        "durationMs": round(outcome.duration_ms, 3),
        "nodes": {
            node.node_id: {
                "status": node.status,
                "attempts": node.attempts,
                "durationMs": None if node.duration is None else round(node.duration, 3),
                "error": msgspec.to_builtins(node.error),
            }
            for node in view.nodes.values()
        },
    }


def print_json(value: JSON) -> None:
    """One value on stdout, whole."""
    try:
        text = pretty(value, WIDTH).encode()
    except RecursionError:
        text = msgspec.json.encode(value)
    write_line(text)


def write_line(data: bytes) -> None:
    """Bytes and a newline on stdout, whatever its encoding."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def flush() -> None:
    """Write out what is buffered; if nobody reads it any more, forget it, or Python complains when it tries at exit."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_output(output: JSON) -> None:
    """The result: whole and plain in a pipe; on a terminal in colours, and no more of it than anybody reads there."""
    if not sys.stdout.isatty():
        print_json(output)
        return
    console = Console()
    lines = pretty(_trimmed(output), console.width).split("\n")
    shown = Text("\n".join(_visible(line) for line in lines[:LINES]))
    JSONHighlighter().highlight(shown)
    console.print(shown, soft_wrap=True)
    if len(lines) > LINES:
        console.print(f"[dim]… {len(lines) - LINES:,} more lines; --json prints all of it[/]")


def pretty(value: JSON, width: int, indent: int = 0) -> str:
    """A value as JSON text; what fits a line stands on one."""
    short = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(short) <= width - indent - 1:
        return short
    inner = indent + 2
    if isinstance(value, dict):
        lines = [f"{json.dumps(key, ensure_ascii=False)}: {pretty(one, width, inner)}" for key, one in value.items()]
    elif any(isinstance(one, dict | list) for one in value):
        lines = [pretty(one, width, inner) for one in value]
    else:
        lines = _filled([json.dumps(one, ensure_ascii=False) for one in value], width - inner)
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    space = "\n" + " " * inner
    return f"{opening}{space}{f',{space}'.join(lines)}\n{' ' * indent}{closing}"


def _filled(words: list[str], width: int) -> list[str]:
    """Short values side by side, as many as a line holds."""
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 3 <= width:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return lines


def _visible(line: str) -> str:
    """C1 control characters are legal in JSON text, and some terminals obey them."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in line)


def _trimmed(value: JSON, depth: int = 0) -> JSON:
    """The value with long texts, lists and deep places cut short."""
    if isinstance(value, str):
        return value if len(value) <= TEXT else f"{value[:TEXT]}… ({len(value):,} characters)"
    if isinstance(value, dict):
        if depth >= DEPTH:
            return "…"
        shown = {key: _trimmed(value[key], depth + 1) for key in islice(value, LINES)}
        return shown | ({"…": f"{len(value) - LINES:,} more"} if len(value) > LINES else {})
    if isinstance(value, list):
        kept = [_trimmed(inner, depth + 1) for inner in value[:LINES]] if depth < DEPTH else ["…"]
        return [*kept, f"… {len(value) - LINES:,} more"] if len(value) > LINES else kept
    return value
