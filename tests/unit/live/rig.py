"""A hub with time, wires and reads that move when told, over a real store in memory."""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import msgspec

from flowscope.definition import decode
from flowscope.definition.plan import Plan
from flowscope.execution.events import AnyEvent, encode_lines
from flowscope.execution.view import WorkflowShape
from flowscope.journal import MemoryStore
from flowscope.live.channel import Channel, Tail
from flowscope.live.client_fold import ClientFold, Outcome
from flowscope.live.hub import Hub
from flowscope.live.parcel import Parcel
from flowscope.live.protocol import CloseCode
from flowscope.live.settings import LiveSettings
from flowscope.live.translation import Translator
from flowscope.live.viewer import Viewer
from flowscope.orchestrator.ports import Commit, ExecutionRow, Segment


class FixedClock:
    """Wall time that stands still."""

    def now(self) -> float:
        return 1_000_000.0

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        raise NotImplementedError("the live stream waits by its timer")


class HandTimer:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.time = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._order = count()

    def now(self) -> float:
        return self.time

    def later(self, delay: float, callback: Callable[[], None]) -> Callable[[], None]:
        number = next(self._order)
        heapq.heappush(self._due, (self.time + delay, number, callback))
        return lambda: self._cancelled.add(number)

    def advance(self, seconds: float) -> None:
        until = self.time + seconds
        while self._due and self._due[0][0] <= until:
            self.time, number, callback = heapq.heappop(self._due)
            if number not in self._cancelled:
                callback()
        self.time = until


class HandWire:
    """A wire whose peer reads when told. What is written before `left` and not read is lost, as in a socket's buffer."""

    def __init__(self, high_water: int) -> None:
        self.viewer: Viewer | None = None
        self.hub: Hub | None = None
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.pings = 0
        self.goodbye: tuple[CloseCode, str] | None = None
        self._high_water = high_water
        self._paused = False

    def send(self, parcel: Parcel) -> None:
        assert self.goodbye is None, "written to after it was closed"
        self.chunks.extend(parcel.texts)
        self.size += parcel.size
        self._paused |= self.size > self._high_water

    def buffered(self) -> int:
        return self.size

    def ping(self) -> bool:
        self.pings += 1
        return True

    def close(self, code: CloseCode, reason: str) -> None:
        self.goodbye = code, reason

    def read(self, most: int = 1_000_000) -> list[Any]:
        """Take up to so many messages; the hub hears of it when there is room again."""
        taken: list[Any] = []
        while self.chunks and len(taken) < most:
            chunk = self.chunks.popleft()
            self.size -= len(chunk)
            taken.append(msgspec.json.decode(chunk))
            if self._paused and self.size <= self._high_water // 4:
                self._paused = False
                if self.hub is not None and self.viewer is not None:
                    self.hub.drained(self.viewer)
        return taken


class Rig:
    """Everything around a hub. `gates` hold back reads of the journal while `held` is set."""

    def __init__(self, settings: LiveSettings | None = None) -> None:
        self.store = MemoryStore()
        self.store.start()
        self.timer = HandTimer()
        self.hub = Hub(self.store, FixedClock(), settings, timer=self.timer, in_thread=self._in_thread)
        self.high_water = self.hub.settings.high_water
        self.held = False
        self.gates: list[asyncio.Event] = []
        self.late_reads = False

    def close(self) -> None:
        self.hub.stop()
        self.store.stop()

    async def _in_thread(self, call: Callable[..., Any], *args: Any) -> Any:
        """Reads before or after the wait: what is published meanwhile is in neither, or in both."""
        late = self.late_reads
        result = None if late else call(*args)
        if self.held:
            gate = asyncio.Event()
            self.gates.append(gate)
            await gate.wait()
        return call(*args) if late else result

    def release(self) -> None:
        for gate in self.gates:
            gate.set()
        self.gates.clear()

    async def settle(self) -> None:
        """Let tasks that can go on do so."""
        for _ in range(12):
            await asyncio.sleep(0)

    # --- executions ---

    def keep(self, events: Sequence[AnyEvent], row: ExecutionRow | None = None, execution_id: str = "run") -> Segment:
        """Make events durable."""
        segment = Segment(
            execution_id=execution_id,
            first_seq=events[0].seq,
            last_seq=events[-1].seq,
            epoch=1,
            lines=encode_lines(events),
            row=row,
        )
        self._submit(Commit(segments=[segment], done=lambda result: None))
        return segment

    def define(self, plan: Plan) -> str:
        """Store a document with the plan's nodes; its hash."""
        document = document_of(plan)
        sha256 = hashlib.sha256(document).hexdigest()
        self._submit(Commit(definitions=[(sha256, "w", "W", document)], done=lambda result: None))
        return sha256

    def _submit(self, commit: Commit) -> None:
        done = threading.Event()
        results: list[Any] = []

        def hear(result: Any) -> None:
            results.append(result)
            done.set()

        self.store.submit(msgspec.structs.replace(commit, done=hear))
        assert done.wait(10)
        assert results[0].error is None and not results[0].conflicts, results

    def wire(self) -> HandWire:
        return HandWire(self.high_water)

    def connect(
        self, wire: HandWire, *, framed: bool, execution_id: str | None = "run", after: int | None = None
    ) -> Viewer:
        wire.hub = self.hub
        viewer = wire.viewer = self.hub.connect(wire, framed=framed, execution_id=execution_id, after=after)
        return viewer


