"""Rows into files and out of them: CSV, Excel workbooks, Parquet.

A workbook is a zip archive of XML, and either can be a bomb: it is measured by what its directory says before anything is
unpacked (what it says is also all that is ever read), and its XML is read without entities. A text that begins with `=`
is written as text, never as a formula.
"""

from __future__ import annotations

import base64
import csv
import datetime
import decimal
import io
import math
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, BinaryIO, Literal, TypeAlias

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.csv_source import CsvSource, typed
from flowscope.nodes.extras import installed
from flowscope.nodes.file_roots import RootedFile, explained
from flowscope.nodes.lists import ListSource, items_of
from flowscope.nodes.sdk import NodeConfig, node

Format: TypeAlias = Literal["csv", "xlsx", "parquet"]

MEBIBYTE = 1024 * 1024
MOST_UNPACKED = 256 * MEBIBYTE
MOST_PARTS = 2_000
MOST_CELL = 32_767
_NOT_IN_CELL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_FORMATS = ("csv", "xlsx", "parquet")


class ConvertToFile(ListSource):
    path: str = Field(
        min_length=1, description="The file, below one of the roots; it is replaced at once, or not at all"
    )
    format: Format | None = Field(None, description="What to write; by the name of the file where left out")
    sheet: str = Field("Sheet1", min_length=1, max_length=31, description="With `xlsx`, the name of the sheet")


@node(
    "convert_to_file",
    title="Rows to a file",
    category="files",
    icon="file-spreadsheet",
    effects="external",
    example={"items": "{{ json.rows }}", "path": "reports/orders.xlsx"},
)
def convert_to_file(config: ConvertToFile, input: JSON, context: NodeContext) -> JSON:
    """Writes a list of objects as CSV, an Excel workbook or Parquet; the columns are all their keys. The output is
    `{path, format, rowCount, columns, size}`. Lists and objects in a cell are JSON text, but in Parquet they stay
    what they are. Needs `flowscope[files]`, but for CSV."""
    rows = _objects(items_of(input, config.items))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    form = _format(config.path, config.format)
    file = RootedFile(config.path, context.surroundings)
    with explained(file), file.replace() as stream:
        if form == "csv":
            _write_csv(stream, rows, columns)
        elif form == "xlsx":
            _write_xlsx(stream, rows, columns, config.sheet)
        else:
            _write_parquet(stream, rows)
        size = stream.tell()
    return {"path": config.path, "format": form, "rowCount": len(rows), "columns": columns, "size": size}


class ExtractFromFile(NodeConfig):
    path: str = Field(min_length=1, description="The file, below one of the roots")
    format: Format | None = Field(None, description="What it is; by the name of the file where left out")
    sheet: str = Field("", description="With `xlsx`, which sheet; the first where left out")
    types: Literal["auto", "text"] = Field(
        "auto",
        description="With `csv`: `auto` reads numbers, true and false, and empty as null; `text` leaves cells alone",
    )
    max_rows: int = Field(100_000, ge=1, le=1_000_000, description="More rows than this are an error")


@node(
    "extract_from_file",
    title="Rows from a file",
    category="files",
    icon="file-search",
    effects="external",
    example={"path": "inbox/orders.xlsx", "sheet": "2026"},
)
def extract_from_file(config: ExtractFromFile, input: JSON, context: NodeContext) -> JSON:
    """Reads CSV, an Excel workbook or Parquet as a list of objects. The output is the input with `rows`, `rowCount` and
    `columns`. The first row names the columns; a formula is the value that was last worked out; instants are ISO
    8601 text, bytes base64. Needs `flowscope[files]`, but for CSV. To filter or group a large CSV file, use
    `csv_processor`."""
    form = _format(config.path, config.format)
    file = RootedFile(config.path, context.surroundings)
    with explained(file), file.read() as stream:
        columns, rows = _READ[form](stream, config, context)
    found = {"rows": rows, "rowCount": len(rows), "columns": columns}
    return json_path.merged(input, found)


def _format(path: str, given: Format | None) -> Format:
    form = given or PurePath(path).suffix.lower().removeprefix(".")
    if form not in _FORMATS:
        raise _failed(
            f"path: {path!r} does not end in .csv, .xlsx or .parquet. Say which it is with format", "NO_FORMAT"
        )
    return form  # type: ignore[return-value]  # one of the three


def _objects(items: list[JSON]) -> list[dict[str, JSON]]:
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            raise _failed(f"items[{index}]: a row is an object, column by column", "NOT_A_ROW")
    return items


# --- CSV ---


def _write_csv(binary: BinaryIO, rows: list[dict[str, JSON]], columns: list[str]) -> None:
    stream = io.TextIOWrapper(binary, "utf-8", newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_text(row.get(column)) for column in columns])
    stream.flush()
    stream.detach()


def _text(value: JSON) -> JSON:
    return value if value is None or isinstance(value, str) else json_text.stringify(value)


def _read_csv(binary: BinaryIO, config: ExtractFromFile, context: NodeContext) -> tuple[list[str], list[JSON]]:
    stream = io.TextIOWrapper(binary, "utf-8-sig", newline="")
    try:
        source = CsvSource(stream, ",", os.fstat(binary.fileno()).st_size, context)
        cells = (list(map(typed, row)) if config.types == "auto" else row for row in source)
        return source.columns, _kept((dict(zip(source.columns, row, strict=True)) for row in cells), config)
    finally:
        stream.detach()


# --- Excel ---


