"""Whoever watches ends with the server's state, whatever the network did."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowscope.execution.events import AnyEvent, NodeStarted
from flowscope.execution.view import ExecutionView
from flowscope.live import channel, ended, history, parcel
from flowscope.live.settings import LiveSettings
from flowscope.live.translation import Translator
from flowscope.orchestrator.ports import ExecutionRow, LogLine, Progress
from properties.test_machine import Chaos, any_plan
from unit.live.rig import Client, Rig, shape_of, steady, truth

seeds = st.integers(0, 2**32)
sizes = st.integers(1, 7)
lengths = st.integers(0, 80)

SMALL = LiveSettings(budget=3_000, replay_events=60)


@pytest.fixture(autouse=True, scope="module")
def small_limits() -> Iterator[None]:
    """So that a run of a few dozen events meets every limit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channel, "PAGE_BYTES", 4096 + 1_200)
        patch.setattr(parcel, "FRAME_BYTES", 900)
        patch.setattr(parcel, "CONFLATE_BYTES", 700)
        patch.setattr(history, "TAIL_EVENTS", 10)
        patch.setattr(history, "PAGE_EVENTS", 5)
        patch.setattr(ended, "LEAST_EVENTS", 1)
        yield


class Weather:
    """A run is published bit by bit while clients come, read, stall, vanish and come back."""

    def __init__(self, seed: int, size: int, steps: int) -> None:
        self.dice = Random(seed)
        plan = any_plan(seed, size)
        self.events: list[AnyEvent] = list(Chaos(plan, seed, steps).run.events)
        self.rig = Rig(SMALL)
        shaped = self.dice.random() < 0.7
        self.shape = shape_of(plan) if shaped else None
        self.row = ExecutionRow(execution_id="run", workflow_id="w", definition=self.rig.define(plan) if shaped else "")
        self.kept = self.published = 0
        self.segments: list[tuple[int, int]] = []
        self.clients = [Client(self.rig, framed=self.dice.random() < 0.6) for _ in range(self.dice.randint(1, 4))]
        self.connected: dict[Client, bool] = {}

    async def blow(self) -> None:
        rig, dice = self.rig, self.dice
        self.keep()
        while self.published < len(self.events):
            for _ in range(dice.randint(0, 6)):
                self.one_thing()
                if dice.random() < 0.5:
                    await rig.settle()
            self.keep() if dice.random() < 0.7 else None
            self.publish()
        await self.calm()

    def one_thing(self) -> None:
        rig, dice = self.rig, self.dice
        client = dice.choice(self.clients)
        match dice.choice("crrrrdtttghumw"):
            case "c" if not self.connected.get(client):
                client.connect()
                self.connected[client] = True
            case "r" if self.connected.get(client):
                client.read(dice.randint(1, 8))
            case "d" if self.connected.get(client) and dice.random() < 0.5:
                client.drop()
                self.connected[client] = False
            case "t":
                rig.timer.advance(dice.choice((0, 0.001, 0.02, 0.1)))
            case "g":
                rig.release()
            case "h":
                rig.held = dice.random() < 0.5
                rig.late_reads = dice.random() < 0.5
            case "u" if self.connected.get(client) and dice.random() < 0.3:
                client.say({"type": "UNSUBSCRIBE", "executionId": "run"})
                client.say({"type": "SUBSCRIBE", "executionId": "run", "after": max(0, client.fold.cursor)})
            case "m":
                self.murmur()
            case "w" if self.connected.get(client) and dice.random() < 0.3:
                client.say({"type": "SUBSCRIBE", "executionId": "run"})

    def keep(self) -> None:
        """Commit the next events; they are published later, in order."""
        if self.kept < len(self.events):
            upto = min(len(self.events), self.kept + self.dice.randint(1, 12))
            self.rig.keep(self.events[self.kept : upto], self.row if not self.kept else None)
            self.segments.append((self.kept, upto))
            self.kept = upto

    def publish(self) -> None:
        for first, upto in self.segments:
            events = self.events[first:upto]
            segment = self.rig.store.read("run", first, 1)[0]
            self.rig.hub.publish(segment, events)
            self.published = upto
        self.segments.clear()

    def murmur(self) -> None:
        started = [event for event in self.events[: self.published] if isinstance(event, NodeStarted)]
        if started:
            node = self.dice.choice(started)
            self.rig.hub.murmur(
                Progress(
                    execution_id="run",
                    node_id=node.node_id,
                    path=node.path,
                    attempt=node.attempt,
                    fraction=self.dice.random(),
                )
            )
            self.rig.hub.murmur(LogLine(execution_id="run", node_id=node.node_id, text="word \ud800"))

    async def calm(self) -> None:
        """The network is good again."""
        rig = self.rig
        rig.held = False
        rig.release()
        for client in self.clients:
            if not self.connected.get(client):
                client.connect()
        idle = 0
        while idle < 3:
            await rig.settle()
            rig.timer.advance(0.1)
            idle = 0 if sum(client.read() for client in self.clients) else idle + 1

    async def play(self) -> None:
        try:
            await self.blow()
            ordered = self.shape is not None
            expected = steady(truth(self.events, self.shape), ordered=ordered)
            for client in self.clients:
                assert steady(client.fold.state(), ordered=ordered) == expected
                assert client.wire.goodbye is None
            last = Client(self.rig, framed=True)
            last.connect()
            await self.rig.settle()
            last.read()
            assert steady(last.fold.state(), ordered=ordered) == expected
        finally:
            self.rig.close()


