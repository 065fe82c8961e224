"""The list a node works on, and the shape it goes back into.

The input is the list, or an object with one under `items`; `items` in the config names another. What comes
out has the shape of what went in: a list for a list, the object with its list replaced for an object.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path
from flowscope.nodes.sdk import NodeConfig


class ListSource(NodeConfig):
    items: list[JSON] | str | None = Field(
        None,
        description="The list: an expression, or its path in the input. Left out: the input, or its `items`",
    )


def items_of(input: JSON, source: list[JSON] | str | None) -> list[JSON]:
    """The list that `source` means."""
    return located(input, source)[0]


def located(input: JSON, source: list[JSON] | str | None) -> tuple[list[JSON], Callable[[list[JSON]], JSON]]:
    """The list that `source` means, and a function that puts another in its place; `NodeError` where there
    is none."""
    if isinstance(source, list):
        return source, lambda items: items
    if source is None and isinstance(input, list):
        return input, lambda items: items
    path = source or "items"
    found = json_path.read(input, path)
    if isinstance(found, list):
        return found, lambda items: _replaced(input, path, items)
    raise NodeError(_nothing_there(input, source, found), code="NOT_A_LIST", retryable=False)


def _replaced(input: JSON, path: str, items: list[JSON]) -> JSON:
    if isinstance(input, dict) and path in input:
        return {**input, path: items}
    result = copy.copy(input)
    place, (*parents, last) = result, path.split(".")
    for step in parents:
        key = int(step) if isinstance(place, list) else step
        place[key] = copy.copy(place[key])
        place = place[key]
    place[int(last) if isinstance(place, list) else last] = items
    return result


def _nothing_there(input: JSON, source: str | None, found: JSON) -> str:
    where = f"items: {source!r} in the input" if source else "items: the input"
    if source is None and isinstance(input, dict):
        return (
            "items: the input is an object without a list named items. Name the list: "
            f"{', '.join(_lists(input)) or 'the input has none'}"
        )
    got = found if source else input
    kind = "missing" if got is None else f"not a list but {_KINDS.get(type(got), 'a number')}"
    return f"{where} is {kind}. Give a list, as an expression or as a path"


def _lists(input: dict[str, JSON]) -> list[str]:
    return [key for key, value in input.items() if isinstance(value, list)][:10]


_KINDS: dict[type, str] = {str: "text", bool: "a boolean", dict: "an object"}
