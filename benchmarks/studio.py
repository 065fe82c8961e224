"""The studio in headless Chromium without a GPU, beside plain React Flow in the same run."""

from __future__ import annotations

import asyncio
import functools
import http.server
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import web_build
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.row import Measured, Row

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser.house import House, house, launch

NODES: Final = 5_000
ACROSS: Final = 150
SLEEP: Final = 0.3
"""150 nodes at once, each twice in 0.3 s: a thousand events a second."""

_FRAMES: Final = """(milliseconds) => new Promise((done) => {
  const began = performance.now();
  let frames = 0;
  const frame = (at) => {
    frames += 1;
    if (at - began < milliseconds) requestAnimationFrame(frame);
    else done(frames * 1000 / (at - began));
  };
  requestAnimationFrame(frame);
})"""

_PAINTED: Final = """() => {
  window.painted = {};
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      if (target.dataset.status !== "running" || window.painted[target.dataset.node]) continue;
      window.painted[target.dataset.node] = -1;
      requestAnimationFrame(() => { window.painted[target.dataset.node] = Date.now(); });
    }
  }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["data-status"] });
}"""


async def bench_studio(_: Path) -> Measured:
    """In a thread: Playwright's synchronous interface wants no loop around it."""
    return await asyncio.to_thread(_measure)


def _measure() -> Measured:
    web_build.build()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as directory:
        browser = launch(playwright)
        with house(Path(directory), WORKER_CONCURRENCY="512") as made:
            large = _large(browser, made)
            delay = _delay(browser, made)
            dragging = _drag(browser, made)
        plain = _plain(browser, Path(directory) / "plain")
        browser.close()
    return [
        Row(
            f"studio: {NODES:,} nodes until they can be touched",
            f"{large['ready']:.2f} s",
            "",
            "< 1 s",
            large["ready"] < 1,
        ),
        Row(
            f"studio: {NODES:,} nodes, the whole in view",
            f"{large['events']:,.0f} events/s: {large['whole']:.0f} fps, panning {large['panning']:.0f}",
            f"plain React Flow, 1,000 changes/s: {plain:.0f} fps",
            "60 fps, panning >= 45",
            large["whole"] >= 58 and large["panning"] >= 45,
        ),
        Row(
            "studio: the same at zoom 1",
            f"{large['near']:.0f} fps, panning {large['near_panning']:.0f}; {large['heap']:.0f} MB of heap",
            "",
            "60 fps, panning >= 45, < 30 MB",
            large["near"] >= 58 and large["near_panning"] >= 45 and large["heap"] < 30,
        ),
        Row(
            "studio: dragging a node of 1,000 that are being edited",
            f"{dragging:.0f} fps",
            "",
            ">= 45 fps",
            dragging >= 45,
        ),
        Row(
            "studio: from an event's time in the journal to its frame",
            f"p50 {statistics.median(delay):.0f} ms, most {max(delay):.0f} ms",
            f"{len(delay)} nodes, one after the other",
            "p50 < 50 ms",
            statistics.median(delay) < 50,
        ),
    ]


def _large(browser: Browser, made: House) -> dict[str, float]:
    made.store(_layers(NODES, ACROSS, SLEEP))
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    began = time.perf_counter()
    page.goto(f"{made.url}/workflows/layers")
    page.locator(".rev-minimap").wait_for()
    figures = {"ready": time.perf_counter() - began}
    execution_id = made.start("layers")
    page.goto(f"{made.url}/workflows/layers?run={execution_id}")
    page.wait_for_selector("[data-light=live]")
    first, at = made.execution(execution_id)["seq"], time.perf_counter()
    figures["whole"] = page.evaluate(_FRAMES, 2_000)
    figures["panning"] = _pan(page)
    figures["events"] = (made.execution(execution_id)["seq"] - first) / (time.perf_counter() - at)
    execution_id = made.start("layers")
    page.goto(f"{made.url}/workflows/layers?run={execution_id}&node=n400")
    page.wait_for_selector("[data-light=live]")
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Search nodes, workflows, commands…").fill("Step 400")
    page.keyboard.press("Enter")
    page.locator('[data-node="n400"]').wait_for()
    figures["near"] = page.evaluate(_FRAMES, 2_000)
    figures["near_panning"] = _pan(page)
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    figures["heap"] = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    page.close()
    made.ask(f"/api/executions/{execution_id}/cancel", {})
    return figures


