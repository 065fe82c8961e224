"""What waits for people, and what was taken up from another run, outlive the server: I1, T-01, T-06."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compatibility.live_server import Client, node, serving

START = node("start", "manual_trigger")


async def signalled(client: Client, execution_id: str, name: str, payload: Any) -> None:
    answer = await client.post(f"/api/executions/{execution_id}/signal", json={"name": name, "payload": payload})
    assert answer.status_code == 200, answer.text


async def test_a_signal_an_approval_and_a_form_are_answered_in_three_lives_of_a_server(tmp_path: Path) -> None:
    ask = node("ask", "wait", signal="go")
    approve = node("approve", "approval")
    fill = node("fill", "form", fields=[{"name": "city", "required": True}])
    end = node("end", "noop")
    edges = [
        {"source": "start", "target": "ask"}, {"source": "ask", "target": "approve"},
        {"source": "approve", "sourceHandle": "approved", "target": "fill"}, {"source": "fill", "target": "end"},
    ]  # fmt: skip
    async with serving(tmp_path) as client:
        await client.stored(START, ask, approve, fill, end, edges=edges)
        assert (await client.execute(executionId="one")).status_code == 202
    for name, payload in (("ask", {"n": 1}), ("approve", True)):
        async with serving(tmp_path) as client:
            before = (await client.get("/api/executions/one")).json()
            assert before["status"] == "waiting"
            await signalled(client, "one", name, payload)
            await client.until("one", "waiting")
    async with serving(tmp_path) as client:
        await signalled(client, "one", "fill", {"city": "Oslo"})
        await client.until("one", "success")
        assert (await client.get("/api/executions/one/output")).json()["city"] == "Oslo"
        told = (await client.get("/api/executions/one/timeline")).json()
        assert [mark["kind"] for mark in told["marks"]] == ["stopped"] * 3
        fill_wait = next(one for one in told["nodes"] if one["nodeId"] == "fill")["attempts"][0]["segments"]
        assert "wait" in [part["kind"] for part in fill_wait]


async def test_a_retried_map_goes_on_after_another_restart_with_what_it_kept(tmp_path: Path) -> None:
    """T-06: kept iterations stay kept across a restart in the middle of the new run."""
    inner = node("work", "wait", signal="{{ 'item-' + str(item) }}") | {"parentId": "each"}
    edge = {"source": "start", "target": "each"}
    async with serving(tmp_path) as client:
        await client.stored(START, node("each", "map", items="{{ range(4) }}", concurrency=1), inner, edges=[edge])
        await client.execute(executionId="one")
        await signalled(client, "one", "item-0", "a")
        await client.until("one", "waiting")
        await signalled(client, "one", "item-1", "b")
        await client.until("one", "waiting")
        await client.post("/api/executions/one/cancel", json={})
        again = await client.post("/api/executions/one/retry", json={"executionId": "two"})
        assert again.status_code == 202, again.text
        await client.until("two", "waiting")
    async with serving(tmp_path) as client:
        await signalled(client, "two", "item-2", "c")
        await client.until("two", "waiting")
        await signalled(client, "two", "item-3", "d")
        await client.until("two", "success")
        assert (await client.get("/api/executions/two/output")).json() == ["a", "b", "c", "d"]
        events = (await client.get("/api/executions/two/events")).json()["events"]
        kept = [event["index"] for event in events if event["type"] == "IterationAdopted"]
        assert kept == [0, 1]


async def test_a_run_file_goes_from_one_server_to_another(tmp_path: Path) -> None:
    """E-04, over HTTP."""
    async with serving() as client:
        await client.stored(START, node("price", "set", fields={"total": "{{ n * 2 }}"}))
        await client.execute(executionId="one", input={"n": 2})
        page = await client.get("/api/executions/one/export")
        assert page.headers["content-type"].startswith("text/html")
        assert (await client.get("/api/executions/nobody/export")).status_code == 404
    async with serving() as client:
        assert (await client.post("/api/executions/import", content=page.content)).status_code == 201
        again = await client.post("/api/executions/import", content=page.content)
        assert again.status_code == 409
        other = await client.post("/api/executions/import", params={"executionId": "two"}, content=page.content)
        assert other.json()["executionId"] == "two"
        assert (await client.post("/api/executions/import", content=b"<html>")).status_code == 422
        found = (await client.get("/api/executions/one")).json()
        assert (found["status"], found["detail"]) == ("success", "imported")
        assert (await client.get("/api/executions/one/nodes/price/output")).json() == {"n": 2, "total": 4}
        refused = await client.post("/api/executions/one/fork", json={})
        assert (refused.status_code, refused.json()["code"]) == (409, "EXECUTION_READ_ONLY")
