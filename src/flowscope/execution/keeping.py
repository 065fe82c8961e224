"""What an execution keeps of another: everything whose node, config and input are the same, and that had ended well.

    choose(past, plan, wanted, differs)     what becomes of each node, and why
    Choice.kept(build)                      the same as `Start` wants it

A node is kept if it is the same node, if what leads to it is kept, and if it had ended: with an answer, or with an error
that was handled. A container that had not is opened again where it was: the iterations that had ended are kept, also the
nodes that had ended in those that had not. Whatever lies behind a node that runs again runs again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from typing import Final, Literal, TypeAlias

import msgspec

from flowscope.definition.plan import ERROR, OUTPUT, NodePlan, Plan, Scope
from flowscope.definition.workflow import Workflow
from flowscope.execution import status as st
from flowscope.execution.adopting import beyond
from flowscope.execution.past import Begun, Done, Opened, Past, Step
from flowscope.execution.payload import Payload
from flowscope.execution.state import recorded
from flowscope.execution.stimuli import (
    Answered,
    Kept,
    KeptContainer,
    KeptExpansion,
    KeptIteration,
    KeptNode,
    KeptStart,
    KeptVariable,
)

Fate: TypeAlias = Literal["kept", "partly", "again", "first", "skipped"]
"""kept: adopted. partly: a container, opened again where it was. again: it had started and runs again. first: it had not
started. skipped: not wanted this time."""

Differs = Callable[[str, Set[str]], str]
"""Whether a node's work could come out otherwise for other reasons than its place in the graph, given the ids of the nodes
that are kept: the reason, or nothing."""

Build = Callable[[Payload], Answered]

NULL_VALUE: Final = b"null"
_NOT_AGAIN: Final = ("kept", "skipped")
_WHY_NOT: Final = {
    st.ERROR: "it failed",
    st.CANCELLED: "it was cancelled",
    st.SKIPPED: "it was not reached",
    st.IDLE: "it was not reached",
    st.READY: "it had not started",
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be otherwise: `again` runs again whatever it came to; nothing beyond `until` runs; `input`: the run's input
    is another; `trigger` is the node that fires."""

    again: str = ""
    until: str = ""
    input: bool = False
    trigger: str = ""


