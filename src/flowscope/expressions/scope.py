"""The names an expression can see, and what is said about one that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Protocol

from flowscope.errors import UnknownName
from flowscope.expressions.values import JSON, a_kind

# Looking for the nearest spelling is quadratic in lengths, so it is kept to short names and not too many of them.
_LONGEST = 64
_CANDIDATES = 500
_SHOWN = 8


class Scope(Protocol):
    """Resolves root names. Names come without the `$` they may be written with."""

    def lookup(self, name: str) -> JSON:
        """The value called `name`; KeyError when there is none. The value is never changed."""
        ...

    def names(self) -> Iterable[str]:
        """The names there are, to suggest one."""
        ...


class MappingScope:
    """A scope over a dict."""

    __slots__ = ("_values", "lookup")

    def __init__(self, values: Mapping[str, JSON]) -> None:
        self._values = values
        # Bound once: a lookup is most of the cost of the commonest expressions.
        self.lookup = values.__getitem__

    def names(self) -> Iterable[str]:
        """The keys of the dict."""
        return self._values.keys()


class Missing(Exception):
    """A name, key or index that is not there: a signal that `??` and `?.` catch.

    Cheap to raise, because `a ?? b` raises one for each element of a list; the words are only found for the one that
    leaves the expression.
    """

    def __init__(self, key: str | int, owner: JSON | Scope) -> None:
        self.key = key
        self.owner = owner
        super().__init__(key)


class HyphenMissing(Exception):
    """A hyphenated name is not there, so its hyphen was perhaps meant as a minus; passes through `??` and `?.`."""

    def __init__(self, missing: Missing) -> None:
        self.missing = missing
        super().__init__(missing)


def unknown_name(missing: Missing, *, hyphen: bool = False) -> UnknownName:
    """The error for people: what is missing, the nearest there is, and a few of the others."""
    key, owner = missing.key, missing.owner
    if isinstance(key, int):
        return UnknownName(_index_message(key, owner))
    if isinstance(owner, dict):
        return _unknown_among(f'There is no key "{_short(key)}"', key, list(owner), hyphen)
    if owner is None or isinstance(owner, bool | int | float | str | list):
        remedy = "; write ?. to allow for it" if owner is None else ""
        return UnknownName(f'There is no key "{_short(key)}" in {a_kind(owner)}{remedy}')
    return _unknown_among(f'There is no name "{_short(key)}"', key, list(owner.names()), hyphen)


def nearest(name: str, candidates: Iterable[str]) -> str:
    """The candidate spelled most like `name`, or an empty string."""
    if len(name) > _LONGEST:
        return ""
    short = [candidate for candidate in candidates if len(candidate) <= _LONGEST][:_CANDIDATES]
    folded = {candidate.casefold(): candidate for candidate in reversed(short)}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[found[0]] if found else ""


def _unknown_among(opening: str, key: str, names: list[str], hyphen: bool) -> UnknownName:
    suggestion = nearest(key, names)
    parts = [opening]
    if suggestion:
        parts.append(f'Did you mean "{suggestion}"?')
    if names:
        listed = ", ".join(_short(name) for name in names[:_SHOWN])
        parts.append(f"There are: {listed}{', …' if len(names) > _SHOWN else ''}")
    if hyphen:
        parts.append("For a subtraction, put spaces around the minus")
    message = ". ".join(parts).replace("?. ", "? ")
    return UnknownName(message, suggestion=suggestion)


def _index_message(index: int, owner: object) -> str:
    if isinstance(owner, list):
        return f"There is no element {index}: the list has {len(owner)}"
    if isinstance(owner, str):
        return f"There is no character {index}: the text has {len(owner)}"
    return f"There is no element {index} in {a_kind(owner)}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
