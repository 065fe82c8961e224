"""Contract sections 1 and 7: approvals and forms, by API and by page. Faults 5 and 14 of the old system."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from compatibility.live_server import Client, node, serving
from flowscope.orchestrator.passivation import IDLE

START = node("start", "manual_trigger")
FIELDS = [
    {"name": "email", "type": "email", "required": True},
    {"name": "count", "type": "number", "min": 1, "max": 10},
    {"name": "size", "type": "select", "options": ["S", "M"]},
    {"name": "agree", "type": "boolean"},
]
GOOD = {"email": "ada@example.org", "count": "3", "size": "M", "agree": "on"}
PAGE = {"accept": "text/html"}


@pytest_asyncio.fixture(params=[IDLE, 0.0], ids=["in memory", "passive"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Once as it is, and once with a server whose executions leave memory as soon as they rest."""
    async with serving() as client:
        client.services.engine.orchestrator.passivation.idle = request.param
        yield client


def key(client: Client, scope: str) -> dict[str, str]:
    return {"x-api-key": client.services.keys.create(scope, scope).text}


async def asking(server: Client, **config: Any) -> dict[str, Any]:
    """A run that waits for an approval; what it was answered with."""
    await server.stored(
        START,
        node("ask", "approval", title="Pay {{ amount }}?", message="From <b>{{ who }}</b>", **config),
        node("yes", "set", fields={"way": "yes"}),
        node("no", "set", fields={"way": "no"}),
        edges=[
            {"source": "start", "target": "ask"},
            {"source": "ask", "target": "yes", "sourceHandle": "approved"},
            {"source": "ask", "target": "no", "sourceHandle": "rejected"},
        ],
    )
    response = await server.execute(input={"amount": 12, "who": "Ada"})
    assert response.status_code == 202, response.text
    body: dict[str, Any] = response.json()
    return body


async def filling(server: Client, **config: Any) -> dict[str, Any]:
    """A run that has taken a branch, done something, and waits for a form."""
    await server.stored(
        START,
        node("branch", "if_else", condition="n > 1"),
        node("many", "set", fields={"way": "many", "stamp": "{{ execution.id }}"}),
        node("one", "set", fields={"way": "one"}),
        node("ask", "form", title="Where to?", fields=FIELDS, **config),
        node("end", "set", fields={"done": "{{ way }} to {{ email }}"}),
        edges=[
            {"source": "start", "target": "branch"},
            {"source": "branch", "target": "many", "sourceHandle": "true"},
            {"source": "branch", "target": "one", "sourceHandle": "false"},
            {"source": "many", "target": "ask"},
            {"source": "one", "target": "ask"},
            {"source": "ask", "target": "end"},
        ],
    )
    response = await server.execute(input={"n": 2})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def output(server: Client, execution_id: str) -> dict[str, Any]:
    await server.until(execution_id, "success")
    found: dict[str, Any] = (await server.get(f"/api/executions/{execution_id}/output")).json()
    return found


# --- approvals ---


async def test_an_approval_is_answered_with_what_it_takes_to_decide(server: Client) -> None:
    body = await asking(server)
    assert {name: body[name] for name in ("success", "status", "reason", "message")} == {
        "success": True,
        "status": "waiting",
        "reason": "approval",
        "message": "approval: Pay 12?",
    }
    (waiting,) = (await server.get("/api/waiting")).json()["waiting"]
    assert waiting["approvalId"] == body["approvalId"] and waiting["executionId"] == body["executionId"]
    assert (waiting["kind"], waiting["title"], waiting["message"]) == ("approval", "Pay 12?", "From <b>Ada</b>")
    address = f"/api/executions/{body['executionId']}/approvals/{body['approvalId']}"
    decided = await server.post(address, json={"decision": "approved", "by": "Grace", "comment": "fine"})
    assert (decided.status_code, decided.json()) == (
        200,
        {"success": True, "executionId": body["executionId"], "approvalId": body["approvalId"], "decision": "approved"},
    )
    found = await output(server, body["executionId"])
    assert (found["way"], found["amount"], found["by"], found["comment"]) == ("yes", 12, "Grace", "fine")
    assert (await server.get("/api/waiting")).json() == {"total": 0, "waiting": []}
    again = await server.post(address, json={"approved": True})
    assert again.status_code == 200 and again.json()["duplicate"] is True
    other = await server.post(address, json={"approved": False})
    assert (other.status_code, other.json()["code"]) == (409, "ALREADY_DECIDED")


