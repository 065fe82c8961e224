"""The SQL, read from the files beside this one. Text in, text out: nothing here touches a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

Row = tuple[Any, ...]
"""What SQLite takes: str, bytes, int, float or None in each column."""

SIZES = (1, 4, 16, 64, 256)
"""Rows in one statement: few different ones, so that all stay prepared."""

_ROWS = re.compile(r"/\* rows \*/ (\(.*\))")
_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def _text(name: str) -> str:
    return files("flowscope.journal").joinpath(name).read_text("utf-8")


def _named(text: str) -> dict[str, str]:
    _, *parts = _NAME.split(text)
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


SCHEMA = _text("schema.sql")
"""The newest schema, for an empty file."""

SQL = _named(_text("statements.sql"))
"""Statements by name."""


@cache
def _for_rows(name: str, count: int) -> str:
    return _ROWS.sub(lambda found: ",\n  ".join([found[1]] * count), SQL[name])


def in_rows(name: str, rows: Sequence[Row]) -> Iterator[tuple[str, Row]]:
    """The statement and its bindings, for as many rows at once as go; what is missing to a size is filled with NULL."""
    for start in range(0, len(rows), SIZES[-1]):
        chunk = rows[start : start + SIZES[-1]]
        size = next(size for size in SIZES if size >= len(chunk))
        padding = (None,) * ((size - len(chunk)) * len(chunk[0]))
        yield _for_rows(name, size), (*chain.from_iterable(chunk), *padding)
