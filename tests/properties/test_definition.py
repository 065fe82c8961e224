"""Whatever is sent as a workflow, it is decoded or refused with places that the sender can find."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowscope.definition import decode, load, validate
from flowscope.definition.builder import WorkflowBuilder
from flowscope.definition.catalogue import Role
from flowscope.definition.drawing import as_svg, as_text
from flowscope.definition.workflow import JSON, Effects, Resources, Retry
from flowscope.errors import DefinitionInvalid, Problem


class AnyConfig:
    """A node type that takes any config."""

    effects: Effects = "pure"
    resources: Resources = "io"
    retry = Retry()
    timeout = 0.0

    def __init__(self, type: str, role: Role, handles: tuple[str, ...] | None = ("output",)) -> None:
        self.type = type
        self.role: Role = role
        self.handles = handles

    def check(self, config: dict[str, JSON], place: str) -> list[Problem]:
        return []

    def check_expressions(self, text: str, place: str) -> list[Problem]:
        return []


class FewTypes:
    def __init__(self) -> None:
        kinds = [
            AnyConfig("start", "trigger"),
            AnyConfig("set", "task"),
            AnyConfig("if_else", "task", ("true", "false")),
            AnyConfig("map", "container"),
        ]
        self._kinds = {kind.type: kind for kind in kinds}

    def find(self, type: str) -> AnyConfig | None:
        return self._kinds.get(type)

    def types(self) -> Iterable[str]:
        return self._kinds

    def instead_of(self, type: str) -> str | None:
        return None


CATALOGUE = FewTypes()
VALID: dict[str, Any] = {
    "id": "w",
    "name": "W",
    "nodes": [
        {"id": "s", "type": "x", "position": {"x": 0, "y": 1}, "data": {"type": "start", "label": "S"}},
        {"id": "i", "data": {"type": "if_else", "config": {"condition": "c", "retry": {"attempts": 2, "delay": 5}}}},
        {"id": "m", "data": {"type": "map", "config": {"timeout": 10, "join": "any", "continueOnError": True}}},
        {"id": "a", "parentId": "m", "data": {"type": "set", "config": {"fields": {"x": [1, {"y": None}]}}}},
        {"id": "b", "parentId": "m", "data": {"type": "set", "config": {"disabled": False, "onLost": "fail"}}},
    ],
    "edges": [
        {"id": "e", "source": "s", "target": "i"},
        {"source": "i", "target": "m", "sourceHandle": "output_true", "targetHandle": None},
        {"source": "a", "target": "b", "isDefault": False, "data": {"isDefault": None}},
    ],
    "settings": {"timeout": 1000},
    "vars": {"k": "v"},
}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["a", "b", "m", "s", "i", "set", "map", "start", "\0", " ", "output", "x" * 200])
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    found = []
    queue = [value]
    for container in queue:
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                queue.append(container[key])
    return found


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    document = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 4))):
        places = places_in(document)
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(["replace", "remove", "copy"]))
        if kind == "replace":
            container[key] = draw(values)
        elif kind == "copy":
            other, other_key = draw(st.sampled_from(places))
            if other_key in other if isinstance(other, dict) else other_key < len(other):
                container[key] = copy.deepcopy(other[other_key])
        elif isinstance(container, dict) or key < len(container):
            del container[key]
    return document


def exists(document: Any, place: str) -> bool:
    """Whether a place is in the document, or would be a member of what is."""
    if not place:
        return True
    parts = re.findall(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.\[\]]+)', place)
    at = document
    for number, (index, quoted, key) in enumerate(parts):
        last = number == len(parts) - 1
        if index:
            if not isinstance(at, list) or int(index) >= len(at):
                return False
            at = at[int(index)]
            continue
        if not isinstance(at, dict):
            return False
        name = json.loads(f'"{quoted}"') if quoted else key
        if name not in at:
            return last
        at = at[name]
    return True


@given(mutations())
def test_a_mutation_is_loaded_or_refused_with_places_that_exist(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for form in (document, text, text.encode()):
        try:
            workflow = load(form, CATALOGUE)
        except DefinitionInvalid as error:
            assert error.problems
            assert all(exists(document, problem.place) for problem in error.problems), error
        else:
            assert validate(workflow, CATALOGUE) == []
            assert decode(workflow.document) == workflow


@given(mutations())
def test_what_decodes_can_be_drawn(document: dict[str, Any]) -> None:
    try:
        workflow = decode(document)
    except DefinitionInvalid:
        return
    assert as_text(workflow)
    assert as_svg(workflow).endswith("</svg>\n")


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_noise_is_refused(noise: bytes | str) -> None:
    with pytest.raises(DefinitionInvalid):
        load(noise, CATALOGUE)


@given(st.data())
def test_damaged_text_is_loaded_or_refused(data: st.DataObject) -> None:
    text = bytearray(json.dumps(VALID).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(start + 5, len(text))))
        text[start:stop] = data.draw(
            st.sampled_from([b"", b"{", b"[[", b'"', b"\\", b"\xff", b"NaN", b"1e999", b":", b","])
        )
    try:
        load(bytes(text), CATALOGUE)
    except DefinitionInvalid as error:
        assert error.problems


@given(values, st.integers())
def test_the_hash_does_not_depend_on_the_order_of_keys(value: Any, seed: int) -> None:
    def shuffled(part: Any) -> Any:
        if isinstance(part, list):
            return [shuffled(item) for item in part]
        if isinstance(part, dict):
            keys = list(part)
            random.Random(seed).shuffle(keys)
            return {key: shuffled(part[key]) for key in keys}
        return part

    document = {**VALID, "vars": {"value": value}}
    plain, other = decode(document), decode(json.dumps(shuffled(document), indent=1))
    assert plain == other
    assert plain.hash == other.hash


names = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=("L", "N", "P", "S")), min_size=1, max_size=8
)


@given(
    st.dictionaries(names, st.tuples(names, st.dictionaries(names.map("x".__add__), values, max_size=2)), min_size=1),
    st.lists(st.tuples(st.integers(0, 99), names, st.integers(0, 99), names), max_size=10),
)
def test_a_built_workflow_is_what_was_said(
    said: dict[str, tuple[str, dict[str, Any]]], joined: list[tuple[int, str, int, str]]
) -> None:
    flow = WorkflowBuilder("w")
    steps = [flow.add(type, id=id, config=config) for id, (type, config) in said.items()]
    for source, handle, target, into in joined:
        steps[target % len(steps)].after(steps[source % len(steps)][handle], into=into)
    workflow = flow.build()
    assert {node.id: (node.type, node.config) for node in workflow.nodes} == said
    ends = [(edge.source, edge.source_handle, edge.target, edge.target_handle) for edge in workflow.edges]
    ids = list(said)
    assert ends == [(ids[a % len(ids)], handle, ids[b % len(ids)], into) for a, handle, b, into in joined]
    assert decode(json.dumps(flow.to_json())) == workflow
