"""Workflows to begin with are stored once, and left alone from then on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compatibility.live_server import node, serving
from flowscope.errors import InputInvalid
from flowscope.server.examples import store_examples

EXAMPLES = Path(__file__).parents[2] / "examples"


async def test_all_examples_are_stored_and_can_run() -> None:
    async with serving() as server:
        stored = await store_examples(server.services, EXAMPLES)
        assert set(stored) >= {"seattle-weather", "resilient", "approval"} and len(stored) == len(
            list(EXAMPLES.glob("*.json"))
        )
        for workflow_id in stored:
            body = (await server.get(f"/api/workflows/{workflow_id}")).json()
            assert body["valid"] and body["activeVersion"] == 1, body["problems"]
        assert (await server.execute("resilient")).json()["output"]["price"] == 42


async def test_what_somebody_made_of_them_stays(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    for name in ("one", "two", "three"):
        (given / f"{name}.json").write_text(json.dumps({"id": name, "nodes": [node("a", "noop")], "edges": []}))
    (given / "rows.json").write_text("[1, 2]")
    (given / "broken.json").write_text("{")
    async with serving(tmp_path / "data") as server:
        mine = {"id": "three", "nodes": [node("mine", "noop")], "edges": []}
        assert (await server.post("/api/workflows", json=mine)).status_code == 201
        assert await store_examples(server.services, given) == ["one", "two"]
        changed = {"nodes": [node("b", "noop")], "edges": []}
        await server.put("/api/workflows/one", json=changed, headers={"if-match": '"1"'})
        await server.delete("/api/workflows/two")
    (given / "four.json").write_text(json.dumps({"nodes": [node("a", "noop")], "edges": []}))
    async with serving(tmp_path / "data") as server:
        assert await store_examples(server.services, given) == ["four"]
        assert (await server.get("/api/workflows/one")).json()["nodes"][0]["id"] == "b"
        assert (await server.get("/api/workflows/two")).status_code == 404
        assert (await server.get("/api/workflows/three")).json()["nodes"][0]["id"] == "mine"


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    async with serving() as server:
        with pytest.raises(InputInvalid, match="--examples"):
            await store_examples(server.services, tmp_path / "nowhere")
