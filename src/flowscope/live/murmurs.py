"""The ephemeral lane of one execution: gathered until the next flush, the latest progress of an attempt only."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from flowscope.live.channel import Channel
from flowscope.live.parcel import Parcel
from flowscope.live.protocol import (
    NodeLog,
    NodeLogData,
    NodeProgress,
    NodeProgressData,
    NodeUpdate,
    NodeUpdateData,
    encode,
)
from flowscope.orchestrator.ports import LogLine, Progress

LINES: Final = 500
"""Lines shown of one flush; the rest is in the log, and the offsets say so."""

Key = tuple[str, str, int]


class Murmurs:
    """What was said since the last flush."""

    def __init__(self) -> None:
        self._progress: dict[Key, Progress] = {}
        self._lines: list[bytes] = []

    def __bool__(self) -> bool:
        return bool(self._progress or self._lines)

    def progress(self, word: Progress) -> None:
        self._progress[word.node_id, word.path, word.attempt] = word

    def line(self, word: LogLine, offset: int) -> None:
        if len(self._lines) < LINES:
            self._lines.append(encode(_log(word, offset)))

    def take(self, channel: Channel) -> tuple[Parcel, Parcel]:
        """What was said, for clients without frames and for those with; and forget it.

        The former know progress as a field of a node only, so they get it as an update without `seq`.
        """
        words, self._progress = self._progress.values(), {}
        lines, self._lines = self._lines, []
        plain = [text for word in words if (text := _update(word, channel))]
        return Parcel(plain + lines), Parcel([encode(_progress(word)) for word in words] + lines)


def percent(word: Progress) -> int:
    return max(0, min(100, round(word.fraction * 100)))


def _unicode(text: str) -> str:
    """A lone surrogate (half of a broken file name, say) cannot be encoded; it is shown as `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _progress(word: Progress) -> NodeProgress:
    return NodeProgress(
        data=NodeProgressData(
            execution_id=word.execution_id,
            node_id=word.node_id,
            attempt=word.attempt,
            progress=percent(word),
            timestamp=round(word.at),
            path=word.path or UNSET,
            message=_unicode(word.message) or UNSET,
            detail=_unicode(word.detail) or UNSET,
        )
    )


def _log(word: LogLine, offset: int) -> NodeLog:
    return NodeLog(
        data=NodeLogData(
            execution_id=word.execution_id,
            node_id=word.node_id,
            attempt=word.attempt,
            offset=offset,
            kind="stream" if word.kind == "stream" else "log",
            level=word.level,
            text=_unicode(word.text),
            timestamp=round(word.at),
            path=word.path or UNSET,
        )
    )


def _update(word: Progress, channel: Channel) -> bytes:
    entry = None if word.path else channel.entry(word.node_id)
    if entry is None or entry.status != "running" or entry.progress is UNSET:
        return b""
    fields = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return encode(NodeUpdate(data=NodeUpdateData(**fields, execution_id=word.execution_id)))
