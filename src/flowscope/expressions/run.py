"""The state of one evaluation, which compiled code is handed and functions charge their work to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from flowscope.expressions.budget import Budget, Clock, Meter
from flowscope.expressions.scope import Scope
from flowscope.expressions.values import JSON


class Run(Meter):
    """A meter, the scope, the values of local names, and the moment that `now()` is."""

    __slots__ = ("at", "now", "scope", "slots")

    def __init__(self, scope: Scope, budget: Budget, now: int | None, clock: Clock | None) -> None:
        super().__init__(budget, clock)
        self.scope = scope
        self.now = now
        self.slots: list[JSON] = []
        # The column of the operation under way, for the error it may raise.
        self.at = -1


Code = Callable[[Run], JSON]
"""A compiled piece of an expression."""


class Lambda:
    """`x => …` bound to a run. Extra arguments, such as the index, are left out when it does not take them."""

    __slots__ = ("_body", "_run", "_slots")

    def __init__(self, run: Run, slots: tuple[int, ...], body: Code) -> None:
        self._run = run
        self._slots = slots
        self._body = body

    @property
    def arity(self) -> int:
        """How many arguments it takes."""
        return len(self._slots)

    def __call__(self, *arguments: JSON) -> JSON:
        run = self._run
        run.spend()
        # A lambda is only ever called below the call it is an argument of, and has no name to call itself by, so
        # one slot for each parameter is enough.
        for slot, argument in zip(self._slots, arguments, strict=False):
            run.slots[slot] = argument
        return self._body(run)


By: TypeAlias = Callable[[JSON, int], JSON]
"""What a list function calls for each element and its index."""

Argument: TypeAlias = "JSON | Lambda"
