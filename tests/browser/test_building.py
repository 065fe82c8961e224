"""A workflow of three nodes from nothing: built, set, run and seen to succeed, with one hand only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from browser.house import House, Visitor, card, centre, drag, graph_of, status

Visit = Callable[..., Visitor]


def test_with_the_mouse_alone(visit: Visit, house: House) -> None:
    page = visit().page
    page.goto("/workflows")
    page.get_by_role("button", name="New workflow").click()
    page.get_by_role("button", name="Choose a node").click()
    page.get_by_role("option", name="Manual trigger").click()
    card(page, "manual_trigger").hover()
    card(page, "manual_trigger").locator(".react-flow__handle-right").click()
    page.get_by_role("option", name="Date and time").click()
    page.get_by_role("complementary", name="Inspector").get_by_label("Operation").wait_for()
    way_out = card(page, "date_time").locator(".react-flow__handle-right")
    way_out.hover()
    x, y = centre(way_out)
    drag(page, (x, y), (x + 90, y + 90))
    page.get_by_role("option", name="No operation").click()
    expect(card(page, "noop")).to_be_visible()
    card(page, "date_time").click()
    page.get_by_role("complementary", name="Inspector").get_by_label("Operation").select_option("now")
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Succeeded")
    succeeded(page, "manual_trigger", "date_time", "noop")
    built = document(house)
    assert edges(built) == [("manual_trigger", "date_time"), ("date_time", "noop")]
    assert config(built, "date_time") == {"operation": "now"}


def test_with_the_keyboard_alone(visit: Visit, house: House) -> None:
    page = visit().page
    page.goto("/workflows")
    expect(page.get_by_role("heading", name="Workflows", exact=True)).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Search nodes, workflows, commands…").wait_for()
    page.keyboard.type("new work")
    page.keyboard.press("Enter")
    graph_of(page).wait_for()
    tab_to(page, "[aria-label^='Workflow graph']")
    for name in ("manual trig", "date and", "no operation"):
        page.keyboard.press("n")
        page.get_by_role("combobox", name="Search node types").wait_for()
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("combobox", name="Search node types")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(card(page, "date_time")).to_have_attribute("data-selected", "true")
    page.get_by_role("complementary", name="Inspector").get_by_label("Operation").wait_for()
    page.keyboard.press("Enter")
    tab_to(page, "select")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Control+Enter")
    status(page, "Succeeded")
    succeeded(page, "manual_trigger", "date_time", "noop")
    built = document(house)
    assert edges(built) == [("manual_trigger", "date_time"), ("date_time", "noop")]
    assert config(built, "date_time") == {"operation": "now"}


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until what has the focus is that: it can be reached."""
    for _ in range(40):
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def succeeded(page: Page, *node_ids: str) -> None:
    for node_id in node_ids:
        expect(card(page, node_id)).to_have_attribute("data-status", "success")


def document(house: House) -> dict[str, Any]:
    (row,) = house.ask("/api/workflows")["workflows"]
    found: dict[str, Any] = house.ask(f"/api/workflows/{row['id']}")
    return found


def edges(workflow: dict[str, Any]) -> list[tuple[str, str]]:
    return [(edge["source"], edge["target"]) for edge in workflow["edges"]]


def config(workflow: dict[str, Any], node_id: str) -> dict[str, Any]:
    (node,) = (node for node in workflow["nodes"] if node["id"] == node_id)
    found: dict[str, Any] = node["data"]["config"]
    return found
