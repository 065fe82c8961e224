"""What each node gets, and what a run or an iteration gives: pure functions of a state (contract section 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from flowscope.execution import status as st
from flowscope.execution.payload import NULL, Group, Item, Payload, merged

if TYPE_CHECKING:
    from flowscope.execution.frame import Expansion, Frame
    from flowscope.execution.state import State


def gather(state: State, frame: Frame, number: int) -> Payload:
    """A node's input, by the plan: the run's or the item for a root; an object by handle where edges come in by several;
    one active edge's output as it is; a merge of several in edge order."""
    if frame.replaced and number in frame.replaced:
        return frame.replaced[number]
    plan = frame.scope.nodes[number]
    incoming = plan.incoming
    if not incoming:
        return failure_of(state) if plan.role == "error_trigger" else entry(state, frame)
    if len(incoming) == 1 and not plan.by_handle:
        return frame.outputs[incoming[0].source] or NULL
    if plan.join_any:
        chosen = (frame.any_source or {}).get(number)
        active = [incoming[chosen]] if chosen is not None else []
    else:
        active = [edge for edge in incoming if frame.edge_active(edge.source, edge.handle)]
    if not plan.by_handle:
        return merged([frame.outputs[edge.source] or NULL for edge in active])
    by_handle: dict[str, list[Payload]] = {}
    for edge in active:
        by_handle.setdefault(edge.target_handle, []).append(frame.outputs[edge.source] or NULL)
    return Group(tuple(by_handle), tuple(merged(parts) for parts in by_handle.values()))


def entry(state: State, frame: Frame) -> Payload:
    """What the roots of a frame get: the run's input, or the iteration's item (in a loop, its state)."""
    outer = frame.parent
    if outer is None:
        return state.input
    expansion = cast("Expansion", outer.expansion(frame.owner))
    if expansion.batch is None:
        return expansion.last or NULL
    return Item(expansion.batch, frame.index - expansion.base)


def failure_of(state: State) -> Payload:
    """What error triggers get."""
    error = state.failing
    return msgspec.json.encode(
        {
            "failed_node": (error.node_id or None) if error else None,
            "error_message": error.message if error else None,
            "error_type": error.type if error else None,
            "workflow_id": state.workflow_id,
            "execution_id": state.execution_id,
        }
    )


def output_of(state: State) -> Payload:
    """The output of a run: what the node gave beyond which nothing was to run (null if it gave nothing), else the result of all."""
    root = state.root
    return root.outputs[root.scope.index[state.until]] or NULL if state.until else result_of(root)


def result_of(frame: Frame) -> Payload:
    """The result of a run or of an iteration: that of the only successful terminal node, else an object by node id."""
    done = [number for number in frame.scope.terminals if frame.status[number] == st.SUCCESS]
    if len(done) == 1:
        return frame.outputs[done[0]] or NULL
    return Group(
        tuple(frame.scope.ids[number] for number in done),
        tuple(frame.outputs[number] or NULL for number in done),
    )


def collected(state: State, frame: Frame, number: int, last: bool) -> Payload:
    """A container's output when its handler gave none: its iterations' results, or the `last` one's (a loop's state,
    which is the container's input before the first iteration)."""
    expansion = frame.expansion(number)
    if last or (expansion and expansion.batch is None):
        return (expansion.last or NULL) if expansion else gather(state, frame, number)
    return Group(None, tuple(expansion.results) if expansion else ())
