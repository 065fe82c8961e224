"""docs/spec.md, V-01: whoever watches ends with the server's state, whatever the network and the server do meanwhile.

A real server, a real client, and between them a proxy that cuts, delays, repeats and swallows. What the client has at the end
must be what the server makes of the journal, to the letter.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from flowscope.client import Client, ExecutionSnapshot, NodeUpdate, Watch
from flowscope.client.feeds import Feed, socket_feed, stream_feed
from flowscope.client.pauses import Pauses

from .bad_network import BadNetwork, Cut, Link, Weather, last_seq, older
from .crowd import Manner, Onlooker, gathered
from .live_house import CROWDED, FAILING, RICH, STEPS, House, house

WAYS: dict[str, tuple[Feed, ...]] = {"websocket": (socket_feed,), "sse": (stream_feed,)}
AT_ONCE = 24
LIMIT = 180
"""Seconds after which a test that waits for a fact gives up."""

way = pytest.mark.parametrize("way", WAYS)


# --- a run that is watched through the proxy ---


class Viewing:
    """A run, a client that watches it through bad weather, and one nobody disturbs, which opens the doors."""

    def __init__(self, server: House, weather: Weather, way: str, silence: float = 20.0) -> None:
        self.server = server
        self.network = BadNetwork(server.port, weather)
        self.way = way
        self.silence = silence
        self.execution_id = ""
        self.told: list[int] = []
        self.connections = 0

    async def play(self, workflow: str, input: Any = None) -> Any:
        """From start to end; what the client has then."""
        async with asyncio.timeout(LIMIT), self.network.up(), Client(self.server.url) as direct:
            self.execution_id = await direct.start(workflow, {"n": 1} if input is None else input)
            async with Client(self.network.url, silence=self.silence) as client:
                watch = Watch(client._door, self.execution_id, None, Pauses(0.01, 0.05), WAYS[self.way])
                seen = asyncio.Event()
                opening = asyncio.create_task(self._open_doors(direct, seen))
                try:
                    await self._follow(watch, seen)
                except BaseException:
                    opening.cancel()
                    raise
                await opening
                self.connections = watch.connections
                return watch.state

    async def _follow(self, watch: Watch, seen: asyncio.Event) -> None:
        async for update in watch:
            seen.set()
            if isinstance(update, NodeUpdate) and isinstance(update.data.seq, int):
                self.told.append(update.data.seq)

    async def _open_doors(self, direct: Client, seen: asyncio.Event) -> None:
        """One after the other, each when it is shown to run: so that events come one by one, and do not wait for anybody."""
        await seen.wait()
        async for update in direct.watch(self.execution_id):
            nodes = update.data.nodes if isinstance(update, ExecutionSnapshot) else ()
            for node in (*nodes, *([update.data] if isinstance(update, NodeUpdate) else [])):
                if node.status == "running":
                    self.server.doors.open(self.execution_id, node.node_id)

    def check(self, state: Any) -> None:
        """The client has what the server has, and was told nothing twice or out of order."""
        assert state == self.server.fold(self.execution_id)
        assert self.told == sorted(self.told)


async def all_at(points: Iterator[Any], play: Callable[[Any], Awaitable[None]]) -> None:
    """Play every case, some at a time."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(point: Any) -> None:
        async with slots:
            await play(point)

    async with asyncio.TaskGroup() as group:
        for point in points:
            group.create_task(one(point))


async def stored(server: House, *documents: Any) -> None:
    async with Client(server.url) as client:
        for document in documents:
            await client.store(document)


async def length(server: House, workflow: str, way: str) -> int:
    """How many events a run has."""
    viewing = Viewing(server, Weather(), way)
    state = await viewing.play(workflow)
    viewing.check(state)
    return int(state["seq"])


# --- cuts ---


