"""What flows along the edges, as the machine holds it: opaque, immutable, never decoded here.

A value is JSON bytes, or a blob kept by content, or a recipe over those. Recipes are how a merged input, a map's results
or a run's output exist without anybody having built them; whoever needs the value builds it (`orchestrator.payloads`).

Nodes that pass their input on hand the same recipe along, so a recipe is a graph with shared parts, not a tree. Merges of
merges are made flat, and a part that comes again later counts only there: a ladder of diamonds stays a short list instead
of doubling at every rung.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeAlias, assert_never

import msgspec

from flowscope.execution.events import Blob

LONGEST_MERGE = 256
"""Parts beyond which a merge within a merge is left as it is, so that a long chain of them does not cost its square."""


class Merge(msgspec.Struct, frozen=True, gc=False):
    """A shallow merge of objects, the later winning; an array counts as `{items}`, a primitive as `{value}`."""

    parts: tuple[Payload, ...]


class Group(msgspec.Struct, frozen=True, gc=False):
    """An object of `parts` by `keys`, or without keys a list of them."""

    keys: tuple[str, ...] | None
    parts: tuple[Payload, ...]


class Batch:
    """The array a container was expanded with, at most once a batch. `split` is for whoever takes it apart to keep the pieces.

    `name` tells it from every other batch of the execution. It refers to no frame, so that an item that lives on in a
    result keeps nothing else alive.
    """

    __slots__ = ("items", "name", "split")

    def __init__(self, name: str, items: Payload) -> None:
        self.name = name
        self.items = items
        self.split: list[bytes] | None = None


class Item(msgspec.Struct, frozen=True, gc=False):
    """One element of a batch."""

    batch: Batch
    index: int


Payload: TypeAlias = bytes | Blob | Merge | Group | Item

NULL: Payload = b"null"


def merged(parts: Sequence[Payload]) -> Payload:
    """What a node gets from these active edges, in edge order: one as it is, several as a merge."""
    if len(parts) == 1:
        return parts[0]
    flat: dict[object, Payload] = {}
    for part in parts:
        inner = part.parts if isinstance(part, Merge) and len(flat) + len(part.parts) <= LONGEST_MERGE else (part,)
        for one in inner:
            key = _same(one)
            flat.pop(key, None)
            flat[key] = one
    return Merge(tuple(flat.values()))


def _same(payload: Payload) -> object:
    """Equal for payloads known to be the same value."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, Blob):
        return payload.sha256
    if isinstance(payload, Item):
        return payload.batch.name, payload.index
    return id(payload)


class Fingerprints:
    """Hashes of payloads, for comparing states. Each part of a recipe is hashed once; nothing recurses."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def of(self, payload: Payload | None) -> str | None:
        """The fingerprint of a payload that stays alive as long as this object is used."""
        if payload is None:
            return None
        known = self._known
        stack = [payload]
        while stack:
            one = stack[-1]
            head, parts = _anatomy(one)
            missing = [part for part in parts if id(part) not in known]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if id(one) not in known:
                described = msgspec.json.encode([head, [known[id(part)] for part in parts]])
                known[id(one)] = hashlib.sha256(described).hexdigest()
        return known[id(payload)]


def _anatomy(payload: Payload) -> tuple[object, Sequence[Payload]]:
    """What a payload is, and the payloads it is made of."""
    if isinstance(payload, bytes):
        return hashlib.sha256(payload).hexdigest(), ()
    if isinstance(payload, Blob):
        return ("blob", payload.sha256), ()
    if isinstance(payload, Merge):
        return "merge", payload.parts
    if isinstance(payload, Group):
        return ("group", payload.keys), payload.parts
    if isinstance(payload, Item):
        return ("item", payload.batch.name, payload.index), (payload.batch.items,)
    assert_never(payload)
