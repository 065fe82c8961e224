"""`make web` beside a running server: who reloads has the new studio, and a page of the old one says that it is old."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.async_api import async_playwright, expect

from browser.house import BUILT, PATIENCE, chromium
from browser.workflows import QUICK
from compatibility.live_server import serving


def build_again(studio: Path) -> None:
    """The same studio as another build: every file has another name."""
    renamed = {}
    for path in (studio / "assets").iterdir():
        stem, _, rest = path.name.rpartition("-")
        mark, _, kind = rest.partition(".")
        renamed[path.name] = f"{stem}-{mark[::-1]}x.{kind}"
    for path in (*(studio / "assets").iterdir(), studio / "index.html"):
        text = path.read_text(encoding="utf-8")
        for old, new in renamed.items():
            text = text.replace(old, new)
        path.unlink()
        path.with_name(renamed.get(path.name, path.name)).write_text(text, encoding="utf-8")


async def test_a_build_beside_a_running_server(tmp_path: Path) -> None:
    studio = tmp_path / "studio"
    shutil.copytree(BUILT.parent, studio)
    async with serving() as client, async_playwright() as playwright:
        client.services.studio.__init__(studio)  # type: ignore[misc]
        await client.post("/api/workflows", json=QUICK)
        browser = await playwright.chromium.launch(**chromium())
        context = await browser.new_context(base_url=f"http://{client.address}")
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        await page.goto("/workflows/quick")
        await page.locator('[data-node="set"]').wait_for()
        build_again(studio)
        await page.keyboard.press("Control+k")
        told = page.get_by_role("alert")
        await expect(told).to_contain_text("A new version of the studio is here")
        await told.get_by_role("button", name="Reload").click()
        await page.locator('[data-node="set"]').click()
        await page.get_by_role("complementary", name="Inspector").wait_for()
        script = await page.locator("script[type=module]").get_attribute("src")
        assert script is not None and script.endswith("x.js")
        await browser.close()
