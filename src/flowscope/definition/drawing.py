"""A workflow as a picture: `as_svg` for documents and pages, `as_text` for terminals."""

from __future__ import annotations

import html
from collections.abc import Iterator
from itertools import pairwise
from string import Template

from flowscope.definition.layout import BODY_HEADER, Box, Layout, arrange
from flowscope.definition.outline import as_text
from flowscope.definition.workflow import Edge, Node, Workflow

__all__ = ["as_svg", "as_text"]

_MARGIN = 32
# Colour is kept for status, and a drawing has none: one accent, whatever the kind.
_ACCENT = "#6366f1"
_TITLE_WIDTH, _KIND_WIDTH = 178, 178

# Colours by name, light and dark: written out as two sets of rules, as many viewers of SVG know no CSS variables.
_LIGHT = {
    "paper": "#f8fafc", "card": "#ffffff", "line": "#d8e0e9", "ink": "#0f172a", "soft": "#64748b", "edge": "#94a3b8",
    "body": "#eef2f8",
}  # fmt: skip
_DARK = {
    "paper": "#0b1120", "card": "#182235", "line": "#2c3b54", "ink": "#e6edf6", "soft": "#93a4ba", "edge": "#5d7089",
    "body": "#10192b",
}  # fmt: skip
_COLOURS = (
    ".flow .paper,.flow .pill{fill:$paper}.flow .card,.flow .dot{fill:$card}.flow .body{fill:$body}"
    ".flow .card,.flow .body,.flow .pill{stroke:$line}.flow .title{fill:$ink}.flow .kind,.flow .handle{fill:$soft}"
    ".flow .edge,.flow .dot{stroke:$edge}.flow .tip{fill:$edge}"
)
_SHAPES = (
    '.flow{font-family:Inter,system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}'
    ".flow .title{font-size:14px;font-weight:600}.flow .kind{font-size:12px}.flow .edge{fill:none;stroke-width:1.75}"
    ".flow .dot{stroke-width:1.5}.flow .handle{font-size:11px;text-anchor:middle}.flow .off{opacity:.5}"
)
_STYLE = (
    _SHAPES
    + Template(_COLOURS).substitute(_LIGHT)
    + f"@media (prefers-color-scheme:dark){{{Template(_COLOURS).substitute(_DARK)}}}"
)


def as_svg(workflow: Workflow) -> str:
    """A picture that stands by itself: no script, no font and no file from elsewhere, light or dark as the reader is."""
    parents = {node.id: node.parent_id for node in workflow.nodes}
    layout = arrange(parents, ((edge.source, edge.target) for edge in workflow.edges))
    picture = _Picture(workflow, layout, absolute(parents, layout))
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    title = _escaped(workflow.name)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{title}">',
        f"<title>{title}</title><style>{_STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" rx="16"/>',
        f'<g transform="translate({_MARGIN} {_MARGIN})">',
        *picture.parts(),
        "</g></svg>",
    ]
    return "\n".join(lines) + "\n"


def absolute(parents: dict[str, str | None], layout: Layout) -> dict[str, Box]:
    """Boxes in the picture's own coordinates, by node, outermost first."""
    inhabitants: dict[str, list[str]] = {}
    placed: dict[str, Box] = {}
    queue = []
    for node, parent in parents.items():
        if parent in parents and parent is not None:
            inhabitants.setdefault(parent, []).append(node)
        elif node in layout.boxes:
            placed[node] = layout.boxes[node]
            queue.append(node)
    for owner in queue:
        corner = placed[owner]
        for node in inhabitants.get(owner, []):
            box = layout.boxes[node]
            placed[node] = Box(corner.x + box.x, corner.y + box.y, box.width, box.height)
            queue.append(node)
    return placed


