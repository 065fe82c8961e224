"""The journal's vocabulary: what has happened, as past participles. Frozen, versioned, never renamed.

`seq` counts from 1 without a gap over the whole life of an execution. `at` is wall time in epoch milliseconds, for people;
nothing is decided by it. `path` names the iteration a node ran in (`loop1[17]`, nested `outer[3].inner[5]`), empty at the top.

Only what cannot be derived is recorded: an answer a handler gave is, the output of a run or of a map (a function of its
parts) is not.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

NOTHING = msgspec.Raw(b"")
"""No payload. (A `Raw` in a union would not decode.)"""


class Blob(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """A payload kept beside the journal by content: SHA-256 (hex) and size in bytes of its JSON, and its first characters."""

    sha256: str
    size: int
    preview: str = ""


class ErrorInfo(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """Why something failed: `type` is the exception's name, `message` for people, `place` where in the config.

    `retry_after` (ms): whoever refused has asked not to be tried again sooner.
    """

    type: str
    message: str
    code: str = ""
    node_id: str = ""
    place: str = ""
    detail: str = ""
    retryable: bool = True
    retry_after: float = 0


class Caller(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """The node that started this execution as a sub-workflow."""

    execution_id: str
    node_id: str
    path: str


class Event(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel", omit_defaults=True, tag_field="type"):
    seq: int
    at: float


# --- the execution ---


class ExecutionStarted(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """`definition` is the hash of the workflow's document, empty for a run that is only reported. `fired`: a trigger started
    it, not a person, so nodes do not answer from their pins. `use_worker_pool`: all external nodes run in worker processes.

    A run taken up from another names it in `parent_execution_id`, and in `origin` how: `retry` or `fork`, from the node
    `fork_from`. `until`: nothing beyond that node runs.
    """

    workflow_id: str
    workflow_name: str = ""
    definition: str = ""
    total_nodes: int = 0
    input: msgspec.Raw = NOTHING
    input_blob: Blob | None = None
    trigger: str = ""
    deadline: float = 0
    parent_execution_id: str = ""
    caller: Caller | None = None
    user_id: str = ""
    fired: bool = False
    origin: str = ""
    fork_from: str = ""
    until: str = ""
    use_worker_pool: bool = False


class ExecutionPaused(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """Nothing new starts; what runs finishes."""


class ExecutionResumed(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """A pause has ended."""


class ExecutionRecovered(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """Another process, or a later life of the same one, took the execution up under a new `epoch`."""

    epoch: int


class ExecutionFailing(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """The first unhandled error: nothing new starts but error triggers."""

    error: ErrorInfo


class ExecutionSucceeded(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """Every node has ended, and no error was left unhandled. The output stands here only for a run that was reported; of
    every other it follows from its nodes'."""

    output: msgspec.Raw = NOTHING
    output_blob: Blob | None = None


