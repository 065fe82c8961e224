"""Lists: filter, sort, limit, remove duplicates, split out. What comes out has the shape of what went in."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

import msgspec
from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import ExpressionError, NodeError
from flowscope.expressions import MappingScope, compile_template, evaluate
from flowscope.nodes import json_path
from flowscope.nodes.conditions import Combine, Condition, combined, compare, number, prepared_expression, truth
from flowscope.nodes.lists import ListSource, located
from flowscope.nodes.sdk import NodeConfig, node

_OF_ITEM = re.compile(r"\s*\{\{\s*\$?item\.([\w.$-]+)\s*\}\}\s*")


class Filter(ListSource):
    conditions: list[Condition] = Field(
        default_factory=list, description="The comparisons; `field` is a path in the item"
    )
    combine_operation: Combine = Field("AND", description="Whether all of them must hold, or one of them")
    condition: str = Field(
        "", description="A condition on `item` as text, such as `item.age >= 18`: one more beside `conditions`"
    )

    @model_validator(mode="after")
    def _something(self) -> Filter:
        if not self.conditions and not self.condition.strip():
            raise ValueError("give conditions, or condition: a text such as item.age >= 18")
        return self


def _prepare_filter(config: dict[str, JSON]) -> dict[str, JSON]:
    conditions = config.get("conditions")
    if not isinstance(conditions, list):
        return config
    return {**config, "conditions": [_path_in_item(condition) for condition in conditions]}


def _path_in_item(condition: JSON) -> JSON:
    """`{{ item.age }}` is not known before there is an item: it means the path `age`."""
    field = condition.get("field") if isinstance(condition, dict) else None
    found = _OF_ITEM.fullmatch(field) if isinstance(field, str) else None
    return {**condition, "field": found[1]} if found else condition


@node(
    "filter",
    title="Filter",
    category="data",
    icon="filter",
    effects="pure",
    raw_fields=frozenset({"condition"}),
    prepare=_prepare_filter,
    example={"conditions": [{"field": "price", "operator": "greater_than", "value": "{{ vars.minimum }}"}]},
)
def filter_items(config: Filter, input: JSON) -> JSON:
    """Keeps the items of a list for which the conditions hold. A field that is missing is null. `condition`
    sees `item`, `index` and the item's own fields."""
    items, rebuild = located(input, config.items)
    by_text = _by_text(config.condition)
    kept = []
    for index, item in enumerate(items):
        results = [compare(_field(item, each), each.operator, each.value) for each in config.conditions]
        if by_text:
            results.append(by_text(item, index))
        if combined(results, config.combine_operation):
            kept.append(item)
    return rebuild(kept)


def _field(item: JSON, condition: Condition) -> JSON:
    if not isinstance(condition.field, str):
        raise NodeError("conditions: field must be a path in the item", code="BAD_CONFIG", retryable=False)
    return json_path.read(item, condition.field)


def _by_text(condition: str) -> Callable[[JSON, int], bool] | None:
    if not condition.strip():
        return None
    template = compile_template(prepared_expression(condition))

    def holds(item: JSON, index: int) -> bool:
        fields = item if isinstance(item, dict) else {}
        scope = MappingScope({**fields, "item": item, "json": item, "index": index})
        try:
            return truth(evaluate(template, scope), "condition")
        except ExpressionError as error:
            raise NodeError(f"condition, item {index}: {error}", code=type(error).__name__, retryable=False) from None

    return holds


class SortKey(NodeConfig):
    """One thing to sort by."""

    field: str = Field("", description="A path in the item; empty is the item itself")
    order: Literal["asc", "desc"] = Field("asc", description="Rising or falling")


class Sort(ListSource):
    field: str = Field("", description="A path in the item; empty is the item itself")
    order: Literal["asc", "desc"] = Field("asc", description="Rising or falling")
    keys: list[SortKey] = Field(default_factory=list, description="Several keys, the most important first")


