"""Functions on objects."""

from __future__ import annotations

from flowscope.errors import ExpressionError
from flowscope.expressions.catalogue import function
from flowscope.expressions.path import get as get_key
from flowscope.expressions.path import match_path
from flowscope.expressions.run import By, Run
from flowscope.expressions.scope import Missing
from flowscope.expressions.values import ENTRY_WEIGHT, JSON

Object = dict[str, JSON]


@function("length", "object", aliases=("len",))
def length(run: Run, value: Object) -> JSON:
    """Of a text, list or object."""
    return len(value)


@function("keys", "object")
def keys(run: Run, value: Object) -> JSON:
    """A list of keys."""
    run.elements(len(value))
    return [*value]


@function("values", "object")
def values(run: Run, value: Object) -> JSON:
    """A list of values."""
    run.elements(len(value))
    return [*value.values()]


@function("entries", "object", aliases=("items",))
def entries(run: Run, value: Object) -> JSON:
    """A list of `[key, value]`."""
    run.elements(6 * len(value))
    return [[key, item] for key, item in value.items()]


@function("fromEntries", "list")
def from_entries(run: Run, pairs: list[JSON]) -> JSON:
    """The object of such a list."""
    run.entries(len(pairs))
    built: Object = {}
    for pair in pairs:
        run.spend()
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ExpressionError("fromEntries() works on a list of [key, value] pairs whose keys are text")
        built[pair[0]] = pair[1]
    return built


@function("has", "object", "text")
def has(run: Run, value: Object, key: str) -> JSON:
    """Whether it has the key."""
    return key in value


@function("get", "object", "text", "any?")
def get_of_object(run: Run, value: Object, path: str, default: JSON = None) -> JSON:
    """The value at a path such as `"a.b.0"`, or the default."""
    return _get(run, value, path, default)


@function("get", "list", "text", "any?")
def get_of_list(run: Run, value: list[JSON], path: str, default: JSON = None) -> JSON:
    """The value at a path such as `"a.b.0"`, or the default."""
    return _get(run, value, path, default)


def _get(run: Run, value: JSON, path: str, default: JSON) -> JSON:
    run.spend(1 + (len(path) >> 1))
    # A key that holds a dot is found as it stands; otherwise the dots part keys.
    if isinstance(value, dict) and path in value:
        return value[path]
    found = match_path("root." + path)
    try:
        for step in found.steps if found else ():
            run.spend()
            value = get_key(value, step.key)
    except Missing:
        return default
    return value if found else default


@function("merge", "object", "object*")
def merge(run: Run, value: Object, *others: Object) -> JSON:
    """One object; the later wins."""
    run.entries(sum(map(len, (value, *others))))
    merged: Object = {}
    for part in (value, *others):
        merged |= part
    return merged


@function("pick", "object", "text*")
def pick(run: Run, value: Object, *names: str) -> JSON:
    """Only these keys."""
    return _picked(run, value, [*names])


@function("omit", "object", "text*")
def omit(run: Run, value: Object, *names: str) -> JSON:
    """Without these keys."""
    run.entries(len(value))
    dropped = set(names)
    return {key: item for key, item in value.items() if key not in dropped}


def _picked(run: Run, value: Object, names: list[str]) -> JSON:
    run.entries(len(names))
    return {name: value[name] for name in names if name in value}


@function("mapValues", "object", "by")
def map_values(run: Run, value: Object, by: By) -> JSON:
    """Each value replaced by what *f* gives for it."""
    built: Object = {}
    for index, (key, item) in enumerate(value.items()):
        run.build(ENTRY_WEIGHT)
        built[key] = by(item, index)
    return built
