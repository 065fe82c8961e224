"""A definition's text: from bytes that anybody may have sent to a JSON value that is safe to walk.

Order matters. Size is checked before anything is read, UTF-8 and depth by fast scans over the bytes, and only then is
the text parsed. The value that the rest reads is parsed from the *canonical* form (keys sorted, no spaces), so that two
documents of one hash are one workflow in every respect, the order of a config's keys included.
"""

from __future__ import annotations

import gc
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from flowscope.definition.problems import below, quoted, refuse
from flowscope.definition.workflow import JSON
from flowscope.errors import DefinitionInvalid


@dataclass(frozen=True, slots=True)
class Limits:
    """What a definition may cost. `document_bytes` is the limit for files; servers give 4 MiB."""

    document_bytes: int = 64 * 1024 * 1024
    depth: int = 64
    nodes: int = 100_000
    edges_per_node: int = 20


DEFAULT = Limits()

_BOM = b"\xef\xbb\xbf"
_DROP = bytes(code for code in range(256) if code not in b'"[]{}:')
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
_STRING = re.compile(rb'"[^"]*"')
# Possessive, and a string may lack its end: so no text is scanned twice, however it is broken.
_TOKEN = re.compile(r'"(?:[^"\\]+|\\.)*+"?|-?(?:NaN|Infinity)|-?\d[\d.eE+-]*', re.DOTALL)


@contextmanager
def collector_paused() -> Iterator[None]:
    """While a large tree grows, the cyclic collector walks it again and again and finds nothing: half of the time.

    The pause holds for the whole process, and is short: no definition takes long, and nothing here waits.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def parse(document: bytes | str | dict[str, JSON], limits: Limits = DEFAULT) -> tuple[JSON, bytes]:
    """The value and its canonical bytes; `DefinitionInvalid` with one problem where there is no value to be had."""
    if isinstance(document, dict):
        canonical = _encode(document, limits)
    else:
        text = _text(document, limits)
        skeleton = _skeleton(text)
        if _deeper_than(limits.depth, skeleton):
            raise _too_deep(limits)
        canonical = msgspec.json.encode(_parse_text(text, limits), order="sorted")
        # The parser keeps the last of two equal keys in silence; but then it keeps fewer colons than there were.
        if _skeleton(canonical).count(b":") != skeleton.count(b":"):
            raise _duplicate_key(text)
    return msgspec.json.decode(canonical), canonical


def _text(document: bytes | str, limits: Limits) -> bytes:
    if len(document) > limits.document_bytes:
        raise _too_large(len(document), limits)
    if isinstance(document, bytes):
        return _utf8(document).removeprefix(_BOM)
    try:
        data = document.encode()
    except UnicodeEncodeError as error:
        raise refuse("", f"is not Unicode text: half a surrogate pair at character {error.start}") from None
    return _text(data, limits)


def _utf8(data: bytes) -> bytes:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        where = _line_and_column(before, len(before))
        raise refuse("", f"is not UTF-8 at {where}: byte 0x{data[error.start]:02x}", "Save it as UTF-8") from None
    return data


def _parse_text(text: bytes, limits: Limits) -> JSON:
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        raise _too_deep(limits) from None
    except (msgspec.MsgspecError, ValueError):
        raise _malformed(text.decode()) from None


def _skeleton(text: bytes) -> bytes:
    """The brackets and colons outside strings, in a few passes of C: a gigabyte a second, not a Python loop."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return _STRING.sub(b"", text.translate(None, _DROP).replace(b'""', b""))


def _deeper_than(depth: int, skeleton: bytes) -> bool:
    """Each round takes away the innermost pairs, so a document of depth d is empty after d rounds."""
    brackets = skeleton.translate(_ONE_BRACKET, b":")
    for _ in range(depth):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    # What is left of a text that is merely unbalanced is for the parser to name.
    return b"[]" in brackets or brackets.count(b"[") > depth


def _malformed(text: str) -> DefinitionInvalid:
    """Why the parser refused: the standard library's has the better words, and accepts what `_odd_token` then finds."""
    if not text.strip():
        return refuse("", "is empty", "A workflow is a JSON object with nodes and edges")
    try:
        json.loads(text, parse_int=float)
    except json.JSONDecodeError as error:
        odd = _odd_token(text, error.pos)
        if odd:
            return refuse("", odd)
        words = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        return refuse("", f"is not JSON: {words} at {_line_and_column(text, error.pos)}")
    except RecursionError:
        return refuse("", "is not JSON: too many brackets")
    return refuse("", _odd_token(text, len(text)) or "is not JSON")


