"""Nothing lost, and everything found again: a server that is killed under its viewers, and the past of a run that failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, expect

from browser.deaths import survive
from browser.house import House, Visitor, card, graph_of
from browser.workflows import graph, one

Visit = Callable[..., Visitor]


def test_a_run_of_fifty_nodes_survives_its_server(browser: Browser, tmp_path: Path) -> None:
    """Three deaths; `make deaths` has fifty."""
    report = survive(browser, tmp_path, deaths=3, seed=2)
    assert report.deaths == 3 == report.resumed + report.retried
    assert report.events > 50


def test_the_input_that_caused_an_error_is_found_in_the_past(visit: Visit, house: House) -> None:
    house.store(
        graph(
            "orders",
            [
                one("go", "manual_trigger", "Go"),
                one("load", "set", "Load the order", fields={"total": "12,400.00"}),
                one("add", "math", "Add the tax", operation="multiply", a="{{ $json.total }}", b=1.19),
            ],
            "go > load",
            "load > add",
        )
    )
    execution_id = house.start("orders")
    house.follow(execution_id)
    page = visit().page
    page.goto(f"/runs/{execution_id}?t=0")
    expect(page.get_by_role("region", name="Replay")).to_contain_text("1/")
    graph_of(page).focus()
    page.keyboard.press("e")
    expect(card(page, "add")).to_have_attribute("data-status", "error")
    page.keyboard.press(",")
    expect(card(page, "add")).to_have_attribute("data-status", "running")
    inspector = page.get_by_role("complementary", name="Inspector")
    inspector.get_by_role("tab", name="Input").click()
    expect(inspector).to_contain_text("12,400.00")
