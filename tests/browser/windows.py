"""A browser as people have it, with windows and tabs that are looked at or not: Playwright's own pretends that every tab is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from acceptance.tether import tethered
from browser.house import PATIENCE, chromium

SIZE: Final = "--window-size=1900,1600"


@asynccontextmanager
async def a_browser(profile: Path) -> AsyncIterator[Browser]:
    found = chromium()
    command = [
        found["executable_path"],
        *found["args"],
        SIZE,
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
    ]
    process = await asyncio.create_subprocess_exec(*tethered(command), stderr=asyncio.subprocess.PIPE)
    try:
        assert process.stderr is not None
        address = None
        while address is None:
            line = (await process.stderr.readline()).decode()
            assert line, "the browser did not start"
            address = re.search(r"ws://\S+", line)
        draining = asyncio.create_task(_drain(process.stderr))
        async with async_playwright() as playwright:
            yield await playwright.chromium.connect_over_cdp(address[0], no_defaults=True)
        draining.cancel()
    finally:
        process.kill()
        await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass


async def a_window(browser: Browser) -> Page:
    context = browser.contexts[0]
    context.set_default_timeout(PATIENCE)
    session = await browser.new_browser_cdp_session()
    async with context.expect_page() as opening:
        await session.send("Target.createTarget", {"url": "about:blank", "newWindow": True})
    page = await opening.value
    return page
