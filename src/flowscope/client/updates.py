"""What a watch yields: the protocol's messages about a run, whichever way they came.

ExecutionSnapshot   everything as it is now: the first update, and again whenever too much was missed to be told one by one
NodeUpdate          a node has changed; `data` is the whole node
ExecutionUpdate     the run itself has changed
NodeProgress        how far a running attempt says it is; not kept
NodeLog             what a node logs or streams
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

from flowscope.live.client_fold import JSONObject
from flowscope.live.protocol import ExecutionSnapshot, ExecutionUpdate, NodeLog, NodeProgress, NodeUpdate

Update: TypeAlias = ExecutionSnapshot | NodeUpdate | ExecutionUpdate | NodeProgress | NodeLog

_KINDS: Final[dict[str, Any]] = {
    "NODE_UPDATE": NodeUpdate,
    "EXECUTION_UPDATE": ExecutionUpdate,
    "NODE_PROGRESS": NodeProgress,
    "NODE_LOG": NodeLog,
}


def updates_of(message: JSONObject) -> Iterator[Update]:
    """The updates in a message that was applied, or in a frame of them. What this version does not know is left out."""
    for one in message.get("messages", (message,)):
        kind = _KINDS.get(one.get("type", ""))
        if kind is NodeUpdate and "seq" not in one["data"] and "messages" not in message:
            yield _progress_of(one["data"])
        elif kind is not None:
            update: Update = msgspec.convert(one, kind)
            yield update


def snapshot_of(state: JSONObject, message: JSONObject) -> ExecutionSnapshot:
    """The whole of a snapshot; `message` is its last page."""
    told = message["data"]
    data = {**state, **({"workflowId": told["workflowId"]} if "workflowId" in told else {})}
    return msgspec.convert({"type": "EXECUTION_SNAPSHOT", "data": data}, ExecutionSnapshot)


def _progress_of(node: JSONObject) -> NodeProgress:
    """Clients without frames are told progress as an update of the node that moves no cursor."""
    return msgspec.convert(
        {
            "type": "NODE_PROGRESS",
            "data": {
                "executionId": node["executionId"],
                "nodeId": node["nodeId"],
                "attempt": node.get("attempt", 1),
                "progress": node.get("progress", 0),
                "timestamp": node["timestamp"],
                **({"detail": node["detail"]} if "detail" in node else {}),
            },
        },
        NodeProgress,
    )
