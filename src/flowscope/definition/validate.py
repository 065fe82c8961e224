"""What a graph must be before it may run, checked against the node types that are there.

Rules are separate passes over the nodes or the edges; each adds what it finds and leaves aside what an earlier pass has
already refused, so that one fault is told once. All of them cost O(nodes + edges).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from flowscope.definition.catalogue import Catalogue, NodeKind
from flowscope.definition.cycles import Graph, cycles
from flowscope.definition.decode import read
from flowscope.definition.document import DEFAULT, Limits, collector_paused
from flowscope.definition.problems import Problems, quoted
from flowscope.definition.workflow import JSON, Edge, Node, Workflow
from flowscope.errors import Problem

ALWAYS_THERE = "error"
"""The handle that every node has: where its failure goes on."""

DEEPEST_BODY = 32

_SHOWN_OF_A_CYCLE = 12


def load(document: bytes | str | dict[str, JSON], catalogue: Catalogue, *, limits: Limits = DEFAULT) -> Workflow:
    """A workflow that can run; `DefinitionInvalid` tells all that is wrong, in its shape, graph and configs alike."""
    with collector_paused():
        workflow, problems = read(document, limits)
        _check(_Draft(workflow, catalogue, problems))
    problems.raise_if_any()
    return workflow


def validate(workflow: Workflow, catalogue: Catalogue) -> list[Problem]:
    """All that keeps a decoded workflow from running; empty where nothing does."""
    draft = _Draft(workflow, catalogue, Problems())
    with collector_paused():
        _check(draft)
    return draft.problems.in_order()


@dataclass(slots=True)
class _Draft:
    """A workflow under examination, and what the passes found out so far. Nodes are numbered in document order."""

    workflow: Workflow
    catalogue: Catalogue
    problems: Problems
    numbers: dict[str, int] = field(default_factory=dict)
    kinds: list[NodeKind | None] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    inner: list[tuple[int, int, int]] = field(default_factory=list)
    """Edges that stay within one scope, as (source, target, index)."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self.workflow.nodes

    def role(self, number: int) -> str:
        kind = self.kinds[number]
        return kind.role if kind else ""


def _check(draft: _Draft) -> None:
    if not draft.nodes:
        draft.problems.add("nodes", "are none", "Add a node")
        return
    _name_nodes(draft)
    _find_kinds(draft)
    _check_configs(draft)
    _check_bodies(draft)
    _check_edges(draft)
    _check_handles(draft)
    if not _find_cycles(draft):
        _require_start(draft)


def _name_nodes(draft: _Draft) -> None:
    for number, node in enumerate(draft.nodes):
        if not node.id:
            continue
        first = draft.numbers.setdefault(node.id, number)
        if first != number:
            message = f"{quoted(node.id)} is already the id of nodes[{first}]"
            draft.problems.add(f"nodes[{number}].id", message, "Give each node an id of its own")


def _find_kinds(draft: _Draft) -> None:
    draft.types.extend(draft.catalogue.types())
    known: dict[str, NodeKind | None] = {"": None}
    for number, node in enumerate(draft.nodes):
        if node.type not in known:
            known[node.type] = draft.catalogue.find(node.type)
        kind = known[node.type]
        draft.kinds.append(kind)
        if kind is None and node.type:
            draft.problems.add(f"nodes[{number}].data.type", *_unknown_type(draft, node.type))


def _unknown_type(draft: _Draft, type: str) -> tuple[str, str]:
    instead = draft.catalogue.instead_of(type)
    if instead:
        return f"{quoted(type)} is not available here", instead
    return f"there is no node type {quoted(type)}", draft.problems.suggest(type, draft.types)


def _check_configs(draft: _Draft) -> None:
    for number, (node, kind) in enumerate(zip(draft.nodes, draft.kinds, strict=True)):
        if kind is not None:
            if node.policy.cache and kind.role != "task":
                place = f"nodes[{number}].data.config.cache"
                draft.problems.add(place, f"cannot be used here: a {node.type} does no work of its own", "Remove it")
            if node.pinned and kind.handles is not None and node.pinned.handle not in (*kind.handles, ALWAYS_THERE):
                message = f"a {node.type} has no handle {quoted(node.pinned.handle)}"
                draft.problems.add(f"nodes[{number}].data.pinned.handle", message, f"It has: {', '.join(kind.handles)}")
            place = f"nodes[{number}].data.config"
            found = kind.check(node.config, place)
            if found:
                draft.problems.extend(found)
            if node.policy.concurrency_key:
                draft.problems.extend(kind.check_expressions(node.policy.concurrency_key, f"{place}.concurrencyKey"))


