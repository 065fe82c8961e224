"""The node types as clients are told of them."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from flowscope.nodes.sdk import NodeType


@lru_cache(maxsize=8)
def catalogue_document(kinds: tuple[NodeType, ...]) -> bytes:
    """All of them, as JSON: written once, for they stay as they are."""
    return msgspec.json.encode({"nodes": [kind.to_object() for kind in kinds]})
