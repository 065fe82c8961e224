"""What a WebSocket client sends, from bytes to messages (RFC 6455, section 5). No I/O.

The server speaks in finished frames (`parcel`), so a connection needs only this half of the protocol, and it costs a few
hundred bytes a viewer. It is held against the `websockets` library, frame by frame, in the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

CONTROL_BYTES: Final = 125
"""The most that a ping, pong or close holds."""


class Opcode(IntEnum):
    """What a frame is."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}


class Violation(Exception):
    """The client has broken the protocol: the connection is to be ended with `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Inbox:
    """One connection's bytes, parted into whole messages. `limit`: bytes of the largest message."""

    __slots__ = ("_kind", "_limit", "_parts", "_rest")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._parts: bytes | None = None
        self._kind = Opcode.TEXT

    def feed(self, data: bytes) -> Iterator[tuple[Opcode, bytes]]:
        """The messages that are whole now: TEXT and BINARY put together, control frames as they are. A `Violation` says
        why there is no going on; what came before it has been given."""
        buffer = self._rest + data if self._rest else data
        self._rest, at = b"", 0
        while (frame := self._frame(buffer, at)) is not None:
            final, opcode, payload, at = frame
            message = self._message(final, opcode, payload)
            if message is not None:
                yield message
        self._rest = buffer[at:]

    def _frame(self, data: bytes, at: int) -> tuple[bool, Opcode, bytes, int] | None:
        """The frame that begins at `at`, and where it ends; None while it is not whole."""
        if len(data) < at + 2:
            return None
        final, opcode = self._head(data[at], data[at + 1])
        size, start = data[at + 1] & 127, at + 2
        if size > CONTROL_BYTES:
            start += 2 if size == 126 else 8
            if len(data) < start:
                return None
            size = int.from_bytes(data[at + 2 : start], "big")
        if size > self._limit:
            raise Violation(1009, f"at most {self._limit} bytes a message")
        end = start + 4 + size
        if len(data) < end:
            return None
        return final, opcode, _unmasked(data[start + 4 : end], data[start : start + 4]), end

    def _head(self, first: int, second: int) -> tuple[bool, Opcode]:
        opcode = _OPCODES.get(first & 15)
        if first & 112:
            raise Violation(1002, "reserved bits are set")
        if opcode is None:
            raise Violation(1002, f"there is no opcode {first & 15}")
        if not second & 128:
            raise Violation(1002, "a client's frame is masked")
        if opcode >= Opcode.CLOSE and (not first & 128 or second & 127 > CONTROL_BYTES):
            raise Violation(1002, "a control frame is short, and in one piece")
        return bool(first & 128), opcode

    def _message(self, final: bool, opcode: Opcode, payload: bytes) -> tuple[Opcode, bytes] | None:
        if opcode >= Opcode.CLOSE:
            if opcode is Opcode.CLOSE:
                _look_at(payload)
            return opcode, payload
        if (opcode is Opcode.CONTINUATION) is (self._parts is None):
            raise Violation(1002, "a fragment that fits nothing")
        if opcode is not Opcode.CONTINUATION:
            self._kind = opcode
        whole = (self._parts or b"") + payload
        if len(whole) > self._limit:
            raise Violation(1009, f"at most {self._limit} bytes a message")
        self._parts = None if final else whole
        return (self._kind, whole) if final else None


def _look_at(goodbye: bytes) -> None:
    """A close frame's payload must be as RFC 6455, 7.4 has it: nothing, or a code that may be said, and a reason in UTF-8."""
    if not goodbye:
        return
    if not is_text(goodbye[2:]):
        raise Violation(1007, "a reason is UTF-8")
    code = int.from_bytes(goodbye[:2], "big")
    known = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
    if len(goodbye) < 2 or not (known or 3000 <= code <= 4999):
        raise Violation(1002, "a close code that may not be said")


def is_text(payload: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _unmasked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    repeated = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(size, "big")
