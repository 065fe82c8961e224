"""`flowscope serve` as a process: what it says, how it ends, and what is there afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import websockets

from compatibility.live_server import node

PATIENCE = 120.0
"""Seconds after which what is waited for will not come any more; a busy machine takes a while to start a process."""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from flowscope.cli import main; sys.exit(main())", *arguments]


async def start(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FLOWSCOPE_", "WS_", "UI_"))}
    return await asyncio.create_subprocess_exec(
        *command(*arguments),
        env={**clean, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def said(*arguments: str, **environment: str) -> tuple[int, str]:
    """The exit code, and stderr."""
    process = await start(*arguments, **environment)
    async with asyncio.timeout(PATIENCE):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@asynccontextmanager
async def running(data: Path, **environment: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server on a free port, and its address."""
    process = await start("serve", "--port", "0", "--no-open", "--data", str(data), **environment)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE):
            line = (await process.stdout.readline()).decode()
        assert "http://127.0.0.1:" in line, line
        yield process, line.split("http://")[1].split(",")[0].strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_in_order_and_tells_viewers_to_come_back(tmp_path: Path, which: signal.Signals) -> None:
    async with (
        running(tmp_path) as (process, address),
        httpx.AsyncClient(base_url=f"http://{address}", timeout=PATIENCE) as client,
    ):
        document = {
            "id": "flow",
            "nodes": [node("start", "manual_trigger"), node("nap", "wait", duration=40_000)],
            "edges": [{"source": "start", "target": "nap"}],
        }
        assert (await client.post("/api/workflows", json=document)).status_code == 201
        body = {"workflowId": "flow", "executionId": "e1"}
        waiting = asyncio.create_task(client.post("/api/execute-workflow", json=body, timeout=PATIENCE))
        begun = asyncio.Event()
        stream = asyncio.create_task(_read_on(f"http://{address}/api/executions/e1/stream", begun))
        async with websockets.connect(f"ws://{address}/ws/executions?executionId=e1") as viewer:
            async for text in viewer:
                data = json.loads(text).get("data", {})
                if "nap" in [data.get("nodeId"), *(one["nodeId"] for one in data.get("nodes", ()))]:
                    break
            await begun.wait()
            process.send_signal(which)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                while True:
                    await viewer.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1012
        answer = await waiting
        assert answer.status_code == 503
        assert answer.json()["executionId"] == "e1"
        await stream
        async with asyncio.timeout(PATIENCE):
            assert await process.wait() == 0
    # Whoever looks again after the restart sees it as it was, and going on.
    async with (
        running(tmp_path) as (_, address),
        httpx.AsyncClient(base_url=f"http://{address}", timeout=PATIENCE) as client,
    ):
        assert (await client.get("/api/executions/e1")).json()["status"] in ("running", "waiting")
        assert (await client.get("/api/workflows/flow")).json()["version"] == 1


async def _read_on(address: str, begun: asyncio.Event) -> None:
    """A stream, from when there is one, to its end."""
    async with httpx.AsyncClient(timeout=PATIENCE) as client:
        while not begun.is_set():
            async with client.stream("GET", address) as response:
                if response.status_code == 200:
                    begun.set()
                    await response.aread()


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, errors = await said("serve", "--port", port, "--data", str(tmp_path))
    assert code == 2
    assert f"127.0.0.1:{port} is in use" in errors and "--port" in errors and errors.count("\n") == 1


async def test_a_locked_directory_is_one_sentence(tmp_path: Path) -> None:
    async with running(tmp_path):
        code, errors = await said("serve", "--port", "0", "--data", str(tmp_path))
    assert code == 1
    assert "belongs to another flowscope" in errors and errors.count("\n") == 1


async def test_a_bad_setting_is_one_sentence(tmp_path: Path) -> None:
    code, errors = await said("serve", "--data", str(tmp_path), WS_HEARTBEAT_INTERVAL="soon")
    assert code == 2
    assert "WS_HEARTBEAT_INTERVAL is 'soon'" in errors and errors.count("\n") == 1


async def test_other_machines_need_keys(tmp_path: Path) -> None:
    code, errors = await said("serve", "--host", "0.0.0.0", "--port", "0", "--data", str(tmp_path))
    assert code == 2
    assert "does not listen on 0.0.0.0 without keys" in errors and "flowscope keys create" in errors


