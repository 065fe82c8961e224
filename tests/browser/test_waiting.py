"""What waits for people: seen in one place as it comes, answered there or at the node, and only once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.house import House, Visitor, status
from browser.house import house as serving
from browser.test_access import clean
from browser.workflows import graph, one

Visit = Callable[..., Visitor]
PHONE = {"width": 390, "height": 800}

APPROVAL = graph(
    "pay",
    [
        one("go", "manual_trigger", "Go"),
        one("ask", "approval", "Pay the invoice", title="Pay 12?", message="From <b>Ada</b>", waitFor="2h"),
        one("end", "noop", "End"),
    ],
    "go > ask",
    "ask.approved > end",
)
FORM = graph(
    "ship",
    [
        one("go", "manual_trigger", "Go"),
        one(
            "where",
            "form",
            "Where to",
            title="Where shall we send it?",
            button="Send it",
            fields=[
                {"name": "email", "label": "E-mail", "type": "email", "required": True, "help": "For the receipt"},
                {"name": "size", "type": "select", "options": ["S", "M"], "default": "M"},
                {"name": "boxes", "label": "Boxes", "type": "number", "max": 9},
                {"name": "agree", "label": "I agree", "type": "boolean", "required": True},
            ],
        ),
        one("end", "noop", "End"),
    ],
    "go > where",
    "where > end",
)
SIGNAL = graph(
    "lorry",
    [one("go", "manual_trigger", "Go"), one("until", "wait", "Until the lorry is there", signal="lorry")],
    "go > until",
)
LOST = graph(
    "lost",
    [one("go", "manual_trigger", "Go"), one("works", "simulate", "Works", sleep=3_600, onLost="ask")],
    "go > works",
)


def question(page: Page, title: str) -> Any:
    return page.get_by_role("article", name=title)


def output(house: House, execution_id: str) -> Any:
    house.follow(execution_id)
    return house.ask(f"/api/executions/{execution_id}/output")


def test_an_approval_comes_by_itself_and_is_decided(visit: Visit, house: House) -> None:
    house.store(APPROVAL)
    page = visit().page
    page.goto("/waiting")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    execution_id = house.start("pay")
    asked = question(page, "Pay 12?")
    expect(asked).to_be_visible()
    expect(page.get_by_role("link", name="Waiting , 1 question")).to_be_visible()
    expect(asked).to_contain_text("From <b>Ada</b>")
    expect(asked).to_contain_text("in 1 h")
    asked.get_by_label("Comment").fill("as agreed")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(asked.get_by_role("status")).to_contain_text("Approved.")
    found = output(house, execution_id)
    assert (found["decision"], found["comment"]) == ("approved", "as agreed")
    expect(page.get_by_role("link", name="Waiting", exact=True)).to_be_visible()
    asked.get_by_role("link", name="See the run").click()
    page.wait_for_url(f"**/runs/{execution_id}?node=ask")
    status(page, "Succeeded")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text("Pay the invoice")


def test_a_form_says_what_is_wrong_at_the_field_and_is_sent(visit: Visit, house: House) -> None:
    house.store(FORM)
    execution_id = house.start("ship")
    visitor = visit()
    page = visitor.page
    page.goto("/waiting?kind=form")
    asked = question(page, "Where shall we send it?")
    asked.get_by_role("button", name="Fill it in").click()
    asked.get_by_label("Boxes").fill("12")
    asked.get_by_role("button", name="Send it").click()
    expect(asked.get_by_role("alert")).to_have_text("3 fields need another look.")
    expect(asked.get_by_label("E-mail")).to_be_focused()
    expect(asked.get_by_label("E-mail")).to_have_accessible_description("Is required")
    expect(asked.get_by_label("Boxes")).to_have_accessible_description("Must be 9 or less")
    expect(asked.get_by_label("Boxes")).to_have_value("12")
    clean(page)
    page.keyboard.type("ada@example.org")
    asked.get_by_label("Boxes").fill("3")
    asked.get_by_label("I agree").check()
    asked.get_by_role("button", name="Send it").click()
    expect(asked.get_by_role("status")).to_contain_text("Thank you. It has been sent.")
    found = output(house, execution_id)
    assert (found["email"], found["size"], found["boxes"], found["agree"]) == ("ada@example.org", "M", 3, True)
    asked.get_by_role("button", name="Put away").click()
    expect(page.get_by_role("heading", name="Nothing of that kind waits")).to_be_visible()
    forgive(visitor, "400")


@pytest.mark.parametrize("size", [PHONE, {"width": 1280, "height": 600}])
def test_a_form_is_filled_in_at_its_node(visit: Visit, house: House, size: dict[str, int]) -> None:
    house.store(FORM)
    execution_id = house.start("ship")
    visitor = visit(viewport=size)
    page = visitor.page
    page.goto(f"/runs/{execution_id}?node=where")
    asked = page.get_by_role("region", name="Waits for an answer")
    asked.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("tab", name="Input")).to_be_in_viewport()  # what is asked leaves room for the rest
    expect(asked.get_by_label("E-mail")).to_have_accessible_description("Is required")
    page.keyboard.type("ada@example.org")
    asked.get_by_label("I agree").check()
    asked.get_by_role("button", name="Send it").click()
    expect(page.get_by_text("Thank you. It has been sent.")).to_be_visible()
    status(page, "Succeeded")
    assert output(house, execution_id)["email"] == "ada@example.org"
    forgive(visitor, "400")


def test_a_signal_is_sent(visit: Visit, house: House) -> None:
    house.store(SIGNAL)
    execution_id = house.start("lorry")
    page = visit().page
    page.goto("/waiting")
    asked = question(page, "Until the lorry is there")
    field = asked.get_by_role("textbox", name="What the signal lorry brings")
    field.fill("yes")
    asked.get_by_role("button", name="Send the signal").click()
    expect(field).to_have_accessible_description('This is no JSON. A text stands in quotes: "yes"')
    field.fill('{"plate": "AB 123"}')
    asked.get_by_role("button", name="Send the signal").click()
    expect(asked.get_by_role("status")).to_contain_text("The signal lorry is sent")
    assert output(house, execution_id) == {"plate": "AB 123"}


def test_somebody_says_what_becomes_of_a_lost_attempt(visit: Visit, house: House) -> None:
    house.store(LOST)
    runs = [house.start("lost") for _ in range(2)]
    for run in runs:
        while house.execution(run)["counts"].get("running") != 1:
            pass
    house.kill()
    house.up()
    page = visit().page
    page.goto("/waiting?kind=ask")
    expect(page.get_by_role("article")).to_have_count(2)
    expect(page.get_by_role("article").first).to_contain_text("Its last attempt was lost")
    page.get_by_role("article").first.get_by_role("button", name="Run it again").click()
    expect(page.get_by_text("It runs again.")).to_be_visible()
    last = page.get_by_role("article").last
    last.get_by_role("button", name="Take it as failed").click()
    expect(page.get_by_text("It is taken as failed.")).to_be_visible()
    failed = next(run for run in runs if run in (last.get_by_role("link").first.get_attribute("href") or ""))
    house.follow(failed)
    assert [house.execution(run)["status"] == "failed" for run in runs] == [run == failed for run in runs]


def test_who_was_about_to_answer_is_told_that_somebody_else_has(visit: Visit, house: House) -> None:
    house.store(APPROVAL)
    execution_id = house.start("pay")
    one, other = visit().page, visit().page
    for page in (one, other):
        page.goto("/waiting")
        question(page, "Pay 12?").wait_for()
    question(other, "Pay 12?").get_by_label("Comment").fill("I am thinking about")
    question(one, "Pay 12?").get_by_role("button", name="Approve").click()
    expect(question(other, "Pay 12?").get_by_role("status")).to_contain_text("It waits no longer")
    expect(question(other, "Pay 12?").get_by_role("button", name="Reject")).to_have_count(0)
    assert output(house, execution_id)["decision"] == "approved"


@pytest.fixture
def slow_house(tmp_path: Path) -> Iterator[House]:
    """Its pages look again once in ten minutes: what somebody else does is not seen meanwhile."""
    with serving(tmp_path / "slow", UI_REFRESH_INTERVAL="600000") as made:
        yield made


def test_the_second_answer_is_told_what_the_first_was(browser: Browser, slow_house: House) -> None:
    for document in (APPROVAL, FORM, SIGNAL):
        slow_house.store(document)
        slow_house.start(document["id"])
    visitor = Visitor(browser, slow_house.url)
    titles = ("Pay 12?", "Where shall we send it?", "Until the lorry is there")
    asked = []
    for title in titles:  # each on a page of its own, for an answer makes a page look again
        page = visitor.open()
        page.goto("/waiting")
        asked.append(question(page, title))
        asked[-1].wait_for()
    approval, form, lorry = asked
    form.get_by_role("button", name="Fill it in").click()
    form.get_by_label("E-mail").fill("late@example.org")
    form.get_by_label("I agree").check()
    answered(slow_house)
    approval.get_by_role("button", name="Reject").click()
    expect(approval.get_by_role("status")).to_contain_text("Somebody else was faster: it is approved already")
    for late, button in ((form, "Send it"), (lorry, "Send the signal")):
        late.get_by_role("button", name=button).click()
        expect(late.get_by_role("status")).to_contain_text("Too late: somebody else has answered meanwhile")
    forgive(visitor, "400", "409")
    visitor.context.close()
    assert not visitor.faults, visitor.faults


def answered(house: House) -> None:
    """By somebody else: all three."""
    asked = {one["kind"]: one for one in house.ask("/api/waiting")["waiting"]}
    place = f"/api/executions/{asked['approval']['executionId']}/approvals/{asked['approval']['approvalId']}"
    house.ask(place, {"decision": "approved"})
    house.ask(asked["form"]["formUrl"].replace("?", "/submit?"), {"email": "first@example.org", "agree": True})
    house.ask(f"/api/executions/{asked['signal']['executionId']}/signal", {"name": "lorry", "payload": {}})


def test_a_viewer_sees_and_is_told_why_no_more(visit: Visit, house: House) -> None:
    house.store(APPROVAL)
    execution_id = house.start("pay")
    house.key = house.ask("/api/keys", {"name": "boss", "scope": "admin"})["key"]
    key = house.ask("/api/keys", {"name": "guest", "scope": "viewer"})["key"]
    visitor = visit()
    page = visitor.page
    page.goto("/waiting")
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_text("The key guest is of scope viewer")).to_be_visible()
    expect(question(page, "Pay 12?")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    clean(page)
    page.goto(f"/runs/{execution_id}?node=ask")
    expect(page.get_by_role("region", name="Waits for an answer")).to_contain_text("an editor's answers")
    forgive(visitor, "401")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(visit: Visit, house: House, theme: str) -> None:
    visitor = visit(color_scheme=theme, reduced_motion="reduce", viewport=PHONE)
    page = visitor.page
    page.goto("/waiting")
    page.get_by_role("heading", name="Nothing waits for you").wait_for()
    clean(page)
    for document in (APPROVAL, FORM, SIGNAL):
        house.store(document)
        house.start(document["id"])
    page.get_by_role("button", name="Fill it in").click()
    page.get_by_label("E-mail").wait_for()
    expect(page.get_by_role("article")).to_have_count(3)
    clean(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Approved.").wait_for()
    clean(page)
    page.route("**/api/waiting*", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    clean(page)
    page.unroute("**/api/waiting*")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.set_viewport_size({"width": 1280, "height": 800})
    clean(page)
    forgive(visitor, "ERR_FAILED")


def test_the_command_menu_goes_there(visit: Visit, house: House) -> None:
    page = visit().page
    page.goto("/workflows")
    page.get_by_role("heading", name="Workflows", exact=True).wait_for()
    for words, place in (("inbox", "**/waiting"), ("cron", "**/settings/triggers")):
        page.keyboard.press("Control+k")
        page.get_by_placeholder("Search nodes, workflows, commands…").fill(words)
        page.keyboard.press("Enter")
        page.wait_for_url(place)


def forgive(visitor: Visitor, *answers: str) -> None:
    """An answer that refuses is one that a browser notes."""
    visitor.faults[:] = [fault for fault in visitor.faults if not any(one in fault for one in answers)]
