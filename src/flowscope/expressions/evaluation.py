"""The running half of compiled expressions: what the functions that `compiler` puts together do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flowscope.errors import ExpressionError
from flowscope.expressions import catalogue, operators
from flowscope.expressions.path import get
from flowscope.expressions.run import Argument, Code, Run
from flowscope.expressions.scope import HyphenMissing, Missing
from flowscope.expressions.values import JSON, a_kind


@dataclass(frozen=True, slots=True)
class Link:
    """One step of a chain: a fixed key, or code that works one out."""

    key: str | int
    code: Code | None
    optional: bool
    hyphenated: bool
    offset: int


def read_chain(root: Code, links: tuple[Link, ...], signals: bool) -> Code:
    """Reads keys one after the other. With `signals`, a hyphenated one that is missing asks for the other reading."""

    def read(run: Run) -> JSON:
        run.spend(len(links))
        try:
            value = root(run)
        except Missing:
            if links[0].optional:
                return None
            raise
        for index, link in enumerate(links):
            if value is None and link.optional:
                return None
            run.at = link.offset
            try:
                value = get(value, link.key if link.code is None else link.code(run))
            except Missing as missing:
                if signals and link.hyphenated:
                    raise HyphenMissing(missing) from None
                if link.optional or (index + 1 < len(links) and links[index + 1].optional):
                    return None
                raise
        return value

    return read


def look_up(name: str, offset: int, signals: bool) -> Code:
    """Looks a root name up in the scope."""

    def look(run: Run) -> JSON:
        run.spend()
        try:
            return run.scope.lookup(name)
        except KeyError:
            run.at = offset
            missing = Missing(name, run.scope)
            raise (HyphenMissing(missing) if signals else missing) from None

    return look


@dataclass(frozen=True, slots=True)
class Loop:
    """One `for … in … if …` of a comprehension."""

    source: Code
    slots: tuple[int, ...]
    unpack: bool
    tests: list[Code]
    offset: int

    def assign(self, run: Run, item: JSON) -> None:
        """Give the loop's names their values."""
        if not self.unpack:
            run.slots[self.slots[0]] = item
            return
        if not isinstance(item, list) or len(item) != len(self.slots):
            raise ExpressionError(f"Cannot take {a_kind(item)} apart into {len(self.slots)} names")
        for slot, part in zip(self.slots, item, strict=True):
            run.slots[slot] = part


def iterate(run: Run, loops: list[Loop], index: int) -> Iterator[None]:
    """Once for each combination of the loops from `index` on, with their names assigned."""
    if index == len(loops):
        yield None
        return
    loop = loops[index]
    items = loop.source(run)
    run.at = loop.offset
    if not isinstance(items, list | dict):
        raise ExpressionError(f"Cannot go through {a_kind(items)}; a list or an object's keys can be gone through")
    for item in items:
        run.spend()
        loop.assign(run, item)
        if all(test(run) for test in loop.tests):
            yield from iterate(run, loops, index + 1)


def calling(
    name: str, overloads: catalogue.Overloads, codes: list[Callable[[Run], Argument]], offset: int, optional: bool
) -> Code:
    """A call of a function. `optional` when written with `?.`: then null gives null."""

    def call(run: Run) -> JSON:
        if optional and (receiver := _or_none(run, codes[0])) is None:
            return None
        arguments = [receiver, *(code(run) for code in codes[1:])] if optional else [code(run) for code in codes]
        run.at = offset
        return catalogue.call(run, name, overloads, arguments)

    return call


def _or_none(run: Run, code: Callable[[Run], Argument]) -> Argument:
    try:
        return code(run)
    except Missing:
        return None


def with_defaults(first: Code, steps: list[tuple[operators.Operator | None, Code, int]]) -> Code:
    """A chain with `??` (None) among its operators. Whatever is missing on the left of one, it makes up for."""

    def work(run: Run) -> JSON:
        value: JSON = None
        missing: Missing | None = None
        try:
            value = first(run)
        except Missing as error:
            missing = error
        for operator, code, offset in steps:
            run.spend()
            wanted = missing is None if operator is not None else missing is not None or value is None
            if not wanted:
                continue
            try:
                other = code(run)
            except Missing as error:
                missing = error
                continue
            run.at = offset
            value = other if operator is None else operator(run, value, other)
            missing = None
        if missing is not None:
            raise missing
        return value

    return work


def object_key(run: Run, code: Code) -> str:
    """The text that `code` gives for a key."""
    key = code(run)
    if not isinstance(key, str):
        raise ExpressionError(f"The key of an object is text, not {a_kind(key)}")
    return key


def bound(value: JSON) -> int | None:
    """One of the numbers of a slice."""
    if value is None or type(value) is int:
        return value
    raise ExpressionError(f"A slice goes by whole numbers, not {a_kind(value)}")


def sliced(run: Run, value: JSON, part: slice) -> JSON:
    """The part of a text or a list."""
    if part.step == 0:
        raise ExpressionError("The step of a slice cannot be 0")
    if isinstance(value, str):
        return run.text(value[part])
    if isinstance(value, list):
        run.elements(len(range(*part.indices(len(value)))))
        return value[part]
    raise ExpressionError(f"Cannot take a slice of {a_kind(value)}")
