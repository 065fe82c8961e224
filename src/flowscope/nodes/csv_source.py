"""Rows out of CSV, one at a time: a file of any size takes the memory of one line."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import TextIO

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.context import NodeContext

LONGEST_LINE = 1024 * 1024
_EVERY = 8_192
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d{0,17})(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII)
_WORDS: dict[str, JSON] = {"": None, "true": True, "false": False, "True": True, "False": False}


class CsvSource:
    """An open text stream as a header and rows of texts. `size` is the stream's bytes, 0 if unknown."""

    def __init__(self, stream: TextIO, delimiter: str, size: int, context: NodeContext) -> None:
        self._stream = stream
        self._size = size
        self._context = context
        self._reader = csv.reader(self._lines(), delimiter=delimiter)
        self.rows_read = 0
        self.columns = self._header()

    def __iter__(self) -> Iterator[list[str]]:
        """Each row, as long as the header: a short one is filled up with empty texts."""
        width = len(self.columns)
        rows = self._guarded()
        for row in rows:
            if len(row) != width:
                if not row:
                    continue
                if len(row) > width:
                    raise _bad(f"line {self._reader.line_num} has {len(row)} cells, the header {width}")
                row += [""] * (width - len(row))
            self.rows_read += 1
            yield row

    def _header(self) -> list[str]:
        for row in self._guarded():
            columns = [name.strip() for name in row]
            twice = {name for name in columns if columns.count(name) > 1}
            if twice:
                raise _bad(f"the header has {sorted(twice)[0]!r} twice. Name its columns differently")
            if columns:
                return columns
        return []

    def _guarded(self) -> Iterator[list[str]]:
        try:
            yield from self._reader
        except csv.Error as error:
            raise _bad(f"line {self._reader.line_num}: {error}") from None
        except UnicodeDecodeError:
            raise _bad(f"after line {self._reader.line_num} there is text in another encoding. Set encoding") from None

    def _lines(self) -> Iterator[str]:
        read, seen, count = self._stream.readline, 0, 0
        while line := read(LONGEST_LINE):
            if len(line) == LONGEST_LINE and line[-1] != "\n":
                raise _bad(f"line {count + 1} is longer than {LONGEST_LINE:,} characters")
            count += 1
            seen += len(line)
            if count % _EVERY == 0:
                self._tick(seen, count)
            yield line

    def _tick(self, seen: int, count: int) -> None:
        if self._context.cancelled():
            raise NodeError("Stopped: cancelled, or out of time", code="CANCELLED", retryable=False)
        self._context.progress(seen / self._size if self._size else 0, f"{count:,} lines")


def typed(cell: str) -> JSON:
    """A cell as a person would read it: a number, true or false, null when empty, else the text. `007` and
    numbers too long to keep stay texts."""
    if cell in _WORDS:
        return _WORDS[cell]
    if not _NUMBER.fullmatch(cell):
        return cell
    try:
        return int(cell)
    except ValueError:
        number = float(cell)
        return number if abs(number) != float("inf") else cell


def _bad(message: str) -> NodeError:
    return NodeError(f"CSV: {message}", code="BAD_CSV", retryable=False)
