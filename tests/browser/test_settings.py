"""The settings: secrets, credentials, variables, triggers, keys; what is kept, never shown, and asked before it goes."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from browser.house import House, Visitor
from browser.house import house as serving
from browser.test_access import clean
from browser.test_waiting import forgive
from browser.workflows import graph, one
from integration.test_http_request import Server, served

Visit = Callable[..., Visitor]
VALUE = "s3cr3t-Value-77"
SECTIONS = ("secrets", "credentials", "variables", "triggers", "keys", "about")

HOOK = graph(
    "orders", [one("in", "webhook", "Order placed", path="shop/orders", auth="none"), one("end", "noop", "End")]
)
HOOK["edges"] = [{"source": "in", "target": "end"}]
NIGHT = graph("night", [one("at", "schedule", "Every night", cron="30 2 * * *"), one("end", "noop", "End")], "at > end")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    environment = {
        "FLOWSCOPE_SECRET_KEY_FILE": str(tmp_path / "sealing.key"),
        "FLOWSCOPE_SECRET_GIVEN": "from outside",
        "FLOWSCOPE_ALLOW_PRIVATE_ADDRESSES": "1",
    }
    with serving(tmp_path / "data", **environment) as made:
        yield made


@pytest.fixture
def shop() -> Iterator[Server]:
    """Lets in who has the token."""

    class Shop(Server):
        def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
            good = self.asked[-1][2].get("Authorization") == f"Bearer {VALUE}"
            return 200 if good else 401, {"Content-Type": "text/plain"}, b""

    yield from served(Shop())


def row(page: Page, text: str) -> Any:
    return page.get_by_role("main").get_by_role("listitem").filter(has_text=text)


def dialog(page: Page, title: str) -> Any:
    return page.get_by_role("dialog", name=title)


def test_a_secret_is_kept_replaced_and_deleted(visit: Visit, house: House) -> None:
    page = visit().page
    heard: list[str] = []
    page.on("response", lambda response: heard.append(response.text()) if "/api/secrets" in response.url else None)
    page.goto("/settings")
    page.wait_for_url("**/settings/secrets")
    expect(row(page, "given")).to_contain_text("Given by the server's environment")
    expect(row(page, "given").get_by_role("button")).to_have_count(0)
    page.get_by_role("button", name="Add a secret").click()
    form = dialog(page, "Add a secret")
    form.get_by_label("Name").fill("2nd")
    form.get_by_label("Value").fill("abc")
    page.keyboard.press("Enter")
    expect(form.get_by_label("Name")).to_have_accessible_description(re.compile("no digit first"))
    expect(form.get_by_label("Name")).to_be_focused()
    expect(form.get_by_label("Value")).to_have_accessible_description("A secret has at least 4 characters")
    form.get_by_label("Name").fill("shop_token")
    form.get_by_label("Value").fill(VALUE)
    page.keyboard.press("Enter")
    expect(row(page, "shop_token")).to_contain_text("Set just now")
    page.get_by_role("button", name="Replace shop_token").click()
    form = dialog(page, "Replace shop_token")
    form.get_by_label("New value").fill("another-value")
    form.get_by_role("button", name="Replace").click()
    expect(form).to_have_count(0)
    expect(row(page, "shop_token")).to_contain_text("no workflow names it")
    house.store(graph("uses", [one("a", "set", "A", fields={"b": "{{ secrets.shop_token }}"})]))
    page.reload()
    expect(row(page, "shop_token").get_by_role("link", name="Uses")).to_be_visible()
    page.get_by_role("button", name="Delete shop_token").click()
    expect(dialog(page, "Delete shop_token?")).to_contain_text("It is used by Uses")
    dialog(page, "Delete shop_token?").get_by_role("button", name="Keep it").click()
    expect(row(page, "shop_token")).to_be_visible()
    assert len(house.ask("/api/secrets")["secrets"]) == 2
    page.get_by_role("button", name="Delete shop_token").click()
    dialog(page, "Delete shop_token?").get_by_role("button", name="Delete", exact=True).click()
    expect(row(page, "shop_token")).to_have_count(0)
    assert [one["name"] for one in house.ask("/api/secrets")["secrets"]] == ["given"]
    assert heard and not [text for text in heard if VALUE in text]
    assert VALUE not in page.content()


def test_a_credential_is_made_tried_and_changed(visit: Visit, house: House, shop: Server) -> None:
    visitor = visit()
    page = visitor.page
    page.goto("/settings/credentials")
    expect(page.get_by_role("heading", name="There are no credentials yet")).to_be_visible()
    page.get_by_role("button", name="Add a credential").click()
    form = dialog(page, "Add a credential")
    form.get_by_label("Type").select_option(label="HTTP: bearer token")
    form.get_by_role("button", name="Keep it").click()
    expect(form.get_by_label("Name")).to_have_accessible_description("It needs a name")
    expect(form.get_by_label("Token")).to_have_accessible_description("This is needed")
    form.get_by_label("Name").fill("shop")
    form.get_by_label("Token").fill("with a\tbreak")
    form.get_by_role("button", name="Keep it").click()
    expect(form.get_by_label("Token")).to_have_accessible_description(re.compile("String should match pattern"))
    form.get_by_label("Token").fill(VALUE)
    form.get_by_label("Test url").fill(shop.url("/me"))
    form.get_by_role("button", name="Keep it").click()
    expect(row(page, "shop")).to_contain_text("token: set")
    page.get_by_role("button", name="Test shop").click()
    expect(row(page, "shop").get_by_role("status")).to_contain_text("It lets in")
    page.get_by_role("button", name="Change shop").click()
    form = dialog(page, "Change shop")
    expect(form.get_by_label("Token")).to_have_value("")
    form.get_by_label("Test url").fill(shop.url("/elsewhere"))
    form.get_by_role("button", name="Keep it").click()
    expect(row(page, "shop")).to_contain_text("/elsewhere")
    page.get_by_role("button", name="Test shop").click()
    expect(row(page, "shop").get_by_role("status")).to_contain_text("/elsewhere answered 200")
    house.ask("/api/credentials/shop", {"type": "http_bearer", "fields": {"token": "wrong"}}, "PUT")
    house.ask("/api/credentials/shop", {"type": "http_bearer", "fields": {"testUrl": shop.url("/me")}}, "PUT")
    page.get_by_role("button", name="Test shop").click()
    expect(row(page, "shop").get_by_role("status")).to_contain_text("It does not let in")
    page.get_by_role("button", name="Delete shop").click()
    dialog(page, "Delete shop?").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="There are no credentials yet")).to_be_visible()
    assert VALUE not in page.content()
    forgive(visitor, "422")


def test_a_node_takes_a_credential_that_fits(visit: Visit, house: House) -> None:
    house.ask("/api/credentials/post", {"type": "smtp", "fields": {"host": "mail.example.org"}}, "PUT")
    house.ask("/api/credentials/shop", {"type": "http_bearer", "fields": {"token": VALUE}}, "PUT")
    house.ask("/api/variables/region", {"value": "north"}, "PUT")
    call = one("call", "http_request", "Call", url="http://example.org", credential="lost")
    house.store(graph("calls", [one("go", "manual_trigger", "Go"), call], "go > call"))
    visitor = visit()
    page = visitor.page
    page.goto("/workflows/calls?node=call")
    inspector = page.get_by_role("complementary", name="Inspector")
    field = inspector.get_by_label("Credential")
    expect(field).to_have_accessible_description(re.compile("No credential named lost is kept here"))
    expect(field.get_by_role("option")).to_have_text(["None", "lost", "shop (http_bearer)"])
    with visitor.context.expect_page() as opening:
        inspector.get_by_role("link", name="Create one").click()
    form = dialog(opening.value, "Add a credential")
    expect(form.get_by_label("Type")).to_have_value("http_basic")
    form.get_by_role("textbox", name="Name", exact=True).fill("lost")
    form.get_by_label("Username").fill("ada")
    form.get_by_label("Password").fill(VALUE)
    form.get_by_role("button", name="Keep it").click()
    expect(row(opening.value, "lost")).to_be_visible()
    assert opening.value.url.endswith("/settings/credentials")
    opening.value.close()
    page.reload()
    expect(field.get_by_role("option")).to_have_text(["None", "lost (http_basic)", "shop (http_bearer)"])
    expect(field).not_to_have_accessible_description(re.compile("is kept here"))
    field.select_option("shop")
    page.get_by_text(re.compile(r"Saved .* · v2")).wait_for()
    saved = house.ask("/api/workflows/calls")["nodes"][1]["data"]["config"]
    assert saved["credential"] == "shop"
    inspector.get_by_role("textbox", name="Url").or_(inspector.get_by_role("combobox", name="Url")).fill("{{ vars.")
    page.keyboard.press("Control+Space")
    page.get_by_role("option", name="region").click()
    expect(inspector.get_by_role("combobox", name="Url")).to_have_value("{{ vars.region")


def test_a_variable_is_any_json(visit: Visit, house: House) -> None:
    page = visit().page
    page.goto("/settings/variables")
    page.get_by_role("button", name="Add a variable").click()
    form = dialog(page, "Add a variable")
    form.get_by_label("Name").fill("limits")
    form.get_by_label("Value").fill('{"orders": 100,')
    form.get_by_role("button", name="Keep it").click()
    expect(form.get_by_label("Value")).to_have_accessible_description("This is no JSON")
    form.get_by_label("Value").fill('{"orders": 100}')
    expect(form.get_by_label("Value")).to_have_accessible_description(re.compile("kept as an object"))
    form.get_by_role("button", name="Keep it").click()
    expect(row(page, "limits")).to_contain_text('{"orders":100}')
    for written, kept in (("eu", "eu"), ('"12"', "12"), ("12", 12), ("null", None), ('"say "', "say ")):
        page.get_by_role("button", name="Change limits").click()
        form = dialog(page, "Change limits")
        form.get_by_label("Value").fill(written)
        form.get_by_role("button", name="Keep it").click()
        expect(form).to_have_count(0)
        assert house.ask("/api/variables") == {"variables": {"limits": kept}}
        page.get_by_role("button", name="Change limits").click()
        form.get_by_role("button", name="Keep it").click()  # as it stands there, it is the same again
        expect(form).to_have_count(0)
        assert house.ask("/api/variables") == {"variables": {"limits": kept}}
    page.get_by_role("button", name="Delete limits").click()
    dialog(page, "Delete limits?").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", name="There are no variables yet")).to_be_visible()


def test_triggers_are_switched_and_say_how_it_went(visit: Visit, house: House) -> None:
    house.store(HOOK)
    house.store(NIGHT)
    visitor = visit()
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.page
    page.goto("/settings/triggers")
    address = f"{house.url}/hooks/shop/orders"
    expect(row(page, "Every night").first).to_contain_text("30 2 * * * UTC")
    page.get_by_role("button", name="Copy the address of Order placed").click()
    expect(page.get_by_text("Copied")).to_have_count(1)
    assert page.evaluate("navigator.clipboard.readText()") == address
    switch = page.get_by_role("switch", name="Orders is active")
    expect(switch).not_to_be_checked()
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_be_checked()
    expect(row(page, "Order placed").first).to_contain_text("Has not fired yet")
    request = urllib.request.Request(address, b"{}", {"content-type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=60) as response:
        assert json.load(response)["success"]
    expect(row(page, "Order placed").first).to_contain_text("Succeeded")
    page.get_by_role("switch", name="Night is active").click()
    expect(row(page, "Every night").first).to_contain_text("Next")
    switch.click()
    expect(switch).not_to_be_checked()
    assert [one["workflowId"] for one in house.ask("/api/triggers")["triggers"]] == ["night"]
    switch.click()
    expect(switch).to_be_checked()
    with urllib.request.urlopen(request, timeout=60) as response:
        started = json.load(response)["executionId"]
    row(page, "Order placed").first.get_by_role("link", name="Succeeded").click()
    page.wait_for_url(f"**/runs/{started}")


def test_what_is_taken_already_is_said_at_the_switch(visit: Visit, house: House) -> None:
    house.store(HOOK)
    house.store({**HOOK, "id": "other", "name": "Other"})
    house.ask("/api/workflows/orders/activate", method="POST")
    visitor = visit()
    page = visitor.page
    page.goto("/settings/triggers")
    page.get_by_role("switch", name="Other is active").click()
    expect(page.get_by_role("alert")).to_contain_text("is an address of the workflow 'orders'")
    expect(page.get_by_role("switch", name="Other is active")).not_to_be_checked()
    forgive(visitor, "422")


def test_the_first_key_keeps_whoever_made_it_in(visit: Visit, house: House) -> None:
    page = visit().page
    page.goto("/settings/keys")
    page.get_by_role("button", name="Make a key").click()
    form = dialog(page, "Make a key")
    expect(form.get_by_role("radio", name="viewer")).to_be_disabled()
    form.get_by_label("Name").fill("boss")
    form.get_by_role("button", name="Make it").click()
    shown = dialog(page, "The key boss")
    house.key = shown.locator("code").inner_text()
    assert [one["name"] for one in house.ask("/api/keys")["keys"]] == ["boss"]
    shown.get_by_role("button", name="Close").click()
    expect(row(page, "boss")).to_contain_text("(yours)")
    page.reload()
    expect(row(page, "boss")).to_contain_text("admin")
    assert house.key not in page.content()
    page.get_by_role("button", name="Make a key").click()
    form.get_by_label("Name").fill("guest")
    form.get_by_role("radio", name="editor").check()
    form.get_by_role("button", name="Make it").click()
    guest = dialog(page, "The key guest").locator("code").inner_text()
    page.keyboard.press("Escape")
    visitor = visit()
    other = visitor.page
    other.goto("/settings/secrets")
    other.get_by_label("Key").fill(guest)
    other.get_by_role("button", name="Open").click()
    expect(other.get_by_role("heading", name="Your key does not let you see secrets")).to_be_visible()
    for section, what in (("secrets", "secrets"), ("credentials", "credentials"), ("keys", "API keys")):
        other.goto(f"/settings/{section}")
        expect(other.get_by_role("heading", name=f"Your key does not let you see {what}")).to_be_visible()
        expect(other.get_by_role("main")).to_contain_text("takes a key of scope admin; this one is of scope editor")
        expect(other.get_by_text("There are no")).to_have_count(0)
    clean(other)
    other.goto("/settings/variables")
    expect(other.get_by_role("button", name="Add a variable")).to_be_visible()
    page.get_by_role("button", name="Revoke guest").click()
    dialog(page, "Revoke guest?").get_by_role("button", name="Revoke").click()
    expect(row(page, "guest")).to_have_count(0)
    other.reload()
    expect(other.get_by_role("heading", name="This server asks for a key")).to_be_visible()
    forgive(visitor, "401", "403")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_it(visit: Visit, house: House, theme: str) -> None:
    visitor = visit(color_scheme=theme, reduced_motion="reduce")
    page = visitor.page
    for section in SECTIONS:
        page.goto(f"/settings/{section}")
        page.get_by_role("main").get_by_role("heading", level=2).wait_for()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        clean(page)
    house.ask("/api/secrets/token", {"value": VALUE}, "PUT")
    fields = {"host": "mail.example.com", "username": "ann", "password": VALUE}
    house.ask("/api/credentials/mail", {"type": "smtp", "fields": fields}, "PUT")
    house.ask("/api/variables/limits", {"value": {"orders": 100, "tiers": ["a"] * 40}}, "PUT")
    house.store(NIGHT)
    house.store(HOOK)
    house.ask("/api/workflows/orders/activate", method="POST")
    page.set_viewport_size({"width": 390, "height": 800})
    for section in SECTIONS:
        page.goto(f"/settings/{section}")
        page.get_by_role("main").get_by_role("heading", level=2).wait_for()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        clean(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), section
        expect(page.get_by_role("navigation", name="Sections").locator(".active")).to_be_in_viewport(ratio=1)
        button = page.get_by_role("button", name=re.compile("^(Add|Make) a"))
        if button.count():
            button.click()
            page.get_by_role("dialog").get_by_role("button", name=re.compile("it$")).last.click()
            clean(page)
    page.goto("/settings/secrets")
    page.get_by_role("button", name="Delete token").click()
    clean(page)
    page.keyboard.press("Escape")
    page.route("**/api/variables", lambda route: route.abort())
    page.get_by_role("link", name="Variables").click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
    clean(page)
    page.unroute("**/api/variables")
    page.get_by_role("button", name="Try again").click()
    expect(row(page, "limits")).to_be_visible()
    forgive(visitor, "ERR_FAILED")
