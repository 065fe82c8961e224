"""The shape of a workflow: what is read, what is worked out, and what is refused where."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from flowscope.definition import Edge, Limits, Node, Policy, Retry, Settings, Workflow, decode
from flowscope.errors import DefinitionInvalid


def document(*nodes: Any, edges: Any = (), **rest: Any) -> dict[str, Any]:
    return {"nodes": list(nodes), "edges": list(edges), **rest}


def node(id: Any = "a", **config: Any) -> dict[str, Any]:
    return {"id": id, "data": {"type": "set", "config": config}}


def problems(value: Any) -> dict[str, str]:
    with pytest.raises(DefinitionInvalid) as caught:
        decode(value)
    return {problem.place: f"{problem.message}. {problem.remedy}" for problem in caught.value.problems}


def edges_of(*edges: Any) -> tuple[Edge, ...]:
    return decode(document(node("a"), node("b"), edges=edges)).edges


def policy_of(**config: Any) -> Policy:
    return decode(document(node(**config))).nodes[0].policy


def test_reads_everything() -> None:
    workflow = decode(
        {
            "id": "orders",
            "name": "Orders",
            "viewport": {"zoom": 1},
            "nodes": [
                {
                    "id": "start",
                    "type": "custom",
                    "selected": True,
                    "data": {"type": "manual_trigger", "label": "Start"},
                },
                {
                    "id": "fetch",
                    "type": "custom",
                    "position": {"x": 10, "y": -2.5},
                    "parentId": "start",
                    "data": {"type": "http_request", "icon": "globe", "config": {"url": "u", "retry": 3}},
                },
            ],
            "edges": [{"id": "e", "source": "start", "target": "fetch", "animated": True}],
            "settings": {"timeout": 5_000},
            "vars": {"a": 1},
        }
    )
    assert isinstance(workflow, Workflow)
    assert (workflow.id, workflow.name) == ("orders", "Orders")
    assert workflow.nodes == (
        Node("start", "manual_trigger", "Start", {}, Policy()),
        Node("fetch", "http_request", "fetch", {"url": "u"}, Policy(retry=Retry(attempts=3)), "start", (10, -2.5)),
    )
    assert workflow.edges == (Edge("e", "start", "fetch", "output", "input"),)
    assert (workflow.settings, workflow.vars) == (Settings(timeout=5_000), {"a": 1})
    assert workflow.hash == hashlib.sha256(workflow.document).hexdigest()


def test_the_workflow_is_not_the_callers_value() -> None:
    value = document(node(fields={"a": 1}))
    workflow = decode(value)
    value["nodes"][0]["data"]["config"]["fields"]["a"] = 2
    assert workflow.nodes[0].config == {"fields": {"a": 1}}


def test_the_hash_knows_no_key_order_but_the_order_of_lists() -> None:
    first = decode('{"nodes": [{"id": "a", "data": {"type": "set"}}], "edges": []}')
    again = decode('{"edges": [], "nodes": [{"data": {"type": "set"}, "id": "a"}]}')
    assert first == again
    assert decode(document(node("a"), node("b"))).hash != decode(document(node("b"), node("a"))).hash
    assert decode(first.document) == first


@pytest.mark.parametrize(
    ("said", "worked_out"),
    [
        ({"id": "x"}, ("x", "x")),
        ({"name": "Daily Report (v2)"}, ("daily-report-v2", "Daily Report (v2)")),
        ({"id": "x", "name": "Y"}, ("x", "Y")),
        ({"id": None, "name": "N"}, ("n", "N")),
    ],
)
def test_id_and_name(said: dict[str, Any], worked_out: tuple[str, str]) -> None:
    workflow = decode(document(node(), **said))
    assert (workflow.id, workflow.name) == worked_out


def test_a_workflow_without_words_is_named_after_its_hash() -> None:
    workflow = decode(document(node(), name="日報"))
    assert workflow.id == f"workflow-{workflow.hash[:12]}"
    assert workflow.name == "日報"


@pytest.mark.parametrize(
    ("said", "source_handle", "target_handle"),
    [
        ({}, "output", "input"),
        ({"sourceHandle": None, "targetHandle": ""}, "output", "input"),
        ({"sourceHandle": "output_true", "targetHandle": "left"}, "true", "left"),
        ({"sourceHandle": "output_false"}, "false", "input"),
        ({"sourceHandle": "x", "isDefault": True}, "default", "input"),
        ({"data": {"isDefault": True}}, "default", "input"),
        ({"isDefault": False, "data": {"isDefault": None}, "sourceHandle": "x"}, "x", "input"),
    ],
)
def test_handles(said: dict[str, Any], source_handle: str, target_handle: str) -> None:
    (edge,) = edges_of({"source": "a", "target": "b", **said})
    assert (edge.source_handle, edge.target_handle) == (source_handle, target_handle)


def test_edges_without_an_id_are_named_apart() -> None:
    bare = {"source": "a", "target": "b"}
    assert [edge.id for edge in edges_of(bare, {**bare, "id": "a->b (2)"}, bare, bare)] == [
        "a->b",
        "a->b (2)",
        "a->b (3)",
        "a->b (4)",
    ]


def test_policy() -> None:
    retry = {"attempts": 5, "delay": 10, "factor": 1.5, "maxDelay": 100, "jitter": 0}
    assert policy_of(
        retry=retry, timeout=0, continueOnError=True, join="any", onLost="ask", resources="cpu", disabled=True
    ) == Policy(Retry(5, 10, 1.5, 100, 0), 0, True, "any", "ask", "cpu", True)
    assert policy_of(retry=None, timeout=None, join=None, url="u") == Policy()
    assert policy_of(retry={}) == Policy(retry=Retry())


@pytest.mark.parametrize(
    ("config", "place", "words"),
    [
        ({"retry": 0}, "retry", "from 1 to 100, not the number 0"),
        ({"retry": 101}, "retry", "from 1 to 100"),
        (
            {"retry": True},
            "retry",
            'must be an object or a number of attempts, not true. For example 3, or {"attempts"',
        ),
        ({"retry": {"attempts": 2.5}}, "retry.attempts", "must be a whole number"),
        ({"retry": {"attempts": "3"}}, "retry.attempts", "not a text. Write it without quotes: 3"),
        ({"retry": {"delay": -1}}, "retry.delay", "from 0 to"),
        ({"retry": {"factor": 0.5}}, "retry.factor", "from 1 to"),
        ({"retry": {"jitter": 2}}, "retry.jitter", "from 0 to 1,"),
        ({"retry": {"maxDelay": 10**400}}, "retry.maxDelay", "not a number"),
        ({"retry": {"max_delay": 1}}, "retry.max_delay", "is not a setting of retry. It has: attempts, delay"),
        ({"timeout": "{{ $json.t }}"}, "timeout", "an expression cannot be used here"),
        ({"timeout": -1}, "timeout", "a number of milliseconds from 0 to"),
        ({"timeout": []}, "timeout", "not a list"),
        ({"continueOnError": "yes"}, "continueOnError", 'must be true or false, not the text "yes"'),
        ({"join": "some"}, "join", 'must be "all" or "any"'),
        ({"onLost": "reruns"}, "onLost", "Did you mean 'rerun'?"),
        ({"resources": 1}, "resources", 'must be "io" or "cpu", not the number 1'),
        ({"disabled": 0}, "disabled", "must be true or false"),
    ],
)
def test_a_policy_is_what_it_says_or_refused(config: dict[str, Any], place: str, words: str) -> None:
    found = problems(document(node(**config)))
    assert list(found) == [f"nodes[0].data.config.{place}"]
    assert words in found[f"nodes[0].data.config.{place}"]


@pytest.mark.parametrize(
    ("id", "words"),
    [
        (None, "is required"),
        ("", "is empty"),
        (7, "must be a text, not the number 7. Put it in quotes"),
        (True, "must be a text, not true"),
        ([], "must be a text, not a list"),
        ("x" * 129, "is longer than 128 characters: 129"),
        (" a", "begins or ends with a space"),
        ("a\n", "begins or ends with a space"),
        ("\u00a0", "begins or ends with a space"),
        ("a\0b", "cannot be seen: U+0000"),
        ("a\u200bb", "cannot be seen: U+200B"),
        ("a\x7fb", "cannot be seen: U+007F"),
        ("a\u202eb", "cannot be seen: U+202E"),
    ],
)
def test_ids_can_be_seen(id: Any, words: str) -> None:
    assert words in problems(document(node(id)))["nodes[0].id"]
    assert words in problems(document(node(), edges=[{"source": id, "target": "a"}]))["edges[0].source"]


def test_ids_may_be_any_visible_text() -> None:
    ids = ["x" * 128, "a b", "naïve-Ünïcode", "節点", "a.b[0]", "🎉"]
    assert [read.id for read in decode(document(*map(node, ids))).nodes] == ids


def test_every_wrong_type_is_named_in_document_order() -> None:
    found = problems(
        {
            "vars": [],
            "settings": {"timeout": "1"},
            "id": 5,
            "name": 5,
            "nodes": [
                None,
                {"id": "a", "position": {"x": 1}, "parentId": 4},
                {"id": "b", "position": "here", "data": []},
                {"id": "c", "type": "set", "data": {"label": 1, "config": "x"}},
            ],
            "edges": ["a", {"source": "a", "sourceHandle": 1, "targetHandle": " ", "isDefault": 1, "id": ""}],
        }
    )
    assert list(found) == [
        "id",
        "name",
        "nodes[0]",
        "nodes[1].parentId",
        "nodes[1].position.y",
        "nodes[1].data",
        "nodes[2].position",
        "nodes[2].data",
        "nodes[3].data.label",
        "nodes[3].data.type",
        "nodes[3].data.config",
        "edges[0]",
        "edges[1].id",
        "edges[1].target",
        "edges[1].sourceHandle",
        "edges[1].isDefault",
        "edges[1].targetHandle",
        "settings.timeout",
        "vars",
    ]
    assert "the type beside data only chooses how it is drawn" in found["nodes[3].data.type"]


@pytest.mark.parametrize(
    ("value", "place", "words"),
    [
        ({}, "nodes", "are required"),
        ({"nodes": {}}, "nodes", "must be a list, not an object"),
        ({"nodes": [], "edges": "none"}, "edges", 'must be a list, not the text "none"'),
    ],
)
def test_lists(value: Any, place: str, words: str) -> None:
    assert words in problems(value)[place]


def test_limits() -> None:
    limits = Limits(nodes=2, edges_per_node=1)
    edge = {"source": "a", "target": "b"}
    decode(document(node("a"), node("b"), edges=[edge, edge]), limits=limits)
    with pytest.raises(DefinitionInvalid, match="nodes: are too many: 3, the limit is 2"):
        decode(document(node("a"), node("b"), node("c")), limits=limits)
    with pytest.raises(DefinitionInvalid, match="edges: are too many: 3 for 2 nodes"):
        decode(document(node("a"), node("b"), edges=[edge] * 3), limits=limits)


def test_more_problems_than_anybody_reads_are_counted() -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        decode(document(*[None] * 250))
    assert len(caught.value.problems) == 101
    assert str(caught.value.problems[-1]) == "and 150 more problems. Mend these first"
