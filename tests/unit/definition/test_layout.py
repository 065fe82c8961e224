"""Places: nothing overlaps, edges lead to the right, bodies hold what is in them."""

from __future__ import annotations

import random
from itertools import combinations

import pytest

from flowscope.definition.layout import BODY_HEADER, CARD_HEIGHT, CARD_WIDTH, Box, arrange


def overlap(one: Box, other: Box) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


def test_a_chain_is_a_straight_line() -> None:
    layout = arrange(dict.fromkeys("abc"), [("a", "b"), ("b", "c")])
    assert [box.y for box in layout.boxes.values()] == [0, 0, 0]
    assert layout.boxes["a"] == Box(0, 0, CARD_WIDTH, CARD_HEIGHT)
    assert (layout.width, layout.height) == (layout.boxes["c"].x + CARD_WIDTH, CARD_HEIGHT)


def test_handles_keep_their_order() -> None:
    layout = arrange(dict.fromkeys("azyx"), [("a", "z"), ("a", "y"), ("a", "x")])
    assert layout.boxes["z"].y < layout.boxes["y"].y < layout.boxes["x"].y


def test_an_edge_that_passes_over_a_node_goes_around_it() -> None:
    layout = arrange(dict.fromkeys("abc"), [("a", "b"), ("b", "c"), ("a", "c")])
    (start, end) = layout.lanes["a", "c"]
    box = layout.boxes["b"]
    assert (start[0], end[0]) == (box.x, box.x + box.width)
    assert start[1] == end[1]
    assert not box.y < start[1] < box.y + box.height


def test_a_container_is_as_large_as_its_body() -> None:
    parents = {"m": None, "a": "m", "n": "m", "b": "n", "after": None}
    layout = arrange(parents, [("a", "n"), ("m", "after"), ("a", "after")])
    outer, inner = layout.boxes["m"], layout.boxes["n"]
    for owner, inside in ((outer, layout.boxes["a"]), (outer, inner), (inner, layout.boxes["b"])):
        assert inside.x > 0
        assert inside.y >= BODY_HEADER
        assert inside.x + inside.width < owner.width
        assert inside.y + inside.height < owner.height
    assert layout.boxes["after"].x >= outer.width


@pytest.mark.parametrize("seed", range(8))
def test_nothing_overlaps(seed: int) -> None:
    chance = random.Random(seed)
    ids = [f"n{index}" for index in range(60)]
    edges = [(ids[a], ids[b]) for a, b in combinations(range(60), 2) if chance.random() < 0.04]
    layout = arrange(dict.fromkeys(ids), edges)
    assert not any(overlap(one, other) for one, other in combinations(layout.boxes.values(), 2))
    assert all(layout.boxes[a].x + CARD_WIDTH <= layout.boxes[b].x for a, b in edges)
    assert min(box.y for box in layout.boxes.values()) >= 0
    assert max(box.y + box.height for box in layout.boxes.values()) <= layout.height


def test_what_cannot_be_run_can_still_be_laid_out() -> None:
    layout = arrange({"a": None, "b": "gone"}, [("a", "b"), ("b", "a"), ("a", "a"), ("a", "gone")])
    assert set(layout.boxes) == {"a", "b"}
    assert arrange({}, []).boxes == {}
    cyclic = arrange(dict.fromkeys("abc"), [("a", "b"), ("b", "c"), ("c", "b")])
    assert len(cyclic.boxes) == 3


def test_a_full_graph_is_not_drowned_in_lanes() -> None:
    ids = [f"n{index}" for index in range(150)]
    layout = arrange(dict.fromkeys(ids), list(combinations(ids, 2)))
    assert sum(map(len, layout.lanes.values())) <= 2 * 4 * (150 + 150 * 149 // 2)
