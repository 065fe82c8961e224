"""What one evaluation may use, and the meter that is read while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowscope.errors import BudgetExceeded
from flowscope.expressions.values import ELEMENT_WEIGHT, ENTRY_WEIGHT, JSON, Weighing, text_weight


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of one evaluation of one template.

    `steps`: one for each operation, each element passed to a function, and each few hundred characters touched.
    `size`: bytes of text and elements built, intermediate results included; also the most a result may be.
    `depth`: levels of nesting, of a result and of the expression's own syntax.
    `source`: characters of one expression, checked when the template is compiled.
    `seconds`: wall time, watched only when `evaluate` is handed a clock.
    """

    steps: int = 100_000
    size: int = 8 * 1024 * 1024
    depth: int = 64
    source: int = 8 * 1024
    seconds: float = 1.0


DEFAULT_BUDGET = Budget()

Clock = Callable[[], float]
"""Returns seconds that only rise, such as `time.monotonic`."""

# The clock is read once in so many steps: often enough to stop within milliseconds, rare enough to cost nothing.
_CLOCK_STRIDE = 256


class Meter:
    """Counts down the steps and bytes of one evaluation."""

    __slots__ = ("_budget", "_clock", "_deadline", "_mark", "_room", "_steps")

    def __init__(self, budget: Budget, clock: Clock | None) -> None:
        self._budget = budget
        self._clock = clock
        self._deadline = clock() + budget.seconds if clock is not None else 0.0
        self._steps = budget.steps
        self._room = budget.size
        # Below the mark something has to be looked at: the clock if there is one, else only the end.
        self._mark = budget.steps if clock is not None else 0

    def spend(self, steps: int = 1) -> None:
        """Use `steps` steps."""
        self._steps -= steps
        if self._steps < self._mark:
            self._checkpoint()

    def touch(self, characters: int) -> None:
        """Use the steps that reading or copying `characters` characters costs."""
        self.spend(1 + (characters >> 8))

    def build(self, size: int) -> None:
        """Use `size` bytes. Called before the bytes exist."""
        self._room -= size
        if self._room < 0:
            raise BudgetExceeded(f"The expression builds more than {self._budget.size:,} bytes")
        self.spend(1 + (size >> 8))

    def text(self, text: str) -> str:
        """Charge a text that was just built and return it."""
        self.build(text_weight(text))
        return text

    def elements(self, count: int) -> None:
        """Charge a list of `count` elements that is about to be built without a step for each."""
        self.build(ELEMENT_WEIGHT * count)
        self.spend(count >> 4)

    def entries(self, count: int) -> None:
        """Charge an object of `count` entries that is about to be built."""
        self.build(ENTRY_WEIGHT * count)
        self.spend(count >> 3)

    def weigh(self, value: JSON) -> int:
        """The bytes of `value` written out, at most the budget's size; charges steps for the look, no bytes."""
        weighing = Weighing(self._budget.size, self._budget.depth)
        weight = weighing.weigh(value)
        self.spend(1 + (weighing.visited >> 3))
        return weight

    def _checkpoint(self) -> None:
        if self._steps < 0:
            raise BudgetExceeded(f"The expression takes more than {self._budget.steps:,} steps")
        if self._clock is not None and self._clock() > self._deadline:
            raise BudgetExceeded(f"The expression takes longer than {self._budget.seconds:g} s")
        self._mark = max(self._steps - _CLOCK_STRIDE, 0)
