"""The machine alone, driven by a script: no journal, no handlers, and a clock that moves when told.

    run = ScriptedRun(plan, {"fetch": [fails(), gives({"n": 1})], "each": maps([1, 2, 3])})
    run.start()
    run.go()
    assert run.state.status == "success" and run.output == …

An answer is a function of a `Turn`; `gives`, `passes`, `fails`, `waits`, `calls`, `opens`, `maps`, `loops` and `hangs` make
them. A list of answers is used up one a turn, the last one again and again; a node without one gives `{"<its id>": <its
attempt>}`. After every step the invariants are checked, and the fold of the events so far is the state (`check=False` for
large graphs).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, TypeAlias, assert_never

import msgspec

from flowscope.definition.plan import Plan
from flowscope.definition.workflow import JSON
from flowscope.execution import invariants
from flowscope.execution.events import AnyEvent, Blob, ErrorInfo, decode_lines, encode_lines
from flowscope.execution.instructions import AnyInstruction, CancelNode, SetTimer
from flowscope.execution.machine import Decision, begin, decide
from flowscope.execution.payload import Group, Item, Merge, Payload
from flowscope.execution.state import State, digest, fold, gather, output_of
from flowscope.execution.status import NAMES
from flowscope.execution.stimuli import (
    AnyStimulus,
    Cancel,
    Expand,
    Fail,
    Fire,
    Pause,
    Recover,
    Resume,
    Signal,
    Start,
    Succeed,
    Suspend,
)


class Turn(msgspec.Struct, frozen=True):
    """One call of a node's handler. `iteration` counts what a container has opened so far, 0 at its first call."""

    node_id: str
    path: str
    attempt: int
    iteration: int
    now: float
    input: Payload

    @property
    def value(self) -> JSON:
        """The input, built."""
        return value_of(self.input)


Answer: TypeAlias = Callable[[Turn], AnyStimulus | None]
Script: TypeAlias = Mapping[str, Answer | Sequence[Answer]]


def gives(value: JSON, *handle: str) -> Answer:
    """Succeed with a value; with several handles the first that has an edge is taken."""
    output = msgspec.json.encode(value)
    return lambda turn: Succeed(
        node_id=turn.node_id, path=turn.path, attempt=turn.attempt, output=output, handle=handle or ("output",)
    )


def passes(*handle: str) -> Answer:
    """Succeed with the input as it is."""
    return lambda turn: Succeed(
        node_id=turn.node_id, path=turn.path, attempt=turn.attempt, handle=handle or ("output",), passed=True
    )


def collects(*handle: str, last: bool = False) -> Answer:
    """A container's end: the list of results, or only the last."""
    return lambda turn: Succeed(
        node_id=turn.node_id, path=turn.path, attempt=turn.attempt, handle=handle or ("output",), last=last
    )


def fails(message: str = "boom", *, retryable: bool = True, chance: float = 0.5, code: str = "") -> Answer:
    """Fail."""
    error = ErrorInfo("NodeError", message, code, retryable=retryable)
    return lambda turn: Fail(node_id=turn.node_id, path=turn.path, attempt=turn.attempt, error=error, chance=chance)


def waits(*, after: float = 0, signal: str = "", expires: bool = False) -> Answer:
    """Suspend: for so many milliseconds, for a signal, or for a signal with a time-out (`expires`)."""
    return lambda turn: Suspend(
        node_id=turn.node_id, path=turn.path, attempt=turn.attempt, kind="signal" if signal else "duration",
        until=turn.now + after if after else 0, signal=signal, expires=expires,
    )  # fmt: skip


def calls(child: str, *, definition: str = "child") -> Answer:
    """Suspend for a sub-workflow."""
    return lambda turn: Suspend(
        node_id=turn.node_id, path=turn.path, attempt=turn.attempt, kind="child", child=child,
        child_definition=definition, input=b"{}",
    )  # fmt: skip


def opens(items: Sequence[JSON] | None, *, concurrency: int = 1, collect: bool = False) -> Answer:
    """Expand: one iteration an item, or with None one more of a loop."""
    return lambda turn: Expand(
        node_id=turn.node_id, path=turn.path, attempt=turn.attempt, count=1 if items is None else len(items),
        items=None if items is None else msgspec.json.encode(items), concurrency=concurrency, collect_errors=collect,
    )  # fmt: skip


