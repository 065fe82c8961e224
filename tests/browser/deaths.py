"""Runs of fifty nodes, watched in the studio while their server is killed again and again; each is resumed by itself, or retried
by somebody in the studio, approved there, and ends as if nothing had happened.

    PYTHONPATH=tests python -m browser.deaths [--deaths 50]
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from browser.house import PATIENCE, House, Visitor, launch, light, status
from browser.workflows import graph, one

ITEMS = 5
WRITTEN = "written.txt"
STEPS = [f"step{at}" for at in range(40)]
FRAGILE = frozenset(STEPS[at] for at in range(0, 40, 2))
"""Their runs fail when the process dies under them, and somebody has to retry them."""


def _fifty() -> dict[str, Any]:
    steps = [
        one(name, "simulate", name, sleep=0.15, **({"onLost": "fail"} if name in FRAGILE else {})) for name in STEPS
    ]
    items = [{"n": n} for n in range(ITEMS)]
    body = one("note", "write_file", "Note", "each", path=WRITTEN, mode="append", content="{{ $json.n }}\n")
    nodes = [
        one("go", "manual_trigger", "Go"),
        *steps,
        one("each", "map", "Each", items=items, concurrency=2),
        one("work", "simulate", "Work", "each", sleep=0.05),
        body,
        one("rest", "wait", "Rest", duration=300),
        one("may", "approval", "May we?", title="Send it?"),
        one("yes", "set", "Yes", fields={"sent": "{{ len(each) }}"}),
        one("no", "noop", "No"),
        one("end", "merge", "End"),
        one("last", "set", "Last", fields={"by": "fifty"}),
    ]
    chain = ["go", *STEPS, "each", "rest", "may"]
    edges = [f"{left} > {right}" for left, right in pairwise(chain)]
    edges += ["work > note", "may.approved > yes", "may.rejected > no", "yes > end", "no > end", "end > last"]
    return graph("fifty", nodes, *edges)


@dataclass(slots=True)
class Report:
    """What was done. After a death a run was `resumed` by itself, or failed and was `retried` in the studio as a new one."""

    runs: int = 0
    deaths: int = 0
    resumed: int = 0
    retried: int = 0
    at_rest: int = 0
    events: int = 0
    seconds: float = 0


def survive(browser: Browser, data: Path, deaths: int, seed: int) -> Report:
    """Kill it that often while runs run, and see each to its right end; an `AssertionError` if it does not come."""
    dice = random.Random(seed)
    report = Report()
    began = time.monotonic()
    files = data / "files"
    files.mkdir(parents=True)
    house = House(data / "store", FLOWSCOPE_FILE_ROOTS=str(files))
    house.up()
    try:
        house.store(_fifty())
        visitor = Visitor(browser, house.url)
        while report.deaths < deaths:
            (files / WRITTEN).unlink(missing_ok=True)
            _see_through(house, visitor.page, report, deaths, dice)
            report.runs += 1
            assert {*(files / WRITTEN).read_text().split()} == {str(n) for n in range(ITEMS)}
        visitor.context.close()
    finally:
        house.kill()
    report.resumed = report.deaths - report.retried
    report.seconds = round(time.monotonic() - began)
    return report


def _see_through(house: House, page: Page, report: Report, deaths: int, dice: random.Random) -> None:
    """One run, from its start to its end: killed while there are deaths left, once also while it waits for its approval."""
    execution_id = house.start("fifty")
    page.goto(f"/runs/{execution_id}")
    light(page, "live")
    killed_at_rest = False
    while True:
        at_rest = _go_on(house, execution_id, dice.randrange(1, 4))
        if house.execution(execution_id)["status"] == "failed":
            execution_id = _retried(page, execution_id)
            report.retried += 1
            continue
        if report.deaths < deaths and not (at_rest and killed_at_rest):
            house.kill()
            report.deaths += 1
            report.at_rest += at_rest
            killed_at_rest = at_rest
            light(page, "offline")
            house.up()
            light(page, "live")
        elif at_rest:
            break
    page.goto(f"/runs/{execution_id}?node=may")
    page.get_by_role("complementary", name="Inspector").get_by_role("button", name="Approve").click()
    status(page, "Succeeded")
    report.events += house.execution(execution_id)["seq"]
    output = house.ask(f"/api/execution-status/{execution_id}")["output"]
    assert output["sent"] == ITEMS and output["by"] == "fifty", output


def _go_on(house: House, execution_id: str, events: int) -> bool:
    """Let it record so many more, or end, or ask for its approval, which gives True."""
    wanted = house.execution(execution_id)["seq"] + events
    with urllib.request.urlopen(f"{house.url}/api/executions/{execution_id}/stream?untilEnd=true", timeout=60) as news:
        for line in news:
            if line.startswith(b"data:"):
                execution = house.execution(execution_id)
                if any(node["nodeId"] == "may" and node["status"] == "pending" for node in execution["nodes"]):
                    return True
                if execution["seq"] >= wanted:
                    return False
    return False


def _retried(page: Page, execution_id: str) -> str:
    """A death has failed it: have it retried in the studio; the id of the run that goes on."""
    status(page, "Failed")
    page.get_by_role("button", name="More about this run").click()
    page.get_by_role("menuitem", name="Retry from where it failed").click()
    dialog = page.get_by_role("dialog", name="Retry from where it failed")
    start = dialog.get_by_role("button", name="Start")
    expect(dialog).to_contain_text("A new run:")
    if dialog.get_by_role("checkbox").count():
        dialog.get_by_role("checkbox").check()
    start.click()
    page.wait_for_url(lambda url: execution_id not in url)
    return page.url.rpartition("/")[2].partition("?")[0]


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the server under a run that is watched in the studio")
    parser.add_argument("--deaths", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    arguments = parser.parse_args()
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as directory:
        browser = launch(playwright)
        print(survive(browser, Path(directory) / "data", arguments.deaths, arguments.seed), f"seed {arguments.seed}")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
