"""Where nodes go in a picture: a layered drawing from left to right (Sugiyama, Tagawa and Toda, 1981).

Each scope is arranged by itself, the innermost first, so that a container is as large as its body needs. Within a scope:
a node's layer is the length of the longest way to it; an edge that passes over layers keeps a lane free in each; the
order in a layer follows the mean place of the neighbours (barycentre), a few sweeps to and fro; and each is then moved
towards its neighbours as far as the order allows. Costs O(n + e) apart from sorting. Graphs with cycles are arranged too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

CARD_WIDTH, CARD_HEIGHT = 216, 84
GAP_X, GAP_Y = 96, 36
BODY_HEADER, BODY_PADDING = 56, 28

_LANE = 20
_LANES_PER_EDGE = 4
_SWEEPS = 5


@dataclass(frozen=True, slots=True)
class Box:
    """A node's place, relative to its body's or the picture's upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(slots=True)
class Layout:
    """`boxes` by node id; `lanes` by edge (source, target): the points it goes through, relative like its nodes."""

    boxes: dict[str, Box] = field(default_factory=dict)
    lanes: dict[tuple[str, str], list[tuple[int, int]]] = field(default_factory=dict)
    width: int = 0
    height: int = 0


def arrange(parents: dict[str, str | None], edges: Iterable[tuple[str, str]]) -> Layout:
    """Places for nodes (each with its container's id or None) joined by edges; edges across scopes count for nothing."""
    bodies: dict[str | None, list[str]] = defaultdict(list)
    for node, parent in parents.items():
        bodies[parent if parent in parents else None].append(node)
    inner: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for source, target in edges:
        if source in parents and target in parents and parents[source] == parents[target]:
            parent = parents[source]
            inner[parent if parent in parents else None].append((source, target))
    layout = Layout()
    for owner in _innermost_first(bodies):
        sizes = [_size(node, bodies, layout) for node in bodies[owner]]
        width, height = _Scope(bodies[owner], sizes, inner[owner]).place(layout, inside=owner is not None)
        if owner is None:
            layout.width, layout.height = width, height
        else:
            layout.boxes[owner] = Box(0, 0, width + 2 * BODY_PADDING, height + BODY_HEADER + BODY_PADDING)
    return layout


def _innermost_first(bodies: dict[str | None, list[str]]) -> list[str | None]:
    order: list[str | None] = [None]
    for owner in order:
        order.extend(node for node in bodies[owner] if node in bodies)
    return order[::-1]


def _size(node: str, bodies: dict[str | None, list[str]], layout: Layout) -> tuple[int, int]:
    box = layout.boxes.get(node) if node in bodies else None
    return (box.width, box.height) if box else (CARD_WIDTH, CARD_HEIGHT)