class _Picture:
    def __init__(self, workflow: Workflow, layout: Layout, boxes: dict[str, Box]) -> None:
        self.workflow = workflow
        self.layout = layout
        self.boxes = boxes
        self.nodes = {node.id: node for node in workflow.nodes}
        self.owners = {node.parent_id for node in workflow.nodes}
        self.handles = {node.id: list[str]() for node in workflow.nodes}
        for edge in workflow.edges:
            if edge.source_handle not in self.handles.get(edge.source, [edge.source_handle]):
                self.handles[edge.source].append(edge.source_handle)

    def parts(self) -> Iterator[str]:
        """Bodies lie below edges, edges below cards, handles on top."""
        drawn = [self.nodes[node_id] for node_id in self.boxes]
        yield from (_body(node, self.boxes[node.id]) for node in drawn if node.id in self.owners)
        edges = [edge for edge in self.workflow.edges if edge.source in self.boxes and edge.target in self.boxes]
        yield from (self._edge(edge) for edge in edges)
        yield from (_card(node, self.boxes[node.id]) for node in drawn if node.id not in self.owners)
        yield from (self._start(edge) for edge in edges)

    def _edge(self, edge: Edge) -> str:
        points = self._points(edge)
        (x, y), (end_x, end_y) = points[0], points[-1]
        curve = f'<path class="edge" d="M{x} {y}{_curves(points)}"/>'
        return f'{curve}<path class="tip" d="M{end_x} {end_y}l-9 -5v10z"/>'

    def _points(self, edge: Edge) -> list[tuple[int, int]]:
        source, target = self.boxes[edge.source], self.boxes[edge.target]
        relative = self.layout.boxes[edge.source]
        left, top = source.x - relative.x, source.y - relative.y
        lanes = [(left + x, top + y) for x, y in self.layout.lanes.get((edge.source, edge.target), [])]
        return [(source.x + source.width, self._exit(edge)), *lanes, (target.x, target.y + target.height // 2)]

    def _exit(self, edge: Edge) -> int:
        """Handles leave one under the other, in the order of their edges."""
        box = self.boxes[edge.source]
        handles = self.handles[edge.source]
        return box.y + round(box.height * (handles.index(edge.source_handle) + 1) / (len(handles) + 1))

    def _start(self, edge: Edge) -> str:
        """The dot where an edge leaves, and its handle's name."""
        (x, y), (_, next_y) = self._points(edge)[:2]
        dot = f'<circle class="dot" cx="{x}" cy="{y}" r="3.5"/>'
        if edge.source_handle == "output":
            return dot
        text = _fitted(edge.source_handle, 72, 6.2)
        width = max(len(text) * 6.4 + 14, 24)
        middle_x, middle_y = x + 16 + width / 2, y + (next_y - y) * 0.08
        return (
            f'{dot}<rect class="pill" x="{middle_x - width / 2:.0f}" y="{middle_y - 9:.0f}" width="{width:.0f}" height="18" '
            f'rx="9"/><text class="handle" x="{middle_x:.0f}" y="{middle_y + 4:.0f}">{_escaped(text)}</text>'
        )


def _curves(points: list[tuple[int, int]]) -> str:
    """Smooth from one point to the next, level at each."""
    path = ""
    for (x, y), (next_x, next_y) in pairwise(points):
        bend = max(abs(next_x - x) // 2, 24) if next_y != y or next_x < x else 0
        path += f"C{x + bend} {y} {next_x - bend} {next_y} {next_x} {next_y}" if bend else f"L{next_x} {next_y}"
    return path


def _card(node: Node, box: Box) -> str:
    off = " off" if node.policy.disabled else ""
    return (
        f'<g class="node{off}" transform="translate({box.x} {box.y})">'
        f'<rect class="card" width="{box.width}" height="{box.height}" rx="12"/>'
        f'<rect x="14" y="{box.height / 2 - 16:.0f}" width="4" height="32" rx="2" fill="{_ACCENT}"/>'
        f"{_texts(node, 30, box.height // 2 - 4, _TITLE_WIDTH)}</g>"
    )


def _body(node: Node, box: Box) -> str:
    return (
        f'<g class="group" transform="translate({box.x} {box.y})">'
        f'<rect class="body" width="{box.width}" height="{box.height}" rx="16"/>'
        f'<rect x="16" y="14" width="4" height="{BODY_HEADER - 24}" rx="2" fill="{_ACCENT}"/>'
        f"{_texts(node, 32, 26, box.width - 48)}</g>"
    )


def _texts(node: Node, x: int, y: int, width: int) -> str:
    return (
        f"<title>{_escaped(node.label)} ({_escaped(node.id)})</title>"
        f'<text class="title" x="{x}" y="{y}">{_escaped(_fitted(node.label, width, 8.6))}</text>'
        f'<text class="kind" x="{x}" y="{y + 19}">{_escaped(_fitted(node.type, width, 7.2))}</text>'
    )


def _fitted(text: str, width: int, letter: float) -> str:
    """No font is measured: a mean letter's width is near enough for an ellipsis."""
    most = int(width / letter)
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _escaped(text: str) -> str:
    """Text that is safe in SVG: escaped, and without the control characters that XML has no way to write."""
    return html.escape("".join(char if char.isprintable() else " " for char in text))
