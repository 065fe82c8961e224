"""Functions on lists. A function argument may be `x => …`, also with the index: `(x, i) => …`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from flowscope.errors import ExpressionError
from flowscope.expressions import operators
from flowscope.expressions.catalogue import function
from flowscope.expressions.path import get
from flowscope.expressions.rendering import compact_json, inline_text
from flowscope.expressions.run import By, Run
from flowscope.expressions.values import JSON, kind, sound_number, text_weight

Items = list[JSON]


def _each(run: Run, items: Items) -> Iterator[tuple[int, JSON]]:
    for index, item in enumerate(items):
        run.spend()
        yield index, item


@function("length", "list", aliases=("len",))
def length(run: Run, items: Items) -> JSON:
    """Of a text, list or object."""
    return len(items)


@function("first", "list")
def first(run: Run, items: Items) -> JSON:
    """The first element, or null."""
    return items[0] if items else None


@function("last", "list")
def last(run: Run, items: Items) -> JSON:
    """The last element, or null."""
    return items[-1] if items else None


@function("map", "list", "by")
def map_list(run: Run, items: Items, by: By) -> JSON:
    """What *f* gives for each element."""
    run.elements(len(items))
    return [by(item, index) for index, item in _each(run, items)]


@function("pluck", "list", "text")
def pluck(run: Run, items: Items, key: str) -> JSON:
    """The key of each element."""
    run.elements(len(items))
    return [get(item, key) for _, item in _each(run, items)]


@function("filter", "list", "by")
def filter_list(run: Run, items: Items, by: By) -> JSON:
    """The elements for which *f* is true."""
    run.elements(len(items))
    return [item for index, item in _each(run, items) if by(item, index)]


@function("find", "list", "by")
def find(run: Run, items: Items, by: By) -> JSON:
    """The first of them, or null."""
    return next((item for index, item in _each(run, items) if by(item, index)), None)


@function("any", "list", "by?", aliases=("some",))
def any_of(run: Run, items: Items, by: By | None = None) -> JSON:
    """Whether one is true."""
    return any(by(item, index) if by else item for index, item in _each(run, items))


@function("all", "list", "by?", aliases=("every",))
def all_of(run: Run, items: Items, by: By | None = None) -> JSON:
    """Whether all are true."""
    return all(by(item, index) if by else item for index, item in _each(run, items))


@function("count", "list", "by?")
def count(run: Run, items: Items, by: By | None = None) -> JSON:
    """How many elements, or for how many of them *f* is true."""
    return sum(1 for index, item in _each(run, items) if by is None or by(item, index))


def _sort_keys(run: Run, keys: Items) -> None:
    kinds = {kind(key) for key in keys} - {"null"}
    if len(kinds) > 1 or not kinds <= {"text", "number", "boolean"}:
        raise ExpressionError(f"Cannot sort {' and '.join(sorted(kinds))}; sort by numbers only or by texts only")
    rounds = len(keys).bit_length()
    run.spend(1 + (len(keys) * rounds >> 3))
    run.touch(rounds * sum(len(key) for key in keys if isinstance(key, str)))


def _sorted(run: Run, items: Items, keys: Items, order: str) -> JSON:
    if order not in {"asc", "desc"}:
        raise ExpressionError('The order is "asc" or "desc"')
    _sort_keys(run, keys)
    run.elements(2 * len(items))
    # What has no key stands at the end in either order.
    present = [index for index, key in enumerate(keys) if key is not None]
    present.sort(key=lambda index: cast("float", keys[index]), reverse=order == "desc")
    absent = [index for index, key in enumerate(keys) if key is None]
    return [items[index] for index in present + absent]


@function("sort", "list", "text?")
def sort(run: Run, items: Items, order: str = "asc") -> JSON:
    """Sorted, `"asc"` or `"desc"`; null at the end."""
    return _sorted(run, items, items, order)


@function("sortBy", "list", "by", "text?")
def sort_by(run: Run, items: Items, by: By, order: str = "asc") -> JSON:
    """Sorted by what *f* gives."""
    keys = [by(item, index) for index, item in _each(run, items)]
    return _sorted(run, items, keys, order)


@function("groupBy", "list", "by")
def group_by(run: Run, items: Items, by: By) -> JSON:
    """An object of lists."""
    groups: dict[str, JSON] = {}
    for index, item in _each(run, items):
        run.entries(1)
        key = inline_text(run, by(item, index))
        cast("Items", groups.setdefault(key, [])).append(item)
    return groups


@function("keyBy", "list", "by")
def key_by(run: Run, items: Items, by: By) -> JSON:
    """An object of elements."""
    run.entries(len(items))
    return {inline_text(run, by(item, index)): item for index, item in _each(run, items)}


@function("unique", "list", "by?")
def unique(run: Run, items: Items, by: By | None = None) -> JSON:
    """Each value once."""
    run.entries(len(items))
    seen: dict[tuple[str, object], JSON] = {}
    for index, item in _each(run, items):
        seen.setdefault(_identity(run, by(item, index) if by else item), item)
    return [*seen.values()]


def _identity(run: Run, value: JSON) -> tuple[str, object]:
    if isinstance(value, list | dict):
        run.build(run.weigh(value))
        # Numbers that are equal have to be spelled alike, and the order of keys does not count.
        return kind(value), compact_json(_canonical(run, value))
    if isinstance(value, str):
        run.touch(len(value))
    return kind(value), value


def _canonical(run: Run, value: JSON) -> JSON:
    run.spend()
    if isinstance(value, list):
        return [_canonical(run, item) for item in value]
    if isinstance(value, dict):
        return {key: _canonical(run, value[key]) for key in sorted(value)}
    return int(value) if isinstance(value, float) and value.is_integer() else value


@function("flatten", "list", "integer?")
def flatten(run: Run, items: Items, levels: int = 1) -> JSON:
    """Lists inside taken apart, one level or more."""
    if not 0 <= levels <= 64:
        raise ExpressionError("flatten(): levels must be between 0 and 64")
    flat: Items = []
    _flatten(run, items, levels, flat)
    return flat


def _flatten(run: Run, items: Items, levels: int, into: Items) -> None:
    for _, item in _each(run, items):
        if isinstance(item, list) and levels:
            _flatten(run, item, levels - 1, into)
        else:
            run.elements(1)
            into.append(item)


@function("reverse", "list")
def reverse(run: Run, items: Items) -> JSON:
    """Backwards."""
    run.elements(len(items))
    return items[::-1]


@function("slice", "list", "integer?", "integer?")
def slice_list(run: Run, items: Items, start: int = 0, end: int | None = None) -> JSON:
    """A part."""
    run.elements(len(range(*slice(start, end).indices(len(items)))))
    return items[start:end]


@function("chunk", "list", "integer")
def chunk(run: Run, items: Items, size: int) -> JSON:
    """A list of lists of `size`."""
    if size < 1:
        raise ExpressionError("chunk(): size must be at least 1")
    run.elements(5 * len(items))
    return [items[start : start + size] for start in range(0, len(items), size)]


@function("concat", "list", "list*")
def concat(run: Run, items: Items, *lists: Items) -> JSON:
    """Joined to one list."""
    run.elements(len(items) + sum(map(len, lists)))
    return [element for part in (items, *lists) for element in part]


@function("join", "list", "text?")
def join(run: Run, items: Items, separator: str = ",") -> JSON:
    """Joined to a text."""
    run.build(text_weight(separator) * len(items))
    return separator.join([inline_text(run, item) for _, item in _each(run, items)])


@function("includes", "list", "any", aliases=("contains",))
def includes(run: Run, items: Items, item: JSON) -> JSON:
    """Whether it holds `part`."""
    return operators.contains(run, items, item)


@function("indexOf", "list", "any")
def index_of(run: Run, items: Items, item: JSON) -> JSON:
    """Where `part` begins, or -1."""
    return next((i for i, other in _each(run, items) if operators.equals(run, other, item)), -1)


def _numbers(run: Run, name: str, items: Items, by: By | None) -> list[float]:
    values = [by(item, index) if by else item for index, item in _each(run, items)]
    for value in values:
        if not operators.is_number(value):
            raise ExpressionError(f"{name}() works on a list of numbers, and there is {kind(value)} among them")
    return cast("list[float]", values)


@function("sum", "list", "by?")
def sum_of(run: Run, items: Items, by: By | None = None) -> JSON:
    """The sum."""
    return sound_number(sum(_numbers(run, "sum", items, by)))


@function("avg", "list", "by?", aliases=("average", "mean"))
def avg(run: Run, items: Items, by: By | None = None) -> JSON:
    """The mean, or null for an empty list."""
    numbers = _numbers(run, "avg", items, by)
    return sound_number(sum(numbers) / len(numbers)) if numbers else None


@function("min", "list", "by?")
def min_of(run: Run, items: Items, by: By | None = None) -> JSON:
    """The smallest."""
    return _extreme(run, items, by, "asc")


@function("max", "list", "by?")
def max_of(run: Run, items: Items, by: By | None = None) -> JSON:
    """The largest."""
    return _extreme(run, items, by, "desc")


def _extreme(run: Run, items: Items, by: By | None, order: str) -> JSON:
    keys = [by(item, index) if by else item for index, item in _each(run, items)]
    ranked = cast("Items", _sorted(run, items, keys, order))
    return ranked[0] if ranked else None


@function("range", "integer", "integer?", "integer?")
def range_of(run: Run, start: int, end: int | None = None, step: int = 1) -> JSON:
    """The whole numbers up to `end`, without it."""
    if step == 0:
        raise ExpressionError("range(): step must not be 0")
    numbers = range(start) if end is None else range(start, end, step)
    # len() of a range counts to 63 bits only.
    count = max(0, (numbers.stop - numbers.start + step - (1 if step > 0 else -1)) // step)
    run.elements(count)
    run.spend(count)
    return [*numbers]
