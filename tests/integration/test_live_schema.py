"""JSON Schema and TypeScript of the live protocol: as written, and true of what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import websockets
from websockets.typing import Subprotocol

from compatibility.live_server import node, serving
from flowscope.live.schema import files, schema

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", files())
def test_the_files_are_those_of_the_code(name: str) -> None:
    """If not: python -m flowscope.live.schema"""
    assert (DOCS / name).read_text("utf-8") == files()[name]


@pytest.mark.parametrize("framed", [True, False])
async def test_every_message_is_as_the_schema_says(framed: bool) -> None:
    whole = schema()
    known = {
        name: jsonschema_rs.validator_for({"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]})
        for name in whole["$defs"]
    }
    heard: set[str] = set()

    def check(message: Any) -> None:
        name = "Frame" if "messages" in message else "".join(part.title() for part in message["type"].split("_"))
        name = {"Error": "ErrorMessage"}.get(name, name)
        known[name].validate(message)
        heard.add(name)

    async with serving() as server:
        stop = node("stop", "stop_and_error", errorMessage="no", continueOnError=True)
        await server.stored(
            node("start", "manual_trigger"), node("ask", "wait", signal="go"), stop, node("end", "noop")
        )
        execution_id = (await server.execute()).json()["executionId"]
        protocols = [Subprotocol("flowscope.v1")] if framed else None
        address = f"ws://{server.address}/ws/executions?executionId={execution_id}&after=0"
        async with websockets.connect(address, subprotocols=protocols) as socket:
            for said in (
                '{"type":"PING"}',
                "{",
                json.dumps({"type": "SUBSCRIBE", "executionId": "nobody", "after": 3}),
            ):
                await socket.send(said)
            await server.post(f"/api/executions/{execution_id}/signal", json={"name": "go"})
            wanted = {"Connected", "ExecutionSnapshot", "Pong", "ErrorMessage", "CaughtUp"}
            wanted |= {"Frame"} if framed else {"NodeUpdate", "ExecutionUpdate"}
            while not wanted <= heard:
                check(json.loads(await socket.recv()))
