"""What happens in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes.context import Surroundings
from flowscope.nodes.folders import Sight, folder_of, look
from flowscope.triggers.folder import happenings


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*", {"a.csv", "b.txt"}),
        ("*.csv", {"a.csv"}),
        ("**/*.csv", {"a.csv", "in/c.csv", "in/deep/d.csv"}),
        ("in/*.csv", {"in/c.csv"}),
        ("in/**/*.csv", {"in/c.csv", "in/deep/d.csv"}),
        ("?.txt", {"b.txt"}),
        ("**", {"a.csv", "b.txt", "in/c.csv", "in/deep/d.csv"}),
    ],
)
def test_a_pattern_chooses_files(tmp_path: Path, pattern: str, found: set[str]) -> None:
    for name in ("a.csv", "b.txt", "in/c.csv", "in/deep/d.csv", ".hidden/e.csv", ".f.csv", "data/journal.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link.csv").symlink_to(tmp_path / "a.csv")
    (tmp_path / "around").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.csv")
    assert set(look(tmp_path, pattern, (tmp_path / "data",))) == found


@pytest.mark.parametrize("given", ["..", "../other", "/etc", "inbox/../..", ".git", "data", "link"])
def test_nothing_outside_the_roots_is_looked_at(tmp_path: Path, given: str) -> None:
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (root / "link").symlink_to("/etc")
    with pytest.raises(NodeDenied):
        folder_of(given, Surroundings(file_roots=(root.resolve(),), private=(root.resolve() / "data",)))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    surroundings = Surroundings(file_roots=(tmp_path.resolve(),))
    assert folder_of(".", surroundings) == tmp_path.resolve()
    with pytest.raises(NodeError, match="no folder 'inbox'"):
        folder_of("inbox", surroundings)


def test_a_file_counts_when_it_looks_the_same_twice() -> None:
    """W-06."""
    known: Sight = {"old": (1, 1), "gone": (2, 2)}
    settling: Sight = {}
    told = []
    for now in (
        {"old": (1, 1), "new": (5, 10)},
        {"old": (1, 1), "new": (6, 20)},
        {"old": (1, 1), "new": (6, 20)},
        {"old": (9, 1), "new": (6, 20)},
        {"old": (9, 1), "new": (6, 20)},
        {"old": (9, 1), "new": (6, 20)},
    ):
        found, known, settling = happenings(known, dict(now), settling)
        told.append([(one.event, one.path) for one in found])
    assert told == [[("deleted", "gone")], [], [("created", "new")], [], [("changed", "old")], []]
