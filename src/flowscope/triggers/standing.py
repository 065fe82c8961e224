"""Which of the times that have come due are to start a run: a pure decision, so that it can be made again after a crash.

A time is *missed* when nothing could start a run within a minute of it: the server was down, or there have been later times
since. What is decided is in the standing, and the standing is durable before anything starts; starting is idempotent, because
a run's id follows from the workflow, the trigger and the time. So each time starts at most one run, however often one begins
anew in between, and what was decided to start does start.
"""

from __future__ import annotations

import hashlib

import msgspec

from flowscope.nodes.triggers import Missed, Overlap
from flowscope.triggers.recurrence import Recurrence

ON_TIME = 60_000.0
MOST = 100
"""Runs that are caught up with, or queued, at most."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """All times up to `cursor` are decided; those in `queue` are still to start. `left_out` counts the others."""

    cursor: float
    queue: tuple[float, ...] = ()
    left_out: int = 0


def decided(standing: Standing, recurrence: Recurrence, *, missed: Missed, overlap: Overlap, now: float) -> Standing:
    """The standing once everything due by `now` is decided."""
    dues = recurrence.latest(standing.cursor, now, MOST + 1)
    if not dues:
        return standing
    fresh = dues[-1:] if now - dues[-1] <= ON_TIME else []
    chosen = {"skip": fresh, "once": dues[-1:], "all": dues[-MOST:]}[missed]
    queue = (*standing.queue, *chosen)
    if overlap == "queue" or len(queue) > MOST:
        queue = queue[:MOST]
    kept = len(queue) - len(standing.queue)
    return Standing(cursor=dues[-1], queue=queue, left_out=standing.left_out + len(dues) - kept)


def started(standing: Standing, due: float, *, left_out: bool = False) -> Standing:
    """The standing once the run of that time has started, or has been left out."""
    queue = tuple(one for one in standing.queue if one != due)
    return msgspec.structs.replace(standing, queue=queue, left_out=standing.left_out + left_out)


def firing_id(workflow_id: str, node_id: str, *what: str | int) -> str:
    """The id of the run that this trigger starts for this: the same one every time."""
    text = msgspec.json.encode([workflow_id, node_id, *what])
    return "fired-" + hashlib.sha256(text).hexdigest()[:32]
