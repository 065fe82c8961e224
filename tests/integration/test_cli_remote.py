"""`run --url` and `watch`: the command line against a server, as processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from compatibility.live_server import Client, node, serving

FLOWSCOPE = str(Path(sys.executable).with_name("flowscope"))

START = node("start", "manual_trigger")
ASK = node("ask", "wait", signal="go")


@asynccontextmanager
async def called(*arguments: str, key: str = "") -> AsyncIterator[asyncio.subprocess.Process]:
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "120"} | ({"FLOWSCOPE_API_KEY": key} if key else {})
    process = await asyncio.create_subprocess_exec(
        FLOWSCOPE, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def done(*arguments: str, key: str = "") -> tuple[int, str, str]:
    """The exit code, stdout and stderr."""
    async with called(*arguments, key=key) as process, asyncio.timeout(150):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


def written(directory: Path, *nodes: dict[str, Any], name: str = "flow.json", **members: Any) -> str:
    edges = [{"source": one["id"], "target": two["id"]} for one, two in pairwise(nodes)]
    file = directory / name
    file.write_text(json.dumps({"nodes": list(nodes), "edges": edges, **members}))
    return str(file)


async def test_run_on_a_server(tmp_path: Path) -> None:
    file = written(tmp_path, START, node("double", "set", fields={"twice": "{{ n * 2 }}"}))
    async with serving() as server:
        url = f"http://{server.address}"
        code, out, _ = await done("run", file, "--url", url, "--input", '{"n": 21}', "--execution-id", "mine", "--json")
        result = json.loads(out)
        assert (code, result["executionId"], result["status"]) == (0, "mine", "success")
        assert result["output"] == {"n": 21, "twice": 42}
        assert result["nodes"]["double"]["status"] == "success"
        # It is the server's run, of a workflow that is stored there now, by the file's name.
        assert (await server.get("/api/executions/mine")).json()["workflowId"] == "flow"
        code, out, _ = await done("run", file, "--url", url, "--input", '{"n": 1}', "--quiet")
        assert (code, json.loads(out)["twice"]) == (0, 2)
        assert (await server.get("/api/workflows/flow")).json()["version"] == 1


async def test_run_shows_what_happens_and_fails_as_the_run_does(tmp_path: Path) -> None:
    file = written(tmp_path, START, node("stop", "stop_and_error", errorMessage="no more"), node("never", "noop"))
    async with serving() as server:
        code, out, errors = await done("run", file, "--url", f"http://{server.address}")
    assert code == 1
    assert "Stop" in out + errors and "no more" in out + errors


async def test_watch_joins_a_run_and_stays_to_its_end() -> None:
    async with serving() as server:
        await server.stored(START, ASK, node("last", "noop"))
        execution_id = (await server.execute(input={"x": 1})).json()["executionId"]
        async with called("watch", execution_id, "--url", f"http://{server.address}", "--json") as process:
            await _watched(server)
            address = f"/api/executions/{execution_id}/signal"
            await server.post(address, json={"name": "go", "payload": {"ok": True}})
            async with asyncio.timeout(150):
                printed, _ = await process.communicate()
        assert process.returncode == 0
        assert json.loads(printed)["output"] == {"ok": True}
        # One that has ended is shown as it ended.
        code, out, _ = await done("watch", execution_id, "--url", f"http://{server.address}", "--json")
        assert (code, json.loads(out)["status"]) == (0, "success")


async def test_who_stops_watching_stops_nothing() -> None:
    async with serving() as server:
        await server.stored(START, ASK)
        execution_id = (await server.execute()).json()["executionId"]
        async with called("watch", execution_id, "--url", f"http://{server.address}") as process:
            await _watched(server)
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(150):
                _, errors = await process.communicate()
        assert process.returncode == 130
        assert f"flowscope watch {execution_id}" in errors.decode()
        assert (await server.get(f"/api/executions/{execution_id}")).json()["status"] == "waiting"


async def test_a_key_is_taken_from_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, START)
    async with serving() as server:
        key = server.services.keys.create("me", "editor").text
        code, out, errors = await done("run", file, "--url", f"http://{server.address}")
        assert code != 0 and "key" in errors and errors.count("\n") == 1 and not out
        code, out, _ = await done("run", file, "--url", f"http://{server.address}", "--json", key=key)
        assert (code, json.loads(out)["status"]) == (0, "success")


@pytest.mark.parametrize("what", ["watch", "run"])
async def test_nobody_there_is_one_sentence(what: str, tmp_path: Path) -> None:
    subject = written(tmp_path, START) if what == "run" else "e1"
    code, _, errors = await done(what, subject, "--url", "http://127.0.0.1:9")
    assert code != 0 and "127.0.0.1:9" in errors and "Traceback" not in errors


async def test_an_execution_nobody_knows_is_one_sentence() -> None:
    async with serving() as server:
        code, _, errors = await done("watch", "nobody", "--url", f"http://{server.address}")
    assert code == 2 and "nobody" in errors and errors.count("\n") == 1


async def _watched(server: Client) -> None:
    """Somebody has come to watch."""
    async with asyncio.timeout(150):
        while not server.services.visualization.get_stats()["totalConnections"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
