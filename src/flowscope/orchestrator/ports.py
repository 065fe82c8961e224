"""What the orchestrator asks of the world, as protocols. Adapters live in `journal/` and `workers/`; each port has one
conformance suite in `flowscope.testing`.

Times are epoch milliseconds. Bytes of events are newline-delimited JSON, opaque to a store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from flowscope.errors import StoreConflict, StoreError

if TYPE_CHECKING:
    from flowscope.orchestrator.job import Job

UNENDED = ("pending", "running", "waiting")
"""The statuses of executions that have not ended."""

IMPORTED = "imported"
"""What the `detail` of an execution begins with that was imported: it is only looked at."""

Done = Callable[["CommitResult"], None]


class ExecutionRow(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One line of the list of executions: what can be searched without reading a journal."""

    execution_id: str
    workflow_id: str
    workflow_name: str = ""
    definition: str = ""
    status: str = "running"
    detail: str = ""
    started_at: float = 0
    ended_at: float = 0
    parent_execution_id: str = ""
    caller_execution_id: str = ""
    error: str = ""
    last_seq: int = 0
    epoch: int = 1


class Segment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The events `first_seq..last_seq` of one execution, one commit's worth: `lines` ends with a newline.

    `row` is the execution's line as it stands after `last_seq` (its own `last_seq` and `epoch` included); None leaves the
    stored one but for `last_seq`. The first segment of an execution (`first_seq` 1) always has one.
    """

    execution_id: str
    first_seq: int
    last_seq: int
    epoch: int
    lines: bytes
    row: ExecutionRow | None = None
    version: int = 1


class LogLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", omit_defaults=True):
    """What a node logged or streamed: kept with the run, beside the order of `seq`. `kind` is `log` or `stream`."""

    execution_id: str
    node_id: str
    path: str = ""
    attempt: int = 1
    at: float = 0
    kind: str = "log"
    level: str = "info"
    text: str = ""
    offset: int = 0
    """Set by the store on reading: its place in the execution's log, rising."""


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """What must become durable together. `done` is called once, from the writer's thread, after the disk has it or refused.

    `blobs` are (sha256 hex, JSON bytes); `definitions` are (sha256 hex, workflow id, name, document bytes). Both are
    written before the segments and may already be there.
    """

    segments: Sequence[Segment] = ()
    blobs: Sequence[tuple[str, bytes]] = ()
    definitions: Sequence[tuple[str, str, str, bytes]] = ()
    logs: Sequence[LogLine] = ()
    done: Done


class CommitResult(msgspec.Struct, frozen=True, kw_only=True):
    """`error` (nothing of the commit was kept) or `conflicts` by execution id (only those segments were refused)."""

    conflicts: dict[str, StoreConflict] = {}
    error: StoreError | None = None


class ExecutionQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `text` is looked for in id, workflow id and name, and error, without regard to case.

    `before` is the cursor: the (started_at, execution_id) of the last row already seen.
    """

    workflow_id: str = ""
    statuses: Sequence[str] = ()
    started_after: float = 0
    started_before: float = 0
    ended_after: float = 0
    text: str = ""
    parent_execution_id: str = ""
    on_top: bool = False
    """Without those that another execution called."""
    before: tuple[float, str] | None = None
    limit: int = 50


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What may go, the oldest ends first: executions that ended before `ended_before`; those beyond the newest `keep_count`;
    and as many as it takes for all that is kept to be `max_bytes` at most (0: that rule does not hold). Bytes are those of
    events, logs and payloads. Runs that have not ended never go."""

    ended_before: float = 0
    keep_count: int = 0
    max_bytes: int = 0
    limit: int = 1_000
    dry_run: bool = False


class Journal(Protocol):
    """Append and read. `submit` only hands over; order of submission is order of commit."""

    def submit(self, commit: Commit) -> None: ...

    def read(self, execution_id: str, after: int = 0, limit: int = 10_000) -> Sequence[Segment]:
        """Segments holding events with `seq > after`, in order (the first may begin earlier), about `limit` events at most."""
        ...

    def claim(self, execution_ids: Sequence[str]) -> Sequence[ExecutionRow]:
        """Take executions over, in one transaction: raise their epochs durably, so that every earlier owner's append
        conflicts. Their rows, in the order asked; those that do not exist are left out."""
        ...


class ExecutionIndex(Protocol):
    def row(self, execution_id: str) -> ExecutionRow | None: ...

    def search(self, query: ExecutionQuery) -> Sequence[ExecutionRow]: ...

    def latest(self, workflow_ids: Sequence[str]) -> Mapping[str, ExecutionRow]:
        """By workflow, the execution that started last; those that have none are left out."""
        ...

    def prune(self, retention: Retention) -> Sequence[str]:
        """Delete what may go, with its logs, and then blobs and definitions nothing refers to; the ids that went."""
        ...

    def pruned(self, execution_id: str) -> bool:
        """Whether an execution of that id has been pruned; of the last 100,000."""
        ...


