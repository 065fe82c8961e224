"""Who may start next: the higher priority first; within one, executions in turn; within an execution, first come.

A task has limits, each a name and how many of that name may run at once: a process of the pool, a place of its workflow, of
its node type, of its concurrency key. It starts when none of them is reached, so one that is held up by its own limit does
not hold up those behind it.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from operator import attrgetter

from flowscope.orchestrator.ports import Limit
from flowscope.workers.assignment import Assignment

Limits = tuple[Limit, ...]

_order = attrgetter("order")


class _Share:
    """What one execution has waiting, by limits: all of one kind are held up, or none. `heads` is a heap of the first of
    each kind; an entry is stale when that is not the first any more."""

    __slots__ = ("groups", "heads")

    def __init__(self) -> None:
        self.groups: dict[Limits, deque[Assignment]] = {}
        self.heads: list[tuple[int, Limits]] = []

    def add(self, assignment: Assignment) -> None:
        group = self.groups.setdefault(assignment.limits, deque())
        group.append(assignment)
        if len(group) == 1:
            heapq.heappush(self.heads, (assignment.order, assignment.limits))

    def take(self, free: Callable[[Assignment], bool]) -> Assignment | None:
        """The first to come of those that are not held up."""
        held_up = []
        found = None
        while self.heads and found is None:
            order, limits = heapq.heappop(self.heads)
            group = self.groups.get(limits)
            if group is None or group[0].order != order:
                continue
            if free(group[0]):
                found = group[0]
            else:
                held_up.append((order, limits))
        for entry in held_up:
            heapq.heappush(self.heads, entry)
        if found is not None:
            self.remove(found)
        return found

    def remove(self, assignment: Assignment) -> None:
        group = self.groups[assignment.limits]
        if group[0] is not assignment:
            group.remove(assignment)
            return
        group.popleft()
        if group:
            heapq.heappush(self.heads, (group[0].order, assignment.limits))
        else:
            del self.groups[assignment.limits]

    def in_order(self) -> Iterator[Assignment]:
        return heapq.merge(*self.groups.values(), key=_order)


class WaitingLine:
    """Holds assignments, and counts what is taken of each limit."""

    def __init__(self) -> None:
        self._priorities: dict[int, OrderedDict[str, _Share]] = {}
        self._kinds: dict[int, dict[Limits, Counter[Limits]]] = {}
        """By priority, shared limits and own ones: how many wait."""
        self._taken: Counter[str] = Counter()
        self._orders = count(1)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def taken(self, name: str) -> int:
        """How many of that name run."""
        return self._taken[name]

    def add(self, assignment: Assignment) -> None:
        assignment.order = next(self._orders)
        priority = assignment.task.priority
        shares = self._priorities.setdefault(priority, OrderedDict())
        shares.setdefault(assignment.execution_id, _Share()).add(assignment)
        self._kinds.setdefault(priority, {}).setdefault(assignment.shared, Counter())[assignment.own] += 1
        self._length += 1

    def take(self) -> Assignment | None:
        """The next that may start, its limits taken; `release` them when it has ended."""
        for priority in sorted(self._priorities, reverse=True):
            open_kinds = {
                shared
                for shared, owns in self._kinds[priority].items()
                if self._blocking(shared) is None and any(self._blocking(own) is None for own in owns)
            }
            if not open_kinds:
                continue
            free = partial(self._free, open_kinds)
            shares = self._priorities[priority]
            for execution_id, share in shares.items():
                assignment = share.take(free)
                if assignment is not None:
                    shares.move_to_end(execution_id)
                    self._left(assignment)
                    self._taken.update(limit.name for limit in assignment.limits)
                    return assignment
        return None

    def release(self, assignment: Assignment) -> None:
        self._taken.subtract(limit.name for limit in assignment.limits)
        for limit in assignment.limits:
            if not self._taken[limit.name]:
                del self._taken[limit.name]

    def remove(self, assignment: Assignment) -> None:
        """It does not want to start any more."""
        self._priorities[assignment.task.priority][assignment.execution_id].remove(assignment)
        self._left(assignment)

    def clear(self) -> None:
        self._priorities.clear()
        self._kinds.clear()
        self._length = 0

    def in_order(self) -> Iterator[Assignment]:
        """All, as they would start if no limit held them up: of each execution one, then of each a second …"""
        for priority in sorted(self._priorities, reverse=True):
            turns = [share.in_order() for share in self._priorities[priority].values()]
            while turns:
                left = []
                for turn in turns:
                    head = list(islice(turn, 1))
                    if head:
                        yield head[0]
                        left.append(turn)
                turns = left

    def waits_for(self, assignment: Assignment) -> str:
        """What holds it up, in a few words."""
        blocking = self._blocking(assignment.limits)
        if blocking is None:
            return "its turn"
        return (
            blocking.name if blocking.name == WORKER else f"{blocking.shown or blocking.name} (at most {blocking.most})"
        )

    def _free(self, open_kinds: set[Limits], assignment: Assignment) -> bool:
        return assignment.shared in open_kinds and not self.holds_up(assignment)

    def holds_up(self, assignment: Assignment) -> bool:
        """Whether one of its limits is reached."""
        return self._blocking(assignment.limits) is not None

    def _blocking(self, limits: Limits) -> Limit | None:
        return next((limit for limit in limits if self._taken[limit.name] >= limit.most), None)

    def _left(self, assignment: Assignment) -> None:
        self._length -= 1
        priority = assignment.task.priority
        kinds, shares = self._kinds[priority], self._priorities[priority]
        owns = kinds[assignment.shared]
        owns[assignment.own] -= 1
        if not owns[assignment.own]:
            del owns[assignment.own]
        if not owns:
            del kinds[assignment.shared]
        if not shares[assignment.execution_id].groups:
            del shares[assignment.execution_id]
        if not shares:
            del self._priorities[priority], self._kinds[priority]


WORKER = "worker"
"""The name of the limit on processes."""
