"""Durations, times and statuses as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from flowscope.execution.view import NodeView


class Look(NamedTuple):
    """How a status is shown: never by colour alone."""

    icon: str
    colour: str


LOOKS: Final = {
    "idle": Look("◌", "#9ca3af"),
    "pending": Look("◷", "#9ca3af"),
    "running": Look("▶", "#3b82f6"),
    "success": Look("✓", "#10b981"),
    "error": Look("✗", "#ef4444"),
    "failed": Look("✗", "#ef4444"),
    "skipped": Look("⊘", "#f59e0b"),
    "cancelled": Look("⊘", "#f59e0b"),
    "waiting": Look("◷", "#8b5cf6"),
}

_WAITS: Final = frozenset({"retrying", "waiting", "asking"})


def word_of(node: NodeView) -> str:
    """A node's status in one word, the detail where it says more."""
    return node.detail or node.status


def look_of(node: NodeView) -> Look:
    """A node's icon and colour."""
    return LOOKS["waiting"] if node.detail in _WAITS else LOOKS[node.status]


def duration(milliseconds: float) -> str:
    """`412ms`, `1.24s`, `3m 05s`, `2h 07m`."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}ms"
    seconds = milliseconds / 1000
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 48 else f"{hours // 24}d {hours % 24:02}h"


def iso(milliseconds: float) -> str | None:
    """An instant as ISO 8601 UTC, to the millisecond; None for 0, which is none."""
    if not milliseconds:
        return None
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def local(milliseconds: float) -> str:
    """An instant for people, in the time of this machine."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def counted(number: int, noun: str) -> str:
    """`1 node`, `12 nodes`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(text: str, width: int) -> str:
    """The first line of a text, or as much of it as there is room for."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"
