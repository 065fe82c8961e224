"""The one table of functions, which are methods as well: `upper(x)` is `x.upper()`.

A function is found by its name and the kind of its first argument. It is declared with the kinds it takes:

    @function("padStart", "text", "integer", "text?")
    def pad_start(run: Run, text: str, width: int, fill: str = " ") -> JSON: ...

A kind ending in `?` may be left out, one ending in `*` may come any number of times. The names of the parameters are
those in error messages. Each function is also known by its snake_case name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from flowscope.errors import ExpressionError
from flowscope.expressions.path import get
from flowscope.expressions.run import Argument, Lambda, Run
from flowscope.expressions.values import JSON, a_kind, kind

Implementation: TypeAlias = Callable[..., JSON]

_EXPECTATIONS = {
    "integer": "a whole number",
    "text": "text",
    "object": "an object",
    "by": "a function such as x => x.id, or a key",
    "lambda": "a function such as x => x.id",
    "date": "a date as text or as milliseconds",
}


@dataclass(frozen=True, slots=True)
class Function:
    """One function for one kind of first argument."""

    name: str
    kinds: tuple[str, ...]
    parameters: tuple[str, ...]
    least: int
    most: int
    implementation: Implementation

    def call(self, run: Run, arguments: Sequence[Argument]) -> JSON:
        """Check the arguments and do the work."""
        if not self.least <= len(arguments) <= self.most:
            raise ExpressionError(f"{self.name}() takes {self._count()}, not {len(arguments)}")
        last = len(self.kinds) - 1
        checked = [self._checked(run, min(i, last), argument) for i, argument in enumerate(arguments)]
        return self.implementation(run, *checked)

    def _count(self) -> str:
        most = "more" if self.most > 99 else str(self.most)
        numbers = str(self.least) if self.least == self.most else f"{self.least} to {most}"
        return f"{numbers} argument{'' if numbers == '1' else 's'}, counting what stands before the dot"

    def _checked(self, run: Run, index: int, argument: Argument) -> object:
        wanted = self.kinds[index]
        if wanted == "by" and isinstance(argument, str):
            return lambda item, _index: get(item, argument)
        if isinstance(argument, Lambda):
            if wanted not in {"by", "lambda"}:
                raise self._refusal(index, "a function")
            if argument.arity > 2:
                raise ExpressionError(f"{self.name}() calls its function with an element and its index only")
            return argument
        if wanted == "any" or kind(argument) == wanted:
            return argument
        if wanted == "integer" and type(argument) is int:
            return argument
        if wanted == "integer" and type(argument) is float and argument.is_integer() and abs(argument) < 2**53:
            return int(argument)
        if wanted == "date" and kind(argument) in {"text", "number"}:
            return argument
        raise self._refusal(index, a_kind(argument))

    def _refusal(self, index: int, given: str) -> ExpressionError:
        wanted = _EXPECTATIONS.get(self.kinds[index], f"a {self.kinds[index]}")
        return ExpressionError(f"{self.name}(): {self.parameters[index]} must be {wanted}, not {given}")


Overloads: TypeAlias = dict[str, Function]
"""Functions of one name by the kind of their first argument; "" for one without arguments."""

_TABLE: dict[str, Overloads] = {}
_CANONICAL: set[str] = set()


def function(name: str, *kinds: str, aliases: Sequence[str] = ()) -> Callable[[Implementation], Implementation]:
    """Enter a function into the table. The first kind is what it works on."""

    def enter(implementation: Implementation) -> Implementation:
        parameters = tuple(inspect.signature(implementation).parameters)[1:]
        required = sum(not wanted.endswith(("?", "*")) for wanted in kinds)
        most = 1_000 if kinds and kinds[-1].endswith("*") else len(kinds)
        plain = tuple(wanted.rstrip("?*") for wanted in kinds)
        entry = Function(name, plain, parameters, required, most, implementation)
        _CANONICAL.add(name)
        for spelling in {name, _snake_case(name), *aliases}:
            overloads = _TABLE.setdefault(spelling, {})
            for receiver in _receivers(plain):
                if receiver in overloads:
                    raise ValueError(f"{spelling}() is there twice for {receiver}")
                overloads[receiver] = entry
        return implementation

    return enter


def _receivers(kinds: tuple[str, ...]) -> tuple[str, ...]:
    if not kinds:
        return ("",)
    if kinds[0] == "date":
        return ("text", "number")
    return ("number",) if kinds[0] == "integer" else (kinds[0],)


def overloads_of(name: str) -> Overloads | None:
    """The functions called `name`, or None."""
    return _TABLE.get(name)


def function_names() -> list[str]:
    """The canonical names, sorted."""
    return sorted(_CANONICAL)


def call(run: Run, name: str, overloads: Overloads, arguments: Sequence[Argument]) -> JSON:
    """Call the function that suits the first argument."""
    receiver = kind(arguments[0]) if arguments else ""
    found = overloads.get(receiver) or overloads.get("any")
    if found is None:
        raise ExpressionError(_unsuitable(name, overloads, arguments))
    run.spend()
    return found.call(run, arguments)


def _unsuitable(name: str, overloads: Overloads, arguments: Sequence[Argument]) -> str:
    accepted = [receiver for receiver in overloads if receiver]
    if not accepted:
        return f"{name}() takes no arguments"
    works_on = " or ".join("any value" if receiver == "any" else receiver for receiver in accepted)
    if not arguments:
        return f"{name}() needs an argument: {works_on}"
    given = "a function" if isinstance(arguments[0], Lambda) else a_kind(arguments[0])
    return f"{name}() works on {works_on}, not on {given}"


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z]+)", lambda found: "_" + found[1].lower(), name)
