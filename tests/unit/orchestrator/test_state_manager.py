"""The mission's `ExecutionStateManager`, over a real store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from flowscope.errors import ExecutionActive, ExecutionEnded, ExecutionNotFound, InputInvalid, StoreConflict
from flowscope.execution.events import (
    AnyEvent,
    ExecutionStarted,
    ExecutionSucceeded,
    NodeStarted,
    NodeSucceeded,
    decode_lines,
    encode_lines,
)
from flowscope.journal import MemoryStore
from flowscope.orchestrator.execution_state import ExecutionUpdate
from flowscope.orchestrator.ports import Commit, ExecutionRow, Progress, Segment
from flowscope.orchestrator.state_manager import HOUR, ExecutionStateManager


class MovedClock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        entry = (when, callback)
        self._due.append(entry)
        return lambda: self._due.remove(entry)

    def advance(self, by: float) -> None:
        self.time += by
        while due := [entry for entry in self._due if entry[0] <= self.time]:
            self._due.remove(due[0])
            due[0][1]()


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    store.start()
    yield store
    store.stop()


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def manager(store: MemoryStore, clock: MovedClock) -> ExecutionStateManager:
    return ExecutionStateManager(store, clock)


def state(manager: ExecutionStateManager, execution_id: str = "x") -> dict[str, Any]:
    found = manager.get_execution_state(execution_id)
    assert found is not None
    built: dict[str, Any] = msgspec.to_builtins(found)
    return built


def events_of(store: MemoryStore, execution_id: str = "x") -> list[AnyEvent]:
    return [event for segment in store.read(execution_id) for event in decode_lines(segment.lines)]


def kinds(store: MemoryStore, execution_id: str = "x") -> list[str]:
    return [type(event).__name__ for event in events_of(store, execution_id)]


# --- reported runs ---


async def test_a_reported_run_from_start_to_end(
    manager: ExecutionStateManager, store: MemoryStore, clock: MovedClock
) -> None:
    manager.initialize_execution("x", "w", 2, {"n": 1})
    manager.update_node_state("x", "a", "Fetch", "running")
    clock.advance(250)
    manager.update_node_state("x", "a", "Fetch", "success", {"output": {"rows": 3}})
    await manager.settled("x")
    assert state(manager) == {
        "executionId": "x", "workflowId": "w", "status": "running", "startTime": 1_000_000, "progress": 50,
        "totalNodes": 2, "completedNodes": 1, "input": {"n": 1},
        "nodes": {"a": {"nodeId": "a", "nodeName": "Fetch", "status": "success", "sequence": 1, "timestamp": 1_000_250,
                        "startTime": 1_000_000, "endTime": 1_000_250, "duration": 250, "output": {"rows": 3}}},
    }  # fmt: skip
    clock.advance(50)
    manager.update_node_state("x", "b", "Send", "skipped")
    await manager.settled("x")
    ended = state(manager)
    assert (ended["status"], ended["progress"], ended["duration"], ended["endTime"]) == ("success", 100, 300, 1_000_300)
    assert kinds(store) == ["ExecutionStarted", "NodeStarted", "NodeSucceeded", "NodeSkipped", "ExecutionSucceeded"]
    row = store.row("x")
    assert row is not None
    assert (row.status, row.ended_at, row.last_seq, row.definition) == ("success", 1_000_300, 5, "")


async def test_a_success_without_a_start_gets_one(manager: ExecutionStateManager, store: MemoryStore) -> None:
    manager.initialize_execution("x", "w", 2)
    manager.update_node_state("x", "a", "A", "success")
    await manager.settled("x")
    assert kinds(store) == ["ExecutionStarted", "NodeStarted", "NodeSucceeded"]


async def test_idle_pending_and_repetitions_are_not_recorded(
    manager: ExecutionStateManager, store: MemoryStore
) -> None:
    manager.initialize_execution("x", "w", 2)
    for status in ("idle", "pending", "running", "running", "success", "success"):
        manager.update_node_state("x", "a", "A", status)
    await manager.settled("x")
    assert kinds(store) == ["ExecutionStarted", "NodeStarted", "NodeSucceeded"]


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("boom", ("NodeError", "boom")),
        ({"name": "TypeError", "message": "x is undefined", "code": 7}, ("TypeError", "x is undefined")),
        (KeyError("k"), ("KeyError", "'k'")),
        (None, ("NodeError", "failed without saying why")),
    ],
)
async def test_an_error_fails_the_run(
    manager: ExecutionStateManager, store: MemoryStore, error: object, shown: tuple[str, str]
) -> None:
    manager.initialize_execution("x", "w", 1)
    manager.update_node_state("x", "a", "A", "error", {"error": error})
    await manager.settled("x")
    ended = state(manager)
    assert (ended["status"], ended["error"], ended["nodes"]["a"]["status"]) == ("failed", shown[1], "error")
    assert events_of(store)[-1].error.type == shown[0]  # type: ignore[union-attr]


async def test_a_node_that_runs_again_is_another_attempt(manager: ExecutionStateManager, store: MemoryStore) -> None:
    manager.initialize_execution("x", "w", 2)
    for status in ("running", "error", "running", "success"):
        manager.update_node_state("x", "a", "A", status)
    await manager.settled("x")
    assert [event.attempt for event in events_of(store) if isinstance(event, NodeStarted)] == [1, 2]
    assert state(manager)["nodes"]["a"]["status"] == "success"
    assert "error" not in state(manager)["nodes"]["a"]


async def test_finish_says_how_it_ended(manager: ExecutionStateManager, store: MemoryStore) -> None:
    manager.initialize_execution("x", "w", 5)
    manager.update_node_state("x", "a", "A", "running")
    manager.finish_execution("x", "success", output={"done": True})
    await manager.settled("x")
    ended = state(manager)
    assert (ended["status"], ended["output"], ended["nodes"]["a"]["status"]) == ("success", {"done": True}, "skipped")
    assert kinds(store)[-2:] == ["NodeCancelled", "ExecutionSucceeded"]


@pytest.mark.parametrize(("status", "error"), [("failed", "no luck"), ("cancelled", None)])
async def test_finish_as_failed_or_cancelled(manager: ExecutionStateManager, status: str, error: str | None) -> None:
    manager.initialize_execution("x", "w", 5)
    manager.finish_execution("x", status, error=error)
    await manager.settled("x")
    assert (state(manager)["status"], state(manager).get("error")) == (status, error)


async def test_nothing_is_shown_before_it_is_durable(manager: ExecutionStateManager) -> None:
    manager.initialize_execution("x", "w", 2)
    await manager.settled("x")
    seen: list[ExecutionUpdate] = []
    manager.subscribe("x", seen.append)
    manager.update_node_state("x", "a", "A", "success")
    assert [update.completed_nodes for update in seen] == [0]
    await manager.settled("x")
    assert [update.completed_nodes for update in seen] == [0, 1]


async def test_an_unknown_execution_is_refused(manager: ExecutionStateManager) -> None:
    with pytest.raises(ExecutionNotFound, match=r"^Execution nope not found$"):
        manager.update_node_state("nope", "a", "A", "running")
    assert manager.get_execution_state("nope") is None


async def test_an_ended_execution_takes_no_more(manager: ExecutionStateManager) -> None:
    manager.initialize_execution("x", "w", 1)
    manager.update_node_state("x", "a", "A", "success")
    for _ in range(2):
        with pytest.raises(ExecutionEnded):
            manager.update_node_state("x", "a", "A", "running")
        await manager.settled("x")
    with pytest.raises(ExecutionEnded):
        manager.initialize_execution("x", "w", 1)


async def test_what_cannot_be_is_refused(manager: ExecutionStateManager, store: MemoryStore) -> None:
    manager.initialize_execution("x", "w", 1)
    with pytest.raises(ExecutionActive):
        manager.initialize_execution("x", "w", 1)
    with pytest.raises(InputInvalid, match="is not a status of a node"):
        manager.update_node_state("x", "a", "A", "done")
    with pytest.raises(InputInvalid, match="is not how an execution ends"):
        manager.finish_execution("x", "done")
    for execution_id in ("", "a\0b", "x" * 129):
        with pytest.raises(InputInvalid, match="128 visible"):
            manager.initialize_execution(execution_id, "w", 1)
    keep(store, "engine", [ExecutionStarted(seq=1, at=1, workflow_id="w", definition="d")], definition="d")
    with pytest.raises(InputInvalid, match="run by flowscope itself"):
        manager.update_node_state("engine", "a", "A", "running")


async def test_another_process_goes_on_reporting(
    manager: ExecutionStateManager, store: MemoryStore, clock: MovedClock
) -> None:
    manager.initialize_execution("x", "w", 2)
    manager.update_node_state("x", "a", "A", "success")
    await manager.settled("x")
    later = ExecutionStateManager(store, clock)
    later.update_node_state("x", "b", "B", "success")
    await later.settled("x")
    assert state(later)["status"] == "success"
    assert "ExecutionRecovered" in kinds(store)
    manager.update_node_state("x", "b", "B", "running")
    with pytest.raises(StoreConflict):
        await manager.settled("x")


async def test_a_large_output_is_kept_beside_the_journal(manager: ExecutionStateManager, store: MemoryStore) -> None:
    manager.initialize_execution("x", "w", 2)
    manager.update_node_state("x", "a", "A", "success", {"output": "long" * 20_000})
    await manager.settled("x")
    event = events_of(store)[-1]
    assert isinstance(event, NodeSucceeded) and event.output_blob
    assert store.blob(event.output_blob.sha256) == b'"' + b"long" * 20_000 + b'"'


async def test_the_publishers_hear_of_reported_runs(manager: ExecutionStateManager) -> None:
    heard: list[tuple[int, int]] = []

    class Hub:
        def publish(self, segment: Segment, events: Any) -> None:
            heard.append((segment.first_seq, segment.last_seq))

        def murmur(self, word: object) -> None:
            raise AssertionError("nothing to murmur")

    manager.publishers.append(Hub())
    manager.initialize_execution("x", "w", 2)
    manager.update_node_state("x", "a", "A", "success")
    await manager.settled("x")
    assert heard == [(1, 1), (2, 3)]


async def test_progress_is_shown_while_a_node_runs(manager: ExecutionStateManager) -> None:
    manager.initialize_execution("x", "w", 2)
    manager.update_node_state("x", "a", "A", "running")
    await manager.settled("x")
    manager.get_execution_state("x")
    manager.update_node_state("x", "a", "A", "running", {"progress": 40})
    assert state(manager)["nodes"]["a"]["progress"] == 40
    manager.murmur(Progress(execution_id="x", node_id="a", fraction=0.6))
    assert state(manager)["nodes"]["a"]["progress"] == 60
    manager.update_node_state("x", "a", "A", "success")
    await manager.settled("x")
    assert "progress" not in state(manager)["nodes"]["a"]


# --- subscribers ---


async def test_a_subscriber_is_called_at_once_and_until_it_leaves(manager: ExecutionStateManager) -> None:
    manager.initialize_execution("x", "w", 3)
    await manager.settled("x")
    seen: list[dict[str, Any]] = []
    leave = manager.subscribe("x", lambda update: seen.append(msgspec.to_builtins(update)))
    assert seen == [{"status": "running", "progress": 0, "completedNodes": 0, "totalNodes": 3}]
    manager.update_node_state("x", "a", "A", "success")
    await manager.settled("x")
    leave()
    leave()
    manager.update_node_state("x", "b", "B", "success")
    await manager.settled("x")
    assert [update["progress"] for update in seen] == [0, 33]
    assert manager.statistics()["subscribers"] == 0


async def test_a_subscriber_may_come_before_the_execution(manager: ExecutionStateManager) -> None:
    seen: list[ExecutionUpdate] = []
    manager.subscribe("x", seen.append)
    assert seen == []
    manager.initialize_execution("x", "w", 1)
    manager.update_node_state("x", "a", "A", "success")
    await manager.settled("x")
    assert [update.status for update in seen] == ["running", "success"]


async def test_a_throwing_subscriber_is_alone_with_it(manager: ExecutionStateManager) -> None:
    def throw(update: ExecutionUpdate) -> None:
        raise RuntimeError("mine")

    seen: list[ExecutionUpdate] = []
    manager.subscribe("x", throw)
    manager.subscribe("x", seen.append)
    manager.initialize_execution("x", "w", 1)
    await manager.settled("x")
    assert len(seen) == 1


# --- executions that the engine runs ---


def keep(store: MemoryStore, execution_id: str, events: list[AnyEvent], *, definition: str = "") -> Segment:
    """Put events into the store, as an orchestrator would, and wait until it has them."""
    status = "success" if isinstance(events[-1], ExecutionSucceeded) else "running"
    segment = Segment(
        execution_id=execution_id,
        first_seq=events[0].seq,
        last_seq=events[-1].seq,
        epoch=1,
        lines=encode_lines(events),
        row=ExecutionRow(execution_id=execution_id, workflow_id="w", definition=definition, status=status),
    )
    durable = threading.Event()
    store.submit(Commit(segments=[segment], done=lambda result: durable.set()))
    assert durable.wait(10)
    return segment


DOCUMENT = msgspec.json.encode(
    {
        "id": "w",
        "name": "W",
        "nodes": [{"id": "a", "data": {"type": "noop", "label": "First"}}, {"id": "b", "data": {"type": "noop", "label": "Second"}}],
        "edges": [{"id": "e", "source": "a", "target": "b"}],
    }
)  # fmt: skip


async def test_a_view_is_folded_when_somebody_asks_and_then_keeps_up(
    manager: ExecutionStateManager, store: MemoryStore
) -> None:
    sha256 = "ab" * 32
    store.submit(Commit(definitions=[(sha256, "w", "W", DOCUMENT)], done=lambda result: None))
    first: list[AnyEvent] = [
        ExecutionStarted(seq=1, at=1, workflow_id="w", definition=sha256),
        NodeStarted(seq=2, at=2, node_id="a"),
    ]
    segment = keep(store, "x", first, definition=sha256)
    manager.publish(segment, first)
    assert manager.statistics()["views"] == 0, "nobody has asked"
    nodes = state(manager)["nodes"]
    assert {node: (nodes[node]["nodeName"], nodes[node]["status"]) for node in nodes} == {
        "a": ("First", "running"), "b": ("Second", "idle"),
    }  # fmt: skip
    second: list[AnyEvent] = [NodeSucceeded(seq=3, at=3, node_id="a")]
    segment = keep(store, "x", second, definition=sha256)
    manager.publish(segment, second)
    manager.publish(segment, second)
    assert state(manager)["progress"] == 50


async def test_a_missed_publication_is_read_from_the_store(manager: ExecutionStateManager, store: MemoryStore) -> None:
    keep(store, "x", [ExecutionStarted(seq=1, at=1, workflow_id="w")])
    assert state(manager)["status"] == "running"
    keep(store, "x", [NodeStarted(seq=2, at=2, node_id="a")])
    last: list[AnyEvent] = [NodeSucceeded(seq=3, at=3, node_id="a")]
    manager.publish(keep(store, "x", last), last)
    assert state(manager)["nodes"]["a"]["status"] == "success"


# --- keeping ---


async def report(manager: ExecutionStateManager, execution_id: str) -> None:
    manager.initialize_execution(execution_id, "w", 1)
    manager.update_node_state(execution_id, "a", "A", "success")
    await manager.settled(execution_id)
    manager.get_execution_state(execution_id)


async def test_memory_is_given_back_an_hour_after_the_end(manager: ExecutionStateManager, clock: MovedClock) -> None:
    await report(manager, "x")
    clock.advance(HOUR - 1)
    assert manager.statistics() == {"views": 1, "nodes": 1, "subscribers": 0, "reported": 0}
    clock.advance(1)
    assert manager.statistics() == {"views": 0, "nodes": 0, "subscribers": 0, "reported": 0}
    assert state(manager)["status"] == "success", "the history is the store's"


async def test_a_long_run_is_kept_from_its_end_on(manager: ExecutionStateManager, clock: MovedClock) -> None:
    manager.initialize_execution("x", "w", 1)
    await manager.settled("x")
    manager.get_execution_state("x")
    clock.advance(10 * HOUR)
    manager.update_node_state("x", "a", "A", "success")
    await manager.settled("x")
    clock.advance(HOUR / 2)
    assert manager.statistics()["views"] == 1
    clock.advance(HOUR / 2)
    assert manager.statistics()["views"] == 0


async def test_no_more_are_kept_than_may_be(store: MemoryStore, clock: MovedClock) -> None:
    manager = ExecutionStateManager(store, clock, kept=2)
    for execution_id in ("x1", "x2", "x3", "x4"):
        await report(manager, execution_id)
    assert manager.statistics()["views"] == 2
    small = ExecutionStateManager(store, clock, kept_nodes=1)
    for execution_id in ("x1", "x2", "x3"):
        small.get_execution_state(execution_id)
    assert small.statistics()["nodes"] == 1


async def test_what_is_subscribed_to_stays(store: MemoryStore, clock: MovedClock) -> None:
    manager = ExecutionStateManager(store, clock, kept=1)
    leave = manager.subscribe("x1", lambda update: None)
    for execution_id in ("x1", "x2", "x3"):
        await report(manager, execution_id)
    clock.advance(HOUR)
    assert manager.statistics()["views"] == 1
    seen: list[ExecutionUpdate] = []
    manager.subscribe("x1", seen.append)()
    assert [update.status for update in seen] == ["success"]
    leave()
    clock.advance(HOUR)
    assert manager.statistics()["views"] == 0
