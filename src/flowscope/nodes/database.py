"""One SQL statement on a SQLite file below the roots.

The statement is the workflow's author's; its values are not, so they are parameters and never part of the
text. What would reach outside the file, or outlive the statement, is refused: other databases, extensions,
most pragmas, and transactions of one's own (the node is one).
"""

from __future__ import annotations

import base64
import contextlib
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import apsw
from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.file_roots import RootedFile, explained
from flowscope.nodes.sdk import NodeConfig, node

_BUSY_MS = 5_000
_STEPS = 10_000
_LONGEST = 64 * 1024 * 1024
_PRAGMAS = frozenset({
    "table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list", "user_version",
    "function_list", "quick_check", "integrity_check",
})  # fmt: skip
_REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"})
_REFUSED = {
    apsw.SQLITE_ATTACH: "other databases cannot be reached from here: no ATTACH, no VACUUM",
    apsw.SQLITE_DETACH: "DETACH is refused",
    apsw.SQLITE_TRANSACTION: "BEGIN and COMMIT are refused: the node is one transaction already",
    apsw.SQLITE_SAVEPOINT: "SAVEPOINT is refused: the node is one transaction already",
}
_NOTHING = re.compile(r"(\s|;|--[^\n]*(\n|$)|/\*.*?(\*/|$))*", re.DOTALL)


class Sqlite(NodeConfig):
    database: str = Field(min_length=1, description="The database file, below one of the roots")
    query: str = Field(min_length=1, description="One SQL statement, with ? or :name where values go")
    parameters: list[JSON] | dict[str, JSON] = Field(
        default_factory=list,
        description="The values: a list, or an object by name. A list of such lists runs the statement for each",
    )
    mode: Literal["write", "read"] = Field(
        "write", description="`read` opens the file read-only; `write` makes it where there is none"
    )
    max_rows: int = Field(10_000, ge=1, le=1_000_000, description="More rows than this are an error")


@node(
    "sqlite",
    title="SQLite",
    category="database",
    icon="database",
    effects="external",
    timeout=30_000,
    example={
        "database": "shop.db",
        "query": "SELECT name, total FROM orders WHERE customer = ? ORDER BY total DESC LIMIT 10",
        "parameters": ["{{ json.customer }}"],
        "mode": "read",
    },
)
def sqlite(config: Sqlite, context: NodeContext) -> JSON:
    """Runs one SQL statement, all of it or nothing. The output is `{rows, rowCount, lastInsertId}`;
    `rowCount` counts the rows of the answer, or those that were changed."""
    file = RootedFile(config.database, context.surroundings, "database")
    with _explained(config, context), _connection(file, config.mode) as connection:
        connection.set_progress_handler(context.cancelled, _STEPS)
        times = len(config.parameters) if _many(config.parameters) else 1
        with connection, _Guard(connection, times):
            return _run(connection, config)


def _run(connection: apsw.Connection, config: Sqlite) -> JSON:
    before = connection.total_changes()
    cursor = connection.cursor()
    rows: list[JSON] = []
    if _many(config.parameters):
        cursor.executemany(config.query, [_bindings(each) for each in config.parameters])
    else:
        cursor.execute(config.query, _bindings(config.parameters))
    columns = _columns(cursor)
    for row in cursor:
        if len(rows) >= config.max_rows:
            raise _failed(f"query: more than maxRows, {config.max_rows:,}, rows. Add a LIMIT", "TOO_MANY_ROWS")
        rows.append({column: _out(value) for column, value in zip(columns, row, strict=True)})
    changed = connection.total_changes() - before
    return {
        "rows": rows,
        "rowCount": len(rows) if columns else changed,
        "lastInsertId": connection.last_insert_rowid() or None,
    }


