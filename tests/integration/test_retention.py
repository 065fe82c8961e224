"""Pruning by a server and on the command line: docs/spec.md, K-01 to K-03."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compatibility.live_server import node, serving
from flowscope.cli.application import main
from flowscope.engine import Engine
from flowscope.orchestrator.forking import Revision
from flowscope.server.retention import Keep

START = node("start", "manual_trigger")


async def test_a_server_prunes_and_answers_that_it_has(tmp_path: Path) -> None:
    """K-01 K-02: what is beyond the limit goes, is gone for good, and what came of it stays whole."""
    async with serving(tmp_path, keep=Keep(count=2)) as client:
        await client.stored(START, node("big", "set", fields={"text": "{{ 'x' * 50000 }}"}))
        for number in range(3):
            await client.execute(executionId=f"run-{number}")
        forked = await client.post("/api/executions/run-0/fork", json={"executionId": "fork"})
        assert forked.status_code == 202
        await client.until("fork", "success")
        waiting = await client.stored(START, node("ask", "wait", signal="go"), id="waits")
        await client.execute(waiting, executionId="waiting")
        assert await client.services.retainer.prune() == ["run-0", "run-1"]
        for path in ("", "/events", "/at", "/timeline", "/family", "/histogram", "/heat"):
            gone = await client.get(f"/api/executions/run-0{path}")
            assert (gone.status_code, gone.json()["code"]) == (410, "EXECUTION_PRUNED"), path
        for path in ("retry", "fork", "replays", "cancel", "signal"):
            body = {"name": "x"} if path == "signal" else {}
            gone = await client.post(f"/api/executions/run-0/{path}", json=body)
            assert gone.status_code in (404, 410), path
        assert (await client.get("/api/executions/nobody")).status_code == 404
        assert (await client.get("/api/executions/waiting")).json()["status"] == "waiting"
        output = (await client.get("/api/executions/fork/output")).json()
        assert len(output["text"]) == 50_000
        family = (await client.get("/api/executions/fork/family")).json()
        assert [one["executionId"] for one in family["members"]] == ["fork"]


async def ended(data: Path, count: int) -> None:
    async with Engine(data) as engine:
        for number in range(count):
            document = {"id": "w", "nodes": [{"id": "go", "data": {"type": "manual_trigger"}}], "edges": []}
            await (await engine.start(document, execution_id=f"run-{number}")).outcome()
        await (await engine.fork("run-0", Revision(), new_id="fork")).outcome()


async def test_a_dry_run_names_what_would_go_and_leaves_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """K-03."""
    await ended(tmp_path, 3)
    data = ["--data", str(tmp_path)]
    for options in (["--keep-count", "1"], ["--keep-days", "0.000000001"], ["--max-size", "1B"]):
        assert main(["prune", *options, "--dry-run", "--json", *data]) == 0
        expected = ["run-0", "run-1", "run-2", "fork"][: 3 if options[0] == "--keep-count" else 4]
        assert json.loads(capsys.readouterr().out) == expected
    assert main(["prune", "--keep-count", "2", *data]) == 0
    told = capsys.readouterr()
    assert "run-1" in told.out
    assert "2 runs went" in told.err
    assert main(["executions", "--json", *data]) == 0
    assert [row["executionId"] for row in json.loads(capsys.readouterr().out)] == ["fork", "run-2"]
    assert main(["events", "run-0", *data]) == 2
    assert "pruned" in capsys.readouterr().err
    for wrong in ([], ["--max-size", "much"]):
        assert main(["prune", *wrong, *data]) == 2
