"""CSV in, rows, groups or another CSV out: one pass, one row at a time.

A million rows are never a million objects: a row is a list of texts for as long as it takes to filter it,
tally it or write it. Only the cells that are looked at are made numbers, and only the rows that are kept
become objects.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import os
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_text
from flowscope.nodes.conditions import Combine, Condition, combined, compare
from flowscope.nodes.context import NodeContext
from flowscope.nodes.csv_source import CsvSource, typed
from flowscope.nodes.file_roots import RootedFile, explained
from flowscope.nodes.grouping import Aggregation, Groups
from flowscope.nodes.sdk import NodeConfig, node
from flowscope.nodes.shaping import names

_OF_ROW = re.compile(r"\s*\{\{\s*\$?(?:item|row)\.([\w.$-]+)\s*\}\}\s*")

Row: TypeAlias = list[JSON]


class CsvProcessor(NodeConfig):
    path: str = Field("", description="The CSV file, below one of the roots")
    text: str = Field("", description="Or the CSV itself")
    rows: list[dict[str, JSON]] | None = Field(None, description="Or objects, such as another node's `rows`")
    delimiter: str = Field(",", min_length=1, max_length=1, description="What stands between cells")
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = Field("utf-8", description="How the file is written")
    types: Literal["auto", "text"] = Field(
        "auto", description="`auto` reads numbers, true and false, and empty as null; `text` leaves cells alone"
    )
    where: list[Condition] = Field(default_factory=list, description="Keep rows for which these hold")
    combine_operation: Combine = Field("AND", description="Whether all of them must hold, or one of them")
    select: list[str] | dict[str, str] | str | None = Field(
        None, description="The columns to keep, as a list or with commas; or an object, new name to column"
    )
    group_by: list[str] | str = Field(
        default_factory=list, description="The columns to group by, as a list or separated by commas"
    )
    aggregations: list[Aggregation] = Field(
        default_factory=list, description="What to work out for each group; without `groupBy`, for all rows"
    )
    limit: int | None = Field(None, ge=0, description="Stop after so many rows, or groups")
    output: str = Field("rows", min_length=1, description="`rows`, or the path of a CSV file to write")
    max_rows: int = Field(
        100_000, ge=1, le=1_000_000, description="More rows, or groups, than this in the output are an error"
    )

    @model_validator(mode="after")
    def _one_source(self) -> CsvProcessor:
        if len(self.model_fields_set & {"path", "text", "rows"}) != 1:
            raise ValueError("give one of path, text and rows")
        if (self.group_by or self.aggregations) and self.select is not None:
            raise ValueError("select and groupBy do not go together: groups have their own columns")
        return self


def _prepare(config: dict[str, JSON]) -> dict[str, JSON]:
    where = config.get("where")
    return {**config, "where": [_column(each) for each in where]} if isinstance(where, list) else config


def _column(condition: JSON) -> JSON:
    """`{{ row.age }}` is not known before there is a row: it means the column `age`."""
    field = condition.get("field") if isinstance(condition, dict) else None
    found = _OF_ROW.fullmatch(field) if isinstance(field, str) else None
    return {**condition, "field": found[1]} if found else condition


@node(
    "csv_processor",
    title="CSV",
    category="files",
    icon="table",
    effects="external",
    prepare=_prepare,
    example={
        "path": "flights.csv",
        "where": [{"field": "delay", "operator": "greater_than", "value": 15}],
        "groupBy": ["origin"],
        "aggregations": [{"operation": "count"}, {"operation": "average", "field": "delay"}],
    },
)
def csv_processor(config: CsvProcessor, context: NodeContext) -> JSON:
    """Reads CSV a row at a time; filters, picks columns, groups; and answers with rows or writes a CSV file.
    The output is `{rows, rowCount, rowsRead, columns}`, or with a file `{path, rowCount, rowsRead,
    columns}`."""
    with _opened(config, context) as source:
        columns, rows = _passed(config, source)
        if config.output == "rows":
            kept = _kept(columns, rows, config.max_rows)
            return {
                "rows": kept,
                "rowCount": len(kept),
                "rowsRead": source.rows_read,
                "columns": columns,
            }
        count = _written(columns, rows, config, context)
        return {"path": config.output, "rowCount": count, "rowsRead": source.rows_read, "columns": columns}


class Objects:
    """Objects as a source of rows; the columns are all their keys."""

    def __init__(self, objects: list[dict[str, JSON]]) -> None:
        self._objects = objects
        self.columns = list(dict.fromkeys(key for each in objects for key in each))
        self.rows_read = 0

    def __iter__(self) -> Iterator[Row]:
        for each in self._objects:
            self.rows_read += 1
            yield [each.get(column) for column in self.columns]


Source: TypeAlias = CsvSource | Objects


@contextlib.contextmanager
def _opened(config: CsvProcessor, context: NodeContext) -> Iterator[Source]:
    if config.rows is not None:
        yield Objects(config.rows)
    elif not config.path:
        yield CsvSource(io.StringIO(config.text, newline=""), config.delimiter, len(config.text), context)
    else:
        file = RootedFile(config.path, context.surroundings)
        encoding = "utf-8-sig" if config.encoding == "utf-8" else config.encoding
        with explained(file), io.TextIOWrapper(file.read(), encoding, newline="") as stream:
            yield CsvSource(stream, config.delimiter, os.fstat(stream.fileno()).st_size, context)


def _passed(config: CsvProcessor, source: Source) -> tuple[list[str], Iterator[Row]]:
    """The columns and rows that come out. Cells that were only passed on are still as they were written, when
    they go into a file; they are given their types when they are kept."""
    reading = _identity if config.types == "text" or isinstance(source, Objects) else typed
    rows = _matching(config, source, reading)
    if config.group_by or config.aggregations:
        columns, made = _grouped(config, source, rows, reading)
    else:
        columns, made = _selected(config, source, rows)
        if config.output == "rows" and reading is typed:
            made = (list(map(typed, row)) for row in made)
    return columns, itertools.islice(made, config.limit)


def _identity(cell: JSON) -> JSON:
    return cell


def _matching(config: CsvProcessor, source: Source, reading: Callable[[Any], JSON]) -> Iterator[Row]:
    if not config.where:
        return iter(source)
    places = [_place(source, str(each.field), "where") for each in config.where]
    tests = list(zip(places, config.where, strict=True))
    return (
        row
        for row in source
        if combined(
            [compare(reading(row[place]), each.operator, each.value) for place, each in tests],
            config.combine_operation,
        )
    )


def _selected(config: CsvProcessor, source: Source, rows: Iterator[Row]) -> tuple[list[str], Iterator[Row]]:
    if not config.select:
        return source.columns, rows
    wanted = config.select if isinstance(config.select, dict) else {name: name for name in names(config.select)}
    places = [_place(source, column, "select") for column in wanted.values()]
    return list(wanted), ([row[place] for place in places] for row in rows)


def _grouped(
    config: CsvProcessor, source: Source, rows: Iterator[Row], reading: Callable[[Any], JSON]
) -> tuple[list[str], Iterator[Row]]:
    group_by = names(config.group_by)
    aggregations = config.aggregations or [Aggregation(operation="count")]
    places = [_place(source, name, "groupBy") for name in group_by]
    tallied = [_place(source, each.field, "aggregations") if each.field else None for each in aggregations]
    groups = Groups(aggregations, config.max_rows)
    for row in rows:
        groups.add(
            [row[place] for place in places],
            [True if place is None else reading(row[place]) for place in tallied],
        )
    made = ([*map(reading, keys), *results] for keys, results in groups)
    return [*group_by, *(each.name for each in aggregations)], made


def _place(source: Source, column: str, field: str) -> int:
    try:
        return source.columns.index(column)
    except ValueError:
        raise NodeError(
            f"{field}: there is no column {column!r}. There are: {', '.join(source.columns[:30])}",
            code="NO_COLUMN",
            retryable=False,
        ) from None


def _kept(columns: list[str], rows: Iterator[Row], most: int) -> list[JSON]:
    kept: list[JSON] = []
    for row in rows:
        if len(kept) >= most:
            raise NodeError(
                f"More than maxRows, {most:,}, rows in the output. Use where, groupBy or limit, or name a file as output",
                code="TOO_MANY_ROWS",
                retryable=False,
            )
        kept.append(dict(zip(columns, row, strict=True)))
    return kept


def _written(columns: list[str], rows: Iterator[Row], config: CsvProcessor, context: NodeContext) -> int:
    file = RootedFile(config.output, context.surroundings, "output")
    count = 0
    with explained(file), file.replace() as binary:
        stream = io.TextIOWrapper(binary, "utf-8", newline="")
        writer = csv.writer(stream, delimiter=config.delimiter, lineterminator="\n")
        writer.writerow(columns)
        for count, row in enumerate(rows, 1):  # noqa: B007 -- the count is what it is for
            writer.writerow([cell if type(cell) is str else _cell(cell) for cell in row])
        stream.flush()
        stream.detach()
    return count


def _cell(value: JSON) -> JSON:
    """A value as a cell that `typed` reads back."""
    if value is None or isinstance(value, str):
        return value
    return json_text.stringify(value)
