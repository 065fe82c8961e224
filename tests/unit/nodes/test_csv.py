from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from flowscope.errors import ConfigInvalid, NodeError
from flowscope.nodes.csv_source import typed
from unit.nodes.bench import Bench

PEOPLE = "name,age,city\nAda,36,London\nBob,17,\nCleo,61,London\n"


@pytest.mark.parametrize(
    ("config", "output"),
    [
        (
            {},
            {
                "rows": [
                    {"name": "Ada", "age": 36, "city": "London"},
                    {"name": "Bob", "age": 17, "city": None},
                    {"name": "Cleo", "age": 61, "city": "London"},
                ],
                "rowCount": 3, "rowsRead": 3, "columns": ["name", "age", "city"],
            },
        ),
        (
            {"where": [{"field": "age", "operator": ">", "value": 18}], "select": "name", "limit": 1, "types": "text"},
            {"rows": [{"name": "Ada"}], "rowCount": 1, "rowsRead": 1, "columns": ["name"]},
        ),
        (
            {
                "where": [{"field": "city", "operator": "exists"}, {"field": "{{ row.name }}", "value": "Bob"}],
                "combineOperation": "OR",
                "select": {"who": "name"},
            },
            {"rows": [{"who": "Ada"}, {"who": "Bob"}, {"who": "Cleo"}], "rowCount": 3, "rowsRead": 3, "columns": ["who"]},
        ),
        (
            {"groupBy": "city", "aggregations": [{"operation": "count"}, {"operation": "max", "field": "age", "as": "oldest"}]},
            {
                "rows": [{"city": "London", "count": 2, "oldest": 61}, {"city": None, "count": 1, "oldest": 17}],
                "rowCount": 2, "rowsRead": 3, "columns": ["city", "count", "oldest"],
            },
        ),
        (
            {"aggregations": [{"operation": "average", "field": "age"}]},
            {"rows": [{"average_age": 38}], "rowCount": 1, "rowsRead": 3, "columns": ["average_age"]},
        ),
    ],
)  # fmt: skip
async def test_output(bench: Bench, config: Any, output: Any) -> None:
    assert await bench.run("csv_processor", {"text": PEOPLE, **config}) == output


async def test_other_sources(bench: Bench, tmp_path: Path) -> None:
    rows = [{"a": 1, "b": None}, {"c": True}]
    output = await bench.run("csv_processor", {"rows": "{{ rows }}", "output": "out/t.csv"}, {"rows": rows})
    assert output == {"path": "out/t.csv", "rowCount": 2, "rowsRead": 2, "columns": ["a", "b", "c"]}
    assert (tmp_path / "out/t.csv").read_text() == "a,b,c\n1,,\n,,true\n"
    back = await bench.run("csv_processor", {"path": "out/t.csv"})
    assert back["rows"] == [{"a": 1, "b": None, "c": None}, {"a": None, "b": None, "c": True}]
    (tmp_path / "w.csv").write_bytes('näme;x\r\n"a;\r\nb";1\r\n\r\n'.encode("cp1252"))
    output = await bench.run("csv_processor", {"path": "w.csv", "delimiter": ";", "encoding": "cp1252"})
    assert output["rows"] == [{"näme": "a;\r\nb", "x": 1}]
    (tmp_path / "bom.csv").write_bytes(b"\xef\xbb\xbfa\n1\n")
    assert (await bench.run("csv_processor", {"path": "bom.csv"}))["columns"] == ["a"]
    assert (await bench.run("csv_processor", {"text": ""}))["rows"] == []


async def test_cells_that_are_passed_on_stay_as_they_were_written(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("id,x\n007,1.50\n1e5,TRUE\n")
    await bench.run("csv_processor", {"path": "in.csv", "output": "in.csv", "select": ["x", "id"]})
    assert (tmp_path / "in.csv").read_text() == "x,id\n1.50,007\nTRUE,1e5\n"


def test_cells_as_people_read_them() -> None:
    cells: list[str] = [
        "",
        "0",
        "-7",
        "1.5",
        "1e3",
        "007",
        "+1",
        "true",
        "False",
        "nan",
        "inf",
        "1e999",
        "1_0",
        "9" * 30,
        " 1",
        "x",
    ]
    assert [typed(cell) for cell in cells] == [
        None, 0, -7, 1.5, 1000.0, "007", 1, True, False, "nan", "inf", "1e999", "1_0", "9" * 30, " 1", "x",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"text": "a,b\n1,2,3"}, "line 2 has 3 cells, the header 2"),
        ({"text": "a,a\n1,2"}, "'a' twice"),
        (
            {"text": PEOPLE, "where": [{"field": "nope"}]},
            "where: there is no column 'nope'. There are: name, age, city",
        ),
        ({"text": PEOPLE, "select": ["nope"]}, "select: there is no column"),
        ({"text": PEOPLE, "groupBy": ["nope"]}, "groupBy: there is no column"),
        ({"text": PEOPLE, "aggregations": [{"field": "nope"}]}, "aggregations: there is no column"),
        ({"text": PEOPLE, "aggregations": [{"field": "name"}]}, "sum of name: 'Ada' is not a number"),
        ({"text": PEOPLE, "maxRows": 2}, "More than maxRows, 2, rows"),
        ({"text": PEOPLE, "groupBy": "name", "maxRows": 2}, "more than 2 groups"),
        ({"text": "a\n" + "x" * 200_000}, "field larger than field limit"),
        ({"text": "a" * 2_000_000}, "line 1 is longer than 1,048,576"),
        ({"path": "latin.csv"}, "text in another encoding. Set encoding"),
        ({"path": "none.csv"}, "There is no file 'none.csv'"),
    ],
)
async def test_refusal(bench: Bench, tmp_path: Path, config: Any, says: str) -> None:
    (tmp_path / "latin.csv").write_bytes(b"a\n\xe4\n")
    with pytest.raises(NodeError, match=says) as caught:
        await bench.run("csv_processor", config)
    assert not caught.value.retryable


@pytest.mark.parametrize("config", [{}, {"text": "a", "path": "b"}, {"text": "a", "select": "a", "groupBy": "a"}])
async def test_a_config_that_contradicts_itself(bench: Bench, config: Any) -> None:
    with pytest.raises(ConfigInvalid, match=r"give one of|do not go together"):
        await bench.run("csv_processor", config)


async def test_cancelling_stops_the_pass(bench: Bench) -> None:
    text = "a\n" + "1\n" * 20_000
    with pytest.raises(NodeError, match="Stopped"):
        await bench.run("csv_processor", {"text": text}, cancelled=lambda: True)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({"groupBy": "city", "aggregations": [{"operation": "count"}, {"operation": "sum", "field": "price"}]}, 10),
        ({"where": [{"field": "price", "operator": ">=", "value": 500}], "output": "dear.csv"}, 50_000),
    ],
    ids=["grouped", "filtered to a file"],
)
async def test_a_large_file_takes_little_memory(bench: Bench, tmp_path: Path, config: Any, count: int) -> None:
    """100,000 rows here; as objects they would take about 30 MB."""
    with (tmp_path / "large.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "city", "price"])
        writer.writerows([number, f"city {number % 10}", number % 1000] for number in range(100_000))
    tracemalloc.start()
    output = await bench.run("csv_processor", {"path": "large.csv", **config})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (output["rowCount"], output["rowsRead"]) == (count, 100_000)
    assert peak < 2_000_000
    assert bench.heard.fractions == sorted(bench.heard.fractions)
    assert 0.9 < bench.heard.fractions[-1] <= 1
