"""Rewrites tokens to Python expression syntax and has the standard parser build the tree.

The text handed to `ast.parse` is put together here from a fixed set of operators and keywords, plain numbers, and
numbered placeholders that stand for every name, key and text. Nothing a person wrote reaches the parser as written.

    $json.a ?? 'none'       ->  _0 . _1 | _2
    a?.b && !c              ->  _0 . _1 and ~ _2
    x ? y : z               ->  ( ( _1 ) if ( _0 ) else ( _2 ) )
    items.map(x => x.id)    ->  _0 . _1 ( lambda _2 : _3 . _4 )

Operators that expressions do not have (`|` and `~`) carry those that Python does not have (`??` and `!`). The tree is
read by `compiler`, which allows only the kinds of nodes it knows.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowscope.errors import BudgetExceeded, ExpressionSyntaxError
from flowscope.expressions.tokens import Token, tokenize

_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_SPELLINGS = {"&&": "and", "||": "or", "===": "==", "!==": "!=", "!": "~", "??": "|"}
_BOUNDARIES = frozenset({",", ":", "=>", "for", "if", "else", "lambda"})
_CLAUSE_ENDS = frozenset({",", "for", "if", "else"})


@dataclass(frozen=True, slots=True)
class Placeholder:
    """What a `_n` in the parsed text stands for. `optional` marks a key written after `?.`."""

    token: Token
    optional: bool = False


OPTIONAL_SUBSCRIPT = Token("operator", "?.", -1)
"""The key of the placeholder attribute in `a._n[0]`, which stands for `a?.[0]`."""


@dataclass(slots=True)
class Parsed:
    """A tree and the way back from it to what was written."""

    source: str
    tree: ast.expr
    placeholders: list[Placeholder]
    hyphenated: bool
    _starts: list[int]
    _offsets: list[int]

    def placeholder(self, name: str) -> Placeholder:
        """What the identifier `name` stands for."""
        return self.placeholders[int(name[1:])]

    def offset(self, column: int) -> int:
        """The column in the source for a column in the parsed text."""
        index = bisect_right(self._starts, column) - 1
        return self._offsets[index] if index >= 0 else -1


@dataclass(slots=True)
class _Group:
    """A bracket and what stands in it."""

    opener: Token
    items: list[Token | _Group]


_Items = list["Token | _Group"]


def parse(source: str, *, hyphens: bool, depth: int) -> Parsed:
    """The tree of an expression; ExpressionSyntaxError for anything that is not one."""
    tokens = tokenize(source, hyphens=hyphens)
    if not tokens:
        raise ExpressionSyntaxError("The expression is empty", source=source, offset=0)
    _refuse_towers(tokens, source, depth)
    writer = _Writer(source, depth)
    for token in writer.clause(_grouped(tokens, source, depth), 0):
        writer.write(token)
    text = " ".join(writer.pieces)
    parsed = Parsed(
        source=source,
        tree=ast.Constant(None),
        placeholders=writer.placeholders,
        hyphenated=any(token.hyphenated for token in tokens),
        _starts=writer.starts,
        _offsets=writer.offsets,
    )
    parsed.tree = _python_tree(text, parsed)
    return parsed


def _python_tree(text: str, parsed: Parsed) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError as error:
        offset = parsed.offset((error.offset or 1) - 1)
        raise ExpressionSyntaxError(
            _syntax_message(parsed.source, offset), source=parsed.source, offset=offset
        ) from None
    except (RecursionError, MemoryError, ValueError, OverflowError):
        raise BudgetExceeded("The expression is nested too deeply", source=parsed.source) from None


def _syntax_message(source: str, offset: int) -> str:
    rest = source[offset:].split(maxsplit=1) if 0 <= offset < len(source) else []
    near = f' near "{rest[0][:32]}"' if rest else ""
    return f"This is not an expression{near}"


def _refuse_towers(tokens: list[Token], source: str, depth: int) -> None:
    """Refuse what would be deep without a bracket: `- - - - x`, `a ** b ** c`, `a if b else c if d else e`.

    The parser recurses in C for each of them, and how much it can take depends on the thread's stack.
    """
    prefixes = 0
    towers = 0
    for token in tokens:
        prefixes = prefixes + 1 if token.value in {"-", "+", "!", "not"} and token.kind != "text" else 0
        if token.kind in {"operator", "keyword"} and token.value in {"**", "if", "?", "lambda", "=>"}:
            towers += 1
        if prefixes > depth or towers > 2 * depth:
            raise BudgetExceeded("The expression is nested too deeply", source=source, offset=token.offset)


def _grouped(tokens: list[Token], source: str, depth: int) -> _Items:
    top: _Items = []
    open_groups: list[_Group] = []
    for token in tokens:
        items = open_groups[-1].items if open_groups else top
        if token.kind != "operator":
            items.append(token)
        elif token.value in _CLOSERS:
            open_groups.append(_Group(token, []))
            if len(open_groups) > depth:
                raise BudgetExceeded("The expression is nested too deeply", source=source, offset=token.offset)
        elif token.value in _CLOSERS.values():
            if not open_groups or _CLOSERS[open_groups[-1].opener.value] != token.value:
                raise ExpressionSyntaxError(f'"{token.value}" closes nothing', source=source, offset=token.offset)
            group = open_groups.pop()
            (open_groups[-1].items if open_groups else top).append(group)
        else:
            items.append(token)
    if open_groups:
        opener = open_groups[-1].opener
        raise ExpressionSyntaxError(f'"{opener.value}" is never closed', source=source, offset=opener.offset)
    return top


def _word_of(item: Token | _Group) -> str:
    """The operator or keyword that `item` is, or an empty string."""
    return item.value if isinstance(item, Token) and item.kind in {"operator", "keyword"} else ""


@dataclass(slots=True)
class _Writer:
    """Writes tokens as Python."""

    source: str
    depth: int
    pieces: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    placeholders: list[Placeholder] = field(default_factory=list)
    _column: int = 0
    _optional: bool = False

    def write(self, token: Token) -> None:
        """Append one token that needs no rearranging."""
        if token.kind in {"name", "key", "text"}:
            piece = f"_{len(self.placeholders)}"
            self.placeholders.append(Placeholder(token, self._optional))
            self._optional = False
        elif token.kind == "operator" and token.value == "?.":
            piece, self._optional = ".", True
        elif token.kind == "operator":
            piece = _SPELLINGS.get(token.value, token.value)
        else:
            piece = token.value
        self.pieces.append(piece)
        self.starts.append(self._column)
        self.offsets.append(token.offset)
        self._column += len(piece) + 1

    def clause(self, items: _Items, level: int) -> Iterator[Token]:
        """The tokens of one bracket's content, with `? :` and `=>` rearranged."""
        while (question := next((i for i, item in enumerate(items) if _word_of(item) == "?"), -1)) >= 0:
            at = _offset(items[question])
            if level > self.depth:
                raise BudgetExceeded("The expression is nested too deeply", source=self.source, offset=at)
            start = question
            while start > 0 and _word_of(items[start - 1]) not in _BOUNDARIES:
                start -= 1
            colon = self._colon(items, question)
            end = _clause_end(items, colon + 1)
            yield from self._plain(items[:start], level)
            test, then, otherwise = items[start:question], items[question + 1 : colon], items[colon + 1 : end]
            yield from self._conditional(then, test, otherwise, at, level)
            items = items[end:]
        yield from self._plain(items, level)

    def _conditional(self, then: _Items, test: _Items, otherwise: _Items, at: int, level: int) -> Iterator[Token]:
        yield Token("operator", "(", at)
        for before, part in (("", then), ("if", test), ("else", otherwise)):
            if before:
                yield Token("keyword", before, at)
            yield Token("operator", "(", at)
            yield from self.clause(part, level + 1)
            yield Token("operator", ")", at)
        yield Token("operator", ")", at)

    def _colon(self, items: _Items, question: int) -> int:
        unanswered = 0
        for index in range(question, len(items)):
            word = _word_of(items[index])
            unanswered += (word == "?") - (word == ":")
            if unanswered == 0:
                return index
        offset = _offset(items[question])
        raise ExpressionSyntaxError('"?" has no ":" that belongs to it', source=self.source, offset=offset)

    def _plain(self, items: _Items, level: int) -> Iterator[Token]:
        for index, item in enumerate(items):
            following = _word_of(items[index + 1]) if index + 1 < len(items) else ""
            if following == "=>":
                yield Token("keyword", "lambda", _offset(item))
                yield from self._parameters(item)
            elif isinstance(item, _Group):
                yield from self._bracketed(items, index, item, level)
            elif _word_of(item) == "=>":
                yield Token("operator", ":", item.offset)
            else:
                yield item

    def _parameters(self, item: Token | _Group) -> Iterator[Token]:
        parts = item.items if isinstance(item, _Group) else [item]
        for part in parts:
            if isinstance(part, _Group) or (part.kind != "name" and part.value != ","):
                message = "Before => stands a name, or names in parentheses"
                raise ExpressionSyntaxError(message, source=self.source, offset=_offset(part))
            yield part

    def _bracketed(self, items: _Items, index: int, group: _Group, level: int) -> Iterator[Token]:
        if index and _word_of(items[index - 1]) == "?." and group.opener.value == "[":
            yield Token("key", OPTIONAL_SUBSCRIPT.value, group.opener.offset)
        yield group.opener
        yield from self.clause(group.items, level)
        yield Token("operator", _CLOSERS[group.opener.value], group.opener.offset)


def _clause_end(items: _Items, start: int) -> int:
    """The index after the last item that belongs to the part of `? :` that begins at `start`."""
    unanswered = 0
    for index in range(start, len(items)):
        word = _word_of(items[index])
        unanswered += (word == "?") - (word == ":")
        if unanswered < 0 or word in _CLAUSE_ENDS:
            return index
    return len(items)


def _offset(item: Token | _Group) -> int:
    return item.opener.offset if isinstance(item, _Group) else item.offset
