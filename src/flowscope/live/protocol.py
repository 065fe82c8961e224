"""Every message of the live stream, as it is on the wire. `docs/protocol.md` is this page for people.

Control messages are flat; what is about a run is in `data`. Times are epoch milliseconds, progress is whole percent. What is
undefined is left out, never null (only `CONNECTED.executionId` may be null).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType, field

from flowscope.live.visuals import Visual

SUBPROTOCOL: Final = "flowscope.v1"
"""A client that names it gets frames; one that names none gets one message per WebSocket message."""


class CloseCode(IntEnum):
    """Why the server ends a connection."""

    GOING_AWAY = 1001
    FRAME_TOO_LARGE = 1009
    RESTART = 1012
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    NO_HEARTBEAT = 4408
    TOO_SLOW = 4413
    RATE_LIMITED = 4429
    FULL = 4503


CLOSE_MEANINGS: Final = {
    CloseCode.GOING_AWAY: "The service is over: what was mounted has been taken down.",
    CloseCode.FRAME_TOO_LARGE: "A client message was larger than 16 KiB. Do not repeat it.",
    CloseCode.RESTART: "The server restarts. Come back after a jittered pause and resume with `after`.",
    CloseCode.UNAUTHORIZED: "No valid credentials. Get a ticket or key first. (Before the handshake: HTTP 403.)",
    CloseCode.FORBIDDEN: "This Origin or Host is not allowed, or the key may not view. (Before the handshake: HTTP 403.)",
    CloseCode.NO_HEARTBEAT: "Two pings went unanswered. Come back and resume with `after`.",
    CloseCode.TOO_SLOW: "The viewer did not read for two heartbeats. The reason holds where to resume: `after=<seq>`.",
    CloseCode.RATE_LIMITED: "More client messages than 20 a second. Come back slower.",
    CloseCode.FULL: "As many viewers as the server takes. Come back later.",
}


Problem: TypeAlias = Literal[
    "BAD_JSON", "BAD_MESSAGE", "UNKNOWN_TYPE", "EXECUTION_NOT_FOUND", "TOO_MANY_SUBSCRIPTIONS", "UNAVAILABLE"
]
"""The `code` of an `ERROR`."""

NodeStatus: TypeAlias = Literal["idle", "pending", "running", "success", "error", "skipped"]

ExecutionStatus: TypeAlias = Literal["pending", "running", "waiting", "success", "failed", "cancelled"]


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag_field="type"):
    """Anything the server says."""


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A part of a message."""


# --- what is about a run ---


class Iterations(Part, frozen=True, kw_only=True, gc=False):
    """A container's iterations, in whole percents of progress: it is told when the percent changes, or one fails."""

    total: int
    done: int
    failed: int


class NodeEntry(Part, frozen=True, kw_only=True, gc=False):
    """One node. `detail` is a word beside `status`: queued, retrying, waiting, asking, cancelled, timed out, lost,
    cached, pinned, kept. `attempt` is left out while it is 1 or none. `until` is when a pending node goes on by itself (its
    next attempt, or the end of its wait). `handle` is the one its answer left by, left out where that is `output`; of a
    node in a body none is told."""

    node_id: str
    node_name: str
    status: NodeStatus
    visual: Visual
    timestamp: int
    duration: int | UnsetType = UNSET
    progress: int | UnsetType = UNSET
    error: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET
    start_time: int | UnsetType = UNSET
    attempt: int | UnsetType = UNSET
    until: int | UnsetType = UNSET
    handle: str | UnsetType = UNSET
    iterations: Iterations | UnsetType = UNSET


class NodeUpdateData(NodeEntry, frozen=True, kw_only=True, gc=False):
    """A node as it is after event `seq`, whole: it replaces what was known. `more`: this event has further messages, and
    the cursor moves only with the last. Without `seq` it is of the ephemeral lane (progress, for clients without frames)."""

    execution_id: str
    seq: int | UnsetType = UNSET
    more: bool | UnsetType = UNSET


class NodeUpdate(Message, frozen=True, kw_only=True, gc=False, tag="NODE_UPDATE"):
    data: NodeUpdateData


class ExecutionFacts(Part, frozen=True, kw_only=True, gc=False):
    """The run itself. `detail` says paused, failing, what is waited for, or why it was cancelled."""

    execution_id: str
    seq: int
    status: ExecutionStatus
    progress: int
    completed_nodes: int
    total_nodes: int
    start_time: int
    duration: int | UnsetType = UNSET
    error: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class ExecutionUpdateData(ExecutionFacts, frozen=True, kw_only=True, gc=False):
    """The run as it is after event `seq`, whole."""


