"""Every page, in both themes, is one that everybody can use: axe finds nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from browser.house import ENDLESS_MOTION, House, Visitor, card, graph_of, status
from browser.workflows import ENDLESS, HOSTILE, LONG, QUICK, wide

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


LINES = """element => {
    const lines = style => [
        style.outlineStyle === 'none' ? 0 : style.outlineWidth, style.borderTopWidth, style.borderTopStyle,
        style.textDecorationLine,
    ];
    const after = getComputedStyle(element, '::after');
    const bar = after.content !== 'none' && after.forcedColorAdjust === 'none' ? after.height : 0;
    return JSON.stringify([lines(getComputedStyle(element)), bar]);
}"""
"""What is seen of an element where the system's colours are forced, and backgrounds with them: its lines."""


def test_what_is_selected_is_told_by_lines_where_colours_are_forced(visit: Visit, house: House) -> None:
    house.store(HOSTILE)
    page = visit(forced_colors="active", reduced_motion="reduce").page
    page.goto(f"/workflows/hostile?run={house.start('hostile')}&node=stop")
    status(page, "Failed")

    def told(selected: Locator, other: Locator) -> None:
        expect(selected.first).to_be_visible()
        assert selected.first.evaluate(LINES) != other.first.evaluate(LINES), selected

    rail = page.get_by_role("navigation", name="Pages")
    told(rail.get_by_role("link", name="Workflows"), rail.get_by_role("link", name="Runs"))
    for name in ("What is shown of the node", "What the dock shows"):
        tabs = page.get_by_role("tablist", name=name)
        told(tabs.get_by_role("tab", selected=True), tabs.get_by_role("tab", selected=False))
    told(card(page, "stop"), page.locator(".rev-card[data-selected=false]"))
    rows = page.get_by_role("listbox", name="Nodes in the order they began").get_by_role("option")
    told(rows.and_(page.locator("[aria-selected=true]")), rows.and_(page.locator("[aria-selected=false]")))
    counts = page.get_by_role("toolbar", name="Nodes by status").get_by_role("button")
    counts.first.click()
    told(counts.first, counts.nth(1))
    graph_of(page).focus()
    page.keyboard.press("n")
    options = page.get_by_role("listbox", name="Node types").get_by_role("option")
    told(options.first, options.nth(1))
    page.keyboard.press("Escape")
    graph_of(page).focus()
    page.keyboard.press("o")
    items = page.get_by_role("treeitem")
    told(items.and_(page.locator("[aria-selected=true]")), items.and_(page.locator("[aria-selected=false]")))
    page.keyboard.press("Control+k")
    entries = page.get_by_role("dialog", name="Commands").locator(".rev-menu-item")
    told(entries.first, entries.nth(1))


def test_a_small_canvas_is_not_covered_by_its_map(visit: Visit, house: House) -> None:
    """At 200 % on a screen of 1440."""
    house.store(wide(20))
    page = visit(viewport={"width": 720, "height": 450}, device_scale_factor=2).page
    page.goto("/workflows/wide?node=n1")
    expect(page.get_by_role("complementary", name="Inspector")).to_be_visible()
    expect(page.locator(".rev-minimap")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.locator(".rev-minimap")).to_be_visible()


def test_on_a_phone_the_inspector_lies_over_the_canvas_and_is_put_away(visit: Visit, house: House) -> None:
    house.store(LONG)
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, reduced_motion="reduce").page
    page.goto("/workflows/long")
    expect(card(page, "go")).to_contain_text("Manual trigger")
    before = graph_of(page).bounding_box()
    card(page, "go").tap()
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector.get_by_label("Name")).to_be_visible()
    assert graph_of(page).bounding_box() == before, "the canvas keeps its size"
    sheet = inspector.bounding_box()
    assert sheet is not None and sheet["width"] >= 388
    chosen = card(page, "go").bounding_box()
    assert chosen["y"] + chosen["height"] < sheet["y"], "what is selected is seen"
    clean(page)
    inspector.get_by_role("button", name="Close the inspector").tap()
    expect(inspector).to_have_count(0)
    card(page, "go").tap()
    expect(inspector).to_be_visible()
    page.touchscreen.tap(195, 80)
    expect(inspector).to_have_count(0)
