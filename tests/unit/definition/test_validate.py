"""The rules of a graph: each is broken here once, and the message says where, what, and what to do."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from flowscope.definition import decode, load, validate
from flowscope.definition.catalogue import Catalogue
from flowscope.errors import DefinitionInvalid


def node(id: str, type: str = "set", parent: str | None = None, **config: Any) -> dict[str, Any]:
    inside = {} if parent is None else {"parentId": parent}
    return {"id": id, **inside, "data": {"type": type, "config": config}}


def edge(source: str, target: str, handle: str = "output") -> dict[str, Any]:
    return {"source": source, "target": target, "sourceHandle": handle}


def graph(nodes: list[Any], *edges: Any) -> dict[str, Any]:
    return {"id": "w", "nodes": nodes, "edges": list(edges)}


def chain(*ids: str) -> list[dict[str, Any]]:
    return [edge(source, target) for source, target in pairwise(ids)]


VALID = graph(
    [
        node("start", "manual_trigger"),
        node("fetch", "http_request", url="u"),
        node("check", "if_else"),
        node("each", "map"),
        node("try", "try_catch", "each"),
        node("risky", "set", "try"),
        node("after", "set", "each"),
        node("other", "switch"),
        node("end"),
        node("alarm", "error_trigger"),
        node("mail", "set"),
    ],
    *chain("start", "fetch", "check"),
    edge("check", "each", "true"),
    edge("check", "other", "false"),
    edge("fetch", "end", "error"),
    edge("try", "after", "catch"),
    edge("other", "end", "anything"),
    edge("alarm", "mail"),
)


def found(value: dict[str, Any], catalogue: Catalogue) -> list[str]:
    return [str(problem) for problem in validate(decode(value), catalogue)]


def test_a_workflow_without_problems(catalogue: Catalogue) -> None:
    assert found(VALID, catalogue) == []
    assert load(VALID, catalogue) == decode(VALID)


BROKEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no nodes": (graph([]), ["nodes: are none. Add a node"]),
    "unknown type": (
        graph([node("a", "http_requst"), node("b", "zzz")]),
        [
            "nodes[0].data.type: there is no node type \"http_requst\". Did you mean 'http_request'?",
            'nodes[1].data.type: there is no node type "zzz"',
        ],
    ),
    "old type": (
        graph([node("a", "gmail")]),
        ['nodes[0].data.type: "gmail" is not available here. Use http_request'],
    ),
    "config": (graph([node("a", "http_request")]), ["nodes[0].data.config.url: is required"]),
    "the same id": (
        graph([node("a"), node("b"), node("a")]),
        ['nodes[2].id: "a" is already the id of nodes[0]. Give each node an id of its own'],
    ),
    "the same edge id": (
        graph([node("a"), node("b"), node("c")], {**edge("a", "b"), "id": "e"}, {**edge("b", "c"), "id": "e"}),
        ['edges[1].id: "e" is already the id of edges[0]. Give each edge an id of its own, or none'],
    ),
    "the same edge": (
        graph([node("a", "if_else"), node("b")], edge("a", "b", "true"), edge("a", "b", "output_true")),
        ["edges[1]: joins the same handles as edges[0]. Remove one of them"],
    ),
    "dangling": (
        graph([node("fetch"), node("b")], edge("fetsh", "b"), edge("b", "zzzzzz")),
        [
            "edges[0].source: there is no node \"fetsh\". Did you mean 'fetch'?",
            'edges[1].target: there is no node "zzzzzz". Remove the edge, or add the node',
        ],
    ),
    "self-loop": (
        graph([node("a"), node("b")], edge("b", "b"), edge("a", "b")),
        ['edges[0]: leads from "b" back to itself. Remove it; to repeat work use a loop'],
    ),
    "cycle": (
        graph([node("s"), node("a"), node("b"), node("c")], *chain("s", "a", "b", "c", "a")),
        ["edges[3]: closes a cycle: a -> b -> c -> a. Remove one of its edges; to repeat work use a loop"],
    ),
    "two cycles": (
        graph([node(id) for id in "abcdef"], *chain("a", "b", "a"), *chain("b", "c", "d"), *chain("d", "e", "f", "d")),
        [
            "edges[1]: closes a cycle: a -> b -> a. Remove one of its edges; to repeat work use a loop",
            "edges[6]: closes a cycle: d -> e -> f -> d. Remove one of its edges; to repeat work use a loop",
        ],
    ),
    "cycle in a body": (
        graph([node("m", "map"), node("a", parent="m"), node("b", parent="m")], *chain("a", "b", "a")),
        ["edges[1]: closes a cycle: a -> b -> a. Remove one of its edges; to repeat work use a loop"],
    ),
    "unknown parent": (
        graph([node("loop", "map"), node("a", parent="lop"), node("b", parent="loop")]),
        ["nodes[1].parentId: there is no node \"lop\". Did you mean 'loop'?"],
    ),
    "parent without a body": (
        graph([node("a"), node("b", parent="a")]),
        ['nodes[1].parentId: "a" is of type set, which has no body. Only containers such as loop and map have one'],
    ),
    "inside each other": (
        graph([node("s"), node("a", "map", "b"), node("b", "map", "a"), node("c", "map", "c")]),
        [
            "nodes[1].parentId: nodes are inside each other: a -> b -> a. Remove one parentId",
            "nodes[3].parentId: nodes are inside each other: c -> c. Remove one parentId",
        ],
    ),
    "no body": (
        graph([node("m", "map")]),
        ['nodes[0]: the map "m" has no body. Put nodes inside it: those with parentId "m" are its body'],
    ),
    "across a wall": (
        graph(
            [node("s"), node("m", "map"), node("a", parent="m"), node("n", "map"), node("b", parent="n")],
            edge("s", "a"),
            edge("a", "b"),
            edge("m", "a"),
            edge("b", "n"),
        ),
        [
            'edges[0]: crosses the wall of "m": "a" is inside it, "s" is not. '
            'Join "m" itself, or move both nodes into one body',
            'edges[1]: crosses the wall of "n": "b" is inside it, "a" is not. '
            'Join "n" itself, or move both nodes into one body',
            'edges[2]: leads from "m" into its own body. '
            "Remove it: body nodes without an incoming edge start by themselves",
            'edges[3]: leads from the body of "n" back to it. '
            "Remove it: what the last nodes of a body return is its result",
        ],
    ),
    "trigger in a body": (
        graph([node("m", "map"), node("t", "manual_trigger", "m"), node("e", "error_trigger", "m")]),
        [
            'nodes[1].parentId: the trigger "t" cannot be inside "m". '
            "Triggers belong to the top level; body nodes start by themselves",
            'nodes[2].parentId: the trigger "e" cannot be inside "m". '
            "Triggers belong to the top level; body nodes start by themselves",
        ],
    ),
    "edge into a trigger": (
        graph([node("a"), node("t", "manual_trigger"), node("e", "error_trigger")], edge("a", "t"), edge("a", "e")),
        [
            'edges[0].target: "t" is a trigger: nothing can come before it',
            'edges[1].target: "e" is a trigger: nothing can come before it',
        ],
    ),
    "unknown handle": (
        graph([node("a", "if_else"), node("b")], edge("a", "b", "yes"), edge("a", "b", "error")),
        ['edges[0].sourceHandle: "a" (if_else) has no handle "yes". It has: true, false, error'],
    ),
    "no start": (
        graph([node("e", "error_trigger"), node("a")], edge("e", "a")),
        [
            "nodes: have no start: each one is an error trigger, behind one, or in a body. "
            "Add a node without an incoming edge at the top level, such as manual_trigger"
        ],
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_rule(rule: str, catalogue: Catalogue) -> None:
    value, messages = BROKEN[rule]
    assert found(value, catalogue) == messages


def test_load_tells_faults_of_shape_graph_and_config_together(catalogue: Catalogue) -> None:
    value = graph(
        [node("a", "nothing"), {"id": "b"}, node("c", "http_request", retry=0), None, node("a")],
        edge("a", "b", "no such"),
        edge("b", "x"),
        {"source": "b"},
    )
    with pytest.raises(DefinitionInvalid) as caught:
        load(value, catalogue)
    assert [problem.place for problem in caught.value.problems] == [
        "nodes[0].data.type",
        "nodes[1].data",
        "nodes[2].data.config.retry",
        "nodes[2].data.config.url",
        "nodes[3]",
        "nodes[4].id",
        "edges[1].target",
        "edges[2].target",
    ]


def test_a_long_cycle_is_named_in_short(catalogue: Catalogue) -> None:
    ids = [f"n{index}" for index in range(50_000)]
    (message,) = found(graph([node(id) for id in ids], *chain(*ids, "n0")), catalogue)
    assert "n9 -> … 49,989 more … -> n49999 -> n0" in message


def test_many_small_cycles_in_a_row(catalogue: Catalogue) -> None:
    ids = [f"n{index}" for index in range(20_000)]
    pairs = [edge(ids[index + 1], ids[index]) for index in range(0, len(ids), 2)]
    messages = found(graph([node(id) for id in ids], *chain(*ids), *pairs), catalogue)
    assert len(messages) == 101
    assert messages[-1] == "and 9,900 more problems. Mend these first"


def test_bodies_in_bodies_have_an_end(catalogue: Catalogue) -> None:
    def nested(levels: int) -> dict[str, Any]:
        bodies = [node(f"m{level}", "map", f"m{level - 1}" if level else None) for level in range(levels)]
        return graph([*bodies[::-1], node("inner", "set", f"m{levels - 1}")])

    assert found(nested(32), catalogue) == []
    assert found(nested(33), catalogue) == ["nodes[33].parentId: is in more than 32 bodies, one in another"]
    assert len(found(nested(5_000), catalogue)) == 1


def test_suggestions_are_not_made_without_end(catalogue: Catalogue) -> None:
    value = graph([node(f"n{index}") for index in range(3_000)], *[edge(f"x{index}", "n1") for index in range(3_000)])
    assert len(found(value, catalogue)) == 101
