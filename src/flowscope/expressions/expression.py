"""One compiled expression: the text between `{{` and `}}`.

`a-b` without spaces may be a name (node ids and header names hold hyphens) or a subtraction. Which one, only the values
can tell, so both readings are compiled: the first takes it for a name; when that name is not there, the second
subtracts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flowscope.errors import BudgetExceeded, ExpressionError, UnknownName
from flowscope.expressions.budget import Budget
from flowscope.expressions.compiler import Compiler
from flowscope.expressions.grammar import parse
from flowscope.expressions.path import Path, match_path
from flowscope.expressions.run import Code, Run
from flowscope.expressions.scope import HyphenMissing, Missing, Scope, unknown_name
from flowscope.expressions.values import JSON


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to understand an expression."""

    code: Code
    names: frozenset[str]
    secrets: frozenset[str]
    slots: int
    hyphenated: bool

    def run(self, run: Run) -> JSON:
        """The value, or Missing, HyphenMissing or an ExpressionError."""
        run.slots = [None] * self.slots
        return self.code(run)


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `path` is set when it is nothing but a path that is read without a meter."""

    source: str
    place: str
    path: Callable[[Scope], JSON] | None
    names: frozenset[str]
    secrets: frozenset[str]
    _first: _Reading
    _second: _Reading | None

    def evaluate(self, run: Run) -> JSON:
        """The value; an ExpressionError that carries the source and the column for anything else."""
        run.at = -1
        try:
            run.spend()
            value = self._value(run)
            if isinstance(value, list | dict) and self.path is None:
                run.weigh(value)
            return value
        except Missing as missing:
            raise self.explained(unknown_name(missing, hyphen=self._first.hyphenated), run.at) from None
        except ExpressionError as error:
            raise self.explained(error, run.at) from None
        except (RecursionError, MemoryError):
            raise self.explained(BudgetExceeded("The expression is nested too deeply"), run.at) from None

    def _value(self, run: Run) -> JSON:
        try:
            return self._first.run(run)
        except HyphenMissing as signal:
            assert self._second is not None
            try:
                return self._second.run(run)
            except Missing:
                raise signal.missing from None

    def explained(self, error: ExpressionError, offset: int) -> ExpressionError:
        """The error again, with the expression, its place and a column in its message and attributes."""
        shown = self.source if len(self.source) <= 80 else self.source[:79] + "…"
        place = f" at {self.place}" if self.place else ""
        message = f"{error} (in {{{{ {shown} }}}}{place})"
        offset = error.offset if error.offset >= 0 else offset
        if isinstance(error, UnknownName):
            return UnknownName(message, suggestion=error.suggestion, source=self.source, offset=offset)
        return type(error)(message, source=self.source, offset=offset)


def compile_expression(source: str, place: str, budget: Budget) -> Expression:
    """Compile the text between `{{` and `}}`; ExpressionSyntaxError or BudgetExceeded when it cannot be."""
    if len(source) > budget.source:
        raise BudgetExceeded(f"The expression is longer than {budget.source:,} characters", source=source[:80])
    source = source.strip()
    path = match_path(source)
    second = _second_reading(source, budget)
    if path is not None and not (path.hyphenated and path.optional):
        first, fast = _path_reading(path, second is not None and path.hyphenated), path.reader()
    else:
        first, fast = _first_reading(source, budget, second), None
    if not first.hyphenated:
        second = None
    return Expression(
        source=source,
        place=place,
        path=fast,
        names=first.names | (second.names if second else frozenset()),
        secrets=first.secrets | (second.secrets if second else frozenset()),
        _first=first,
        _second=second,
    )


def _path_reading(path: Path, alternative: bool) -> _Reading:
    read = path.reader()

    def code(run: Run) -> JSON:
        try:
            return read(run.scope)
        except Missing as missing:
            if alternative:
                raise HyphenMissing(missing) from None
            raise

    return _Reading(code, frozenset({path.root}), _secrets(path), 0, path.hyphenated)


def _secrets(path: Path) -> frozenset[str]:
    key = str(path.steps[0].key) if path.steps else "*"
    if path.root == "secrets":
        return frozenset({key})
    return frozenset({f"credentials.{key}"} if path.root == "credentials" else ())


def _second_reading(source: str, budget: Budget) -> _Reading | None:
    if "-" not in source:
        return None
    try:
        return _parsed_reading(source, budget, hyphens=False, alternative=False)
    except ExpressionError:
        return None


def _first_reading(source: str, budget: Budget, second: _Reading | None) -> _Reading:
    try:
        return _parsed_reading(source, budget, hyphens=True, alternative=second is not None)
    except ExpressionError:
        if second is None:
            raise
        return second


def _parsed_reading(source: str, budget: Budget, *, hyphens: bool, alternative: bool) -> _Reading:
    try:
        parsed = parse(source, hyphens=hyphens, depth=budget.depth)
        compiler = Compiler(parsed, budget.depth, alternative=alternative)
        code = compiler.compile()
    except (RecursionError, MemoryError):
        raise BudgetExceeded("The expression is nested too deeply", source=source) from None
    return _Reading(code, frozenset(compiler.names), frozenset(compiler.secrets), compiler.slots, parsed.hyphenated)
