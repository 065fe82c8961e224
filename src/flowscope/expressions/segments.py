"""Finds the `{{ … }}` in a text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowscope.errors import ExpressionSyntaxError

_OPENING = re.compile(r"(\\*)\{\{")
_PIECE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{}]|[^\"'{}]+|.", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a text: as it stands, or the source of an expression."""

    text: str
    expression: bool


def split_segments(text: str, longest: int) -> list[Segment]:
    """The segments of `text`; ExpressionSyntaxError when a `{{` is never closed.

    `longest` bounds how far the end of one expression is looked for. A backslash before `{{` makes it plain text, and
    two make one backslash.
    """
    segments: list[Segment] = []
    literal: list[str] = []
    position = 0
    while found := _OPENING.search(text, position):
        slashes = found[1]
        literal.append(text[position : found.start()] + "\\" * (len(slashes) // 2))
        position = found.end()
        if len(slashes) % 2:
            literal.append("{{")
            continue
        end = _end(text, position, longest)
        if any(literal):
            segments.append(Segment("".join(literal), expression=False))
        literal = []
        segments.append(Segment(text[position:end], expression=True))
        position = end + 2
    literal.append(text[position:])
    if any(literal):
        segments.append(Segment("".join(literal), expression=False))
    return segments


def _end(text: str, start: int, longest: int) -> int:
    """Where the `}}` that closes the expression stands: not inside quotes or braces, unless there is no other."""
    level = 0
    position = start
    horizon = min(len(text), start + longest + 2)
    while position < horizon:
        if level == 0 and text.startswith("}}", position):
            return position
        piece = _PIECE.match(text, position, horizon)
        assert piece is not None
        level += {"{": 1, "}": -1}.get(piece[0], 0)
        position = piece.end()
    # An apostrophe or brace without its partner: the expression is wrong anyway, and is told so as such.
    plain = text.find("}}", start)
    if plain < 0:
        source = text[start : start + 80]
        raise ExpressionSyntaxError(
            "{{ is never closed by }}; to write {{ as text, write \\{{", source=source, offset=0
        )
    return plain