class _Guard:
    """While the author's statement runs: one statement, and none of what is refused."""

    def __init__(self, connection: apsw.Connection, times: int) -> None:
        self._connection = connection
        self._times = times
        self.refused = ""

    def __enter__(self) -> None:
        self._connection.authorizer = self._authorize
        self._connection.exec_trace = self._trace

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.authorizer = None
        self._connection.exec_trace = None
        if self.refused and isinstance(error, apsw.Error):
            raise NodeDenied(f"query: {self.refused}", code="SQL_DENIED") from None

    def _authorize(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> int:
        reason = _REFUSED.get(action, "")
        if action == apsw.SQLITE_PRAGMA and (first or "").lower() not in _PRAGMAS:
            reason = f"PRAGMA {first} is refused"
        if action == apsw.SQLITE_FUNCTION and (second or "").lower() in _REFUSED_FUNCTIONS:
            reason = f"{second}() is refused"
        self.refused = self.refused or reason
        return apsw.SQLITE_DENY if reason else apsw.SQLITE_OK

    def _trace(self, cursor: apsw.Cursor, sql: str, bindings: Any) -> bool:
        if _NOTHING.fullmatch(sql):
            return True
        self._times -= 1
        if self._times < 0:
            raise _failed("query: give one statement; use another node for the next", "MANY_STATEMENTS")
        return True


@contextlib.contextmanager
def _connection(file: RootedFile, mode: str) -> Iterator[apsw.Connection]:
    flags = apsw.SQLITE_OPEN_READONLY
    if mode == "write":
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    with explained(file):
        file.check(make_folders=mode == "write")
    connection = apsw.Connection(str(file.path), flags=flags | apsw.SQLITE_OPEN_NOFOLLOW)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        connection.config(apsw.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0)
        connection.limit(apsw.SQLITE_LIMIT_ATTACHED, 0)
        connection.limit(apsw.SQLITE_LIMIT_LENGTH, _LONGEST)
        connection.set_busy_timeout(_BUSY_MS)
        yield connection
    finally:
        connection.close(True)


@contextlib.contextmanager
def _explained(config: Sqlite, context: NodeContext) -> Iterator[None]:
    """SQLite's errors as ours. A busy database may be free later; a wrong statement stays wrong."""
    try:
        yield
    except apsw.InterruptError:
        raise _failed("query: stopped: cancelled, or out of time", "CANCELLED") from None
    except (apsw.BusyError, apsw.LockedError, apsw.IOError, apsw.FullError) as error:
        raise NodeError(f"{config.database!r}: {error}", code=type(error).__name__) from None
    except apsw.CantOpenError:
        remedy = "" if Path(config.database).suffix else " Is that the file's whole name?"
        raise _failed(
            f"database: {config.database!r} is not there, or cannot be opened.{remedy}", "FILE_NOT_FOUND"
        ) from None
    except apsw.ReadOnlyError:
        raise _failed('query: it writes, and the mode is "read". Set mode to "write"', "READ_ONLY") from None
    except apsw.BindingsError as error:
        raise _failed(f"parameters: {error}", "BAD_PARAMETERS") from None
    except apsw.Error as error:
        raise _failed(f"query: {error}", type(error).__name__) from None


def _many(parameters: JSON) -> bool:
    return (
        isinstance(parameters, list) and bool(parameters) and all(isinstance(each, list | dict) for each in parameters)
    )


def _bindings(parameters: JSON) -> Any:
    if isinstance(parameters, dict):
        return {name.lstrip(":@$"): _in(value) for name, value in parameters.items()}
    return [_in(value) for value in parameters]


def _in(value: JSON) -> Any:
    if isinstance(value, list | dict):
        return json_text.stringify(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _failed("parameters: a whole number of more than 64 bits. Give it as text", "BAD_PARAMETERS")
    return value


def _columns(cursor: apsw.Cursor) -> list[str]:
    try:
        columns = [description[0] for description in cursor.get_description()]
    except apsw.ExecutionCompleteError:
        return []
    twice = {name for name in columns if columns.count(name) > 1}
    if twice:
        raise _failed(f"query: two columns are named {sorted(twice)[0]!r}. Name them with AS", "TWO_COLUMNS")
    return columns


def _out(value: Any) -> JSON:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        raise _failed("query: the answer holds an infinite number, which JSON has not", "BAD_NUMBER")
    return value


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=False)
