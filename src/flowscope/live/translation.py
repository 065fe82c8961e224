"""From events to messages: what a viewer must be told so that its picture stays the server's.

A message is sent when something shown has changed, and it holds the whole node, or the whole run, as it is after the event.
So a message may be applied twice, and a later one makes an earlier one of the same subject needless: conflation drops it.

    event ──> ExecutionView.apply ──> nodes it touched, shown otherwise than before ──> NODE_UPDATE each
                                 └──> the run, shown otherwise than before          ──> EXECUTION_UPDATE

Of a node in a loop or a map only the aggregate is shown, and of a container's iterations whole percents and failures, so
that a map of 100,000 items costs its viewers a few hundred messages. What is shown is kept here beside the view: a
snapshot is what was said last, for each node, and so the same as the sum of the messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, cast

import msgspec
from msgspec import UNSET

from flowscope.execution.events import (
    AnyEvent,
    IterationStarted,
    NodeAdopted,
    NodeCancelled,
    NodeEvent,
    NodeFailed,
    NodeSkipped,
    NodeSucceeded,
)
from flowscope.execution.view import ExecutionView, NodeView, WorkflowShape
from flowscope.live.protocol import (
    ExecutionStatus,
    ExecutionUpdate,
    ExecutionUpdateData,
    Iterations,
    NodeEntry,
    NodeStatus,
    SnapshotData,
    encode,
)
from flowscope.live.visuals import visual

LONGEST_ERROR: Final = 4_000
"""Characters of an error's message that are shown."""

_ENDS_OR_RESTARTS: Final = (NodeSucceeded, NodeFailed, NodeCancelled, NodeSkipped, NodeAdopted)
"""Events of a container, outside any iteration, that change what its body shows."""


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """One durable message, encoded once for all viewers. `subject` is the node's id, or empty for the run itself; `last`
    says that it is the last of its event."""

    seq: int
    subject: str
    last: bool
    body: bytes