async def test_two_who_decide_at_once_are_not_both_right(server: Client) -> None:
    body = await asking(server)
    address = f"/api/executions/{body['executionId']}/approvals/{body['approvalId']}"
    answers = await asyncio.gather(*(server.post(address, json={"approved": number % 2 == 0}) for number in range(8)))
    first = [one for one in answers if one.status_code == 200 and "duplicate" not in one.json()]
    assert len(first) == 1
    way = (await output(server, body["executionId"]))["way"]
    assert way == ("yes" if first[0].json()["decision"] == "approved" else "no")


@pytest.mark.parametrize(
    ("path", "json", "status"),
    [
        ("nobody/approvals/x", {"approved": True}, 404),
        ("{id}/approvals/x", {"approved": True}, 404),
        ("{id}/approvals/{approval}", {}, 422),
        ("{id}/approvals/{approval}", {"decision": "perhaps"}, 422),
    ],
)
async def test_what_is_no_decision_is_refused(server: Client, path: str, json: Any, status: int) -> None:
    body = await asking(server)
    place = path.format(id=body["executionId"], approval=body["approvalId"])
    assert (await server.post(f"/api/executions/{place}", json=json)).status_code == status
    assert (await server.get("/api/waiting")).json()["total"] == 1


async def test_a_decision_takes_an_editor_or_the_whole_link(server: Client) -> None:
    body = await asking(server)
    viewer, editor = key(server, "viewer"), key(server, "editor")
    address = f"/api/executions/{body['executionId']}/approvals/{body['approvalId']}"
    assert (await server.post(address, json={"approved": True})).status_code == 401
    assert (await server.post(address, json={"approved": True}, headers=viewer)).status_code == 403
    seen = (await server.get("/api/waiting", headers=viewer)).json()["waiting"][0]
    assert "approvalUrl" not in seen
    link = (await server.get("/api/waiting", headers=editor)).json()["waiting"][0]["approvalUrl"]
    assert link == body["approvalUrl"]
    for forged in (link[:-1], link.partition(".")[0], link[:-4] + "AAAA", f"/approve/{body['approvalId']}", link + "A"):
        assert (await server.get(forged, headers=PAGE)).status_code in (401, 429), forged
    page = await server.get(link, headers=PAGE)
    assert page.status_code == 200 and "From &lt;b&gt;Ada&lt;/b&gt;" in page.text and "<script" not in page.text
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    nothing = await server.post(link, data={"comment": "hm"}, headers=PAGE)
    assert nothing.status_code == 400 and 'role="alert"' in nothing.text
    done = await server.post(link, data={"decision": "rejected", "by": "Linus"}, headers=PAGE)
    assert done.status_code == 200 and "Rejected" in done.text
    assert (await server.get(link, headers=PAGE)).status_code == 409
    decided = (await server.get(f"/api/executions/{body['executionId']}/output", headers=viewer)).json()
    assert (decided["way"], decided["by"]) == ("no", "Linus")


async def test_an_approval_outlives_a_restart_and_its_link_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        body = await asking(server)
    async with serving(tmp_path) as server:
        assert (await server.get("/api/waiting")).json()["waiting"][0]["approvalId"] == body["approvalId"]
        assert (await server.post(body["approvalUrl"], json={"approved": True})).json()["decision"] == "approved"
        assert (await output(server, body["executionId"]))["way"] == "yes"


