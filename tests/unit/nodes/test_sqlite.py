# ruff: noqa: ASYNC240 -- nothing else runs on these loops
from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from flowscope.errors import NodeDenied, NodeError
from unit.nodes.bench import Bench


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table t(id integer primary key, x, y)")
        connection.executemany("insert into t(x, y) values(?, ?)", [(1, "a"), (2.5, None), ("z", b"\xff")])
    connection.close()
    return path


async def query(bench: Bench, query: str, parameters: Any = (), **more: Any) -> Any:
    config = {"database": "shop.db", "query": query, "parameters": parameters or [], **more}
    return await bench.run("sqlite", config, {})


@pytest.mark.parametrize("mode", ["read", "write"])
async def test_reading(bench: Bench, database: Path, mode: str) -> None:
    output = await query(bench, "select * from t order by id;  -- that is all", mode=mode)
    assert output == {
        "rows": [{"id": 1, "x": 1, "y": "a"}, {"id": 2, "x": 2.5, "y": None}, {"id": 3, "x": "z", "y": "/w=="}],
        "rowCount": 3,
        "lastInsertId": None,
    }


@pytest.mark.parametrize(
    ("text", "parameters", "output"),
    [
        ("insert into t(x) values(?)", [7], {"rows": [], "rowCount": 1, "lastInsertId": 4}),
        ("insert into t(x) values(?)", [[7], [8]], {"rows": [], "rowCount": 2, "lastInsertId": 5}),
        ("insert into t(x) values(:x)", [{"x": 7}, {"x": 8}], {"rows": [], "rowCount": 2, "lastInsertId": 5}),
        ("insert into t(x) values(:x) returning x", {"x": True}, {"rows": [{"x": 1}], "rowCount": 1, "lastInsertId": 4}),
        ("insert into t(x) values($x) returning x", {"$x": {"a": 1}}, {"rows": [{"x": '{"a":1}'}], "rowCount": 1, "lastInsertId": 4}),
        ("update t set y = 1 where id > ?", [1], {"rows": [], "rowCount": 2, "lastInsertId": None}),
        ("select y from t where x = ?", ["' or 1=1 --"], {"rows": [], "rowCount": 0, "lastInsertId": None}),
    ],
)  # fmt: skip
async def test_parameters(bench: Bench, database: Path, text: str, parameters: Any, output: Any) -> None:
    assert await query(bench, text, parameters) == output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("select 1; select 2", "one statement"),
        ("delete from t;delete from t;", "one statement"),
        ("attach 'other.db' as o", "no ATTACH"),
        ("attach ':memory:' as o", "no ATTACH"),
        ("vacuum into 'copy.db'", "VACUUM"),
        ("select load_extension('x')", "load_extension"),
        ("pragma writable_schema = 1", "PRAGMA writable_schema"),
        ("pragma journal_mode = off", "PRAGMA journal_mode"),
        ("begin", "one transaction already"),
        ("commit", "one transaction already"),
        ("rollback", "one transaction already"),
        ("savepoint s", "one transaction already"),
        ("selec 1", "syntax error"),
        ("select * from nope", "no such table: nope"),
        ("select 1 as a, 2 as a", "two columns are named 'a'"),
        ("select 9e999 as a", "infinite"),
        ("select ?", "parameters: "),
        ("with recursive c(n) as (select 1 union all select n + 1 from c) select n from c", "maxRows, 10,000"),
        ("insert into t(id) values(1)", "UNIQUE constraint"),
    ],
)
async def test_refusal(bench: Bench, database: Path, tmp_path: Path, text: str, says: str) -> None:
    before = database.read_bytes()
    with pytest.raises(NodeError, match=says) as caught:
        await query(bench, text)
    assert not caught.value.retryable
    assert database.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["shop.db"]


async def test_reading_does_not_write(bench: Bench, database: Path) -> None:
    with pytest.raises(NodeError, match=r'the mode is "read"'):
        await query(bench, "delete from t", mode="read")


async def test_a_new_database(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(NodeError, match=r"'shop\.db' is not there"):
        await query(bench, "select 1", mode="read")
    await bench.run("sqlite", {"database": "new/shop.db", "query": "create table t(x)"}, {})
    assert (tmp_path / "new/shop.db").exists()


async def test_of_many_parameters_all_or_none(bench: Bench, database: Path) -> None:
    with pytest.raises(NodeError, match="UNIQUE"):
        await query(bench, "insert into t(id) values(?)", [[10], [11], [1]])
    assert (await query(bench, "select count(*) as n from t"))["rows"] == [{"n": 3}]


async def test_a_file_that_is_no_database(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_text("hello " * 500)
    with pytest.raises(NodeError, match="not a database"):
        await query(bench, "select * from t")


async def test_a_locked_database_may_be_free_later(
    bench: Bench, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowscope.nodes.database._BUSY_MS", 1)
    holder = apsw.Connection(str(database))
    holder.execute("begin exclusive")
    for _ in range(2):  # looking at the file must not drop the other connection's lock
        with pytest.raises(NodeError, match="locked") as caught:
            await query(bench, "insert into t(x) values(1)")
        assert caught.value.retryable
    holder.close()


async def test_cancelling_interrupts_the_statement(bench: Bench, database: Path) -> None:
    deadline = time.monotonic() + 0.05
    endless = "with recursive c(n) as (select 1 union all select n + 1 from c) select count(*) as n from c"
    with pytest.raises(NodeError, match="stopped"):
        await bench.run(
            "sqlite", {"database": "shop.db", "query": endless}, {}, cancelled=lambda: time.monotonic() > deadline
        )


async def test_denials_are_denials(bench: Bench, database: Path) -> None:
    with pytest.raises(NodeDenied):
        await query(bench, "attach 'x' as y")
