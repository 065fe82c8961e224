"""The reader of WebSocket frames is held against the `websockets` library: the same messages, and the same refusals."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame
from websockets.frames import Opcode as Theirs
from websockets.protocol import OPEN, SERVER, Protocol

from flowscope.live.inbox import Inbox, Opcode, Violation

LIMIT = 2_000


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A frame, mostly a good one."""
    opcode = draw(st.sampled_from([0, 1, 1, 1, 2, 8, 9, 10, 3, 11]))
    size = draw(st.sampled_from([0, 1, 5, 125, 126, 300, LIMIT, LIMIT + 1]))
    payload = draw(st.binary(min_size=size, max_size=size))
    if opcode == 8 and size > 1:
        code = draw(st.sampled_from([0, 999, 1000, 1004, 1005, 1006, 1011, 1014, 1015, 2999, 3000, 4999, 5000]))
        payload = code.to_bytes(2, "big") + draw(st.sampled_from([payload[2:], b"x" * (size - 2)]))
    # The library counts a ping within a fragmented message against the message's limit: so no fragment comes near it.
    first = opcode | draw(st.sampled_from([128, 128, 128, 0, 192] if size < LIMIT else [128, 192]))
    masked = draw(st.sampled_from([128, 128, 128, 128, 0]))
    if size < 126 and (opcode >= 8 or draw(st.integers(0, 19))):
        head = bytes((first, masked | size))
    elif draw(st.booleans()):
        head = bytes((first, masked | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, masked | 127)) + size.to_bytes(8, "big")
    mask = draw(st.binary(min_size=4, max_size=4)) if masked else b""
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if mask else head + payload


def ours(chunks: list[bytes]) -> tuple[list[tuple[int, bytes]], int]:
    """The messages up to a close or a violation, and the violation's code."""
    inbox = Inbox(LIMIT)
    heard: list[tuple[int, bytes]] = []
    try:
        for chunk in chunks:
            for opcode, payload in inbox.feed(chunk):
                if opcode is Opcode.CLOSE:
                    return heard, 0
                heard.append((int(opcode), payload))
    except Violation as violation:
        return heard, violation.code
    return heard, 0


def theirs(chunks: list[bytes]) -> tuple[list[tuple[int, bytes]], int]:
    protocol = Protocol(SERVER, state=OPEN, max_size=LIMIT)
    heard: list[tuple[int, bytes]] = []
    kind, whole = 0, b""
    for chunk in chunks:
        protocol.receive_data(chunk)
        for event in protocol.events_received():
            assert isinstance(event, Frame)
            if event.opcode is Theirs.CLOSE:
                return heard, 0
            if event.opcode in (Theirs.PING, Theirs.PONG):
                heard.append((int(event.opcode), bytes(event.data)))
                continue
            if event.opcode is not Theirs.CONT:
                kind, whole = int(event.opcode), b""
            whole += bytes(event.data)
            if event.fin:
                heard.append((kind, whole))
        if protocol.parser_exc is not None:
            if protocol.close_rcvd is not None:  # a close within a fragmented message, which RFC 6455, 5.4 allows
                return heard, 0
            assert protocol.close_sent is not None
            return heard, int(protocol.close_sent.code)
    return heard, 0


@given(st.lists(written(), max_size=6), st.lists(st.integers(0, 4_000), max_size=5))
def test_it_reads_as_the_library_does(frames: list[bytes], cuts: list[int]) -> None:
    data = b"".join(frames)
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)} - {0}), len(data)]
    chunks = [data[one:two] for one, two in pairwise(edges)]
    heard, code = ours(chunks)
    wanted, refused = theirs(chunks)
    assert heard == wanted
    assert code == refused or (code, refused) == (1009, 1002) or (code, refused) == (1002, 1009)


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_any_bytes_are_read_or_refused(chunks: list[bytes]) -> None:
    heard, code = ours(chunks)
    assert code in (0, 1002, 1007, 1009)
    assert all(len(payload) <= LIMIT for _, payload in heard)