@node(
    "sort",
    title="Sort",
    category="data",
    icon="arrow-down-a-z",
    effects="pure",
    example={"field": "price", "order": "desc"},
)
def sort_items(config: Sort, input: JSON) -> JSON:
    """Sorts a list. Numbers come before texts, and what is missing comes last whatever the order; equal items
    keep their order."""
    items, rebuild = located(input, config.items)
    result = list(items)
    for key in reversed(config.keys or [SortKey(field=config.field, order=config.order)]):
        path, falling = key.field, key.order == "desc"
        present = [item for item in result if json_path.read(item, path) is not None]
        absent = [item for item in result if json_path.read(item, path) is None]
        present.sort(key=lambda item, path=path: rank(json_path.read(item, path)), reverse=falling)  # type: ignore[misc]
        result = present + absent
    return rebuild(result)


def rank(value: JSON) -> tuple[int, Any]:
    """A key to sort values of any kind by: booleans, numbers (and their texts), texts, then the rest as
    JSON."""
    if isinstance(value, bool):
        return 0, value
    spelled = number(value)
    if spelled is not None:
        return 1, spelled
    if isinstance(value, str):
        return 2, value
    return 3, msgspec.json.encode(value, order="deterministic")


class Limit(ListSource):
    limit: int = Field(10, ge=0, description="How many items to keep")
    offset: int = Field(0, ge=0, description="How many to leave out first")
    keep: Literal["first", "last"] = Field("first", description="From which end")


@node(
    "limit",
    title="Limit",
    category="data",
    icon="list-end",
    effects="pure",
    example={"limit": 3},
)
def limit_items(config: Limit, input: JSON) -> JSON:
    """Keeps the first, or the last, items of a list."""
    items, rebuild = located(input, config.items)
    if config.keep == "first":
        return rebuild(items[config.offset : config.offset + config.limit])
    end = max(0, len(items) - config.offset)
    return rebuild(items[max(0, end - config.limit) : end])


class RemoveDuplicates(ListSource):
    fields_: list[str] | str = Field(
        default_factory=list,
        alias="fields",
        description="The paths that make items equal, as a list or separated by commas; none: the whole item",
    )


@node(
    "remove_duplicates",
    title="Remove duplicates",
    category="data",
    icon="copy-minus",
    effects="pure",
    example={"fields": ["email"]},
)
def remove_duplicates(config: RemoveDuplicates, input: JSON) -> JSON:
    """Keeps the first of equal items."""
    items, rebuild = located(input, config.items)
    paths = names(config.fields_)
    seen: set[bytes] = set()
    kept = []
    for item in items:
        compared = [json_path.read(item, path) for path in paths] if paths else item
        mark = msgspec.json.encode(compared, order="deterministic")
        if mark not in seen:
            seen.add(mark)
            kept.append(item)
    return rebuild(kept)


def names(fields: list[str] | str) -> list[str]:
    """Field names given as a list, or as one text with commas."""
    listed = fields.split(",") if isinstance(fields, str) else fields
    return [name.strip() for name in listed if name.strip()]


class SplitOut(NodeConfig):
    field: str = Field("items", description="The path of the list in the input, or in each of its items")
    include: Literal["none", "all"] = Field(
        "none", description="`all`: each element comes with the other fields of where it stood, under `as`"
    )
    as_: str = Field("", alias="as", description="With `all`, the element's name; the last part of `field`")


@node(
    "split_out",
    title="Split out",
    category="data",
    icon="ungroup",
    effects="pure",
    example={"field": "lines", "include": "all", "as": "line"},
)
def split_out(config: SplitOut, input: JSON) -> list[JSON]:
    """Turns the list inside an object, or inside each object of a list, into one list of its elements."""
    parents = input if isinstance(input, list) else [input]
    return [element for parent in parents for element in _elements(config, parent)]


def _elements(config: SplitOut, parent: JSON) -> list[JSON]:
    elements = json_path.read(parent, config.field)
    if elements is None and isinstance(parent, dict):
        return []
    if not isinstance(elements, list):
        raise NodeError(
            f"field: {config.field!r} is not a list. Name the path of a list", code="NOT_A_LIST", retryable=False
        )
    if config.include == "none":
        return elements
    name = config.as_ or config.field.rpartition(".")[2]
    top = config.field.partition(".")[0]
    others = {key: value for key, value in parent.items() if key not in (top, config.field)}
    return [{**others, name: element} for element in elements]
