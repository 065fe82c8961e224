"""How a node looks, by its status: the contract's visual table."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

LONGEST_BADGE: Final = 200
"""Characters of an error shown in a badge; the whole message is in `error`."""


class Badge(msgspec.Struct, frozen=True, gc=False):
    """A small label on a node."""

    label: str
    value: str


class Visual(msgspec.Struct, frozen=True, gc=False, rename="camel", kw_only=True):
    """Colours, icon and motion of a node. What is undefined is left out, `badges` never."""

    border_color: str
    icon: str
    animation: str | UnsetType = UNSET
    badges: tuple[Badge, ...]
    glow: bool | UnsetType = UNSET
    pulse: bool | UnsetType = UNSET


TABLE: Final = {
    "idle": Visual(border_color="#9ca3af", icon="circle", badges=()),
    "pending": Visual(border_color="#9ca3af", icon="clock", badges=()),
    "running": Visual(border_color="#3b82f6", icon="play", animation="pulse-running", glow=True, badges=()),
    "success": Visual(border_color="#10b981", icon="check", badges=()),
    "error": Visual(border_color="#ef4444", icon="x", animation="pulse-error", pulse=True, badges=()),
    "skipped": Visual(border_color="#f59e0b", icon="skip", badges=()),
}


def visual(status: str, duration: int | None = None, progress: int = 0, error: str = "") -> Visual:
    """The row of `status`, with its badges: `duration` in milliseconds, `progress` in whole percent."""
    plain = TABLE[status]
    badges: tuple[Badge, ...] = ()
    if duration is not None and status in ("success", "error"):
        badges += (Badge("Duration", f"{duration}ms"),)
    if error and status == "error":
        badges += (Badge("Error", error[:LONGEST_BADGE]),)
    if progress > 0:
        badges += (Badge("Progress", f"{progress}%"),)
    return msgspec.structs.replace(plain, badges=badges) if badges else plain
