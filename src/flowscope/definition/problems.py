"""What is found wrong while a definition is read: gathered first, told together, in the document's order."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice

from flowscope.definition.workflow import JSON
from flowscope.errors import DefinitionInvalid, Problem

AT_MOST = 100
"""More than these nobody reads; a last problem says how many more there are."""

_SECTIONS = {"": 0, "id": 1, "name": 2, "nodes": 3, "edges": 4, "settings": 5, "vars": 6}
_HEAD = re.compile(r"(\w*)(?:\[(\d+)\])?")
_PLAIN_KEY = re.compile(r"[^\W\d][\w$-]*|\$\w+")

# Fuzzy matching costs about 10 µs a candidate: beyond these, a hostile document could buy seconds with it.
_CANDIDATES = 1_000
_SUGGESTIONS = 50


class Problems:
    """A collector that every check writes to."""

    __slots__ = ("_found", "_suggested")

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._suggested = 0

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: str, message: str, remedy: str = "") -> None:
        self._found.append(Problem(place, message, remedy))

    def extend(self, problems: Iterable[Problem]) -> None:
        self._found.extend(problems)

    def in_order(self) -> list[Problem]:
        """By section and index, otherwise as found; at most `AT_MOST` and one that counts the rest."""
        ordered = sorted(self._found, key=_position)
        if len(ordered) <= AT_MOST:
            return ordered
        rest = len(ordered) - AT_MOST
        more = Problem("", f"and {rest:,} more {'problem' if rest == 1 else 'problems'}", "Mend these first")
        return [*ordered[:AT_MOST], more]

    def raise_if_any(self) -> None:
        if self._found:
            raise DefinitionInvalid(self.in_order())

    def suggest(self, name: str, names: Iterable[str]) -> str:
        """`Did you mean 'x'?` for the nearest of the names, or nothing."""
        self._suggested += 1
        if self._suggested > _SUGGESTIONS or len(name) > 128:
            return ""
        candidates = list(islice(names, _CANDIDATES))
        near = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
        near = near or [other for other in candidates if other.lower() == name.lower()]
        return f"Did you mean {near[0]!r}?" if near else ""


def refuse(place: str, message: str, remedy: str = "") -> DefinitionInvalid:
    """For what makes reading on pointless: one problem, as an error to raise."""
    return DefinitionInvalid([Problem(place, message, remedy)])


def below(place: str, key: str | int) -> str:
    """The place of a member: `nodes[3]`, `data.url`, `headers["X Y"]`."""
    if isinstance(key, int):
        return f"{place}[{key}]"
    if not _PLAIN_KEY.fullmatch(key):
        return f"{place}[{quoted(key)}]"
    return f"{place}.{key}" if place else key


def quoted(text: str) -> str:
    """A name for a message: in double quotes, escaped where it is not visible, and shortened."""
    shown = text if len(text) <= 80 else text[:77] + "…"
    visible = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in shown)
    return '"' + visible.replace('"', '\\"') + '"'


def name_of(value: JSON) -> str:
    """What a value is, in words: `a string`, `null`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"the text {quoted(value)}" if len(value) <= 40 else "a text"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < 1e15 else "a number"
    return "a list" if isinstance(value, list) else "an object"


def _position(problem: Problem) -> tuple[int, int]:
    match = _HEAD.match(problem.place)
    section, index = match.groups() if match else ("", None)
    return _SECTIONS.get(section, len(_SECTIONS)), int(index or 0)
