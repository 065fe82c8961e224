"""What flows along the edges, as the machine holds it: opaque, immutable, never decoded here.

A value is JSON bytes, or a blob kept by content, or a recipe over those. Recipes are how a merged input, a map's results
or a run's output exist without anybody having built them; whoever needs the value builds it (`orchestrator.payloads`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import msgspec

from flowscope.execution.events import Blob

if TYPE_CHECKING:
    from flowscope.execution.state import Expansion


class Merge(msgspec.Struct, frozen=True, gc=False):
    """A shallow merge of objects, the later winning; an array counts as `{items}`, a primitive as `{value}`."""

    parts: tuple[Payload, ...]


class Group(msgspec.Struct, frozen=True, gc=False):
    """An object of `parts` by `keys`, or without keys a list of them."""

    keys: tuple[str, ...] | None
    parts: tuple[Payload, ...]


class Item(msgspec.Struct, frozen=True):
    """One element of the array a container was expanded with."""

    expansion: Any  # an Expansion; the two files would import each other
    index: int


Payload: TypeAlias = bytes | Blob | Merge | Group | Item

NULL: Payload = b"null"


def describe(payload: Payload | None, items_of: Callable[[Expansion], str]) -> Any:
    """A payload as plain JSON, for comparing and hashing states."""
    if payload is None or isinstance(payload, Blob):
        return payload and payload.sha256
    if isinstance(payload, bytes):
        return payload.decode()
    if isinstance(payload, Merge):
        return ["merge", *(describe(part, items_of) for part in payload.parts)]
    if isinstance(payload, Group):
        return ["group", payload.keys, *(describe(part, items_of) for part in payload.parts)]
    if isinstance(payload, Item):
        return ["item", items_of(payload.expansion), payload.index]
    assert_never(payload)
