"""What has happened in a folder: looked at again and again, which works on every file system."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from flowscope.nodes.folders import Sight


class Happening(msgspec.Struct, frozen=True):
    """One file that came, changed or went. `path` is below the folder."""

    event: str
    path: str
    changed: int = 0
    size: int = 0


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
