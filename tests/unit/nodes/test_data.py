"""Nodes that shape plain values."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.errors import ConfigInvalid, NodeError
from unit.nodes.bench import Bench


@pytest.mark.parametrize(
    ("type_", "config", "input", "output"),
    [
        ("set", {"fields": {"b": "{{ a + 1 }}"}}, {"a": 1}, {"a": 1, "b": 2}),
        ("set", {"fields": '{"b": {{ a }}}'}, {"a": 1}, {"a": 1, "b": 1}),
        ("set", {"fields": {"u.name": "x", "u.age": 3}}, {"u": {"id": 1}}, {"u": {"id": 1, "name": "x", "age": 3}}),
        ("set", {"fields": {"a.b": 1}}, {"a": 5}, {"a": {"b": 1}}),
        ("set", {"fields": {"b": 1}}, [1], {"items": [1], "b": 1}),
        ("set", {"fields": {"b": 1}}, "x", {"value": "x", "b": 1}),
        ("edit_fields", {}, {"a": 1}, {"a": 1}),
        ("filter", {"conditions": [{"field": "n", "operator": ">", "value": 1}]}, [{"n": 1}, {"n": 2}, {}], [{"n": 2}]),
        ("filter", {"conditions": [{"field": "{{ item.n }}", "value": 2}]}, [{"n": 1}, {"n": 2}], [{"n": 2}]),
        (
            "filter",
            {"conditions": [{"field": "n", "value": "{{ want }}"}]},
            {"want": 1, "items": [{"n": 1}, {"n": 2}]},
            {"want": 1, "items": [{"n": 1}]},
        ),
        (
            "filter",
            {"items": "a.xs", "condition": "item % 2 == 0 and index > 0"},
            {"a": {"xs": [2, 3, 4], "y": 1}},
            {"a": {"xs": [4], "y": 1}},
        ),
        ("sort", {}, [3, "10", 2, None, "b", "a"], [2, 3, "10", "a", "b", None]),
        ("sort", {"field": "n", "order": "desc"}, [{"n": 1}, {}, {"n": 2}], [{"n": 2}, {"n": 1}, {}]),
        (
            "sort",
            {"keys": [{"field": "a"}, {"field": "b", "order": "desc"}]},
            [{"a": 1, "b": 1}, {"a": 0, "b": 1}, {"a": 1, "b": 2}],
            [{"a": 0, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}],
        ),
        ("limit", {}, list(range(20)), list(range(10))),
        ("limit", {"limit": 2, "offset": 1}, {"items": [1, 2, 3, 4], "k": 1}, {"items": [2, 3], "k": 1}),
        ("limit", {"limit": 2, "keep": "last", "offset": 1}, [1, 2, 3, 4], [2, 3]),
        ("limit", {"limit": 9, "keep": "last"}, [1], [1]),
        ("remove_duplicates", {}, [1, "1", 1.5, True, 1, {"a": 1, "b": 2}, {"b": 2, "a": 1}], [1, "1", 1.5, True, {"a": 1, "b": 2}]),
        ("remove_duplicates", {"fields": "a"}, [{"a": 1, "b": 1}, {"a": 1, "b": 2}], [{"a": 1, "b": 1}]),
        ("split_out", {"field": "xs"}, {"xs": [1, 2], "k": 1}, [1, 2]),
        ("split_out", {"field": "xs", "include": "all", "as": "x"}, [{"xs": [1], "k": 1}, {"k": 2}], [{"k": 1, "x": 1}]),
        ("aggregate", {"field": "n"}, [{"n": 1}, {"n": "2"}, {}], {"result": 3, "count": 3, "operation": "sum", "field": "n"}),
        ("aggregate", {"operation": "average"}, [1, 2], {"result": 1.5, "count": 2, "operation": "average", "field": ""}),
        (
            "summarize",
            {"groupBy": "k", "aggregations": [{"operation": "count"}, {"operation": "sum", "field": "v", "as": "t"}]},
            [{"k": "a", "v": 1}, {"k": "b", "v": 2}, {"k": "a", "v": 3}],
            [{"k": "a", "count": 2, "t": 4}, {"k": "b", "count": 1, "t": 2}],
        ),
        ("summarize", {}, {"items": [1, 2], "z": 1}, {"items": [{"count": 2}], "z": 1}),
        ("math", {"a": 1, "b": 2}, {}, {"result": 3}),
        ("math", {"operation": "power", "a": 2, "b": 63}, None, {"result": 2**63}),
        ("math", {"operation": "power", "a": 10, "b": 300}, None, {"result": 1e300}),
        ("math", {"operation": "round", "a": "2.675", "b": 1, "resultField": "r"}, {"x": 1}, {"x": 1, "r": 2.7}),
        ("math", {"operation": "percent", "a": 200, "b": 25}, [], {"items": [], "result": 50}),
        ("math", {"operation": "sqrt", "a": 9}, {}, {"result": 3}),
        ("text_formatter", {"template": "Hi {{ n }}: {{ o }}"}, {"n": 1, "o": [1]}, {"n": 1, "o": [1], "result": "Hi 1: [1]"}),
        ("json_parser", {"value": '{"a":[1]}'}, {}, {"result": {"a": [1]}}),
        ("json_parser", {"value": "{{ b }}"}, {"b": "[1]"}, {"b": "[1]", "result": [1]}),
        ("json_parser", {"operation": "stringify", "value": {"a": "é"}, "indent": 2}, None, {"result": '{\n  "a": "é"\n}'}),
        ("date_time", {"operation": "now"}, {}, {"result": "2026-01-01T00:00:00+00:00"}),
        ("date_time", {"value": "2026-07-01T12:00:00Z", "timezone": "Europe/Oslo"}, {}, {"result": "2026-07-01T14:00:00+02:00"}),
        ("date_time", {"value": 0, "format": "%d.%m.%Y %H:%M %%"}, {}, {"result": "01.01.1970 00:00 %"}),
        ("date_time", {"operation": "add", "value": "2026-01-31", "amount": 1, "unit": "month"}, {}, {"result": "2026-02-28T00:00:00+00:00"}),
        (  # a day is a day on the clock, 24 hours are 24 hours: the clocks change that night
            "date_time",
            {"operation": "add", "value": "2026-03-28T12:00", "amount": 1, "timezone": "Europe/Oslo"},
            {},
            {"result": "2026-03-29T12:00:00+02:00"},
        ),
        (
            "date_time",
            {"operation": "add", "value": "2026-03-28T12:00", "amount": 24, "unit": "hours", "timezone": "Europe/Oslo"},
            {},
            {"result": "2026-03-29T13:00:00+02:00"},
        ),
        ("date_time", {"operation": "subtract", "value": "2026-01-01", "amount": 1, "unit": "years"}, {}, {"result": "2025-01-01T00:00:00+00:00"}),
        ("date_time", {"operation": "diff", "value": "2026-01-01", "to": "2026-01-03T12:00Z"}, {}, {"result": 2.5}),
        ("date_time", {"operation": "diff", "value": "2026-03-31", "to": "2026-02-28", "unit": "months"}, {}, {"result": -1}),
        (
            "date_time",
            {"operation": "parse", "value": "17/05/2026", "inputFormat": "%d/%m/%Y"},
            {},
            {"result": "2026-05-17T00:00:00+00:00"},
        ),
    ],
)  # fmt: skip
async def test_output(bench: Bench, type_: str, config: Any, input: Any, output: Any) -> None:
    assert await bench.run(type_, config, input) == output


@pytest.mark.parametrize(
    ("type_", "config", "input", "says"),
    [
        ("set", {"fields": "[1]"}, {}, "fields: the text must be a JSON object"),
        ("set", {"fields": "{"}, {}, "fields: the text is not JSON"),
        ("filter", {"condition": "item.zz > 1"}, [{"z": 1}], "condition, item 0: .*zz"),
        ("sort", {}, {"a": 1}, "items"),
        ("split_out", {"field": "n"}, {"n": 1}, "'n' is not a list"),
        ("aggregate", {}, ["x"], "'x' is not a number"),
        ("math", {"operation": "divide", "a": 1, "b": 0}, {}, "division by zero"),
        ("math", {"operation": "power", "a": 10, "b": 10**9}, {}, "power"),
        ("math", {"operation": "power", "a": -8, "b": 0.5}, {}, "not a real number"),
        ("math", {"operation": "sqrt", "a": -1}, {}, "sqrt"),
        ("math", {"a": "x", "b": 1}, {}, "a: 'x' is not a number"),
        ("math", {"a": 1}, {}, "b: None is not a number"),
        ("math", {"operation": "multiply", "a": 1e308, "b": 10}, {}, "not a finite number"),
        ("json_parser", {"value": "NaN"}, {}, "value: the text is not JSON"),
        ("json_parser", {"value": "1e999"}, {}, "value: the text is not JSON"),
        ("json_parser", {"value": "[" * 66 + "]" * 66}, {}, "deeper than 64"),
        ("json_parser", {"value": "[" * 100_000}, {}, "deeper than 64"),
        ("json_parser", {"value": "9" * 40}, {}, "more than 64 bits"),
        ("date_time", {"value": "soon"}, {}, "value: 'soon' is not an instant"),
        ("date_time", {"timezone": "Mars/Base"}, {}, "Mars/Base"),
        ("date_time", {"timezone": "../../etc/passwd"}, {}, "is not known"),
        ("date_time", {"format": "%1000000000d"}, {}, "format: %1"),
        ("date_time", {"operation": "add", "amount": 10**15, "unit": "years"}, {}, "year must be"),
        ("date_time", {"operation": "add", "amount": 1e300}, {}, "add"),
        ("date_time", {"operation": "diff", "unit": "fortnights"}, {}, "'fortnights' is not known"),
    ],
)
async def test_refusal(bench: Bench, type_: str, config: Any, input: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says) as caught:
        await bench.run(type_, config, input)
    assert not caught.value.retryable


async def test_filter_without_a_question_is_refused(bench: Bench) -> None:
    with pytest.raises(ConfigInvalid, match="give conditions"):
        await bench.run("filter", {}, [])


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ("sum", 0.6), ("count", 4), ("average", 0.15), ("min", 0.1), ("max", 0.2), ("first", 0.1), ("last", 0.2),
        ("list", [0.1, 0.2, 0.1, 0.2]), ("unique", [0.1, 0.2]),
    ],
)  # fmt: skip
async def test_aggregations(bench: Bench, operation: str, result: Any) -> None:
    items = [0.1, 0.2, None, 0.1, 0.2]
    output = await bench.run("aggregate", {"operation": operation}, items)
    assert output["result"] == (pytest.approx(result) if isinstance(result, float) else result)


async def test_a_million_cents_add_up(bench: Bench) -> None:
    output = await bench.run("aggregate", {}, [0.01] * 1_000_000)
    assert output["result"] == 10_000.0
