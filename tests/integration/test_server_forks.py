"""Retry and fork over HTTP: docs/spec.md, T-01 to T-06."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from compatibility.live_server import Client, node, serving

START = node("start", "manual_trigger")


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def failed_run(server: Client, **input: Any) -> str:
    """start → order (external) → price → pay, which fails unless the input says otherwise → done."""
    await server.stored(
        START,
        node("order", "simulate"),
        node("price", "set", fields={"total": "{{ n * 2 }}"}),
        node("pay", "simulate", fail="{{ total > 10 }}"),
        node("done", "noop"),
    )
    answer = await server.execute(input={"n": 21} | input)
    assert answer.status_code == 500
    return str(answer.json()["executionId"])


def fates(plan: dict[str, Any]) -> dict[str, str]:
    return {one["nodeId"]: one["fate"] for one in plan["nodes"]}


async def ended(server: Client, execution_id: str, status: str = "success") -> dict[str, Any]:
    await server.until(execution_id, status)
    found: dict[str, Any] = (await server.get(f"/api/executions/{execution_id}")).json()
    return found


async def test_a_retry_keeps_what_was_done_and_leaves_the_original_as_it_was(server: Client) -> None:
    """T-01 T-02."""
    execution_id = await failed_run(server)
    before = (await server.get(f"/api/executions/{execution_id}/events")).content
    planned = (await server.post(f"/api/executions/{execution_id}/retry", params={"dryRun": "true"})).json()
    assert fates(planned) == {"start": "kept", "order": "kept", "price": "kept", "pay": "again", "done": "first"}
    assert planned["confirm"] == []
    started = await server.post(f"/api/executions/{execution_id}/retry")
    assert started.status_code == 202
    assert started.json()["parentExecutionId"] == execution_id
    second = await ended(server, started.json()["executionId"], "failed")
    assert [(one["nodeId"], one.get("detail")) for one in second["nodes"]][:3] == [
        ("start", "kept"), ("order", "kept"), ("price", "kept"),
    ]  # fmt: skip
    events = (await server.get(f"/api/executions/{second['executionId']}/events")).json()["events"]
    assert [event["nodeId"] for event in events if event["type"] == "NodeStarted"] == ["pay"]
    assert (await server.get(f"/api/executions/{execution_id}/events")).content == before
    output = await server.get(f"/api/executions/{second['executionId']}/nodes/price/output")
    assert output.json() == {"n": 21, "total": 42}


async def test_a_fork_with_another_input_runs_from_there_and_says_so(server: Client) -> None:
    """T-03."""
    execution_id = await failed_run(server)
    body = {"from": "pay", "input": {"total": 1}}
    forked = (await server.post(f"/api/executions/{execution_id}/fork", json=body)).json()
    assert (await ended(server, forked["executionId"]))["status"] == "success"
    assert (await server.get(f"/api/executions/{forked['executionId']}/nodes/pay/input")).json() == {"total": 1}
    family = (await server.get(f"/api/executions/{forked['executionId']}/family")).json()
    assert family["root"] == execution_id
    assert [
        (one["executionId"], one.get("origin"), one.get("from"), one.get("newInput")) for one in family["members"]
    ] == [(execution_id, None, None, None), (forked["executionId"], "fork", "pay", True)]


async def test_what_acts_outside_asks_before_it_acts_again(server: Client) -> None:
    """T-04."""
    execution_id = await failed_run(server)
    address = f"/api/executions/{execution_id}/fork"
    planned = (await server.post(address, params={"dryRun": "true"}, json={"from": "order"})).json()
    assert [(one["nodeId"], one["because"]) for one in planned["confirm"]] == [("order", "it succeeded")]
    refused = await server.post(address, json={"from": "order"})
    assert (refused.status_code, refused.json()["code"]) == (409, "CONFIRMATION_NEEDED")
    assert refused.json()["details"]["confirm"] == ["order"]
    assert refused.json()["details"]["plan"] == planned
    assert (await server.post(address, json={"from": "order", "confirm": ["pay"]})).status_code == 409
    listed = (await server.get("/api/executions")).json()["executions"]
    assert [row["executionId"] for row in listed] == [execution_id]
    assert (await server.post(address, json={"from": "order", "confirm": ["order"]})).status_code == 202
    assert (await server.post(address, json={"from": "order", "confirm": True})).status_code == 202


async def test_what_a_parent_had_done_outside_is_asked_about_too(server: Client) -> None:
    """T-04: a node that is kept from the parent had acted there; in a map too."""
    inner = node("work", "simulate") | {"parentId": "each"}
    edges = [
        {"source": "start", "target": "order"},
        {"source": "order", "target": "each"},
        {"source": "each", "target": "pay"},
    ]
    pay = node("pay", "simulate", fail=True)
    await server.stored(
        START, node("order", "simulate"), node("each", "map", items="{{ range(2) }}"), inner, pay, edges=edges
    )
    first = (await server.execute()).json()["executionId"]
    second = (await server.post(f"/api/executions/{first}/retry")).json()["executionId"]
    await server.until(second, "failed")
    address = f"/api/executions/{second}/fork"
    for start, asked in (("order", ["order", "work"]), ("each", ["work"]), ("pay", [])):
        planned = (await server.post(address, params={"dryRun": "true"}, json={"from": start})).json()
        assert [one["nodeId"] for one in planned["confirm"]] == asked


async def test_another_config_runs_what_it_changes_and_what_lies_behind(server: Client) -> None:
    """T-03: by content, not by name."""
    execution_id = await failed_run(server)
    address = f"/api/executions/{execution_id}/fork"
    same = {"configs": {"price": {"fields": {"total": "{{ n * 2 }}"}}}}
    planned = (await server.post(address, params={"dryRun": "true"}, json=same)).json()
    assert fates(planned)["price"] == "kept"
    other = {"configs": {"price": {"fields": {"total": "{{ n / 21 }}"}}}}
    planned = (await server.post(address, params={"dryRun": "true"}, json=other)).json()
    assert fates(planned) == {"start": "kept", "order": "kept", "price": "again", "pay": "again", "done": "first"}
    forked = (await server.post(address, json=other)).json()
    assert (await ended(server, forked["executionId"]))["status"] == "success"
    assert (await server.get(f"/api/executions/{forked['executionId']}/output")).json() == {"n": 21, "total": 1}
    _, member = (await server.get(f"/api/executions/{execution_id}/family")).json()["members"]
    assert (member["changed"], "newInput" in member) == (["price"], False)


async def test_run_to_here_skips_what_lies_beyond(server: Client) -> None:
    """T-05."""
    execution_id = await failed_run(server)
    body = {"input": {"n": 3}, "until": "price", "confirm": True}
    forked = (await server.post(f"/api/executions/{execution_id}/fork", json=body)).json()
    found = await ended(server, forked["executionId"])
    assert [(one["nodeId"], one["status"], one.get("reason")) for one in found["nodes"]] == [
        ("start", "success", None), ("order", "success", None), ("price", "success", None),
        ("pay", "skipped", "beyond price"), ("done", "skipped", "beyond price"),
    ]  # fmt: skip
    assert (await server.get(f"/api/executions/{forked['executionId']}/output")).json() == {"n": 3, "total": 6}
    onward = (await server.post(f"/api/executions/{forked['executionId']}/fork", json={})).json()
    assert [one["status"] for one in (await ended(server, onward["executionId"]))["nodes"]] == ["success"] * 5


async def test_a_new_run_goes_only_to_here_and_so_does_its_retry(server: Client) -> None:
    """T-05."""
    workflow_id = (await server.get(f"/api/executions/{await failed_run(server)}")).json()["workflowId"]
    body = {"workflowId": workflow_id, "input": {"n": 3}, "until": "order"}
    started = (await server.post("/api/executions", json=body)).json()
    found = await ended(server, started["executionId"])
    assert [one.get("reason") for one in found["nodes"]] == [None, None, *["beyond order"] * 3]
    assert (await server.get(f"/api/executions/{started['executionId']}/output")).json() == {"n": 3}
    failing = (await server.post("/api/executions", json={**body, "input": {"n": 30}, "until": "pay"})).json()
    await ended(server, failing["executionId"], "failed")
    retry = f"/api/executions/{failing['executionId']}/retry"
    planned = (await server.post(retry, params={"dryRun": "true"})).json()
    assert fates(planned) == {"start": "kept", "order": "kept", "price": "kept", "pay": "again", "done": "skipped"}
    refused = await server.post("/api/executions", json={**body, "until": "nobody"})
    assert (refused.status_code, refused.json()["code"]) == (422, "INPUT_INVALID")


async def test_a_map_goes_on_with_the_items_that_were_not_done(server: Client) -> None:
    """T-06."""
    inner = node("work", "simulate", fail="{{ item == 3 }}") | {"parentId": "each"}
    edge = {"source": "start", "target": "each"}
    await server.stored(START, node("each", "map", items="{{ rows }}", concurrency=1), inner, edges=[edge])
    execution_id = (await server.execute(input={"rows": [1, 2, 3, 4]})).json()["executionId"]
    address = f"/api/executions/{execution_id}"
    planned = (await server.post(f"{address}/retry", params={"dryRun": "true"})).json()
    each = planned["nodes"][1]
    assert (each["fate"], each["iterationsKept"]) == ("partly", 2)
    second = (await server.post(f"{address}/retry")).json()["executionId"]
    await ended(server, second, "failed")
    events = (await server.get(f"/api/executions/{second}/events")).json()["events"]
    kept = [(event["type"], event["index"]) for event in events if event["type"] == "IterationAdopted"]
    assert kept == [("IterationAdopted", 0), ("IterationAdopted", 1)]
    assert [event["path"] for event in events if event["type"] == "NodeStarted" and event["nodeId"] == "work"] == [
        "each[2]"
    ]


async def test_what_cannot_be_taken_up_says_why(server: Client) -> None:
    execution_id = await failed_run(server)
    address = f"/api/executions/{execution_id}"
    await server.stored(START, id="well")
    well = (await server.execute("well")).json()["executionId"]
    await server.stored(START, node("ask", "wait", signal="go"), id="waits")
    waiting = (await server.execute("waits")).json()["executionId"]
    for path, body, status, code in (
        (f"/api/executions/{well}/retry", {}, 409, "NOTHING_TO_RETRY"),
        (f"/api/executions/{waiting}/retry", {}, 409, "RUN_ALREADY_ACTIVE"),
        ("/api/executions/nobody/retry", {}, 404, "EXECUTION_NOT_FOUND"),
        ("/api/executions/nobody/fork", {}, 404, "EXECUTION_NOT_FOUND"),
        (f"{address}/fork", {"from": "nobody"}, 422, "INPUT_INVALID"),
        (f"{address}/fork", {"until": "nobody"}, 422, "INPUT_INVALID"),
        (f"{address}/fork", {"version": 99}, 404, "WORKFLOW_NOT_FOUND"),
        (f"{address}/fork", {"version": 1, "configs": {"pay": {}}}, 422, "INPUT_INVALID"),
        (f"{address}/fork", {"configs": {"nobody": {}}}, 422, "INPUT_INVALID"),
        (f"{address}/fork", {"workflow": {"nodes": [node("x", "no_such_type")]}}, 422, "WORKFLOW_INVALID"),
        (f"{address}/fork", {"unknown": 1}, 422, "INPUT_INVALID"),
        (f"{address}/fork", {"executionId": well}, 409, "EXECUTION_ENDED"),
    ):
        answer = await server.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (path, body, answer.text)
    forked = await server.post(f"/api/executions/{waiting}/fork", json={})
    assert forked.status_code == 202
    assert (await server.get("/api/executions/nobody/family")).status_code == 404
