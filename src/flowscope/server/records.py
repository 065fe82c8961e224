"""Executions as HTTP tells them: rows, details, the old system's status, and the log of the nodes.

Times are ISO 8601 in UTC, durations whole milliseconds. What is not known is left out; `execution-status` alone says null,
because its old readers expect every key.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.execution.events import Blob
from flowscope.execution.inputs import gather
from flowscope.execution.payload import Payload
from flowscope.execution.state import State
from flowscope.execution.view import ExecutionView, NodeView
from flowscope.orchestrator.payloads import INLINE, PayloadStore
from flowscope.orchestrator.ports import ExecutionRow, Progress

LOG_STATUS: Final = {
    "running": "running",
    "pending": "running",
    "success": "success",
    "error": "failed",
    "skipped": "skipped",
}


def iso(at: float) -> str:
    """Epoch milliseconds as `2026-07-31T09:30:00.123Z`."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row_object(row: ExecutionRow) -> dict[str, JSON]:
    """One line of the list."""
    return _without_nothing(
        {
            "executionId": row.execution_id,
            "workflowId": row.workflow_id,
            "workflowName": row.workflow_name,
            "status": row.status,
            "detail": row.detail,
            "startedAt": iso(row.started_at),
            "finishedAt": iso(row.ended_at) if row.ended_at else None,
            "durationMs": round(row.ended_at - row.started_at) if row.ended_at else None,
            "error": row.error,
            "parentExecutionId": row.parent_execution_id or row.caller_execution_id,
            "seq": row.last_seq,
        }
    )


def execution_object(row: ExecutionRow, view: ExecutionView, standing: Iterable[Progress] = ()) -> dict[str, JSON]:
    """One execution with its nodes, as it is after event `seq`; `standing` says which of them wait for a place."""
    waits = {word.node_id: word.detail for word in standing}
    return row_object(row) | _without_nothing(
        {
            "status": view.status,
            "detail": view.detail,
            "error": view.error.message if view.error else "",
            "errorNodeId": view.error.node_id if view.error else "",
            "definition": view.definition,
            "progress": view.progress,
            "totalNodes": view.total_nodes,
            "completedNodes": view.completed_nodes,
            "counts": dict(view.counts),
            "seq": view.seq,
            "nodes": [_node_object(node, waits.get(node.node_id, "")) for node in view.nodes.values()],
        }
    )


def _node_object(node: NodeView, waits: str) -> dict[str, JSON]:
    iterations = node.iterations
    return _without_nothing(
        {
            "nodeId": node.node_id,
            "nodeName": node.node_name,
            "status": node.status,
            "detail": (waits if node.status == "running" else "") or node.detail,
            "parentId": node.parent.node_id if node.parent else "",
            "startedAt": iso(node.start_time) if node.start_time else None,
            "finishedAt": iso(node.end_time) if node.end_time else None,
            "durationMs": None if node.duration is None else round(node.duration),
            "attempts": node.attempts or None,
            "error": node.error.message if node.error else "",
            "reason": node.reason,
            "waiting": str(node.waiting) if node.waiting else "",
            "waitingUntil": iso(node.waiting.until) if node.waiting and node.waiting.until else "",
            "iterations": {
                "total": iterations.total,
                "running": iterations.running,
                "done": iterations.done,
                "failed": iterations.failed,
            }
            if iterations
            else None,
        }
    )


def status_object(row: ExecutionRow, view: ExecutionView, output: JSON, *, lite: bool) -> dict[str, JSON]:
    """`GET /api/execution-status/:id`, as the old system had it; `lite` leaves out steps and output."""
    counts = view.counts
    running = [node for node in view.nodes.values() if node.status == "running"]
    progress = {
        "total": view.total_nodes,
        "completed": view.completed_nodes,
        "failed": counts["error"],
        "running": counts["running"],
        "pending": max(0, view.total_nodes - view.completed_nodes - counts["running"]),
    }
    body: dict[str, JSON] = {
        "execution_id": row.execution_id,
        "status": view.status,
        "workflow_id": row.workflow_id,
        "current_node": running[0].node_id if running else None,
        "started_at": iso(row.started_at),
        "completed_at": iso(view.end_time) if view.end_time else None,
        "error": view.error.message if view.error else None,
        "progress": progress,
    }
    if not lite:
        body["output"] = output
        body["steps"] = [_step_object(node) for node in _in_order(view)]
    return body


def _step_object(node: NodeView) -> dict[str, JSON]:
    return {
        "node_id": node.node_id,
        "node_name": node.node_name,
        "status": node.status,
        "started_at": iso(node.start_time) if node.start_time else None,
        "completed_at": iso(node.end_time) if node.end_time else None,
        "error": node.error.message if node.error else None,
    }


# --- the log ---


def log_entries(view: ExecutionView, state: State | None, payloads: PayloadStore) -> list[dict[str, JSON]]:
    """One entry for each node that has started or been skipped, in order of their starts; `state`, where there is one,
    knows inputs and outputs of the top level. A large payload is told by its address."""
    return [_log_entry(node, view, state, payloads) for node in _in_order(view)]


def _in_order(view: ExecutionView) -> list[NodeView]:
    """Those that have something to tell: first the started, then the skipped."""
    seen = [node for node in view.nodes.values() if node.sequence or node.status == "skipped"]
    return sorted(seen, key=lambda node: (node.sequence or 1 << 30, node.timestamp))


def _log_entry(node: NodeView, view: ExecutionView, state: State | None, payloads: PayloadStore) -> dict[str, JSON]:
    entry: dict[str, Any] = {
        "nodeId": node.node_id,
        "nodeName": node.node_name,
        "status": LOG_STATUS[node.status] if node.status != "idle" else "running",
        "startedAt": iso(node.start_time or node.timestamp),
    }
    if node.end_time:
        entry["finishedAt"] = iso(node.end_time)
    number = state.root.scope.index.get(node.node_id) if state else None
    if state is not None and number is not None and node.sequence:
        address = node_address(view.execution_id, node.node_id)
        entry["input"] = shown(gather(state, state.root, number), f"{address}/input", payloads)
        output = state.root.outputs[number]
        if output is not None and node.status == "success":
            entry["output"] = shown(output, f"{address}/output", payloads)
    if node.error:
        entry["error"] = node.error.message
    return entry


def node_address(execution_id: str, node_id: str) -> str:
    return f"/api/executions/{quote(execution_id, safe='')}/nodes/{quote(node_id, safe='')}"


def shown(payload: Payload, address: str, payloads: PayloadStore) -> JSON:
    """The value itself; of a large one where it is, how large, and how it begins."""
    if isinstance(payload, Blob):
        return {"$ref": address, "size": payload.size, "preview": payload.preview}
    data = payloads.build(payload)
    if len(data) > INLINE:
        return {"$ref": address, "size": len(data), "preview": data[:120].decode("utf-8", "replace")}
    return msgspec.Raw(data)


def _without_nothing(members: dict[str, Any]) -> dict[str, JSON]:
    return {key: value for key, value in members.items() if value is not None and value != ""}
