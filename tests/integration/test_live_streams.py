"""Runs watched over real sockets, by old clients and new ones."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from acceptance.nodes import Gate, registry_with
from acceptance.notation import chain, one
from flowscope.live import lean
from flowscope.live.client_fold import ClientFold
from flowscope.live.settings import LiveSettings
from unit.live.rig import steady
from unit.live.serving import PATIENCE, hear, hear_until, serving, watch_to_end

kinds = pytest.mark.parametrize("kind", ["lean", "plain"])


def gated(length: int = 3) -> dict[str, Any]:
    """A workflow that waits at `wait` until the test opens the gate."""
    rest = [one(f"n{number}", "noop") for number in range(length)]
    return chain("w", one("go", "manual_trigger"), one("wait", "gate"), *rest)


async def fold_of(site: Any, execution_id: str) -> Any:
    """The server's state, as it tells it to whoever comes new."""
    async with site.framed(execution_id) as connection:
        fold = ClientFold(execution_id)
        while fold.cursor < 0:
            fold.receive(await hear(connection))
        return fold.state()


@kinds
async def test_an_old_client_sees_a_run_from_its_first_node_to_its_end(kind: str) -> None:
    gate = Gate()
    async with serving(kind, registry=registry_with(gate.type)) as site:
        run = await site.engine.start(gated())
        async with connect(site.url(run.execution_id)) as connection:
            assert connection.subprotocol is None
            heard = [await hear(connection), await hear(connection)]
            assert heard[0]["type"] == "CONNECTED" and heard[0]["executionId"] == run.execution_id
            assert heard[1]["type"] == "EXECUTION_SNAPSHOT"
            gate.open.set()
            heard = await hear_until(connection, "EXECUTION_UPDATE", status="success")
        told = [
            (message["data"]["nodeId"], message["data"]["status"])
            for message in heard
            if message["type"] == "NODE_UPDATE"
        ]
        for node_id in ("n0", "n1", "n2"):
            assert told.index((node_id, "running")) < told.index((node_id, "success"))
        assert heard[-1]["data"] | {"progress": 100, "completedNodes": 5, "totalNodes": 5} == heard[-1]["data"]
        assert all("seq" in message["data"] for message in heard)


@kinds
async def test_one_socket_watches_many_and_pings(kind: str) -> None:
    gate = Gate()
    async with serving(kind, registry=registry_with(gate.type)) as site:
        runs = [await site.engine.start(gated()) for _ in range(3)]
        async with connect(site.address) as connection:
            assert (await hear(connection))["executionId"] is None
            await connection.send('{"type":"PING"}')
            assert (await hear(connection))["type"] == "PONG"
            for run in runs:
                await connection.send(msgspec.json.encode({"type": "SUBSCRIBE", "executionId": run.execution_id}))
                assert (await hear(connection))["data"]["executionId"] == run.execution_id
            assert site.service.get_stats() == {"totalClients": 1, "activeExecutions": 3, "totalConnections": 3}
            await connection.send(msgspec.json.encode({"type": "UNSUBSCRIBE", "executionId": runs[0].execution_id}))
            await connection.send('{"type":"PING"}')
            assert (await hear(connection))["type"] == "PONG"
            gate.open.set()
            ended: set[str] = set()
            while len(ended) < 2:
                data = (await hear(connection))["data"]
                assert data["executionId"] != runs[0].execution_id
                if data["status"] == "success" and "nodeId" not in data:
                    ended.add(data["executionId"])


@kinds
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"type":"SUBSCRIBE","executionId":"nobody"}', "EXECUTION_NOT_FOUND"),
        ("{", "BAD_JSON"),
        (b"\xff\xfe", "BAD_JSON"),
        ("[]", "BAD_MESSAGE"),
        ("{}", "BAD_MESSAGE"),
        ('{"type":"DANCE"}', "UNKNOWN_TYPE"),
        ('{"type":"SUBSCRIBE"}', "BAD_MESSAGE"),
        ('{"type":"SUBSCRIBE","executionId":7}', "BAD_MESSAGE"),
        ('{"type":"SUBSCRIBE","executionId":""}', "BAD_MESSAGE"),
        ('{"type":"SUBSCRIBE","executionId":"x","after":-1}', "BAD_MESSAGE"),
        ('{"type":"PING","x":' + "[" * 16_000, "BAD_JSON"),
    ],
)
async def test_errors_are_answered_and_forgiven(kind: str, said: str | bytes, code: str) -> None:
    async with serving(kind) as site, connect(site.address) as connection:
        await hear(connection)
        await connection.send(said)
        answer = await hear(connection)
        assert (answer["type"], answer["code"]) == ("ERROR", code)
        await connection.send('{"type":"PING"}')
        assert (await hear(connection))["type"] == "PONG"