class CutAt(Weather):
    """Cuts the first connection that speaks of that event: behind the message, or in the middle of it."""

    def __init__(self, seq: int, *, inside: bool) -> None:
        self.seq = seq
        self.inside = inside
        self.cuts = self.last = 0

    async def tell(self, unit: bytes, link: Link) -> None:
        if self.cuts or not link.is_stream or last_seq(unit) < self.seq:
            return link.pass_on(unit)
        self.cuts += 1
        self.last = last_seq(unit)
        link.pass_on(unit[: len(unit) // 2] if self.inside else unit)
        await link.taken()
        raise Cut


@way
@pytest.mark.parametrize("workflow", ["rich", "failing"])
async def test_a_cut_after_every_single_event(way: str, workflow: str) -> None:
    async with house() as server:
        await stored(server, RICH, FAILING)
        events = await length(server, workflow, way)
        assert events > (50 if workflow == "rich" else 10)

        async def play(point: tuple[int, bool]) -> None:
            weather = CutAt(point[0], inside=point[1])
            viewing = Viewing(server, weather, way)
            state = await viewing.play(workflow)
            viewing.check(state)
            assert weather.cuts == 1
            assert viewing.connections > 1 or (weather.last == events and not weather.inside)

        await all_at(((seq, inside) for seq in range(1, events + 1) for inside in (False, True)), play)


class CutAlways(Weather):
    """No connection brings more than one message that is news."""

    def __init__(self) -> None:
        self.seq = -1
        self.cuts = 0

    async def tell(self, unit: bytes, link: Link) -> None:
        link.pass_on(unit)
        if link.is_stream and last_seq(unit) > self.seq:
            self.seq = last_seq(unit)
            self.cuts += 1
            await link.taken()
            raise Cut


@way
async def test_a_connection_that_never_holds(way: str) -> None:
    async with house() as server:
        await stored(server, RICH)
        weather = CutAlways()
        viewing = Viewing(server, weather, way)
        viewing.check(await viewing.play("rich"))
        assert weather.cuts >= 4


# --- delays, repetitions, silence ---


class Slow(Weather):
    """Every message is late, each by another time."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)

    async def tell(self, unit: bytes, link: Link) -> None:
        await asyncio.sleep(self._dice.random() * 0.03)
        link.pass_on(unit)


class Twice(Weather):
    """Every message comes twice, and whoever comes back gets what was long known: connections are cut now and then, and the
    next one begins further back than was asked for."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self.older = 0
        self._cut = False

    def ask(self, head: bytes) -> bytes:
        if not self._cut:
            return head
        self._cut = False
        asked = older(head, self._dice.randint(1, 9))
        self.older += asked != head
        return asked

    async def tell(self, unit: bytes, link: Link) -> None:
        link.pass_on(unit)
        if link.is_stream:
            link.pass_on(unit)
            if not self._cut and self._dice.random() < 0.1:
                self._cut = True
                await link.taken()
                raise Cut


class MuteAt(Weather):
    """From that event on a connection says nothing more, and stays open; the next one works."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self._mute = 0

    async def tell(self, unit: bytes, link: Link) -> None:
        if not self._mute and link.is_stream and last_seq(unit) >= self.seq:
            self._mute = link.number
        if link.number != self._mute:
            link.pass_on(unit)


@way
async def test_late_messages(way: str) -> None:
    async with house() as server:
        await stored(server, RICH)

        async def play(seed: int) -> None:
            viewing = Viewing(server, Slow(seed), way)
            viewing.check(await viewing.play("rich"))

        await all_at(iter(range(8)), play)


@way
async def test_messages_that_come_twice(way: str) -> None:
    async with house() as server:
        await stored(server, RICH)
        olds = []

        async def play(seed: int) -> None:
            weather = Twice(seed)
            viewing = Viewing(server, weather, way)
            viewing.check(await viewing.play("rich"))
            olds.append(weather.older)

        await all_at(iter(range(16)), play)
        assert sum(olds) > 5


@way
async def test_connections_that_fall_silent(way: str) -> None:
    async with house() as server:
        await stored(server, RICH)
        events = await length(server, "rich", way)

        async def play(seq: int) -> None:
            viewing = Viewing(server, MuteAt(seq), way, silence=3)
            viewing.check(await viewing.play("rich"))
            assert viewing.connections > 1

        await all_at(iter(range(1, events + 1, 4)), play)


# --- the server restarts ---


@way
@pytest.mark.parametrize("at", ["step0", "step2", "step3"])
async def test_a_restart_in_the_middle_of_a_run(way: str, at: str, tmp_path: Path) -> None:
    async with house(tmp_path) as server:
        await stored(server, STEPS)
        async with asyncio.timeout(LIMIT), Client(server.url) as client:
            execution_id = await client.start("steps")
            watch = Watch(client._door, execution_id, None, Pauses(0.01, 0.05), WAYS[way])
            restarts = 0
            async for _ in watch:
                running = [node["nodeId"] for node in watch.state["nodes"] if node["status"] == "running"]
                if at in running and not restarts:
                    restarts += 1
                    await server.down()
                    await server.up()
                for node_id in running:
                    server.doors.open(execution_id, node_id)
            assert restarts == 1
            assert watch.connections > 1
            assert watch.state["status"] == "success"
            assert watch.state == server.fold(execution_id)


@way
async def test_a_run_that_ends_while_nobody_can_see_it(way: str, tmp_path: Path) -> None:
    """The server goes down with a run under way, and comes up and finishes it before the client is let through again."""
    async with house(tmp_path) as server:
        await stored(server, STEPS)
        network = BadNetwork(server.port)
        async with asyncio.timeout(LIMIT), network.up(), Client(network.url) as client:
            execution_id = await client.start("steps")
            watch = Watch(client._door, execution_id, None, Pauses(0.01, 0.05), WAYS[way])
            assert isinstance(await anext(watch), ExecutionSnapshot)
            network.upstream = 1
            await server.down()
            server.doors.all_open = True
            await server.up()
            await server.services.engine.run(execution_id).outcome()
            network.upstream = server.port
            assert await watch.end() == server.fold(execution_id)
            assert watch.state["status"] == "success"


# --- a crowd ---


VIEWERS = 1_000
MANNERS: dict[Manner, int] = {"attentive": 900, "slow": 40, "deaf": 30, "mute": 30}


async def test_a_thousand_viewers_of_whom_a_tenth_is_slow_or_silent() -> None:
    """V-02: all that read have the server's state at the end, the slow ones too; those that give no sign of life are let go."""
    async with house(send_buffer=8 * 1024, ws_heartbeat_interval_ms=1_000) as server:
        hub = server.services.visualization.hub
        hub.settings = msgspec.structs.replace(hub.settings, budget=32 * 1024)
        await stored(server, CROWDED)
        async with asyncio.timeout(LIMIT), Client(server.url) as client:
            execution_id = await client.start("crowded")
            manners = [manner for manner, number in MANNERS.items() for _ in range(number)]
            Random(1).shuffle(manners)
            async with gathered(server.port, execution_id, manners) as crowd:
                assert len(crowd) == VIEWERS
                async for _ in (watch := client.watch(execution_id)):
                    for node in watch.state["nodes"]:
                        if node["status"] == "running":
                            server.doors.open(execution_id, node["nodeId"])
                truth = server.fold(execution_id)
                assert watch.state == truth
                reading = [one for one in crowd if one.manner in ("attentive", "slow")]
                await asyncio.gather(*(one.ended.wait() for one in reading))
                assert [one for one in reading if one.fold.state() != truth] == []
                mute: list[Onlooker] = [one for one in crowd if one.manner == "mute"]
                await asyncio.gather(*(one.gone.wait() for one in mute))
                assert Counter(one.code for one in mute) == {4408: len(mute)}
                assert hub.statistics()["lagged"] > 0
                # The deaf cannot hear that they were let go; the hub knows, and tells nobody.
                while hub.statistics()["viewers"] > len(reading):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert {one.code for one in reading} == {0}