def _check_bodies(draft: _Draft) -> None:
    owners = {number for number in range(len(draft.nodes)) if draft.role(number) == "container"}
    containers = [draft.nodes[number].id for number in sorted(owners)]
    parents: Graph = [[] for _ in draft.nodes]
    inhabited = set()
    for number, node in enumerate(draft.nodes):
        if node.parent_id is None:
            continue
        parent = draft.numbers.get(node.parent_id)
        if parent is None:
            remedy = draft.problems.suggest(node.parent_id, containers)
            draft.problems.add(f"nodes[{number}].parentId", f"there is no node {quoted(node.parent_id)}", remedy)
            continue
        parents[number].append(parent)
        inhabited.add(parent)
        _check_inhabitant(draft, number, parent)
    for number in sorted(owners - inhabited):
        name = quoted(draft.nodes[number].id)
        remedy = f"Put nodes inside it: those with parentId {name} are its body"
        draft.problems.add(f"nodes[{number}]", f"the {draft.nodes[number].type} {name} has no body", remedy)
    _check_nesting(draft, parents)


def _check_inhabitant(draft: _Draft, number: int, parent: int) -> None:
    place = f"nodes[{number}].parentId"
    if draft.kinds[parent] is not None and draft.role(parent) != "container":
        owner = draft.nodes[parent]
        message = f"{quoted(owner.id)} is of type {owner.type}, which has no body"
        draft.problems.add(place, message, "Only containers such as loop and map have one")
    if draft.role(number) in ("trigger", "error_trigger"):
        node = draft.nodes[number]
        message = f"the trigger {quoted(node.id)} cannot be inside {quoted(node.parent_id or '')}"
        draft.problems.add(place, message, "Triggers belong to the top level; body nodes start by themselves")


def _check_nesting(draft: _Draft, parents: Graph) -> None:
    for knot in cycles(parents) + [[number] for number, parent in enumerate(parents) if parent == [number]]:
        way = _way(draft, knot)
        draft.problems.add(f"nodes[{knot[0]}].parentId", f"nodes are inside each other: {way}", "Remove one parentId")
    depths: dict[int, int] = {}
    for number in range(len(parents)):
        climbed = []
        at: int | None = number
        while at is not None and at not in depths:
            depths[at] = 0  # also ends a climb around a cycle
            climbed.append(at)
            at = parents[at][0] if parents[at] else None
        for depth, inner in enumerate(reversed(climbed), depths[at] + 1 if at is not None else 0):
            depths[inner] = depth
            if depth == DEEPEST_BODY + 1:
                draft.problems.add(f"nodes[{inner}].parentId", f"is in more than {DEEPEST_BODY} bodies, one in another")


def _check_edges(draft: _Draft) -> None:
    seen_ids: dict[str, int] = {}
    seen: dict[tuple[str, str, str, str], int] = {}
    for index, edge in enumerate(draft.workflow.edges):
        if edge.id and seen_ids.setdefault(edge.id, index) != index:
            message = f"{quoted(edge.id)} is already the id of edges[{seen_ids[edge.id]}]"
            draft.problems.add(f"edges[{index}].id", message, "Give each edge an id of its own, or none")
        if not edge.source or not edge.target:
            continue
        first = seen.setdefault((edge.source, edge.source_handle, edge.target, edge.target_handle), index)
        if first != index:
            draft.problems.add(f"edges[{index}]", f"joins the same handles as edges[{first}]", "Remove one of them")
        source = _end(draft, edge.source, f"edges[{index}].source")
        target = _end(draft, edge.target, f"edges[{index}].target")
        if source is not None and target is not None:
            _check_ends(draft, index, source, target)


