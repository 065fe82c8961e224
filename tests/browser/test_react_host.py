"""`@flowscope/react` in somebody else's page, on another origin, in front of a server with keys."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, expect

from browser.house import FLOWSCOPE, House, Visitor

HOST = Path(__file__).parents[2] / "examples" / "react-host"


@contextmanager
def host(house: House) -> Iterator[str]:
    """The application of the example, as a process; its address."""
    assert (HOST / "dist" / "index.html").is_file(), "The example is not built: run `make test`"
    environment = {**os.environ, "FLOWSCOPE_URL": house.url, "FLOWSCOPE_API_KEY": house.key, "PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, str(HOST / "host.py")], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"running on (http://[\d.:]+)", line):
                yield found.group(1)
                return
        raise AssertionError(f"the host did not start: {said}")
    finally:
        process.kill()
        process.communicate()


def test_a_host_on_another_port_watches_a_run_with_tickets(browser: Browser, tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = subprocess.run(
        [FLOWSCOPE, "keys", "create", "host", "--scope", "editor", "--data", str(data)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    house = House(data)
    house.key = made.stdout.strip()
    house.up()
    try:
        with host(house) as address:
            house.kill()  # now that the host's origin is known
            house.allow(address)
            house.up()
            visitor = Visitor(browser, address)
            page = visitor.page
            page.goto(f"/?flowscope={house.url}")
            page.get_by_role("button", name="Send an order").click()
            expect(page.get_by_text("Real-time updates active")).to_be_visible()
            expect(page.locator(".execution-badge.success")).to_be_visible()
            expect(page.get_by_text("100% complete (4/4 nodes)")).to_be_visible()
            expect(page.get_by_text("The order is on its way.")).to_be_visible()
            expect(page.locator("main > p").first).to_contain_text("React 18.")
            expect(page.locator(".execution-timeline-item.success")).to_have_count(4)
            expect(page.locator("main > div > .workflow-node.node-status-success")).to_have_count(4)
            expect(page.locator(".rev-visualizer-graph .rev-canvas")).to_be_visible()
            updates = page.locator("#updates li").all_text_contents()
            assert updates.index("pack running") < updates.index("pack success")
            assert updates[-1] == "send success"
            page.screenshot(path=str(tmp_path / "host.png"), full_page=True)
            visitor.context.close()
            assert not visitor.faults, visitor.faults
    finally:
        house.kill()
