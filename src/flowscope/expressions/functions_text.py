"""Functions on text."""

from __future__ import annotations

from flowscope.errors import ExpressionError
from flowscope.expressions import operators
from flowscope.expressions.catalogue import function
from flowscope.expressions.run import Run
from flowscope.expressions.values import ELEMENT_WEIGHT, JSON, text_weight

# Changing case makes a character three at most; each is four bytes at most.
_CASE_GROWTH = 3


def _cased(run: Run, text: str) -> str:
    run.build(len(text) if text.isascii() else _CASE_GROWTH * text_weight(text))
    return text


@function("upper", "text", aliases=("toUpperCase",))
def upper(run: Run, text: str) -> JSON:
    """In capitals."""
    return _cased(run, text).upper()


@function("lower", "text", aliases=("toLowerCase",))
def lower(run: Run, text: str) -> JSON:
    """In small letters."""
    return _cased(run, text).lower()


@function("title", "text")
def title(run: Run, text: str) -> JSON:
    """Each word with a capital."""
    return _cased(run, text).title()


@function("capitalize", "text")
def capitalize(run: Run, text: str) -> JSON:
    """The first letter a capital."""
    _cased(run, text)
    return text[:1].upper() + text[1:]


@function("trim", "text", aliases=("strip",))
def trim(run: Run, text: str) -> JSON:
    """Without space at either end."""
    return run.text(text.strip())


@function("trimStart", "text", aliases=("lstrip",))
def trim_start(run: Run, text: str) -> JSON:
    """Without space at the start."""
    return run.text(text.lstrip())


@function("trimEnd", "text", aliases=("rstrip",))
def trim_end(run: Run, text: str) -> JSON:
    """Without space at the end."""
    return run.text(text.rstrip())


@function("split", "text", "text?")
def split(run: Run, text: str, separator: str = "") -> JSON:
    """A list of parts; at white space when there is no separator."""
    run.touch(4 * len(text))
    if not separator:
        pieces = text.split()
        run.build(text_weight(text) + ELEMENT_WEIGHT * len(pieces))
    else:
        # Counted before it is built: each piece costs far more memory than the character that parts it.
        run.elements(text.count(separator) + 1)
        run.build(text_weight(text))
        pieces = text.split(separator)
    return [*pieces]


@function("lines", "text")
def lines(run: Run, text: str) -> JSON:
    """A list of lines."""
    run.elements(text.count("\n") + 1)
    run.build(text_weight(text))
    return [*text.replace("\r\n", "\n").split("\n")]


@function("replace", "text", "text", "text", "integer?", aliases=("replaceAll",))
def replace(run: Run, text: str, old: str, new: str, most: int = -1) -> JSON:
    """Every `old` replaced, or the first `most`."""
    if not old:
        raise ExpressionError("replace(): old must not be empty")
    run.touch(4 * len(text))
    count = text.count(old) if most < 0 else min(text.count(old), most)
    run.build(text_weight(text) + count * text_weight(new))
    return text.replace(old, new, count)


@function("startsWith", "text", "text")
def starts_with(run: Run, text: str, beginning: str) -> JSON:
    """Whether it begins so."""
    run.touch(len(beginning))
    return text.startswith(beginning)


@function("endsWith", "text", "text")
def ends_with(run: Run, text: str, ending: str) -> JSON:
    """Whether it ends so."""
    run.touch(len(ending))
    return text.endswith(ending)


@function("includes", "text", "text", aliases=("contains",))
def includes(run: Run, text: str, part: str) -> JSON:
    """Whether it holds `part`."""
    return operators.contains(run, text, part)


@function("indexOf", "text", "text")
def index_of(run: Run, text: str, part: str) -> JSON:
    """Where `part` begins, or -1."""
    run.touch(4 * len(text))
    return text.find(part)


@function("count", "text", "text")
def count(run: Run, text: str, part: str) -> JSON:
    """How often `part` is in it."""
    run.touch(4 * len(text))
    return text.count(part)


@function("slice", "text", "integer?", "integer?", aliases=("substring",))
def slice_text(run: Run, text: str, start: int = 0, end: int | None = None) -> JSON:
    """A part."""
    return run.text(text[start:end])


@function("padStart", "text", "integer", "text?")
def pad_start(run: Run, text: str, width: int, fill: str = " ") -> JSON:
    """Filled up at the start."""
    return _padding(run, text, width, fill) + text


@function("padEnd", "text", "integer", "text?")
def pad_end(run: Run, text: str, width: int, fill: str = " ") -> JSON:
    """Filled up at the end."""
    return text + _padding(run, text, width, fill)


def _padding(run: Run, text: str, width: int, fill: str) -> str:
    if len(fill) != 1:
        raise ExpressionError("The text to pad with must be one character")
    missing = max(width - len(text), 0)
    run.build(text_weight(fill) * missing + text_weight(text))
    return fill * missing


@function("repeat", "text", "integer")
def repeat(run: Run, text: str, times: int) -> JSON:
    """Repeated."""
    return operators.repeat(run, text, times)


@function("reverse", "text")
def reverse(run: Run, text: str) -> JSON:
    """Backwards."""
    return run.text(text[::-1])


@function("truncate", "text", "integer", "text?")
def truncate(run: Run, text: str, width: int, ending: str = "…") -> JSON:
    """Cut to `width`, with `…` at the end."""
    if width < 0:
        raise ExpressionError("truncate(): width must not be negative")
    if len(text) <= width:
        return text
    run.build(text_weight(text) + text_weight(ending))
    return (text[: max(width - len(ending), 0)] + ending)[:width]


@function("length", "text", aliases=("len",))
def length(run: Run, text: str) -> JSON:
    """Of a text, list or object."""
    return len(text)
