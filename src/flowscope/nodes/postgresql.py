"""One SQL statement on a PostgreSQL server, or many rows into one of its tables.

The statement is the workflow's author's; its values are not, so they are parameters and never part of the text. JSON knows
fewer types than the database: a parameter is made what the statement, once prepared, says it takes.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import decimal
import math
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal

import msgspec
from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path, json_text, pools
from flowscope.nodes.addresses import judged
from flowscope.nodes.context import NodeContext
from flowscope.nodes.credentials import PostgresqlCredential, names_one
from flowscope.nodes.extras import installed
from flowscope.nodes.sdk import NodeConfig, node

CONNECTIONS = 10
IDLE_SECONDS = 60.0
CONNECT_SECONDS = 10
_WORTH_RETRYING = ("08", "40", "53", "55P03", "57P")
"""Connections, conflicts between transactions, a lack of resources, locks, a server that is going down."""
_NAME = re.compile(r'[^"\x00]{1,63}')


class Postgresql(NodeConfig):
    credential: str = Field(
        "", description="The name of a kept credential of the type postgresql: where, and as whom",
        json_schema_extra=names_one(PostgresqlCredential),
    )  # fmt: skip
    connection: PostgresqlCredential | None = Field(
        None, description="Or where, and as whom, said here; the password is {{ secrets.name }}"
    )
    operation: Literal["query", "execute", "insert"] = Field(
        "query",
        description="`query` reads, and cannot change anything; `execute` changes; `insert` adds rows to a table",
    )
    query: str = Field(
        "",
        description="With `query` and `execute`: one SQL statement, with $1, $2 … where values go",
        json_schema_extra={"format": "code", "contentMediaType": "application/sql"},
    )
    parameters: list[JSON] = Field(default_factory=list, description="The values, in order")
    table: str = Field("", description="With `insert`: the table, or `schema.table`")
    rows: list[dict[str, JSON]] = Field(
        default_factory=list, description="With `insert`: objects, column by column; a column that one lacks is null"
    )
    max_rows: int = Field(10_000, ge=1, le=1_000_000, description="More rows in the answer than this are an error")

    @model_validator(mode="after")
    def _whole(self) -> Postgresql:
        if bool(self.credential) == (self.connection is not None):
            raise ValueError("give credential, or connection")
        if (self.operation == "insert") != bool(self.table):
            raise ValueError("insert takes table and rows; query and execute take query")
        if (self.operation != "insert") != bool(self.query.strip()):
            raise ValueError(f"{self.operation} takes {'table and rows' if self.operation == 'insert' else 'query'}")
        return self


@node(
    "postgresql",
    title="PostgreSQL",
    category="database",
    icon="database-zap",
    effects="external",
    timeout=30_000,
    example={
        "credential": "shop",
        "operation": "query",
        "query": "SELECT name, total FROM orders WHERE customer = $1 ORDER BY total DESC LIMIT 10",
        "parameters": ["{{ json.customer }}"],
    },
)
async def postgresql(config: Postgresql, input: JSON, context: NodeContext) -> JSON:
    """Runs one SQL statement, all of it or nothing. The output is the input with `rows`, `rowCount` (of the answer, or
    of what was changed) and `columns`. Instants are ISO 8601 text, bytea is base64, jsonb is what it holds; a
    numeric is a number where that loses no digit, else text. Connections are kept and shared. Needs
    `flowscope[postgresql]`."""
    server = config.connection or context.credential(config.credential, PostgresqlCredential)
    async with _explained(server):
        addresses = await judged(server.host, server.port, context.surroundings.allow_private_addresses)
        pool = await pools.shared(("postgresql", server, tuple(addresses)), lambda: _pool(server, addresses))
        async with pool.acquire() as connection:
            if config.operation == "insert":
                return json_path.merged(input, await _insert(connection, config))
            async with connection.transaction(readonly=config.operation == "query"):
                return json_path.merged(input, await _statement(connection, config))


async def _pool(server: PostgresqlCredential, addresses: list[str]) -> Any:
    with installed("postgresql"):
        import asyncpg  # type: ignore[import-untyped]

    async def prepare(connection: Any) -> None:
        for name in ("json", "jsonb"):
            await connection.set_type_codec(
                name, encoder=json_text.stringify, decoder=msgspec.json.decode, schema="pg_catalog"
            )

    return await asyncpg.create_pool(
        host=addresses, port=[server.port] * len(addresses), user=server.username, password=server.password,
        database=server.database, ssl=server.tls, passfile="", timeout=CONNECT_SECONDS, min_size=0, max_size=CONNECTIONS,
        max_inactive_connection_lifetime=IDLE_SECONDS, init=prepare, server_settings={"application_name": "flowscope"},
    )  # fmt: skip


async def _statement(connection: Any, config: Postgresql) -> dict[str, JSON]:
    statement = await connection.prepare(config.query)
    values = _arguments(config.parameters, statement.get_parameters(), "parameters")
    columns = [attribute.name for attribute in statement.get_attributes()]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise _failed(f"query: two columns are named {twice[0]!r}. Name them with AS", "TWO_COLUMNS")
    found = await statement.fetch(*values) if not _reads(columns, config) else await _few(statement, values, config)
    rows: list[JSON] = [{name: _out(value) for name, value in record.items()} for record in found]
    if len(rows) > config.max_rows:
        raise _failed(f"query: more than maxRows, {config.max_rows:,}, rows. Add a LIMIT", "TOO_MANY_ROWS")
    count = len(rows) if columns else _changed(statement.get_statusmsg())
    return {"rows": rows, "rowCount": count, "columns": list(columns)}


def _reads(columns: list[str], config: Postgresql) -> bool:
    return bool(columns) and config.operation == "query"


async def _few(statement: Any, values: list[Any], config: Postgresql) -> list[Any]:
    """No more than one row too many: a cursor, so that the others stay where they are."""
    cursor = await statement.cursor(*values)
    found: list[Any] = await cursor.fetch(config.max_rows + 1)
    return found


def _changed(status: str) -> int:
    last = status.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0


async def _insert(connection: Any, config: Postgresql) -> dict[str, JSON]:
    columns = list(dict.fromkeys(column for row in config.rows for column in row))
    if not columns:
        return {"rows": [], "rowCount": 0, "columns": []}
    table = ".".join(_quoted(part, "table") for part in config.table.split(".", 1))
    names = ", ".join(_quoted(column, "rows") for column in columns)
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    text = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608 -- of quoted names alone
    async with connection.transaction():
        statement = await connection.prepare(text)
        types = statement.get_parameters()
        lines = [
            _arguments([row.get(column) for column in columns], types, f"rows[{index}]", columns)
            for index, row in enumerate(config.rows)
        ]
        await statement.executemany(lines)
    return {"rows": [], "rowCount": len(lines), "columns": list(columns)}


def _quoted(name: str, field: str) -> str:
    """A name as a quoted identifier; what could end the quotes is refused."""
    if not _NAME.fullmatch(name):
        raise _failed(f"{field}: {name[:80]!r} cannot be the name of a table or column", "BAD_NAME")
    return f'"{name}"'


# --- values in ---


def _arguments(values: Sequence[JSON], types: Sequence[Any], field: str, columns: Sequence[str] = ()) -> list[Any]:
    if len(values) != len(types):
        raise _failed(f"{field}: the statement takes {len(types)} values, there are {len(values)}", "BAD_PARAMETERS")
    made = []
    for place, (value, kind) in enumerate(zip(values, types, strict=True)):
        try:
            made.append(_in(value, kind.name))
        except (ValueError, TypeError, ArithmeticError):
            where = f"{field}.{columns[place]}" if columns else f"{field}[{place}]"
            raise _failed(f"{where}: {_short(value)} is no {kind.name}", "BAD_PARAMETERS") from None
    return made


def _in(value: JSON, kind: str) -> Any:
    if value is None or kind in ("json", "jsonb"):
        return value
    if kind.endswith("[]"):
        if not isinstance(value, list):
            raise ValueError
        return [_in(each, kind.removesuffix("[]")) for each in value]
    convert = _INWARD.get(kind)
    if convert is not None:
        return convert(value)
    return value


def _whole(value: JSON) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError
    return int(value)


def _boolean(value: JSON) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _words(value: JSON) -> str:
    return value if isinstance(value, str) else json_text.stringify(value)


def _instant(value: JSON) -> datetime.datetime:
    made = datetime.datetime.fromisoformat(value)
    return made if made.tzinfo else made.replace(tzinfo=datetime.UTC)


def _plain_instant(value: JSON) -> datetime.datetime:
    made = datetime.datetime.fromisoformat(value)
    return made.astimezone(datetime.UTC).replace(tzinfo=None) if made.tzinfo else made


_INWARD: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _whole),
    **dict.fromkeys(("float4", "float8"), float),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "char", "xml", "citext", "uuid"), _words),
    "bool": _boolean,
    "numeric": lambda value: decimal.Decimal(str(value)),
    "bytea": lambda value: base64.b64decode(value, validate=True),
    "timestamptz": _instant,
    "timestamp": _plain_instant,
    "date": lambda value: datetime.date.fromisoformat(value[:10]),
    "time": datetime.time.fromisoformat,
}


# --- values out ---


def _out(value: Any) -> JSON:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, decimal.Decimal):
        return _number(value)
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [_out(each) for each in value]
    return {str(key): _out(each) for key, each in value.items()} if isinstance(value, dict) else str(value)


def _number(value: decimal.Decimal) -> JSON:
    if not value.is_finite():
        return str(value)
    if value == value.to_integral_value() and abs(value) < 2**53:
        return int(value)
    return float(value) if decimal.Decimal(repr(float(value))) == value else str(value)


def _short(value: JSON) -> str:
    text = json_text.stringify(value)
    return text if len(text) <= 80 else text[:79] + "…"


# --- errors ---


@contextlib.asynccontextmanager
async def _explained(server: PostgresqlCredential) -> AsyncIterator[None]:
    """The library's errors as ours. What the server refuses stays refused, but for conflicts and lost connections."""
    with installed("postgresql"):
        import asyncpg
    try:
        yield
    except asyncpg.PostgresError as error:
        code = error.sqlstate or ""
        said = ". ".join(part for part in (str(error.args[0]), error.detail, error.hint) if part)
        raise NodeError(
            f"{server.host}: {said}", code=f"SQL_{code}", retryable=code.startswith(_WORTH_RETRYING)
        ) from None
    except asyncpg.InterfaceError as error:
        raise _failed(f"{server.host}: {error}", "BAD_PARAMETERS") from None
    except (OSError, TimeoutError) as error:
        said = "took too long to connect" if isinstance(error, TimeoutError) else str(error)
        raise NodeError(f"{server.host}:{server.port}: {said}", code="UNREACHABLE") from None


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=False)
