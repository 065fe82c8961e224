"""Whatever they are given, nodes answer or fail with an error of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowscope.errors import FlowscopeError, NodeDenied, NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.addresses import is_public, unwrapped
from flowscope.nodes.conditions import Operator, compare, same
from flowscope.nodes.file_roots import RootedFile
from unit.nodes.bench import REGISTRY, Bench

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["1", "-2.5", "true", "a.b", "2026-01-01"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abk"), below, max_size=3),
    max_leaves=8,
)  # fmt: skip
PURE = [type_ for type_ in REGISTRY if type_.effects == "pure"]
KEYS = sorted({name for type_ in PURE for name in type_.schema().get("properties", {})})
PARTS = st.sampled_from(
    ["..", ".", "", "a", "sub", "out", "in", ".x", "~", "data", "a\0b", "*", "é", "..\\..", "%2e%2e", "CON", "\n"]
)


@settings(max_examples=300)
@given(VALUES, st.sampled_from(get_args(Operator)), VALUES)
def test_comparisons(left: Any, operator: Operator, right: Any) -> None:
    try:
        assert compare(left, operator, right) in (True, False)
    except NodeError as error:
        assert not error.retryable


@given(VALUES, VALUES)
def test_sameness_goes_both_ways(left: Any, right: Any) -> None:
    assert same(left, right) == same(right, left)
    assert same(left, left)


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PURE), st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4), VALUES, st.data())
async def test_pure_nodes(type_: Any, config: dict[str, Any], value: Any, data: Any) -> None:
    known = type_.schema().get("properties", {})
    config = {**(type_.example or {}), **{key: each for key, each in config.items() if key in known}}
    try:
        answer = await Bench().run(
            type_.type, config, value, {"vars": {"minimum": 1}, "state": {"page": 1, "pages": 2}}
        )
        if answer is None or isinstance(answer, dict | list | str):
            json_text.parse(msgspec.json.encode(answer), "answer")
    except FlowscopeError:
        pass


@given(st.lists(PARTS, min_size=1, max_size=6).map("/".join), st.booleans())
def test_no_path_leaves_the_root(tmp_path_factory: pytest.TempPathFactory, path: str, absolute: bool) -> None:
    root = _tree(tmp_path_factory)
    try:
        file = RootedFile(f"/{path}" if absolute else path, Bench(root, private=(root / "data",)).surroundings)
    except NodeDenied:
        return
    assert file.path == file.path.resolve()
    below = file.path.relative_to(root).parts
    assert below and below[0] != "data" and not any(part.startswith(".") for part in below)


def _tree(factory: pytest.TempPathFactory) -> Path:
    root = factory.getbasetemp().resolve() / "never-leaves"
    if not root.exists():
        (root / "sub").mkdir(parents=True)
        (root / "data").mkdir()
        (root / "out").symlink_to("/")
        (root / "in").symlink_to(root / "sub")
    return root


@given(st.text() | st.binary())
def test_json_text(text: str | bytes) -> None:
    try:
        value = json_text.parse(text, "text")
    except NodeError:
        return
    assert json_text.parse(json_text.stringify(value), "text") == value


@given(VALUES, st.text(st.sampled_from("abk0.1"), max_size=6), VALUES)
def test_what_is_put_can_be_read_and_nothing_else_changes(value: Any, path: str, put: Any) -> None:
    target = json_path.merged(value, {})
    before = msgspec.json.encode(target)
    copy = dict(target)
    json_path.put(copy, path, put)
    assert msgspec.json.encode(target) == before
    if path not in copy or "." not in path:
        assert path == "" or json_path.read(copy, path) == put


@given(st.ip_addresses())
def test_an_address_that_carries_an_internal_one_is_internal(address: Any) -> None:
    shown = str(address)
    if is_public(shown):
        assert is_public(str(unwrapped(shown)))
        assert address.version == 6 or not address.is_private
