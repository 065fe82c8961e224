"""Rows in and out of real files, and files that are traps."""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from flowscope.errors import NodeDenied, NodeError
from unit.nodes.bench import Bench

ROWS = [
    {"name": "Ada", "total": 12.5, "n": 3, "paid": True, "note": None},
    {"name": "=1+1", "total": 8.0, "n": -1, "paid": False, "note": "a\nb, \"c\""},
]  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
async def test_there_and_back(bench: Bench, form: str) -> None:
    written = await bench.run("convert_to_file", {"path": f"out/rows.{form}"}, ROWS)
    size = written.pop("size")
    assert size > 50
    columns = ["name", "total", "n", "paid", "note"]
    assert written == {"path": f"out/rows.{form}", "format": form, "rowCount": 2, "columns": columns}
    read = await bench.run("extract_from_file", {"path": f"out/rows.{form}"}, {"kept": 1})
    assert read == {"kept": 1, "rows": ROWS, "rowCount": 2, "columns": columns}


async def test_what_others_read_of_it(bench: Bench, tmp_path: Path) -> None:
    for form in ("csv", "xlsx"):
        await bench.run("convert_to_file", {"items": [{"a": 1, "b": [1, {"x": 2}]}], "path": f"r.{form}"}, {})
    assert list(csv.reader(io.StringIO((tmp_path / "r.csv").read_text()))) == [["a", "b"], ["1", '[1,{"x":2}]']]
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx")["Sheet1"]
    assert [[cell.value for cell in row] for row in sheet.iter_rows()] == [["a", "b"], [1, '[1,{"x":2}]']]


async def test_a_text_that_looks_like_a_formula_is_none(bench: Bench, tmp_path: Path) -> None:
    await bench.run("convert_to_file", {"path": "r.xlsx"}, [{"=HYPERLINK(1)": "=cmd|'/c calc'!A0"}])
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx").active
    assert [cell.data_type for row in sheet.iter_rows() for cell in row] == ["s", "s"]


async def test_nested_values_in_parquet(bench: Bench) -> None:
    rows = [{"a": [1, 2], "b": {"x": "y"}}]
    await bench.run("convert_to_file", {"path": "r.parquet"}, rows)
    assert (await bench.run("extract_from_file", {"path": "r.parquet"}, {}))["rows"] == rows


async def test_what_a_workbook_may_hold(bench: Bench, tmp_path: Path) -> None:
    import datetime

    book = openpyxl.Workbook()
    book.active.append(["at", None, "n"])
    book.active.append([datetime.datetime(2026, 1, 31, 12), "x", 2**40])
    book.active.append([None, None, None])
    other = book.create_sheet("Other")
    other.append(["q"])
    other.append(["=1+1"])
    book.save(tmp_path / "b.xlsx")
    read = await bench.run("extract_from_file", {"path": "b.xlsx"}, {})
    assert read["rows"] == [{"at": "2026-01-31T12:00:00", "column2": "x", "n": 2**40}]
    assert (await bench.run("extract_from_file", {"path": "b.xlsx", "sheet": "Other"}, {}))["rows"] == []
    with pytest.raises(NodeError, match=r"sheet: there is no 'Nope'\. There are: Sheet, Other"):
        await bench.run("extract_from_file", {"path": "b.xlsx", "sheet": "Nope"}, {})


async def test_what_parquet_may_hold(bench: Bench, tmp_path: Path) -> None:
    import datetime
    import decimal

    table = pyarrow.table({
        "at": [datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)], "d": [decimal.Decimal("1.50")], "b": [b"\xff"],
        "nan": [float("nan")],
    })  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "p.parquet")
    read = await bench.run("extract_from_file", {"path": "p.parquet"}, {})
    assert read["rows"] == [{"at": "2026-01-31T00:00:00+00:00", "d": 1.5, "b": "/w==", "nan": None}]


