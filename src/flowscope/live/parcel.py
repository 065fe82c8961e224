"""Bytes that many viewers get alike: built once, in whichever of the three forms a wire wants.

texts    the messages one by one, as a plain ASGI server takes them
framed   the same as finished WebSocket frames, to be written straight to a transport
stream   the same as Server-Sent Events
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from flowscope.live.protocol import encode
from flowscope.live.translation import Encoded

FRAME_BYTES: Final = 256 * 1024
"""A frame of many messages is cut here: browsers and proxies like it, and libraries refuse a MiB by default."""

CONFLATE_BYTES: Final = 8 * 1024
"""A batch larger than this is told by its last messages only, one a subject, to those who get frames."""


class Parcel:
    """Some messages; `ids` gives each the cursor it brings a reader of Server-Sent Events to (0: none)."""

    __slots__ = ("_framed", "_stream", "ids", "size", "texts")

    def __init__(self, texts: Sequence[bytes], ids: Sequence[int] = ()) -> None:
        self.texts = texts
        self.ids = ids
        self.size = sum(map(len, texts))
        self._framed = self._stream = b""

    @property
    def framed(self) -> bytes:
        if not self._framed:
            self._framed = b"".join(part for text in self.texts for part in (header(len(text)), text))
        return self._framed

    @property
    def stream(self) -> bytes:
        if not self._stream:
            ids = self.ids or [0] * len(self.texts)
            self._stream = b"".join(
                b"id: %d\ndata: %b\n\n" % (seq, text) if seq else b"data: %b\n\n" % text
                for seq, text in zip(ids, self.texts, strict=True)
            )
        return self._stream


def header(length: int) -> bytes:
    """The head of an unmasked, unfragmented text frame (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return struct.pack("!BBH", 0x81, 126, length)
    return struct.pack("!BBQ", 0x81, 127, length)


def note(message: object) -> Parcel:
    """A single message that has no place in the order."""
    return Parcel((encode(message),))


def singles(messages: Sequence[Encoded]) -> Parcel:
    """For clients without frames: every message by itself."""
    return Parcel([message.body for message in messages], [message.seq if message.last else 0 for message in messages])


def frames(execution_id: str, prev: int, seq: int, messages: Sequence[Encoded]) -> Parcel:
    """For `flowscope.v1`: the events `prev + 1 .. seq`, in as few frames as the size allows."""
    if sum(len(message.body) for message in messages) > CONFLATE_BYTES:
        messages = conflated(messages)
    head = b'{"executionId":' + encode(execution_id)
    texts = []
    for upto, bodies in _cut(messages, prev, seq):
        texts.append(b'%b,"prev":%d,"seq":%d,"messages":[%b]}' % (head, prev, upto, b",".join(bodies)))
        prev = upto
    return Parcel(texts)


def conflated(messages: Sequence[Encoded]) -> list[Encoded]:
    """The last message of each subject, in their order."""
    latest = {message.subject: message for message in messages}
    return [message for message in messages if latest[message.subject] is message]


def _cut(messages: Sequence[Encoded], prev: int, seq: int) -> Iterable[tuple[int, list[bytes]]]:
    """Shares of at most about `FRAME_BYTES`, each with the cursor it leads to: whole events, or a part that moves nothing."""
    bodies: list[bytes] = []
    size = 0
    for place, message in enumerate(messages):
        bodies.append(message.body)
        size += len(message.body)
        following = messages[place + 1] if place + 1 < len(messages) else None
        if following is not None and size + len(following.body) > FRAME_BYTES:
            if following.seq > message.seq:
                prev = message.seq
            yield prev, bodies
            bodies, size = [], 0
    yield seq, bodies