class Client:
    """A client that does as `docs/protocol.md` says."""

    def __init__(self, rig: Rig, *, framed: bool, execution_id: str = "run") -> None:
        self.rig = rig
        self.framed = framed
        self.fold = ClientFold(execution_id)
        self.seen: list[Any] = []
        self.asked = False
        self.wire = rig.wire()

    def connect(self) -> None:
        """Come, or come back."""
        after = self.fold.cursor if self.fold.cursor >= 0 else None
        self.wire = self.rig.wire()
        self.asked = False
        self.rig.connect(self.wire, framed=self.framed, execution_id=self.fold.execution_id, after=after)

    def drop(self) -> None:
        """The connection breaks; what was on its way is lost."""
        if self.wire.viewer is not None:
            self.rig.hub.left(self.wire.viewer)

    def read(self, most: int = 1_000_000) -> int:
        messages = self.wire.read(most)
        for message in messages:
            self.seen.append(message)
            outcome = self.fold.receive(message)
            if outcome is Outcome.APPLIED:
                self.asked = False
            elif outcome is Outcome.GAP and not self.asked:
                self.asked = True
                self.say({"type": "SUBSCRIBE", "executionId": self.fold.execution_id, "after": self.fold.cursor})
        return len(messages)

    def say(self, message: Any) -> None:
        assert self.wire.viewer is not None
        self.rig.hub.received(self.wire.viewer, msgspec.json.encode(message))

    def of(self, kind: str) -> list[Any]:
        return [message for message in self.seen if message.get("type") == kind]


def document_of(plan: Plan) -> bytes:
    """The plan's nodes as a document."""
    nodes = [
        {
            "id": node.id,
            "type": "custom",
            "data": {"label": node.label, "type": node.type, "category": "x", "config": {}},
        }
        | ({"parentId": node.parent_id} if node.parent_id else {})
        for node in plan.workflow.nodes
    ]
    return msgspec.json.encode({"id": "w", "name": "W", "nodes": nodes, "edges": []})


def shape_of(plan: Plan) -> WorkflowShape:
    return WorkflowShape.of(decode(document_of(plan)))


def truth(events: Sequence[AnyEvent], shape: WorkflowShape | None, execution_id: str = "run") -> Any:
    """What the server shows after these events, by a fold of its own."""
    translator = Translator(execution_id, shape)
    translator.fold(events)
    fold = ClientFold(execution_id)
    for page in Channel(translator, Tail(0, 0)).snapshot():
        fold.receive(msgspec.json.decode(page.texts[0]))
    return fold.state()


def steady(state: Any, *, ordered: bool = True) -> Any:
    """A state without what is ephemeral. Without a definition nodes are in the order they were first told of, which need not
    be that of their first events."""
    nodes = [
        {key: value for key, value in node.items() if node["status"] != "running" or key not in ("progress", "visual")}
        for node in state["nodes"]
    ]
    if not ordered:
        nodes.sort(key=lambda node: node["nodeId"])
    return state | {"nodes": nodes}