class ExecutionUpdate(Message, frozen=True, kw_only=True, gc=False, tag="EXECUTION_UPDATE"):
    data: ExecutionUpdateData


class SnapshotData(ExecutionFacts, frozen=True, kw_only=True, gc=False):
    """Everything as it is after event `seq`: it replaces what was known, the cursor too. One over 1 MiB comes in `pages`;
    each has the run's facts and its share of the nodes, and only all of them together are a snapshot."""

    nodes: tuple[NodeEntry, ...]
    workflow_id: str | UnsetType = UNSET
    page: int | UnsetType = UNSET
    pages: int | UnsetType = UNSET


class ExecutionSnapshot(Message, frozen=True, kw_only=True, gc=False, tag="EXECUTION_SNAPSHOT"):
    data: SnapshotData


# --- the ephemeral lane ---


class NodeProgressData(Part, frozen=True, kw_only=True, gc=False):
    """How far a running attempt is; the latest wins. `detail` says why it does not run yet (`queued, 3rd of 12, waits for
    worker`), and takes the place of the node's; without it, it runs."""

    execution_id: str
    node_id: str
    attempt: int
    progress: int
    timestamp: int
    path: str | UnsetType = UNSET
    message: str | UnsetType = UNSET
    detail: str | UnsetType = UNSET


class NodeProgress(Message, frozen=True, kw_only=True, gc=False, tag="NODE_PROGRESS"):
    data: NodeProgressData


class NodeLogData(Part, frozen=True, kw_only=True, gc=False):
    """What an attempt logged (`kind` log, with a `level`) or streamed (`kind` stream). `offset` counts the words of this
    attempt from 0: a jump means that some were dropped here and are to be read over HTTP."""

    execution_id: str
    node_id: str
    attempt: int
    offset: int
    kind: Literal["log", "stream"]
    level: str
    text: str
    timestamp: int
    path: str | UnsetType = UNSET


class NodeLog(Message, frozen=True, kw_only=True, gc=False, tag="NODE_LOG"):
    data: NodeLogData


# --- control ---


class Connected(Message, frozen=True, kw_only=True, gc=False, tag="CONNECTED"):
    """The first message. `executionId` is that of the query, or null."""

    client_id: str
    execution_id: str | None
    timestamp: int


class Pong(Message, frozen=True, kw_only=True, gc=False, tag="PONG"):
    timestamp: int


class CaughtUp(Message, frozen=True, kw_only=True, gc=False, tag="CAUGHT_UP"):
    """All that had happened when it was sent has been sent; what follows is live. Answers a subscription with `after`."""

    execution_id: str
    seq: int


class Lagged(Message, frozen=True, kw_only=True, gc=False, tag="LAGGED"):
    """The messages of events `from` to `to` are not sent; a snapshot at `to` or later follows. (`from` beyond `to`: the
    client's cursor was ahead of the journal.)"""

    execution_id: str
    from_: int = field(name="from")
    to: int


class ErrorMessage(Message, frozen=True, kw_only=True, gc=False, tag="ERROR"):
    """Something a client asked for cannot be done; the connection stays."""

    code: Problem
    message: str
    execution_id: str | UnsetType = UNSET


ServerMessage: TypeAlias = (
    Connected
    | ExecutionSnapshot
    | NodeUpdate
    | ExecutionUpdate
    | CaughtUp
    | Lagged
    | ErrorMessage
    | Pong
    | NodeProgress
    | NodeLog
)


class Frame(Part, frozen=True, kw_only=True, gc=False):
    """What `flowscope.v1` gets instead of single updates: the events `prev + 1 .. seq`. A client applies it whole if `prev`
    is its cursor, drops it if `seq` is not beyond its cursor, and otherwise subscribes again with `after`. `seq` equal to
    `prev`: a part of an event too large for one frame; the cursor stays."""

    execution_id: str
    prev: int
    seq: int
    messages: tuple[NodeUpdate | ExecutionUpdate, ...]


# --- what clients say ---


class Subscribe(Part, frozen=True, kw_only=True, gc=False, tag_field="type", tag="SUBSCRIBE"):
    """Watch an execution: with `after`, from the event after that one; without, from a snapshot."""

    execution_id: str
    after: int | UnsetType = UNSET


class Unsubscribe(Part, frozen=True, kw_only=True, gc=False, tag_field="type", tag="UNSUBSCRIBE"):
    execution_id: str


class Ping(Part, frozen=True, kw_only=True, gc=False, tag_field="type", tag="PING"):
    """Answered by `PONG`."""


ClientMessage: TypeAlias = Subscribe | Unsubscribe | Ping

encode = msgspec.json.Encoder().encode
