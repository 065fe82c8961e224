"""From what a handler answers to what the machine holds, and back.

A value becomes JSON bytes once. Up to 32 KiB they travel in the events; beyond, they are kept by content and the events
carry a reference. A recipe (a merge, a map's results) is built here when somebody needs the value.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import assert_never

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.execution.events import Blob
from flowscope.execution.payload import Batch, Group, Item, Merge, Payload
from flowscope.orchestrator.ports import Payloads

INLINE = 32 * 1024
LARGEST = 64 * 1024 * 1024
PREVIEW = 120
CACHE = 128 * 1024 * 1024

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


class NotJSON(NodeError):
    """A handler returned something that is not a JSON value."""

    retryable = False


class PayloadTooLarge(NodeError):
    """A value beyond the largest that is kept."""

    retryable = False


def encode(value: JSON) -> bytes:
    """A value as JSON. `NotJSON` for what has no JSON form: an object of a class, NaN, an infinity."""
    try:
        data = _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotJSON(f"The output is not JSON: {error}") from None
    # The encoder writes NaN and infinities as null, so only a null makes it worth looking.
    if b"null" in data and _has_nan(value):
        raise NotJSON("The output holds NaN or an infinity, which JSON does not have. Make it a number, text or null")
    return data


def must_fit(size: int) -> None:
    """`PayloadTooLarge` for a value of more bytes than are kept."""
    if size > LARGEST:
        raise PayloadTooLarge(
            f"The value is {size / 1048576:.0f} MiB; at most {LARGEST // 1048576} MiB are kept. "
            "Write it to a file and pass the path on"
        )


def _has_nan(value: JSON) -> bool:
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, float):
            if not math.isfinite(one):
                return True
        elif isinstance(one, dict):
            stack.extend(one.values())
        elif isinstance(one, list | tuple):
            stack.extend(one)
    return False


class PayloadStore:
    """Keeps large payloads and builds recipes. What the journal does not have yet is held here until it does."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached = 0
        self._fresh: list[tuple[str, bytes]] = []
        self._unwritten: dict[str, bytes] = {}

    def keep(self, data: bytes) -> bytes | Blob:
        """The bytes themselves, or a reference if they are large; `PayloadTooLarge` beyond 64 MiB."""
        if len(data) <= INLINE:
            return data
        must_fit(len(data))
        sha256 = hashlib.sha256(data).hexdigest()
        self._fresh.append((sha256, data))
        self._unwritten[sha256] = data
        return Blob(sha256, len(data), data[:PREVIEW].decode("utf-8", "replace"))

    def take_fresh(self) -> list[tuple[str, bytes]]:
        """What the next commit must bring to the journal; `written` says when it has."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def written(self, blobs: Sequence[tuple[str, bytes]]) -> None:
        for sha256, data in blobs:
            if self._unwritten.pop(sha256, None) is not None:
                self._remember(sha256, data)

    def build(self, payload: Payload) -> bytes:
        """The value as JSON bytes; `PayloadTooLarge` beyond 64 MiB, or nested beyond what can be built."""
        try:
            return self._build(payload)
        except RecursionError:
            raise PayloadTooLarge("The value is nested too deep: too many joins one inside the other") from None

    def _build(self, payload: Payload) -> bytes:
        if isinstance(payload, bytes):
            return payload
        if isinstance(payload, Blob):
            return self._load(payload)
        if isinstance(payload, Item):
            return self._items(payload.batch)[payload.index]
        if isinstance(payload, Group):
            parts = [self._build(part) for part in payload.parts]
            # Parts are shared, so a value can be far larger than what it is made of.
            must_fit(sum(map(len, parts)))
            if payload.keys is None:
                return b"[" + b",".join(parts) + b"]"
            fields = (_encode(key) + b":" + part for key, part in zip(payload.keys, parts, strict=True))
            return b"{" + b",".join(fields) + b"}"
        if isinstance(payload, Merge):
            merged: dict[str, JSON] = {}
            for part in payload.parts:
                value = _decode(self._build(part))
                merged.update(
                    value if isinstance(value, dict) else {"items" if isinstance(value, list) else "value": value}
                )
            return _encode(merged)
        assert_never(payload)

    def value(self, payload: Payload) -> JSON:
        """The value decoded; the caller's own copy."""
        return _decode(self.build(payload))

    def _items(self, batch: Batch) -> list[bytes]:
        if batch.split is None:
            batch.split = [bytes(raw) for raw in _split(self.build(batch.items))]
        return batch.split

    def _load(self, blob: Blob) -> bytes:
        data = self._unwritten.get(blob.sha256) or self._cache.get(blob.sha256)
        if data is None:
            data = self._payloads.blob(blob.sha256)
            self._remember(blob.sha256, data)
        elif blob.sha256 in self._cache:
            self._cache.move_to_end(blob.sha256)
        return data

    def _remember(self, sha256: str, data: bytes) -> None:
        if sha256 in self._cache:
            return
        self._cache[sha256] = data
        self._cached += len(data)
        while self._cached > CACHE and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached -= len(dropped)
