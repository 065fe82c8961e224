"""The node types as clients are told of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from flowscope.nodes.sdk import NodeType


def node_object(kind: NodeType) -> dict[str, Any]:
    """One node type; `handles` is null where they follow from the config."""
    return {
        "type": kind.type,
        "title": kind.title,
        "category": kind.category,
        "icon": kind.icon,
        "description": kind.description,
        "role": kind.role,
        "handles": None if kind.handles is None else list(kind.handles),
        "effects": kind.effects,
        "resources": kind.resources,
        "retry": msgspec.to_builtins(kind.retry),
        "timeout": kind.timeout,
        "example": kind.example,
        "rawFields": sorted(kind.raw_fields),
        "schema": kind.schema(),
    }


@lru_cache(maxsize=8)
def catalogue_document(kinds: tuple[NodeType, ...]) -> bytes:
    """All of them, as JSON: written once, for they stay as they are."""
    return msgspec.json.encode({"nodes": [node_object(kind) for kind in kinds]})
