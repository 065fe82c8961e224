"""A program as it was written for the system of old: no subprotocol, one message a WebSocket message, and it knows no more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

PATIENCE = 60.0

ENDED = ("success", "failed", "cancelled")


class OldClient:
    """One socket, and all it has heard."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    async def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        self.heard.append(message)
        return message

    async def say(self, type: str, **members: Any) -> None:
        await self.socket.send(json.dumps({"type": type, **members}))

    async def until(self, type: str, **facts: Any) -> dict[str, Any]:
        """The next message of that type with those facts in its `data`."""
        while True:
            message = await self.hear()
            data = message.get("data", message)
            if message["type"] == type and all(data.get(name) == value for name, value in facts.items()):
                return message

    async def to_the_end(self) -> dict[str, Any]:
        """The `data` of the run's terminal `EXECUTION_UPDATE`."""
        while True:
            message = await self.hear()
            if message["type"] == "EXECUTION_UPDATE" and message["data"]["status"] in ENDED:
                data: dict[str, Any] = message["data"]
                return data

    def nodes(self, node_id: str) -> list[dict[str, Any]]:
        """What has been said of a node, by updates."""
        told = [message["data"] for message in self.heard if message["type"] == "NODE_UPDATE"]
        return [data for data in told if data["nodeId"] == node_id]


@asynccontextmanager
async def watching(
    address: str, execution_id: str | None = None, after: int | None = None, path: str = "/ws/executions"
) -> AsyncIterator[OldClient]:
    """A client that is connected; it has heard nothing yet."""
    query = "" if execution_id is None else f"?executionId={execution_id}"
    query += "" if after is None else f"&after={after}"
    async with websockets.connect(f"ws://{address}{path}{query}") as socket:
        yield OldClient(socket)
