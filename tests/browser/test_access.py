"""Every page, in both themes, is one that everybody can use: axe finds nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from browser.house import ENDLESS_MOTION, House, Visitor, card, graph_of, status
from browser.workflows import ENDLESS, HOSTILE, LONG, QUICK

Visit = Callable[..., Visitor]


def clean(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    said = [(rule["id"], node["target"], node["failureSummary"]) for rule in found for node in rule["nodes"]]
    assert not said, said


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_in_anybodys_way(visit: Visit, house: House, theme: str) -> None:
    page = visit(color_scheme=theme, reduced_motion="reduce").page
    page.goto("/workflows")
    expect(page.get_by_role("heading", name="Build something that runs")).to_be_visible()
    clean(page)
    for document in (QUICK, HOSTILE, LONG):
        house.store(document)
    page.goto("/workflows")
    expect(page.get_by_role("link", name="Quick")).to_be_visible()
    clean(page)
    page.goto("/workflows/quick")
    expect(card(page, "set")).to_be_visible()
    clean(page)
    graph_of(page).focus()
    page.keyboard.press("n")
    page.get_by_role("combobox", name="Search node types").wait_for()
    clean(page)
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    page.get_by_role("tree").wait_for()
    clean(page)
    page.goto(f"/workflows/hostile?run={house.start('hostile')}&node=stop")
    status(page, "Failed")
    clean(page)
    page.goto("/runs")
    expect(page.get_by_role("main")).to_contain_text("Failed")
    clean(page)
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Search nodes, workflows, commands…").wait_for()
    clean(page)


def test_nothing_moves_where_somebody_asked_for_none(visit: Visit, house: House) -> None:
    house.store(ENDLESS)
    page = visit(reduced_motion="reduce").page
    page.goto(f"/workflows/endless?run={house.start('endless')}")
    expect(card(page, "works")).to_have_attribute("data-status", "running")
    assert page.evaluate(ENDLESS_MOTION) == 0
