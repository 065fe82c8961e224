"""Many values into one, over a whole list or a group at a time. A tally holds a few numbers, however many it
has seen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, TypeAlias

import msgspec
from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path
from flowscope.nodes.conditions import number
from flowscope.nodes.lists import ListSource, located
from flowscope.nodes.sdk import NodeConfig, node
from flowscope.nodes.shaping import names, rank

Operation: TypeAlias = Literal["sum", "count", "average", "min", "max", "first", "last", "list", "unique"]


class Aggregation(NodeConfig):
    """One result of a group."""

    operation: Operation = Field("sum", description="What to work out; null is left out of all of them")
    field: str = Field("", description="The path of the value in the item; `count` needs none")
    as_: str = Field("", alias="as", description="The result's name; `sum_price` for the sum of `price`")

    @model_validator(mode="after")
    def _of_what(self) -> Aggregation:
        if not self.field and self.operation != "count":
            raise ValueError(f"{self.operation} needs a field")
        return self

    @property
    def name(self) -> str:
        return self.as_ or (f"{self.operation}_{self.field}" if self.field else self.operation)


class Tally:
    """One aggregation under way."""

    __slots__ = ("_best", "_compensation", "_count", "_field", "_kept", "_marks", "_operation", "_total", "add")

    def __init__(self, operation: Operation, field: str) -> None:
        self._operation = operation
        self._field = field
        self._count = 0
        self._total: int | float = 0
        self._compensation = 0.0
        self._best: JSON = None
        self._kept: list[JSON] = []
        self._marks: set[bytes] = set()
        self.add: Callable[[JSON], None] = getattr(self, _ADDERS[operation])

    def _add_count(self, value: JSON) -> None:
        if value is not None:
            self._count += 1

    def _add_sum(self, value: JSON) -> None:
        """Whole numbers add up exactly; fractions by Neumaier, so that a million cents are still right."""
        if value is None:
            return
        amount = value if type(value) is int or type(value) is float else self._amount(value)
        self._count += 1
        total = self._total + amount
        if type(total) is float and math.isfinite(total):
            big, small = (self._total, amount) if abs(self._total) >= abs(amount) else (amount, self._total)
            self._compensation += (big - total) + small
        self._total = total

    def _amount(self, value: JSON) -> int | float:
        amount = number(value)
        if amount is None:
            shown = repr(value) if not isinstance(value, list | dict) else "a list or an object"
            raise NodeError(
                f"{self._operation} of {self._field}: {shown[:60]} is not a number",
                code="NOT_A_NUMBER",
                retryable=False,
            )
        return amount

    def _add_min(self, value: JSON) -> None:
        if value is not None and (self._best is None or rank(value) < rank(self._best)):
            self._best = value

    def _add_max(self, value: JSON) -> None:
        if value is not None and (self._best is None or rank(value) > rank(self._best)):
            self._best = value

    def _add_first(self, value: JSON) -> None:
        if self._best is None:
            self._best = value

    def _add_last(self, value: JSON) -> None:
        if value is not None:
            self._best = value

    def _add_list(self, value: JSON) -> None:
        if value is not None:
            self._kept.append(value)

    def _add_unique(self, value: JSON) -> None:
        mark = msgspec.json.encode(value, order="deterministic")
        if value is not None and mark not in self._marks:
            self._marks.add(mark)
            self._kept.append(value)

    def result(self) -> JSON:
        """What it has come to: null (a sum: 0) where there was nothing."""
        if self._operation == "count":
            return self._count
        if self._operation in ("list", "unique"):
            return self._kept
        if self._operation not in ("sum", "average"):
            return self._best
        total = self._total + self._compensation if self._compensation else self._total
        if self._operation == "average":
            return self._finite(total / self._count) if self._count else None
        return self._finite(total)

    def _finite(self, value: int | float) -> int | float:
        value = value if isinstance(value, float) or -(2**63) <= value < 2**64 else float(value)
        if not math.isfinite(value):
            raise NodeError(f"{self._operation} of {self._field}: the result is too large", retryable=False)
        return value


_ADDERS: dict[str, str] = {
    "sum": "_add_sum",
    "average": "_add_sum",
    "count": "_add_count",
    "min": "_add_min",
    "max": "_add_max",
    "first": "_add_first",
    "last": "_add_last",
    "list": "_add_list",
    "unique": "_add_unique",
}


class Groups:
    """Tallies by group, in the order the groups were first seen."""

    def __init__(self, aggregations: list[Aggregation], limit: int = 1_000_000) -> None:
        self._aggregations = aggregations
        self._limit = limit
        self._groups: dict[Any, tuple[list[JSON], list[Tally]]] = {}

    def add(self, keys: list[JSON], values: Iterable[JSON]) -> None:
        """One item: the values it is grouped by, and one value an aggregation."""
        mark = _mark(keys)
        found = self._groups.get(mark)
        if found is None:
            if len(self._groups) >= self._limit:
                raise NodeError(
                    f"groupBy: more than {self._limit:,} groups. Group by something with fewer values",
                    code="TOO_MANY_GROUPS",
                    retryable=False,
                )
            found = self._groups[mark] = (keys, [Tally(each.operation, each.field) for each in self._aggregations])
        for tally, value in zip(found[1], values, strict=True):
            tally.add(value)

    def __iter__(self) -> Iterator[tuple[list[JSON], list[JSON]]]:
        """The values each group is grouped by, and its results."""
        for keys, tallies in self._groups.values():
            yield keys, [tally.result() for tally in tallies]


def _mark(keys: list[JSON]) -> Any:
    """Something hashable: texts, the common case, stand for themselves; 1 and true differ."""
    if all(type(key) is str for key in keys):
        return tuple(keys)
    return msgspec.json.encode(keys, order="deterministic")


class Aggregate(ListSource):
    operation: Operation = Field("sum", description="What to work out; null is left out of all of them")
    field: str = Field("", description="The path of the value in the item; empty is the item itself")


@node(
    "aggregate",
    title="Aggregate",
    category="data",
    icon="sigma",
    effects="pure",
    example={"operation": "average", "field": "price"},
)
def aggregate(config: Aggregate, input: JSON) -> JSON:
    """Works one value out of a list. The output is `{result, count, operation, field}`, `count` being the
    items."""
    items, _ = located(input, config.items)
    tally = Tally(config.operation, config.field or "the items")
    for item in items:
        tally.add(json_path.read(item, config.field))
    return {
        "result": tally.result(),
        "count": len(items),
        "operation": config.operation,
        "field": config.field,
    }


class Summarize(ListSource):
    group_by: list[str] | str = Field(
        default_factory=list,
        description="The paths to group by, as a list or separated by commas; none: one group of all",
    )
    aggregations: list[Aggregation] = Field(
        default_factory=lambda: [Aggregation(operation="count")], description="What to work out for each group"
    )


@node(
    "summarize",
    title="Summarize",
    category="data",
    icon="group",
    effects="pure",
    example={
        "groupBy": ["country"],
        "aggregations": [{"operation": "count"}, {"operation": "sum", "field": "amount", "as": "total"}],
    },
)
def summarize(config: Summarize, input: JSON) -> JSON:
    """Groups a list and works values out for each group: one object a group, in the order they first
    appear."""
    items, rebuild = located(input, config.items)
    paths = names(config.group_by)
    groups = Groups(config.aggregations)
    for item in items:
        keys = [json_path.read(item, path) for path in paths]
        groups.add(keys, [_value(item, each) for each in config.aggregations])
    columns = [*paths, *(each.name for each in config.aggregations)]
    return rebuild([dict(zip(columns, [*keys, *results], strict=True)) for keys, results in groups])


def _value(item: JSON, aggregation: Aggregation) -> JSON:
    """`count` without a field counts the items."""
    return json_path.read(item, aggregation.field) if aggregation.field else True
