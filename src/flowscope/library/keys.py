"""API keys. A key is shown once, when it is made; kept is its SHA-256, which is enough for 256 random bits."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from flowscope.errors import InputInvalid, KeyNotFound
from flowscope.library.database import LibraryDatabase

SCOPES: Final = ("viewer", "editor", "admin")
"""Each may do what those before it may: look; change and run; manage keys."""

PREFIX = "fsk_"
LONGEST_NAME = 100


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a key. Times are epoch milliseconds."""

    key_id: str
    name: str
    scope: str
    created_at: float


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key at the only moment its text is known."""

    key: ApiKey
    text: str


class KeyRing:
    """Makes, finds and revokes keys; safe from any thread. Reads the file again only when somebody has changed it."""

    def __init__(self, database: LibraryDatabase) -> None:
        self._database = database
        self._seen = -1
        self._by_hash: dict[bytes, ApiKey] = {}

    def create(self, name: str, scope: str) -> NewKey:
        """A new key; `InputInvalid` for a name that is taken, or a scope that is none."""
        if scope not in SCOPES:
            raise InputInvalid(f"There is no scope {scope!r}. They are: {', '.join(SCOPES)}")
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise InputInvalid(f"A key's name is 1 to {LONGEST_NAME} visible characters")
        text = PREFIX + secrets.token_urlsafe(32)
        key = ApiKey(key_id=secrets.token_hex(4), name=name, scope=scope, created_at=time.time() * 1000)
        with self._database.writing() as connection:
            taken = "SELECT 1 FROM keys WHERE name = ? AND revoked_at IS NULL"
            if connection.execute(taken, (name,)).fetchone():
                raise InputInvalid(f"There is a key named {name!r} already: choose another name, or revoke that one")
            connection.execute(
                "INSERT INTO keys (key_id, name, scope, hash, created_at) VALUES (?, ?, ?, ?, ?)",
                (key.key_id, name, scope, _hash(text), key.created_at),
            )
        return NewKey(key=key, text=text)

    def revoke(self, name: str) -> None:
        """Close it for good, by its name or id; `KeyNotFound`."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE keys SET revoked_at = ? WHERE (name = ? OR key_id = ?) AND revoked_at IS NULL",
                (time.time() * 1000, name, name),
            )
            if not connection.changes():
                raise KeyNotFound(name)

    def all(self) -> Sequence[ApiKey]:
        """Those that open, oldest first."""
        return sorted(self._current().values(), key=lambda key: key.created_at)

    def find(self, text: str) -> ApiKey | None:
        """The key with that text, if it opens."""
        return self._current().get(_hash(text))

    def sign(self, text: str, message: str) -> str:
        """A signature of `message` that only the key with that text makes; `KeyNotFound` if it opens nothing."""
        if self.find(text) is None:
            raise KeyNotFound("of this text")
        return _signature(_hash(text), message)

    def signer(self, key_id: str, message: str, signature: str) -> ApiKey | None:
        """The key of that id, if it opens and has signed that message."""
        for hash, key in self._current().items():
            if key.key_id == key_id and hmac.compare_digest(_signature(hash, message), signature):
                return key
        return None

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._current())

    def _current(self) -> dict[bytes, ApiKey]:
        seen = self._database.changes()
        if seen != self._seen:
            with self._database.reading() as connection:
                rows = connection.execute(
                    "SELECT hash, key_id, name, scope, created_at FROM keys WHERE revoked_at IS NULL"
                )
                self._by_hash = {
                    bytes(hash): ApiKey(key_id=key_id, name=name, scope=scope, created_at=created_at)
                    for hash, key_id, name, scope, created_at in rows
                }
            self._seen = seen
        return self._by_hash


def _signature(secret: bytes, message: str) -> str:
    return hmac.new(secret, message.encode(), hashlib.sha256).hexdigest()


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
