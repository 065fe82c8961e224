"""What code prints, as lines of the run's log."""

from __future__ import annotations

from flowscope.nodes.context import NodeContext

MOST = 64 * 1024


class Printed:
    """Takes text in pieces; logs whole lines, up to `MOST` characters in all, and says so when there was more."""

    def __init__(self, context: NodeContext) -> None:
        self._context = context
        self._rest = ""
        self._left = MOST
        self._cut = False

    def add(self, text: str) -> None:
        kept = text[: self._left]
        self._left -= len(kept)
        self._cut |= len(kept) < len(text)
        whole, _, self._rest = (self._rest + kept).rpartition("\n")
        for line in whole.split("\n") if whole else ():
            self._context.log(line)

    def end(self) -> None:
        """Log what is left."""
        if self._rest:
            self._context.log(self._rest)
        if self._cut:
            self._context.log(f"It printed more than {MOST:,} characters; the rest is left out", "warning")
        self._rest, self._cut = "", False
