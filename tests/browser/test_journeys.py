"""What people do in the studio, against the real server, with real runs, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Dialog, Route, expect

from acceptance.servers import until
from browser.house import ENDLESS_MOTION, House, Visitor, card, centre, drag, graph_of, light, status
from browser.workflows import ENDLESS, HOSTILE, LONG, QUICK, graph, one, wide

Visit = Callable[..., Visitor]


def test_the_first_run_is_two_clicks_away(visit: Visit) -> None:
    page = visit().page
    page.goto("/")
    expect(page.get_by_role("heading", name="Build something that runs")).to_be_visible()
    page.get_by_role("button", name="Order desk").click()
    page.get_by_role("button", name="Run", exact=True).click()
    light(page, "live")
    status(page, "Succeeded")
    expect(card(page, "each")).to_contain_text("3 of 3")
    expect(card(page, "prices")).to_contain_text("2 tries")
    expect(card(page, "confirm")).to_have_attribute("data-status", "skipped")


def test_a_workflow_is_run_from_the_list_which_tells_how_it_went(visit: Visit, house: House) -> None:
    house.store(QUICK)
    page = visit().page
    page.goto("/workflows")
    expect(page.get_by_text("No runs yet")).to_be_visible()
    expect(page.locator(".flowscope-sketch rect")).to_have_count(len(QUICK["nodes"]))
    page.get_by_role("button", name="Run Quick").click()
    page.wait_for_url("**/runs/*")
    status(page, "Succeeded")
    page.get_by_role("link", name="Workflows").click()
    page.get_by_role("link", name="Succeeded").click()
    page.wait_for_url("**/runs/*")


def test_the_list_draws_containers_whatever_their_type_is_called(visit: Visit, house: House) -> None:
    types = ("map", "loop", "split_in_batches", "try_catch", "ai_agent")
    containers = [one(type, type, type) for type in types]  # with nothing in them yet
    house.ask("/api/workflows", graph("boxes", [one("go", "manual_trigger", "Go"), *containers]))
    page = visit().page
    page.goto("/workflows")
    expect(page.locator(".flowscope-sketch rect")).to_have_count(len(types) + 1)
    expect(page.locator(".flowscope-sketch rect[data-container]")).to_have_count(len(types))


def test_runs_that_others_called_are_listed_when_asked_for(visit: Visit, house: House) -> None:
    house.store(QUICK)
    calls = [one("go", "manual_trigger", "Go"), one("call", "execute_workflow", "Call", workflowId="quick")]
    house.store(graph("caller", calls, "go > call"))
    page = visit().page
    page.goto(f"/runs/{house.start('caller')}")
    status(page, "Succeeded")
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("link", name="Caller")).to_have_count(1)
    expect(page.get_by_role("link", name="Quick")).to_have_count(0)
    page.get_by_role("button", name="Sub-workflows").click()
    expect(page.get_by_role("link", name="Quick")).to_have_count(1)
    assert page.url.endswith("/runs?called=yes")


def test_a_run_gets_the_input_it_needs(visit: Visit, house: House) -> None:
    fields = [{"name": "what", "required": True}, {"name": "price", "type": "number", "min": 1}]
    nodes = [
        one("wish", "form_trigger", "Wish", title="What?", fields=fields),
        one("end", "set", "End", fields={"said": "{{ what }} for {{ price }}"}),
    ]
    house.store(graph("wishes", nodes, "wish > end"))
    page = visit().page
    page.goto("/workflows")
    page.get_by_role("button", name="Run Wishes").click()
    text = page.get_by_role("textbox", name="Input")
    expect(text).to_be_focused()
    assert json.loads(text.input_value()) == {"what": "", "price": 1}
    text.fill('{"what": "chair",')
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("The input is not JSON")
    text.fill('{"what": "chair", "price": 20}')
    page.keyboard.press("Control+Enter")
    status(page, "Succeeded")
    execution_id = page.url.partition("run=")[2].partition("&")[0]
    assert house.ask(f"/api/executions/{execution_id}/output") == {"what": "chair", "price": 20, "said": "chair for 20"}
    page.get_by_role("button", name="Run with an input").click()
    page.get_by_role("button", name="Take the last run's").click()
    expect(text).to_have_value(re.compile("chair"))
    page.keyboard.press("Escape")
    expect(text).to_have_count(0)


def test_build_run_fail_see_why_fix_and_run_again_with_the_mouse(visit: Visit) -> None:
    page = visit().page
    page.goto("/workflows")
    page.get_by_role("button", name="New workflow").click()
    page.get_by_role("button", name="Choose a node").click()
    page.get_by_role("option", name="Manual trigger").click()
    card(page, "manual_trigger").hover()
    card(page, "manual_trigger").locator(".react-flow__handle-right").click()
    page.get_by_role("combobox", name="Search node types").fill("stop")
    page.get_by_role("option", name="Stop with an error").click()
    expect(card(page, "stop_and_error")).to_be_visible()
    page.get_by_text("Saved").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Failed")
    expect(page.get_by_role("button", name="Show it")).to_be_visible()
    page.keyboard.press("e")  # wherever the focus is
    expect(card(page, "stop_and_error")).to_have_attribute("data-selected", "true")
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text("Stop with an error")
    graph_of(page).focus()
    page.keyboard.press("d")
    expect(card(page, "stop_and_error")).to_have_attribute("data-disabled", "true")
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Succeeded")


def test_build_and_run_with_the_keyboard_alone(visit: Visit, house: House) -> None:
    page = visit().page
    page.goto("/workflows")
    expect(page.get_by_role("heading", name="Workflows")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Search nodes, workflows, commands…").wait_for()
    page.keyboard.type("new work")
    page.keyboard.press("Enter")
    canvas = graph_of(page)
    canvas.focus()
    for name in ("manual trig", "set fields", "no operation"):
        page.keyboard.press("n")
        page.get_by_role("combobox", name="Search node types").wait_for()
        page.keyboard.type(name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("combobox", name="Search node types")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(card(page, "set")).to_have_attribute("data-selected", "true")
    page.keyboard.press("Delete")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("c")
    page.get_by_role("searchbox", name="Connect to").wait_for()
    page.keyboard.type("no op")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+Enter")
    status(page, "Succeeded")
    expect(card(page, "noop")).to_have_attribute("data-status", "success")
    (row,) = house.ask("/api/workflows")["workflows"]
    document = house.ask(f"/api/workflows/{row['id']}")
    assert [node["id"] for node in document["nodes"]] == ["manual_trigger", "noop"]
    assert [(edge["source"], edge["target"]) for edge in document["edges"]] == [("manual_trigger", "noop")]


def test_the_light_tells_the_truth_when_the_server_is_killed_and_the_view_recovers(visit: Visit, house: House) -> None:
    """V-10"""
    house.store(ENDLESS)
    execution_id = house.start("endless")
    visitor = visit()
    page = visitor.page
    page.goto(f"/workflows/endless?run={execution_id}")
    expect(card(page, "works")).to_have_attribute("data-status", "running")
    light(page, "live")
    house.kill()
    light(page, "offline")
    expect(page.locator("main[data-stale=true]")).to_be_visible()
    assert page.evaluate(ENDLESS_MOTION) == 0, "nothing may look as if it ran"
    house.up()
    light(page, "live")
    expect(card(page, "works")).to_contain_text("try 2")
    page.get_by_role("button", name="Cancel the run").click()
    status(page, "Cancelled")
    told = {node["nodeId"]: node["status"] for node in house.execution(execution_id)["nodes"]}
    assert told == {"go": "success", "before": "success", "works": "skipped", "after": "skipped"}
    for node_id, state in told.items():
        expect(card(page, node_id)).to_have_attribute("data-status", state)
    visitor.faults.clear()  # the browser says of each attempt that it was refused


def test_two_viewers_see_the_same_run_whoever_started_it(visit: Visit, house: House) -> None:
    house.store(LONG)
    first, second = visit(), visit()
    first.page.goto("/workflows/long")
    first.page.get_by_role("button", name="Run", exact=True).click()
    first.page.wait_for_url("**run=*")
    execution_id = first.page.url.partition("run=")[2].partition("&")[0]
    second.page.goto(f"/runs/{execution_id}")
    other = second.open()
    other.goto(f"/workflows/long?run={execution_id}")
    for page in (first.page, second.page, other):
        status(page, "Succeeded")
        expect(card(page, "end")).to_have_attribute("data-status", "success")
    seqs = {page.locator("[data-light]").inner_text() for page in (first.page, second.page, other)}
    assert len(seqs) == 1, seqs


def test_what_nodes_say_is_shown_as_text(visit: Visit, house: House) -> None:
    """V-11"""
    house.store(HOSTILE)
    page = visit().page
    page.goto(f"/workflows/hostile?run={house.start('hostile')}&node=stop")
    status(page, "Failed")
    expect(card(page, "go")).to_contain_text('<img src="x"')
    expect(page.get_by_role("complementary", name="Inspector")).to_contain_text("<script>document.title=2</script>")
    assert page.title() not in ("1", "2")


def test_a_file_that_is_dropped_is_imported(visit: Visit, house: House, tmp_path: Path) -> None:
    file = tmp_path / "quick.json"
    file.write_text(json.dumps(QUICK), encoding="utf-8")
    page = visit().page
    page.goto("/workflows")
    page.get_by_label("Import workflow files").set_input_files(file)
    expect(card(page, "set")).to_be_visible()
    assert house.ask("/api/workflows/quick")["name"] == "Quick"


def test_a_change_is_saved_and_never_over_somebody_elses(visit: Visit, house: House) -> None:
    house.store(QUICK)
    visitors = visit(), visit()
    first, second = (visitor.page for visitor in visitors)
    for page in (first, second):
        page.goto("/workflows/quick")
        expect(card(page, "set")).to_be_visible()
    first.get_by_label("Name of the workflow").fill("Renamed")
    first.get_by_text(re.compile(r"Saved .* · v2")).wait_for()
    second.get_by_label("Name of the workflow").fill("Mine")
    second.get_by_role("alert").filter(has_text="Somebody else has saved it").wait_for()
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    second.once("dialog", stay)
    with second.expect_event("dialog"):
        second.get_by_role("link", name="Runs").click()
    expect(second.get_by_label("Name of the workflow")).to_have_value("Mine")
    assert len(asked) == 1 and "is not saved" in asked[0]
    assert house.ask("/api/workflows/quick")["name"] == "Renamed"
    second.get_by_role("button", name="Keep mine").click()
    second.get_by_text(re.compile(r"Saved .* · v3")).wait_for()
    assert house.ask("/api/workflows/quick")["name"] == "Mine"
    visitors[1].faults.clear()  # the browser says that a save was refused


def test_a_problem_is_shown_on_the_node_that_has_it(visit: Visit, house: House) -> None:
    broken = {
        **QUICK,
        "nodes": [QUICK["nodes"][0], {**QUICK["nodes"][1], "data": {"type": "set", "config": {"felds": 1}}}],
    }
    house.ask("/api/workflows", broken)
    page = visit().page
    page.goto("/workflows/quick")
    expect(card(page, "set")).to_have_attribute("data-problem", "true")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()


def test_a_server_with_keys_asks_once(visit: Visit, house: House) -> None:
    house.store(QUICK)
    house.key = house.ask("/api/keys", {"name": "ada", "scope": "editor"})["key"]
    visitor = visit()
    page = visitor.page
    page.goto("/workflows")
    page.get_by_label("Key").fill("wrong")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Key").fill(house.key)
    page.get_by_role("button", name="Open").click()
    page.get_by_role("link", name="Quick").click()
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Succeeded")
    light(page, "live")
    page.reload()
    expect(card(page, "set")).to_be_visible()
    visitor.faults.clear()  # the browser says that it was refused before it had the key


def test_five_thousand_nodes_are_all_there(visit: Visit, house: House) -> None:
    house.store(wide(5_000))
    page = visit().page
    page.goto(f"/workflows/wide?run={house.start('wide')}")
    status(page, "Succeeded")
    expect(page.get_by_role("toolbar", name="Nodes by status")).to_contain_text("5,000")
    assert page.locator(".rev-card").count() < 300
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Search nodes, workflows, commands…").fill("Step 4321")
    page.keyboard.press("Enter")
    expect(card(page, "n4321")).to_be_visible()
    expect(card(page, "n4321")).to_have_attribute("data-selected", "true")


def test_on_a_phone_nothing_is_out_of_reach(visit: Visit, house: House) -> None:
    house.store(QUICK)
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True).page
    page.goto("/workflows/quick")
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Succeeded")
    expect(page.locator("[data-light]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_one_node_is_run_alone_and_its_output_pinned(visit: Visit, house: House) -> None:
    house.store(QUICK)
    page = visit().page
    page.goto("/workflows/quick")
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Succeeded")
    dialog = page.get_by_role("dialog", name="Run only")
    field = dialog.get_by_label("Input")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/nodes/set/input", hold)
    card(page, "set").click(button="right")
    with page.expect_request("**/nodes/set/input"):
        page.get_by_role("menuitem", name="Run only this node").click()
    field.fill('{"mine": 7}')
    for route in held:  # the run's own comes when another is written already
        with page.expect_response(route.request.url):
            route.continue_()
    dialog.get_by_role("button", name="Run node").click()
    expect(dialog.get_by_role("region", name="Output")).to_contain_text('"mine": 7')
    dialog.get_by_role("button", name="Close").click()
    card(page, "set").click(button="right")
    page.get_by_role("menuitem", name="Pin its output").click()
    expect(card(page, "set").get_by_label("Output pinned")).to_be_visible()
    page.get_by_text(re.compile(r"Saved .* · v2")).wait_for()
    (node,) = [one for one in house.ask("/api/workflows/quick")["nodes"] if one["id"] == "set"]
    assert node["data"]["pinned"] == {"output": {"done": True}}


def test_what_was_changed_since_a_version_is_told_and_taken_back(visit: Visit, house: House) -> None:
    house.store(QUICK)
    page = visit().page
    page.goto("/workflows/quick")
    card(page, "set").click()
    graph_of(page).focus()
    page.keyboard.press("d")
    page.get_by_role("button", name=re.compile(r"Saved .* · v2")).click()
    dialog = page.get_by_role("dialog", name="Versions")
    expect(dialog).to_contain_text("1 change since version 1")
    expect(dialog).to_contain_text("config.disabled")
    dialog.get_by_role("button", name="Go back to it").click()
    expect(card(page, "set")).to_have_attribute("data-disabled", "false")
    page.get_by_text(re.compile(r"Saved .* · v3")).wait_for()


def test_undo_copy_and_paste(visit: Visit, house: House) -> None:
    house.store(QUICK)
    visitor = visit()
    visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visitor.page
    page.goto("/workflows/quick")
    card(page, "set").click()
    graph_of(page).focus()
    page.keyboard.press("Control+c")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert [node["id"] for node in copied["nodes"]] == ["set"]
    page.keyboard.press("Control+v")
    expect(card(page, "set2")).to_be_visible()
    page.keyboard.press("Control+z")
    expect(card(page, "set2")).to_have_count(0)
    page.keyboard.press("Control+Shift+z")
    expect(card(page, "set2")).to_be_visible()


def test_the_graph_is_exported_as_it_is(visit: Visit, house: House) -> None:
    house.store(QUICK)
    page = visit().page
    page.goto("/workflows/quick")
    expect(card(page, "set")).to_be_visible()
    for kind, sign in (("JSON", '"id": "quick"'), ("SVG", "<svg")):
        page.get_by_role("button", name="Search or run a command").click()
        page.get_by_placeholder("Search nodes, workflows, commands…").fill(f"Export as {kind}")
        with page.expect_download() as saved:
            page.keyboard.press("Enter")
        assert sign in saved.value.path().read_text(encoding="utf-8")


def test_connect_fill_a_container_and_select_many_by_dragging(visit: Visit, house: House) -> None:
    places = {"a": (0, 0), "b": (400, 0), "m": (0, 200), "c": (600, 200)}
    document = graph(
        "parts",
        [
            one("a", "manual_trigger", "A"),
            one("b", "noop", "B"),
            one("m", "map", "M", items=[1, 2]),
            one("c", "noop", "C"),
        ],
    )
    for node in document["nodes"]:
        left, top = places[node["id"]]
        node["position"] = {"x": left, "y": top}
    document["nodes"][2] |= {"width": 420, "height": 240}
    house.ask("/api/workflows", document)  # a map without a body cannot run yet
    page = visit().page
    page.goto("/workflows/parts")
    expect(card(page, "c")).to_be_visible()
    drag(
        page,
        centre(card(page, "a").locator(".react-flow__handle-right")),
        centre(card(page, "b").locator(".react-flow__handle-left")),
    )
    x, y = centre(card(page, "m"))
    drag(page, centre(card(page, "c")), (x, y + 20))
    page.locator("[data-save=saved]").wait_for()
    x, y = centre(card(page, "b").locator(".react-flow__handle-right"))
    drag(page, (x, y), (x + 60, y + 320))
    expect(page.get_by_role("region", name="Add a node")).to_contain_text("Add after “B”")
    page.keyboard.press("Escape")
    page.keyboard.down("Shift")
    from_x, from_y = centre(card(page, "a"))
    drag(page, (from_x - 180, from_y - 90), (x + 40, y + 60))
    page.keyboard.up("Shift")
    expect(page.locator("[data-selected=true]")).to_have_count(2)
    stored = house.ask("/api/workflows/parts")
    assert [(edge["source"], edge["target"]) for edge in stored["edges"]] == [("a", "b")]
    assert [node.get("parentId") for node in stored["nodes"]] == [None, None, None, "m"]


def test_a_sitting_is_one_version_and_what_was_run_stays_one(visit: Visit, house: House) -> None:
    house.store(QUICK)
    page = visit().page
    page.goto("/workflows/quick")
    for name in ("First", "Second", "Third"):
        page.get_by_label("Name of the workflow").fill(name)
        page.get_by_text("Saving…").wait_for()
        page.get_by_text(re.compile(r"Saved \d\d:\d\d:\d\d · v2")).wait_for()
    page.reload()
    expect(page.get_by_label("Name of the workflow")).to_have_value("Third")
    page.get_by_role("button", name="Run", exact=True).click()
    status(page, "Succeeded")
    page.get_by_label("Name of the workflow").fill("Fourth")
    page.get_by_text(re.compile(r"Saved .* · v3")).wait_for()
    page.keyboard.press("Control+s")
    page.get_by_label("Name of the workflow").fill("Fifth")
    page.get_by_text(re.compile(r"Saved .* · v4")).wait_for()
    versions = house.ask("/api/workflows/quick/versions")["versions"]
    assert [(row["version"], row["name"], row["draft"]) for row in versions] == [
        (4, "Fifth", True),
        (3, "Fourth", False),
        (2, "Third", False),
        (1, "Quick", False),
    ]


def test_what_was_changed_last_is_saved_although_the_page_is_left_at_once(visit: Visit, house: House) -> None:
    house.store(QUICK)
    page = visit().page
    page.goto("/workflows/quick")
    page.get_by_label("Name of the workflow").fill("In a hurry")
    page.goto("about:blank")
    until(lambda: house.ask("/api/workflows/quick")["name"] == "In a hurry", "the last change is saved")
    page.goto("/workflows/quick")
    expect(page.get_by_label("Name of the workflow")).to_have_value("In a hurry")


def test_whoever_leaves_is_asked_while_what_was_changed_would_be_lost(visit: Visit, house: House) -> None:
    house.store(graph("large", [one("go", "manual_trigger", "Go"), one("a", "set", "A", fields={"x": "ü" * 35_000})]))
    visitor = visit()
    page = visitor.page
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto("/workflows/large")
    page.get_by_label("Name of the workflow").press("End")
    house.kill()
    page.keyboard.type("!")
    page.get_by_text("Not saved: The server cannot be reached").wait_for()
    with page.expect_event("dialog"):
        page.close(run_before_unload=True)
    house.up()
    page.get_by_text(re.compile(r"Saved .* · v2")).wait_for()
    held: list[Route] = []
    page.route("**/api/workflows/large?*", lambda route: held.append(route))
    with page.expect_request("**/api/workflows/large?*"):
        page.keyboard.type("!")
    with page.expect_event("dialog"):  # more bytes than a browser sends on behalf of a page that is gone
        page.close(run_before_unload=True)
    held[0].continue_()
    page.get_by_text(re.compile(r"Saved .* · v2")).wait_for()
    assert asked == ["beforeunload"] * 2
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert house.ask("/api/workflows/large")["name"] == "Large!!"
    assert asked == ["beforeunload"] * 2
    visitor.faults.clear()  # the browser says of each attempt that it was refused


def test_nobody_who_leaves_is_asked_where_the_browser_sends_it_all_the_same(visit: Visit, house: House) -> None:
    house.store(
        graph("middling", [one("go", "manual_trigger", "Go"), one("a", "set", "A", fields={"x": "ü" * 30_000})])
    )
    page = visit().page
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.type))
    page.goto("/workflows/middling")
    page.get_by_label("Name of the workflow").press("End")
    page.keyboard.type("!")
    with page.expect_event("close"):
        page.close(run_before_unload=True)
    assert asked == []
    until(lambda: house.ask("/api/workflows/middling")["name"] == "Middling!", "the last change is saved")
