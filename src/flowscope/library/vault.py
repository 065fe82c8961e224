"""Secrets and credentials, sealed: AES-256-GCM under a key that is not in the library (sealing.py).

Faces like a mapping are how the engine reads them: they look at the file again only when somebody has changed it, so a
value that is set while a server runs is the value of the next attempt.
"""

from __future__ import annotations

import re
import time
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar
from uuid import uuid4

import apsw
import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import CredentialNotFound, InputInvalid, SecretNotFound, SecretUnreadable
from flowscope.library.database import LibraryDatabase
from flowscope.library.sealing import KeySettings, SealingKeys, new_key
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import Credential, parse_credential

Kind: TypeAlias = Literal["secret", "credential"]
Value = TypeVar("Value")

LONGEST_NAME: Final = 64
SHORTEST_SECRET: Final = 4
LONGEST_SECRET: Final = 64 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SealedRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a secret or a credential without opening it. Times are epoch milliseconds."""

    name: str
    type: str
    key_id: str
    created_at: float
    updated_at: float


def checked_name(name: str, what: str) -> str:
    """A name as expressions can write it; `InputInvalid`."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise InputInvalid(
            f"{name[:80]!r} cannot be the name of a {what}: it is letters, digits and _, 1 to {LONGEST_NAME} of them, "
            "the first no digit"
        )
    return name


class Vault:
    """Seals and opens; safe from any thread. The library may not be there yet: then there are none."""

    def __init__(self, database: LibraryDatabase, settings: KeySettings | None = None) -> None:
        self._database = database
        self._settings = settings or KeySettings()
        self._keys: SealingKeys | None = None

    # --- secrets ---

    def set_secret(self, name: str, value: str) -> bool:
        """Keep a secret; True if it is new."""
        checked_name(name, "secret")
        if not SHORTEST_SECRET <= len(value) <= LONGEST_SECRET:
            raise InputInvalid(
                f"A secret is {SHORTEST_SECRET} to {LONGEST_SECRET:,} characters: a shorter one could not be blotted out "
                "of what nodes say without making it unreadable"
            )
        try:
            data = value.encode()
        except UnicodeEncodeError:
            raise InputInvalid("A secret is text; this one holds half a character") from None
        return self._put("secret", name, "", data)

    def remove_secret(self, name: str) -> None:
        """`SecretNotFound`."""
        if not self._remove("secret", name):
            raise SecretNotFound(name)

    def secret(self, name: str) -> str:
        """Its value; KeyError, `SecretUnreadable`."""
        return self._open("secret", name)[1].decode()

    # --- credentials ---

    def set_credential(self, name: str, type: str, fields: Mapping[str, JSON]) -> bool:
        """Keep a credential; True if it is new. `InputInvalid` names each field that is wrong. A secret field that is left
        out keeps the value it has, if the type is the same."""
        checked_name(name, "credential")
        before: Mapping[str, JSON] = {}
        rows = {row.name: row for row in self.rows("credential")}
        if name in rows and rows[name].type == type:
            before = self.credential(name).hidden()
        credential = parse_credential(type, {**before, **fields})
        return self._put("credential", name, type, msgspec.json.encode(credential.revealed()))

    def remove_credential(self, name: str) -> None:
        """`CredentialNotFound`."""
        if not self._remove("credential", name):
            raise CredentialNotFound(name)

    def credential(self, name: str) -> Credential:
        """KeyError, `SecretUnreadable`."""
        type, data = self._open("credential", name)
        return parse_credential(type, msgspec.json.decode(data))

    # --- both ---

    def rows(self, kind: Kind) -> list[SealedRow]:
        """All of a kind, by name, without opening them."""
        if not self._database.start_if_there():
            return []
        with self._database.reading() as connection:
            found: list[Any] = connection.execute(
                "SELECT name, type, key_id, created_at, updated_at FROM sealed WHERE kind = ? ORDER BY name", (kind,)
            ).fetchall()
        return [
            SealedRow(name=name, type=type, key_id=key_id, created_at=created_at, updated_at=updated_at)
            for name, type, key_id, created_at, updated_at in found
        ]

    def rotate(self) -> int:
        """Seal everything under a new key and forget the old ones; how many there were. `InputInvalid` where the key is
        given and no new one stands before it. Nothing changes if one of them cannot be opened."""
        self._database.start()
        with self._database.writing() as connection:
            keys = self._sealing(connection)
            rows: list[Any] = connection.execute("SELECT kind, name, type, key_id, sealed FROM sealed").fetchall()
            opened = [
                (kind, name, type, _opened(keys, kind, name, type, key_id, sealed))
                for kind, name, type, key_id, sealed in rows
            ]
            if keys.are_given:
                fresh = keys.current()
                if rows and all(row[3] == fresh.key_id for row in rows):
                    raise InputInvalid(
                        "Everything is sealed with the first key of FLOWSCOPE_SECRET_KEY already: put a new one before it, "
                        "as in `new,old`, and rotate again"
                    )
            else:
                fresh = new_key()
                keys.keep([fresh, *keys.known()])
            for kind, name, type, value in opened:
                connection.execute(
                    "UPDATE sealed SET key_id = ?, sealed = ? WHERE kind = ? AND name = ?",
                    (fresh.key_id, fresh.seal(value, _context(kind, name, type)), kind, name),
                )
        if not keys.are_given:
            keys.keep([fresh])
        return len(rows)

    @property
    def key_place(self) -> str:
        """Where the keys come from, for people."""
        self._database.start_if_there()
        with self._database.reading() as connection:
            return self._sealing(connection).place

    def changes(self) -> int:
        """Another number when anything has changed; -1 while there is no library."""
        return self._database.changes() if self._database.start_if_there() else -1

    def surroundings(self, given: Surroundings) -> Surroundings:
        """Those, with what is kept here beside what the environment gives, which goes first."""
        secrets = Reading(self, lambda: [row.name for row in self.rows("secret")], self.secret)
        credentials = Reading(self, lambda: [row.name for row in self.rows("credential")], self.credential)
        return replace(
            given,
            secrets=ChainMap(dict(given.secrets), secrets),  # type: ignore[arg-type]
            credentials=ChainMap(dict(given.credentials), credentials),  # type: ignore[arg-type]
        )

    def _put(self, kind: Kind, name: str, type: str, value: bytes) -> bool:
        self._database.start()
        now = time.time() * 1000
        with self._database.writing() as connection:
            key = self._sealing(connection).current()
            sealed = key.seal(value, _context(kind, name, type))
            known = connection.execute("SELECT 1 FROM sealed WHERE kind = ? AND name = ?", (kind, name)).fetchone()
            connection.execute(
                "INSERT INTO sealed (kind, name, type, key_id, sealed, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET type = excluded.type, key_id = excluded.key_id, sealed = excluded.sealed, "
                "updated_at = excluded.updated_at",
                (kind, name, type, key.key_id, sealed, now, now),
            )
        return known is None

    def _remove(self, kind: Kind, name: str) -> bool:
        if not self._database.start_if_there():
            return False
        with self._database.writing() as connection:
            connection.execute("DELETE FROM sealed WHERE kind = ? AND name = ?", (kind, name))
            return bool(connection.changes())

    def _open(self, kind: Kind, name: str) -> tuple[str, bytes]:
        if not self._database.start_if_there():
            raise KeyError(name)
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT type, key_id, sealed FROM sealed WHERE kind = ? AND name = ?", (kind, name)
            ).fetchone()
            if row is None:
                raise KeyError(name)
            keys = self._sealing(connection)
        type, key_id, sealed = row
        return type, _opened(keys, kind, name, type, key_id, sealed)

    def _sealing(self, connection: apsw.Connection) -> SealingKeys:
        if self._keys is None:
            library_id = connection.execute("SELECT library_id FROM identity").get
            if library_id is None:
                library_id = uuid4().hex
                connection.execute("INSERT INTO identity (library_id) VALUES (?)", (library_id,))
            self._keys = SealingKeys(self._settings, str(library_id), in_memory=self._database.in_memory)
        return self._keys


