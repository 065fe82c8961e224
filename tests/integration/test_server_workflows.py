"""The library over HTTP: versions, ETags, import and export."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from compatibility.live_server import Client, node, serving


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


def document(label: str = "Start", **members: Any) -> dict[str, Any]:
    start = {"id": "a", "data": {"type": "manual_trigger", "label": label, "config": {}}}
    return {"id": "orders", "name": "Orders", "nodes": [start], "edges": [], **members}


async def test_create_read_change_delete(server: Client) -> None:
    created = await server.post("/api/workflows", json=document(own={"x": 1}))
    assert (created.status_code, created.headers["location"]) == (201, "/api/workflows/orders")
    assert created.json()["id"] == "orders" and created.json()["own"] == {"x": 1}
    assert created.headers["etag"] == '"1"'

    read = await server.get("/api/workflows/orders")
    assert read.json() == created.json()
    known = await server.get("/api/workflows/orders", headers={"If-None-Match": read.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")

    # What was read can be sent back as it is.
    same = await server.put("/api/workflows/orders", json=read.json(), headers={"If-Match": read.headers["etag"]})
    assert same.json() == read.json()
    changed = await server.put("/api/workflows/orders", json=document("Begin"), headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.json()["version"], changed.headers["etag"]) == (200, 2, '"2"')

    assert (await server.delete("/api/workflows/orders", headers={"If-Match": '"1"'})).status_code == 412
    assert (await server.delete("/api/workflows/orders")).status_code == 204
    assert (await server.get("/api/workflows/orders")).status_code == 404


async def test_of_two_who_save_at_once_one_is_told(server: Client) -> None:
    await server.post("/api/workflows", json=document())
    answers = await asyncio.gather(
        *(
            server.put("/api/workflows/orders", json=document(f"Mine {number}"), headers={"If-Match": '"1"'})
            for number in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    refused = next(answer for answer in answers if answer.status_code == 412)
    assert refused.json()["details"] == {"workflowId": "orders", "expected": 1, "actual": 2}


async def test_a_blind_save_is_refused_unless_it_says_so(server: Client) -> None:
    assert (await server.put("/api/workflows/orders", json=document())).status_code == 201
    assert (await server.put("/api/workflows/orders", json=document("B"))).status_code == 428
    assert (await server.put("/api/workflows/orders", json=document("B"), headers={"If-Match": "*"})).status_code == 200
    assert (await server.put("/api/workflows/new", json=document(), headers={"If-Match": '"1"'})).status_code == 412
    assert (await server.put("/api/workflows/orders", json=document(), headers={"If-Match": "x"})).status_code == 412


async def test_the_address_says_the_id(server: Client) -> None:
    assert (await server.put("/api/workflows/other", json=document())).json()["id"] == "other"


async def test_an_id_that_is_taken(server: Client) -> None:
    await server.post("/api/workflows", json=document())
    again = await server.post("/api/workflows", json=document())
    assert (again.status_code, again.json()["code"]) == (409, "WORKFLOW_EXISTS")


async def test_a_draft_may_be_wrong_but_does_not_run(server: Client) -> None:
    draft = await server.post("/api/workflows", json=document(nodes=[node("a", "teleport")]))
    assert (draft.status_code, draft.json()["valid"], draft.json()["activeVersion"]) == (201, False, None)
    assert "teleport" in draft.json()["problems"][0]["message"]
    run = await server.execute("orders")
    assert (run.status_code, run.json()["code"]) == (422, "WORKFLOW_INVALID")
    assert (await server.post("/api/workflows/orders/versions/1/activate")).status_code == 422


async def test_the_active_version_runs_until_another_is_fit_to(server: Client) -> None:
    await server.post("/api/workflows", json=document())
    await server.put("/api/workflows/orders", json=document(nodes=[]), headers={"If-Match": "*"})
    assert (await server.execute("orders")).status_code == 200
    await server.put("/api/workflows/orders", json=document("Third"), headers={"If-Match": "*"})
    run = (await server.execute("orders")).json()
    assert run["logs"][0]["nodeName"] == "Third"
    await server.post("/api/workflows/orders/versions/1/activate")
    assert (await server.execute("orders")).json()["logs"][0]["nodeName"] == "Start"
    assert (await server.execute("orders", version=3)).json()["logs"][0]["nodeName"] == "Third"
    versions = (await server.get("/api/workflows/orders/versions?limit=2")).json()
    assert [one["version"] for one in versions["versions"]] == [3, 2]
    assert versions["nextBefore"] == 2


@pytest.mark.parametrize("body", ["", "[]", "{", '{"a": NaN}', '{"a":1,"a":2}', '{"a":' * 65 + "1" + "}" * 65])
async def test_what_is_no_json_object_is_refused(server: Client, body: str) -> None:
    for method, path in (("POST", "/api/workflows"), ("PUT", "/api/workflows/x")):
        response = await server.request(method, path, content=body)
        assert (response.status_code, response.json()["code"]) == (400, "NOT_JSON")


@pytest.mark.parametrize("bad", ["", "a/b", " x", 7, "x" * 129])
async def test_ids_that_are_none_are_refused(server: Client, bad: object) -> None:
    assert (await server.post("/api/workflows", json=document(id=bad))).status_code == 422


async def test_export_and_import(server: Client) -> None:
    await server.post("/api/workflows", json=document())
    await server.post("/api/workflows", json=document(id="grüße"))
    one = await server.get("/api/workflows/orders/export")
    assert one.json() == document()
    assert "attachment" in one.headers["content-disposition"]
    both = await server.get("/api/workflows/export", params={"id": ["orders", "grüße"]})
    imported = await server.post("/api/workflows/import", content=both.content)
    assert [entry["id"] for entry in imported.json()["workflows"]] == ["orders-2", "grüße-2"]
    alone = await server.post("/api/workflows/import", content=one.content)
    assert alone.json()["workflows"][0]["id"] == "orders-3"
    assert (await server.post("/api/workflows/import", json={"workflows": [7]})).status_code == 400


async def test_a_stored_workflow_can_be_called_as_a_sub_workflow(server: Client) -> None:
    await server.stored(node("s", "manual_trigger"), node("add", "set", fields={"n": "{{ n + 1 }}"}), id="inner")
    await server.stored(
        node("s", "manual_trigger"), node("call", "execute_workflow", workflowId="inner", input={"n": 41}), id="outer"
    )
    response = await server.execute("outer")
    assert (response.status_code, response.json()["output"]) == (200, {"n": 42})


async def test_what_an_id_means_follows_what_is_stored_by_it(server: Client) -> None:
    """Also when it is deleted and stored again, as another and as the same."""

    def called() -> str:
        store = server.services.engine.store
        store.claim([])  # comes after all that was submitted
        known = store.latest_definition("flow")
        assert known is not None
        return known[0]

    start = node("start", "manual_trigger")
    await server.stored(start)
    first = called()
    await server.delete("/api/workflows/flow")
    await server.stored(start, node("b", "noop"))
    second = called()
    await server.delete("/api/workflows/flow")
    await server.stored(start)
    assert called() == first != second
    for _ in range(2):
        assert (await server.get("/api/workflows/flow")).status_code == 200
        assert called() == first


async def test_a_waiting_sub_workflow_is_answered_for_by_its_caller(server: Client) -> None:
    await server.stored(node("s", "manual_trigger"), node("ask", "wait", signal="go"), id="inner")
    await server.stored(node("s", "manual_trigger"), node("call", "execute_workflow", workflowId="inner"), id="outer")
    response = await server.execute("outer")
    assert (response.status_code, response.json()["approvalId"]) == (202, "go")


async def test_list_and_search(server: Client) -> None:
    for number in range(3):
        await server.post("/api/workflows", json=document(id=f"flow-{number}", name=f"Report {number}"))
    await server.post("/api/workflows", json=document())
    first = (await server.get("/api/workflows", params={"search": "report", "limit": 2})).json()
    rest = (
        await server.get("/api/workflows", params={"search": "report", "limit": 2, "cursor": first["nextCursor"]})
    ).json()
    assert {row["id"] for row in first["workflows"] + rest["workflows"]} == {"flow-0", "flow-1", "flow-2"}
    assert "nextCursor" not in rest
    assert not any("lastRun" in row for row in rest["workflows"])
    runs = [(await server.execute("flow-1")).json()["executionId"] for _ in range(2)]
    (row,) = (await server.get("/api/workflows", params={"search": "report 1"})).json()["workflows"]
    assert (row["lastRun"]["executionId"], row["lastRun"]["status"]) == (runs[-1], "success")
    assert (await server.get("/api/workflows?cursor=nonsense")).status_code == 400
