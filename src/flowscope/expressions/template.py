"""Config values with `{{ … }}` in them: compiled once, evaluated often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from flowscope.errors import BudgetExceeded, ExpressionError, ExpressionSyntaxError, Problem
from flowscope.expressions.budget import DEFAULT_BUDGET, Budget, Clock
from flowscope.expressions.expression import Expression, compile_expression
from flowscope.expressions.rendering import inline_text
from flowscope.expressions.run import Run
from flowscope.expressions.scope import Missing, Scope
from flowscope.expressions.segments import split_segments
from flowscope.expressions.values import JSON, text_weight

Part: TypeAlias = Callable[[Run], JSON]

_MOST_PROBLEMS = 100
_MOST_EXPRESSIONS = 10_000
_DEEPEST = 128


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled config value, immutable and free to be shared between runs and threads."""

    is_static: bool
    """No expression anywhere: evaluating returns the value as it is."""

    names: frozenset[str]
    """Every root name that may be looked up, without its `$`."""

    secrets: frozenset[str]
    """The NAMEs of `secrets.NAME`, and `credentials.NAME`; a NAME is `*` when it is worked out at run time."""

    _value: JSON = field(repr=False)
    _part: Part | None = field(repr=False)
    _only: Expression | None = field(repr=False)


def compile_template(value: JSON, *, place: str = "", budget: Budget = DEFAULT_BUDGET) -> Template:
    """Compile a config value; ExpressionSyntaxError for the first bad expression in it.

    `place` is where the value stands, for messages. Of `budget`, the limits on an expression's length and depth count.
    """
    builder = _Builder(budget)
    part = builder.part(value, place)
    if builder.problems:
        raise builder.problems[0][1]
    expressions = builder.expressions
    alone = isinstance(value, str) and len(expressions) == 1 and builder.whole == 1
    return Template(
        is_static=part is None,
        names=frozenset().union(*(expression.names for expression in expressions)),
        secrets=frozenset().union(*(expression.secrets for expression in expressions)),
        _value=value,
        _part=part,
        _only=expressions[0] if alone else None,
    )


def check(value: JSON, place: str = "", *, budget: Budget = DEFAULT_BUDGET) -> list[Problem]:
    """Every bad expression in `value`, in document order, at most 100; empty when it compiles."""
    builder = _Builder(budget)
    builder.part(value, place)
    return [Problem(where, str(error)) for where, error in builder.problems]


def evaluate(
    template: Template,
    scope: Scope,
    budget: Budget | None = None,
    *,
    now: int | None = None,
    clock: Clock | None = None,
) -> JSON:
    """The value of a template; an ExpressionError when it cannot be worked out or the budget does not suffice.

    The result may share lists and objects with the scope and with the template, so it must not be changed.
    `now` is what `now()` returns, as milliseconds since 1970; the same `now` and scope give the same result.
    `clock` is read now and then to keep to the budget's seconds; without it only steps and bytes are counted.
    """
    if template.is_static:
        return template._value
    only = template._only
    if only is not None and only.path is not None:
        try:
            return only.path(scope)
        except (Missing, ExpressionError):
            pass  # worked out again below, where there is time for another reading and for a good message
    assert template._part is not None
    return template._part(Run(scope, budget or DEFAULT_BUDGET, now, clock))


class _Builder:
    """Walks a config value, compiles what it finds, and collects what is wrong."""

    def __init__(self, budget: Budget) -> None:
        self.expressions: list[Expression] = []
        self.problems: list[tuple[str, ExpressionError]] = []
        self.whole = 0
        self._budget = budget
        self._count = 0

    def part(self, value: JSON, place: str, level: int = 0) -> Part | None:
        """Code for `value`, or None when it is the same every time."""
        if isinstance(value, str):
            return self._text(value, place) if "{{" in value else None
        if not isinstance(value, list | dict):
            return None
        if level >= _DEEPEST:
            self._report(place, BudgetExceeded(f"The value is nested deeper than {_DEEPEST} levels"))
            return None
        if isinstance(value, list):
            return self._list(value, place, level)
        return self._object(value, place, level)

    def _list(self, value: list[JSON], place: str, level: int) -> Part | None:
        parts = [(i, self.part(item, f"{place}[{i}]", level + 1)) for i, item in enumerate(value)]
        moving = [(i, part) for i, part in parts if part is not None]
        if not moving:
            return None

        def build(run: Run) -> JSON:
            run.elements(len(value))
            built = list(value)
            for index, part in moving:
                built[index] = part(run)
            return built

        return build

    def _object(self, value: dict[str, JSON], place: str, level: int) -> Part | None:
        prefix = f"{place}." if place else ""
        parts = [(key, self.part(item, f"{prefix}{key}", level + 1)) for key, item in value.items()]
        moving = [(key, part) for key, part in parts if part is not None]
        if not moving:
            return None

        def build(run: Run) -> JSON:
            run.entries(len(value))
            built = dict(value)
            for key, part in moving:
                built[key] = part(run)
            return built

        return build

    def _text(self, text: str, place: str) -> Part | None:
        pieces = list(self._pieces(text, place))
        # Spaces around a lone expression are a slip; a line break is meant, so it makes the whole a text.
        filled = [piece for piece in pieces if not (isinstance(piece, str) and not piece.strip(" \t"))]
        if len(filled) == 1 and isinstance(filled[0], Expression):
            self.whole += 1
            return filled[0].evaluate
        if all(isinstance(piece, str) for piece in pieces):
            literal = "".join(piece for piece in pieces if isinstance(piece, str))
            return lambda run: literal
        return lambda run: _joined(run, pieces)

    def _pieces(self, text: str, place: str) -> Iterator[str | Expression]:
        if len(self.problems) >= _MOST_PROBLEMS:
            return
        try:
            segments = split_segments(text, self._budget.source)
        except ExpressionSyntaxError as error:
            self._report(place, error)
            return
        for segment in segments:
            if not segment.expression:
                yield segment.text
            elif len(self.problems) < _MOST_PROBLEMS:
                yield from self._compiled(segment.text, place)

    def _compiled(self, source: str, place: str) -> Iterator[Expression]:
        self._count += 1
        if self._count > _MOST_EXPRESSIONS:
            if self._count == _MOST_EXPRESSIONS + 1:
                self._report(place, BudgetExceeded(f"More than {_MOST_EXPRESSIONS:,} expressions in one value"))
            return
        try:
            expression = compile_expression(source, place, self._budget)
        except ExpressionError as error:
            self._report(place, _as_syntax_error(error, source.strip(), place))
            return
        self.expressions.append(expression)
        yield expression

    def _report(self, place: str, error: ExpressionError) -> None:
        self.problems.append((place, error))


def _as_syntax_error(error: ExpressionError, source: str, place: str) -> ExpressionError:
    shown = source if len(source) <= 80 else source[:79] + "…"
    message = f"{error} (in {{{{ {shown} }}}})"
    return type(error)(message, source=source, offset=error.offset)


def _joined(run: Run, pieces: list[str | Expression]) -> str:
    texts: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            run.build(text_weight(piece))
            texts.append(piece)
        else:
            texts.append(inline_text(run, piece.evaluate(run)))
    return "".join(texts)
