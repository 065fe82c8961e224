"""Workflows written in Python say what they seem to say."""

from __future__ import annotations

import pytest

from flowscope.definition import Edge, Node, Policy, Retry, Settings, decode
from flowscope.definition.builder import WorkflowBuilder
from flowscope.definition.catalogue import Catalogue
from flowscope.errors import DefinitionInvalid


def ends(flow: WorkflowBuilder) -> list[tuple[str, str, str, str]]:
    return [(edge.source, edge.source_handle, edge.target, edge.target_handle) for edge in flow.build().edges]


def test_reads_as_it_is_written() -> None:
    flow = WorkflowBuilder("orders", name="Orders", timeout=60_000, vars={"limit": 100})
    start = flow.add("manual_trigger")
    fetch = flow.add("http_request", label="Fetch", url="u", follow_redirects=True, retry=3).after(start)
    large = flow.add("if_else", condition="{{ $json.total > 100 }}").after(fetch)
    large["true"] >> flow.add("set", id="large")
    with flow.container("map", id="each", items="{{ $json.items }}", retry=Retry(attempts=2, max_delay=5)).after(fetch):
        flow.add("set")
    workflow = flow.build()
    assert (workflow.id, workflow.name) == ("orders", "Orders")
    assert (workflow.settings, workflow.vars) == (Settings(timeout=60_000), {"limit": 100})
    bare = [Node(n.id, n.type, n.label, n.config, n.policy, n.parent_id) for n in workflow.nodes]
    assert bare == [
        Node("manual_trigger", "manual_trigger", "manual_trigger", {}, Policy()),
        Node("http_request", "http_request", "Fetch", {"url": "u", "followRedirects": True}, Policy(Retry(3))),
        Node("if_else", "if_else", "if_else", {"condition": "{{ $json.total > 100 }}"}, Policy()),
        Node("large", "set", "large", {}, Policy()),
        Node("each", "map", "each", {"items": "{{ $json.items }}"}, Policy(Retry(attempts=2, max_delay=5))),
        Node("set", "set", "set", {}, Policy(), "each"),
    ]
    assert workflow.edges[2] == Edge("if_else->large", "if_else", "large", "true", "input")
    assert all(node.position for node in workflow.nodes)


def test_arrows() -> None:
    flow = WorkflowBuilder("w")
    a, b, c, d = (flow.add("set", id=id) for id in "abcd")
    a >> [b, c] >> d
    a["error"] >> d
    d.after(a, b["x"], into="left")
    assert ends(flow) == [
        ("a", "output", "b", "input"),
        ("a", "output", "c", "input"),
        ("b", "output", "d", "input"),
        ("c", "output", "d", "input"),
        ("a", "error", "d", "input"),
        ("a", "output", "d", "left"),
        ("b", "x", "d", "left"),
    ]
    assert len({edge.id for edge in flow.build().edges}) == 7


def test_ids_follow_the_type() -> None:
    flow = WorkflowBuilder("w")
    flow.add("set", id="set_2")
    assert [flow.add("set").id for _ in range(3)] == ["set", "set_3", "set_4"]
    with pytest.raises(ValueError, match="already a node 'set_3'"):
        flow.add("math", id="set_3")


def test_config_for_keys_that_are_no_keywords() -> None:
    flow = WorkflowBuilder("w")
    flow.add("set", config={"id": 1, "snake_case": 2}, from_="a", max_items_per_page=3)
    assert flow.build().nodes[0].config == {"id": 1, "snake_case": 2, "from": "a", "maxItemsPerPage": 3}


def test_bodies_nest_and_end() -> None:
    flow = WorkflowBuilder("w")
    with flow.container("map") as outer:
        with flow.container("loop") as inner:
            deep = flow.add("set")
        beside = flow.add("set").after(inner)
    outside = flow.add("set").after(outer)
    parents = {node.id: node.parent_id for node in flow.build().nodes}
    assert parents == {"map": None, "loop": "map", deep.id: "loop", beside.id: "map", outside.id: None}


def test_the_json_is_a_value_of_its_own() -> None:
    flow = WorkflowBuilder("w")
    fields = {"a": 1}
    flow.add("set", fields=fields)
    document = flow.to_json()
    fields["a"] = 2
    assert document["nodes"][0]["data"]["config"] == {"fields": {"a": 1}}
    assert decode(document) != flow.build()


def test_build_validates_against_a_catalogue(catalogue: Catalogue) -> None:
    flow = WorkflowBuilder("w")
    flow.add("sett")
    assert flow.build().nodes[0].type == "sett"
    with pytest.raises(DefinitionInvalid, match="Did you mean 'set'"):
        flow.build(catalogue)