def _write_xlsx(stream: BinaryIO, rows: list[dict[str, JSON]], columns: list[str], title: str) -> None:
    with installed("files"):
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
    lines = [list(map(_cell, columns)), *([_cell(row.get(column)) for column in columns] for row in rows)]
    book = Workbook(write_only=True)
    try:
        sheet = book.create_sheet(title)
    except ValueError as error:
        raise _failed(f"sheet: {error}", "BAD_SHEET") from None
    for line in lines:
        sheet.append([_as_text(WriteOnlyCell(sheet, value)) if isinstance(value, str) else value for value in line])
    book.save(stream)


def _cell(value: JSON) -> JSON:
    """A value as a cell holds it."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    text = str(_text(value))
    if len(text) > MOST_CELL:
        raise _failed(f"items: a text of {len(text):,} characters; a cell holds {MOST_CELL:,}", "BAD_CELL")
    if _NOT_IN_CELL.search(text):
        raise _failed("items: a text holds a control character, which a workbook cannot hold", "BAD_CELL")
    return text


def _as_text(cell: Any) -> Any:
    cell.data_type = "s"
    return cell


def _read_xlsx(stream: BinaryIO, config: ExtractFromFile, context: NodeContext) -> tuple[list[str], list[JSON]]:
    with installed("files"):
        import openpyxl
    _measure(stream, config.path)
    try:
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    except Exception as error:  # noqa: BLE001 -- the library raises whatever the broken file leads it to
        raise _failed(f"{config.path!r} cannot be read as a workbook: {_why(error)}", "BAD_WORKBOOK") from None
    try:
        names = book.sheetnames
        if config.sheet and config.sheet not in names:
            raise _failed(f"sheet: there is no {config.sheet!r}. There are: {', '.join(names)}", "NO_SHEET")
        rows = book[config.sheet or names[0]].iter_rows(values_only=True)
        columns = _columns(next(rows, ()))
        return columns, _kept((_row(columns, row) for row in rows if any(cell is not None for cell in row)), config)
    except NodeError:
        raise
    except Exception as error:  # noqa: BLE001 -- as above
        raise _failed(f"{config.path!r} cannot be read as a workbook: {_why(error)}", "BAD_WORKBOOK") from None
    finally:
        book.close()


def _why(error: Exception) -> str:
    name = type(error).__name__
    return "it has a DTD or entities" if "Forbidden" in name else " ".join(f"{name}: {error}".split())[:200]


def _measure(stream: BinaryIO, path: str) -> None:
    """Refuse an archive that unpacks to too much."""
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _failed(f"{path!r} is not a workbook: {error}", "BAD_WORKBOOK") from None
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED:
        raise _failed(
            f"{path!r} unpacks to {unpacked // MEBIBYTE:,} MiB in {len(parts):,} parts; more than "
            f"{MOST_UNPACKED // MEBIBYTE} MiB or {MOST_PARTS:,} parts are refused",
            "FILE_TOO_LARGE",
        )
    stream.seek(0)


def _columns(header: tuple[Any, ...]) -> list[str]:
    columns = [str(name).strip() if name is not None else f"column{place}" for place, name in enumerate(header, 1)]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise _failed(f"the first row has {twice[0]!r} twice. Name its columns differently", "TWO_COLUMNS")
    return columns


def _row(columns: list[str], cells: tuple[Any, ...]) -> JSON:
    if len(cells) > len(columns) and any(cell is not None for cell in cells[len(columns) :]):
        raise _failed("a row is longer than the first one, which names the columns", "BAD_WORKBOOK")
    return {column: _value(cell) for column, cell in zip(columns, [*cells, *[None] * len(columns)], strict=False)}


# --- Parquet ---


def _write_parquet(stream: BinaryIO, rows: list[dict[str, JSON]]) -> None:
    with installed("files"):
        import pyarrow
        import pyarrow.parquet
    names = list(dict.fromkeys(key for row in rows for key in row))
    try:
        table = pyarrow.table({name: pyarrow.array([row.get(name) for row in rows]) for name in names})
        pyarrow.parquet.write_table(table, stream)
    except pyarrow.ArrowException as error:
        raise _failed(f"items: a column must be of one type in Parquet: {_why(error)}", "BAD_CELL") from None


def _read_parquet(stream: BinaryIO, config: ExtractFromFile, context: NodeContext) -> tuple[list[str], list[JSON]]:
    with installed("files"):
        import pyarrow
        import pyarrow.parquet
    try:
        file = pyarrow.parquet.ParquetFile(stream)
        groups = range(file.metadata.num_row_groups)
        unpacked = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        if unpacked > MOST_UNPACKED:
            raise _failed(
                f"{config.path!r} unpacks to {unpacked // MEBIBYTE:,} MiB; more than {MOST_UNPACKED // MEBIBYTE} are refused",
                "FILE_TOO_LARGE",
            )
        columns = list(file.schema_arrow.names)
        batches = (row for batch in file.iter_batches(batch_size=1_000) for row in batch.to_pylist())
        return columns, _kept((_value(row) for row in batches), config)
    except (pyarrow.ArrowException, OSError) as error:
        raise _failed(f"{config.path!r} cannot be read as Parquet: {_why(error)}", "BAD_PARQUET") from None


# --- values ---


def _kept(rows: Iterator[JSON], config: ExtractFromFile) -> list[JSON]:
    kept: list[JSON] = []
    for row in rows:
        if len(kept) >= config.max_rows:
            raise _failed(f"{config.path!r} has more than maxRows, {config.max_rows:,}, rows", "TOO_MANY_ROWS")
        kept.append(row)
    return kept


def _value(value: Any) -> JSON:
    """A cell as JSON."""
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _value(each) for key, each in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return float(value) if isinstance(value, decimal.Decimal) else str(value)


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=False)


_READ = {"csv": _read_csv, "xlsx": _read_xlsx, "parquet": _read_parquet}
