"""Going back in a run, and on from there: retried, forked, run to a node, held, cancelled, asked about; and where its time went."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, expect

from browser.house import House, Visitor, card, graph_of, status
from browser.workflows import ENDLESS, graph, one

Visit = Callable[..., Visitor]

SHOP = graph(
    "shop",
    [
        one("go", "manual_trigger", "Go"),
        one("order", "simulate", "Place order", sleep=0.01),
        one("price", "set", "Work out price", fields={"total": 42}),
        one("pay", "simulate", "Pay", sleep=0.01, fail="{{ total > 10 }}"),
        one("thank", "noop", "Thank"),
    ],
    "go > order",
    "order > price",
    "price > pay",
    "pay > thank",
)
"""Ordering acts outside; paying fails unless the total is small."""


def failed(house: House) -> str:
    house.store(SHOP)
    execution_id = house.start("shop")
    house.follow(execution_id)
    return execution_id


def inspector(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Inspector")


def starts(page: Page, dialog: Locator) -> str:
    """Press Start; the id of the run that one is taken to."""
    before = page.url
    dialog.get_by_role("button", name="Start").click()
    page.wait_for_url(lambda url: "/runs/" in url and url.split("?")[0] != before.split("?")[0])
    return page.url.split("?")[0].rpartition("/")[2]


def started(house: House, execution_id: str) -> list[str]:
    events = house.ask(f"/api/executions/{execution_id}/events")["events"]
    return [event["nodeId"] for event in events if event["type"] == "NodeStarted"]


def statuses(house: House, execution_id: str) -> dict[str, str]:
    return {node["nodeId"]: node["status"] for node in house.execution(execution_id)["nodes"]}


def test_a_failed_run_is_retried_from_the_failed_node(visit: Visit, house: House) -> None:
    page = visit().page
    first = failed(house)
    page.goto(f"/runs/{first}")
    status(page, "Failed")
    graph_of(page).focus()
    page.keyboard.press("e")
    inspector(page).get_by_role("button", name="Retry from here").click()
    dialog = page.get_by_role("dialog", name="Run again from Pay")
    expect(dialog).to_contain_text("3 kept, 1 run again, 1 run for the first time")
    expect(dialog.get_by_role("checkbox")).to_have_count(0)
    field = dialog.get_by_role("textbox", name="Its input, as JSON")
    expect(field).to_have_value('{\n  "total": 42\n}')
    field.fill("{")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog.get_by_role("alert")).to_contain_text("The input is no JSON")
    field.fill('{"total": 3}')
    second = starts(page, dialog)
    status(page, "Succeeded")
    assert started(house, second) == ["pay", "thank"]
    assert house.ask(f"/api/executions/{second}/output")["total"] == 3
    expect(inspector(page)).to_contain_text("pay")  # the selection came along


def test_what_acts_outside_is_asked_about_before_it_acts_again(visit: Visit, house: House) -> None:
    page = visit().page
    page.goto(f"/runs/{failed(house)}?node=order")
    inspector(page).get_by_role("button", name="Run again from here").click()
    dialog = page.get_by_role("dialog", name="Run again from Place order")
    agree = dialog.get_by_role("checkbox", name="These may act outside once more: Place order. Let them.")
    expect(agree).not_to_be_checked()
    expect(dialog.get_by_role("button", name="Start")).to_be_disabled()
    dialog.get_by_role("textbox").fill('{"for": "Ann"}')
    agree.check()
    dialog.get_by_role("combobox", name="Up to").select_option("Work out price")
    expect(dialog).to_contain_text("1 kept, 2 run again, 2 do not run")
    made = starts(page, dialog)
    status(page, "Succeeded")
    assert started(house, made) == ["order", "price"]
    assert house.ask(f"/api/executions/{made}/nodes/order/input") == {"for": "Ann"}


def test_a_fork_may_run_the_workflow_as_it_is_now(visit: Visit, house: House) -> None:
    page = visit().page
    first = failed(house)
    mended: dict[str, Any] = {**SHOP, "nodes": [dict(node) for node in SHOP["nodes"]]}
    mended["nodes"][2] = one("price", "set", "Work out price", fields={"total": 4})
    assert page.request.put("/api/workflows/shop", data=mended, headers={"if-match": '"1"'}).ok
    page.goto(f"/runs/{first}?node=price")
    page.get_by_role("button", name="More about this run").click()
    page.get_by_role("menuitem", name="Retry from where it failed").click()
    dialog = page.get_by_role("dialog", name="Retry from where it failed")
    dialog.get_by_role("combobox", name="Workflow").select_option("as it is now (version 2)")
    expect(dialog).to_contain_text("2 kept, 2 run again, 1 run for the first time")
    starts(page, dialog)
    status(page, "Succeeded")
    page.get_by_role("button", name="2 runs in this family").click()
    tree = page.get_by_role("dialog", name="Family of this run")
    expect(tree.get_by_role("listitem").nth(1)).to_contain_text("other settings of Work out price")


def test_the_family_is_a_tree_that_leads_from_run_to_run(visit: Visit, house: House) -> None:
    page = visit().page
    first = failed(house)
    page.goto(f"/runs/{first}?node=pay")
    status(page, "Failed")
    family = page.get_by_role("button", name="in this family")
    expect(family).to_have_count(0)
    retry = house.ask(f"/api/executions/{first}/retry", {})["executionId"]
    house.follow(retry)
    fork = house.ask(f"/api/executions/{first}/fork", {"from": "pay", "input": {"total": 1}})["executionId"]
    house.follow(fork)
    slow = {"configs": {"pay": {"sleep": 3_600}}, "until": "pay", "confirm": True}
    running = house.ask(f"/api/executions/{fork}/fork", slow)["executionId"]
    page.reload()
    page.get_by_role("button", name="4 runs in this family").click()
    tree = page.get_by_role("dialog", name="Family of this run")
    rows = tree.get_by_role("listitem")
    expect(rows).to_have_count(4)
    for n, words in enumerate(
        (("First run", "this run", "Failed"), ("Retry", "Failed"), ("From Pay", "other input", "Succeeded"),
         ("To Pay", "other settings of Pay", "Running"))
    ):  # fmt: skip
        for word in words:
            expect(rows.nth(n)).to_contain_text(word)
    assert not [found["id"] for found in Axe().run(page).response["violations"]]
    expect(tree.locator("[aria-current]")).to_be_focused()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{fork}?node=pay")
    status(page, "Succeeded")
    expect(tree.locator("[aria-current]")).to_contain_text("From Pay")  # it is still open
    house.ask(f"/api/executions/{running}/cancel", {})
    expect(rows.nth(3)).to_contain_text("Cancelled")
    rows.nth(2).get_by_role("link", name="Compare").click()
    page.wait_for_url(f"**/runs/compare?a={first}&b={fork}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_new_run_goes_only_to_the_selected_node(visit: Visit, house: House) -> None:
    page = visit().page
    house.store(SHOP)
    page.goto("/workflows/shop?node=price")
    page.get_by_text("Saved").wait_for()
    card(page, "price").click(button="right")
    page.get_by_role("menuitem", name="Run to here").click()
    status(page, "Succeeded")
    execution_id = page.url.partition("run=")[2].split("&")[0]
    assert statuses(house, execution_id) == {
        "go": "success", "order": "success", "price": "success", "pay": "skipped", "thank": "skipped",
    }  # fmt: skip
    assert house.ask(f"/api/executions/{execution_id}/output") == {"total": 42}
    card(page, "thank").click()
    why = inspector(page).locator("details", has_text="Why?")
    if why.get_attribute("open") is None:
        why.locator("summary").click()
    expect(why).to_contain_text("This run was to go no further than Work out price.")
    card(page, "order").click()
    page.keyboard.press("Control+Shift+Enter")
    page.wait_for_url(lambda url: "run=" in url and execution_id not in url)
    status(page, "Succeeded")
    later = page.url.partition("run=")[2].split("&")[0]
    assert started(house, later) == ["go", "order"]
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Search nodes").fill("run to")
    page.get_by_role("option", name="Run to “Place order”, and no further").wait_for()


def test_a_run_is_taken_up_only_to_a_node(visit: Visit, house: House) -> None:
    page = visit().page
    first = failed(house)
    page.goto(f"/runs/{first}?node=price")
    inspector(page).get_by_role("button", name="Run to here").click()
    dialog = page.get_by_role("dialog", name="Run to Work out price")
    all_of_it = dialog.get_by_role("checkbox", name="Run all of it again, and keep nothing")
    expect(all_of_it).to_be_checked()  # all that leads there had ended well: else nothing would run
    expect(dialog).to_contain_text("3 run again, 2 do not run")
    all_of_it.uncheck()
    expect(dialog).to_contain_text("3 kept, 2 do not run")
    all_of_it.check()
    dialog.get_by_role("checkbox", name="These may act outside").check()
    made = starts(page, dialog)
    status(page, "Succeeded")
    assert started(house, made) == ["go", "order", "price"]


def test_a_run_is_held_goes_on_and_is_cancelled(visit: Visit, house: House) -> None:
    page = visit().page
    house.store(
        graph(
            "held",
            [
                one("go", "manual_trigger", "Go"),
                one("gate", "wait", "Gate", signal="open"),
                one("after", "noop", "After"),
            ],
            "go > gate",
            "gate > after",
        )
    )
    execution_id = house.start("held")
    page.goto(f"/runs/{execution_id}?node=after")
    card(page, "gate").get_by_text("Waiting").wait_for()
    page.get_by_role("button", name="Pause the run").click()
    status(page, "Paused")
    house.ask(f"/api/executions/{execution_id}/signal", {"name": "open", "payload": {"by": "Ann"}})
    card(page, "gate").get_by_text("Succeeded").wait_for()
    expect(inspector(page)).to_contain_text("The run is paused: nothing new starts until it is resumed.")
    assert "after" not in started(house, execution_id)
    page.get_by_role("button", name="Resume the run").click()
    status(page, "Succeeded")
    expect(page.get_by_role("button", name="Cancel the run")).to_have_count(0)
    house.store(ENDLESS)
    page.goto(f"/runs/{house.start('endless')}?node=works")
    card(page, "works").get_by_text("Running").wait_for()
    page.get_by_role("button", name="Cancel the run").click()
    status(page, "Cancelled")
    card(page, "works").get_by_text("Cancelled").wait_for()
    expect(card(page, "after")).to_contain_text("Skipped")


@pytest.mark.parametrize(
    ("answer", "word", "node"),
    [("Run it again", "Running", "Running"), ("Take it as failed", "Failed", "Lost")],
    ids=["again", "fail"],
)
def test_a_lost_attempt_is_asked_about_and_answered(
    visit: Visit, house: House, answer: str, word: str, node: str
) -> None:
    charge = one("charge", "simulate", "Charge", sleep=3_600, onLost="ask")
    house.store(graph("fragile", [one("go", "manual_trigger", "Go"), charge], "go > charge"))
    execution_id = house.start("fragile")
    while "charge" not in started(house, execution_id):
        pass
    house.kill()
    house.up()
    page = visit().page
    page.goto(f"/runs/{execution_id}?node=charge")
    question = inspector(page).get_by_role("region", name="Waits for an answer")
    expect(question).to_contain_text("Its last attempt was lost")
    row = page.get_by_role("option", name="Charge")
    expect(row.locator(".rev-bar-down")).to_have_count(1)
    expect(row.locator(".rev-bar-wait")).to_have_count(1)
    expect(page.get_by_title("The server stopped at")).to_have_count(1)
    question.get_by_role("button", name=answer).click()
    status(page, word)
    card(page, "charge").get_by_text(node).wait_for()
    expect(question).to_have_count(0)
    assert started(house, execution_id) == ["go"] + ["charge"] * (2 if word == "Running" else 1)


FORKED = graph(
    "forked",
    [
        one("go", "manual_trigger", "Go"),
        one("short", "simulate", "Short", sleep=0.05, fail=[1], retry={"attempts": 2, "delay": 60, "jitter": 0}),
        one("long", "simulate", "Long", sleep=0.6),
        one("end", "noop", "End"),
    ],
    "go > short",
    "go > long",
    "short > end",
    "long > end",
)


def test_the_timeline_tells_the_critical_path_and_slack_as_the_server_does(visit: Visit, house: House) -> None:
    """L-02."""
    page = visit().page
    house.store(FORKED)
    execution_id = house.start("forked")
    house.follow(execution_id)
    page.goto(f"/runs/{execution_id}?node=short")
    rows = page.get_by_role("listbox", name="Nodes in the order they began")
    told = house.ask(f"/api/executions/{execution_id}/timeline")
    assert told["criticalPath"] == ["go", "long", "end"]
    for title in ("Go", "Long", "End"):
        expect(rows.get_by_role("option", name=f"{title}, success, on the critical path")).to_have_count(1)
    slack = next(node["slack"] for node in told["nodes"] if node["nodeId"] == "short")
    short = rows.get_by_role("option", name=f"Short, success, slack {round(slack)} ms")
    expect(short.get_by_title("Slack: it could have ended")).to_be_visible()
    for kind in ("run", "backoff", "queue"):
        attempts = next(node["attempts"] for node in told["nodes"] if node["nodeId"] == "short")
        count = sum(part["kind"] == kind for attempt in attempts for part in attempt["segments"])
        expect(short.locator(f".rev-bar-{kind}")).to_have_count(count)
    page.get_by_role("button", name="Critical path").click()
    expect(rows.get_by_role("option")).to_have_count(3)


def test_what_waits_for_a_place_is_drawn_as_queued(visit: Visit, house: House) -> None:
    """P-08."""
    work = [one(name, "simulate", name.title(), sleep=3_600, concurrencyKey="one") for name in ("first", "second")]
    house.store(graph("line", [one("go", "manual_trigger", "Go"), *work], "go > first", "go > second"))
    execution_id = house.start("line")
    page = visit().page
    page.goto(f"/runs/{execution_id}?node=second")
    rows = page.get_by_role("listbox", name="Nodes in the order they began")
    second = rows.get_by_role("option", name="Second")
    expect(second.locator(".rev-bar-queue[data-open=true]")).to_have_count(1)
    expect(second.locator(".rev-bar-run")).to_have_count(0)
    expect(rows.get_by_role("option", name="First").locator(".rev-bar-run[data-open=true]")).to_have_count(1)
    page.get_by_role("button", name="Cancel the run").click()
    status(page, "Cancelled")
    expect(second.locator(".rev-bar-queue[data-open=false]")).to_have_count(1)
    expect(second.locator(".rev-bar-run")).to_have_count(0)


def test_the_critical_path_goes_into_bodies(visit: Visit, house: House) -> None:
    """L-02."""
    page = visit().page
    house.store(
        graph(
            "mapped",
            [
                one("go", "manual_trigger", "Go"),
                one("each", "map", "Each", items=[1, 2, 3]),
                one("slow", "simulate", "Slow", "each", sleep=0.05),
                one("fast", "noop", "Fast", "each"),
                one("join", "merge", "Join", "each"),
            ],
            "go > each",
            "slow > join",
            "fast > join",
        )
    )
    execution_id = house.start("mapped")
    house.follow(execution_id)
    page.goto(f"/runs/{execution_id}")
    rows = page.get_by_role("listbox", name="Nodes in the order they began")
    expect(rows.get_by_role("option")).to_have_count(5)
    page.get_by_role("button", name="Critical path").click()
    for words in (
        "Go, success, on the critical path", "Each, success, on the critical path",
        "Slow, success, on the critical path of 3 iterations", "Join, success, on the critical path of 3 iterations",
    ):  # fmt: skip
        expect(rows.get_by_role("option", name=words)).to_have_count(1)
    expect(rows.get_by_role("option")).to_have_count(4)
    bodies = house.ask(f"/api/executions/{execution_id}/timeline")["bodies"]
    assert {body["nodeId"]: body["critical"] for body in bodies} == {"slow": 3, "fast": 0, "join": 3}


def test_the_axis_of_a_replay_is_that_of_the_whole_run(visit: Visit, house: House) -> None:
    page = visit().page
    house.store(FORKED)
    execution_id = house.start("forked")
    house.follow(execution_id)
    page.goto(f"/runs/{execution_id}?t=0")
    rows = page.get_by_role("listbox", name="Nodes in the order they began")
    place = page.get_by_role("slider", name="Where in the run")
    for seq in range(2, 6):
        place.press("ArrowRight")
        expect(place).to_have_attribute("aria-valuenow", f"{seq}")
    long = rows.get_by_role("option", name="Long, running").locator(".rev-bar-run")
    expect(long).to_have_count(1)
    axis = page.locator(".rev-tick").all_inner_texts()
    assert axis[-1] in ("600 ms", "700 ms")
    early = long.bounding_box()
    assert early is not None and early["width"] < 60
    place.press("End")
    expect(rows.get_by_role("option", name="Long, success")).to_have_count(1)
    assert page.locator(".rev-tick").all_inner_texts() == axis


def test_of_a_long_run_what_is_inside_of_containers_is_read_when_it_is_looked_at(visit: Visit, house: House) -> None:
    """24,000 events, of which the timeline needs a dozen and the sums."""
    page = visit().page
    house.store(
        graph(
            "many",
            [
                one("go", "manual_trigger", "Go"),
                one("each", "map", "Each", items="{{ range(6000) }}"),
                one("first", "set", "First", "each", fields={"n": "{{ item }}"}),
                one("end", "noop", "End"),
            ],
            "go > each",
            "each > end",
        )
    )
    execution_id = house.start("many")
    house.follow(execution_id)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/events?" in request.url else None)
    page.goto(f"/runs/{execution_id}")
    rows = page.get_by_role("listbox", name="Nodes in the order they began")
    expect(rows.get_by_role("option")).to_have_count(4)
    expect(rows.get_by_role("option").nth(2)).to_have_accessible_name("First, success")
    strips = rows.locator(".rev-lane-heat title")
    expect(strips).to_have_count(2)
    expect(strips.nth(0)).to_have_text(re.compile("6,000 iterations, 0 failed"))
    expect(strips.nth(1)).to_have_text(re.compile("6,000 runs, 0 failed"))
    expect(rows.get_by_role("option").nth(1).locator(".rev-bar-success")).to_have_count(1)
    assert asked and all("top=true" in url for url in asked), asked
    last = house.execution(execution_id)["seq"]
    page.get_by_role("tab", name="Events").click()
    events = page.get_by_role("listbox", name="Events")
    expect(events.locator(".rev-line-seq").last).to_have_text(str(last))
    assert sum("top=true" not in url for url in asked) == 3, asked
    page.get_by_role("tab", name="Timeline").click()
    expect(strips.nth(1)).to_have_text(re.compile("6,000 runs, 0 failed"))
    rows.get_by_role("option").nth(2).click()
    expect(inspector(page).get_by_text("6,000 of 6,000")).to_be_visible()
