"""A workflow worked out once for all its executions: who follows whom, and in which scope.

A scope is the top level of the workflow or the body of one container. Nodes are numbered within their scope in document
order, so that a run's state can be columns indexed by number. A plan holds no state and is shared by every execution of
one workflow version.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable

from flowscope.definition.catalogue import Catalogue, Role
from flowscope.definition.workflow import Edge, Node, OnLost, Retry, Workflow

ERROR = "error"
OUTPUT = "output"
ERROR_HANDLER = "error_handler"


class Incoming:
    """One edge as its target sees it: the source's number, the handle it leaves by, the handle it comes in by."""

    __slots__ = ("handle", "source", "target_handle")

    def __init__(self, source: int, handle: str, target_handle: str) -> None:
        self.source = source
        self.handle = handle
        self.target_handle = target_handle


class NodePlan:
    """What the machine needs to know of one node.

    `routes` maps an output handle to the numbers of the nodes behind it, one entry an edge; `onward` is the same where
    every edge leaves by `output` (None otherwise): the short way for most nodes. `after_error` tells whether the run goes
    on when this node has failed for good.
    """

    __slots__ = (
        "after_error", "body", "by_handle", "catches", "continue_on_error", "handles", "id", "incoming", "is_trigger", "join_any",
        "kind", "number", "on_lost", "onward", "retry", "role", "routes", "timeout", "unhurried",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        node: Node,
        role: Role,
        kind: str,
        retry: Retry,
        timeout: float,
        routes: dict[str, tuple[int, ...]],
    ) -> None:
        self.number = number
        self.id = node.id
        self.role = role
        self.kind = kind
        self.catches = kind == "try_catch"
        self.is_trigger = role == "trigger"
        self.join_any = node.policy.join == "any"
        self.continue_on_error = node.policy.continue_on_error
        self.on_lost: OnLost = node.policy.on_lost
        self.retry = retry
        self.timeout = timeout
        self.unhurried = node.policy.timeout == 0
        self.routes = routes
        self.handles = frozenset(routes)
        self.onward = routes.get(OUTPUT, ()) if self.handles <= {OUTPUT} else None
        self.after_error = ERROR in routes or node.policy.continue_on_error
        self.incoming: tuple[Incoming, ...] = ()
        self.by_handle = False
        self.body: Scope | None = None

    def choose(self, preferred: tuple[str, ...]) -> str:
        """The first of the handles with an edge on it, else the last."""
        return next((handle for handle in preferred if handle in self.handles), preferred[-1])


class Scope:
    """The top level, or one container's body. `indegree` counts incoming edges by node number; an error trigger has one
    more, its gate, which opens only when the run fails."""

    __slots__ = ("gated", "ids", "indegree", "index", "nodes", "owner", "roots", "size", "terminals")

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.nodes: tuple[NodePlan, ...] = ()
        self.size = 0
        self.ids: tuple[str, ...] = ()
        self.index: dict[str, int] = {}
        self.indegree: array[int] = array("i")
        self.roots: tuple[int, ...] = ()
        self.terminals: tuple[int, ...] = ()
        self.gated: tuple[int, ...] = ()


class Plan:
    """The scopes of a workflow; `root` is the top level. `default_trigger` starts a run that names none: a manual trigger if
    there is one, else the first; `call_trigger` is where a call of another workflow begins, empty for the same."""

    __slots__ = ("call_trigger", "default_trigger", "labels", "root", "scopes", "timeout", "total_nodes", "workflow")

    def __init__(self, workflow: Workflow, root: Scope, scopes: dict[str, Scope]) -> None:
        self.workflow = workflow
        self.root = root
        self.scopes = scopes
        self.total_nodes = len(workflow.nodes)
        self.timeout = workflow.settings.timeout
        triggers = [node for node in root.nodes if node.is_trigger]
        manual = [node for node in triggers if node.kind == "manual_trigger"]
        called = [node.id for node in triggers if node.kind == "workflow_trigger"]
        self.call_trigger = called[0] if called else ""
        self.default_trigger = (manual or triggers)[0].id if triggers else ""
        self.labels = {node.id: node.label for node in workflow.nodes}


def compile_plan(workflow: Workflow, catalogue: Catalogue) -> Plan:
    """The plan of a workflow that `validate` found nothing wrong with."""
    members: dict[str, list[Node]] = defaultdict(list)
    for node in workflow.nodes:
        members[node.parent_id or ""].append(node)
    home = {node.id: node.parent_id or "" for node in workflow.nodes}
    edges: dict[str, list[Edge]] = defaultdict(list)
    for edge in workflow.edges:
        edges[home[edge.source]].append(edge)
    scopes = {owner: _scope(owner, nodes, edges[owner], catalogue) for owner, nodes in members.items()}
    for scope in scopes.values():
        for node_plan in scope.nodes:
            if node_plan.role == "container":
                node_plan.body = scopes.get(node_plan.id)
    return Plan(workflow, scopes[""], scopes)


def _scope(owner: str, nodes: list[Node], edges: Iterable[Edge], catalogue: Catalogue) -> Scope:
    scope = Scope(owner)
    scope.ids = tuple(node.id for node in nodes)
    scope.index = {node_id: number for number, node_id in enumerate(scope.ids)}
    incoming: list[list[Incoming]] = [[] for _ in nodes]
    routes: list[dict[str, list[int]]] = [{} for _ in nodes]
    for edge in edges:
        source, target = scope.index[edge.source], scope.index[edge.target]
        incoming[target].append(Incoming(source, edge.source_handle, edge.target_handle))
        routes[source].setdefault(edge.source_handle, []).append(target)
    scope.nodes = tuple(
        _node(number, node, routes[number], catalogue, _handled(nodes, routes[number]))
        for number, node in enumerate(nodes)
    )
    for plan, into in zip(scope.nodes, incoming, strict=True):
        plan.incoming = tuple(into)
        plan.by_handle = len({edge.target_handle for edge in into}) > 1
    scope.size = len(nodes)
    scope.gated = tuple(plan.number for plan in scope.nodes if plan.role == "error_trigger")
    scope.indegree = array("i", [len(into) for into in incoming])
    for number in scope.gated:
        scope.indegree[number] += 1
    scope.roots = tuple(number for number, degree in enumerate(scope.indegree) if degree == 0)
    scope.terminals = tuple(plan.number for plan in scope.nodes if not plan.handles - {ERROR})
    return scope


def _handled(nodes: list[Node], routes: dict[str, list[int]]) -> Retry | None:
    """How often a node is tried again because an `error_handler` stands behind its handle `error`."""
    for target in routes.get(ERROR, ()):
        node = nodes[target]
        if node.type == ERROR_HANDLER and not node.policy.disabled:
            retries, delay = node.config.get("retries", 3), node.config.get("retryDelay", 1_000)
            if isinstance(retries, int) and isinstance(delay, int | float):
                return Retry(attempts=1 + retries, delay=delay)
    return None


def _node(
    number: int, node: Node, routes: dict[str, list[int]], catalogue: Catalogue, handled: Retry | None
) -> NodePlan:
    kind = catalogue.find(node.type)
    if kind is None:
        raise LookupError(f"Node type {node.type!r} is not in the catalogue")
    retry = node.policy.retry or handled or kind.retry
    timeout = kind.timeout if node.policy.timeout is None else node.policy.timeout
    fixed = {handle: tuple(targets) for handle, targets in routes.items()}
    return NodePlan(number, node, kind.role, kind.type, retry, timeout, fixed)
