"""The picture in the README: cd tests && python -m browser.picture

It is a run of an example, caught in the middle, in both themes.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, expect, sync_playwright

from browser.house import PATIENCE, Visitor, card, house, launch, light

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "docs" / "images"
THEMES: Final = ("dark", "light")


def take(browser: Browser, directory: Path, theme: str) -> Path:
    """Run the example and take the picture while a letter is being drafted."""
    file = directory / f"studio-{theme}.png"
    with tempfile.TemporaryDirectory() as data, house(Path(data)) as made:
        document = json.loads((ROOT / "examples" / "order_desk.json").read_text(encoding="utf-8"))
        (letter,) = [node for node in document["nodes"] if node["id"] == "letter"]
        letter["data"]["config"]["sleep"] = 60  # time enough to be caught
        made.store(document)
        visitor = Visitor(browser, made.url, color_scheme=theme, viewport={"width": 1440, "height": 860})
        page = visitor.page
        page.goto(f"/workflows/order-desk?run={made.start('order-desk')}")
        light(page, "live")
        expect(card(page, "letter")).to_have_attribute("data-status", "running")
        expect(card(page, "letter")).to_contain_text("Ada")
        page.screenshot(path=file)
        visitor.context.close()
        assert not visitor.faults, visitor.faults
    return file


def main() -> None:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = launch(playwright)
        for theme in THEMES:
            print(take(browser, IMAGES, theme))
        browser.close()


if __name__ == "__main__":
    main()