async def test_an_approval_in_a_sub_workflow_is_decided_by_its_caller_too(server: Client) -> None:
    inner = {"nodes": [node("ask", "approval")], "edges": []}
    await server.stored(START, node("call", "execute_workflow", workflow=inner))
    body = (await server.execute()).json()
    assert body["reason"] == "approval"
    address = f"/api/executions/{body['executionId']}/approvals/{body['approvalId']}"
    assert (await server.post(address, json={"approved": True})).status_code == 200
    assert (await output(server, body["executionId"]))["approved"] is True


# --- forms ---


async def test_a_form_pauses_and_resumes_at_the_right_node_with_its_branches(server: Client) -> None:
    """Fault 5: a resumed run started over, or forgot the branches it had taken."""
    body = await filling(server)
    assert {name: body[name] for name in ("success", "status", "message", "formNodeId")} == {
        "success": True,
        "status": "waiting",
        "message": "Workflow paused waiting for form submission",
        "formNodeId": "ask",
    }
    assert body["formUrl"].startswith("/api/form-trigger/flow/ask?form=")
    shown = (await server.get(body["formUrl"])).json()
    assert (shown["title"], shown["formNodeId"], shown["executionId"]) == ("Where to?", "ask", body["executionId"])
    assert [field["name"] for field in shown["fields"]] == ["email", "count", "size", "agree"]
    address = body["formUrl"].replace("?", "/submit?")
    sent = await server.post(address, json=GOOD)
    assert sent.json() == {"success": True, "executionId": body["executionId"], "message": "Form submitted"}
    found = await output(server, body["executionId"])
    assert (found["done"], found["count"], found["agree"], found["stamp"]) == (
        "many to ada@example.org", 3, True, body["executionId"],
    )  # fmt: skip
    events = (await server.get(f"/api/executions/{body['executionId']}/events?format=json")).json()["events"]
    started = [event["nodeId"] for event in events if event["type"] == "NodeStarted"]
    assert started == ["start", "branch", "many", "ask", "end"]
    assert [event["nodeId"] for event in events if event["type"] == "NodeSkipped"] == ["one"]


async def test_a_form_resumes_after_a_restart(tmp_path: Path) -> None:
    """Fault 5."""
    async with serving(tmp_path) as server:
        body = await filling(server)
    async with serving(tmp_path) as server:
        await server.post(body["formUrl"].replace("?", "/submit?"), json=GOOD)
        found = await output(server, body["executionId"])
        assert (found["done"], found["way"]) == ("many to ada@example.org", "many")


async def test_the_old_addresses_find_the_run_that_waits(server: Client) -> None:
    body = await filling(server)
    assert (await server.get("/api/form-trigger/flow/ask")).json()["executionId"] == body["executionId"]
    sent = await server.post("/api/form-trigger/flow/ask/submit", json={"data": GOOD})
    assert sent.json()["executionId"] == body["executionId"]
    again = await server.post("/api/form-trigger/flow/ask/submit", json=GOOD)
    assert (again.status_code, again.json()["error"]) == (400, "No active form")


async def test_what_is_filled_in_is_checked(server: Client) -> None:
    body = await filling(server)
    address = body["formUrl"].replace("?", "/submit?")
    bad = {"email": "nobody", "count": 11, "size": "XL", "agree": "perhaps"}
    refused = await server.post(address, json=bad)
    assert (refused.status_code, refused.json()["error"]) == (400, "Validation failed")
    assert set(refused.json()["details"]["fields"]) == {"email", "count", "size", "agree"}
    page = await server.post(address, data=bad, headers=PAGE)
    assert page.status_code == 400 and page.text.count('aria-invalid="true"') == 4 and 'value="nobody"' in page.text
    assert (await server.get("/api/waiting?kind=form")).json()["total"] == 1
    assert (await server.get("/api/waiting?kind=form")).json()["waiting"][0]["title"] == "Where to?"
    assert (await server.get("/api/waiting?executionId=another")).json()["total"] == 0


