"""Server-Sent Events, from bytes to messages. No I/O."""

from __future__ import annotations


class EventStream:
    """Takes bytes as they come, and gives the `data` of each event that is complete.

    Lines are cut at LF only (with a CR before it, or not), which is all that a server of ours writes: a JSON text may hold
    other characters that Python takes for the end of a line. A stream that breaks off in an event does not give that one.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this completes."""
        events: list[bytes] = []
        searched = len(self._rest)
        self._rest += chunk
        begin = 0
        while (end := self._rest.find(b"\n", max(begin, searched))) >= 0:
            line = bytes(self._rest[begin:end]).removesuffix(b"\r")
            begin = end + 1
            if line:
                self._line(line)
            elif self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        del self._rest[:begin]
        return events

    def _line(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