def maps(items: Sequence[JSON], *, concurrency: int = 1, collect: bool = False) -> Answer:
    """What a map's handler does."""
    first, then = opens(items, concurrency=concurrency, collect=collect), collects()
    return lambda turn: then(turn) if turn.iteration or not items else first(turn)


def loops(times: int) -> Answer:
    """What a loop's handler does."""
    more, end = opens(None), collects(last=True)
    return lambda turn: more(turn) if turn.iteration < times else end(turn)


def tries() -> Answer:
    """What a try_catch's handler does."""
    end = collects("try", last=True)
    return lambda turn: end(turn) if turn.iteration else opens([turn.value])(turn)


def hangs() -> Answer:
    """Never answer."""
    return lambda turn: None


class ScriptedRun:
    """One execution. `dice(n)` is a number below n: which of n possible things happens next; by default the first."""

    def __init__(
        self,
        plan: Plan,
        script: Script | None = None,
        *,
        execution_id: str = "run",
        dice: Callable[[int], int] | None = None,
        check: bool = True,
    ) -> None:
        self.state = State(execution_id, plan)
        self.events: list[AnyEvent] = []
        self.instructions: list[AnyInstruction] = []
        self.now = 1_000.0  # not 0, which in an event means no instant
        self.turns: deque[Turn] = deque()
        self.steps: list[int] = [0]
        """How many events there were after each step: where a journal may end."""
        self._script = script or {}
        self._used: dict[tuple[str, str], int] = {}
        self._dice = dice or (lambda n: 0)
        self._check = check
        self._timers: list[tuple[float, int, SetTimer]] = []
        self._order = count()

    # --- what happens by itself ---

    def go(self) -> None:
        """Take up, answer, and let time pass, until nothing more happens by itself: the end, a signal's turn, a hang."""
        while self.step():
            pass

    def step(self) -> bool:
        """One thing that happens by itself; False if there is none."""
        return not self.state.ended and (self.take() or self.answer() or self.pass_time())

    def take(self) -> bool:
        """Take an entry of the agenda up; False if there is none, or during a pause."""
        agenda = self.state.agenda
        if not agenda or self.state.paused:
            return False
        frame, number = agenda.pop(self._dice(len(agenda)))
        out = Decision()
        if begin(self.state, frame, number, self.now, out):
            expansion = frame.expansion(number)
            self.turns.append(
                Turn(
                    frame.scope.ids[number], frame.path, frame.attempts[number], expansion.count if expansion else 0,
                    self.now, gather(self.state, frame, number),
                )
            )  # fmt: skip
        self._done(out)
        return True

    def answer(self, node_id: str = "", answer: Answer | None = None) -> bool:
        """Answer a turn, that node's or any; by the script, or like this. False if none will be answered."""
        turns = self.turns
        places = range(len(turns)) if not node_id else [at for at, turn in enumerate(turns) if turn.node_id == node_id]
        while places:
            choice = self._dice(len(places))
            turn = turns[places[choice]]
            stimulus = (answer or self._scripted(turn))(turn)
            if stimulus is not None:
                del turns[places[choice]]
                self.send(stimulus)
                return True
            places = [*places[:choice], *places[choice + 1 :]]
        return False

    def pass_time(self) -> bool:
        """Move the clock to the next timer and fire it; False if there is none, or during a pause."""
        if not self._timers or self.state.paused:
            return False
        self.advance(max(0.0, self._timers[0][0] - self.now), limit=1)
        return True

    # --- what happens from outside ---

    def start(self, input: JSON = None, *, trigger: str = "") -> None:
        """Begin, with `{}` where nothing is given."""
        self.send(Start(input=msgspec.json.encode({} if input is None else input), trigger=trigger))

    def send(self, stimulus: AnyStimulus) -> list[AnyEvent]:
        """Any stimulus; the events it led to."""
        out = Decision()
        decide(self.state, stimulus, self.now, out)
        self._done(out)
        return out.events

    def advance(self, milliseconds: float, *, limit: int | None = None) -> None:
        """Move the clock, and fire what is due (at most `limit`)."""
        self.now += milliseconds
        for _ in range(len(self._timers)) if limit is None else range(limit):
            if not self._timers or self._timers[0][0] > self.now:
                return
            timer = heapq.heappop(self._timers)[2]
            self.send(Fire(node_id=timer.node_id, path=timer.path, attempt=timer.attempt))

    def pause(self) -> None:
        self.send(Pause())

    def resume(self) -> None:
        self.send(Resume())

    def cancel(self, reason: str = "") -> None:
        self.send(Cancel(reason=reason))

    def signal(self, name: str, payload: JSON = None) -> list[AnyEvent]:
        """Send a signal; the events it led to."""
        return self.send(Signal(name=name, payload=msgspec.json.encode(payload)))

    def crash(self, events: Sequence[AnyEvent] | None = None) -> None:
        """The process dies, and another takes the execution up from these events (all that were recorded)."""
        kept = self.events if events is None else events
        self.steps = [step for step in self.steps if step <= len(kept)]
        self.events = decode_lines(encode_lines(kept))
        self.state = fold(self.state.execution_id, self.state.plan, self.events)
        self.turns.clear()
        self._timers.clear()
        self.send(Recover(epoch=self.state.epoch + 1))

    # --- what came of it ---

    @property
    def output(self) -> JSON:
        """The run's output, built."""
        return value_of(output_of(self.state))

    def of(self, kind: type[Any], node_id: str = "") -> list[Any]:
        """The events of one type, of one node or all."""
        return [
            event for event in self.events if isinstance(event, kind) and node_id in ("", getattr(event, "node_id", ""))
        ]

    def value(self, node_id: str) -> JSON:
        """A top-level node's output, built."""
        output = self.state.root.outputs[self.state.root.scope.index[node_id]]
        return None if output is None else value_of(output)

    @property
    def statuses(self) -> dict[str, str]:
        """The top-level nodes' statuses, by id."""
        root = self.state.root
        return {node_id: NAMES[code] for node_id, code in zip(root.scope.ids, root.status, strict=True)}

    def _scripted(self, turn: Turn) -> Answer:
        answers = self._script.get(turn.node_id)
        if answers is None:
            return gives({turn.node_id: turn.attempt})
        if callable(answers):
            return answers
        used = self._used.get((turn.node_id, turn.path), 0)
        self._used[turn.node_id, turn.path] = used + 1
        return answers[min(used, len(answers) - 1)]

    def _done(self, out: Decision) -> None:
        self.events += out.events
        self.steps.append(len(self.events))
        self.instructions += out.instructions
        for instruction in out.instructions:
            if isinstance(instruction, SetTimer):
                heapq.heappush(self._timers, (instruction.due, next(self._order), instruction))
        gone = {(one.node_id, one.path) for one in out.instructions if isinstance(one, CancelNode)}
        if gone:
            self.turns = deque(turn for turn in self.turns if (turn.node_id, turn.path) not in gone)
        if self._check:
            invariants.check(self.state)
            folded = fold(self.state.execution_id, self.state.plan, self.events)
            assert digest(folded) == digest(self.state), f"{self.state} is not the fold of its events"


def value_of(payload: Payload) -> JSON:
    """A payload as a Python value, built the plain way. There is no store: a blob is an error."""
    if isinstance(payload, bytes):
        return msgspec.json.decode(payload)
    if isinstance(payload, Item):
        return value_of(payload.batch.items)[payload.index]
    if isinstance(payload, Group):
        parts = [value_of(part) for part in payload.parts]
        return parts if payload.keys is None else dict(zip(payload.keys, parts, strict=True))
    if isinstance(payload, Merge):
        merged: dict[str, JSON] = {}
        for part in payload.parts:
            value = value_of(part)
            merged |= value if isinstance(value, dict) else {"items" if isinstance(value, list) else "value": value}
        return merged
    if isinstance(payload, Blob):
        raise LookupError(f"There is no store to find the blob {payload.sha256} in")
    assert_never(payload)