class NodeFate(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What becomes of one top-level node, and why. For a container opened again: how many iterations are kept, how many had
    begun and run again."""

    node_id: str
    fate: Fate
    because: str = ""
    iterations_kept: int = 0
    iterations_again: int = 0


class Choice:
    """`fates` are in the order in which the nodes come."""

    def __init__(self, past: Past, plan: Plan, fates: list[NodeFate]) -> None:
        self.past = past
        self.plan = plan
        self.fates = fates
        self._fate = {fate.node_id: fate.fate for fate in fates}

    def kept(self, build: Build) -> dict[tuple[str, str], Kept]:
        """By path and node id, as `Start` takes it; `build` makes a payload one that an event can carry."""
        found: dict[tuple[str, str], Kept] = {}
        for fate in self.fates:
            plan = self.plan.root.nodes[self.plan.root.index[fate.node_id]]
            if fate.fate == "kept":
                found["", plan.id] = _kept_node(self.past, plan, "", build)
            elif fate.fate == "partly":
                _keep_container(self.past, plan, "", "", build, found)
        return found

    def variables(self, build: Build) -> tuple[KeptVariable, ...]:
        """What was set by what is kept: of each name what was set last."""
        kept, done = self._kept_nodes(), self._done_keys()
        found: dict[str, KeptVariable] = {}
        for event in self.past.variables:
            value = recorded(event.value, event.value_blob)
            key = self.past.keys.get(event.path, "")
            if (key, event.node_id) in kept or self._is_over(event.path, event.node_id, done, ("kept",)):
                found[event.name] = KeptVariable(
                    event.node_id, key, event.name, NULL_VALUE if value is None else build(value)
                )
        return tuple(found.values())

    def _kept_nodes(self) -> set[tuple[str, str]]:
        return {key for key, one in self.kept(lambda payload: b"").items() if isinstance(one, KeptNode)}

    def _done_keys(self) -> set[str]:
        return {
            self.past.keys[begun.path]
            for fate in self.fates
            if fate.fate == "partly"
            for begun in _ended(self.past, "", fate.node_id)
        }

    def ventures(self) -> Iterator[tuple[str, int]]:
        """Every start of a node that would be repeated, as (node id, how surely it had been out in the world)."""
        past, kept, done = self.past, self._kept_nodes(), self._done_keys()
        for (path, node_id), sure in past.ventures.items():
            if (past.keys.get(path, ""), node_id) not in kept and not self._is_over(path, node_id, done, _NOT_AGAIN):
                yield node_id, sure

    def _is_over(self, path: str, node_id: str, done: set[str], fates: tuple[str, ...]) -> bool:
        """It is in an iteration that is kept, or in a node of such a fate."""
        while path:
            if self.past.keys[path] in done:
                return True
            path, node_id = self.past.owners[path]
        return self._fate.get(node_id, "skipped") in fates


def choose(past: Past, plan: Plan, wanted: Wanted, differs: Differs) -> Choice:
    """What becomes of each node of `plan` in an execution that takes up from `past`."""
    return Choice(past, plan, _Chooser(past, plan, wanted, differs).fates())


class _Chooser:
    def __init__(self, past: Past, plan: Plan, wanted: Wanted, differs: Differs) -> None:
        self._past = past
        self._scope = plan.root
        self._old = past.state.root.scope
        self._wanted = wanted
        self._differs = differs
        self._bodies = _signatures(plan.workflow), _signatures(past.state.plan.workflow)
        self._same: set[str] = set()
        """Nodes whose outcome is known to be what it was."""

    def fates(self) -> list[NodeFate]:
        unwanted = set(beyond(self._scope, self._wanted.until))
        fates = []
        on_error: set[int] = set()
        for number in _in_order(self._scope):
            plan = self._scope.nodes[number]
            sources = [edge.source for edge in plan.incoming]
            if plan.role == "error_trigger" or (sources and on_error.issuperset(sources)):
                on_error.add(number)
            elif number in unwanted:
                fates.append(NodeFate(node_id=plan.id, fate="skipped", because=f"it lies beyond {self._wanted.until}"))
            else:
                fates.append(self._fate(plan))
        return fates

    def _fate(self, plan: NodePlan) -> NodeFate:
        number = self._old.index.get(plan.id)
        if number is None:
            return NodeFate(node_id=plan.id, fate="first", because="it is new")
        frame = self._past.state.root
        because = self._changed(plan, number)
        status = frame.status[number]
        if not because:
            if status in (st.SUCCESS, st.ERROR) and self._leaves_alike(plan, number):
                self._same.add(plan.id)
                return NodeFate(node_id=plan.id, fate="kept")
            if status == st.SKIPPED and self._skipped_again(plan):
                self._same.add(plan.id)
                return NodeFate(node_id=plan.id, fate="skipped", because="it was not reached")
            opened = self._opened(plan)
            if opened is not None:
                return opened
            because = _WHY_NOT.get(status, "it had not ended")
        began = frame.attempts[number] or number in (frame.adopted or ())
        return NodeFate(node_id=plan.id, fate="again" if began else "first", because=because)

    def _changed(self, plan: NodePlan, number: int) -> str:
        """Why its outcome may be another; nothing if all that it depends on is the same."""
        wanted, old = self._wanted, self._old.nodes[number]
        new_body, old_body = self._bodies
        if plan.id == wanted.again:
            return "it is to run again"
        if new_body[plan.id] != old_body[plan.id]:
            return "it has changed"
        if _edges(self._scope, plan) != _edges(self._old, old):
            return "what leads to it has changed"
        if not plan.incoming and wanted.input:
            return "the run's input is another"
        if plan.is_trigger and wanted.trigger != self._past.state.trigger:
            return "another trigger fires"
        awaited = self._awaited(plan, number)
        behind = next((self._scope.ids[source] for source in awaited if self._scope.ids[source] not in self._same), "")
        if behind:
            return f"{behind} may come out otherwise"
        return self._differs(plan.id, self._same)

    def _leaves_alike(self, plan: NodePlan, number: int) -> bool:
        """Its answer, or its handled error, leaves by the handle it left by."""
        end, old = self._past.ends.get(("", plan.id)), self._old.nodes[number]
        if end is None:
            return False
        if end.error is not None:
            return plan.after_error and (ERROR in plan.routes) == (ERROR in old.routes)
        return end.handle == OUTPUT or plan.handles == old.handles

    def _awaited(self, plan: NodePlan, number: int) -> list[int]:
        """The sources that its input depends on: of an any-join the one that came first."""
        chosen = (self._past.state.root.any_source or {}).get(number)
        if plan.join_any and chosen is not None:
            return [plan.incoming[chosen].source]
        return [edge.source for edge in plan.incoming]

    def _skipped_again(self, plan: NodePlan) -> bool:
        if not plan.incoming:
            return plan.is_trigger and plan.id != self._wanted.trigger
        frame = self._past.state.root
        return not any(frame.edge_active(self._old.index[self._scope.ids[e.source]], e.handle) for e in plan.incoming)

    def _opened(self, plan: NodePlan) -> NodeFate | None:
        """A container that can be opened where it was."""
        steps = self._past.steps.get(("", plan.id), [])
        if plan.body is None or _in_turns(steps):
            return None
        done = sum(isinstance(step, Done) for step in steps)
        again = sum(isinstance(step, Begun) for step in steps) - done
        if not done and not any(path in self._open_paths(plan.id) for path, _ in self._past.ends):
            return None
        because = "it had not ended: it goes on where it was"
        return NodeFate(
            node_id=plan.id, fate="partly", because=because, iterations_kept=done, iterations_again=again
        )  # fmt: skip

    def _open_paths(self, node_id: str) -> set[str]:
        begun = {step.path for step in self._past.steps["", node_id] if isinstance(step, Begun)}
        return begun - {one.path for one in _ended(self._past, "", node_id)}


# --- kept, as `Start` takes it ---


def _kept_node(past: Past, plan: NodePlan, path: str, build: Build) -> KeptNode:
    end = past.ends[path, plan.id]
    if end.error is not None:
        return KeptNode(origin_seq=end.seq, error=end.error, handle=_error_handle(plan))
    passed = end.passed and not plan.join_any
    body = {inner.id: past.view.nodes[inner.id].status for inner in _inside(plan)} if not path else {}
    output = None if passed or end.output is None else build(end.output)
    return KeptNode(origin_seq=end.seq, handle=end.handle, output=output, passed=passed, body=body)


def _error_handle(plan: NodePlan) -> str:
    return ERROR if ERROR in plan.routes else OUTPUT


def _keep_container(
    past: Past, plan: NodePlan, path: str, key: str, build: Build, found: dict[tuple[str, str], Kept]
) -> None:
    """A container that had not ended, at `path` in the past and at `key` here; with it what had ended in its iterations."""
    steps: list[KeptExpansion | KeptStart | KeptIteration] = []
    for step in past.steps[path, plan.id]:
        if isinstance(step, Opened):
            items = None if step.items is None else build(step.items)
            steps.append(
                KeptExpansion(
                    count=step.count, items=items, concurrency=step.concurrency, collect_errors=step.collect_errors
                )
            )
        elif isinstance(step, Begun):
            steps.append(KeptStart(step.index))
        else:
            output = None if step.output is None else build(step.output)
            steps.append(KeptIteration(index=step.index, origin_seq=step.seq, output=output, error=step.error))
    found[key, plan.id] = KeptContainer(steps=tuple(steps))
    ended = {begun.path for begun in _ended(past, path, plan.id)}
    for step in past.steps[path, plan.id]:
        if isinstance(step, Begun) and step.path not in ended and plan.body is not None:
            _keep_iteration(past, plan.body, step.path, build, found)


def _keep_iteration(past: Past, body: Scope, path: str, build: Build, found: dict[tuple[str, str], Kept]) -> None:
    """In an iteration that runs here, what had ended and depends on nothing that runs again."""
    key = past.keys[path]
    for number in _in_order(body):
        plan = body.nodes[number]
        if any(not isinstance(found.get((key, body.ids[edge.source])), KeptNode) for edge in plan.incoming):
            continue
        if (path, plan.id) in past.ends:
            found[key, plan.id] = _kept_node(past, plan, path, build)
        elif plan.body is not None and not _in_turns(past.steps.get((path, plan.id), [])):
            _keep_container(past, plan, path, key, build, found)


def _in_turns(steps: list[Step]) -> bool:
    """It opened nothing, or works in turns, of which the last attempt's steps tell only a part."""
    return not steps or any(isinstance(step, Opened) and step.turns for step in steps)


def _ended(past: Past, path: str, node_id: str) -> list[Begun]:
    """The iterations of a container's last attempt that ended."""
    steps = past.steps[path, node_id]
    done = {step.index for step in steps if isinstance(step, Done)}
    return [step for step in steps if isinstance(step, Begun) and step.index in done]


# --- graphs ---


def _in_order(scope: Scope) -> Iterator[int]:
    """The nodes of a scope, each after those that lead to it."""
    left = [len(plan.incoming) for plan in scope.nodes]
    ready = [number for number, count in enumerate(left) if not count]
    for number in ready:
        yield number
        for targets in scope.nodes[number].routes.values():
            for target in targets:
                left[target] -= 1
                if not left[target]:
                    ready.append(target)


def _edges(scope: Scope, plan: NodePlan) -> list[tuple[str, str, str]]:
    return [(scope.ids[edge.source], edge.handle, edge.target_handle) for edge in plan.incoming]


def _inside(plan: NodePlan) -> Iterator[NodePlan]:
    stack = [plan]
    while stack:
        body = stack.pop().body
        for inner in body.nodes if body else ():
            yield inner
            stack.append(inner)


def _signatures(workflow: Workflow) -> dict[str, object]:
    """Of each node what its work depends on: type, config, and for a container the whole body."""
    own: dict[str, list[object]] = {
        node.id: [node.type, node.config, node.policy.disabled, node.policy.join] for node in workflow.nodes
    }
    owners = {node.id: node.parent_id for node in workflow.nodes}
    for node in workflow.nodes:
        inner = [node.id, node.type, node.config, node.policy.disabled, node.policy.join, node.policy.continue_on_error]
        _note_above(own, owners, node.id, inner)
    for edge in workflow.edges:
        _note_above(own, owners, edge.source, [edge.source, edge.target, edge.source_handle, edge.target_handle])
    return dict(own)


def _note_above(own: dict[str, list[object]], owners: dict[str, str | None], node_id: str, fact: object) -> None:
    owner = owners[node_id]
    while owner is not None:
        own[owner].append(fact)
        owner = owners[owner]
