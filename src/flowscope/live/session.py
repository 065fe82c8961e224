"""One viewer's half of the conversation: bytes in, commands out. No I/O, no clock.

A viewer's errors are answered and forgiven; what would cost others (a flood, a giant frame) ends the connection.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET

from flowscope.live.protocol import CloseCode, ErrorMessage, Ping, Subscribe, Unsubscribe

SUBSCRIPTIONS: Final = 64
"""Executions one connection may watch."""

MESSAGES_A_SECOND: Final = 20
"""Client messages a second, lastingly; one may first subscribe to all it can watch."""

FRAME_BYTES_IN: Final = 16 * 1024

LONGEST_ID: Final = 128


class Goodbye(msgspec.Struct, frozen=True):
    """End the connection."""

    code: CloseCode
    reason: str


Command: TypeAlias = Subscribe | Unsubscribe | Ping | ErrorMessage | Goodbye
"""What to do about a client's message; an `ErrorMessage` is to be sent back."""


class _Envelope(msgspec.Struct):
    type: str


_envelope: Final = msgspec.json.Decoder(_Envelope)
_decoders: Final[dict[str, msgspec.json.Decoder[Subscribe | Unsubscribe | Ping]]] = {
    "SUBSCRIBE": msgspec.json.Decoder(Subscribe),
    "UNSUBSCRIBE": msgspec.json.Decoder(Unsubscribe),
    "PING": msgspec.json.Decoder(Ping),
}


class Session:
    """Reads what one client says. `now` is in seconds of any clock that does not go back."""

    __slots__ = ("_allowance", "_at", "subscribed")

    def __init__(self) -> None:
        self.subscribed: set[str] = set()
        self._allowance = float(SUBSCRIPTIONS + MESSAGES_A_SECOND)
        self._at = 0.0

    def receive(self, data: bytes | str, now: float) -> Command:
        """What a client's message asks for. A subscription is counted; `forget` gives it back."""
        if len(data) > FRAME_BYTES_IN:
            return Goodbye(CloseCode.FRAME_TOO_LARGE, "at most 16 KiB a message")
        if not self._may_speak(now):
            return Goodbye(CloseCode.RATE_LIMITED, f"at most {MESSAGES_A_SECOND} messages a second")
        command = _read(data)
        if isinstance(command, Subscribe):
            return self.subscribe(command)
        if isinstance(command, Unsubscribe):
            self.forget(command.execution_id)
        return command

    def subscribe(self, command: Subscribe) -> Command:
        """Count a subscription in, or say why not."""
        execution_id = command.execution_id
        if not 1 <= len(execution_id) <= LONGEST_ID:
            return ErrorMessage(code="BAD_MESSAGE", message=f"`executionId` has 1 to {LONGEST_ID} characters")
        if command.after is not UNSET and command.after < 0:
            return ErrorMessage(
                code="BAD_MESSAGE", message="`after` is a whole number from 0", execution_id=execution_id
            )
        if execution_id not in self.subscribed and len(self.subscribed) >= SUBSCRIPTIONS:
            text = f"One connection watches at most {SUBSCRIPTIONS} executions; unsubscribe from one, or open another"
            return ErrorMessage(code="TOO_MANY_SUBSCRIPTIONS", message=text, execution_id=execution_id)
        self.subscribed.add(execution_id)
        return command

    def forget(self, execution_id: str) -> None:
        """That execution is not watched any more."""
        self.subscribed.discard(execution_id)

    def _may_speak(self, now: float) -> bool:
        full = float(SUBSCRIPTIONS + MESSAGES_A_SECOND)
        self._allowance = min(full, self._allowance + max(0.0, now - self._at) * MESSAGES_A_SECOND)
        self._at = now
        self._allowance -= 1
        return self._allowance >= 0


def _read(data: bytes | str) -> Command:
    try:
        kind = _envelope.decode(data).type
    except msgspec.ValidationError:
        return ErrorMessage(code="BAD_MESSAGE", message='A message is an object with a `type`, such as {"type":"PING"}')
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested without end
        return ErrorMessage(code="BAD_JSON", message="That is not JSON")
    decoder = _decoders.get(kind)
    if decoder is None:
        text = f"There is no message of type {kind[:64]!r}; there are {', '.join(_decoders)}"
        return ErrorMessage(code="UNKNOWN_TYPE", message=text)
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        return ErrorMessage(code="BAD_MESSAGE", message=f"{kind}: {error}")