async def test_a_form_sent_twice_counts_once(server: Client) -> None:
    """Fault 14: submitting was select, then update."""
    body = await filling(server)
    address = body["formUrl"].replace("?", "/submit?")
    headers = {"x-idempotency-key": "k1"}
    answers = await asyncio.gather(*(server.post(address, json=GOOD, headers=headers) for _ in range(8)))
    assert [one.status_code for one in answers] == [200] * 8
    assert sum("duplicate" not in one.json() for one in answers) == 1
    assert {one.json()["executionId"] for one in answers} == {body["executionId"]}
    other = await server.post(address, json=GOOD, headers={"x-idempotency-key": "k2"})
    assert (other.status_code, other.json()["error"]) == (400, "No active form")
    await output(server, body["executionId"])
    again = await server.post(address, json=GOOD, headers=headers)
    assert again.json()["duplicate"] is True


async def test_a_form_whose_time_is_over_says_so(server: Client) -> None:
    body = await filling(server, waitFor="2s")
    await server.until(body["executionId"], "failed")
    late = await server.post(body["formUrl"].replace("?", "/submit?"), json=GOOD)
    assert (late.status_code, late.json()["error"]) == (400, "Form expired")


async def test_a_forms_page_is_closed_without_its_link(server: Client) -> None:
    body = await filling(server)
    viewer = key(server, "viewer")
    for address in ("/api/form-trigger/flow/ask", body["formUrl"][:-1], "/api/form-trigger/nobody/nothing"):
        closed = await server.get(address, headers=PAGE)
        assert closed.status_code == 401 and "closed" in closed.text
    assert (await server.post("/api/form-trigger/flow/ask/submit", json=GOOD)).status_code == 401
    assert (await server.post("/api/form-trigger/flow/ask/submit", json=GOOD, headers=viewer)).status_code == 403
    page = await server.get(body["formUrl"], headers=PAGE)
    assert page.status_code == 200 and "<script" not in page.text
    hidden = re.findall(r'name="_key" value="([^"]+)"', page.text)
    sent = await server.post(body["formUrl"].replace("?", "/submit?"), data=GOOD | {"_key": hidden[0]}, headers=PAGE)
    assert sent.status_code == 200 and "Thank you" in sent.text
    again = await server.post(body["formUrl"].replace("?", "/submit?"), data=GOOD | {"_key": hidden[0]}, headers=PAGE)
    assert again.status_code == 200 and "Thank you" in again.text  # sent twice, by two clicks


async def test_a_form_trigger_starts_a_run_once(server: Client) -> None:
    await server.stored(node("ask", "form_trigger", title="Leave", public=True, fields=FIELDS), node("end", "noop"))
    editor = key(server, "editor")
    assert (await server.get("/api/form-trigger/flow/ask")).status_code == 401  # not active yet
    assert (await server.post("/api/workflows/flow/activate", headers=editor)).json()["active"] is True
    page = await server.get("/api/form-trigger/flow/ask", headers=PAGE)
    assert page.status_code == 200 and "<h1>Leave</h1>" in page.text
    refused = await server.post("/api/form-trigger/flow/ask/submit", json={"email": ""})
    assert refused.json()["error"] == "Validation failed"
    headers = {"x-idempotency-key": "k"}
    first = (await server.post("/api/form-trigger/flow/ask/submit", json=GOOD, headers=headers)).json()
    second = (await server.post("/api/form-trigger/flow/ask/submit", json=GOOD, headers=headers)).json()
    assert second == first | {"duplicate": True}
    rows = (await server.get("/api/executions", headers=editor)).json()["executions"]
    assert [row["executionId"] for row in rows] == [first["executionId"]]
    assert (await server.post("/api/workflows/flow/deactivate", headers=editor)).json() == {
        "id": "flow",
        "active": False,
    }
    assert (await server.get("/api/form-trigger/flow/ask", headers=PAGE)).status_code == 401
