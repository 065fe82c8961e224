"""Where the time went: a journal read as stretches of queueing, running, backing off and waiting, and what the end hung on.

    attempt    segments without a gap: from the moment it was due to its end
    cause      the node whose end made another due; so the chain of causes back from the last end is the critical path, and its
               parts add up to the whole run
    slack      how much later a node could have ended without the run ending later, all else being as it was

Times are epoch milliseconds, and never run backwards: where a clock was set back, the earlier event's time counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

import msgspec

from flowscope.definition.plan import Plan, Scope
from flowscope.execution.events import (
    TERMINAL,
    AnyEvent,
    AttemptEvent,
    ExecutionFailing,
    ExecutionPaused,
    ExecutionRecovered,
    ExecutionResumed,
    IterationFailed,
    IterationSucceeded,
    NodeAdopted,
    NodeCancelled,
    NodeEvent,
    NodeFailed,
    NodeLost,
    NodeReleased,
    NodeSkipped,
    NodeStarted,
    NodeSucceeded,
    NodeSuspended,
)
from flowscope.execution.state import State, apply

SegmentKind: TypeAlias = Literal["queue", "run", "backoff", "wait", "down"]
"""down: the process that ran it had ended, and no other had taken over yet."""

Key: TypeAlias = tuple[str, str]
"""Path and node id."""

_INTERRUPTED: Final = ("queue", "run")
_STATUS: Final = {NodeSucceeded: "success", NodeFailed: "error", NodeLost: "lost", NodeCancelled: "cancelled"}


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One stretch of an attempt."""

    kind: SegmentKind
    start: float
    end: float


