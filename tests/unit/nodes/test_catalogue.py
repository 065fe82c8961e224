"""What every built-in node has, and the reference made of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flowscope.nodes.builtin import INSTEAD
from flowscope.nodes.credentials import CREDENTIAL_TYPES
from flowscope.nodes.reference import reference
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeConfig, NodeType, node
from unit.nodes.bench import REGISTRY

DELIVERED = {
    "manual_trigger", "noop", "simulate", "set", "set_variable", "edit_fields", "if_else", "switch", "merge", "filter", "sort", "limit",
    "aggregate", "summarize", "remove_duplicates", "split_out", "map", "loop", "split_in_batches", "wait",
    "stop_and_error", "execute_workflow", "log_output", "math", "text_formatter", "date_time", "json_parser",
    "read_file", "write_file", "csv_processor", "sqlite", "http_request", "try_catch", "error_trigger",
    "approval", "form", "rate_limit", "respond_to_webhook", "error_handler", "webhook", "schedule", "interval",
    "form_trigger", "workflow_trigger", "file_watch",
}  # fmt: skip

TOUCHING = {"files", "network", "database", "code", "ai"}
"""Categories whose nodes touch the world."""


def test_the_built_in_types_are_the_delivered_ones() -> None:
    assert set(REGISTRY.types()) >= DELIVERED


@pytest.mark.parametrize("type_", list(REGISTRY), ids=lambda each: each.type)
def test_every_type_says_what_it_is(type_: NodeType) -> None:
    assert type_.title
    assert type_.description.endswith(".")
    assert type_.icon != "box"
    if type_.category in TOUCHING:
        assert type_.effects == "external"
    for model in [type_.schema(), *type_.schema().get("$defs", {}).values()]:
        for name, field in model.get("properties", {}).items():
            assert field.get("description"), f"{type_.type}.{name}"
            assert drawn(field), f"{type_.type}.{name}: no type to draw a field by"


def drawn(field: dict[str, Any]) -> bool:
    """Whether a form knows what to draw."""
    return bool({"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"} & field.keys())


@pytest.mark.parametrize("type_", list(REGISTRY), ids=lambda each: each.type)
def test_a_setting_that_names_a_credential_says_which_fit(type_: NodeType) -> None:
    named = type_.schema()["properties"].get("credential")
    if named is not None:
        assert named["format"] == "credential"
        assert set(named["credentialTypes"]) <= set(CREDENTIAL_TYPES)
        assert named["credentialTypes"]


def test_all_that_lets_http_in_fits_a_request() -> None:
    (request,) = (one for one in REGISTRY if one.type == "http_request")
    named = request.schema()["properties"]["credential"]
    assert named["credentialTypes"] == ["http_basic", "http_bearer", "http_header"]


@pytest.mark.parametrize("type_", list(REGISTRY), ids=lambda each: each.type)
def test_every_example_is_a_good_config(type_: NodeType) -> None:
    assert type_.example is not None
    assert type_.check(type_.example, "data.config") == []


@pytest.mark.parametrize("type_", list(REGISTRY), ids=lambda each: each.type)
def test_every_type_refuses_what_it_does_not_know(type_: NodeType) -> None:
    (problem,) = type_.check({**(type_.example or {}), "nonsense": 1}, "nodes[0].data.config")
    assert problem.place == "nodes[0].data.config.nonsense"


def test_an_alias_is_the_same_type() -> None:
    assert REGISTRY.find("edit_fields") is REGISTRY.find("set")


def test_types_of_the_old_catalogue_are_told_what_to_use() -> None:
    for old, instead in INSTEAD.items():
        assert REGISTRY.find(old) is None
        assert REGISTRY.instead_of(old) == instead
        named = re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", instead)
        assert [name for name in named if name not in REGISTRY.types()] == [], f"{old}: {instead}"
    assert not set(INSTEAD) & set(REGISTRY.types())


def test_two_types_of_one_name_are_refused() -> None:
    noop = REGISTRY.find("noop")
    assert noop is not None
    with pytest.raises(ValueError, match="noop"):
        Registry([noop, noop])


def test_a_problem_names_its_place_and_leaves_expressions_alone() -> None:
    if_else = REGISTRY.find("if_else")
    assert if_else is not None
    problems = if_else.check({"conditions": [{"field": "a", "operator": "zz"}, {"value": "{{ x }}"}]}, "c")
    assert [problem.place for problem in problems] == ["c.conditions[0].operator", "c.conditions[1].field"]
    loop = REGISTRY.find("loop")
    assert loop is not None
    assert loop.check({"times": "{{ json.n }}"}, "c") == []


def test_the_alternatives_of_a_value_are_one_problem() -> None:
    wait = REGISTRY.find("wait")
    assert wait is not None
    (problem,) = wait.check({"duration": []}, "c")
    assert problem.place == "c.duration"


def test_a_function_with_strange_parameters_is_refused() -> None:
    with pytest.raises(TypeError, match="strange"):

        @node("odd", title="Odd", category="testing")
        def odd(config: NodeConfig, strange: int) -> None:
            """Odd."""


def test_the_reference_is_up_to_date() -> None:
    folder = Path(__file__).parents[3] / "docs" / "nodes"
    there = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    assert there == reference(folder / "examples"), "run: python -m flowscope.nodes.reference docs/nodes"