def _archive(path: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def _with_part(path: Path, name: str, data: bytes) -> None:
    """A sound workbook in which one part is another."""
    openpyxl.Workbook().save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    _archive(path, {**parts, name: data})


def _lying(path: Path) -> None:
    """Says that it unpacks to next to nothing."""
    _with_part(path, "xl/worksheets/sheet1.xml", b"<a>" + b" " * 10_000_000 + b"</a>")
    data = path.read_bytes()
    path.write_bytes(data.replace((10_000_007).to_bytes(4, "little"), (64).to_bytes(4, "little")))


LAUGHS = b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'
BOMBS: dict[str, tuple[Callable[[Path], object], str]] = {
    "large": (lambda path: _with_part(path, "xl/worksheets/sheet1.xml", b" " * 10_000_000), "unpacks to 9 MiB"),
    "many": (lambda path: _archive(path, {f"p{n}": b"" for n in range(2_001)}), "in 2,001 parts"),
    "lying": (_lying, "cannot be read as a workbook"),
    "entities": (lambda path: _with_part(path, "xl/worksheets/sheet1.xml", LAUGHS), "cannot be read as a workbook"),
    "entities-in-strings": (lambda path: _with_part(path, "xl/workbook.xml", LAUGHS), "cannot be read as a workbook"),
    "no-zip": (lambda path: path.write_bytes(b"hello"), "is not a workbook: File is not a zip file"),
    "no-workbook": (lambda path: _archive(path, {"a.txt": b"x"}), "cannot be read as a workbook"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_zip_bombs_and_broken_workbooks_are_refused(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("flowscope.nodes.tables.MOST_UNPACKED", 8 * 1024 * 1024)
    make, says = BOMBS[name]
    make(tmp_path / "b.xlsx")
    with pytest.raises(NodeError, match=says) as caught:
        await bench.run("extract_from_file", {"path": "b.xlsx"}, {})
    assert not caught.value.retryable


async def test_a_parquet_bomb_is_refused(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowscope.nodes.tables.MOST_UNPACKED", 8 * 1024 * 1024)
    column = pyarrow.array([0] * 2_000_000, pyarrow.int64())
    pyarrow.parquet.write_table(
        pyarrow.table({"x": column}), tmp_path / "p.parquet", use_dictionary=False, compression="zstd"
    )
    assert (tmp_path / "p.parquet").stat().st_size < 1_000_000
    with pytest.raises(NodeError, match="unpacks to 15 MiB; more than 8 are refused"):
        await bench.run("extract_from_file", {"path": "p.parquet"}, {})


@pytest.mark.parametrize(
    ("config", "items", "says"),
    [
        ({"path": "r.txt"}, [], "path: 'r.txt' does not end in .csv, .xlsx or .parquet"),
        ({"path": "r.csv"}, [1], r"items\[0\]: a row is an object, column by column"),
        ({"path": "r.xlsx"}, [{"a": "x\0"}], "a text holds a control character"),
        ({"path": "r.xlsx"}, [{"a": "x" * 40_000}], "a text of 40,000 characters; a cell holds 32,767"),
        ({"path": "r.xlsx", "sheet": "a/b"}, [{"a": 1}], "sheet: Invalid character"),
        ({"path": "r.parquet"}, [{"a": 1}, {"a": "x"}], "a column must be of one type in Parquet"),
    ],
)
async def test_what_convert_to_file_refuses(bench: Bench, tmp_path: Path, config: Any, items: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await bench.run("convert_to_file", config, items)
    assert not (tmp_path / config["path"]).exists()


@pytest.mark.parametrize(
    ("path", "data", "says"),
    [
        ("r.parquet", b"hello", "cannot be read as Parquet"),
        ("r.parquet", b"PAR1" + b"\xff" * 100 + b"PAR1", "cannot be read as Parquet"),
        ("r.csv", b"a,a\n1,2\n", "the header has 'a' twice"),
        ("r.csv", b"\xff\xfe", "another encoding"),
        ("gone.csv", None, "There is no file 'gone.csv'"),
    ],
)
async def test_what_extract_from_file_refuses(
    bench: Bench, tmp_path: Path, path: str, data: bytes | None, says: str
) -> None:
    if data is not None:
        (tmp_path / path).write_bytes(data)
    with pytest.raises(NodeError, match=says):
        await bench.run("extract_from_file", {"path": path}, {})


async def test_there_is_an_end_to_rows(bench: Bench) -> None:
    await bench.run("convert_to_file", {"path": "r.xlsx"}, [{"a": n} for n in range(5)])
    with pytest.raises(NodeError, match=r"'r\.xlsx' has more than maxRows, 4, rows"):
        await bench.run("extract_from_file", {"path": "r.xlsx", "maxRows": 4}, {})


TRAVERSALS = ["../r.csv", "/etc/r.csv", "a/../../r.csv", ".hidden.csv", "a/.b/r.csv", "r.csv\0.xlsx"]


@pytest.mark.parametrize("path", TRAVERSALS)
async def test_paths_stay_below_the_roots(bench: Bench, path: str) -> None:
    with pytest.raises(NodeDenied, match="path: "):
        await bench.run("convert_to_file", {"path": path, "format": "csv"}, [{"a": 1}])
    with pytest.raises(NodeDenied, match="path: "):
        await bench.run("extract_from_file", {"path": path, "format": "csv"}, {})


@pytest.mark.parametrize(("form", "module"), [("xlsx", "openpyxl"), ("parquet", "pyarrow")])
async def test_a_library_that_is_not_installed_is_named_by_its_extra(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, form: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(NodeError, match=rf"needs {module}, which is not installed: pip install 'flowscope\[files\]'"):
        await bench.run("convert_to_file", {"path": f"r.{form}"}, [{"a": 1}])
