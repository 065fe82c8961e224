"""Reading along a path: `$json.a`, `items.0.id`, `a["key with space"]`, `a?.b`.

Most expressions are nothing but a path, so those are recognised without the parser and read without a meter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from flowscope.errors import ExpressionError
from flowscope.expressions.scope import Missing, Scope
from flowscope.expressions.tokens import CONSTANTS, unescape
from flowscope.expressions.values import JSON, a_kind

_ROOT = re.compile(r"\$?[^\W\d][\w$]*(?:-+\w+)*|\$\w+|\d\w*(?:-+\w+)*(?=\.[^\W\d])")
_STEP = re.compile(
    r"(\?)?\.([\w$]+(?:-+\w+)*)"
    r"|(\?\.)?\[\s*(?:(-?\d{1,18})|\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)')\s*\]"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path: a key or an index. `optional` when written with `?.`."""

    key: str | int
    optional: bool = False

    @property
    def hyphenated(self) -> bool:
        """Whether the key could also be read as a subtraction."""
        return isinstance(self.key, str) and "-" in self.key


@dataclass(frozen=True, slots=True)
class Path:
    """A root name and the steps from there."""

    root: str
    steps: tuple[Step, ...]
    hyphenated: bool

    @property
    def optional(self) -> bool:
        """Whether a step is written with `?.`."""
        return any(step.optional for step in self.steps)

    def reader(self) -> Callable[[Scope], JSON]:
        """A function that reads this path, as fast as Python can."""
        root, steps = self.root, self.steps
        if self.optional:
            return lambda scope: _read_optional(scope, root, steps)
        keys = tuple(step.key for step in steps)

        def read(scope: Scope) -> JSON:
            try:
                value = scope.lookup(root)
            except KeyError:
                raise Missing(root, scope) from None
            for key in keys:
                try:
                    value = value[key]  # type: ignore[index]
                except (KeyError, TypeError, IndexError):
                    value = get(value, key)
            return value

        return read


def _read_optional(scope: Scope, root: str, steps: tuple[Step, ...]) -> JSON:
    try:
        value = scope.lookup(root)
    except KeyError:
        if steps[0].optional:
            return None
        raise Missing(root, scope) from None
    for index, step in enumerate(steps):
        if value is None and step.optional:
            return None
        try:
            value = get(value, step.key)
        except Missing:
            if step.optional or (index + 1 < len(steps) and steps[index + 1].optional):
                return None
            raise
    return value


def get(value: JSON, key: JSON) -> JSON:
    """`value[key]`: an object's key, a list's or text's index. Missing when it is not there.

    A key made of digits indexes a list, so that `items.0` works; `length` is known of texts and lists.
    """
    if type(key) is int:
        return _element(value, key)
    if type(key) is float and key.is_integer() and not isinstance(value, dict):
        return _element(value, int(key))
    if type(key) is not str:
        raise ExpressionError(f"A key is text or a whole number, not {a_kind(key)}")
    if type(value) is dict:
        try:
            return value[key]
        except KeyError:
            raise Missing(key, value) from None
    if type(value) is list or type(value) is str:
        if key == "length":
            return len(value)
        if len(key) <= 18 and key.isdecimal():
            return _element(value, int(key))
    raise Missing(key, value)


def _element(value: JSON, index: int) -> JSON:
    if type(value) is list or type(value) is str:
        try:
            return value[index]
        except IndexError:
            raise Missing(index, value) from None
    if type(value) is dict:
        return get(value, str(index))
    raise Missing(index, value)


def match_path(source: str) -> Path | None:
    """The path that `source` is, or None when it is something else."""
    found = _ROOT.match(source)
    if found is None or found[0] in CONSTANTS:
        return None
    root, position = found[0].removeprefix("$"), found.end()
    steps: list[Step] = []
    while position < len(source):
        found = _STEP.match(source, position)
        if found is None:
            return None
        steps.append(_step(found, source))
        position = found.end()
    if not root:
        return None
    hyphenated = "-" in root or any(step.hyphenated and _dotted(step, source) for step in steps)
    return Path(root, tuple(steps), hyphenated)


def _step(found: re.Match[str], source: str) -> Step:
    if found[2] is not None:
        return Step(found[2], bool(found[1]))
    if found[4] is not None:
        return Step(int(found[4]), bool(found[3]))
    raw = found[5] if found[5] is not None else found[6]
    return Step(unescape(raw, source, found.start()), bool(found[3]))


def _dotted(step: Step, source: str) -> bool:
    return f".{step.key}" in source
