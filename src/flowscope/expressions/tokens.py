"""Cuts an expression's text into tokens.

This is the only code that reads the text as people wrote it. Names, keys and texts become opaque tokens here, so that
nothing later depends on how Python would read them: keywords may be keys, node ids may hold hyphens and begin with
digits, and identifiers are compared as written instead of after Unicode normalisation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from flowscope.errors import ExpressionSyntaxError
from flowscope.expressions.values import INTEGER_HIGH

Kind = Literal["name", "key", "text", "number", "constant", "keyword", "operator"]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression. `value` is decoded for texts and keys; `offset` is a 0-based column."""

    kind: Kind
    value: str
    offset: int
    hyphenated: bool = False


KEYWORDS = frozenset({"and", "or", "not", "in", "if", "else", "for", "lambda"})
CONSTANTS = {
    "true": "True",
    "True": "True",
    "false": "False",
    "False": "False",
    "null": "None",
    "None": "None",
    "undefined": "None",
}

_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w$])")
_OPERATOR = re.compile(r"===|!==|==|!=|<=|>=|&&|\|\||\?\?|\?\.|=>|\*\*|//|[-+*/%<>()\[\]{},:.!?]")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|' r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"} | {c: c for c in "\\'\"/`"}

# A name that begins with a digit is one only where a number cannot stand: before `.key`.
_WORDS = {
    True: re.compile(r"(?:\$?[^\W\d][\w$]*(?:-+\w+)*)|\$\w+|\d\w*(?:-+\w+)*(?=\.[^\W\d])"),
    False: re.compile(r"(?:\$?[^\W\d][\w$]*)|\$\w+|\d\w*(?=\.[^\W\d])"),
}
_KEYS = {True: re.compile(r"[\w$]+(?:-+\w+)*"), False: re.compile(r"[\w$]+")}


def tokenize(source: str, *, hyphens: bool) -> list[Token]:
    """The tokens of `source`. With `hyphens`, `a-b` without spaces is one name; without, a subtraction."""
    tokens: list[Token] = []
    position = 0
    while position < len(source):
        if space := _SPACE.match(source, position):
            position = space.end()
            continue
        after_dot = bool(tokens) and tokens[-1].kind == "operator" and tokens[-1].value in {".", "?."}
        token, position = _next_token(source, position, after_dot, hyphens)
        tokens.append(token)
    return tokens


def _next_token(source: str, at: int, after_dot: bool, hyphens: bool) -> tuple[Token, int]:
    if after_dot and (found := _KEYS[hyphens].match(source, at)):
        return Token("key", found[0], at, "-" in found[0]), found.end()
    if found := _WORDS[hyphens].match(source, at):
        if found.end() < len(source) and source[found.end()] in "\"'":
            raise ExpressionSyntaxError("A name cannot stand directly before a quote", source=source, offset=at)
        return _word(found[0], at), found.end()
    if found := _NUMBER.match(source, at):
        return Token("number", _number(found[0], source, at), at), found.end()
    if found := _OPERATOR.match(source, at):
        return Token("operator", found[0], at), found.end()
    if source[at] in "\"'":
        return _text(source, at)
    raise ExpressionSyntaxError(_unexpected(source[at]), source=source, offset=at)


def _word(word: str, at: int) -> Token:
    if word in KEYWORDS:
        return Token("keyword", word, at)
    if word in CONSTANTS:
        return Token("constant", CONSTANTS[word], at)
    return Token("name", word.removeprefix("$"), at, "-" in word)


def _number(digits: str, source: str, at: int) -> str:
    if not digits.isascii():
        raise ExpressionSyntaxError("A number is written with the digits 0 to 9", source=source, offset=at)
    if digits.isdecimal():
        stripped = digits.lstrip("0") or "0"
        if len(stripped) > 20 or int(stripped) > INTEGER_HIGH:
            raise ExpressionSyntaxError("The number does not fit into 64 bits", source=source, offset=at)
        return stripped
    if len(digits) > 400 or float(digits) == float("inf"):
        raise ExpressionSyntaxError("The number is too large", source=source, offset=at)
    return digits


def _text(source: str, at: int) -> tuple[Token, int]:
    found = _TEXT.match(source, at)
    if found is None:
        raise ExpressionSyntaxError("The text that begins here is never closed", source=source, offset=at)
    raw = found[1] if found[1] is not None else found[2]
    return Token("text", unescape(raw, source, at), at), found.end()


def unescape(raw: str, source: str, at: int) -> str:
    """The text between two quotes, with its escapes decoded."""
    if "\\" not in raw:
        return raw

    def decode(found: re.Match[str]) -> str:
        code = found[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        # A backslash before any other letter is kept, so that a pattern such as "\d+" needs no doubling.
        return _PLAIN_ESCAPES.get(code, "\\" + code)

    text = _ESCAPE.sub(decode, raw)
    try:
        # Two \u escapes may make one character together; half of one is no text.
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ExpressionSyntaxError("A \\u escape is half a character", source=source, offset=at) from None


def _unexpected(character: str) -> str:
    if character == "=":
        return "A single = assigns, which expressions cannot; to compare, write =="
    if character in "&|":
        return f'"{character}" is not an operator; write {character * 2}'
    if character in "`":
        return "A text is written in single or double quotes"
    if character.isdigit():
        return "This is neither a number nor a name"
    return f"Unexpected {character!r}"
