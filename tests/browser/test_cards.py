"""What stands on a card, and what a pin keeps."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from browser.house import House, Visitor, card, graph_of, status
from browser.workflows import graph, one

Visit = Callable[..., Visitor]

HOUR = 3_600_000
AGAIN = graph(
    "again",
    [
        one("go", "manual_trigger", "Go"),
        one("pay", "simulate", "Pay", fail=[1], retry={"attempts": 2, "delay": HOUR, "maxDelay": HOUR, "jitter": 0}),
    ],
    "go > pay",
)

FORK = graph(
    "fork",
    [
        one("go", "manual_trigger", "Go"),
        one("which", "if_else", "Which", condition="{{ 1 > 2 }}"),
        one("yes", "noop", "Yes"),
        one("no", "noop", "No"),
    ],
    "go > which",
    "which.true > yes",
    "which.false > no",
)


def test_a_node_between_two_attempts_says_when_the_next_one_begins(visit: Visit, house: House) -> None:
    house.store(AGAIN)
    page = visit(timezone_id="Asia/Tokyo").page
    run = house.start("again")
    page.goto(f"/workflows/again?run={run}")
    expect(card(page, "pay")).to_contain_text(re.compile(r"Retrying at \d\d:\d\d:\d\d"))
    (node,) = [entry for entry in house.execution(run)["nodes"] if entry["nodeId"] == "pay"]
    told = page.evaluate("at => new Date(at).toLocaleTimeString('en-GB')", node["waitingUntil"])
    expect(card(page, "pay")).to_contain_text(f"Retrying at {told}")


def test_a_pinned_branch_goes_where_it_went(visit: Visit, house: House) -> None:
    """F-05"""
    house.store(FORK)
    page = visit().page
    page.goto("/workflows/fork")
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Succeeded")
    assert stood(house, page.url) == {"yes": "skipped", "no": "success"}
    card(page, "which").click(button="right")
    page.get_by_role("menuitem", name="Pin its output").click()
    expect(card(page, "which").get_by_label("Output pinned")).to_be_visible()
    before = page.url
    graph_of(page).focus()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url(lambda url: url != before)
    status(page, "Succeeded")
    (node,) = [one for one in house.ask("/api/workflows/fork")["nodes"] if one["id"] == "which"]
    assert node["data"]["pinned"]["handle"] == "false"
    assert stood(house, page.url) == {"yes": "skipped", "no": "success"}


def stood(house: House, url: str) -> dict[str, Any]:
    """How the two branches ended in the run that the page shows."""
    found = re.search(r"[?&]run=([^&]+)", url)
    assert found
    nodes = house.execution(found.group(1))["nodes"]
    return {entry["nodeId"]: entry["status"] for entry in nodes if entry["nodeId"] in ("yes", "no")}
