"""Beginning where another execution left off: what is kept of it is adopted, what nobody wants is skipped, and the rest runs.

All of it belongs to the step that starts the execution, so that no crash comes between.
"""

from __future__ import annotations

from flowscope.definition.plan import Scope
from flowscope.execution import status as st
from flowscope.execution.containers import expand, open_iterations
from flowscope.execution.decision import Decision, carried, record, skip
from flowscope.execution.events import (
    IterationAdopted,
    IterationStarted,
    NodeAdopted,
    NodeInputReplaced,
    NodeStarted,
    VariableSet,
)
from flowscope.execution.settling import settle
from flowscope.execution.state import Frame, State
from flowscope.execution.stimuli import (
    Expand,
    KeptContainer,
    KeptExpansion,
    KeptIteration,
    KeptNode,
    KeptStart,
    KeptVariable,
    Start,
)

BEYOND = "beyond {}"


def adopt(state: State, stimulus: Start, now: float, out: Decision) -> None:
    """Adopt node after node as each would start; a node of which nothing is kept is left on the agenda."""
    root = state.root
    for number in beyond(root.scope, stimulus.until):
        if root.status[number] in (st.IDLE, st.READY):
            skip(state, root, number, BEYOND.format(stimulus.until), now, out)
    for node_id, given in stimulus.replaced.items():
        raw, blob = carried(given)
        event = NodeInputReplaced(seq=state.seq + 1, at=now, node_id=node_id, input=raw, input_blob=blob)
        record(state, event, out)
    for kept_variable in stimulus.variables:
        _set(state, kept_variable, now, out)
    settle(state, now, out)
    taken = 0
    while taken < len(state.agenda):
        frame, number = state.agenda[taken]
        taken += 1
        kept = stimulus.kept.get((frame.path, frame.scope.ids[number]))
        if kept is None or not _is_due(state, frame, number):
            continue
        if frame.status[number] == st.EXPANDED:
            continue
        if isinstance(kept, KeptNode):
            _adopt_node(state, frame, number, kept, now, out)
        else:
            _adopt_container(state, frame, number, kept, now, out)
        settle(state, now, out)
    state.agenda[:] = [entry for entry in state.agenda if _is_due(state, *entry)]


def _is_due(state: State, frame: Frame, number: int) -> bool:
    """It may start, or is to be asked what next. (An iteration that was adopted has left entries of its roots.)"""
    return state.frames.get(frame.path) is frame and frame.status[number] in (st.READY, st.EXPANDED)


def beyond(scope: Scope, until: str) -> list[int]:
    """The nodes of a scope that do not lead to that one; none if it is not named."""
    if not until:
        return []
    wanted = {scope.index[until]}
    stack = list(wanted)
    while stack:
        sources = {edge.source for edge in scope.nodes[stack.pop()].incoming} - wanted
        wanted |= sources
        stack += sources
    return [number for number in range(scope.size) if number not in wanted]


def _set(state: State, kept: KeptVariable, now: float, out: Decision) -> None:
    raw, blob = carried(kept.value)
    event = VariableSet(
        seq=state.seq + 1, at=now, node_id=kept.node_id, path=kept.path, name=kept.name, value=raw, value_blob=blob
    )
    record(state, event, out)


def _adopt_node(state: State, frame: Frame, number: int, kept: KeptNode, now: float, out: Decision) -> None:
    raw, blob = carried(kept.output)
    event = NodeAdopted(
        seq=state.seq + 1, at=now, node_id=frame.scope.ids[number], path=frame.path, origin_seq=kept.origin_seq,
        handle=kept.handle, output=raw, output_blob=blob, passed=kept.passed, error=kept.error, body=kept.body,
    )  # fmt: skip
    record(state, event, out)


def _adopt_container(state: State, frame: Frame, number: int, kept: KeptContainer, now: float, out: Decision) -> None:
    node_id, path = frame.scope.ids[number], frame.path
    record(state, NodeStarted(seq=state.seq + 1, at=now, node_id=node_id, path=path), out)
    for step in kept.steps:
        if isinstance(step, KeptExpansion):
            stimulus = Expand(
                node_id=node_id, path=path, attempt=1, count=step.count, items=step.items,
                concurrency=step.concurrency, collect_errors=step.collect_errors,
            )  # fmt: skip
            expand(state, frame, number, stimulus, now, out, begin=False)
        elif isinstance(step, KeptStart):
            event = IterationStarted(seq=state.seq + 1, at=now, node_id=node_id, path=path, index=step.index)
            record(state, event, out)
        else:
            _adopt_iteration(state, frame, number, step, now, out)
    expansion = frame.expansion(number)
    if expansion is not None:
        open_iterations(state, expansion, now, out)


def _adopt_iteration(state: State, frame: Frame, number: int, kept: KeptIteration, now: float, out: Decision) -> None:
    raw, blob = carried(kept.output)
    event = IterationAdopted(
        seq=state.seq + 1, at=now, node_id=frame.scope.ids[number], path=frame.path, index=kept.index,
        origin_seq=kept.origin_seq, output=raw, output_blob=blob, error=kept.error,
    )  # fmt: skip
    record(state, event, out)
