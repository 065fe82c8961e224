"""What JSON Schemas that people and models write say of values, and what is refused as a schema."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flowscope.nodes.json_schema import LONGEST, MOST_TOLD, Schema, violations
from flowscope.nodes.sdk import NodeConfig

ORDER = {
    "type": "object",
    "properties": {"lines": {"type": "array", "items": {"properties": {"price": {"type": "number", "minimum": 0}}}}},
    "required": ["lines"],
    "additionalProperties": False,
}


class Config(NodeConfig):
    schema_: Schema


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"lines": [{"price": 1}]}, []),
        ({"lines": [{"price": 1}, {"price": -1}]}, ["lines[1].price: -1 is less than the minimum of 0"]),
        ({}, ['"lines" is a required property']),
        ({"lines": [], "x": 1}, ["Additional properties are not allowed ('x' was unexpected)"]),
        (["x" * LONGEST], ["is not as 'type' wants it"]),
    ],
)
def test_each_violation_names_its_place(value: Any, wanted: list[str]) -> None:
    assert violations(ORDER, value) == wanted


def test_of_many_violations_some_are_told() -> None:
    assert len(violations({"items": {"type": "string"}}, list(range(1_000)))) == MOST_TOLD


def test_a_pattern_takes_linear_time() -> None:
    assert violations({"pattern": "^(a+)+$"}, "a" * 100_000 + "b") == ["is not as 'pattern' wants it"]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"properties": {"x": {"type": "strnig"}}}, 'properties.x.type: "strnig" is not valid'),
        ({"pattern": "(a"}, "pattern: "),
        ({"$ref": "http://127.0.0.1:9/x"}, "Retrieval is disabled"),
        ({"$ref": "file:///etc/passwd"}, "Retrieval is disabled"),
        ({"$ref": "#/nowhere"}, "does not exist"),
    ],
)
def test_what_is_no_schema_is_refused_by_its_place(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Config(schema_=schema)
    message = refused.value.errors()[0]["msg"]
    assert "this is no JSON Schema: " in message and why in message


def test_a_schema_of_endless_depth_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5_000):
        schema = {"not": schema}
    with pytest.raises(ValueError, match="Recursion limit"):
        violations(schema, 1)
