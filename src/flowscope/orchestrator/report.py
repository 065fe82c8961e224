"""A run that somebody else's handler runs and only reports: what it says, as events.

A reporter is no machine: it may say `success` of a node it never said was running. The journal gets a legal history all the
same, a start before each end. `idle` and `pending` are what a node is before its first event, so they are not recorded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import InputInvalid
from flowscope.execution.events import (
    NOTHING,
    AnyEvent,
    Blob,
    ErrorInfo,
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionRecovered,
    ExecutionStarted,
    ExecutionSucceeded,
    NodeCancelled,
    NodeFailed,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
)
from flowscope.execution.view import COMPLETE, ENDED, STATUSES, ExecutionView
from flowscope.orchestrator.payloads import INLINE, LARGEST, PREVIEW, PayloadTooLarge, encode
from flowscope.orchestrator.ports import ExecutionRow


class Report:
    """One reported run, as far as it has been told; the disk may be a little behind. `total_nodes` 0 means not known."""

    def __init__(self, view: ExecutionView, *, epoch: int = 1, total_nodes: int = 0) -> None:
        self.view = view
        self.epoch = epoch
        self.total_nodes = total_nodes
        self.blobs: list[tuple[str, bytes]] = []

    def begin(self, now: float, workflow_id: str, input: JSON) -> list[AnyEvent]:
        """The run has begun."""
        raw, blob = self._carried(input)
        return self._record(
            ExecutionStarted(
                seq=1, at=now, workflow_id=workflow_id, total_nodes=self.total_nodes, input=raw, input_blob=blob
            )
        )

    def take_over(self, now: float) -> list[AnyEvent]:
        """Another process goes on reporting."""
        return self._record(ExecutionRecovered(seq=self._next, at=now, epoch=self.epoch))

    def update(self, now: float, node_id: str, node_name: str, status: str, data: Mapping[str, Any]) -> list[AnyEvent]:
        """What became of a node; with the last node, the run ends. `InputInvalid` for a status that is none."""
        if status not in STATUSES:
            raise InputInvalid(f"{status!r} is not a status of a node. They are: {', '.join(STATUSES)}")
        node = self.view.nodes.get(node_id)
        before = node.status if node else "idle"
        if status == before or status in ("idle", "pending"):
            return []
        events: list[AnyEvent] = []
        if status == "running" or (status != "skipped" and before != "running"):
            attempt = node.attempts + 1 if node else 1
            events += self._record(
                NodeStarted(seq=self._next, at=now, node_id=node_id, node_name=node_name, attempt=attempt)
            )
        if status in COMPLETE:
            events += self._record(self._ended(now, node_id, status, data, running=before == "running"))
        if self.total_nodes and self.view.completed_nodes >= self.total_nodes:
            events += self.finish(now, "failed" if self.view.counts["error"] else "success")
        return events

    def finish(self, now: float, status: str, output: JSON = None, error: JSON = None) -> list[AnyEvent]:
        """The run is over, as `success`, `failed` or `cancelled`; what still ran counts as cancelled."""
        if status not in ENDED:
            raise InputInvalid(f"{status!r} is not how an execution ends: success, failed or cancelled")
        events: list[AnyEvent] = []
        for node in self.view.nodes.values():
            if node.status == "running":
                events += self._record(
                    NodeCancelled(seq=self._next, at=now, node_id=node.node_id, attempt=node.attempts)
                )
        if status == "success":
            raw, blob = self._carried(output)
            return events + self._record(ExecutionSucceeded(seq=self._next, at=now, output=raw, output_blob=blob))
        if status == "cancelled":
            reason = error if isinstance(error, str) else ""
            return events + self._record(ExecutionCancelled(seq=self._next, at=now, reason=reason))
        info = error_info(error) if error is not None else self._first_error()
        return events + self._record(ExecutionFailed(seq=self._next, at=now, error=info))

    def row(self) -> ExecutionRow:
        """Its line in the list of executions."""
        view = self.view
        return ExecutionRow(
            execution_id=view.execution_id,
            workflow_id=view.workflow_id,
            status=view.status,
            started_at=view.start_time,
            ended_at=view.end_time,
            error=view.error.message if view.error else "",
            last_seq=view.seq,
            epoch=self.epoch,
        )

    @property
    def _next(self) -> int:
        return self.view.seq + 1

    def _record(self, event: AnyEvent) -> list[AnyEvent]:
        self.view.apply(event)
        return [event]

    def _ended(self, now: float, node_id: str, status: str, data: Mapping[str, Any], *, running: bool) -> AnyEvent:
        seq = self._next
        node = self.view.nodes.get(node_id)
        attempt = node.attempts if node else 1
        if status == "success":
            raw, blob = self._carried(data.get("output"))
            return NodeSucceeded(seq=seq, at=now, node_id=node_id, attempt=attempt, output=raw, output_blob=blob)
        if status == "error":
            error = error_info(data.get("error"), node_id)
            return NodeFailed(seq=seq, at=now, node_id=node_id, attempt=attempt, error=error)
        if running:
            return NodeCancelled(seq=seq, at=now, node_id=node_id, attempt=attempt)
        return NodeSkipped(seq=seq, at=now, node_id=node_id, reason=str(data.get("reason", "")))

    def _first_error(self) -> ErrorInfo:
        failed = [node for node in self.view.nodes.values() if node.status == "error" and node.error]
        failed.sort(key=lambda node: node.end_time)
        return failed[0].error or error_info(None) if failed else error_info(None)

    def _carried(self, value: JSON) -> tuple[msgspec.Raw, Blob | None]:
        """A value as an event carries it; a large one is put with `blobs`, for the commit to bring along."""
        if value is None:
            return NOTHING, None
        data = encode(value)
        if len(data) <= INLINE:
            return msgspec.Raw(data), None
        if len(data) > LARGEST:
            raise PayloadTooLarge(f"The value is {len(data) >> 20} MiB; at most {LARGEST >> 20} MiB are kept")
        sha256 = hashlib.sha256(data).hexdigest()
        self.blobs.append((sha256, data))
        return NOTHING, Blob(sha256, len(data), data[:PREVIEW].decode("utf-8", "replace"))


def error_info(error: object, node_id: str = "") -> ErrorInfo:
    """What a reporter gave as an error: an exception, an object with a `message`, or text."""
    if isinstance(error, BaseException):
        return ErrorInfo(type(error).__name__, str(error) or type(error).__name__, node_id=node_id)
    if isinstance(error, Mapping):
        name, code = (str(error.get(key, "")) for key in ("name", "code"))
        return ErrorInfo(name or "NodeError", str(error.get("message", error)), code, node_id)
    return ErrorInfo("NodeError", str(error) if error else "failed without saying why", node_id=node_id)
