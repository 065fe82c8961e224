"""What a segment's lines refer to by content: payloads, and definitions of children yet to start.

Lines are opaque to a store but for this: whatever reads `"sha256":"…"` or `"childDefinition":"…"` is taken for a reference.
A payload that happens to hold such a field keeps something a while longer; nothing is ever swept too early.
"""

from __future__ import annotations

import re

_BLOB = b'"sha256":"'
_DEFINITION = b'"childDefinition":"'
_REFERENCE = re.compile(rb'"(?:sha256|childDefinition)":"([0-9a-fA-F]{64})"')


def references(lines: bytes) -> set[bytes]:
    """The SHA-256 digests referred to. Nearly all segments have none, which two plain searches tell."""
    if _BLOB not in lines and _DEFINITION not in lines:
        return set()
    return {bytes.fromhex(found.decode()) for found in _REFERENCE.findall(lines)}
