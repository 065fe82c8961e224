"""How much of what is inside of containers ran when: all iterations of a run, and all runs of nodes in them, as columns.

A strip on a timeline has room for a hundred bars, whatever it tells of. The journal is read once, and on as it grows; any window
of it is then counted from the columns.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from flowscope.orchestrator.ports import Store
from flowscope.unhurried import unhurried

MOST_BYTES: Final = 32 * 1024 * 1024
SPAN_BYTES: Final = 17
OPEN_BYTES: Final = 200
_AT_ONCE: Final = 10_000

_ENDS_ALL: Final = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionCancelled"})
_ENDS: Final = frozenset(
    {
        "NodeSucceeded", "NodeAdopted", "NodeFailed", "NodeLost", "NodeCancelled",
        "IterationSucceeded", "IterationAdopted", "IterationFailed",
    }
)  # fmt: skip
_FAILS: Final = frozenset({"NodeFailed", "NodeLost", "IterationFailed"})


class _Step(msgspec.Struct, gc=False, rename="camel"):
    """What counts of an event: the rest of its line is not even read."""

    type: str
    at: float
    node_id: str = ""
    path: str = ""
    index: int = -1
    retry_at: float = 0
    began_at: float = 0


_steps: Final = msgspec.json.Decoder(_Step)


class _Lane:
    """Of a container its iterations, of a node in a body its runs: when each began, ended (0: not yet) and whether it failed."""

    __slots__ = ("began", "ended", "failed", "failures", "open", "retries")

    def __init__(self) -> None:
        self.began = array("d")
        self.ended = array("d")
        self.failed = bytearray()
        self.failures = 0
        self.open: dict[tuple[str, int, int], int] = {}
        self.retries: dict[str, int] = {}

    def begin(self, key: tuple[str, int, int], at: float) -> None:
        self.end(key, at, True)  # what is begun again without having ended
        self.open[key] = len(self.began)
        self.began.append(at)
        self.ended.append(0.0)
        self.failed.append(0)

    def admit(self, key: tuple[str, int, int], at: float) -> None:
        """It had to wait for a place until then."""
        number = self.open.get(key)
        if number is not None:
            self.began[number] = max(self.began[number], at)

    def end(self, key: tuple[str, int, int], at: float, failed: bool) -> None:
        number = self.open.pop(key, None)
        if number is not None:
            self.ended[number] = at
            self.failed[number] = failed
            self.failures += failed

    def end_all(self, at: float) -> None:
        for number in self.open.values():
            self.ended[number] = at
        self.open.clear()

    def strip(self, start: float, end: float, bins: int, now: float) -> dict[str, Any]:
        """How many ran in each of `bins` equal parts of the window, and how many failed in it."""
        steps = [0] * (bins + 1)  # differences first, then one sum: a span costs two writes, however long it is
        failures = [0] * bins
        scale, last = bins / (end - start), bins - 1
        for began, ended, failed in unhurried(zip(self.began, self.ended, self.failed, strict=True)):
            ended = ended or now
            if ended < start or began > end:
                continue
            first = max(0, min(last, int((began - start) * scale)))
            final = max(first, min(last, int((ended - start) * scale)))
            steps[first] += 1
            steps[final + 1] -= 1
            failures[final] += failed
        running, going = [], 0
        for step in steps[:bins]:
            going += step
            running.append(going)
        return {"running": running, "failures": failures, "most": max(running)}


class HeatTable:
    """One execution's. `seq` is the last event folded."""

    def __init__(self) -> None:
        self.seq = 0
        self.start = self.at = 0.0
        self.ended = False
        self._lanes: dict[str, _Lane] = {}
        self._order: dict[str, int] = {}

    @property
    def size(self) -> int:
        """Bytes, about."""
        lanes = self._lanes.values()
        return sum(len(lane.began) * SPAN_BYTES + len(lane.open) * OPEN_BYTES for lane in lanes)

    def fold(self, first_seq: int, lines: bytes) -> None:
        """A segment of the journal, which may begin with what is known."""
        for seq, step in enumerate(unhurried(_steps.decode_lines(lines)), first_seq):
            if seq > self.seq:
                self.seq = seq
                self._take(step)

    def _take(self, step: _Step) -> None:
        self.at = at = max(step.at, self.at)
        self.start = self.start or at
        if step.type in _ENDS_ALL:
            self.ended = True
            for lane in self._lanes.values():
                lane.end_all(at)
        elif step.path or step.index >= 0:
            self._inside(step, at)
        elif step.type == "NodeFailed" and step.retry_at:
            self._retried(step)

    def _inside(self, step: _Step, at: float) -> None:
        kind = step.type
        lane = self._lanes.get(step.node_id)
        if lane is None:
            lane = self._lanes[step.node_id] = _Lane()
            self._order[step.node_id] = self.seq
        key = step.path, step.index, lane.retries.get(step.path, 0) if step.index >= 0 else 0
        if step.began_at:
            lane.admit(key, min(step.began_at, at))
        if kind in ("NodeStarted", "IterationStarted"):
            lane.begin(key, at)
        elif kind in _ENDS:
            lane.end(key, at, kind in _FAILS)
            if kind == "NodeFailed" and step.retry_at:
                self._retried(step)

    def _retried(self, step: _Step) -> None:
        """A container's next attempt begins its iterations again, beside those of the last."""
        lane = self._lanes.get(step.node_id)
        if lane is not None:
            lane.retries[step.path] = lane.retries.get(step.path, 0) + 1

    def told(self, start: float, end: float, bins: int, now: float) -> list[dict[str, Any]]:
        """For each node that something ran of, in the order in which that began."""
        now = self.at if self.ended else max(now, self.at)
        return [
            {
                "nodeId": node_id,
                "order": self._order[node_id],
                "runs": len(lane.began),
                "failed": lane.failures,
                **lane.strip(start, end, bins, now),
            }
            for node_id, lane in self._lanes.items()
            if lane.began
        ]


class HeatTables:
    """Those asked for last, up to a number of bytes. For a thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tables: OrderedDict[str, HeatTable] = OrderedDict()
        self._lock = threading.Lock()

    def told(self, execution_id: str, last_seq: int, start: float, end: float, bins: int, now: float) -> dict[str, Any]:
        """What `HeatTable.told` tells of a window; of the whole until now, if `end` is 0. `last_seq` is the execution's."""
        with self._lock:
            table = self._table(execution_id, last_seq)
            end = end or max(now, table.at)
            start = min(start or table.start, end - 1)
            return {"seq": table.seq, "from": start, "to": end, "nodes": table.told(start, end, bins, now)}

    def forget(self, execution_ids: Iterable[str]) -> None:
        """They have been pruned."""
        with self._lock:
            for execution_id in execution_ids:
                self._tables.pop(execution_id, None)

    def _table(self, execution_id: str, last_seq: int) -> HeatTable:
        table = self._tables.pop(execution_id, None)
        if table is None or table.seq > last_seq:  # it has been pruned, and another begun by that id
            table = HeatTable()
        while segments := self._store.read(execution_id, table.seq, _AT_ONCE):
            for segment in segments:
                table.fold(segment.first_seq, segment.lines)
        self._tables[execution_id] = table
        while len(self._tables) > 1 and sum(one.size for one in self._tables.values()) > MOST_BYTES:
            self._tables.popitem(last=False)
        return table
