"""Looking into runs: the list, a node's data and reasons, its settings, the dock, the past."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from browser.house import House, Visitor, card, graph_of, status
from browser.workflows import graph, one

Visit = Callable[..., Visitor]

ORDERS = graph(
    "orders",
    [
        one("go", "manual_trigger", "Go"),
        one(
            "load",
            "set",
            "Load",
            fields={"total": 12400, "lines": [{"sku": "A-1", "count": 3}, {"sku": "B-7", "count": 1}]},
        ),
        one("large", "if_else", "Large order?", condition="total > 10000"),
        one("note", "log_output", "Note it", message="{{ load.total }} is much"),
        one("small", "noop", "Small"),
        one("pay", "simulate", "Pay", sleep=0.01, fail=[1, 2], retry={"attempts": 2, "delay": 20, "jitter": 0}),
    ],
    "go > load",
    "load > large",
    "large.true > note",
    "large.false > small",
    "note > pay",
)


@pytest.fixture
def run(house: House) -> str:
    """A run of `orders` that has failed."""
    house.store(ORDERS)
    return ended(house, house.start("orders"))


def ended(house: House, execution_id: str) -> str:
    """Wait on the run's own stream until it has ended."""
    house.follow(execution_id)
    return execution_id


def tab(page: Page, name: str) -> None:
    page.get_by_role("complementary", name="Inspector").get_by_role("tab", name=name).click()


def test_a_node_tells_what_it_gave_and_why_it_did_not_run(visit: Visit, run: str) -> None:
    page = visit().page
    page.goto(f"/runs/{run}?node=pay")
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector.get_by_role("tab", name="Error")).to_have_attribute("aria-selected", "true")
    expect(inspector.get_by_role("alert")).to_contain_text("Simulated failure of attempt 2")
    tab(page, "Attempts")
    expect(inspector.get_by_role("listitem").filter(has_text="Attempt 1")).to_contain_text("Tried again after")
    page.get_by_role("option", name="Small, skipped").click()
    expect(inspector).to_contain_text("Large order? went by “true”, and this is on “false”")
    expect(inspector).to_contain_text("total = 12400")
    page.get_by_role("option", name="Load, success").click()
    tree = inspector.get_by_role("tree")
    expect(tree).to_contain_text("total: 12400")
    inspector.get_by_role("searchbox").fill("b-7")
    expect(tree).to_contain_text('sku: "B-7"')
    expect(tree).not_to_contain_text("A-1")


def test_settings_are_a_form_that_completes_and_previews_expressions(visit: Visit, house: House, run: str) -> None:
    page = visit().page
    page.goto("/workflows/orders?node=note")
    message = page.get_by_role("textbox", name="Message")
    expect(message).to_have_value("{{ load.total }} is much")
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector).to_contain_text("12400 is much")
    message.fill("")
    message.press_sequentially("{{loa")
    page.get_by_role("option", name="load").click()
    message.press_sequentially(".li")
    expect(page.get_by_role("option", name="lines")).to_contain_text("list of 2")
    message.press("Enter")
    message.press_sequentially(".length")
    expect(message).to_have_value("{{ load.lines.length }}")
    expect(inspector.get_by_title("With the last run's data")).to_contain_text("2")
    page.get_by_text(re.compile(r"Saved .* · v2")).wait_for()
    saved = house.ask("/api/workflows/orders")
    assert (
        next(node for node in saved["nodes"] if node["id"] == "note")["data"]["config"]["message"]
        == "{{ load.lines.length }}"
    )


def test_the_dock_shows_time_logs_and_events_of_one_selection(visit: Visit, run: str) -> None:
    page = visit().page
    page.goto(f"/runs/{run}")
    rows = page.get_by_role("listbox", name="Nodes in the order they began")
    expect(rows.get_by_role("option", name="Pay, error").locator(".rev-bar-run")).to_have_count(2)
    rows.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    expect(card(page, "load")).to_have_attribute("data-selected", "true")
    page.get_by_role("searchbox", name="Find a node in the timeline").fill("note")
    expect(rows.get_by_role("option")).to_have_count(1)
    page.get_by_role("tab", name="Logs").first.click()
    expect(page.get_by_role("log")).to_contain_text("12400 is much")
    page.get_by_role("tab", name="Events").click()
    page.get_by_role("combobox", name="Which events").select_option("errors")
    events = page.get_by_role("listbox", name="Events")
    expect(events.get_by_role("option")).to_have_count(4)
    events.get_by_role("option").first.click()
    expect(card(page, "pay")).to_have_attribute("data-selected", "true")