class ExecutionFailed(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """The error of `ExecutionFailing`, once the error triggers are through."""

    error: ErrorInfo


class ExecutionCancelled(Event, frozen=True, gc=False, kw_only=True, tag=True):
    """Somebody ended it."""

    reason: str = ""


# --- a node ---


class NodeEvent(Event, frozen=True, gc=False, kw_only=True):
    node_id: str
    path: str = ""


class AttemptEvent(NodeEvent, frozen=True, gc=False, kw_only=True):
    """What came of an attempt. `began_at` (epoch ms) is when it began, where it had to wait for a place after its `NodeStarted`:
    the first such event after that says it, and its own time if it never had one."""

    began_at: float = 0


class NodeStarted(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """An attempt began. `node_name` only where no definition tells it."""

    attempt: int = 1
    node_name: str = ""


class NodeSucceeded(AttemptEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """`handle` is the output handle taken. The output is inline, or a blob, or (both absent) what can be derived:
    the node's input when `passed`, otherwise the results of a container's iterations, or only the `last` one's. `passed`
    with an output is the input with that output's fields over it. `origin` says where an answer came from that no handler
    gave: `cached` or `pinned`."""

    attempt: int = 1
    handle: str = "output"
    output: msgspec.Raw = NOTHING
    output_blob: Blob | None = None
    passed: bool = False
    last: bool = False
    origin: str = ""


class NodeFailed(AttemptEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """An attempt failed. With `retry_at` (epoch ms) another follows; `handled` says that the run goes on nevertheless."""

    error: ErrorInfo
    attempt: int = 1
    retry_at: float = 0
    handled: bool = False


class NodeLost(AttemptEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """The attempt's process died before it answered. `outcome`: the node runs again (`rerun`) or asks a person (`ask`)."""

    attempt: int = 1
    outcome: str = "rerun"


class NodeReleased(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """A person has said that a lost attempt (`outcome` ask) may run again: the next one is due."""

    attempt: int = 1


class NodeCancelled(AttemptEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """The attempt was stopped; or, between two attempts, the one that was due will not start."""

    attempt: int = 1
    reason: str = ""


class NodeSkipped(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """The node never started, and will not."""

    reason: str = ""


class NodeSuspended(AttemptEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """The attempt waits: for an instant (`until`, epoch ms), a named `signal`, or a `child` execution.

    When `until` passes the node succeeds (by `otherwise_handle` with the fields of `otherwise`, if there are any), or fails
    if `expires` (the wait was for something else, with a time-out). A signal must name one of the `choices`, if there are
    any: the handles it may leave by. With `extends` what it brings goes over the input instead of in its place.
    """

    attempt: int = 1
    kind: str = "duration"
    until: float = 0
    expires: bool = False
    signal: str = ""
    child: str = ""
    child_definition: str = ""
    input: msgspec.Raw = NOTHING
    input_blob: Blob | None = None
    detail: str = ""
    choices: tuple[str, ...] = ()
    extends: bool = False
    otherwise: msgspec.Raw = NOTHING
    otherwise_handle: str = ""


class NodeAdopted(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """The node does not run here: what came of it in the parent execution, at its event `origin_seq`, is kept.

    The output as in `NodeSucceeded`; or the `error` that it failed with and that was handled. `body` tells of a container
    how its nodes stood, by id: `success`, `error` or `skipped`.
    """

    origin_seq: int
    handle: str = "output"
    output: msgspec.Raw = NOTHING
    output_blob: Blob | None = None
    passed: bool = False
    error: ErrorInfo | None = None
    body: dict[str, str] = {}


class NodeInputReplaced(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """Somebody has given the node another input than the graph does; before it starts."""

    input: msgspec.Raw = NOTHING
    input_blob: Blob | None = None


class NodeExpanded(AttemptEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """A container has `count` more iterations to run, at most `concurrency` at once (0: no limit).

    `items` is a JSON array of what each gets; absent, the one new iteration gets the last one's result (a loop's state).
    `deadline` (epoch ms, 0: none) is when the attempt times out; only the attempt's first expansion sets it. `entries`
    names for each iteration the one root of the body that starts. `memo` is what the handler wants to know of this turn when
    it is asked again; without one, the iterations do what was left undone of the last turn.
    """

    count: int
    concurrency: int = 1
    collect_errors: bool = False
    items: msgspec.Raw = NOTHING
    items_blob: Blob | None = None
    deadline: float = 0
    entries: tuple[str, ...] = ()
    memo: msgspec.Raw = NOTHING
    memo_blob: Blob | None = None


class VariableSet(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """From here on `vars.<name>` has this value, in the whole run: what a node said just before its `NodeSucceeded`."""

    name: str
    attempt: int = 1
    value: msgspec.Raw = NOTHING
    value_blob: Blob | None = None


class IterationStarted(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """`path` is the container's own; the iteration's is `path.node_id[index]`. `entry`: only that root of the body starts."""

    index: int
    entry: str = ""


class IterationSucceeded(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    index: int


class IterationFailed(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    index: int
    error: ErrorInfo


class IterationAdopted(NodeEvent, frozen=True, gc=False, kw_only=True, tag=True):
    """A running iteration ends with what came of it in the parent execution, at its event `origin_seq`: the output, or the
    `error` where errors are collected. Nothing of it runs here."""

    index: int
    origin_seq: int
    output: msgspec.Raw = NOTHING
    output_blob: Blob | None = None
    error: ErrorInfo | None = None


AnyEvent: TypeAlias = (
    ExecutionStarted
    | ExecutionPaused
    | ExecutionResumed
    | ExecutionRecovered
    | ExecutionFailing
    | ExecutionSucceeded
    | ExecutionFailed
    | ExecutionCancelled
    | NodeStarted
    | NodeSucceeded
    | NodeFailed
    | NodeLost
    | NodeReleased
    | NodeCancelled
    | NodeSkipped
    | NodeSuspended
    | NodeAdopted
    | NodeInputReplaced
    | NodeExpanded
    | VariableSet
    | IterationStarted
    | IterationSucceeded
    | IterationFailed
    | IterationAdopted
)

TERMINAL = (ExecutionSucceeded, ExecutionFailed, ExecutionCancelled)

VERSION = 1
"""Of the vocabulary. A reader of version n reads all versions up to n."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyEvent)

encode = _encoder.encode
encode_lines = _encoder.encode_lines
"""Events to newline-delimited JSON, one line each."""


def decode_lines(lines: bytes) -> list[AnyEvent]:
    """The events of newline-delimited JSON; `msgspec.DecodeError` or `ValidationError` for anything else."""
    events: list[AnyEvent] = _decoder.decode_lines(lines)
    return events
