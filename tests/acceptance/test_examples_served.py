"""The examples that a server starts by itself, or for which somebody is asked: on a real server, as the guides say."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from compatibility.live_server import Client, serving
from flowscope.nodes.context import Surroundings

ROOT = Path(__file__).parents[2]
PAGE = {"accept": "text/html"}


async def active(server: Client, example: str) -> str:
    """Store and activate an example; its id."""
    document = json.loads((ROOT / "examples" / f"{example}.json").read_text("utf-8"))
    stored = await server.post("/api/workflows", json=document)
    assert stored.status_code == 201 and stored.json()["valid"], stored.text
    activated = await server.post(f"/api/workflows/{document['id']}/activate")
    assert activated.status_code == 200, activated.text
    return str(document["id"])


async def waiting(server: Client, kind: str) -> dict[str, Any]:
    """The one that waits for somebody, once it does."""
    async with asyncio.timeout(20):
        while True:
            found = (await server.get(f"/api/waiting?kind={kind}")).json()["waiting"]
            if found:
                (one,) = found
                return dict(one)


async def output(server: Client, execution_id: str) -> Any:
    await server.until(execution_id, "success")
    return (await server.get(f"/api/executions/{execution_id}/output")).json()


async def test_nightly_is_due_at_half_past_two_in_oslo() -> None:
    async with serving(surroundings=Surroundings(file_roots=(ROOT,))) as server:
        workflow_id = await active(server, "nightly")
        (trigger,) = (await server.get("/api/triggers")).json()["triggers"]
        assert trigger["nextDue"][11:16] in ("00:30", "01:30", "01:00")
        run = await server.execute(workflow_id, input={"scheduledTime": "2026-05-18T02:30:00+02:00"})
        assert run.json()["output"]["said"] == "At 2026-05-18T02:30:00+02:00: rain on 623 days"


async def test_orders_come_by_webhook_and_are_answered_before_they_are_packed() -> None:
    async with serving(surroundings=Surroundings(secrets={"shop": "s3cret"})) as server:
        workflow_id = await active(server, "orders_webhook")
        order = {"id": 7, "count": 3, "price": 4.5}
        async with httpx.AsyncClient(base_url=f"http://{server.address}") as shop:
            assert (await shop.post("/hooks/shop/orders", json=order)).status_code == 401
            shop.headers["authorization"] = "Bearer s3cret"
            answer = await shop.post("/hooks/shop/orders", json=order)
            assert (answer.status_code, answer.json()) == (201, {"order": 7, "total": 13.5})
        (row,) = (await server.get(f"/api/executions?workflowId={workflow_id}")).json()["executions"]
        assert (await output(server, row["executionId"]))["state"] == "packed"


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_a_purchase_is_asked_for_decided_and_sent(decision: str) -> None:
    async with serving() as server:
        workflow_id = await active(server, "purchase")
        wish = {"what": "A chair", "price": "240", "email": "ada@example.org"}
        address = f"/api/form-trigger/{workflow_id}/wish"
        assert "What do you need?" in (await server.get(address, headers=PAGE)).text
        assert "Thank you" in (await server.post(f"{address}/submit", data=wish, headers=PAGE)).text
        (row,) = (await server.get("/api/executions")).json()["executions"]
        question = await waiting(server, "approval")
        assert question["title"] == "Buy A chair for 240 €?"
        said = {"decision": decision, "by": "Grace", "comment": "not now"}
        assert (await server.post(question["approvalUrl"], data=said, headers=PAGE)).status_code == 200
        if decision == "rejected":
            assert (await output(server, row["executionId"]))["state"] == "not bought: not now"
            return
        form = await waiting(server, "form")
        where = {"street": "Storgata 1", "city": "Oslo"}
        await server.post(form["formUrl"].replace("?", "/submit?"), data=where, headers=PAGE)
        found = await output(server, row["executionId"])
        assert (found["state"], found["by"]) == ("A chair goes to Oslo", "Grace")


async def test_a_small_purchase_asks_nobody() -> None:
    async with serving() as server:
        workflow_id = await active(server, "purchase")
        wish = {"what": "Tea", "price": 4, "email": "ada@example.org"}
        sent = (await server.post(f"/api/form-trigger/{workflow_id}/wish/submit", json=wish)).json()
        assert (await waiting(server, "form"))["executionId"] == sent["executionId"]
        assert (await server.get("/api/waiting?kind=approval")).json()["total"] == 0