class Payloads(Protocol):
    """What is kept by content, and the text beside the journal."""

    def blob(self, sha256: str) -> bytes: ...

    def definition(self, sha256: str) -> bytes: ...

    def latest_definition(self, workflow_id: str) -> tuple[str, bytes] | None:
        """The definition of that workflow stored last: (sha256, document)."""
        ...

    def logs(self, execution_id: str, after: int = 0, limit: int = 1_000) -> Sequence[LogLine]: ...


class Store(Journal, ExecutionIndex, Payloads, Protocol):
    """All of it, as one adapter gives it. `start` raises a `StoreError`; `stop` is safe twice, and unstarted, and commits
    what was submitted before it."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def statistics(self) -> dict[str, Any]: ...


class Clock(Protocol):
    def now(self) -> float:
        """Wall time in epoch milliseconds."""
        ...

    def call_at(self, when: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back on the event loop at that wall time, or soon if it is past; returns a function that cancels."""
        ...


class Progress(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", omit_defaults=True):
    """How far a running attempt is, 0 to 1. Shown, never kept. `detail` says why it does not run yet, while it does not."""

    execution_id: str
    node_id: str
    path: str = ""
    attempt: int = 1
    at: float = 0
    fraction: float = 0
    message: str = ""
    detail: str = ""


class Publisher(Protocol):
    """Told on the event loop. `publish` comes after the commit, in order of `seq` for each execution; `murmur` is the
    ephemeral lane, which may come before what it belongs to, or not at all. Neither may raise or block."""

    def publish(self, segment: Segment, events: Sequence[Any]) -> None: ...

    def murmur(self, word: Progress | LogLine) -> None: ...


class Limit(NamedTuple):
    """At most so many attempts at once of those that name it. `own`: the name is worked out for each attempt, so there may be
    as many names as attempts. `shown` is what people see of a name that holds a secret; else they see the name."""

    name: str
    most: int
    own: bool = False
    shown: str = ""


class Task(Protocol):
    """One attempt of one external node, ready to run. `call` gives the handler's answer or raises; it is awaited if
    `is_async`, else run in a thread. `timeout` is milliseconds, 0 for none."""

    is_async: bool
    timeout: float
    key: tuple[str, str, str, int]
    """Execution, path, node, attempt."""

    in_pool: bool
    """Whether it is to run in a worker process, where there is a pool of them."""

    secrets: set[str]
    """Values it has been given that are blotted out of what it says and answers."""

    @property
    def limits(self) -> tuple[Limit, ...]: ...

    @property
    def priority(self) -> int:
        """The higher goes first."""
        ...

    @property
    def unhurried(self) -> bool:
        """`timeout` 0 was said, and not just left out: a runner's own limit does not count."""
        ...

    def call(self) -> Any: ...

    def job(self) -> Job:
        """The same for a worker process; `HandlerUnreachable` if it cannot be had there."""
        ...

    def progress(self, fraction: float, message: str) -> None: ...
    def log(self, level: str, text: str) -> None: ...
    def stream(self, text: str) -> None: ...

    def queued(self, detail: str) -> None:
        """Say why it does not run yet; with an empty text, that it does now."""
        ...

    def in_line(self, waits: bool) -> None:
        """It has to wait for a place; or, once it has had to, has one now."""
        ...

    def cancel(self) -> None:
        """Let the handler see that it is to stop (`context.cancelled()`)."""
        ...


class Results(Protocol):
    """Results of nodes declared cacheable, by what the work was. Losing one costs no more than doing the work again."""

    def find(self, key: str, now: float) -> tuple[str, bytes] | None:
        """The handle and the JSON of a result that still holds at `now`."""
        ...

    def keep(self, key: str, handle: str, data: bytes, until: float) -> None:
        """Keep a result until then. Must not block."""
        ...


class NodeRunner(Protocol):
    """Runs tasks. `report` is called once for each, on the event loop and after `run` has returned: with the task, and the
    answer or the exception it ended in. A `WorkerLost` or `WorkerTimeout` says that it may well succeed elsewhere."""

    async def start(self) -> None: ...

    async def stop(self, grace: float) -> None:
        """Give what runs `grace` seconds, then end it unreported."""
        ...

    def run(self, task: Task, report: Callable[[Any, Any, BaseException | None], None]) -> None: ...

    def cancel(self, key: tuple[str, str, str, int]) -> bool:
        """Stop that attempt; nothing is reported for it any more. False if it was not running."""
        ...

    def waiting(self, execution_id: str) -> Mapping[tuple[str, str, str, int], str]:
        """The attempts of an execution that are not running yet, and what for, in words for people."""
        ...

    def statistics(self) -> dict[str, Any]: ...
