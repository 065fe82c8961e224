"""Variables: plain values that belong to no workflow. `{{ vars.name }}` reads them; a workflow's own go first."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import InputInvalid, VariableNotFound
from flowscope.library.database import LibraryDatabase
from flowscope.library.vault import checked_name

LARGEST_VARIABLE: Final = 64 * 1024


class Variables(Mapping[str, JSON]):
    """Reads like a mapping, of the values as they are now; safe from any thread. The library may not be there yet."""

    def __init__(self, database: LibraryDatabase) -> None:
        self._database = database
        self._seen: int | None = None
        self._values: dict[str, JSON] = {}

    def set(self, name: str, value: JSON) -> bool:
        """Keep it; True if it is new."""
        checked_name(name, "variable")
        data = msgspec.json.encode(value)
        if len(data) > LARGEST_VARIABLE:
            raise InputInvalid(
                f"A variable is at most {LARGEST_VARIABLE:,} bytes of JSON; keep larger values in a file"
            )
        self._database.start()
        with self._database.writing() as connection:
            known = connection.execute("SELECT 1 FROM variables WHERE name = ?", (name,)).fetchone()
            connection.execute(
                "INSERT INTO variables (name, value, updated_at) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
                (name, data, time.time() * 1000),
            )
        return known is None

    def remove(self, name: str) -> None:
        """`VariableNotFound`."""
        if self._database.start_if_there():
            with self._database.writing() as connection:
                connection.execute("DELETE FROM variables WHERE name = ?", (name,))
                if connection.changes():
                    return
        raise VariableNotFound(name)

    def __getitem__(self, name: str) -> JSON:
        return self._current()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._current()))

    def __len__(self) -> int:
        return len(self._current())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self._current()),)

    def _current(self) -> dict[str, JSON]:
        if not self._database.start_if_there():
            return {}
        changes = self._database.changes()
        if changes != self._seen:
            with self._database.reading() as connection:
                rows: list[Any] = connection.execute("SELECT name, value FROM variables ORDER BY name").fetchall()
            self._values = {name: msgspec.json.decode(value) for name, value in rows}
            self._seen = changes
        return self._values
