"""The documentation does what it says: snippets marked `runnable` run, and print what stands below them; links lead somewhere.

A snippet is a fenced block whose first line is "```python runnable" or "```sh runnable". A block "```text output" right after
it is what it prints, to the letter. Each runs in a process of its own, in an empty folder beside a copy of `examples/`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

from flowscope import load_workflow
from flowscope.definition import as_svg
from flowscope.nodes.builtin import BUILTIN

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [ROOT / name for name in TOP] + sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "examples").glob("*.md"))
FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)")
TIMEOUT = 120


@dataclass(frozen=True)
class Snippet:
    place: str
    language: str
    text: str
    output: str | None

    @property
    def command(self) -> list[str]:
        if self.language == "python":
            return [sys.executable, "-W", "error", "-c", self.text]
        return ["bash", "-euo", "pipefail", "-c", self.text]


def snippets(page: Path) -> list[Snippet]:
    text = page.read_text("utf-8")
    fences = list(FENCE.finditer(text))
    found = []
    for fence, after in zip_longest(fences, fences[1:]):
        language, _, mark = fence["kind"].partition(" ")
        if mark == "runnable":
            is_output = (
                after is not None and after["kind"] == "text output" and not text[fence.end() : after.start()].strip()
            )
            line = text.count("\n", 0, fence.start()) + 1
            place = f"{page.relative_to(ROOT)}:{line}"
            found.append(Snippet(place, language, fence["text"], after["text"] if after and is_output else None))
    return found


SNIPPETS = [snippet for page in PAGES for snippet in snippets(page)]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.place)
def test_snippets_do_what_they_say(snippet: Snippet, tmp_path: Path) -> None:
    assert snippet.language in ("python", "sh")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("out", "__pycache__"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FLOWSCOPE_")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        snippet.command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if snippet.output is not None:
        assert done.stdout == snippet.output


def test_there_are_snippets() -> None:
    assert len(SNIPPETS) >= 10


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{target} in {page.name}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"#{anchor} in {page.name}"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_files_that_are_named_are_there(page: str) -> None:
    text = FENCE.sub("", (ROOT / page).read_text("utf-8"))
    named = [path for path in re.findall(r"`([\w./*]+)`", text) if path.endswith(("/", ".py", ".md", ".toml"))]
    homes = (ROOT, ROOT / "src" / "flowscope", ROOT / "src" / "flowscope" / "nodes")
    assert [path for path in named if not any(list(home.glob(path)) for home in homes)] == []


def anchors(page: Path) -> set[str]:
    text = page.read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    made = {
        re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]*>", "", heading)).strip().lower().replace(" ", "-")
        for heading in headings
    }
    return made | set(re.findall(r'id="([^"]+)"', text))


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    missing = [str(page) for page in pages if f"({page})" not in index and page.parent.name != "nodes"]
    assert missing == ["README.md"]  # the pages of nodes/ are named by its own index, which is made with them


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_the_number_of_node_types_is_right(page: str) -> None:
    found = re.search(r"More than (\d+) node types", (ROOT / page).read_text("utf-8"))
    assert found and len(BUILTIN) > int(found[1])


def test_the_picture_of_the_example_is_up_to_date() -> None:
    drawn = (ROOT / "docs" / "images" / "etl.svg").read_text("utf-8")
    assert drawn == as_svg(load_workflow(ROOT / "examples" / "etl.json")), "run: python docs/images/draw.py"
