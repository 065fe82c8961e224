"""The pages for people who have no studio: forms and approvals, in both themes, on a phone and at a desk."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from browser.house import House, Visitor

PHONE = {"width": 360, "height": 740}
FIELDS = [
    {"name": "email", "label": "E-mail", "type": "email", "required": True, "help": "Where the receipt goes"},
    {"name": "size", "type": "select", "options": ["S", "M"]},
    {"name": "agree", "label": "I agree", "type": "boolean", "required": True},
]


def node(id: str, type: str, **config: Any) -> dict[str, Any]:
    return {"id": id, "data": {"type": type, "config": config}}


def stored(house: House, *nodes: dict[str, Any]) -> None:
    edges = [{"source": one["id"], "target": two["id"]} for one, two in pairwise(nodes)]
    house.store({"id": "flow", "name": "Purchases", "nodes": list(nodes), "edges": edges})


def is_sound(page: Page) -> None:
    """Nobody is kept out, and nothing sticks out."""
    found = Axe().run(page)
    assert not found.response["violations"], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_form_is_filled_in(house: House, visit: Callable[..., Visitor]) -> None:
    stored(house, node("ask", "form_trigger", title="Order", message="One each.", fields=FIELDS), node("end", "noop"))
    house.ask("/api/workflows/flow/activate", method="POST")
    visitor = visit(viewport=PHONE, color_scheme="light")
    page = visitor.page
    page.goto("/api/form-trigger/flow/ask")
    is_sound(page)
    page.get_by_label("E-mail").fill("nobody")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("alert")).to_have_text("2 fields need another look.")
    expect(page.get_by_label("E-mail")).to_have_value("nobody")
    expect(page.get_by_label("E-mail")).to_have_attribute("aria-invalid", "true")
    is_sound(page)
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_label("size").select_option("M")
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading")).to_have_text("Sent")
    is_sound(page)
    (row,) = house.ask("/api/executions")["executions"]
    given = house.ask(f"/api/executions/{row['executionId']}/input")
    assert (given["email"], given["size"], given["agree"]) == ("ada@example.org", "M", True)
    # The answer that says what is wrong is a 400, which a browser notes.
    visitor.faults = [fault for fault in visitor.faults if "400" not in fault]


def test_an_approval_is_decided(house: House, visit: Callable[..., Visitor]) -> None:
    stored(
        house, node("go", "manual_trigger"), node("ask", "approval", title="Pay?", message="<script>alert(1)</script>")
    )
    house.start("flow")
    while not (waiting := house.ask("/api/waiting")["waiting"]):
        pass
    page = visit(color_scheme="dark").page
    page.goto(waiting[0]["approvalUrl"])
    expect(page.get_by_role("heading")).to_have_text("Pay?")
    expect(page.get_by_text("<script>alert(1)</script>")).to_be_visible()
    is_sound(page)
    page.get_by_label("Your name").fill("Grace")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading")).to_have_text("Rejected")
    output = house.ask(f"/api/executions/{waiting[0]['executionId']}/output")
    assert (output["decision"], output["by"]) == ("rejected", "Grace")
