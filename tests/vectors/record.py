"""Vectors of the live stream: python -m tests.vectors.record

Each holds what a client of `flowscope.v1`, or one without frames, may receive of a recorded run (with what networks do to it:
things lost, things twice, a snapshot in pages, words of the ephemeral lane) and what must have come of it: the outcome of each
message, and the state in the end. The fold in Python and the one in the browser (`web/execution`) are checked with the same.

`visual` follows from the rest of a node and is left out of the states: the browser does not keep it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from flowscope.definition import decode
from flowscope.execution.events import decode_lines
from flowscope.execution.view import WorkflowShape
from flowscope.live.channel import Channel, Tail
from flowscope.live.client_fold import ClientFold
from flowscope.live.parcel import frames, singles
from flowscope.live.translation import Encoded, Translator

FILE = Path(__file__).with_name("live.json")
HISTORIES = Path(__file__).parent.parent / "histories"

Messages = list[dict[str, Any]]


class Story:
    """One recorded run: the snapshot before its first event, and the messages of each event."""

    def __init__(self, file: Path) -> None:
        history = json.loads(file.read_text(encoding="utf-8"))
        self.execution_id: str = history["executionId"]
        self._shape = WorkflowShape.of(decode(history["workflow"]))
        events = decode_lines("".join(line + "\n" for line in history["journal"]).encode())
        translator = Translator(self.execution_id, self._shape)
        self.steps: list[tuple[int, Sequence[Encoded]]] = []
        self.snapshots = [self._snapshot(translator)]
        for event in events:
            self.steps.append((event.seq, translator.translate(event)))
            self.snapshots.append(self._snapshot(translator))

    @staticmethod
    def _snapshot(translator: Translator) -> dict[str, Any]:
        (page,) = Channel(translator, Tail(0, 0)).snapshot()
        return plain(page.texts[0])

    def frame(self, first: int, last: int) -> Messages:
        """The frame of the events with these numbers, from 1."""
        messages = [message for _, step in self.steps[first - 1 : last] for message in step]
        return [plain(text) for text in frames(self.execution_id, first - 1, last, messages).texts]

    def singles(self, first: int, last: int) -> Messages:
        messages = [message for _, step in self.steps[first - 1 : last] for message in step]
        return [plain(text) for text in singles(messages).texts]


def plain(text: bytes) -> dict[str, Any]:
    message: dict[str, Any] = msgspec.json.decode(text)
    return message


def framed(story: Story, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Frames of a few events each; some twice, some lost and asked for again."""
    yield story.snapshots[0]
    last = 0
    while last < len(story.steps):
        upto = min(len(story.steps), last + chance.randint(1, 5))
        frame = story.frame(last + 1, upto)
        what = chance.random()
        if what < 0.2 and upto < len(story.steps):
            yield from story.frame(upto + 1, min(len(story.steps), upto + 2))  # does not follow: a gap
        yield from frame
        if what > 0.8:
            yield from frame
        yield from words(story, upto, chance)
        last = upto
    yield {"type": "CAUGHT_UP", "executionId": story.execution_id, "seq": last}


def unframed(story: Story, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Single messages; a connection that broke in the middle of an event, and one that was too slow."""
    yield story.snapshots[0]
    middle = max(1, len(story.steps) // 2)
    messages = story.singles(1, middle)
    yield from messages
    yield from messages[-3:]
    yield {"type": "LAGGED", "executionId": story.execution_id, "from": middle + 1, "to": middle + 1}
    yield from pages(story.snapshots[middle + 1] if middle + 1 < len(story.snapshots) else story.snapshots[-1])
    yield from words(story, middle, chance)
    yield from story.singles(middle + 1, len(story.steps))
    yield {**story.snapshots[0], "data": {**story.snapshots[0]["data"], "executionId": "another"}}


def pages(snapshot: dict[str, Any]) -> Iterator[dict[str, Any]]:
    data = snapshot["data"]
    half = max(1, len(data["nodes"]) // 2)
    for page, nodes in enumerate((data["nodes"][:half], data["nodes"][half:]), 1):
        yield {**snapshot, "data": {**data, "nodes": nodes, "page": page, "pages": 2}}


def words(story: Story, upto: int, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Progress of a node that may, or may not, be running."""
    node = chance.choice(story.snapshots[upto]["data"]["nodes"])
    yield {
        "type": "NODE_PROGRESS",
        "data": {
            "executionId": story.execution_id,
            "nodeId": node["nodeId"],
            "attempt": node.get("attempt", 1) + (chance.random() < 0.2),
            "progress": chance.randint(0, 100),
            "timestamp": 1,
        },
    }


def vector(name: str, execution_id: str, messages: Messages) -> dict[str, Any]:
    fold = ClientFold(execution_id)
    outcomes = [fold.receive(json.loads(json.dumps(message))).value for message in messages]
    return {
        "name": name,
        "executionId": execution_id,
        "messages": messages,
        "outcomes": outcomes,
        "caughtUp": fold.caught_up,
        "state": without_visual(fold.state()),
    }


def without_visual(state: dict[str, Any]) -> dict[str, Any]:
    nodes = [{key: value for key, value in node.items() if key != "visual"} for node in state["nodes"]]
    return {**state, "nodes": nodes}


def vectors() -> list[dict[str, Any]]:
    made = []
    for file in sorted(HISTORIES.glob("*.json")):
        story = Story(file)
        for way in (framed, unframed):
            chance = random.Random(f"{file.stem} {way.__name__}")
            made.append(vector(f"{file.stem}, {way.__name__}", story.execution_id, list(way(story, chance))))
    return made


def text() -> str:
    """The file: a line a vector."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in vectors())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
