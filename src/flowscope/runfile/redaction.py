"""What must not leave the house with a run file: values under names that promise secrets, and the secrets themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.orchestrator.redaction import Redactor

BLOTTED: Final = "[redacted]"
LEFT_OUT: Final = "[left out]"

LARGEST: Final = 256 * 1024
"""Bytes of one value's JSON; a larger one is cut down to its beginning."""

_SENSITIVE: Final = re.compile(
    r"passw(or)?d|passphrase|secret|(?<![a-z])tokens?(?![a-z])|api[-_ ]?key|authorization|cookie|credential|private[-_ ]?key"
    r"|access[-_ ]?key|(?<![a-z])auth(?![a-z])",
    re.IGNORECASE,
)
_HARMLESS: Final = (type(None), bool)


class Censor:
    """Goes over values. `names` are further names of fields to blot out; `data` False leaves every value out. `blotted` counts
    what was."""

    def __init__(self, secrets: frozenset[str] = frozenset(), names: Iterable[str] = (), *, data: bool = True) -> None:
        self._redactor = Redactor(secrets)
        self._names = {name.casefold() for name in names}
        self.data = data
        self.blotted = 0
        self.cut = 0

    def value(self, data: bytes) -> JSON:
        """A payload's JSON as it may be shown."""
        if not self.data:
            return LEFT_OUT
        if len(data) > LARGEST:
            self.cut += 1
            beginning = self.text(data[:2_000].decode("utf-8", "ignore"))
            return {"leftOut": f"{len(data):,} bytes, of which this is the beginning", "beginning": beginning}
        return self._fields(msgspec.json.decode(self._known(data)))

    def document(self, data: bytes) -> JSON:
        """The same for a workflow: never left out."""
        return self._fields(msgspec.json.decode(self._known(data)))

    def text(self, text: str) -> str:
        cleaned = self._redactor.text(text)
        self.blotted += cleaned != text
        return cleaned

    def _known(self, data: bytes) -> bytes:
        cleaned = self._redactor.json(data)
        self.blotted += cleaned != data
        return cleaned

    def _fields(self, value: JSON) -> JSON:
        if isinstance(value, list):
            return [self._fields(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {key: self._field(key, one) for key, one in value.items()}

    def _field(self, key: str, value: Any) -> JSON:
        sensitive = _SENSITIVE.search(key) or key.casefold() in self._names
        # An expression is no secret, and says where one would come from.
        if not sensitive or isinstance(value, _HARMLESS) or (isinstance(value, str) and value.startswith("{{")):
            return self._fields(value)
        self.blotted += 1
        return BLOTTED
