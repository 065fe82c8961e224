"""What a client makes of the messages: the reference. Plain JSON values in, plain JSON values out; no I/O.

The Python client uses it, the tests hold it against the server's own state, and clients in other languages are checked with
the same vectors (`tests/vectors/live`).
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, TypeAlias

JSONObject: TypeAlias = dict[str, Any]

_OF_THE_MESSAGE: Final = frozenset({"executionId", "seq", "more"})
_OF_THE_RUN: Final = ("status", "progress", "completedNodes", "totalNodes", "startTime", "duration", "error", "detail")


class Outcome(Enum):
    """What came of a message."""

    APPLIED = "applied"
    IGNORED = "ignored"
    """Nothing new: known already, or not about this execution."""
    GAP = "gap"
    """Something is missing: subscribe again with `after` set to `cursor`."""
    WAITING = "waiting"
    """A part of something: the whole follows."""


class ClientFold:
    """One execution as a client sees it. `cursor` (-1: nothing known) is what `after` is to be when it comes back.

    `gap`: a frame did not follow on it, and until one does nothing is known to be complete. `run` holds the run's facts and `nodes` each node's, by id, in the order of the definition.
    """

    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        self.cursor = -1
        self.caught_up = False
        self.gap = False
        self.run: JSONObject = {}
        self.nodes: dict[str, JSONObject] = {}
        self._pages: list[JSONObject] = []

    @property
    def ended(self) -> bool:
        return self.run.get("status") in ("success", "failed", "cancelled")

    def state(self) -> JSONObject:
        """Everything, as one value."""
        return {"executionId": self.execution_id, "seq": self.cursor, **self.run, "nodes": list(self.nodes.values())}

    def receive(self, message: JSONObject) -> Outcome:
        """One WebSocket message, or the `data` of one Server-Sent Event."""
        data: JSONObject = message.get("data", message)
        if data.get("executionId") != self.execution_id:
            return Outcome.IGNORED
        if "messages" in message:
            return self._frame(message)
        match message.get("type"):
            case "EXECUTION_SNAPSHOT":
                return self._snapshot(data)
            case "NODE_UPDATE" | "EXECUTION_UPDATE" if "seq" in data:
                return self._single(message)
            case "NODE_UPDATE" | "NODE_PROGRESS":
                return self._progress(data)
            case "CAUGHT_UP" if not self.gap:
                self.caught_up = True
                return Outcome.APPLIED
            case "LAGGED":
                self.caught_up = False
                return Outcome.WAITING
        return Outcome.IGNORED

    def _frame(self, frame: JSONObject) -> Outcome:
        if frame["prev"] == self.cursor:
            for message in frame["messages"]:
                self._apply(message)
            self.cursor = frame["seq"]
            self.gap = False
            return Outcome.APPLIED
        if frame["seq"] <= self.cursor:
            return Outcome.IGNORED
        self.gap, self.caught_up = True, False
        return Outcome.GAP

    def _single(self, message: JSONObject) -> Outcome:
        data = message["data"]
        if data["seq"] <= self.cursor:
            return Outcome.IGNORED
        self._apply(message)
        if not data.get("more"):
            self.cursor = data["seq"]
        return Outcome.APPLIED

    def _apply(self, message: JSONObject) -> None:
        data = message["data"]
        if message["type"] == "NODE_UPDATE":
            self.nodes[data["nodeId"]] = {key: value for key, value in data.items() if key not in _OF_THE_MESSAGE}
        else:
            self.run = _facts(data)

    def _snapshot(self, data: JSONObject) -> Outcome:
        if data.get("page", 1) == 1:
            self._pages = []
        self._pages.append(data)
        if len(self._pages) < data.get("pages", 1):
            return Outcome.WAITING
        pages, self._pages = self._pages, []
        self.run = _facts(data)
        self.nodes = {node["nodeId"]: node for page in pages for node in page["nodes"]}
        self.cursor = data["seq"]
        self.gap = False
        return Outcome.APPLIED

    def _progress(self, data: JSONObject) -> Outcome:
        node = self.nodes.get(data["nodeId"])
        if node is None or node["status"] != "running" or data.get("path"):
            return Outcome.IGNORED
        if data.get("attempt", 1) != node.get("attempt", 1) or "progress" not in data:
            return Outcome.IGNORED
        node["progress"] = data["progress"]
        node.pop("detail", None)
        if "detail" in data:
            node["detail"] = data["detail"]
        return Outcome.APPLIED


def _facts(data: JSONObject) -> JSONObject:
    return {key: data[key] for key in _OF_THE_RUN if key in data}
