"""What a browser loads before the first page stands: little enough for a slow line; editors and charts come when they are used."""

from __future__ import annotations

import gzip
import re

from browser.house import BUILT

MOST = 200_000
LATE = ("codemirror", "three.")


def test_the_first_load_is_small_and_holds_nothing_heavy() -> None:
    page = BUILT.read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="\./(assets/[^"]+\.(?:js|css))"', page)
    assert named
    contents = [(BUILT.parent / name).read_bytes() for name in named]
    assert sum(len(gzip.compress(content)) for content in contents) <= MOST
    for content in contents:
        assert not [word for word in LATE if word in content.decode().lower()]


def test_the_page_has_nothing_that_its_policy_forbids() -> None:
    page = BUILT.read_text(encoding="utf-8")
    assert "style=" not in page and "data:" not in page and "<style" not in page
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
