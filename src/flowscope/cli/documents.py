"""What was named on the command line: the workflow's file, and the input."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from flowscope.definition.document import DEFAULT, parse
from flowscope.definition.workflow import JSON
from flowscope.errors import DefinitionInvalid, InputInvalid

INPUT_BYTES = 64 * 1024 * 1024
"""The largest input."""


def read_document(path: Path) -> bytes:
    """A workflow's file; one that is too large is refused before it is read."""
    return _read(path, DEFAULT.document_bytes, "A workflow")


def read_signal(argument: str) -> tuple[str, JSON]:
    """`--signal`: a name, or a name, `=` and what `--input` takes; without one the payload is null."""
    name, given, payload = argument.partition("=")
    return name.strip(), read_input(payload, "--signal") if given else None


def read_input(argument: str, option: str = "--input") -> JSON:
    """`--input`: JSON, or `@file`, or `-` for standard input. `InputInvalid` says where it is wrong."""
    if argument == "-":
        name, text = "The input on stdin", sys.stdin.buffer.read(INPUT_BYTES + 1)
        if len(text) > INPUT_BYTES:
            raise InputInvalid(f"{name} is larger than {_mebibytes(INPUT_BYTES)}")
    elif argument.startswith("@"):
        path = Path(argument[1:])
        name, text = f"The input in {path}", _read(path, INPUT_BYTES, "An input")
    else:
        name, text = option, argument.encode("utf-8", "surrogateescape")
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise InputInvalid(f"{name} {_what_is_wrong(text)}") from None


def _what_is_wrong(text: bytes) -> str:
    """The parser of definitions is slower and says more."""
    try:
        parse(text)
    except DefinitionInvalid as invalid:
        return str(invalid.problems[0])
    return "is not JSON"


def _read(path: Path, limit: int, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            if path.is_file() and path.stat().st_size > limit:
                size = path.stat().st_size
                raise InputInvalid(f"{path} is {_mebibytes(size)}. {what} is at most {_mebibytes(limit)}")
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputInvalid(f"Cannot read {path}: {reason}") from None
    if len(data) > limit:
        raise InputInvalid(f"{path} is more than {_mebibytes(limit)}, which is the most for {what.lower()}")
    return data


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:.0f} MiB"