def test_the_runs_are_filtered_by_the_url_and_gone_through_by_keys(visit: Visit, house: House, run: str) -> None:
    house.store(graph("fine", [one("go", "manual_trigger", "Go")]))
    fine = ended(house, house.start("fine"))
    page = visit().page
    page.goto("/runs")
    table = page.get_by_role("table", name="Runs")
    expect(table.get_by_role("link")).to_have_count(2)
    expect(table.get_by_role("img", name="4 succeeded, 1 failed, 1 skipped")).to_be_visible()
    page.get_by_role("button", name="Failed").click()
    expect(table.get_by_role("link")).to_have_count(1)
    assert page.url.endswith("/runs?status=failed")
    page.reload()
    expect(table.get_by_role("link")).to_have_count(1)
    page.get_by_role("button", name="Clear").click()
    expect(table.get_by_role("link")).to_have_count(2)
    later = house.start("fine")  # it comes by itself
    expect(table.get_by_role("link")).to_have_count(3)
    page.keyboard.press("j")
    expect(page.locator(f"#run-{later}")).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("j")
    expect(page.locator(f"#run-{fine}")).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("c")
    expect(page.get_by_role("status").filter(has_text="difference")).to_contain_text("No difference")
    page.go_back()
    expect(table.get_by_role("link")).to_have_count(3)
    page.keyboard.press("j")
    expect(page.locator(f"#run-{later}")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{later}")


def test_the_past_is_replayed_and_the_run_taken_up_again(visit: Visit, house: House, run: str) -> None:
    page = visit().page
    page.goto(f"/runs/{run}?t=0")
    replay = page.get_by_role("region", name="Replay")
    expect(card(page, "load")).to_have_attribute("data-status", "idle")
    expect(replay).to_contain_text("1/")
    graph_of(page).focus()
    page.keyboard.press(".")
    expect(replay).to_contain_text("2/")
    page.keyboard.press("e")
    expect(card(page, "pay")).to_have_attribute("data-selected", "true")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text("Attempt 1 failed")
    expect(page.get_by_role("tab", name="Events")).not_to_contain_text(str(house.execution(run)["seq"]))
    replay.get_by_role("button", name="Back to now").click()
    status(page, "Failed")
    page.get_by_role("button", name="More about this run").click()
    page.get_by_role("menuitem", name="Run again with the same input").click()
    page.wait_for_url(lambda url: run not in url)
    status(page, "Failed")


def test_an_approval_is_given_where_it_is_asked_for(visit: Visit, house: House) -> None:
    house.store(
        graph(
            "ask",
            [
                one("go", "manual_trigger", "Go"),
                one("may", "approval", "May we?", title="Pay Ada?"),
                one("yes", "noop", "Yes"),
                one("no", "noop", "No"),
            ],
            "go > may",
            "may.approved > yes",
            "may.rejected > no",
        )
    )
    page = visit().page
    page.goto(f"/runs/{house.start('ask')}?node=may")
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector).to_contain_text("Waits for an approval")
    expect(inspector).to_contain_text("Pay Ada?")
    inspector.get_by_role("button", name="Reject").click()
    status(page, "Succeeded")
    expect(card(page, "no")).to_have_attribute("data-status", "success")
    page.get_by_role("option", name="Yes, skipped").click()
    expect(inspector).to_contain_text("went by “rejected”")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_has_a_fault_that_axe_knows(visit: Visit, run: str, theme: str) -> None:
    page = visit(color_scheme=theme).page
    for path, ready in (
        ("/runs", "role=table >> text=Orders"),
        (f"/runs/{run}?node=pay", "role=alert"),
        (f"/runs/{run}?node=load", "role=tree"),
        ("/workflows/orders?node=note", "text=12400 is much"),
        (f"/runs/{run}?t=0", "role=slider"),
        (f"/runs/compare?a={run}&b={run}", "text=No difference"),
    ):
        page.goto(path)
        page.wait_for_selector(ready)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{path}\n{found.generate_report()}"


def test_a_phone_shows_the_runs_without_scrolling_sideways(visit: Visit, run: str) -> None:
    page = visit(viewport={"width": 390, "height": 780}).page
    page.goto("/runs")
    expect(page.get_by_role("table", name="Runs").get_by_role("link")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_of_many_iterations_only_those_that_are_seen_are_read(visit: Visit, house: House) -> None:
    house.store(
        graph(
            "many",
            [
                one("go", "manual_trigger", "Go"),
                one("each", "map", "Each", onItemError="collect", concurrency=50),
                one("check", "simulate", "Check", parent="each", fail="{{ item == 1234 }}"),
            ],
            "go > each",
        )
    )
    body = {"workflowId": "many", "input": {"items": list(range(2_000))}}
    run = house.ask("/api/executions", body)["executionId"]
    house.follow(run)
    visitor = visit()
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url) if "/iterations?" in request.url else None)
    page = visitor.page
    page.goto(f"/runs/{run}?node=each")
    page.get_by_role("tab", name="Iterations").click()
    inspector = page.get_by_role("complementary", name="Inspector")
    expect(inspector.get_by_role("option", name="each[0]")).to_be_visible()
    assert len(asked) <= 3, asked
    page.get_by_role("listbox", name="Iterations").focus()
    page.keyboard.press("End")
    expect(inspector.get_by_role("option", name="each[1999]")).to_be_visible()
    assert len(asked) <= 5, asked
    inspector.get_by_role("button", name="Failed", exact=True).click()
    expect(inspector.get_by_role("option")).to_have_count(1)
    inspector.get_by_role("option", name="each[1234]").click()
    expect(inspector.get_by_role("heading", name="Check")).to_be_visible()
    expect(inspector).to_contain_text("each[1234]")