def _pan(page: Page) -> float:
    page.evaluate(f"() => {{ window.frames_of_pan = ({_FRAMES})(1500); }}")
    page.mouse.move(420, 560)
    page.mouse.down()
    for step in range(60):
        page.mouse.move(420 + 6 * (step % 40), 560 - 4 * (step % 30))
    page.mouse.up()
    return float(page.evaluate("() => window.frames_of_pan"))


def _drag(browser: Browser, made: House) -> float:
    made.store(_layers(1_000, 30, 0.3, "thousand"))
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{made.url}/workflows/thousand")
    page.locator(".rev-minimap").wait_for()
    page.keyboard.press("Control+k")
    page.get_by_placeholder("Search nodes, workflows, commands…").fill("Step 400")
    page.keyboard.press("Enter")
    card = page.locator('[data-node="n400"]')
    card.wait_for()
    box = card.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 12, y + 12)
    page.evaluate(f"() => {{ window.frames_of_drag = ({_FRAMES})(1500); }}")
    for step in range(60):
        page.mouse.move(x + 5 * (step % 40), y + 4 * (step % 25))
    frames = float(page.evaluate("() => window.frames_of_drag"))
    page.mouse.up()
    moved = card.bounding_box()
    assert moved is not None and abs(moved["x"] - box["x"]) > 20, "it was not dragged"
    page.close()
    return frames


def _delay(browser: Browser, made: House) -> list[float]:
    """Milliseconds from `NodeStarted` to the frame that shows it, for nodes one after the other."""
    made.store(_layers(16, 1, 0.3, "chain"))
    page = browser.new_page(viewport={"width": 2400, "height": 900})
    page.goto(f"{made.url}/workflows/chain")
    page.locator(".rev-card").first.wait_for()
    page.evaluate(_PAINTED)
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("header .rev-badge", has_text="Succeeded").wait_for()
    painted = page.evaluate("() => window.painted")
    execution_id = page.url.partition("run=")[2].partition("&")[0]
    events = made.ask(f"/api/executions/{execution_id}/events")["events"]
    page.close()
    started = {one["nodeId"]: one["at"] for one in events if one["type"] == "NodeStarted"}
    return [painted[node] - started[node] for node in started if painted.get(node, 0) > 0]


def _plain(browser: Browser, directory: Path) -> float:
    web_build.npm("exec", "--", "vite", "build", "bench", "--outDir", str(directory), "--logLevel", "error")
    with _served(directory) as url:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"{url}/?nodes={NODES}")
        page.locator(".react-flow__node").first.wait_for(timeout=120_000)
        frames = float(page.evaluate(_FRAMES, 5_000))
        page.close()
    return frames


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    handler = functools.partial(_Silent, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def _layers(count: int, across: int, sleep: float, workflow_id: str = "layers") -> dict[str, Any]:
    nodes: list[dict[str, Any]] = [{"id": "go", "data": {"label": "Go", "type": "manual_trigger", "config": {}}}]
    edges = []
    for n in range(1, count):
        nodes.append({"id": f"n{n}", "data": {"label": f"Step {n}", "type": "simulate", "config": {"sleep": sleep}}})
        before = "go" if n <= across else f"n{n - across}"
        edges.append({"id": f"e{n}", "source": before, "target": f"n{n}"})
    return {"id": workflow_id, "name": workflow_id.capitalize(), "nodes": nodes, "edges": edges}
