"""Finding secrets in what nodes say, in every form they are likely to take, and blotting them out.

A net, not a wall: half a secret, or its hash, is not found.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import SecretUnreadable
from flowscope.nodes.context import Surroundings

REDACTED = "[secret]"

_SHORTEST_LINE = 8
_SHORTEST_FORM = 4

_encode = msgspec.json.encode


class Redactor:
    """Blots out these secrets. Immutable; made once for a set of them."""

    __slots__ = ("_forms", "_pattern")

    def __init__(self, secrets: frozenset[str]) -> None:
        found = {form for secret in secrets if secret for form in _forms(secret)}
        # The longest first: one secret may be part of another.
        self._forms = sorted(found, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._forms))) if found else None

    def text(self, text: str) -> str:
        """The text without them."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def json(self, data: bytes) -> bytes:
        """A JSON value without them, names and numbers included; it stays JSON."""
        if self._pattern is None or not self._pattern.search(data.decode()):
            return data
        try:
            return _encode(self._value(msgspec.json.decode(data)))
        except RecursionError:
            return _encode(REDACTED)

    def held_back(self, text: str) -> int:
        """How many characters at the end may be the beginning of a secret that goes on in the next piece of a stream."""
        most = 0
        for form in self._forms:
            at = text.find(form[0], max(0, len(text) - len(form) + 1))
            while at >= 0 and len(text) - at > most:
                if form.startswith(text[at:]):
                    most = len(text) - at
                    break
                at = text.find(form[0], at + 1)
        return most

    def _value(self, value: JSON) -> JSON:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(name): self._value(item) for name, item in value.items()}
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return REDACTED if is_number and self._is_secret(_encode(value).decode()) else value

    def _is_secret(self, text: str) -> bool:
        return self._pattern is not None and self._pattern.fullmatch(text) is not None


@lru_cache(maxsize=64)
def redactor_of(secrets: frozenset[str]) -> Redactor:
    """One for these secrets."""
    return Redactor(secrets)


def secret_values(names: Iterable[str], surroundings: Surroundings) -> Iterator[str]:
    """The values of these (`NAME`, `credentials.NAME`; `*` for all), as far as there are any. One that cannot be opened
    cannot get anywhere either."""
    for name in names:
        try:
            if name.startswith("credentials."):
                yield from _credential_values(name.removeprefix("credentials."), surroundings)
            elif name == "*":
                yield from surroundings.secrets.values()
            elif name in surroundings.secrets:
                yield surroundings.secrets[name]
        except SecretUnreadable:
            continue


def _credential_values(name: str, surroundings: Surroundings) -> Iterator[str]:
    known = surroundings.credentials
    for credential in known.values() if name == "*" else [known[name]] if name in known else []:
        yield from map(str, credential.hidden().values())


def _forms(secret: str) -> Iterator[str]:
    yield secret
    lines = [line.strip() for line in secret.splitlines()]
    parts = [secret, *(line for line in lines if len(line) >= _SHORTEST_LINE and line != secret)]
    for part in parts:
        if part is not secret:
            yield part
        for form in _spellings(part):
            if len(form) >= _SHORTEST_FORM:
                yield form


def _spellings(text: str) -> Iterator[str]:
    """As JSON (and JSON within JSON), as Python shows it, in a URL, in HTML, in hexadecimal, in base64."""
    for plain in (False, True):
        once = json.dumps(text, ensure_ascii=plain)[1:-1]
        yield once
        yield json.dumps(once, ensure_ascii=plain)[1:-1]
    for once in (_encode(text).decode()[1:-1], repr(text)[1:-1], ascii(text)[1:-1]):
        yield once
        yield _encode(once).decode()[1:-1]
    for quoted in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted)
    yield html.escape(text)
    data = text.encode("utf-8", "surrogatepass")
    yield data.hex()
    yield data.hex().upper()
    yield from _base64(data)


def _base64(data: bytes) -> Iterator[str]:
    """Wherever it stands among other bytes that are encoded with it, as a password after its user's name."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        whole = (before + len(data)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(before) + data).decode()[skipped:whole]
