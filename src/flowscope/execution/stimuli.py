"""What can happen to an execution from outside, as imperatives to the machine. Nothing here is recorded; events are."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from flowscope.execution.events import Blob, Caller, ErrorInfo

Answered: TypeAlias = bytes | Blob
"""A payload as a handler's answer brings it."""


class Stimulus(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    pass


class KeptNode(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What came of a node in the parent execution, to be adopted as soon as it would start: see `NodeAdopted`."""

    origin_seq: int
    handle: str = "output"
    output: Answered | None = None
    passed: bool = False
    error: ErrorInfo | None = None
    body: dict[str, str] = {}


class KeptExpansion(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A container's handler had said what to run: see `Expand`."""

    count: int
    items: Answered | None = None
    concurrency: int = 1
    collect_errors: bool = False


class KeptStart(msgspec.Struct, frozen=True, gc=False):
    """An iteration had begun."""

    index: int


class KeptIteration(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An iteration had ended: see `IterationAdopted`."""

    index: int
    origin_seq: int
    output: Answered | None = None
    error: ErrorInfo | None = None


class KeptContainer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How far a container had come that had not ended well, step by step. What had begun and not ended runs here."""

    steps: tuple[KeptExpansion | KeptStart | KeptIteration, ...]


class KeptVariable(msgspec.Struct, frozen=True, gc=False):
    """What a node that is kept had set: see `VariableSet`."""

    node_id: str
    path: str
    name: str
    value: Answered


Kept: TypeAlias = KeptNode | KeptContainer


class Start(Stimulus, frozen=True, gc=False, kw_only=True):
    """Begin. `trigger` is the node that fired; empty: a manual trigger if there is one, else the first trigger.

    `kept` is what is adopted of the parent execution, by path and node id; `replaced` the inputs, by top-level node, that
    somebody gives instead of the graph, `variables` those that what is kept had set. `until`: the top-level node beyond which nothing runs.
    """

    input: Answered = b"{}"
    trigger: str = ""
    definition: str = ""
    user_id: str = ""
    parent_execution_id: str = ""
    caller: Caller | None = None
    fired: bool = False
    origin: str = ""
    fork_from: str = ""
    until: str = ""
    kept: dict[tuple[str, str], Kept] = {}
    replaced: dict[str, Answered] = {}
    variables: tuple[KeptVariable, ...] = ()
    use_worker_pool: bool = False


class NodeStimulus(Stimulus, frozen=True, gc=False, kw_only=True):
    """About one node; those that answer an attempt name it, and are ignored when it is no longer the present one."""

    node_id: str
    path: str = ""


class Begin(NodeStimulus, frozen=True, gc=False, kw_only=True):
    """Somebody takes a ready node up."""


class Succeed(NodeStimulus, frozen=True, gc=False, kw_only=True):
    """`output` None with `passed`: the input as it is; without: a container's results, or only the `last`."""

    attempt: int
    output: Answered | None = None
    handle: tuple[str, ...] = ("output",)
    passed: bool = False
    last: bool = False


class Assign(NodeStimulus, frozen=True, gc=False, kw_only=True):
    """An attempt sets a variable of the run; its answer is still to come."""

    attempt: int
    name: str
    value: Answered


class Fail(NodeStimulus, frozen=True, gc=False, kw_only=True):
    """`chance` in [0, 1) is the jitter's die."""

    attempt: int
    error: ErrorInfo
    chance: float = 0.5


class Lose(NodeStimulus, frozen=True, gc=False, kw_only=True):
    """The process that ran the attempt is gone, and this one goes on: the node runs again, or what `onLost` says."""

    attempt: int
    error: ErrorInfo


class Suspend(NodeStimulus, frozen=True, gc=False, kw_only=True):
    attempt: int
    kind: str = "duration"
    until: float = 0
    expires: bool = False
    signal: str = ""
    child: str = ""
    child_definition: str = ""
    input: Answered | None = None
    detail: str = ""
    choices: tuple[str, ...] = ()
    extends: bool = False
    otherwise: bytes | None = None
    otherwise_handle: str = ""


class Expand(NodeStimulus, frozen=True, gc=False, kw_only=True):
    """`items` is a JSON array of `count`; None: one more iteration on the state. `entries` and `memo`: see `NodeExpanded`."""

    attempt: int
    count: int
    items: Answered | None = None
    concurrency: int = 1
    collect_errors: bool = False
    entries: tuple[str, ...] = ()
    memo: Answered | None = None


class Fire(NodeStimulus, frozen=True, gc=False, kw_only=True):
    """A timer set by `SetTimer` is due. An empty `node_id` is the run's own deadline."""

    node_id: str = ""
    attempt: int = 0
    chance: float = 0.5


class Signal(Stimulus, frozen=True, gc=False, kw_only=True):
    """An answer from outside to nodes suspended for it. `name` is the signal's, or the id of the waiting node; `handle` is
    where the answer leaves by, one of the wait's choices if it has any."""

    name: str
    payload: Answered = b"null"
    handle: str = "output"


class Cancel(Stimulus, frozen=True, gc=False, kw_only=True):
    reason: str = ""


class Pause(Stimulus, frozen=True, gc=False, kw_only=True):
    pass


class Resume(Stimulus, frozen=True, gc=False, kw_only=True):
    pass


class Recover(Stimulus, frozen=True, gc=False, kw_only=True):
    """This process has just claimed the execution under `epoch`; whatever ran elsewhere is lost."""

    epoch: int


class Wake(Stimulus, frozen=True, gc=False, kw_only=True):
    """The execution was out of memory while nothing of it ran: its timers and children are asked for again."""


AnyStimulus: TypeAlias = (
    Start
    | Begin
    | Succeed
    | Assign
    | Fail
    | Lose
    | Suspend
    | Expand
    | Fire
    | Signal
    | Cancel
    | Pause
    | Resume
    | Recover
    | Wake
)
