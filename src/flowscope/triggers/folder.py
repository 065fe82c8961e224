"""What is in a folder, and what has happened there since: looked at again and again, which works on every file system.

Nothing outside the file roots is looked at, nothing hidden, and no link is followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from flowscope.errors import NodeError
from flowscope.nodes.context import Surroundings
from flowscope.nodes.file_roots import RootedFile

MOST_FILES = 20_000
DEEPEST = 16

Sight: TypeAlias = dict[str, tuple[int, int]]
"""By path below the folder: when it was changed (nanoseconds since 1970), and its size in bytes."""


class Happening(msgspec.Struct, frozen=True):
    """One file that came, changed or went. `path` is below the folder."""

    event: str
    path: str
    changed: int = 0
    size: int = 0


def folder_of(given: str, surroundings: Surroundings) -> Path:
    """The folder a setting names; `NodeDenied` outside the roots, `NodeError` where there is none."""
    folder = RootedFile(f"{given.rstrip('/')}/file", surroundings, "folder").path.parent
    if not folder.is_dir():
        raise NodeError(f"There is no folder {given!r} (looked for {folder})", code="FOLDER_NOT_FOUND")
    return folder


def look(folder: Path, pattern: str, private: tuple[Path, ...] = ()) -> Sight:
    """The plain files that match. `NodeError` where there are too many to be watched."""
    seen: Sight = {}
    deep = "/" in pattern or "**" in pattern
    for path, status in _files(folder, "", private, DEEPEST if deep else 0):
        if _matches(path, pattern):
            seen[path] = (status.st_mtime_ns, status.st_size)
            if len(seen) > MOST_FILES:
                raise NodeError(f"More than {MOST_FILES:,} files match {pattern!r}: watch fewer, or move some away")
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


def happenings(
    before: Mapping[str, tuple[int, int]], now: Sight, settling: Sight
) -> tuple[list[Happening], Sight, Sight]:
    """What has happened since `before`, what is then known, and what is still being written: a file counts when it looks the
    same twice, in `settling` and `now`."""
    known: Sight = {}
    found: list[Happening] = []
    unsettled: Sight = {}
    for path, stamp in sorted(now.items(), key=lambda item: (item[1][0], item[0])):
        earlier = before.get(path)
        if stamp == earlier:
            known[path] = stamp
        elif settling.get(path) == stamp:
            known[path] = stamp
            found.append(Happening("changed" if earlier else "created", path, *stamp))
        else:
            unsettled[path] = stamp
            if earlier:
                known[path] = earlier
    for path, (changed, size) in before.items():
        if path not in now:
            found.append(Happening("deleted", path, changed, size))
    return found, known, unsettled
