"""The node against a real PostgreSQL server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance.notation import chain, one
from acceptance.servers import PostgresqlServer, postgresql_server
from flowscope import Engine
from flowscope.engine import ExecutionUnsuccessful
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import pools
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import PostgresqlCredential
from unit.nodes.bench import Bench


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with postgresql_server() as running:
        yield running


class Shop:
    def __init__(self, server: PostgresqlServer) -> None:
        self.server = server
        self.bench = Bench(
            allow_private_addresses=True,
            credentials={"shop": PostgresqlCredential(**server.connection)},
        )

    async def do(self, operation: str, query: str = "", parameters: Any = (), **more: Any) -> Any:
        config = {"credential": "shop", "operation": operation, **({"query": query} if query else {}), **more}
        return await self.bench.run("postgresql", {**config, **({"parameters": parameters} if parameters else {})}, {})


@pytest.fixture
async def shop(server: PostgresqlServer) -> AsyncIterator[Shop]:
    shop = Shop(server)
    await shop.do("execute", "DROP TABLE IF EXISTS orders")
    await shop.do(
        "execute",
        "CREATE TABLE orders (id int PRIMARY KEY, customer text, total numeric(10,2), at timestamptz, tags text[], extra jsonb)",
    )
    yield shop
    await pools.close()


ROWS = [
    {
        "id": 1,
        "customer": "Ada",
        "total": 12.5,
        "at": "2026-01-31T12:00:00+01:00",
        "tags": ["a", "b"],
        "extra": {"x": [1]},
    },
    {"id": 2, "customer": "Robert'); DROP TABLE orders;--", "total": 8},
]


async def test_rows_in_and_out(shop: Shop) -> None:
    assert await shop.do("insert", table="orders", rows=ROWS) == {
        "rows": [], "rowCount": 2, "columns": ["id", "customer", "total", "at", "tags", "extra"],
    }  # fmt: skip
    output = await shop.do("query", "SELECT * FROM orders WHERE id > $1 ORDER BY id", [0])
    assert output["rowCount"] == 2
    assert output["columns"] == ["id", "customer", "total", "at", "tags", "extra"]
    assert output["rows"] == [
        {**ROWS[0], "at": "2026-01-31T11:00:00+00:00"},
        {**ROWS[1], "at": None, "tags": None, "extra": None},
    ]
    assert (await shop.do("execute", "UPDATE orders SET total = $1 WHERE id = $2", ["9.99", 2]))["rowCount"] == 1
    returned = await shop.do("execute", "DELETE FROM orders WHERE total < $1 RETURNING id, total", [10])
    assert returned["rows"] == [{"id": 2, "total": 9.99}]


@pytest.mark.parametrize(
    ("kind", "given", "back"),
    [
        ("int8", 2**62, 2**62), ("int4", 3.0, 3), ("int4", "7", 7), ("float8", 1, 1.0), ("bool", True, True),
        ("text", 5, "5"), ("text", {"a": 1}, '{"a":1}'), ("numeric", "12345678901234567890.12", "12345678901234567890.12"),
        ("numeric", 1.1, 1.1), ("uuid", "5f3c2a4e-0000-4000-8000-000000000001", "5f3c2a4e-0000-4000-8000-000000000001"),
        ("bytea", "/w==", "/w=="), ("date", "2026-01-31", "2026-01-31"), ("timestamp", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00"),
        ("timestamptz", "2026-01-31", "2026-01-31T00:00:00+00:00"), ("time", "10:30:00", "10:30:00"),
        ("jsonb", [1, {"a": None}], [1, {"a": None}]), ("json", "text", "text"), ("int4[]", [1, None], [1, None]),
        ("interval", None, None), ("float8", None, None),
    ],
)  # fmt: skip
async def test_types(shop: Shop, kind: str, given: Any, back: Any) -> None:
    assert (await shop.do("query", f"SELECT $1::{kind} AS x", [given]))["rows"] == [{"x": back}]


@pytest.mark.parametrize(
    ("operation", "query", "parameters", "says", "code"),
    [
        ("query", "SELEC 1", [], "127.0.0.1: syntax error at or near", "SQL_42601"),
        ("query", "SELECT * FROM nope", [], 'relation "nope" does not exist', "SQL_42P01"),
        ("query", "SELECT 1; SELECT 2", [], "cannot insert multiple commands", "SQL_42601"),
        ("query", "DELETE FROM orders", [], "read-only transaction", "SQL_25006"),
        ("query", "SELECT 1 AS a, 2 AS a", [], "two columns are named 'a'. Name them with AS", "TWO_COLUMNS"),
        ("query", "SELECT $1::int AS x", [], "parameters: the statement takes 1 values, there are 0", "BAD_PARAMETERS"),
        ("query", "SELECT $1::int AS x", ["x"], r'parameters\[0\]: "x" is no int4', "BAD_PARAMETERS"),
        ("query", "SELECT $1::int AS x", [2**40], "127.0.0.1: .*value out of int32 range", "SQL_22000"),
        (
            "query",
            "SELECT $1::timestamptz AS x",
            ["soon"],
            r'parameters\[0\]: "soon" is no timestamptz',
            "BAD_PARAMETERS",
        ),
        ("query", "SELECT $1::bool AS x", [1], r"parameters\[0\]: 1 is no bool", "BAD_PARAMETERS"),
        (
            "query",
            "SELECT generate_series(1, 100000) AS n",
            [],
            "more than maxRows, 10,000, rows. Add a LIMIT",
            "TOO_MANY_ROWS",
        ),
        ("execute", "INSERT INTO orders (id) VALUES (1), (1)", [], "duplicate key value.*already exists", "SQL_23505"),
        ("execute", "CREATE TABLE orders (id int)", [], "already exists", "SQL_42P07"),
    ],
)
async def test_what_is_refused(shop: Shop, operation: str, query: str, parameters: Any, says: str, code: str) -> None:
    with pytest.raises(NodeError, match=says) as caught:
        await shop.do(operation, query, parameters)
    assert not caught.value.retryable
    assert not code or caught.value.code == code


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"table": 'orders" (id) VALUES (1);--', "rows": [{"id": 1}]}, "cannot be the name of a table or column"),
        ({"table": "orders", "rows": [{'id") VALUES (1);--': 1}]}, "cannot be the name of a table or column"),
        ({"table": "nope", "rows": [{"id": 1}]}, 'relation "nope" does not exist'),
        ({"table": "orders", "rows": [{"id": 1}, {"id": "x"}]}, r'rows\[1\].id: "x" is no int4'),
        ({"table": "orders", "rows": [{"id": 1}, {"id": 1}]}, "duplicate key"),
    ],
)
async def test_many_rows_are_all_inserted_or_none(shop: Shop, more: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await shop.do("insert", **more)
    assert (await shop.do("query", "SELECT count(*) AS n FROM orders"))["rows"] == [{"n": 0}]


async def test_names_may_need_quotes(shop: Shop) -> None:
    await shop.do("execute", 'CREATE TABLE IF NOT EXISTS public."Odd one" ("Odd column" int)')
    await shop.do("insert", table="public.Odd one", rows=[{"Odd column": 1}] * 3)
    assert (await shop.do("query", 'SELECT sum("Odd column") AS n FROM "Odd one"'))["rows"] == [{"n": 3}]
    await shop.do("execute", 'DROP TABLE "Odd one"')


async def test_connections_are_shared_and_closed_with_the_engine(shop: Shop) -> None:
    backends = "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'flowscope'"
    await asyncio.gather(*(shop.do("query", "SELECT pg_sleep(0.01)::text AS x") for _ in range(30)))
    (row,) = (await shop.do("query", backends))["rows"]
    assert 1 <= row["n"] <= 10
    document = chain("p", one("count", "postgresql", {"connection": shop.server.connection, "query": backends}))
    await pools.close()
    async with Engine(None, surroundings=shop.bench.surroundings) as engine:
        assert (await (await engine.start(document)).result())["rows"] == [{"n": 1}]
    (row,) = (await shop.do("query", backends))["rows"]
    assert row["n"] == 1


async def test_a_cancelled_query_ends_on_the_server(shop: Shop) -> None:
    sleeping = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'"
    )
    task = asyncio.create_task(shop.do("query", "SELECT pg_sleep(600)::text AS x"))
    async with asyncio.timeout(60):
        while (await shop.do("query", sleeping))["rows"] != [{"n": 1}]:
            pass
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while (await shop.do("query", sleeping))["rows"] != [{"n": 0}]:
            pass


@pytest.mark.parametrize(("tls", "encrypted"), [("require", True), ("prefer", True), ("disable", False)])
async def test_encryption(shop: Shop, tls: str, encrypted: bool) -> None:
    connection = {**shop.server.connection, "tls": tls}
    query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    output = await shop.bench.run("postgresql", {"connection": connection, "query": query}, {})
    assert output["rows"] == [{"ssl": encrypted}]


async def test_who_may_not_in(shop: Shop) -> None:
    wrong = {**shop.server.connection, "password": "wr0ng"}
    with pytest.raises(NodeError, match="password authentication failed") as caught:
        await shop.bench.run("postgresql", {"connection": wrong, "query": "SELECT 1 AS x"}, {})
    assert "wr0ng" not in str(caught.value)
    assert not caught.value.retryable


async def test_a_password_of_the_environment_is_not_given_away(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A workflow may name any server; what the operator's own tools log in with is none of its business."""
    monkeypatch.setenv("PGPASSWORD", shop.server.password)
    passwords = tmp_path / "pgpass"
    passwords.write_text(f"*:*:*:*:{shop.server.password}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    without = {**shop.server.connection, "password": ""}
    with pytest.raises(NodeError, match="password"):
        await shop.bench.run("postgresql", {"connection": without, "query": "SELECT 1 AS x"}, {})


async def test_nobody_is_there(shop: Shop) -> None:
    from acceptance.servers import free_port

    nobody = {**shop.server.connection, "port": free_port()}
    with pytest.raises(NodeError, match=r"127.0.0.1:\d+: .*(refused|Connect)") as caught:
        await shop.bench.run("postgresql", {"connection": nobody, "query": "SELECT 1 AS x"}, {})
    assert caught.value.retryable


async def test_internal_servers_are_closed_unless_they_are_opened(server: PostgresqlServer) -> None:
    with pytest.raises(NodeDenied, match=r"host: 127\.0\.0\.1 is not on the public internet"):
        await Bench().run("postgresql", {"connection": server.connection, "query": "SELECT 1 AS x"}, {})


async def test_the_password_is_in_no_record(shop: Shop) -> None:
    connection = {**shop.server.connection, "password": "{{ secrets.pg }}"}
    document = chain(
        "p",
        one(
            "echo",
            "postgresql",
            {"connection": connection, "query": "SELECT $1::text AS x", "parameters": ["{{ secrets.pg }}"]},
        ),
    )
    surroundings = Surroundings(allow_private_addresses=True, secrets={"pg": shop.server.password})
    async with Engine(None, surroundings=surroundings) as engine:
        run = await engine.start(document)
        assert (await run.result())["rows"] == [{"x": "[secret]"}]
        bad = chain(
            "p",
            one(
                "bad",
                "postgresql",
                {"connection": connection, "query": "SELECT $1::int AS x", "parameters": ["{{ secrets.pg }}"]},
            ),
        )
        with pytest.raises(ExecutionUnsuccessful, match=r'"\[secret\]" is no int4'):
            await (await engine.start(bad)).result()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"query": "SELECT 1"}, "give credential, or connection"),
        ({"credential": "x"}, "query takes query"),
        ({"credential": "x", "operation": "insert", "query": "SELECT 1"}, "insert takes table and rows"),
        (
            {"credential": "nope", "query": "SELECT 1"},
            "there is no postgresql credential named 'nope'. There are: shop",
        ),
    ],
)
async def test_configs(shop: Shop, config: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await shop.bench.run("postgresql", config, {})
