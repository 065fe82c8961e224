"""An execution as the contract's section 3 has it: what `ExecutionStateManager.get_execution_state` answers.

In JSON (`msgspec.to_builtins`, or any encoder of msgspec) the names are camelCase, times are epoch milliseconds, and what
is undefined is left out.
"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from flowscope.definition.workflow import JSON
from flowscope.execution.events import (
    Blob,
    ExecutionStarted,
    ExecutionSucceeded,
    NodeAdopted,
    NodeStarted,
    NodeSucceeded,
)
from flowscope.execution.view import ExecutionView, NodeView

KEPT_PAYLOADS = 1024 * 1024
"""Bytes of inputs and outputs kept with one view; what does not fit is in the history only."""


class NodeState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One node. `status` is one of `idle|pending|running|success|error|skipped`; `error` is its message."""

    node_id: str
    node_name: str
    status: str
    sequence: int
    timestamp: int
    start_time: int | UnsetType = UNSET
    end_time: int | UnsetType = UNSET
    duration: int | UnsetType = UNSET
    input: JSON | UnsetType = UNSET
    output: JSON | UnsetType = UNSET
    error: str | UnsetType = UNSET
    progress: int | UnsetType = UNSET


class ExecutionState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One execution. `status` is one of `pending|running|waiting|success|failed|cancelled`; `nodes` are by id."""

    execution_id: str
    workflow_id: str
    status: str
    start_time: int
    progress: int
    total_nodes: int
    completed_nodes: int
    nodes: dict[str, NodeState]
    end_time: int | UnsetType = UNSET
    duration: int | UnsetType = UNSET
    input: JSON | UnsetType = UNSET
    output: JSON | UnsetType = UNSET
    error: str | UnsetType = UNSET


class ExecutionUpdate(msgspec.Struct, frozen=True, rename="camel"):
    """What a subscriber is told, after each commit."""

    status: str
    progress: int
    completed_nodes: int
    total_nodes: int


class Picture:
    """A view, and beside it what a view does not keep: payloads up to a limit, and the progress nodes report."""

    __slots__ = ("_inputs", "_outputs", "_spent", "progress", "view")

    def __init__(self, view: ExecutionView) -> None:
        self.view = view
        self.progress: dict[str, float] = {}
        self._inputs: dict[str, bytes] = {}
        self._outputs: dict[str, bytes] = {}
        self._spent = 0

    def apply(self, event: object) -> None:
        """Fold one event."""
        self.view.apply(event)  # type: ignore[arg-type]  # a publisher's events are untyped
        kind = type(event)
        if kind is NodeSucceeded or kind is NodeAdopted:
            self._settle(event)  # type: ignore[arg-type]
        elif kind is NodeStarted:
            self.progress.pop(event.node_id, None)  # type: ignore[attr-defined]
        elif kind is ExecutionStarted:
            self._keep(self._inputs, "", event.input, event.input_blob)  # type: ignore[attr-defined]
        elif kind is ExecutionSucceeded:
            self._keep(self._outputs, "", event.output, event.output_blob)  # type: ignore[attr-defined]

    def _settle(self, event: NodeSucceeded | NodeAdopted) -> None:
        if not event.path and not event.passed:  # what is passed with fields over it is more than the event holds
            self._keep(self._outputs, event.node_id, event.output, event.output_blob)

    def _keep(self, where: dict[str, bytes], key: str, raw: msgspec.Raw, blob: Blob | None) -> None:
        data = bytes(raw)
        if data and blob is None and self._spent + len(data) <= KEPT_PAYLOADS:
            self._spent += len(data)
            where[key] = data

    def update(self) -> ExecutionUpdate:
        view = self.view
        return ExecutionUpdate(view.status, view.progress, view.completed_nodes, view.total_nodes)

    def state(self) -> ExecutionState:
        view = self.view
        return ExecutionState(
            execution_id=view.execution_id,
            workflow_id=view.workflow_id,
            status=view.status,
            start_time=round(view.start_time),
            end_time=_time(view.end_time),
            duration=_duration(view.duration),
            progress=view.progress,
            total_nodes=view.total_nodes,
            completed_nodes=view.completed_nodes,
            nodes={node_id: self._node(node) for node_id, node in view.nodes.items()},
            input=_payload(self._inputs, ""),
            output=_payload(self._outputs, ""),
            error=view.error.message if view.error else UNSET,
        )

    def _node(self, node: NodeView) -> NodeState:
        progress = self.progress.get(node.node_id) if node.status == "running" else None
        return NodeState(
            node_id=node.node_id,
            node_name=node.node_name,
            status=node.status,
            start_time=_time(node.start_time),
            end_time=_time(node.end_time),
            duration=_duration(node.duration),
            output=_payload(self._outputs, node.node_id),
            error=node.error.message if node.error else UNSET,
            progress=UNSET if progress is None else round(progress * 100),
            sequence=node.sequence,
            timestamp=round(node.timestamp),
        )


def _time(at: float) -> int | UnsetType:
    return round(at) if at else UNSET


def _duration(duration: float | None) -> int | UnsetType:
    return UNSET if duration is None else round(duration)


def _payload(where: dict[str, bytes], key: str) -> JSON | UnsetType:
    data = where.get(key)
    return UNSET if data is None else msgspec.json.decode(data)
