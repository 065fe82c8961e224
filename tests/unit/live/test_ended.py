"""Executions that have ended are shown again as they were shown, while they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from flowscope.execution.events import (
    AnyEvent,
    ExecutionStarted,
    ExecutionSucceeded,
    NodeStarted,
    NodeSucceeded,
)
from flowscope.live import ended
from flowscope.live.channel import Channel
from flowscope.live.ended import EndedChannels
from flowscope.live.history import History
from flowscope.orchestrator.ports import ExecutionRow, Retention
from unit.live.rig import Client, Rig


@pytest.fixture(autouse=True)
def short_runs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "LEAST_EVENTS", 4)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def story(start: float = 100.0, *, name: str = "A") -> list[AnyEvent]:
    return [
        ExecutionStarted(seq=1, at=start, workflow_id="w", total_nodes=1),
        NodeStarted(seq=2, at=start + 1, node_id="a", node_name=name),
        NodeSucceeded(seq=3, at=start + 2, node_id="a"),
        ExecutionSucceeded(seq=4, at=start + 3),
    ]


def keep(rig: Rig, events: list[AnyEvent], execution_id: str = "run") -> None:
    over = events[-1].at if isinstance(events[-1], ExecutionSucceeded) else 0
    row = ExecutionRow(
        execution_id=execution_id, workflow_id="w", started_at=events[0].at, ended_at=over, status="success"
    )
    rig.keep(events, row, execution_id)


async def watch(rig: Rig, execution_id: str = "run") -> Client:
    client = Client(rig, framed=True, execution_id=execution_id)
    client.connect()
    await rig.settle()
    client.read()
    return client


def opened(history: History, execution_id: str = "run") -> Channel:
    channel = history.open(execution_id)
    assert channel is not None
    return channel


def told(channel: Channel) -> list[bytes]:
    return [bytes(text) for parcel in channel.snapshot() for text in parcel.texts]


def test_the_next_viewer_is_shown_what_the_last_one_was(rig: Rig) -> None:
    async def play() -> None:
        keep(rig, story())
        first = await watch(rig)
        first.drop()
        again = await watch(rig)
        assert again.fold.state() == first.fold.state()
        assert again.fold.state()["nodes"][0]["status"] == "success"

    asyncio.run(play())


def test_it_is_not_folded_again(rig: Rig) -> None:
    keep(rig, story())
    history = History(rig.store, 1_000)
    channel = opened(history)
    history.ended.put(channel)
    assert opened(history) is channel
    assert opened(history) is not channel  # it belongs to whoever has taken it
    assert told(opened(history)) == told(channel)


def test_what_was_published_to_its_end_is_what_the_journal_folds_to(rig: Rig) -> None:
    events = story()
    rig.keep(events[:2], ExecutionRow(execution_id="run", workflow_id="w", started_at=100.0))
    history = History(rig.store, 1_000)
    live = opened(history)
    rest = rig.keep(
        events[2:], ExecutionRow(execution_id="run", workflow_id="w", started_at=100.0, ended_at=103.0, last_seq=4)
    )
    live.publish(events[2:])
    assert rest.last_seq == 4
    history.ended.put(live)
    assert opened(history) is live
    assert told(live) == told(opened(History(rig.store, 1_000)))


def test_one_that_goes_on_is_not_kept(rig: Rig) -> None:
    keep(rig, story()[:3])
    history = History(rig.store, 1_000)
    history.ended.put(opened(history))
    assert len(history.ended) == 0


def test_after_pruning_there_is_none_and_another_by_its_id_is_another(rig: Rig) -> None:
    keep(rig, story())
    history = History(rig.store, 1_000)
    channel = opened(history)
    history.ended.put(channel)
    assert rig.store.prune(Retention(ended_before=1_000.0)) == ["run"]
    assert history.open("run") is None
    assert (len(history.ended), history.ended.bytes) == (0, 0)
    history.ended.put(channel)
    keep(rig, story(200.0, name="B"), "run")
    assert b'"nodeName":"B"' in told(opened(history))[0]


def test_the_hub_forgets_what_has_been_pruned(rig: Rig) -> None:
    async def play() -> None:
        keep(rig, story())
        (await watch(rig)).drop()
        kept = rig.hub._history.ended
        assert len(kept) == 1
        rig.hub.forget(["run", "nobody"])
        assert (len(kept), kept.bytes) == (0, 0)

    asyncio.run(play())


def test_whoever_leaves_before_it_is_read_has_it_read_for_the_next(rig: Rig) -> None:
    async def play() -> None:
        keep(rig, story())
        rig.held = True
        client = await watch(rig)
        client.drop()
        rig.held = False
        rig.release()
        await rig.settle()
        assert len(rig.hub._history.ended) == 1

    asyncio.run(play())


def test_the_oldest_go_when_they_are_too_much(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(rig.store, 1_000)
    channels = []
    for name in ("one", "two", "three"):
        keep(rig, story(), name)
        channels.append(opened(history, name))
    monkeypatch.setattr(ended, "MOST_BYTES", 2 * channels[0].size + 100)
    kept = EndedChannels()
    for channel in channels:
        kept.put(channel)
    assert (len(kept), kept.bytes) == (2, channels[1].size + channels[2].size)
    row = rig.store.row("two")
    assert row is not None
    assert kept.take(row) is channels[1]
    assert kept.bytes == channels[2].size
    monkeypatch.setattr(ended, "MOST_BYTES", 10)
    kept.put(channels[1])
    assert (len(kept), kept.bytes) == (0, 0)