def _end(draft: _Draft, node_id: str, place: str) -> int | None:
    number = draft.numbers.get(node_id)
    if number is None:
        remedy = draft.problems.suggest(node_id, draft.numbers) or "Remove the edge, or add the node"
        draft.problems.add(place, f"there is no node {quoted(node_id)}", remedy)
    return number


def _check_ends(draft: _Draft, index: int, source: int, target: int) -> None:
    place, before, after = f"edges[{index}]", draft.nodes[source], draft.nodes[target]
    if source == target:
        remedy = "Remove it; to repeat work use a loop"
        draft.problems.add(place, f"leads from {quoted(before.id)} back to itself", remedy)
    elif before.parent_id != after.parent_id:
        draft.problems.add(place, *_crossing(before, after))
    else:
        draft.inner.append((source, target, index))
    if draft.role(target) in ("trigger", "error_trigger"):
        draft.problems.add(f"{place}.target", f"{quoted(after.id)} is a trigger: nothing can come before it")


def _crossing(before: Node, after: Node) -> tuple[str, str]:
    wall = after.parent_id if after.parent_id is not None and before.parent_id != after.parent_id else before.parent_id
    if after.parent_id == before.id:
        return (
            f"leads from {quoted(before.id)} into its own body",
            "Remove it: body nodes without an incoming edge start by themselves",
        )
    if before.parent_id == after.id:
        return (
            f"leads from the body of {quoted(after.id)} back to it",
            "Remove it: what the last nodes of a body return is its result",
        )
    inside = after if after.parent_id == wall else before
    return (
        f"crosses the wall of {quoted(wall or '')}: {quoted(inside.id)} is inside it, "
        f"{quoted((before if inside is after else after).id)} is not",
        f"Join {quoted(wall or '')} itself, or move both nodes into one body",
    )


def _check_handles(draft: _Draft) -> None:
    for index, edge in enumerate(draft.workflow.edges):
        number = draft.numbers.get(edge.source)
        kind = draft.kinds[number] if number is not None else None
        if kind is None or kind.handles is None or edge.source_handle in kind.handles:
            continue
        if edge.source_handle != ALWAYS_THERE:
            _no_handle(draft, index, edge, kind)


def _no_handle(draft: _Draft, index: int, edge: Edge, kind: NodeKind) -> None:
    message = f"{quoted(edge.source)} ({kind.type}) has no handle {quoted(edge.source_handle)}"
    handles = [*(kind.handles or ()), ALWAYS_THERE]
    draft.problems.add(f"edges[{index}].sourceHandle", message, f"It has: {', '.join(handles)}")


def _find_cycles(draft: _Draft) -> bool:
    graph: Graph = [[] for _ in draft.nodes]
    for source, target, _ in draft.inner:
        graph[source].append(target)
    found = cycles(graph)
    if found:
        edges = {(source, target): index for source, target, index in reversed(draft.inner)}
        for cycle in found:
            back = edges[cycle[-1], cycle[0]]
            message = f"closes a cycle: {_way(draft, cycle)}"
            draft.problems.add(f"edges[{back}]", message, "Remove one of its edges; to repeat work use a loop")
    return bool(found)


def _way(draft: _Draft, numbers: list[int]) -> str:
    ids = [draft.nodes[number].id for number in numbers]
    if len(ids) > _SHOWN_OF_A_CYCLE:
        ids = [*ids[: _SHOWN_OF_A_CYCLE - 2], f"… {len(ids) - _SHOWN_OF_A_CYCLE + 1:,} more …", ids[-1]]
    return " -> ".join([*ids, ids[0]])


def _require_start(draft: _Draft) -> None:
    """Every graph without a cycle has a first node; but an error trigger starts nothing by itself."""
    targets = {target for _, target, _ in draft.inner}
    starts = (
        number
        for number, node in enumerate(draft.nodes)
        if node.parent_id is None and number not in targets and draft.role(number) != "error_trigger"
    )
    if next(starts, None) is None:
        message = "have no start: each one is an error trigger, behind one, or in a body"
        draft.problems.add(
            "nodes", message, "Add a node without an incoming edge at the top level, such as manual_trigger"
        )
