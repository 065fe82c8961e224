"""The live state of one scope, as columns indexed by node number.

The top level is one frame, each running iteration of a container is one. An iteration's frame is dropped as soon as the
iteration ends, so a map of any length holds only what runs; and when a frame is dropped, every node in it has ended.
"""

from __future__ import annotations

from array import array

import msgspec

from flowscope.definition.plan import ERROR as ERROR_HANDLE
from flowscope.definition.plan import OUTPUT, Scope
from flowscope.execution import status as st
from flowscope.execution.payload import Batch, Payload


class Expansion:
    """What a container has opened. Iterations are numbered over its whole life; `base` is the first of the present batch.

    `batch` is None for a loop, whose one iteration gets `last`. `results` are kept for a batch's containers only, in item
    order. `entries` names the roots of the batch's iterations, `places` where their results belong in the frame's last turn.
    `running` holds the frames that are open, by index, oldest first. `asked` is no state: somebody is just asking the
    container's handler what next.
    """

    __slots__ = (
        "asked", "base", "batch", "collect_errors", "concurrency", "count", "deadline", "entries", "frame", "last", "next",
        "number", "places", "results", "running",
    )  # fmt: skip

    def __init__(self, frame: Frame, number: int) -> None:
        self.frame = frame
        self.number = number
        self.base = self.count = self.next = 0
        self.concurrency = 1
        self.collect_errors = False
        self.deadline = 0.0
        self.batch: Batch | None = None
        self.last: Payload | None = None
        self.results: list[Payload] = []
        self.running: dict[int, Frame] = {}
        self.asked = False
        self.entries: tuple[str, ...] = ()
        self.places: list[int] = []

    @property
    def items(self) -> Payload | None:
        """The present batch's array; None for a loop."""
        return self.batch.items if self.batch else None

    @property
    def idle(self) -> bool:
        """Every iteration of the batch has ended: the container's handler is to be asked what next."""
        return self.next == self.count and not self.running

    @property
    def room(self) -> bool:
        """Whether another iteration may start."""
        return self.next < self.count and len(self.running) < self.concurrency


class Turn:
    """One answer of a container that works in turns: what it wanted kept (`memo`), and the results of the iterations it asked
    for, None for those that have not ended. Kept over attempts, so that a turn that is done is not done again."""

    __slots__ = ("memo", "results")

    def __init__(self, memo: Payload, count: int) -> None:
        self.memo = memo
        self.results: list[Payload | None] = [None] * count

    @property
    def undone(self) -> list[int]:
        """The positions without a result."""
        return [position for position, result in enumerate(self.results) if result is None]


class Suspension(msgspec.Struct, frozen=True, gc=False):
    """Why a node is suspended, backing off or asking, and until when (epoch ms; 0: no instant)."""

    kind: str
    until: float = 0
    expires: bool = False
    signal: str = ""
    child: str = ""
    child_definition: str = ""
    input: Payload | None = None
    detail: str = ""
    choices: tuple[str, ...] = ()
    extends: bool = False
    otherwise: bytes | None = None
    otherwise_handle: str = ""


class Frame:
    """The columns of one scope. `busy` counts live nodes, `left` those that have not ended.

    `waiting` counts a node's undecided incoming edges; `active` tells whether one of the decided ones was active. `times`
    holds start and end of each node. The dictionaries, None until they are needed, hold what few nodes have: the handle
    `taken` if it is not `output`, the edge an any-join started by (`any_source`), `lost` attempts, suspensions, expansions,
    `turns`, the parent's event an `adopted` node's result is from, the input that somebody has `replaced`.
    """

    __slots__ = (
        "active", "adopted", "any_source", "attempts", "busy", "expansions", "index", "left", "lost", "outputs", "owner",
        "parent", "path", "replaced", "scope", "status", "suspensions", "taken", "times", "turns", "waiting",
    )  # fmt: skip

    def __init__(self, scope: Scope, path: str, parent: Frame | None, owner: int, index: int) -> None:
        size = scope.size
        self.scope = scope
        self.path = path
        self.parent = parent
        self.owner = owner
        self.index = index
        self.status = bytearray(size)
        self.active = bytearray(size)
        self.waiting = scope.indegree[:]
        self.attempts = array("H", bytes(2 * size))
        self.outputs: list[Payload | None] = [None] * size
        self.times = array("d", bytes(16 * size))
        self.busy = 0
        self.left = size
        self.taken: dict[int, str] | None = None
        self.any_source: dict[int, int] | None = None
        self.lost: dict[int, int] | None = None
        self.suspensions: dict[int, Suspension] | None = None
        self.expansions: dict[int, Expansion] | None = None
        self.turns: dict[int, list[Turn]] | None = None
        self.adopted: dict[int, int] | None = None
        self.replaced: dict[int, Payload] | None = None

    def edge_active(self, source: int, handle: str) -> bool:
        """Whether something has come out of that handle of that node."""
        status = self.status[source]
        if status == st.SUCCESS:
            return handle == (self.taken.get(source, OUTPUT) if self.taken else OUTPUT)
        if status == st.ERROR:
            plan = self.scope.nodes[source]
            if ERROR_HANDLE in plan.routes:
                return handle == ERROR_HANDLE
            return plan.continue_on_error and handle == OUTPUT
        return False

    def expansion(self, number: int) -> Expansion | None:
        """What a container has opened in its present attempt."""
        return self.expansions.get(number) if self.expansions else None

    def suspension(self, number: int) -> Suspension | None:
        """What a node waits for."""
        return self.suspensions.get(number) if self.suspensions else None

    def losses(self, number: int) -> int:
        """How many attempts of a node were lost with the process that ran them."""
        return self.lost.get(number, 0) if self.lost else 0

    def due(self, number: int) -> float:
        """When a node's timer is due: the end of its wait, its back-off or its time (epoch ms; 0: it has none)."""
        status = self.status[number]
        if status in (st.RETRYING, st.SUSPENDED):
            wait = self.suspension(number)
            return wait.until if wait else 0
        expansion = self.expansion(number) if status == st.EXPANDED else None
        return expansion.deadline if expansion else 0

    def __repr__(self) -> str:
        return f"Frame({self.path!r}, {[st.NAMES[status] for status in self.status]})"


_ESCAPES = str.maketrans({"%": "%25", "[": "%5B", "]": "%5D", "#": "%23"})
"""An id may hold any visible character, a path must be told apart from every other: a step ends with its first `]`."""


def path_of(frame: Frame, number: int, index: int) -> str:
    """The path of one iteration. A container that is tried again opens new ones: `each#2[0]` is its second attempt's first.

    Lost attempts do not count: they have opened none.
    """
    attempt = frame.attempts[number] - frame.losses(number)
    step = frame.scope.ids[number].translate(_ESCAPES) + (f"#{attempt}[{index}]" if attempt > 1 else f"[{index}]")
    return f"{frame.path}.{step}" if frame.path else step


def key_of(frame: Frame) -> str:
    """The frame's path without attempts: the same on every execution of the same iteration."""
    steps = []
    while frame.parent is not None:
        steps.append(f"{frame.parent.scope.ids[frame.owner].translate(_ESCAPES)}[{frame.index}]")
        frame = frame.parent
    return ".".join(reversed(steps))
