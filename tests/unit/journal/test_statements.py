"""The SQL files, and rows put into them."""

from collections.abc import Iterator
from contextlib import closing

import apsw
import pytest

from flowscope.journal.search import search_statement
from flowscope.journal.statements import SCHEMA, SIZES, SQL, in_rows
from flowscope.orchestrator.ports import ExecutionQuery


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(SCHEMA)
        yield connection


@pytest.mark.parametrize(
    "query",
    [
        ExecutionQuery(),
        ExecutionQuery(workflow_id="w"),
        ExecutionQuery(statuses=["failed", "running"]),
        ExecutionQuery(parent_execution_id="p"),
        ExecutionQuery(started_after=1.0),
        ExecutionQuery(before=(1.0, "a")),
    ],
)
def test_every_search_has_an_index(connection: apsw.Connection, query: ExecutionQuery) -> None:
    sql, bindings = search_statement(SQL["read_rows"], query)
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)]
    assert any("executions USING INDEX" in step for step in plan)
    assert "SCAN executions" not in plan


@pytest.mark.parametrize("count", [0, 1, 2, 5, 64, 255, 256, 257, 600])
def test_rows_are_written_all_and_once(connection: apsw.Connection, count: int) -> None:
    steps = list(in_rows("insert_refs", [(number, b"x") for number in range(count)]))
    for sql, bindings in steps:
        connection.execute(sql, bindings)
    assert connection.execute("SELECT count(*) FROM refs").get == count
    assert len(steps) == -(-count // SIZES[-1])