class Translator:
    """Folds the events of one execution, and says what each changes for those who look on."""

    def __init__(self, execution_id: str, shape: WorkflowShape | None, view: ExecutionView | None = None) -> None:
        self.shape = shape
        self.view = view or ExecutionView(execution_id, shape)
        self._entries: dict[str, NodeEntry] = {}
        self._signs: dict[str, tuple[object, ...]] = {}
        self._run: tuple[object, ...] = ()
        self._id = encode(execution_id)

    @property
    def seq(self) -> int:
        return self.view.seq

    def fold(self, events: Iterable[AnyEvent]) -> None:
        """Apply events that nobody needs to be told of."""
        for event in events:
            self._changes(event)
        self._run = self._sign_of_run()

    def translate(self, event: AnyEvent) -> list[Encoded]:
        """Apply an event; what it changed, in the order to be told. An event that was applied before changes nothing."""
        changes = self._changes(event)
        if changes is None:
            return []
        sign = self._sign_of_run()
        tell_run, self._run = sign != self._run, sign
        return self._encode(event.seq, changes, tell_run)

    def entry(self, node_id: str) -> NodeEntry | None:
        """A node as it is shown; None if there is none, or nothing has been said of it."""
        return self._entries.get(node_id)

    def entries(self) -> Iterator[NodeEntry]:
        """Every node as it is shown, in the order of the definition."""
        for node in self.view.nodes.values():
            yield self._entries.get(node.node_id) or _entry(node, round(node.timestamp))

    def snapshot(self) -> SnapshotData:
        """The run as it is now, without its nodes."""
        facts = self._facts()
        fields = {name: getattr(facts, name) for name in facts.__struct_fields__}
        return SnapshotData(**fields, nodes=(), workflow_id=self.view.workflow_id or UNSET)

    def whole(self) -> SnapshotData:
        """The run as it is now, with all its nodes."""
        return msgspec.structs.replace(self.snapshot(), nodes=tuple(self.entries()))

    # --- what changed ---

    def _changes(self, event: AnyEvent) -> list[NodeEntry] | None:
        """The nodes shown otherwise than before; None if the event was applied before."""
        view = self.view
        if event.seq <= view.seq:
            return None
        view.apply(event)
        if not isinstance(event, NodeEvent):
            # Bodies of a run without a definition end with the run.
            return self._all_changed(view.nodes.values(), event.at) if view.ended else []
        if isinstance(event, IterationStarted):  # nothing shown says how many run
            return []
        node = view.nodes[event.node_id]
        if node.children and not event.path and isinstance(event, _ENDS_OR_RESTARTS):
            return self._all_changed((node, *_inside(node)), event.at)
        entry = self._changed(node, event.at)
        return [] if entry is None else [entry]

    def _all_changed(self, nodes: Iterable[NodeView], at: float) -> list[NodeEntry]:
        return [entry for node in nodes if (entry := self._changed(node, at)) is not None]

    def _changed(self, node: NodeView, at: float) -> NodeEntry | None:
        sign = _sign(node)
        told = self._signs.get(node.node_id)
        if sign == told or (told is None and not node.sequence and node.status == "idle"):
            return None
        self._signs[node.node_id] = sign
        entry = self._entries[node.node_id] = _entry(node, round(at))
        return entry

    def _sign_of_run(self) -> tuple[object, ...]:
        view = self.view
        return (view.status, view.detail, view.completed_nodes, view.total_nodes, view.error, view.end_time)

    # --- the messages ---

    def _encode(self, seq: int, nodes: list[NodeEntry], tell_run: bool) -> list[Encoded]:
        messages: list[Encoded] = []
        left = len(nodes) - 1 + tell_run
        for entry in nodes:
            more = b',"more":true' if left else b""
            body = b'{"type":"NODE_UPDATE","data":{"executionId":%b,"seq":%d%b,%b}' % (
                self._id, seq, more, encode(entry)[1:],
            )  # fmt: skip
            messages.append(Encoded(seq, entry.node_id, not left, body))
            left -= 1
        if tell_run:
            messages.append(Encoded(seq, "", True, encode(ExecutionUpdate(data=self._facts()))))
        return messages

    def standing(self) -> Encoded:
        """The run as it is, for those whose cursor is to follow though nothing that is shown has changed."""
        return Encoded(self.seq, "", True, encode(ExecutionUpdate(data=self._facts())))

    def _facts(self) -> ExecutionUpdateData:
        view = self.view
        return ExecutionUpdateData(
            execution_id=view.execution_id,
            seq=view.seq,
            status=cast("ExecutionStatus", view.status),
            progress=view.progress,
            completed_nodes=view.completed_nodes,
            total_nodes=view.total_nodes,
            start_time=round(view.start_time),
            duration=UNSET if view.duration is None else round(view.duration),
            error=view.error.message[:LONGEST_ERROR] if view.error else UNSET,
            detail=view.detail or UNSET,
        )


def _inside(node: NodeView) -> Iterator[NodeView]:
    for child in node.children:
        yield child
        yield from _inside(child)


def _percent(node: NodeView) -> int:
    iterations = node.iterations
    if iterations is None or not iterations.total:
        return 0
    return 100 * (iterations.done + iterations.failed) // iterations.total


def _sign(node: NodeView) -> tuple[object, ...]:
    """What must differ for a node to be told again."""
    iterations = node.iterations
    runs = node.status == "running"  # most are, whenever there are many events, and then neither is known
    return (
        node.status,
        "" if runs else node.detail,
        0.0 if runs else node.until,
        node.handle,
        node.node_name,
        node.attempts,
        node.error,
        _percent(node) if iterations else 0,
        iterations.failed if iterations else 0,
        node.end_time,
    )


def _entry(node: NodeView, at: int) -> NodeEntry:
    status, duration, error = node.status, node.duration, node.error
    milliseconds = None if duration is None else round(duration)
    message = error.message[:LONGEST_ERROR] if error else ""
    progress = _percent(node) if status == "running" else 0
    iterations = node.iterations
    return NodeEntry(
        node_id=node.node_id,
        node_name=node.node_name,
        status=cast("NodeStatus", status),
        visual=visual(status, milliseconds, progress, message),
        timestamp=at,
        duration=UNSET if milliseconds is None else milliseconds,
        progress=progress or UNSET,
        error=message or UNSET,
        detail=node.detail or UNSET,
        start_time=round(node.start_time) if node.start_time else UNSET,
        attempt=node.attempts if node.attempts > 1 else UNSET,
        until=round(node.until) if node.until else UNSET,
        handle=node.handle if node.handle not in ("", "output") else UNSET,
        iterations=Iterations(total=iterations.total, done=iterations.done, failed=iterations.failed)
        if iterations
        else UNSET,
    )