def _context(kind: str, name: str, type: str) -> str:
    """What is authenticated with a value, so that no row can stand in for another."""
    return f"flowscope {kind} {name} {type}"


def _opened(keys: SealingKeys, kind: str, name: str, type: str, key_id: str, sealed: bytes) -> bytes:
    try:
        return keys.find(key_id).open(sealed, _context(kind, name, type))
    except SecretUnreadable as error:
        raise SecretUnreadable(f"The {kind} {name!r} cannot be opened: {error}") from None


class Reading(Mapping[str, Value], Generic[Value]):
    """Names and values as they are now. What was opened is kept until something changes. A copy for another process
    (`pickle`) is a plain dict of this moment."""

    def __init__(self, vault: Vault, names: Callable[[], list[str]], open: Callable[[str], Value]) -> None:
        self._vault = vault
        self._list = names
        self._open = open
        self._seen: int | None = None
        self._names: dict[str, None] = {}
        self._opened: dict[str, Value] = {}

    def __getitem__(self, name: str) -> Value:
        if name not in self._current():
            raise KeyError(name)
        if name not in self._opened:
            self._opened[name] = self._open(name)
        return self._opened[name]

    def __contains__(self, name: object) -> bool:
        return name in self._current()

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._current()))

    def __len__(self) -> int:
        return len(self._current())

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self.items()),)

    def __repr__(self) -> str:
        return f"Reading({list(self._current())})"

    def _current(self) -> dict[str, None]:
        changes = self._vault.changes()
        if changes != self._seen:
            self._names, self._opened = dict.fromkeys(self._list()), {}
            self._seen = changes
        return self._names