@settings(max_examples=400, deadline=None)
@given(seeds, sizes, lengths)
def test_every_client_ends_with_the_servers_state(seed: int, size: int, steps: int) -> None:
    asyncio.run(Weather(seed, size, steps).play())


@settings(max_examples=300, deadline=None)
@given(seeds, sizes, lengths)
def test_what_is_shown_is_what_the_view_says(seed: int, size: int, steps: int) -> None:
    """After every event: nothing that has changed is left untold."""
    plan = any_plan(seed, size)
    shape = shape_of(plan)
    translator, view = Translator("run", shape), ExecutionView("run", shape)
    for event in Chaos(plan, seed, steps).run.events:
        view.apply(event)
        messages = translator.translate(event)
        assert [message.last for message in messages[:-1]] == [False] * len(messages[:-1])
        assert not messages or messages[-1].last
        for entry in translator.entries():
            node = view.nodes[entry.node_id]
            told = entry.status, entry.detail or "", entry.error or ""
            assert told == (node.status, node.detail, node.error.message if node.error else "")
        facts = translator.snapshot()
        assert (facts.status, facts.detail or "", facts.progress) == (view.status, view.detail, view.progress)
        assert (facts.completed_nodes, facts.total_nodes) == (view.completed_nodes, view.total_nodes)


@settings(max_examples=300, deadline=None)
@given(seeds, sizes, lengths, st.booleans())
def test_a_fold_shows_what_was_told_event_by_event(seed: int, size: int, steps: int, shaped: bool) -> None:
    plan = any_plan(seed, size)
    shape = shape_of(plan) if shaped else None
    events = list(Chaos(plan, seed, steps).run.events)
    told, folded = Translator("run", shape), Translator("run", shape)
    for event in events:
        told.translate(event)
    folded.fold(events)
    assert list(folded.entries()) == list(told.entries())
    assert folded.whole() == told.whole()
    assert folded.translate(events[-1]) == told.translate(events[-1]) == []


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, lengths, st.integers(0, 200))
def test_coming_back_anywhere_ends_the_same(seed: int, size: int, steps: int, after: int) -> None:
    """Without limits in the way: the snapshot at any seq and the messages after it are the snapshot at the end."""

    async def play() -> None:
        plan = any_plan(seed, size)
        events = list(Chaos(plan, seed, steps).run.events)
        rig = Rig()
        try:
            rig.keep(events, ExecutionRow(execution_id="run", workflow_id="w", definition=rig.define(plan)))
            for framed in (False, True):
                client = Client(rig, framed=framed)
                before = truth(events[: min(after, len(events))], shape_of(plan))
                if after:
                    client.fold.cursor = before["seq"]
                    client.fold.run = {
                        key: value for key, value in before.items() if key not in ("nodes", "seq", "executionId")
                    }
                    client.fold.nodes = {node["nodeId"]: node for node in before["nodes"]}
                client.connect()
                for _ in range(40):
                    await rig.settle()
                    client.read()
                assert steady(client.fold.state()) == steady(truth(events, shape_of(plan)))
                assert client.fold.cursor == len(events)
                assert client.fold.caught_up == bool(after)
                assert not client.of("LAGGED")
        finally:
            rig.close()

    asyncio.run(play())