def _odd_token(text: str, last: int) -> str:
    """The first token, up to an offset, that some parsers take and JSON, or a number's range, does not."""
    for match in _TOKEN.finditer(text):
        token, where = match.group(), match.start()
        if where > last:
            break
        fault = ""
        if token.endswith(("NaN", "Infinity")):
            fault = f"{token} is not a JSON value"
        elif token[0] == '"':
            fault = "half a surrogate pair" if "\\u" in token and _is_half(token) else ""
        elif len(token) > 4_000 or _overflows(token):
            fault = "a number out of range"
        if fault:
            return f"is not JSON: {fault} at {_line_and_column(text, where)}"
    return ""


def _is_half(token: str) -> bool:
    try:
        json.loads(token, strict=False).encode()
    except UnicodeEncodeError:
        return True
    except ValueError:
        return False
    return False


def _overflows(token: str) -> bool:
    try:
        return float(token) in (float("inf"), float("-inf"))
    except ValueError:
        return False


def _duplicate_key(text: bytes) -> DefinitionInvalid:
    """Which key is there twice. Only for documents known to have one: this way of parsing is slow."""
    twice: list[tuple[dict[str, JSON], str]] = []

    def gather(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        members = dict(pairs)
        if len(members) < len(pairs):
            twice.append((members, Counter(key for key, _ in pairs).most_common(1)[0][0]))
        return members

    root = json.loads(text, object_pairs_hook=gather)
    faults = {id(members): key for members, key in twice}
    for place, value in _members(root):
        if id(value) in faults:
            key = faults[id(value)]
            return refuse(below(place, key), f"the key {quoted(key)} is there twice", "Remove one of them")
    # It was inside the value that a later duplicate replaced.
    return refuse("", f"the key {quoted(twice[-1][1])} is there twice in one object", "Remove one of them")


def _members(root: JSON) -> list[tuple[str, JSON]]:
    """Every object and list with its place."""
    found: list[tuple[str, JSON]] = [("", root)]
    for place, value in found:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        found.extend((below(place, key), item) for key, item in items if isinstance(item, dict | list))
    return found


def _encode(document: dict[str, JSON], limits: Limits) -> bytes:
    """A Python value's canonical bytes, once it is known to be JSON: an encoder would write NaN as null."""
    _require_json(document, limits)
    try:
        canonical = msgspec.json.encode(document, order="sorted")
    except (TypeError, ValueError, OverflowError) as error:
        raise refuse("", f"is not JSON: {error}") from None
    if len(canonical) > limits.document_bytes:
        raise _too_large(len(canonical), limits)
    return canonical


def _require_json(document: dict[str, JSON], limits: Limits) -> None:
    stack: list[tuple[str, JSON, int]] = [("", document, 1)]
    budget = limits.document_bytes
    while stack:
        place, value, depth = stack.pop()
        if depth > limits.depth:
            raise _too_deep(limits)
        members = value.items() if isinstance(value, dict) else enumerate(value)
        # A value takes at least a byte; a list that holds one other list many times, many times over, is caught here.
        budget -= len(value)
        if budget < 0:
            raise _too_large(limits.document_bytes + 1, limits)
        for key, member in members:
            if isinstance(value, dict) and not isinstance(key, str):
                raise refuse(place, f"has a key that is not a text: {key!r:.80}")
            if isinstance(member, dict | list | tuple):
                stack.append((below(place, key), member, depth + 1))
            elif not _is_scalar(member):
                raise refuse(below(place, key), f"is not a JSON value: {member!r:.80}")


def _is_scalar(value: JSON) -> bool:
    if isinstance(value, float):
        return value - value == 0  # not NaN, not infinite
    return value is None or isinstance(value, str | bool | int)


def _too_large(size: int, limits: Limits) -> DefinitionInvalid:
    return refuse("", f"is larger than {limits.document_bytes:,} bytes: {size:,}", "Keep data out of the definition")


def _too_deep(limits: Limits) -> DefinitionInvalid:
    return refuse("", f"is nested deeper than {limits.depth} levels")


def _line_and_column(text: str, offset: int) -> str:
    line_start = text.rfind("\n", 0, offset) + 1
    return f"line {text.count(chr(10), 0, offset) + 1}, column {offset - line_start + 1}"
