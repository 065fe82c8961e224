"""Regular expressions, by RE2: linear in the length of the text whatever the pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

import re2

from flowscope.errors import ExpressionError
from flowscope.expressions.catalogue import function
from flowscope.expressions.run import Run
from flowscope.expressions.values import JSON, text_weight

_LONGEST_PATTERN = 1_000
_REFERENCE = re.compile(r"\$(\d{1,2}|\$)")


class _Match(Protocol):
    def group(self, group: int = 0) -> str | None: ...
    def groups(self) -> tuple[str | None, ...]: ...
    def start(self) -> int: ...
    def end(self) -> int: ...


class _Pattern(Protocol):
    programsize: int

    def finditer(self, text: str) -> Iterator[_Match]: ...


@lru_cache(maxsize=32)
def _compiled(pattern: str) -> _Pattern:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 4 << 20
    compiled: _Pattern = re2.compile(pattern, options)
    return compiled


def _pattern(run: Run, pattern: str) -> _Pattern:
    if len(pattern) > _LONGEST_PATTERN:
        raise ExpressionError(f"A pattern has at most {_LONGEST_PATTERN:,} characters")
    run.spend(50 + len(pattern))
    try:
        return _compiled(pattern)
    except (re2.error, UnicodeEncodeError):
        raise ExpressionError(
            "This is not a pattern that RE2 knows; it has no look-around or back-references"
        ) from None


def _matches(run: Run, text: str, pattern: str) -> Iterator[_Match]:
    compiled = _pattern(run, pattern)
    # A small pattern runs as an automaton, a nanosecond for a character. A large one may fall back to following all
    # its states at once, thousands of times slower.
    factor = max(1, compiled.programsize**2 // 400)
    found = compiled.finditer(text)
    position = 0
    try:
        while True:
            # Each further match may have to look through all the rest of the text.
            run.spend(1 + ((len(text) - position) * factor >> 9))
            match = next(found, None)
            if match is None:
                return
            position = match.end()
            yield match
    except UnicodeEncodeError:
        raise ExpressionError("The text holds half a character and cannot be searched") from None


@function("regexTest", "text", "text")
def regex_test(run: Run, text: str, pattern: str) -> JSON:
    """Whether the pattern is found."""
    return next(_matches(run, text, pattern), None) is not None


@function("regexMatch", "text", "text")
def regex_match(run: Run, text: str, pattern: str) -> JSON:
    """The first match and its groups as a list, or null."""
    match = next(_matches(run, text, pattern), None)
    return None if match is None else _found(run, match)


@function("regexMatchAll", "text", "text")
def regex_match_all(run: Run, text: str, pattern: str) -> JSON:
    """A list of such lists."""
    return [_found(run, match) for match in _matches(run, text, pattern)]


def _found(run: Run, match: _Match) -> JSON:
    parts = [match.group(0), *match.groups()]
    run.elements(len(parts))
    run.build(sum(text_weight(part) for part in parts if part))
    return [*parts]


@function("regexReplace", "text", "text", "text")
def regex_replace(run: Run, text: str, pattern: str, replacement: str) -> JSON:
    """Every match replaced; `$0` is the match, `$1` its first group, `$$` a dollar."""
    run.build(text_weight(text))
    pieces: list[str] = []
    position = 0
    for match in _matches(run, text, pattern):
        pieces.append(text[position : match.start()])
        pieces.append(_expanded(run, match, replacement))
        position = match.end()
    return "".join([*pieces, text[position:]])


def _expanded(run: Run, match: _Match, replacement: str) -> str:
    run.build(64 + text_weight(replacement))
    groups = match.groups()

    def reference(found: re.Match[str]) -> str:
        if found[1] == "$":
            return "$"
        number = int(found[1])
        if number > len(groups):
            raise ExpressionError(f"regexReplace(): the pattern has no group {number}")
        return run.text(match.group(number) or "")

    return _REFERENCE.sub(reference, replacement)
