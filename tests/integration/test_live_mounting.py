"""The stream in somebody's own application, and over Server-Sent Events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from acceptance.nodes import Gate, registry_with
from acceptance.notation import chain, one
from flowscope.engine import Engine
from flowscope.live.client_fold import ClientFold
from flowscope.live.settings import LiveSettings
from flowscope.live.sse import last_event_id
from flowscope.live.visualization_service import VisualizationService
from unit.live.rig import steady
from unit.live.serving import hear, hear_until, nothing, serving, watch_to_end

SHORT = chain("w", one("go", "manual_trigger"), one("a", "noop"), one("b", "noop"))


@pytest.mark.parametrize("app", [FastAPI, Starlette, lambda: nothing])
@pytest.mark.parametrize("kind", ["lean", "plain"])
async def test_it_mounts_on_any_application(kind: str, app: Any) -> None:
    async with serving(kind, app=app(), settings=LiveSettings(path="/live/runs")) as site:
        run = await site.engine.start(SHORT)
        async with connect(site.url(run.execution_id, 0)) as connection:
            fold = ClientFold(run.execution_id)
            await watch_to_end(connection, fold)
            assert fold.run["progress"] == 100
        with pytest.raises(InvalidStatus if app is not nothing else Exception):
            await connect(f"ws://127.0.0.1:{site.port}/elsewhere")


async def read(stream: Any) -> list[tuple[int | None, Any]]:
    """The stream's events: (id, data)."""
    text = b"".join([chunk async for chunk in stream]).decode()
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            events.append((int(fields["id"]) if "id" in fields else None, msgspec.json.decode(fields["data"])))
    return events


async def test_server_sent_events_are_the_same_messages() -> None:
    async with Engine(None) as engine:
        service = VisualizationService(engine.store, engine.state_manager)
        engine.orchestrator.publishers.append(service)
        service.start()
        run = await engine.start(SHORT)
        whole = ClientFold(run.execution_id)
        events = await read(service.stream(run.execution_id, 0, until_end=True))
        for _, message in events:
            whole.receive(message)
        assert whole.ended
        ids = [seq for seq, _ in events if seq]
        assert ids == sorted(set(ids)), "an id names one place"
        for cut, seq in enumerate(ids):  # the connection breaks there, and a browser comes back with Last-Event-ID
            fold = ClientFold(run.execution_id)
            place = next(number for number, event in enumerate(events) if event[0] == seq)
            for _, message in events[: place + 1 + cut % 2]:
                fold.receive(message)
            for _, message in await read(service.stream(run.execution_id, last_event_id(str(seq)), until_end=True)):
                fold.receive(message)
            assert steady(fold.state()) == steady(whole.state())
        service.stop()


@pytest.mark.parametrize(
    ("said", "meant"), [(None, None), ("", None), ("7", 7), ("-7", None), ("x", None), ("9" * 40, None)]
)
def test_last_event_id(said: str | None, meant: int | None) -> None:
    assert last_event_id(said) == meant


async def test_the_ephemeral_lane_reaches_old_clients_and_new() -> None:
    gate = Gate()
    async with serving("lean", registry=registry_with(gate.type)) as site:
        run = await site.engine.start(chain("w", one("go", "manual_trigger"), one("wait", "gate")))
        await gate.entered.wait()
        from flowscope.orchestrator.ports import LogLine, Progress

        async with site.framed(run.execution_id) as new, connect(site.url(run.execution_id)) as old:
            for connection in (new, old):
                await hear_until(connection, "EXECUTION_SNAPSHOT")
            site.service.murmur(Progress(execution_id=run.execution_id, node_id="wait", fraction=0.42))
            site.service.murmur(LogLine(execution_id=run.execution_id, node_id="wait", text="half \ud800 way"))
            site.service.murmur(LogLine(execution_id=run.execution_id, node_id="wait", text="on", kind="stream"))
            told = (await hear(new))["data"]
            assert (told["nodeId"], told["progress"], told["attempt"]) == ("wait", 42, 1)
            lines = [(await hear(new))["data"] for _ in range(2)]
            assert [(line["text"], line["kind"], line["offset"]) for line in lines] == [
                ("half ? way", "log", 0),
                ("on", "stream", 1),
            ]
            update = await hear(old)
            assert update["type"] == "NODE_UPDATE" and "seq" not in update["data"]
            assert {"label": "Progress", "value": "42%"} in update["data"]["visual"]["badges"]
            async with site.framed(run.execution_id) as late:
                snapshot = (await hear_until(late, "EXECUTION_SNAPSHOT"))[-1]["data"]
                assert next(node for node in snapshot["nodes"] if node["nodeId"] == "wait")["progress"] == 42
            gate.open.set()
            await hear_until(old, "EXECUTION_UPDATE", status="success")
