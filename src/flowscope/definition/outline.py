"""A workflow as lines of text, for terminals.

What follows a node by its only edge stands under it; where ways part, each is a branch. A node with several edges coming
in is drawn once, where the last of them has been seen and all branches are back in one column; before that a branch ends
with an arrow to its name. So a chain stays one column however long it is.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable

from flowscope.definition.workflow import Edge, Node, Policy, Workflow

_DEEPEST = 72
_WIDEST_NAME = 56


def as_text(workflow: Workflow) -> str:
    """The drawing, a line a node at least. Drafts can be drawn too: what no way leads to comes last."""
    return "\n".join(_Outline(workflow).lines()) + "\n"


class _Outline:
    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.nodes = {node.id: node for node in workflow.nodes}
        self.bodies: dict[str | None, list[Node]] = defaultdict(list)
        self.outgoing: dict[str, list[Edge]] = defaultdict(list)
        self.awaited: dict[str, int] = defaultdict(int)
        self.joins: set[str] = set()
        self.drawn: set[str] = set()
        self.rows: list[tuple[str, str]] = []
        for node in self.nodes.values():
            self.bodies[node.parent_id].append(node)
        for edge in workflow.edges:
            self._note(edge)

    def _note(self, edge: Edge) -> None:
        source, target = self.nodes.get(edge.source), self.nodes.get(edge.target)
        if source and target and source.parent_id == target.parent_id:
            self.outgoing[edge.source].append(edge)
            self.awaited[edge.target] += 1
            if self.awaited[edge.target] > 1:
                self.joins.add(edge.target)

    def lines(self) -> list[str]:
        self._scope(self.bodies[None], "")
        rest = [node for node in self.nodes.values() if node.id not in self.drawn]
        if rest:
            self.rows.append(("", ""))
            self.rows.append(("Not reached:", ""))
        for node in rest:
            if node.id not in self.drawn:
                self._column(node, "", deque())
        column = min(max((len(name) for name, detail in self.rows if detail), default=0), _WIDEST_NAME)
        title = f"{_line(self.workflow.name)} · {_counted(len(self.nodes), 'node')}, "
        head = title + _counted(len(self.workflow.edges), "edge")
        return [head, "", *(f"{name:{column}}  {detail}".rstrip() for name, detail in self.rows)]

    def _scope(self, nodes: Iterable[Node], indent: str) -> None:
        ready: deque[Node] = deque()
        for root in [node for node in nodes if not self.awaited[node.id]]:
            self._column(root, indent, ready)
            while ready:
                self._column(ready.popleft(), indent, ready)

    def _column(self, node: Node, indent: str, ready: deque[Node], lead: str = "") -> None:
        """A node, its branches, and what follows in the same column.

        A join that the column leads to is the outer column's, through `ready`, until ways have parted here; from then
        on it is where they come together again. Only branches and bodies nest, so a column may be of any length.
        """
        column = deque([node])
        while column:
            following = column.popleft()
            self._row(following, indent, lead)
            lead = ""
            edges = self.outgoing[following.id]
            if len(edges) == 1:
                column.extend(self._only(edges[0], indent, ready))
            elif edges:
                joined = self._branches(edges, indent)
                if len(indent) < _DEEPEST:
                    column.extendleft(reversed(joined))
                    ready = column
                else:
                    ready.extend(joined)

    def _row(self, node: Node, indent: str, lead: str) -> None:
        self.drawn.add(node.id)
        body = self.bodies.get(node.id, [])
        mark = "▣" if body else "◆" if len({edge.source_handle for edge in self.outgoing[node.id]}) > 1 else "●"
        self.rows.append((f"{lead or indent}{mark} {_name(node)}", _detail(node)))
        if body and len(indent) < _DEEPEST:
            self._scope(body, indent + "┃  ")
            self.rows.append((indent + "┗━", ""))

    def _only(self, edge: Edge, indent: str, ready: deque[Node]) -> list[Node]:
        target = self._take(edge, ready)
        if target is None:
            self.rows.append((f"{indent}└─{_label(edge)}→ {_name(self.nodes[edge.target])}", ""))
            return []
        if _label(edge) != " ":
            self.rows.append((f"{indent}│{_label(edge)}".rstrip(), ""))
        return [target]

    def _branches(self, edges: list[Edge], indent: str) -> deque[Node]:
        """Draws each branch; the nodes that come after all of them."""
        joined: deque[Node] = deque()
        for edge in edges:
            last = edge is edges[-1]
            lead = f"{indent}{'└─' if last else '├─'}{_label(edge)}"
            target = self._take(edge, joined)
            if target is not None and len(indent) >= _DEEPEST:
                joined.append(target)
            if target is None or len(indent) >= _DEEPEST:
                self.rows.append((f"{lead}→ {_name(self.nodes[edge.target])}", ""))
                continue
            if _label(edge) != " ":  # a handle stands on a line of its own
                self.rows.append((lead.rstrip(), ""))
                lead = ""
            self._column(target, indent + ("   " if last else "│  "), joined, lead)
        return joined

    def _take(self, edge: Edge, ready: deque[Node]) -> Node | None:
        """The target if it stands right behind this edge; a join goes to `ready` when this was its last edge."""
        self.awaited[edge.target] -= 1
        target = self.nodes[edge.target]
        if edge.target in self.joins:
            if not self.awaited[edge.target] and edge.target not in self.drawn:
                ready.append(target)
            return None
        return None if edge.target in self.drawn else target


def _label(edge: Edge) -> str:
    handle = "" if edge.source_handle == "output" else f" {_line(edge.source_handle)}"
    into = "" if edge.target_handle == "input" else f" ⇥ {_line(edge.target_handle)}"
    return f"{handle}{into} "


def _name(node: Node) -> str:
    name = node.id if node.label == node.id else f"{_line(node.label)} [{node.id}]"
    return name if len(name) <= 48 else name[:47] + "…"


def _line(text: str) -> str:
    """Labels are free text; a drawing must not take a line break or a terminal's control codes from one."""
    return "".join(char if char.isprintable() else " " for char in text)


def _detail(node: Node) -> str:
    return "  ".join([node.type, *_rules(node.policy)])


def _rules(policy: Policy) -> list[str]:
    said = []
    if policy.disabled:
        said.append("disabled")
    if policy.retry:
        said.append(f"retry {policy.retry.attempts}")
    if policy.timeout:
        said.append(f"timeout {policy.timeout / 1000:g} s")
    if policy.cache:
        said.append(f"cache {policy.cache / 1000:g} s")
    if policy.continue_on_error:
        said.append("goes on after an error")
    if policy.join == "any":
        said.append("any join")
    return said


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
