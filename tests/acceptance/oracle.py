"""Judges what is left by three witnesses: the journal's rows, the effect log, and what the processes were told.

Only plain JSON and SQL: nothing here runs the machine, but for folding the journal to compare digests (I3). The numbers
are those of the invariants in docs/spec.md: I1 seq without a gap; I2 one start and one end of every attempt; I3 the live state is
the fold of the journal; I4 what was accepted ends; I6 what was shown stays; I7 epochs only rise; I8 an effect happens once,
and not before its start is durable; I9 an end is the last event.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import apsw

from flowscope.definition import decode
from flowscope.definition.plan import Plan, compile_plan
from flowscope.execution.digest import digest
from flowscope.execution.events import decode_lines
from flowscope.execution.state import fold
from flowscope.nodes.registry import Registry

from .workload import APPENDED, EFFECTS, FILES, STORE, catalogue, external_nodes, identity

ENDS = {"ExecutionSucceeded": "success", "ExecutionFailed": "failed", "ExecutionCancelled": "cancelled"}
ATTEMPT_ENDS = frozenset({"NodeSucceeded", "NodeFailed", "NodeLost", "NodeCancelled"})

Coordinates = tuple[str, str, str, int]
"""Execution, path, node, attempt."""


@dataclass(slots=True)
class Told:
    """What the processes said, over all their lives."""

    accepted: set[str] = field(default_factory=set)
    shown: dict[str, int] = field(default_factory=dict)
    ended: dict[str, tuple[str, str]] = field(default_factory=dict)
    results: dict[str, tuple[str, str]] = field(default_factory=dict)
    recoveries: list[float] = field(default_factory=list)
    taken_up: int = 0
    faults: int = 0
    finished: bool = False

    def hear(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word == "ack":
            self.accepted.add(rest)
        elif word == "shown":
            execution_id, seq = rest.rsplit(" ", 1)
            self.shown[execution_id] = max(int(seq), self.shown.get(execution_id, 0))
        elif word == "ended":
            execution_id, status, state = rest.split(" ")
            self.ended[execution_id] = (status, state)
        elif word == "result":
            execution_id, status, value = rest.split(" ", 2)
            self.results[execution_id] = (status, value)
        elif word == "up":
            milliseconds, count = rest.split(" ")
            self.taken_up += int(count)
            if int(count):
                self.recoveries.append(float(milliseconds))
        elif word == "fault":
            self.faults += 1
        elif word == "finished":
            self.finished = True


@dataclass(frozen=True, slots=True)
class Row:
    """An execution as the store lists it, with its journal."""

    execution_id: str
    workflow_id: str
    definition: str
    status: str
    epoch: int
    segments: tuple[tuple[int, int, int, bytes], ...]
    """(first seq, last seq, epoch, lines) in order."""

    @property
    def journal(self) -> bytes:
        return b"".join(lines for _, _, _, lines in self.segments)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.journal.splitlines()]


class Evidence(Protocol):
    """What outlives the processes. `external` names each workflow's nodes with an effect."""

    @property
    def registry(self) -> Registry: ...

    @property
    def external(self) -> Mapping[str, frozenset[str]]: ...

    def rows(self) -> list[Row]: ...

    def definitions(self) -> dict[str, bytes]: ...

    def effects(self) -> str:
        """Lines `execution path node attempt key word`, separated by tabs."""
        ...


