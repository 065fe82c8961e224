"""The display on a terminal: every node a row, redrawn some times a second.

A graph that does not fit shows what runs, what waits, what failed and what ended last; the rest is in the counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from flowscope.cli.formats import LOOKS, counted, duration, look_of, shortened, word_of
from flowscope.cli.plain_lines import error_text, iterations_text, waiting_text
from flowscope.definition.workflow import Workflow
from flowscope.execution.events import AnyEvent
from flowscope.execution.view import STATUSES, ExecutionView, NodeView
from flowscope.orchestrator.ports import LogLine, Progress

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
TURN = 100.0
"""Milliseconds that one picture of the spinner stays."""

BAR = 20
STREAM = 60
AROUND = 8
"""Lines of the terminal that are not for nodes."""


class LiveTree:
    """Draws on `console`. `limits` are attempts by node id, `now` the wall time in milliseconds."""

    def __init__(
        self,
        view: ExecutionView,
        workflow: Workflow,
        limits: Mapping[str, int],
        progress: Mapping[str, Progress],
        console: Console,
        now: Callable[[], float],
    ) -> None:
        self._view = view
        self._limits = limits
        self._progress = progress
        self._console = console
        self._now = now
        self._order = topological(workflow)
        self._depths = depths(workflow)
        self._rank = {node_id: rank for rank, node_id in enumerate(self._order)}
        self._lively: dict[str, None] = {}
        self._failed: dict[str, None] = {}
        self._recent: deque[str] = deque(maxlen=max(4, console.height - AROUND))
        self._streams: dict[str, str] = {}
        self._live: Live | None = None

    def event(self, event: AnyEvent) -> None:
        node_id = getattr(event, "node_id", "")
        if node_id:
            self._note(self._view.nodes[node_id])
        if self._live is None:
            self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
            self._live.start()

    def log(self, line: LogLine) -> None:
        if line.kind == "stream":
            self._streams[line.node_id] = (self._streams.get(line.node_id, "") + line.text)[-STREAM:]
            return
        node = self._view.nodes.get(line.node_id)
        name = node.node_name if node else line.node_id
        style = LOOKS["error"].colour if line.level == "error" else ""
        text = shortened(line.text, 2 * self._console.width)
        self._console.print(Text.assemble((f"· {name}: ", "dim"), (text, style)))

    def tick(self) -> None:
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.update(self._picture(), refresh=True)
            live.stop()

    def _note(self, node: NodeView) -> None:
        """Remember what matters of a graph that does not fit."""
        if not node.complete:
            self._lively[node.node_id] = None
            return
        self._lively.pop(node.node_id, None)
        if node.status == "error":
            self._failed[node.node_id] = None
        elif node.status == "success":
            self._recent.append(node.node_id)

    # --- the picture ---

    def _picture(self) -> RenderableType:
        shown = list(self._rows(max(5, self._console.height - AROUND)))
        rows = [self._row(node) for node in shown]
        widths = [max((row[column].cell_len for row in rows), default=0) for column in range(3)]
        widths[0] = min(widths[0], max(16, self._console.width // 2))
        parts = [self._head(), Text("")]
        for node, (name, word, took, detail) in zip(shown, rows, strict=True):
            name.truncate(widths[0], overflow="ellipsis", pad=True)
            word.pad_right(widths[1] - word.cell_len)
            took.pad_left(widths[2] - took.cell_len)
            parts.append(Text("  ").join((name, word, took, detail)))
            if node.status == "error" and node.error:
                parts.append(Text(f"{self._indent(node)}  {error_text(node.error)}", LOOKS["error"].colour))
        hidden = len(self._view.nodes) - len(shown)
        if hidden:
            parts.append(Text(f"  … and {counted(hidden, 'more node')}", "dim"))
        parts += (Text(""), self._status())
        for part in parts:
            part.no_wrap, part.overflow = True, "ellipsis"
        return Group(*parts)

    def _rows(self, room: int) -> Iterator[NodeView]:
        """The nodes that are shown, in the order of the graph."""
        nodes = self._view.nodes
        if len(self._order) + self._view.counts["error"] <= room:
            return (nodes[node_id] for node_id in self._order)
        picked = dict.fromkeys(islice(reversed(self._failed), room // 6))
        room -= len(picked)  # a failed node takes two lines
        picked.update(dict.fromkeys(islice(reversed(self._lively), room * 2 // 3)))
        for node_id in reversed(self._recent):
            if len(picked) >= room:
                break
            picked[node_id] = None
        return (nodes[node_id] for node_id in sorted(picked, key=self._rank.__getitem__))

    def _head(self) -> Text:
        view = self._view
        name = view.workflow_name or view.workflow_id
        return Text.assemble((name, "bold"), ("  " + view.execution_id, "dim"))

    def _status(self) -> Text:
        view = self._view
        look = LOOKS[view.status]
        took = view.duration if view.duration is not None else self._now() - view.start_time
        line = Text.assemble(
            (f"{self._icon(look.icon, view.status)} {view.status}", f"bold {look.colour}"),
            (f"  {duration(took)}", ""),
            (f"  {view.progress}%  ", "dim"),
        )
        if view.detail:
            line.append(f"{view.detail}  ", look.colour)
        counts = [(status, view.counts[status]) for status in STATUSES if view.counts[status]]
        for number, (status, count) in enumerate(counts):
            line.append(" · " if number else "", "dim")
            line.append(f"{count:,} {status}", LOOKS[status].colour)
        return line

    def _row(self, node: NodeView) -> tuple[Text, Text, Text, Text]:
        look = look_of(node)
        quiet = "dim" if node.status in ("idle", "skipped") else ""
        name = Text(f"{self._indent(node)}")
        name.append(f"{self._icon(look.icon, node.status)} ", look.colour)
        name.append(node.node_name, quiet)
        return name, Text(word_of(node), look.colour), Text(self._duration(node), "dim"), self._detail(node)

    def _indent(self, node: NodeView) -> str:
        return "  " * (1 + self._depths.get(node.node_id, 0))

    def _icon(self, icon: str, status: str) -> str:
        return SPINNER[int(self._now() / TURN) % len(SPINNER)] if status == "running" else icon

    def _duration(self, node: NodeView) -> str:
        if node.duration is not None:
            return duration(node.duration)
        return duration(max(0.0, self._now() - node.start_time)) if node.start_time and not node.complete else ""

    def _detail(self, node: NodeView) -> Text:
        parts: list[Text] = []
        limit = self._limits.get(node.node_id, 1)
        if node.attempts > 1 and node.parent is None and not (node.waiting and node.waiting.kind == "retry"):
            parts.append(Text(f"attempt {node.attempts}{f'/{limit}' if limit >= node.attempts else ''}", "dim"))
        if node.iterations and node.iterations.total:
            ended = node.iterations.done + node.iterations.failed
            bar = self._bar(ended / node.iterations.total) if not node.complete else Text("")
            bar.append(iterations_text(node.iterations), "dim")
            parts.append(bar)
        if node.status == "pending" and node.waiting:
            parts.append(Text(waiting_text(node, self._now()).removeprefix(f"{node.detail} "), look_of(node).colour))
            if node.error and node.waiting.kind == "retry":
                parts.append(Text(error_text(node.error), LOOKS["error"].colour))
        if node.status == "running":
            parts.extend(self._words(node))
        if node.status == "skipped" and node.reason:
            parts.append(Text(node.reason, "dim"))
        return Text("  ").join(parts)

    def _words(self, node: NodeView) -> Iterator[Text]:
        """What a running node says of itself."""
        word = self._progress.get(node.node_id)
        if word is not None and word.attempt == node.attempts:
            if word.detail:
                yield Text(word.detail, "dim")
            elif word.fraction or word.message:
                bar = self._bar(word.fraction)
                bar.append(f"{word.fraction:.0%}  {shortened(word.message, STREAM)}", "dim")
                yield bar
        stream = self._streams.get(node.node_id)
        if stream:
            yield Text(f"“{shortened(stream, STREAM)}”", "italic dim")

    @staticmethod
    def _bar(fraction: float) -> Text:
        full = round(BAR * min(1.0, fraction))
        return Text.assemble(("━" * full, LOOKS["running"].colour), ("━" * (BAR - full), "bright_black"), " ")


def topological(workflow: Workflow) -> list[str]:
    """Node ids as they come to run: what is behind follows, and bodies stand under their container."""
    followers: dict[str, list[str]] = {node.id: [] for node in workflow.nodes}
    before = dict.fromkeys(followers, 0)
    bodies: dict[str, list[str]] = {"": []}
    for edge in workflow.edges:
        followers[edge.source].append(edge.target)
        before[edge.target] += 1
    for node in workflow.nodes:
        bodies.setdefault(node.parent_id or "", []).append(node.id)
    order: list[str] = []
    stack = [node_id for node_id in reversed(bodies[""]) if not before[node_id]]
    while stack:
        node_id = stack.pop()
        order.append(node_id)
        for follower in reversed(followers[node_id]):
            before[follower] -= 1
            if not before[follower]:
                stack.append(follower)
        stack.extend(inner for inner in reversed(bodies.get(node_id, ())) if not before[inner])
    return order


def depths(workflow: Workflow) -> dict[str, int]:
    """How many containers a node is inside of, where it is in any."""
    parents = {node.id: node.parent_id for node in workflow.nodes if node.parent_id}
    found: dict[str, int] = {}
    for node_id in parents:
        depth, at = 0, parents.get(node_id)
        while at is not None:
            depth, at = depth + 1, parents.get(at)
        found[node_id] = depth
    return found