@kinds
async def test_a_flood_and_a_giant_end_the_connection(kind: str) -> None:
    async with serving(kind) as site:
        async with connect(site.address) as connection:
            with pytest.raises(ConnectionClosed):
                for _ in range(1_000):
                    await connection.send('{"type":"PING"}')
                while True:
                    await hear(connection)
            assert connection.close_code == 4429
        async with connect(site.address) as connection:
            await connection.send("x" * 20_000)
            with pytest.raises(ConnectionClosed):
                while True:
                    await hear(connection)
            assert connection.close_code == 1009


@kinds
async def test_coming_back_after_every_seq_ends_in_the_same_state(kind: str) -> None:
    async with serving(kind) as site:
        run = await site.engine.start(chain("w", one("go", "manual_trigger"), one("a", "noop"), one("b", "noop")))
        await run.result()
        whole = await fold_of(site, run.execution_id)
        for after in range(whole["seq"] + 1):
            for framed in (True, False):
                opening = site.framed if framed else lambda execution_id, after: connect(site.url(execution_id, after))
                fold = ClientFold(run.execution_id)
                async with site.framed(
                    run.execution_id, 0
                ) as connection:  # what a client knew that got as far as `after`
                    while fold.cursor < 0:
                        fold.receive(await hear(connection))
                known = fold_upto(site, run.execution_id, after)
                fold.run, fold.nodes, fold.cursor = known.run, known.nodes, after
                async with opening(run.execution_id, after) as connection:
                    heard = await hear_until(connection, "CAUGHT_UP")
                for message in heard:
                    fold.receive(message)
                assert steady(fold.state()) == steady(whole)
                assert fold.caught_up


def fold_upto(site: Any, execution_id: str, upto: int) -> ClientFold:
    """The state at `upto`, from the journal."""
    from flowscope.definition import decode
    from flowscope.execution.view import WorkflowShape
    from unit.live.rig import truth

    row = site.engine.store.row(execution_id)
    events = site.engine.orchestrator.library.history(execution_id)[:upto]
    state = truth(events, WorkflowShape.of(decode(site.engine.store.definition(row.definition))), execution_id)
    fold = ClientFold(execution_id)
    fold.nodes = {node["nodeId"]: node for node in state.pop("nodes")}
    fold.run = {key: value for key, value in state.items() if key not in ("seq", "executionId")}
    return fold


@kinds
async def test_a_cursor_ahead_of_the_journal_lags(kind: str) -> None:
    async with serving(kind) as site:
        run = await site.engine.start(chain("w", one("go", "manual_trigger")))
        await run.result()
        async with site.framed(run.execution_id, 999) as connection:
            heard = await hear_until(connection, "CAUGHT_UP")
        assert [message["type"] for message in heard] == ["CONNECTED", "LAGGED", "EXECUTION_SNAPSHOT", "CAUGHT_UP"]
        assert (heard[1]["from"], heard[1]["to"]) == (1000, heard[2]["data"]["seq"])


@kinds
async def test_a_slow_viewer_lags_and_holds_nobody_up(kind: str) -> None:
    gate = Gate()
    phases = [[one(f"gate{phase}", "gate"), *(one(f"n{phase}-{n}", "noop") for n in range(400))] for phase in range(4)]
    document = chain("w", one("go", "manual_trigger"), *(node for phase in phases for node in phase))
    settings = LiveSettings(budget=64 * 1024)
    async with serving(kind, registry=registry_with(gate.type), settings=settings, sndbuf=8_192) as site:
        run = await site.engine.start(document)
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        small.setblocking(False)
        await asyncio.get_running_loop().sock_connect(small, ("127.0.0.1", site.port))
        async with site.framed(run.execution_id) as fast, connect(site.url(run.execution_id), sock=small) as slow:
            await hear_until(slow, "EXECUTION_SNAPSHOT")
            slow.transport.pause_reading()
            quick = ClientFold(run.execution_id)
            for phase in range(4):
                while quick.nodes.get(f"gate{phase}", {}).get("status") != "running":
                    quick.receive(await hear(fast))
                gate.open.set()
                gate.open.clear()  # lets through who waits now
            await watch_to_end(fast, quick)  # while the other has not read a thing
            slow.transport.resume_reading()
            late = ClientFold(run.execution_id)
            heard = await watch_to_end(slow, late)
            assert any(message["type"] == "LAGGED" for message in heard)
            assert steady(late.state()) == steady(quick.state())
        assert site.service.statistics()["lagged"] >= 1


@kinds
async def test_many_viewers_converge(kind: str) -> None:
    gate = Gate()
    async with serving(kind, registry=registry_with(gate.type)) as site:
        run = await site.engine.start(gated(50))

        async def view(number: int) -> Any:
            fold = ClientFold(run.execution_id)
            opening = site.framed(run.execution_id) if number % 2 else connect(site.url(run.execution_id))
            async with opening as connection:
                fold.receive(await hear(connection))
                here.append(number)
                if len(here) == 200:
                    gate.open.set()
                await watch_to_end(connection, fold)
            return steady(fold.state())

        here: list[int] = []
        states = await asyncio.gather(*(view(number) for number in range(200)))
        assert all(state == states[0] for state in states)
        assert states[0]["status"] == "success" and states[0]["progress"] == 100


