"""The keys that secrets are sealed with, and where they are kept: never beside what they seal.

A library has a list of keys: the first one seals, all of them open. They come from FLOWSCOPE_SECRET_KEY, or from a file
outside the data directory that is made when the first secret is set. So rotating is putting a new key first, sealing
everything again, and dropping the old one; whatever moment a crash comes at, the list holds the key of what is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from flowscope.errors import InputInvalid, SecretUnreadable
from flowscope.log import get_logger

log = get_logger("flowscope.library")

KEY_VARIABLE: Final = "FLOWSCOPE_SECRET_KEY"
FILE_VARIABLE: Final = "FLOWSCOPE_SECRET_KEY_FILE"

_KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True, slots=True)
class SealingKey:
    """One key of 256 bits. `key_id` tells it from others, and nothing about it."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        return hashlib.sha256(b"flowscope sealing key" + self.secret).hexdigest()[:12]

    def seal(self, value: bytes, context: str) -> bytes:
        """Nonce, ciphertext and tag; opens only under the same context."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, value, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed; `SecretUnreadable` if a bit of it, or of its context, has changed since."""
        try:
            return AESGCM(self.secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise SecretUnreadable("it was changed outside of flowscope: set it again") from None


def new_key() -> SealingKey:
    """A random key."""
    return SealingKey(secrets.token_bytes(_KEY_BYTES))


@dataclass(frozen=True, slots=True)
class KeySettings:
    """What the environment says of the keys: `given` themselves, or the `file` that has them."""

    given: tuple[SealingKey, ...] = ()
    file: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> KeySettings:
        """`InputInvalid` for a key that is none."""
        file = environment.get(FILE_VARIABLE, "").strip()
        return cls(
            given=tuple(_read(text, KEY_VARIABLE) for text in _split(environment.get(KEY_VARIABLE, ""))),
            file=Path(file) if file else None,
        )


class SealingKeys:
    """One library's keys. `directory` is where its file is made; None keeps them in memory only."""

    def __init__(self, settings: KeySettings, library_id: str, *, in_memory: bool = False) -> None:
        self._given = settings.given
        self._path = None if in_memory else settings.file or _default_file(library_id)
        self._own = settings.file is None
        self._kept: tuple[SealingKey, ...] = ()

    @property
    def place(self) -> str:
        """Where they come from, for people."""
        return KEY_VARIABLE if self._given else str(self._path or "memory")

    @property
    def are_given(self) -> bool:
        """Whether they come from the environment, so that only whoever sets that can change them."""
        return bool(self._given)

    def current(self) -> SealingKey:
        """The key that seals; the first time, it is made."""
        known = self.known()
        if known:
            return known[0]
        self.keep([new_key()])
        log.warning("secret_key_made", place=self.place)
        return self.known()[0]

    def find(self, key_id: str) -> SealingKey:
        """The key of that id; `SecretUnreadable` says where it was looked for."""
        for key in (*self._kept, *self.known()):
            if key.key_id == key_id:
                return key
        raise SecretUnreadable(
            f"it was sealed with the key {key_id}, which is not in {self.place}: "
            f"give that key back (FLOWSCOPE_SECRET_KEY may hold several, separated by commas), or set it again"
        )

    def keep(self, keys: Sequence[SealingKey]) -> None:
        """Write the list, whole or not at all, for this user alone."""
        self._kept = tuple(keys)
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._path, "".join(f"{base64.b64encode(key.secret).decode()}\n" for key in keys))
        except OSError as error:
            raise SecretUnreadable(
                f"The key cannot be kept in {self._path} ({error.strerror}): name another place with {FILE_VARIABLE}, "
                f"or give a key in {KEY_VARIABLE}"
            ) from None

    def known(self) -> tuple[SealingKey, ...]:
        """All there are, the one that seals first."""
        if not self._given and self._path is not None:
            self._kept = self._stored(self._path)
        return self._given or self._kept

    def _stored(self, path: Path) -> tuple[SealingKey, ...]:
        try:
            text = path.read_text("ascii")
            open_to_all = self._own and path.stat().st_mode & 0o077
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretUnreadable(f"The key file {path} cannot be read ({error})") from None
        if open_to_all:
            raise SecretUnreadable(f"The key file {path} is open to others: close it with `chmod 600 {path}`")
        return tuple(_read(line, str(path)) for line in text.split())


def _default_file(library_id: str) -> Path:
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "flowscope" / f"{library_id}.key"


def _replace(path: Path, text: str) -> None:
    """Write a file of mode 0600 beside it, have it on disk, and put it in its place."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _read(text: str, place: str) -> SealingKey:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _KEY_BYTES:
        raise InputInvalid(
            f"{place} holds no key: it takes 32 random bytes in base64, as `openssl rand -base64 32` gives"
        )
    return SealingKey(key)
