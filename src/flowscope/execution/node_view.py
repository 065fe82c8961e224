"""The facts of one node as `view.ExecutionView` keeps them, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from flowscope.definition.workflow import Workflow
from flowscope.execution import status as st
from flowscope.execution.events import ErrorInfo

STATUSES: Final = ("idle", "pending", "running", "success", "error", "skipped")
"""A node's, as the contract has them."""

COMPLETE: Final = frozenset({"success", "error", "skipped"})

# By the codes of `status.py`.
SHOWN: Final = ("idle", "pending", "running", "pending", "pending", "running", "pending", "success", "error", "skipped", "skipped")  # fmt: skip
DETAIL: Final = ("", "queued", "", "retrying", "waiting", "", "asking", "", "", "", "cancelled")
_ERROR_DETAIL: Final = {
    "NodeTimeout": "timed out",
    "WorkerTimeout": "timed out",
    "NodeLost": "lost",
    "WorkerLost": "lost",
}


_FOR_WHAT: Final = {
    "approval": "waiting for an approval",
    "form": "waiting for a form",
    "rate_limit": "waiting for its turn",
}


class WorkflowShape(msgspec.Struct, frozen=True):
    """What a view wants to know of a workflow: labels by node id in document order, and the container each is inside of."""

    labels: Mapping[str, str]
    parents: Mapping[str, str]
    total_nodes: int

    @classmethod
    def of(cls, workflow: Workflow) -> WorkflowShape:
        """The shape of a workflow; shared by the views of all its executions."""
        labels = {node.id: node.label for node in workflow.nodes}
        parents = {node.id: node.parent_id for node in workflow.nodes if node.parent_id is not None}
        return cls(labels, parents, len(workflow.nodes))


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """What a node waits for: an instant (`until`, epoch ms), a `signal`, a `child` execution; or its next `attempt`. `kind`
    says more: `approval`, `form`, `rate_limit`."""

    kind: str
    until: float = 0
    signal: str = ""
    child: str = ""
    attempt: int = 1

    def __str__(self) -> str:
        if self.kind == "retry":
            return f"retrying: attempt {self.attempt}"
        if self.kind == "ask":
            return f"was lost; waiting for the signal {self.signal!r} to run it again"
        if self.kind in _FOR_WHAT:
            return _FOR_WHAT[self.kind]
        if self.signal:
            return f"waiting for the signal {self.signal!r}"
        return f"waiting for the execution {self.child}" if self.child else "waiting for its time"


class Iterations:
    """A container's iterations (of all its runs, where it is itself in a body): how many are to be, and what became of them."""

    __slots__ = ("_open", "done", "failed", "running", "total")

    def __init__(self) -> None:
        self.total = self.running = self.done = self.failed = 0
        self._open: dict[str, int] = {}

    def step(self, path: str, by: int) -> None:
        """One more open, or one less, in the container's run at that path."""
        self.running += by
        self._open[path] = self._open.get(path, 0) + by

    def close(self, path: str) -> None:
        """The container's run at that path has ended, and with it what was open."""
        self.running -= self._open.pop(path, 0)

    def copy(self) -> Iterations:
        """As they are now."""
        copied = Iterations()
        copied.total, copied.running, copied.done, copied.failed = self.total, self.running, self.done, self.failed
        copied._open = dict(self._open)
        return copied


class NodeView:
    """The facts of one node. Times are epoch milliseconds, 0 for not yet; `duration` is None until it has ended.

    `status` is one of `STATUSES`, `detail` a word beside it. `sequence` is its place in the order of first starts, from 1
    (0: not started). `adopted`: what came of it is kept from the parent execution. `timestamp` is the time of
    the last event about it. `attempts` is the highest attempt so far. `handle` is the one its answer left by; none for a
    node in a body, whose runs may leave by different ones.
    """

    __slots__ = (
        "_active", "_code", "_errors", "_held", "_live", "_successes", "_why", "adopted", "attempts", "children", "end_time",
        "error", "handle", "iterations", "node_id", "node_name", "origin", "parent", "reason", "sequence", "start_time", "status",
        "timestamp",
    )  # fmt: skip

    def __init__(self, node_id: str, node_name: str) -> None:
        self.node_id = node_id
        self.node_name = node_name
        self.parent: NodeView | None = None
        self.children: tuple[NodeView, ...] = ()
        self.attempts = self.sequence = 0
        self.start_time = self.timestamp = 0.0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what happened, as a body does when its container is tried again."""
        self.status = "idle"
        self.end_time = 0.0
        self.error: ErrorInfo | None = None
        self.reason = ""
        self.origin = ""
        self.handle = ""
        self.adopted = False
        self.iterations: Iterations | None = None
        self._code = st.IDLE
        self._live: dict[str, int] | None = None  # in a body: what runs or waits, by path
        self._why: dict[str, Waiting] | None = None  # what waits, by path
        self._active = self._held = self._successes = self._errors = 0

    def copy(self) -> NodeView:
        """As it is now; `parent` and `children` are still those of the original."""
        copied = NodeView.__new__(NodeView)
        for name in NodeView.__slots__:
            setattr(copied, name, getattr(self, name))
        copied.iterations = self.iterations.copy() if self.iterations else None
        copied._live = dict(self._live) if self._live is not None else None
        copied._why = dict(self._why) if self._why is not None else None
        return copied

    @property
    def waiting(self) -> Waiting | None:
        """What it waits for; in a body, what the iteration that waits longest does."""
        return next(iter(self._why.values())) if self._why else None

    @property
    def until(self) -> float:
        """When it goes on by itself (epoch ms): its next attempt, or the end of its wait; 0 where that is not known."""
        return self.waiting.until if self.status == "pending" and self.waiting else 0.0

    @property
    def detail(self) -> str:
        """queued, retrying, waiting, asking, cancelled, timed out, lost, cached, pinned, kept; or nothing."""
        if self.adopted and self.complete:
            return "kept"
        if self.status == "success":
            return self.origin
        if self.status == "error":
            return _ERROR_DETAIL.get(self.error.type, "") if self.error else ""
        return DETAIL[self._code]

    @property
    def duration(self) -> float | None:
        """Milliseconds from the first start to the end."""
        return max(0.0, self.end_time - self.start_time) if self.end_time and self.start_time else None

    @property
    def complete(self) -> bool:
        return self.status in COMPLETE

    def __repr__(self) -> str:
        return f"NodeView({self.node_id!r}, {self.status}{', ' + self.detail if self.detail else ''})"
