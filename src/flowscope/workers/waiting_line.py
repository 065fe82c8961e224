"""Who may start next: the higher priority first; within one, executions in turn; within an execution, first come.

A task has limits, each a name and how many of that name may run at once: a process of the pool, a place of its workflow, of
its node type, of its concurrency key. It starts when none of them is reached, so one that is held up by its own limit does
not hold up those behind it.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from itertools import count, islice
from operator import attrgetter

from flowscope.orchestrator.ports import Limit
from flowscope.workers.assignment import Assignment

Limits = tuple[Limit, ...]

_order = attrgetter("order")


class _Share:
    """What one execution has waiting, by limits: all of one kind are held up, or none."""

    __slots__ = ("groups",)

    def __init__(self) -> None:
        self.groups: dict[Limits, deque[Assignment]] = {}

    def add(self, assignment: Assignment) -> None:
        self.groups.setdefault(assignment.limits, deque()).append(assignment)

    def take(self, free: set[Limits]) -> Assignment | None:
        """The first to come of those that are not held up."""
        heads = [group[0] for limits, group in self.groups.items() if limits in free]
        if not heads:
            return None
        first = min(heads, key=_order)
        self.remove(first)
        return first

    def remove(self, assignment: Assignment) -> None:
        group = self.groups[assignment.limits]
        if group[0] is assignment:
            group.popleft()
        else:
            group.remove(assignment)
        if not group:
            del self.groups[assignment.limits]

    def in_order(self) -> Iterator[Assignment]:
        return heapq.merge(*self.groups.values(), key=_order)


class WaitingLine:
    """Holds assignments, and counts what is taken of each limit."""

    def __init__(self) -> None:
        self._priorities: dict[int, OrderedDict[str, _Share]] = {}
        self._kinds: dict[int, Counter[Limits]] = {}
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
        self._kinds.setdefault(priority, Counter())[assignment.limits] += 1
        self._length += 1

    def take(self) -> Assignment | None:
        """The next that may start, its limits taken; `release` them when it has ended."""
        for priority in sorted(self._priorities, reverse=True):
            free = {limits for limits in self._kinds[priority] if self._blocking(limits) is None}
            if not free:
                continue
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
        return blocking.name if blocking.name == WORKER else f"{blocking.name} (at most {blocking.most})"

    def _blocking(self, limits: Limits) -> Limit | None:
        return next((limit for limit in limits if self._taken[limit.name] >= limit.most), None)

    def _left(self, assignment: Assignment) -> None:
        self._length -= 1
        priority = assignment.task.priority
        kinds, shares = self._kinds[priority], self._priorities[priority]
        kinds[assignment.limits] -= 1
        if not kinds[assignment.limits]:
            del kinds[assignment.limits]
        if not shares[assignment.execution_id].groups:
            del shares[assignment.execution_id]
        if not shares:
            del self._priorities[priority], self._kinds[priority]


WORKER = "worker"
"""The name of the limit on processes."""
