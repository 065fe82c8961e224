"""Contract section 7, fault 18: the variables of the mission's table do what it says, in a server started as people start it.

What the `WORKER_` ones do is tested in `test_worker_pool.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
import websockets

from compatibility.live_server import node
from compatibility.old_client import watching
from integration.test_server_process import running


async def test_the_variables_of_the_table(tmp_path: Path) -> None:
    table = {
        "UI_REFRESH_INTERVAL": "250",
        "UI_ANIMATION_ENABLED": "false",
        "UI_COLOR_THEME": "static",
        "WS_PATH": "/live/runs",
        "WS_HEARTBEAT_INTERVAL": "200",
        "WORKER_CONCURRENCY": "2",
        "WORKER_TIMEOUT": "1500",
        "WORKER_RETRY_ATTEMPTS": "1",
    }
    async with running(tmp_path, **table) as (_, address), httpx.AsyncClient(base_url=f"http://{address}") as client:
        config = (await client.get("/api/config")).json()
        assert config["ui"] == {"refreshInterval": 250, "animationEnabled": False, "colorTheme": "static"}
        assert config["websocket"] == {"path": "/live/runs", "heartbeatInterval": 200}
        assert {key: config["worker"][key] for key in ("concurrency", "timeout", "retryAttempts")} == {
            "concurrency": 2, "timeout": 1_500, "retryAttempts": 1,
        }  # fmt: skip
        with pytest.raises(websockets.InvalidStatus):
            async with websockets.connect(f"ws://{address}/ws/executions"):
                pass
        assert (await client.post("/api/workflows", json={"id": "f", "nodes": [node("a", "noop")]})).status_code == 201
        execution_id = (await client.post("/api/execute-workflow", json={"workflowId": "f"})).json()["executionId"]
        async with watching(address, execution_id, path="/live/runs") as viewer:
            await viewer.until("EXECUTION_SNAPSHOT", status="success")
        await _is_pinged(address)


async def _is_pinged(address: str) -> None:
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(
        b"GET /live/runs HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    async with asyncio.timeout(20):
        await reader.readuntil(b"\x89\x00")
    writer.close()