class TimedAttempt(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt, from the moment it was due. `status` is `success|error|lost|cancelled`, or `running` for one that goes on;
    `seq` is that of its last event."""

    attempt: int
    status: str
    segments: tuple[Segment, ...]
    seq: int = 0

    @property
    def start(self) -> float:
        return self.segments[0].start

    @property
    def end(self) -> float:
        return self.segments[-1].end


class TimedNode(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One run of a node. `due` is when it could have started. `status` is that of its last attempt, or `skipped`, or `kept`.
    Whether it is on the critical path, and its slack (ms): of the run, or, in an iteration that has ended, of that."""

    node_id: str
    status: str
    due: float
    end: float
    attempts: tuple[TimedAttempt, ...] = ()
    path: str = ""
    critical: bool = False
    slack: float | None = None


class Mark(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Something that concerned the whole run. stopped: the process ended, and another (`epoch`) took over at `until`. paused:
    somebody held it until then. failing: the error that ended it. An `until` of 0: it still is so."""

    kind: Literal["stopped", "paused", "failing"]
    at: float
    until: float = 0
    epoch: int = 0
    node_id: str = ""
    seq: int = 0


class Timeline(msgspec.Struct, frozen=True, rename="camel"):
    """`nodes` are in the order in which they were due. The critical path goes from the first node to the last; `work` is how
    much of it nodes were running."""

    start: float
    end: float
    ended: bool
    nodes: tuple[TimedNode, ...]
    marks: tuple[Mark, ...]
    critical_path: tuple[str, ...] = ()
    work: float = 0


def timeline(events: Iterable[AnyEvent], plan: Plan | None = None, now: float = 0) -> Timeline:
    """The timeline of a journal. `now`: until when what has not ended goes on (by default, the last event). Without a plan (a run
    that was only reported) nothing is known of queues and causes."""
    clockwork = _Clockwork(plan)
    for event in events:
        clockwork.take(event)
    return clockwork.finish(now)


def best_timeline(events: Sequence[AnyEvent], plan: Plan | None, now: float) -> Timeline:
    """The same for a journal that may not fit its plan, as that of a quarantined run: then told without the plan."""
    try:
        return timeline(events, plan, now)
    except (KeyError, ValueError, AssertionError):
        return timeline(events, None, now)


class _Track:
    """One run of a node on its way."""

    __slots__ = ("attempts", "cause", "due", "end", "kind", "number", "retry_at", "segments", "seq", "since", "status")

    def __init__(self, due: float, cause: Key | None) -> None:
        self.due = due
        self.cause = cause
        self.end = due
        self.status = ""
        self.attempts: list[TimedAttempt] = []
        self.segments: list[Segment] = []
        self.kind: SegmentKind | None = None
        self.since = due
        self.retry_at = 0.0
        self.number = 0
        self.seq = 0

    def open(self, kind: SegmentKind, at: float) -> None:
        self.kind, self.since = kind, at

    def turn(self, kind: SegmentKind, at: float) -> None:
        """Go over to another stretch."""
        self.shut(at)
        self.open(kind, at)

    def admit(self, at: float) -> None:
        """Since it was started it had waited for a place, and ran only from then on."""
        if self.segments and self.segments[-1].kind == "queue":
            self.since = self.segments.pop().start
        self.kind = "queue"
        self.turn("run", at)

    def shut(self, at: float) -> None:
        if self.kind is not None and at > self.since:
            self.segments.append(Segment(self.kind, self.since, at))
        self.kind = None

    def close(self, status: str, at: float) -> None:
        """The attempt is over."""
        whole = Segment(self.kind or "run", self.since, at)  # of one that took no time at all
        self.shut(at)
        segments = tuple(self.segments) or (whole,)
        self.attempts.append(TimedAttempt(max(1, self.number), status, segments, self.seq))
        self.segments = []
        self.status, self.end = status, at


class _Clockwork:
    def __init__(self, plan: Plan | None) -> None:
        self.plan = plan
        self.state = State("", plan) if plan else None
        self.tracks: dict[Key, _Track] = {}
        self.open: dict[Key, _Track] = {}
        self.doomed: dict[Key, Key | None] = {}
        self.marks: list[Mark] = []
        self.start = self.at = 0.0
        self.ended = False
        self.last: dict[str, Key] = {}
        self.scopes: dict[str, Scope] = {"": plan.root} if plan else {}
        self.ends: dict[str, float] = {}
        self.culprits: dict[str, Key] = {}

    def take(self, event: AnyEvent) -> None:
        before = self.at
        self.at = max(event.at, before)
        if event.seq == 1:
            self.start = self.at
        if isinstance(event, NodeEvent):
            self._node(event)
        else:
            self._run(event, before)
        self._due(event)

    # --- the run ---

    def _run(self, event: AnyEvent, before: float) -> None:
        at = self.at
        if isinstance(event, ExecutionRecovered):
            self.marks.append(Mark("stopped", before, at, event.epoch, seq=event.seq))
            for track in self.open.values():
                if track.kind in _INTERRUPTED and at > before:
                    kind = track.kind
                    track.turn("down", before)
                    track.turn(kind, at)
        elif isinstance(event, ExecutionPaused):
            self.marks.append(Mark("paused", at, seq=event.seq))
        elif isinstance(event, ExecutionResumed):
            self.marks = [
                msgspec.structs.replace(mark, until=at) if mark.kind == "paused" and not mark.until else mark
                for mark in self.marks
            ]
        elif isinstance(event, ExecutionFailing):
            self.marks.append(Mark("failing", at, node_id=event.error.node_id, seq=event.seq))
            self.culprits.setdefault("", ("", event.error.node_id))
        elif isinstance(event, TERMINAL):
            self.ended = True

    # --- nodes ---

    def _due(self, event: AnyEvent) -> None:
        """Have the state say what the event has made due."""
        state = self.state
        if state is None:
            return
        if isinstance(event, IterationSucceeded | IterationFailed):
            self._close(state, event)
        apply(state, event)
        cause: Key | None = None
        if isinstance(event, NodeSucceeded | NodeFailed | NodeSkipped | NodeCancelled | NodeAdopted):
            cause = event.path, event.node_id
        elif isinstance(event, ExecutionFailing) and event.error.node_id in state.root.scope.index:
            cause = "", event.error.node_id
        for frame, number in state.agenda:
            key = frame.path, frame.scope.ids[number]
            self.scopes.setdefault(frame.path, frame.scope)
            if frame.attempts[number] or key in self.tracks:
                continue  # a lost attempt, a container to be asked: not due for the first time
            track = self.tracks[key] = self.open[key] = _Track(self.at, cause)
            track.open("queue", self.at)
        for frame, number in state.dead:
            self.doomed[frame.path, frame.scope.ids[number]] = cause
        state.agenda.clear()
        state.dead.clear()
        state.through.clear()

    def _close(self, state: State, event: IterationSucceeded | IterationFailed) -> None:
        """An iteration ends."""
        outer = state.frames[event.path]
        expansion = outer.expansion(outer.scope.index[event.node_id])
        assert expansion is not None
        path = expansion.running[event.index].path
        self.ends[path] = self.at
        if isinstance(event, IterationFailed):
            self.culprits[path] = path, event.error.node_id

    def _node(self, event: NodeEvent) -> None:
        key, at = (event.path, event.node_id), self.at
        if isinstance(event, NodeSkipped | NodeAdopted):
            self._instant(key, "skipped" if isinstance(event, NodeSkipped) else "kept", event)
            return
        track = self.tracks.get(key)
        if track is None:
            if not isinstance(event, NodeStarted):
                return
            track = self.tracks[key] = self.open[key] = _Track(at, None)
        track.seq = event.seq
        if isinstance(event, AttemptEvent) and event.began_at and track.kind == "run":
            track.admit(min(max(event.began_at, track.since), at))
        if isinstance(event, NodeStarted):
            self._started(track, event)
        elif isinstance(event, NodeSuspended):
            track.turn("wait", at)
        elif isinstance(event, NodeReleased):
            track.turn("queue", at)
        elif isinstance(event, NodeSucceeded | NodeCancelled | NodeFailed | NodeLost):
            track.close(_STATUS[type(event)], at)
            self._after(key, track, event)

    def _started(self, track: _Track, event: NodeStarted) -> None:
        if track.kind == "backoff":
            track.turn("queue", min(max(track.retry_at, track.since), self.at))
        track.number = event.attempt
        track.turn("run", self.at)

    def _after(self, key: Key, track: _Track, event: NodeSucceeded | NodeCancelled | NodeFailed | NodeLost) -> None:
        if isinstance(event, NodeFailed) and event.retry_at:
            track.retry_at = event.retry_at
            track.open("backoff", self.at)
        elif isinstance(event, NodeLost):
            track.open("wait" if event.outcome == "ask" else "queue", self.at)
        else:
            del self.open[key]
            self.last[key[0]] = key
            return
        track.number = event.attempt + 1

    def _instant(self, key: Key, status: str, event: NodeSkipped | NodeAdopted) -> None:
        """It never started; it may have been due for a while."""
        # What nothing decided (a gate that stays shut) hung on all that ended before.
        known = self.tracks[key].cause if key in self.tracks else self.doomed.pop(key, None)
        cause = known or self.last.get(key[0])
        due = self.tracks[key].due if key in self.tracks else self.at
        track = self.tracks[key] = _Track(due, cause)
        track.status, track.seq, track.end = status, event.seq, self.at
        self.open.pop(key, None)
        self.last[key[0]] = key

    # --- the end ---

    def finish(self, now: float) -> Timeline:
        end = self.at if self.ended else max(self.at, now)
        for track in self.open.values():
            if track.kind is not None and not self.ended:
                track.close("running", end)
        path = self._critical()
        slack = self._slack("", end) if self.plan else {}
        on_path = set(path)
        for where, ended in self.ends.items():
            on_path.update(self._chain(self._hinge(where)))
            slack |= self._slack(where, ended)
        nodes = tuple(
            TimedNode(
                node_id=key[1], path=key[0], status=track.status, due=track.due, end=track.end,
                attempts=tuple(track.attempts), critical=key in on_path, slack=slack.get(key),
            )
            for key, track in self.tracks.items()
        )  # fmt: skip
        work = sum(
            segment.end - segment.start
            for key in path
            for attempt in self.tracks[key].attempts
            for segment in attempt.segments
            if segment.kind == "run"
        )
        return Timeline(
            start=self.start, end=end, ended=self.ended, nodes=nodes, marks=tuple(self.marks),
            critical_path=tuple(node_id for _, node_id in path), work=work,
        )  # fmt: skip

    def _critical(self) -> list[Key]:
        """Back from what ended last, by causes; while the run goes on, from what has run longest."""
        if self.plan is None:
            return []
        running = next((key for key in self.open if not key[0]), None)
        return self._chain(running if running and not self.ended else self._hinge(""))

    def _hinge(self, path: str) -> Key | None:
        """What the end of the run, or of an iteration, hung on: what ended last, unless that was only because of a failure."""
        key = self.last.get(path)
        culprit = self.culprits.get(path)
        over = self.ended or path
        if key and over and self.tracks[key].status in ("skipped", "cancelled") and culprit in self.tracks:
            return culprit
        return key

    def _chain(self, key: Key | None) -> list[Key]:
        path: list[Key] = []
        while key is not None:
            path.append(key)
            key = self.tracks[key].cause
        return path[::-1]

    def _slack(self, path: str, end: float) -> dict[Key, float]:
        scope = self.scopes.get(path)
        slack: dict[Key, float] = {}
        if scope is None:  # nothing ran there
            return slack
        for number in reversed(_in_order(scope)):
            key = path, scope.ids[number]
            track = self.tracks.get(key)
            if track is None:
                continue
            least = end - track.end
            for target in {target for targets in scope.nodes[number].routes.values() for target in targets}:
                next_key = path, scope.ids[target]
                behind = self.tracks.get(next_key)
                first_come = scope.nodes[target].join_any and behind and behind.cause != key
                if behind is not None and not first_come and behind.due >= track.end:
                    least = min(least, behind.due - track.end + slack[next_key])
            slack[key] = max(0.0, least)
        return slack


def _in_order(scope: Scope) -> list[int]:
    left = [len(plan.incoming) for plan in scope.nodes]
    ready = [number for number, count in enumerate(left) if not count]
    for number in ready:
        for targets in scope.nodes[number].routes.values():
            for target in targets:
                left[target] -= 1
                if not left[target]:
                    ready.append(target)
    return ready