class Remains:
    """A data directory: the database file, read-only, as any program may read it, and the logs beside it."""

    def __init__(self, directory: Path) -> None:
        self.registry = catalogue_of_names()
        self.external = external_nodes()
        self._directory = directory
        self._path = directory / STORE / "flowscope.db"

    def effects(self) -> str:
        return self._text(EFFECTS)

    def appended(self) -> str:
        """What `write_file` wrote, a line an execution."""
        return self._text(f"{FILES}/{APPENDED}")

    def _text(self, name: str) -> str:
        path = self._directory / name
        return path.read_text() if path.exists() else ""

    def rows(self) -> list[Row]:
        if not self._path.exists():
            return []
        try:
            return self._rows(self._path)
        except apsw.ReadOnlyError:
            # It died while it made the file: only a writer may roll that back. Not on the witness itself.
            with tempfile.TemporaryDirectory() as directory:
                for file in self._path.parent.glob(self._path.name + "*"):
                    shutil.copy(file, directory)
                copy = Path(directory) / self._path.name
                return self._rows(copy, flags=apsw.SQLITE_OPEN_READWRITE)

    def _rows(self, path: Path, flags: int = apsw.SQLITE_OPEN_READONLY) -> list[Row]:
        with closing(apsw.Connection(str(path), flags=flags)) as connection:
            segments: dict[int, list[tuple[int, int, int, bytes]]] = defaultdict(list)
            if not list(connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'segments'")):
                return []
            connection.execute("BEGIN")
            for key, last_seq, epoch, lines in connection.execute(
                "SELECT key, last_seq, epoch, lines FROM segments ORDER BY key"
            ):
                segments[key >> 32].append((key & 0xFFFFFFFF, last_seq, epoch, lines))
            return [
                Row(execution_id, workflow_id, definition, status, epoch, tuple(segments[number]))
                for number, execution_id, workflow_id, definition, status, epoch in connection.execute(
                    "SELECT number, execution_id, workflow_id, definition, status, epoch FROM executions"
                )
            ]

    def definitions(self) -> dict[str, bytes]:
        with closing(apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            return dict(connection.execute("SELECT sha256, document FROM definitions"))


class Oracle:
    """`look` after each death, `judge` at the end; `violations` are sentences."""

    def __init__(self, evidence: Evidence, told: Told, expected: Mapping[str, tuple[str, str]]) -> None:
        """`expected`: status and value by `identity`; an execution whose identity is not there may end anyhow."""
        self.violations: list[str] = []
        self.events = 0
        self.effects = 0
        self.attempts_lost = 0
        self._evidence = evidence
        self._told = told
        self._expected = dict(expected)
        self._seen: dict[str, bytes] = {}

    def excuse(self, execution_id: str) -> None:
        """However that one has ended is right, and its children's end too."""
        self._expected.pop(identity(execution_id), None)
        for one in [one for one in self._expected if one.startswith(identity(execution_id) + ":")]:
            del self._expected[one]

    def look(self) -> list[Row]:
        """What was durable once stays, byte for byte; what was shown is durable."""
        rows = self._evidence.rows()
        now = {row.execution_id: row for row in rows}
        for execution_id, before in self._seen.items():
            row = now.get(execution_id)
            if row is None or not row.journal.startswith(before):
                self._fault("I6", execution_id, "has lost events that were durable")
        for execution_id in self._told.accepted - now.keys():
            self._fault("I4", execution_id, "was accepted and is not in the journal")
        for execution_id, seq in self._told.shown.items():
            there = now[execution_id].segments[-1][1] if execution_id in now else 0
            if seq > there:
                self._fault("I6", execution_id, f"event {seq} was shown, the journal ends at {there}")
        self._seen = {execution_id: row.journal for execution_id, row in now.items()}
        return rows

    def judge(self) -> None:
        """Everything, once all has ended."""
        rows = self.look()
        journals = {row.execution_id: row.events() for row in rows}
        for row in rows:
            events = journals[row.execution_id]
            self.events += len(events)
            self._judge_order(row, events)
            self._judge_attempts(row.execution_id, events)
            self._judge_end(row, events)
        self._judge_folds(rows)
        self._judge_effects(rows, journals)
        if isinstance(self._evidence, Remains):
            self._judge_appends(self._evidence.appended(), journals)

    # --- steps ---

    def _judge_order(self, row: Row, events: Sequence[Mapping[str, Any]]) -> None:
        seqs = [event["seq"] for event in events]
        if seqs != list(range(1, len(seqs) + 1)):
            self._fault("I1", row.execution_id, f"has the seqs {seqs}")
        covered = [seq for first, last, _, _ in row.segments for seq in range(first, last + 1)]
        if covered != seqs:
            self._fault("I1", row.execution_id, "has rows that do not cover its events")
        epochs = [epoch for _, _, epoch, _ in row.segments] + [row.epoch]
        if epochs != sorted(epochs):
            self._fault("I7", row.execution_id, f"has the epochs {epochs}")
        taken = [event["epoch"] for event in events if event["type"] == "ExecutionRecovered"]
        if taken != sorted(set(taken)):
            self._fault("I7", row.execution_id, f"was taken up under the epochs {taken}")

    def _judge_attempts(self, execution_id: str, events: Sequence[Mapping[str, Any]]) -> None:
        starts: Counter[tuple[str, str, int]] = Counter()
        ends: Counter[tuple[str, str, int]] = Counter()
        between: set[tuple[str, str, int]] = set()
        asked: set[tuple[str, str, int]] = set()
        for event in events:
            kind = event["type"]
            if "nodeId" not in event:
                continue
            attempt = (event.get("path", ""), event["nodeId"], event.get("attempt", 1))
            if kind == "NodeStarted":
                starts[attempt] += 1
            elif kind in ATTEMPT_ENDS:
                self.attempts_lost += kind == "NodeLost"
                if kind == "NodeLost" and event.get("outcome") == "ask":
                    asked.add(attempt)
                elif kind == "NodeCancelled" and not starts[attempt]:
                    between.add(attempt)  # due, and will not start
                    continue
                ends[attempt] += 1
                if kind == "NodeFailed" and attempt in asked:
                    ends[attempt] -= 1  # somebody said that the lost attempt has failed
        for attempt in starts.keys() | ends.keys():
            if starts[attempt] != 1 or ends[attempt] != 1 or attempt in between:
                self._fault("I2", execution_id, f"{attempt} started {starts[attempt]} times, ended {ends[attempt]}")

    def _judge_end(self, row: Row, events: Sequence[Mapping[str, Any]]) -> None:
        ends = [event for event in events if event["type"] in ENDS]
        if not ends:
            self._fault("I4", row.execution_id, f"has not ended: {row.status} after {events[-1]}")
            return
        if len(ends) > 1 or events[-1] is not ends[0]:
            self._fault("I9", row.execution_id, "has events after its end")
        status = ENDS[ends[0]["type"]]
        told = self._told.ended.get(row.execution_id)
        if row.status != status or (told and told[0] != status):
            self._fault("I9", row.execution_id, f"ended {status}, is listed {row.status}, and {told} was told")
        result = self._told.results.get(row.execution_id)
        expected = self._expected.get(identity(row.execution_id))
        if result != expected and expected is not None:
            self._fault("output", row.execution_id, f"is {result}, undisturbed it is {expected}")

    def _judge_folds(self, rows: Sequence[Row]) -> None:
        definitions = self._evidence.definitions()
        plans = {sha256: _plan(document, self._evidence.registry) for sha256, document in definitions.items()}
        for row in rows:
            try:
                once, twice = (
                    digest(fold(row.execution_id, plans[row.definition], decode_lines(row.journal))) for _ in range(2)
                )
            except Exception as error:  # noqa: BLE001 -- a journal may be wrong in any way; that is what is looked for
                self._fault("I3", row.execution_id, f"does not fold: {error!r}")
                continue
            live = self._told.ended.get(row.execution_id, ("", "-"))[1]
            if once != twice or live not in ("-", once):
                self._fault("I3", row.execution_id, f"folds to {once} and {twice}; live it was {live}")

    def _judge_effects(self, rows: Sequence[Row], journals: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        nodes = self._evidence.external
        started: set[Coordinates] = set()
        succeeded: dict[tuple[str, str, str], int] = {}
        for row in rows:
            for event in journals[row.execution_id]:
                if event.get("nodeId") not in nodes[row.workflow_id]:
                    continue
                place = (row.execution_id, event.get("path", ""), event["nodeId"])
                if event["type"] == "NodeStarted":
                    started.add((*place, event.get("attempt", 1)))
                elif event["type"] == "NodeSucceeded":
                    succeeded[place] = event.get("attempt", 1)
        counts = Counter(self._lines())
        for (where, word), count in counts.items():
            self.effects += word == "start"
            if count > 1:
                self._fault("I8", where[0], f"{where} did {word} {count} times")
            if word == "start" and where not in started:
                self._fault("I8", where[0], f"{where} acted, and no start of it is durable")
            won = succeeded.get(where[:3], where[3])
            if where[3] > won:
                self._fault("I8", where[0], f"{where} acted again, attempt {won} had succeeded")
        for place, won in succeeded.items():
            if place[2] != "note" and not counts[((*place, won), "done")]:
                self._fault("I8", place[0], f"{place} succeeded at attempt {won} without having acted")

    def _lines(self) -> Iterator[tuple[Coordinates, str]]:
        for line in self._evidence.effects().splitlines():
            execution_id, where, node_id, attempt, key, word = line.split("\t")
            inner = f"{where}.{node_id}" if where else node_id
            if key != f"{execution_id}:{inner}":
                self._fault("key", execution_id, f"{inner} was given the key {key}")
            yield (execution_id, where, node_id, int(attempt)), word

    def _judge_appends(self, text: str, journals: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        lines = Counter(line.removeprefix("by ") for line in text.splitlines())
        for execution_id, events in journals.items():
            notes = Counter(event["type"] for event in events if event.get("nodeId") == "note")
            least, most = notes["NodeSucceeded"], notes["NodeStarted"]
            if not least <= lines[execution_id] <= most:
                self._fault("I8", execution_id, f"appended {lines[execution_id]} lines in {most} attempts")
        for execution_id in lines.keys() - journals.keys():
            self._fault("I8", execution_id, "appended a line and is not in the journal")

    def _fault(self, rule: str, execution_id: str, what: str) -> None:
        self.violations.append(f"{rule}: {execution_id} {what}")


@lru_cache(maxsize=256)
def _plan(document: bytes, registry: Registry) -> Plan:
    return compile_plan(decode(document), registry)


def catalogue_of_names() -> Any:
    """The workload's node types, for compiling plans: nothing of them runs."""

    class Silent:
        def write(self, context: object, word: str) -> None: ...

    return catalogue(Silent())  # type: ignore[arg-type]
