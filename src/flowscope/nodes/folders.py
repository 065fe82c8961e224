"""What is in a folder. Nothing outside the file roots is looked at, nothing hidden, and no link is followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.context import Surroundings
from flowscope.nodes.file_roots import RootedFile

MOST_FILES = 20_000
DEEPEST = 16

Sight: TypeAlias = dict[str, tuple[int, int]]
"""By path below the folder: when it was changed (nanoseconds since 1970), and its size in bytes."""


def _stays_below(pattern: str) -> str:
    if pattern.startswith("/") or ".." in PurePosixPath(pattern).parts:
        raise ValueError("must stay below the folder")
    return pattern


Pattern: TypeAlias = Annotated[
    str,
    Field(min_length=1, max_length=200, description="Which files: `*.csv`, or `**/*.csv` for those below"),
    AfterValidator(_stays_below),
]


def folder_of(given: str, surroundings: Surroundings) -> Path:
    """The folder a setting names; `NodeDenied` outside the roots, `NodeError` where there is none."""
    folder = RootedFile(f"{given.rstrip('/')}/file", surroundings, "folder").path.parent
    if not folder.is_dir():
        raise NodeError(f"There is no folder {given!r} (looked for {folder})", code="FOLDER_NOT_FOUND")
    return folder


def described(folder: str, path: str, changed: int, size: int) -> dict[str, JSON]:
    """A file as workflows see it: `path` as the file nodes take it, where `folder` is what was given."""
    modified = datetime.fromtimestamp(changed / 1e9, UTC).isoformat(timespec="milliseconds")
    return {
        "path": str(PurePosixPath(folder) / path),
        "name": PurePosixPath(path).name,
        "size": size,
        "modifiedAt": modified.replace("+00:00", "Z"),
    }


def look(folder: Path, pattern: str, private: tuple[Path, ...] = ()) -> Sight:
    """The plain files that match. `NodeError` where there are more than `MOST_FILES`."""
    seen: Sight = {}
    deep = "/" in pattern or "**" in pattern
    for path, status in _files(folder, "", private, DEEPEST if deep else 0):
        if _matches(path, pattern):
            seen[path] = (status.st_mtime_ns, status.st_size)
            if len(seen) > MOST_FILES:
                raise NodeError(f"More than {MOST_FILES:,} files match {pattern!r}: ask for fewer, or move some away")
    return seen


def _files(folder: Path, below: str, private: tuple[Path, ...], levels: int) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                inner = Path(entry.path)
                if levels and inner not in private:
                    yield from _files(inner, f"{path}/", private, levels - 1)
            elif entry.is_file(follow_symlinks=False):
                try:
                    yield path, entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # gone between listing and looking
                    continue


def _matches(path: str, pattern: str) -> bool:
    """`*` and `?` stay within a name, `**` is any number of folders."""
    return _match(path.split("/"), pattern.split("/"))


def _match(parts: list[str], patterns: list[str]) -> bool:
    reached = {0}  # how many parts the patterns so far may have used up
    for pattern in patterns:
        if pattern == "**":
            reached = set(range(min(reached), len(parts) + 1)) if reached else reached
        else:
            name = Path(pattern).name or pattern
            reached = {at + 1 for at in reached if at < len(parts) and Path(parts[at]).match(name)}
    return len(parts) in reached
