"""The transition table of a node, as data. `apply` obeys it; the diagram in the docs is drawn from it.

A status is a small int because it lives in a bytearray with one byte a node.
"""

from __future__ import annotations

from typing import Final

IDLE: Final = 0
READY: Final = 1
RUNNING: Final = 2
RETRYING: Final = 3
SUSPENDED: Final = 4
EXPANDED: Final = 5
ASKING: Final = 6
SUCCESS: Final = 7
ERROR: Final = 8
SKIPPED: Final = 9
CANCELLED: Final = 10

NAMES: Final = (
    "idle", "ready", "running", "retrying", "suspended", "expanded", "asking", "success", "error", "skipped", "cancelled",
)  # fmt: skip

LIVE: Final = frozenset({READY, RUNNING, RETRYING, SUSPENDED, EXPANDED, ASKING})
"""Work is under way or due: a scope with a live node is not at rest."""

TERMINAL: Final = frozenset({SUCCESS, ERROR, SKIPPED, CANCELLED})

TRANSITIONS: Final[dict[str, dict[int, int]]] = {
    # `settled` is not an event: the last incoming edge a node waited for has settled, and one was active.
    "settled": {IDLE: READY},
    "NodeStarted": {READY: RUNNING, RETRYING: RUNNING},
    "NodeSucceeded": {RUNNING: SUCCESS, SUSPENDED: SUCCESS, EXPANDED: SUCCESS},
    "NodeFailed, to be retried": {RUNNING: RETRYING, SUSPENDED: RETRYING, EXPANDED: RETRYING},
    "NodeFailed": {RUNNING: ERROR, SUSPENDED: ERROR, EXPANDED: ERROR, ASKING: ERROR},
    "NodeLost": {RUNNING: READY},
    "NodeLost, to be asked": {RUNNING: ASKING},
    "NodeReleased": {ASKING: READY},
    "NodeSuspended": {RUNNING: SUSPENDED},
    "NodeExpanded": {RUNNING: EXPANDED, EXPANDED: EXPANDED},
    "NodeCancelled": {
        READY: CANCELLED, RUNNING: CANCELLED, RETRYING: CANCELLED, SUSPENDED: CANCELLED, EXPANDED: CANCELLED,
        ASKING: CANCELLED,
    },
    "NodeAdopted": {READY: SUCCESS},
    "NodeAdopted, failed": {READY: ERROR},
    "NodeSkipped": {IDLE: SKIPPED, READY: SKIPPED},
}  # fmt: skip

ILLEGAL: Final = 255


def row(name: str) -> bytes:
    """One row of the table as 256 bytes: status before -> status after, or `ILLEGAL`."""
    table = bytearray([ILLEGAL]) * 256
    for before, after in TRANSITIONS[name].items():
        table[before] = after
    return bytes(table)


class IllegalTransition(AssertionError):
    """An event that the table does not allow: a fault of the machine, never of a user."""

    def __init__(self, name: str, node_id: str, path: str, before: int) -> None:
        super().__init__(f"{name} of {path + '.' if path else ''}{node_id} while {NAMES[before]}")


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    arrows: dict[tuple[int, int], list[str]] = {}
    for name, moves in TRANSITIONS.items():
        for before, after in moves.items():
            arrows.setdefault((before, after), []).append(name)
    lines = ["stateDiagram-v2", "    [*] --> idle"]
    lines += [
        f"    {NAMES[before]} --> {NAMES[after]}: {' / '.join(names)}" for (before, after), names in arrows.items()
    ]
    lines += [f"    {NAMES[status]} --> [*]" for status in sorted(TERMINAL)]
    return "\n".join(lines) + "\n"