@kinds
async def test_a_foreign_origin_or_host_is_refused(kind: str) -> None:
    settings = LiveSettings(allowed_origins=["https://studio.example"])
    async with serving(kind, settings=settings) as site:
        for origin, allowed in {
            "https://evil.example": False,
            "null": False,
            f"http://127.0.0.1:{site.port}": True,
            "http://127.0.0.1:1": False,
            "https://studio.example": True,
        }.items():
            if allowed:
                async with connect(site.address, additional_headers={"Origin": origin}) as connection:
                    await hear(connection)
            else:
                with pytest.raises(InvalidStatus) as refused:
                    await connect(site.address, additional_headers={"Origin": origin})
                assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus):
            await connect(f"ws://rebound.example:{site.port}/ws/executions", host="127.0.0.1")
        assert site.service.get_stats()["totalConnections"] == 0


async def test_a_dead_peer_is_found_in_two_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "CLOSING", 0.05)
    async with serving("lean", settings=LiveSettings(heartbeat_interval=40)) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(handshake(site.port))
        await reader.readuntil(b"\r\n\r\n")
        rest = await asyncio.wait_for(reader.read(), PATIENCE)  # it never answers a ping
        assert rest.count(b"\x89\x00") == 2
        assert (4408).to_bytes(2, "big") in rest
        writer.close()
        assert site.service.get_stats()["totalClients"] == 0
        async with connect(site.address) as alive:  # the library answers pings
            for _ in range(3):
                await alive.send('{"type":"PING"}')
                await hear(alive)


def handshake(port: int) -> bytes:
    return (
        f"GET /ws/executions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


@kinds
async def test_the_end_of_the_service_says_come_back(kind: str) -> None:
    async with serving(kind) as site, connect(site.address) as connection:
        await hear(connection)
        site.service.stop()
        with pytest.raises(ConnectionClosed):
            await hear(connection)
        assert connection.close_code == 1012


@kinds
async def test_after_a_restart_finished_runs_are_seen_alike(kind: str, tmp_path: Path) -> None:
    async with serving(kind, data_dir=tmp_path) as site:
        run = await site.engine.start(chain("w", one("go", "manual_trigger"), one("a", "noop")))
        await run.result()
        before = await fold_of(site, run.execution_id)
    async with serving(kind, data_dir=tmp_path) as site:
        assert await fold_of(site, run.execution_id) == before
        async with site.framed(run.execution_id, 2) as connection:
            heard = await hear_until(connection, "CAUGHT_UP")
        assert heard[1]["prev"] == 2 and heard[-1]["seq"] == before["seq"]


@kinds
async def test_reported_runs_are_streamed(kind: str) -> None:
    async with serving(kind) as site:
        manager = site.engine.state_manager
        manager.initialize_execution("mine", "theirs", 2, {})
        await manager.settled("mine")
        async with connect(site.url("mine")) as connection:
            await hear_until(connection, "EXECUTION_SNAPSHOT")
            manager.update_node_state("mine", "a", "First", "running")
            site.service.broadcast_node_update("mine", "a", {"status": "running", "progress": 40})
            site.service.broadcast_node_update("mine", "a", {"status": "success", "nodeName": "First"})
            site.service.broadcast_node_update("mine", "b", {"status": "success"})
            site.service.broadcast_node_update("mine", "b", {"status": "success"})
            heard = await hear_until(connection, "EXECUTION_UPDATE", status="success")
        told = [message["data"]["status"] for message in heard if message.get("data", {}).get("nodeId") == "a"]
        assert told[0] == "running" and told[-1] == "success"


@kinds
async def test_who_watches_before_the_run_begins_sees_all_of_it(kind: str) -> None:
    """As clients of old do: they make up an id, connect, and only then ask for the run."""
    gate = Gate()
    async with (
        serving(kind, registry=registry_with(gate.type)) as site,
        connect(site.url("mine")) as early,
        connect(site.address) as second,
    ):
        assert [(await hear(early))["type"] for _ in range(2)] == ["CONNECTED", "ERROR"]
        await hear(second)
        await second.send('{"type":"SUBSCRIBE","executionId":"mine"}')
        assert (await hear(second))["code"] == "EXECUTION_NOT_FOUND"
        assert site.service.get_stats() == {"totalClients": 2, "activeExecutions": 0, "totalConnections": 2}
        await site.engine.start(gated(), execution_id="mine")
        for connection in (early, second):
            data = (await hear_until(connection, "EXECUTION_SNAPSHOT"))[-1]["data"]
            assert data["status"] in ("running", "waiting")
        gate.open.set()
        for connection in (early, second):
            await hear_until(connection, "EXECUTION_UPDATE", status="success")