class _Scope:
    """The items of one scope: its nodes, by number, and after them the lanes of edges that pass over layers."""

    def __init__(self, ids: Sequence[str], sizes: list[tuple[int, int]], edges: list[tuple[str, str]]) -> None:
        self.ids = ids
        self.widths = [width for width, _ in sizes]
        self.heights = [height for _, height in sizes]
        numbers = {node: number for number, node in enumerate(ids)}
        self.edges = list(dict.fromkeys((numbers[a], numbers[b]) for a, b in edges if a != b))
        self.layer_of = _longest_ways(len(ids), self.edges)
        self.lanes: dict[tuple[int, int], list[int]] = {}
        self.before: list[list[int]] = [[] for _ in ids]
        self.after: list[list[int]] = [[] for _ in ids]
        self._join()
        self.layers: list[list[int]] = [[] for _ in range(max(self.layer_of, default=-1) + 1)]
        for item, layer in enumerate(self.layer_of):
            self.layers[layer].append(item)

    def place(self, layout: Layout, *, inside: bool) -> tuple[int, int]:
        """Write the boxes and lanes; the width and height of it all."""
        self._order()
        centres = self._centres()
        tops = [centre - height / 2 for centre, height in zip(centres, self.heights, strict=True)]
        lift = min(tops, default=0)
        left, above = (BODY_PADDING, BODY_HEADER) if inside else (0, 0)
        columns = self._columns()
        for number, node in enumerate(self.ids):
            x, y = columns[self.layer_of[number]] + left, round(tops[number] - lift) + above
            layout.boxes[node] = Box(x, y, self.widths[number], self.heights[number])
        for (source, target), lanes in self.lanes.items():
            layout.lanes[self.ids[source], self.ids[target]] = [
                point
                for lane in lanes
                for point in self._across(lane, columns, left, round(centres[lane] - lift) + above)
            ]
        bottom = max((top + height for top, height in zip(tops, self.heights, strict=True)), default=0)
        return columns[-1] - GAP_X if self.layers else 0, round(bottom - lift)

    def _across(self, lane: int, columns: list[int], left: int, y: int) -> list[tuple[int, int]]:
        layer = self.layer_of[lane]
        return [(columns[layer] + left, y), (columns[layer + 1] - GAP_X + left, y)]

    def _join(self) -> None:
        """Neighbours, with a lane for every layer that an edge passes over; not without end in a graph full of those."""
        budget = _LANES_PER_EDGE * (len(self.ids) + len(self.edges))
        for source, target in self.edges:
            first, last = self.layer_of[source], self.layer_of[target]
            lanes = list(range(len(self.widths), len(self.widths) + max(last - first - 1, 0)))
            if len(lanes) > budget:
                lanes = []
            budget -= len(lanes)
            for layer, _ in enumerate(lanes, first + 1):
                self.layer_of.append(layer)
                self.widths.append(0)
                self.heights.append(_LANE)
                self.before.append([])
                self.after.append([])
            if lanes:
                self.lanes[source, target] = lanes
            for near, far in pairwise([source, *lanes, target]):
                if self.layer_of[near] < self.layer_of[far]:
                    self.after[near].append(far)
                    self.before[far].append(near)

    def _order(self) -> None:
        rank = [0.0] * len(self.layer_of)
        for layer in self.layers:
            for place, item in enumerate(layer):
                rank[item] = place
        # Of two items behind one node, the one whose edge was said first comes first: as the handles do.
        turn = [{item: place / len(items) for place, item in enumerate(items)} for items in self.after]
        for sweep in range(_SWEEPS):
            forward = sweep % 2 == 0
            for layer in self.layers if forward else reversed(self.layers):
                wish = {}
                for item in layer:
                    ahead = [rank[other] for other in self.after[item]]
                    behind = [rank[other] + turn[other][item] for other in self.before[item]]
                    wish[item] = _mean(behind if forward else ahead, rank[item])
                layer.sort(key=lambda item, wish=wish: wish[item])  # type: ignore[misc]
                for place, item in enumerate(layer):
                    rank[item] = place

    def _centres(self) -> list[float]:
        centres = [0.0] * len(self.layer_of)
        for layer in self.layers:
            self._settle(layer, centres, self.before)
        for layer in reversed(self.layers):
            self._settle(layer, centres, self.after)
        for layer in self.layers:
            self._settle(layer, centres, self.before)
        return centres

    def _settle(self, layer: list[int], centres: list[float], neighbours: list[list[int]]) -> None:
        """Each item as near its neighbours as the order allows: pushed down where need be, then all up by the mean."""
        wishes = [_mean([centres[other] for other in neighbours[item]], centres[item]) for item in layer]
        floor = float("-inf")
        pushed = 0.0
        for item, wish in zip(layer, wishes, strict=True):
            half = self.heights[item] / 2
            centres[item] = max(wish, floor + half)
            pushed += centres[item] - wish
            floor = centres[item] + half + GAP_Y
        for item in layer:
            centres[item] -= pushed / len(layer)

    def _columns(self) -> list[int]:
        """Where each layer begins, and where one more would."""
        columns = [0]
        for layer in self.layers:
            columns.append(columns[-1] + max(self.widths[item] for item in layer) + GAP_X)
        return columns


def _longest_ways(size: int, edges: list[tuple[int, int]]) -> list[int]:
    """Each node's layer. What is in a cycle keeps the layer it has when no node without an open edge is left."""
    targets: list[list[int]] = [[] for _ in range(size)]
    waiting_for = [0] * size
    for source, target in edges:
        targets[source].append(target)
        waiting_for[target] += 1
    layers = [0] * size
    ready = [number for number in range(size) if not waiting_for[number]]
    for number in ready:
        for target in targets[number]:
            layers[target] = max(layers[target], layers[number] + 1)
            waiting_for[target] -= 1
            if not waiting_for[target]:
                ready.append(target)
    return layers


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
