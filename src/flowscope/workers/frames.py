"""What the pool and its processes say to each other, and how it crosses: frames over a socket pair.

    ┌──────────┬──────────────┬─────────┬────────────┬──────────┐
    │ body u32 │ payload u64  │ sent u8 │ body       │ payload  │     sent 1: the payload is a file descriptor instead
    └──────────┴──────────────┴─────────┴────────────┴──────────┘

A body is a small message in MessagePack, a payload one JSON value. A payload over 64 KiB does not go through the socket: it
is written to a file in memory that has no name, and the descriptor is passed on. So no value blocks the line, and whoever
dies, nothing is left behind. Nothing is ever pickled: what a process sends cannot make the pool run anything.
"""

from __future__ import annotations

import os
import socket
import struct
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

HEADER: Final = struct.Struct(">IQB")
LARGE: Final = 64 * 1024
READ: Final = 256 * 1024
DESCRIPTORS: Final = 16


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, array_like=True):
    """`task` counts the tasks of one process, from 1."""


# --- to a process ---


class Run(Message, frozen=True, kw_only=True, gc=False):
    """The payload is a `Job`. `memory` is MiB, 0 for no limit."""

    task: int
    memory: int = 0


class Cancel(Message, frozen=True, kw_only=True, gc=False):
    """Let the handler see that it is to stop."""

    task: int


class Told(Message, frozen=True, kw_only=True, gc=False):
    """The payload is what it has asked for."""

    task: int


# --- from a process ---


class Ready(Message, frozen=True, kw_only=True, gc=False):
    """It takes tasks."""


class Started(Message, frozen=True, kw_only=True, gc=False):
    """The handler is loaded and about to be called."""

    task: int


class Said(Message, frozen=True, kw_only=True, gc=False):
    """A word of the handler's: `kind` is `progress`, `stream` or a log level."""

    task: int
    kind: str
    fraction: float
    text: str


class Asked(Message, frozen=True, kw_only=True, gc=False):
    """The handler wants to know something of its surroundings, by its name there; or the names."""

    task: int
    field: str
    name: str | None


class Answered(Message, frozen=True, kw_only=True, gc=False):
    """The payload is the answer, as `answers.pack` has it."""

    task: int
    kind: str


class Failed(Message, frozen=True, kw_only=True, gc=False):
    """The handler raised. `error` is an `ErrorInfo` in MessagePack. `spent`: the process is not to be used again."""

    task: int
    error: bytes
    spent: bool = False


AnyMessage: TypeAlias = Run | Cancel | Told | Ready | Started | Said | Asked | Answered | Failed

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(AnyMessage).decode


class Parcel:
    """A message ready to be sent; `close` when it has been."""

    __slots__ = ("data", "descriptors")

    def __init__(self, message: AnyMessage, *payload: bytes | memoryview) -> None:
        body, size = _encode(message), sum(map(len, payload))
        large = size > LARGE
        head = HEADER.pack(len(body), size, large)
        self.data = head + body if large else b"".join((head, body, *payload))
        self.descriptors = [_file_of(payload)] if large else []

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []


def send(line: socket.socket, message: AnyMessage, *payload: bytes | memoryview) -> None:
    """Send all of it, however long that takes. The payload may come in pieces."""
    parcel = Parcel(message, *payload)
    try:
        sent = socket.send_fds(line, [parcel.data], parcel.descriptors)
        if sent < len(parcel.data):
            line.sendall(memoryview(parcel.data)[sent:])
    finally:
        parcel.close()


def send_at_once(line: socket.socket, message: AnyMessage, *payload: bytes | memoryview) -> bool:
    """Send it if the line takes it now and whole; the other side is no good if it does not. Raises OSError."""
    parcel = Parcel(message, *payload)
    try:
        return socket.send_fds(line, [parcel.data], parcel.descriptors) == len(parcel.data)
    except BlockingIOError:
        return False
    finally:
        parcel.close()


class Inbox:
    """Puts together what arrives."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._descriptors: deque[int] = deque()

    def read(self, line: socket.socket) -> bool:
        """Take what is there; False when nothing will come any more. Raises OSError."""
        data, descriptors, _, _ = socket.recv_fds(line, READ, DESCRIPTORS)
        self._descriptors += descriptors
        self._data += data
        return bool(data)

    def messages(self) -> Iterator[tuple[AnyMessage, bytes]]:
        """What has arrived whole: the message and its payload."""
        data, at = self._data, 0
        try:
            while len(data) - at >= HEADER.size:
                body, payload, large = HEADER.unpack_from(data, at)
                start = at + HEADER.size
                end = start + body + (0 if large else payload)
                if len(data) < end:
                    return
                message = _decode(memoryview(data)[start : start + body].tobytes())
                content = self._content(payload) if large else bytes(memoryview(data)[start + body : end])
                at = end
                yield message, content
        finally:
            del data[:at]

    def close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _content(self, size: int) -> bytes:
        descriptor = self._descriptors.popleft()
        try:
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                file.seek(0)
                return file.read(size)
        finally:
            os.close(descriptor)


def _file_of(payload: Sequence[bytes | memoryview]) -> int:
    """A file without a name, in memory where the system has such, that holds the payload."""
    descriptor = _unnamed()
    try:
        for piece in payload:
            left = memoryview(piece)
            while left:
                left = left[os.write(descriptor, left) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _unnamed() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("flowscope")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
