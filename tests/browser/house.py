"""A real server in a process of its own, which can be killed and started again, and a real browser in front of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

from acceptance.tether import tethered

FLOWSCOPE: Final = str(Path(sys.executable).with_name("flowscope"))
BUILT: Final = Path(__file__).parents[2] / "src" / "flowscope" / "studio" / "index.html"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
PATIENCE: Final = 60_000
"""Milliseconds after which a fact will not come any more."""

ENDLESS_MOTION: Final = (
    "() => document.getAnimations().filter("
    "one => one.playState === 'running' && one.effect.getTiming().iterations === Infinity).length"
)
"""How much moves without end: what says that something runs now."""

FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class House:
    """`up` and `kill` may be called again and again; the port and the data stay."""

    def __init__(self, data: Path, **environment: str) -> None:
        self._data = data
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("FLOWSCOPE_")}
        self._environment |= environment
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.key = ""

    def up(self) -> None:
        port = self.url.rpartition(":")[2] if self.url else "0"
        command = [FLOWSCOPE, "serve", "--port", port, "--no-open", "--data", str(self._data)]
        self._process = subprocess.Popen(
            tethered(command), env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://[\d.:]+", line)
        assert found, f"the server did not start: {line!r}"
        self.url = found.group(0)

    def allow(self, origin: str) -> None:
        """From the next start on, a page of that origin may ask."""
        self._environment["FLOWSCOPE_ALLOWED_ORIGINS"] = origin

    def kill(self) -> None:
        """As a power cut does."""
        self._end(signal.SIGKILL)

    def down(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(30)
            assert process.stdout is not None
            process.stdout.close()

    # --- its API ---

    def ask(self, path: str, body: object = None, method: str = "") -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method or None)
        request.add_header("content-type", "application/json")
        if self.key:
            request.add_header("authorization", f"Bearer {self.key}")
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)

    def store(self, document: dict[str, Any]) -> str:
        stored = self.ask("/api/workflows", document)
        assert stored["valid"], stored["problems"]
        return str(stored["id"])

    def start(self, workflow_id: str) -> str:
        return str(self.ask("/api/executions", {"workflowId": workflow_id})["executionId"])

    def follow(self, execution_id: str) -> None:
        """Read its live stream to the end, which is the run's."""
        with urllib.request.urlopen(
            f"{self.url}/api/executions/{execution_id}/stream?untilEnd=true", timeout=60
        ) as stream:
            stream.read()

    def execution(self, execution_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask(f"/api/executions/{execution_id}")
        return found


@contextmanager
def house(data: Path, **environment: str) -> Iterator[House]:
    made = House(data, **environment)
    made.up()
    try:
        yield made
    finally:
        made.kill()


def chromium() -> dict[str, Any]:
    """What to launch: Debian's browser; what Playwright brings is not asked for."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    assert found, "These tests drive Chromium: install it (`apt-get install chromium`; `make test` does that as root)"
    assert BUILT.is_file(), "The studio is not built: run `make web`"
    return {"executable_path": found, "args": list(FLAGS)}


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(**chromium())


class Visitor:
    """Somebody at a screen. `faults` are what the browser complained of: a page has none."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        size = options.pop("viewport", {"width": 1440, "height": 900})
        self.context: BrowserContext = browser.new_context(base_url=url, viewport=size, **options)
        self.context.set_default_timeout(PATIENCE)
        self.faults: list[str] = []
        self.page: Page = self.open()

    def open(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"{error}"))
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        return page


def card(page: Page, node_id: str) -> Any:
    return page.locator(f'[data-node="{node_id}"]')


def graph_of(page: Page) -> Any:
    return page.get_by_role("region", name="Workflow graph")


def light(page: Page, state: str) -> None:
    """Wait until the connection light says that."""
    page.wait_for_selector(f'[data-light="{state}"]')


def status(page: Page, word: str) -> None:
    """Wait until the run that is shown has that status."""
    page.locator("header .rev-badge", has_text=word).wait_for()


def centre(thing: Any) -> tuple[float, float]:
    box = thing.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """As a hand does: in steps, and with the button down."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=8)
    page.mouse.up()