async def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    process = await start("keys", "create", "studio", "--scope", "admin", "--data", str(tmp_path))
    text = (await process.communicate())[0].decode().strip()
    assert text.startswith("fsk_")
    async with (
        running(tmp_path) as (_, address),
        httpx.AsyncClient(base_url=f"http://{address}", timeout=PATIENCE) as client,
    ):
        assert (await client.get("/api/keys")).status_code == 401
        assert (await client.get("/api/keys", headers={"x-api-key": text})).json()["keys"][0]["name"] == "studio"
        assert (await said("keys", "revoke", "studio", "--data", str(tmp_path)))[0] == 0
        assert (
            await client.get("/api/keys", headers={"x-api-key": text})
        ).status_code == 200  # there are no keys any more
    assert (await said("keys", "revoke", "studio", "--data", str(tmp_path)))[0] == 2


@pytest.mark.parametrize("point", ["before_firing", "after_firing:1", "after_firing:2"])
async def test_a_time_that_was_due_starts_one_run_though_the_server_is_killed(tmp_path: Path, point: str) -> None:
    """W-01."""
    document = {
        "id": "tick",
        "nodes": [node("each", "interval", interval="1s", missed="all"), node("end", "noop")],
        "edges": [{"source": "each", "target": "end"}],
    }
    async with running(tmp_path, FLOWSCOPE_FAILPOINT=point) as (process, address), httpx.AsyncClient() as client:
        assert (await client.post(f"http://{address}/api/workflows", json=document)).status_code == 201
        activated = (await client.post(f"http://{address}/api/workflows/tick/activate")).json()
        assert activated["active"]
        async with asyncio.timeout(60):
            assert await process.wait() == -signal.SIGKILL
    async with (
        running(tmp_path) as (_, address),
        httpx.AsyncClient(base_url=f"http://{address}", timeout=PATIENCE) as client,
    ):
        rows: list[dict[str, str]] = []
        async with asyncio.timeout(60):
            while len(rows) < 4:
                rows = (await client.get("/api/executions?workflowId=tick")).json()["executions"]
        await client.post("/api/workflows/tick/deactivate")
        rows = (await client.get("/api/executions?workflowId=tick&limit=500")).json()["executions"]
        stamps = []
        for row in rows:
            stamps.append((await client.get(f"/api/executions/{row['executionId']}/input")).json()["timestamp"])
        first, last = min(stamps), max(stamps)
        assert sorted(stamps) == list(range(first, last + 1, 1_000))
        since = datetime.fromisoformat(activated["since"].replace("Z", "+00:00")).timestamp() * 1_000
        assert abs(first - since - 1_000) <= 1


async def test_triggers_and_approvals_from_the_command_line(tmp_path: Path) -> None:
    document = {
        "id": "pay",
        "nodes": [
            node("each", "schedule", cron="0 9 * * 1-5", timezone="Europe/Oslo"),
            node("ask", "approval", title="Pay?"),
        ],
        "edges": [{"source": "each", "target": "ask"}],
    }

    async def flowscope(*arguments: str) -> tuple[int, str, str]:
        process = await start(*arguments)
        async with asyncio.timeout(60):
            out, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), errors.decode()

    async with (
        running(tmp_path) as (_, address),
        httpx.AsyncClient(base_url=f"http://{address}", timeout=PATIENCE) as client,
    ):
        url = ("--url", f"http://{address}")
        await client.post("/api/workflows", json=document)
        code, out, _ = await flowscope("activate", "pay", *url)
        assert code == 0 and "pay.each" in out and "never" in out
        code, _, errors = await flowscope("activate", "nobody", *url)
        assert code != 0 and "nobody" in errors
        await client.post("/api/execute-workflow", json={"workflowId": "pay", "executionId": "r1"})
        code, out, _ = await flowscope("waiting", "--json", *url)
        (waiting,) = json.loads(out)
        code, _, errors = await flowscope("approve", "r1", waiting["approvalId"], "--comment", "fine", *url)
        assert (code, "Approved" in errors) == (0, True)
        code, _, errors = await flowscope("reject", "r1", waiting["approvalId"], *url)
        assert code != 0 and "already" in errors
        assert (await client.get("/api/executions/r1/output")).json()["comment"] == "fine"
        assert (await flowscope("waiting", *url))[1].strip() == "Nothing waits for anybody"
        assert (await flowscope("deactivate", "pay", *url))[0] == 0
        assert (await flowscope("triggers", *url))[1].strip() == "No active triggers"
