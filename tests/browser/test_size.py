"""What a browser loads before a page stands: little enough for a slow line; editors, menus and charts come when they are used."""

from __future__ import annotations

import gzip
import re
from functools import cache
from pathlib import Path

import pytest

from browser.house import BUILT

MOST = 200_000
FEW = 18
"""A browser fetches six at a time."""
LATE = ("codemirror", "three.", "react-flow__renderer", "floating-ui")
PAGES = ("workflows-page", "workflow-page", "runs-page", "run-page", "compare-page")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_is_opened_first_is_small_and_holds_nothing_heavy(page: str) -> None:
    files = first_load() | needed_by(page)
    assert len(files) <= FEW, sorted(file.name for file in files)
    assert sum(map(compressed, files)) <= MOST, sorted((compressed(file), file.name) for file in files)
    for file in files:
        if file.suffix == ".js":
            assert not [word for word in LATE if word in file.read_text(encoding="utf-8").lower()], file.name


def test_the_page_has_nothing_that_its_policy_forbids() -> None:
    page = BUILT.read_text(encoding="utf-8")
    assert "style=" not in page and "data:" not in page and "<style" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)


def first_load() -> set[Path]:
    """What every page begins with: the document, and what it names, the application's chunks among it."""
    named = re.findall(r'(?:src|href)="\./(assets/[^"]+\.(?:js|css))"', BUILT.read_text(encoding="utf-8"))
    assert named
    return {BUILT, *(BUILT.parent / name for name in named)}


def needed_by(page: str) -> set[Path]:
    """The page's own file, and what must be there before it runs: the build lists that where the page is imported."""
    (entry,) = (file for file in first_load() if re.match(r"application-.+\.js", file.name))
    text = entry.read_text(encoding="utf-8")
    files = re.findall(r'"\./([^"]+)"', text[text.index("m.f=[") : text.index("]", text.index("m.f=["))])
    found = re.search(rf"import\([`\"']\./{page}-[\w-]+\.js[`\"']\)[^\[]*__vite__mapDeps\(\[([\d,]+)\]\)", text)
    assert found, page
    return {entry.parent / files[int(number)] for number in found.group(1).split(",")}


@cache
def compressed(file: Path) -> int:
    return len(gzip.compress(file.read_bytes()))
