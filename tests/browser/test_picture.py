"""The README's picture can be made afresh, and is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.picture import IMAGES, ROOT, THEMES, take


@pytest.mark.parametrize("theme", THEMES)
def test_the_picture_can_be_made(browser: Browser, tmp_path: Path, theme: str) -> None:
    made = take(browser, tmp_path, theme)
    assert made.read_bytes().startswith(b"\x89PNG") and made.stat().st_size > 20_000
    assert (IMAGES / made.name).is_file()
    assert f"docs/images/{made.name}" in (ROOT / "README.md").read_text(encoding="utf-8")
