"""Webhooks and triggers over HTTP; fault 12 of the old system: cron never fired."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from compatibility.live_server import Client, node, serving
from flowscope.nodes.context import Surroundings
from flowscope.server.webhooks import signature

SECRET = "s3cret"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving(surroundings=Surroundings(secrets={"hook": SECRET})) as client:
        yield client


async def hooked(server: Client, *nodes: dict[str, Any], **config: Any) -> None:
    """An active workflow with a webhook, on a server that asks for keys."""
    await server.stored(node("hook", "webhook", path="shop/orders", **config), *(nodes or (node("end", "noop"),)))
    activated = await server.post("/api/workflows/flow/activate")
    assert activated.status_code == 200, activated.text
    server.headers["x-api-key"] = (await server.post("/api/keys", json={"name": "me", "scope": "admin"})).json()["key"]


def stranger(server: Client) -> httpx.AsyncClient:
    """Somebody without a key."""
    return httpx.AsyncClient(base_url=f"http://{server.address}", timeout=20)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("config", "right", "wrong"),
    [
        ({"auth": "none"}, {}, None),
        ({"auth": "key"}, None, {}),
        ({"auth": "header", "secret": "hook"}, {"x-webhook-token": SECRET}, {"x-webhook-token": "s3cre"}),
        ({"auth": "header", "secret": "hook", "header": "X-Shop"}, {"x-shop": SECRET}, {"x-webhook-token": SECRET}),
        ({"auth": "bearer", "secret": "hook"}, {"authorization": f"Bearer {SECRET}"}, {"authorization": "Bearer x"}),
        (
            {"auth": "basic", "secret": "hook", "user": "shop"},
            {"authorization": basic("shop", SECRET)},
            {"authorization": basic("shop", "")},
        ),
        (
            {"auth": "basic", "secret": "hook", "user": "shop"},
            {"authorization": basic("shop", SECRET)},
            {"authorization": "Basic !"},
        ),
    ],
)
async def test_a_webhook_lets_in_who_it_says(server: Client, config: Any, right: Any, wrong: Any) -> None:
    await hooked(server, **config)
    async with stranger(server) as client:
        for address in ("/hooks/shop/orders", "/api/webhook-trigger/flow"):
            if wrong is not None:
                refused = await client.post(address, json={"id": 7}, headers=wrong)
                assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHORIZED")
            headers = right if right is not None else {"x-api-key": server.headers["x-api-key"]}
            taken = await client.post(address, json={"id": 7}, headers=headers)
            assert taken.status_code == 200, taken.text
            assert (taken.json()["success"], taken.json()["status"]) == (True, "running")
            await server.until(taken.json()["executionId"], "success")
            output = (await server.get(f"/api/executions/{taken.json()['executionId']}/output")).json()
            assert (output["id"], output["_webhook"], output["_method"]) == (7, True, "POST")
            assert SECRET not in str(output)
    assert len((await server.get("/api/executions")).json()["executions"]) == 2


async def test_a_signed_webhook_takes_each_request_once_and_as_it_was(server: Client) -> None:
    await hooked(server, auth="hmac", secret="hook")
    async with stranger(server) as client:

        def headers(nonce: str, body: bytes, at: float | None = None) -> dict[str, str]:
            stamp = str(round(at or time.time()))
            signed = signature(SECRET, stamp, nonce, "POST", "", body)
            return {"x-flowscope-timestamp": stamp, "x-flowscope-nonce": nonce, "x-flowscope-signature": signed}

        body = b'{"id":  7}'
        address = "/hooks/shop/orders"
        assert (await client.post(address, content=body, headers=headers("n1", body))).status_code == 200
        assert (await client.post(address, content=body, headers=headers("n1", body))).status_code == 401
        assert (await client.post(address, content=b'{"id": 7}', headers=headers("n2", body))).status_code == 401
        assert (
            await client.post(address, content=body, headers=headers("n3", body, time.time() - 900))
        ).status_code == 401
        assert (await client.post(address, content=body)).status_code == 401


async def test_an_address_behind_which_nothing_is_looks_like_one_that_is_closed(server: Client) -> None:
    await hooked(server, auth="bearer", secret="hook")
    async with stranger(server) as client:
        there = await client.post("/hooks/shop/orders")
        nothing = await client.post("/hooks/shop/nothing")
        assert (there.status_code, there.json()) == (nothing.status_code, nothing.json())
    assert (await server.post("/hooks/shop/nothing")).json()["code"] == "WEBHOOK_NOT_FOUND"
    other = await server.get("/hooks/shop/orders")
    assert (other.status_code, other.headers["allow"]) == (405, "POST")
    await server.post("/api/workflows/flow/deactivate")
    async with stranger(server) as client:
        assert (
            await client.post("/hooks/shop/orders", headers={"authorization": f"Bearer {SECRET}"})
        ).status_code == 401


async def test_guessing_a_webhooks_secret_is_slow(server: Client) -> None:
    await hooked(server, auth="header", secret="hook")
    async with stranger(server) as client:
        answers = [
            (await client.post("/hooks/shop/orders", headers={"x-webhook-token": str(n)})).status_code
            for n in range(30)
        ]
    assert answers[0] == 401 and answers[-1] == 429


async def test_a_webhook_may_answer_with_the_output(server: Client) -> None:
    await hooked(server, node("sum", "set", fields={"total": "{{ a + b }}"}), auth="none", respond="when_done")
    async with stranger(server) as client:
        assert (await client.post("/hooks/shop/orders", json={"a": 1, "b": 2})).json()["total"] == 3
        failed = await client.post("/hooks/shop/orders", json={"a": 1})
        assert failed.status_code == 500 and "b" in failed.json()["error"]


async def test_a_node_may_answer_and_the_run_goes_on(server: Client) -> None:
    answer = node("answer", "respond_to_webhook", status=201, body={"order": "{{ id }}"}, headers={"X-Shop": "yes"})
    await hooked(server, answer, node("later", "wait", signal="go"), auth="none", respond="by_node")
    async with stranger(server) as client:
        response = await client.post("/hooks/shop/orders", json={"id": 7}, headers={"x-idempotency-key": "k"})
        assert (response.status_code, response.json(), response.headers["x-shop"]) == (201, {"order": 7}, "yes")
        assert response.headers["x-content-type-options"] == "nosniff"
        (row,) = (await server.get("/api/executions")).json()["executions"]
        assert row["status"] in ("running", "waiting")
        again = (await client.post("/hooks/shop/orders", json={"id": 7}, headers={"x-idempotency-key": "k"})).json()
        assert (again["executionId"], again["duplicate"]) == (row["executionId"], True)


async def test_who_waits_for_a_run_that_waits_is_told_so(server: Client) -> None:
    await hooked(server, node("ask", "approval"), auth="none", respond="when_done")
    async with stranger(server) as client:
        response = await client.post("/hooks/shop/orders")
        assert (response.status_code, response.json()["reason"]) == (202, "approval")
        assert "approvalUrl" not in response.json()  # whoever calls a webhook may not decide
    await server.post("/api/workflows/flow/deactivate")


async def test_who_waits_too_long_is_told_the_id(server: Client) -> None:
    await hooked(server, node("slow", "simulate", sleep=30), auth="none", respond="when_done", waitFor=50)
    async with stranger(server) as client:
        response = await client.post("/hooks/shop/orders")
        assert (response.status_code, response.json()["status"]) == (202, "running")
        await server.post(f"/api/executions/{response.json()['executionId']}/cancel")


# --- what is active ---


async def test_an_interval_fires_and_can_be_seen(server: Client) -> None:
    """Section 7, fault 12."""
    await server.stored(node("tick", "interval", interval="1s"), node("end", "noop"))
    assert (await server.get("/api/triggers")).json() == {"triggers": []}
    activated = (await server.post("/api/workflows/flow/activate")).json()
    assert activated["active"] and activated["triggers"][0]["nextDue"] > activated["since"]
    assert (await server.get("/api/workflows/flow")).json()["active"] is True
    await server.begun()
    (trigger,) = (await server.get("/api/triggers")).json()["triggers"]
    rows = (await server.get("/api/executions?workflowId=flow")).json()["executions"]
    assert rows and rows[-1]["executionId"].startswith("fired-")
    assert (trigger["workflowId"], trigger["nodeId"], trigger["type"]) == ("flow", "tick", "interval")
    assert (await server.post("/api/workflows/flow/deactivate")).json() == {"id": "flow", "active": False}
    assert (await server.get("/api/workflows")).json()["workflows"][0]["active"] is False
    assert (await server.get("/api/triggers")).json() == {"triggers": []}


async def test_a_cron_schedule_is_armed(server: Client) -> None:
    """Section 7, fault 12: the old scheduler read a column that was not there."""
    await server.stored(node("nightly", "schedule", cron="30 2 * * *", timezone="Europe/Oslo"), node("end", "noop"))
    await server.post("/api/workflows/flow/activate")
    (trigger,) = (await server.get("/api/triggers?workflowId=flow")).json()["triggers"]
    assert trigger["nextDue"].endswith(("T00:30:00.000Z", "T01:30:00.000Z", "T01:00:00.000Z"))
    assert "lastError" not in trigger


async def test_saving_goes_by_the_new_version_at_once(server: Client) -> None:
    await hooked(server, auth="none")
    document = {
        "nodes": [node("hook", "webhook", path="shop/new", auth="none"), node("end", "noop")],
        "edges": [{"source": "hook", "target": "end"}],
    }
    assert (await server.put("/api/workflows/flow", json=document, headers={"if-match": "*"})).json()["active"] is True
    async with stranger(server) as client:
        assert (await client.post("/hooks/shop/orders")).status_code == 401
        assert (await client.post("/hooks/shop/new")).status_code == 200
    assert (await server.delete("/api/workflows/flow")).status_code == 204
    async with stranger(server) as client:
        assert (await client.post("/hooks/shop/new")).status_code == 401


async def test_an_address_that_is_taken_by_saving_is_told_and_takes_nothing(server: Client) -> None:
    await hooked(server, auth="none")
    other: dict[str, Any] = {"id": "other", "nodes": [node("hook", "webhook", path="mine"), node("end", "noop")]}
    other["edges"] = [{"source": "hook", "target": "end"}]
    await server.post("/api/workflows", json=other)
    assert (await server.post("/api/workflows/other/activate")).status_code == 200
    taken = {**other, "nodes": [node("hook", "webhook", path="shop/orders"), node("end", "noop")]}
    saved = (await server.put("/api/workflows/other", json=taken, headers={"if-match": "*"})).json()
    assert saved["active"] is True
    (state,) = (await server.get("/api/triggers?workflowId=other")).json()["triggers"]
    assert "address of the workflow 'flow'" in state["lastError"]
    async with stranger(server) as client:
        assert (await client.post("/hooks/shop/orders")).status_code == 200
    assert (await server.get("/api/executions?workflowId=other")).json()["executions"] == []
    await server.put("/api/workflows/other", json=other, headers={"if-match": "*"})
    (state,) = (await server.get("/api/triggers?workflowId=other")).json()["triggers"]
    assert "lastError" not in state and state["url"] == "/hooks/mine"


async def test_what_cannot_run_cannot_be_active(server: Client) -> None:
    draft = {"id": "draft", "nodes": [node("hook", "webhook", auth="bearer")], "edges": []}
    stored = await server.post("/api/workflows", json=draft)
    assert stored.json()["valid"] is False and "secret" in str(stored.json()["problems"])
    assert (await server.post("/api/workflows/draft/activate")).status_code == 422
    assert (await server.post("/api/workflows/nobody/activate")).status_code == 404
    assert (await server.post("/api/workflows/nobody/deactivate")).status_code == 404


async def test_a_run_of_a_trigger_takes_no_notice_of_pins(server: Client) -> None:
    pinned = node("n", "set", fields={"real": True})
    pinned["data"]["pinned"] = {"output": {"real": False}}
    await hooked(server, pinned, auth="none", respond="when_done")
    async with stranger(server) as client:
        assert (await client.post("/hooks/shop/orders")).json()["real"] is True
    assert (await server.execute()).json()["output"]["real"] is False


async def test_what_rests_is_listed_too_and_how_the_last_run_went(server: Client) -> None:
    await hooked(server, auth="none")
    await server.stored(node("nightly", "schedule", cron="30 2 * * *"), node("end", "noop"), id="night")
    await server.stored(node("fill", "form_trigger", fields=[]), node("end", "noop"), id="leave")
    await server.stored(node("off", "interval", interval="1h", disabled=True), node("end", "noop"), id="off")
    await server.stored(node("go", "manual_trigger"), node("end", "noop"), id="by-hand")
    async with stranger(server) as client:
        assert (await client.post("/hooks/shop/orders")).status_code == 200
    found = (await server.get("/api/triggers?all=true")).json()["triggers"]
    assert [(one["workflowId"], one["nodeId"], one["active"], one.get("url")) for one in found] == [
        ("flow", "hook", True, "/hooks/shop/orders"),
        ("leave", "fill", False, "/api/form-trigger/leave/fill"),
        ("night", "nightly", False, None),
    ]
    assert (found[2]["cron"], found[2]["timezone"]) == ("30 2 * * *", "UTC")
    await server.until(found[0]["lastExecutionId"], "success")
    (one,) = (await server.get("/api/triggers?all=true&workflowId=flow")).json()["triggers"]
    assert (one["lastStatus"], one["fired"]) == ("success", 1)
    assert [one["workflowId"] for one in (await server.get("/api/triggers")).json()["triggers"]] == ["flow"]
    assert (await server.delete("/api/workflows/leave")).status_code == 204
    await server.stored(node("later", "form_trigger", fields=[]), node("end", "noop"), id="leave")
    await server.put("/api/workflows/flow", json={"nodes": [node("go", "manual_trigger")]}, headers={"if-match": "*"})
    found = (await server.get("/api/triggers?all=true")).json()["triggers"]
    assert [(one["workflowId"], one["label"]) for one in found] == [("leave", "Later"), ("night", "Nightly")]
    await server.post("/api/workflows/night/activate")
    (one,) = (await server.get("/api/triggers?all=true&workflowId=night")).json()["triggers"]
    assert one["active"] and one["nextDue"]
