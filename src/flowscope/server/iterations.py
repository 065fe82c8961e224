"""A container's iterations as columns by their index: folded once, folded on as the journal grows, asked for by the page.

A map of 100,000 items has several 100,000 events; reading them takes tenths of a second, telling a page of them should not.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from flowscope.execution.events import (
    AnyEvent,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionSucceeded,
    IterationAdopted,
    IterationFailed,
    IterationStarted,
    IterationSucceeded,
    NodeCancelled,
    NodeFailed,
    NodeSucceeded,
    decode_lines,
)
from flowscope.orchestrator.ports import Store
from flowscope.server.records import iso

NONE, RUNNING, SUCCESS, ERROR, SKIPPED = range(5)
STATUSES: Final = ("", "running", "success", "error", "skipped")
_BY_STATUS: Final = {"": None, "running": RUNNING, "success": SUCCESS, "error": ERROR, "skipped": SKIPPED}
_ENDS_ALL: Final = (ExecutionSucceeded, ExecutionFailed, ExecutionCancelled)
_ENDS_OWN: Final = (NodeSucceeded, NodeFailed, NodeCancelled)

KEPT_TABLES: Final = 8
_AT_ONCE: Final = 50_000


class IterationTable:
    """Of one container's run at one path; of a repeated attempt the latest. `seq` is the last event folded."""

    __slots__ = ("_adopted", "_codes", "_ended", "_errors", "_node_id", "_path", "_running", "_started", "seq")

    def __init__(self, node_id: str, path: str) -> None:
        self._node_id = node_id
        self._path = path
        self._codes = bytearray()
        self._started = array("d")
        self._ended = array("d")
        self._errors: dict[int, str] = {}
        self._adopted: set[int] = set()
        self._running: set[int] = set()
        self.seq = 0

    def fold(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            kind = type(event)
            if kind is IterationStarted or kind is IterationSucceeded or kind in (IterationFailed, IterationAdopted):
                if event.node_id == self._node_id and event.path == self._path:  # type: ignore[union-attr]
                    self._iteration(event)  # type: ignore[arg-type]
            elif self._running and self._ends(event):
                for index in self._running:
                    self._codes[index], self._ended[index] = SKIPPED, event.at
                self._running.clear()
        if events:
            self.seq = events[-1].seq

    def page(self, *, offset: int, after: int, limit: int, status: str) -> tuple[list[dict[str, Any]], int]:
        """At most `limit` of those with that status (empty: all), by index, without the first `offset` and those up to
        index `after`; and how many there are with that status."""
        found = [index for index in self._with(status) if index > after]
        return [self._entry(index) for index in found[offset : offset + limit]], len(found)

    def facts(self, cells: int) -> dict[str, Any]:
        """How many have begun, ended and failed; and a strip of at most `cells`, each with the worst of its share."""
        count = len(self._codes) - self._codes.count(NONE)
        failed = self._codes.count(ERROR)
        ended = count - len(self._running)
        return {"begun": count, "ended": ended, "failed": failed, "strip": self._strip(min(cells, len(self._codes)))}

    def _strip(self, cells: int) -> list[str]:
        total = len(self._codes)
        shares = (self._codes[cell * total // cells : (cell + 1) * total // cells] for cell in range(cells))
        return [
            STATUSES[next(code for code in (ERROR, RUNNING, SKIPPED, SUCCESS, NONE) if code in share)]
            for share in shares
        ]

    def _with(self, status: str) -> Iterator[int]:
        wanted = _BY_STATUS[status]
        return (index for index, code in enumerate(self._codes) if (code == wanted if wanted else code))

    def _entry(self, index: int) -> dict[str, Any]:
        own = f"{self._node_id}[{index}]"
        entry: dict[str, Any] = {
            "index": index,
            "path": f"{self._path}.{own}" if self._path else own,
            "status": STATUSES[self._codes[index]],
        }
        if self._started[index]:
            entry["startedAt"] = iso(self._started[index])
        if self._ended[index]:
            entry["finishedAt"] = iso(self._ended[index])
        if index in self._errors:
            entry["error"] = self._errors[index]
        if index in self._adopted:
            entry["detail"] = "kept"
        return entry

    def _iteration(self, event: IterationStarted | IterationSucceeded | IterationFailed | IterationAdopted) -> None:
        index = event.index
        if index >= len(self._codes):
            more = index + 1 - len(self._codes)
            self._codes.extend(bytes(more))
            self._started.extend([0.0] * more)
            self._ended.extend([0.0] * more)
        if isinstance(event, IterationStarted):
            self._codes[index], self._started[index], self._ended[index] = RUNNING, event.at, 0
            self._errors.pop(index, None)
            self._adopted.discard(index)
            self._running.add(index)
            return
        error = None if isinstance(event, IterationSucceeded) else event.error
        self._codes[index], self._ended[index] = SUCCESS if error is None else ERROR, event.at
        self._running.discard(index)
        if error is not None:
            self._errors[index] = error.message
        if isinstance(event, IterationAdopted):
            self._adopted.add(index)

    def _ends(self, event: AnyEvent) -> bool:
        if isinstance(event, _ENDS_ALL):
            return True
        return isinstance(event, _ENDS_OWN) and event.node_id == self._node_id and event.path == self._path


class IterationTables:
    """The tables that were asked for last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tables: OrderedDict[tuple[str, str, str, int], IterationTable] = OrderedDict()
        self._lock = threading.Lock()

    def page(
        self, execution_id: str, node_id: str, path: str = "", *, upto: int = 0, cells: int = 0, **page: Any
    ) -> dict[str, Any]:
        """What `IterationTable.page` and `facts` tell, as it was after event `upto` (0: as it is now). For a thread."""
        with self._lock:
            table = self._table(execution_id, node_id, path, upto)
            entries, count = table.page(**page)
            body: dict[str, Any] = {"iterations": entries, "count": count, **table.facts(cells)}
        if entries and page["offset"] + len(entries) < count:
            body["nextAfter"] = entries[-1]["index"]
        return body

    def _table(self, execution_id: str, node_id: str, path: str, upto: int) -> IterationTable:
        key = execution_id, node_id, path, upto
        table = self._tables.setdefault(key, IterationTable(node_id, path))
        self._tables.move_to_end(key)
        if len(self._tables) > KEPT_TABLES:
            self._tables.popitem(last=False)
        self._read_on(table, execution_id, upto or 1 << 53)
        return table

    def _read_on(self, table: IterationTable, execution_id: str, upto: int) -> None:
        while table.seq < upto and (segments := self._store.read(execution_id, table.seq, _AT_ONCE)):
            for segment in segments:
                table.fold([event for event in decode_lines(segment.lines) if table.seq < event.seq <= upto])
            if segments[-1].last_seq >= upto:
                return
