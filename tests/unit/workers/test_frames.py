"""What crosses between the pool and its processes."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowscope.workers.frames import LARGE, AnyMessage, Cancel, Inbox, Parcel, Run, Said, send, send_at_once


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def arrived(there: socket.socket, inbox: Inbox, count: int) -> list[tuple[AnyMessage, bytes]]:
    found: list[tuple[AnyMessage, bytes]] = []
    while len(found) < count:
        assert inbox.read(there)
        found += inbox.messages()
    return found


def test_messages_come_whole_however_they_are_cut(line: tuple[socket.socket, socket.socket]) -> None:
    here, there = line
    said = Said(task=3, kind="info", fraction=0.5, text="é" * 10)
    data = Parcel(Run(task=1, memory=2), b'{"a":1}').data + Parcel(said).data + Parcel(Cancel(task=9)).data
    inbox = Inbox()
    found: list[tuple[AnyMessage, bytes]] = []
    for at in range(len(data)):
        here.sendall(data[at : at + 1])
        assert inbox.read(there)
        found += inbox.messages()
    assert found == [(Run(task=1, memory=2), b'{"a":1}'), (said, b""), (Cancel(task=9), b"")]


def test_large_payloads_do_not_go_through_the_line(line: tuple[socket.socket, socket.socket]) -> None:
    here, there = line
    here.setblocking(False)
    payloads = [b"a" * (LARGE + 1), b"b" * 10, b"c" * 30_000_000]
    assert all(send_at_once(here, Run(task=number), payload) for number, payload in enumerate(payloads))
    inbox = Inbox()
    assert [payload for _, payload in arrived(there, inbox, 3)] == payloads


def test_no_descriptor_is_left_open(line: tuple[socket.socket, socket.socket]) -> None:
    here, there = line
    before = _open_files()
    inbox = Inbox()
    for _ in range(3):
        send(here, Run(task=1), b"x" * (LARGE + 1))
    arrived(there, inbox, 3)
    for _ in range(2):
        send(here, Run(task=1), b"x" * (LARGE + 1))
    assert inbox.read(there)  # never taken out
    inbox.close()
    assert _open_files() - before <= 1  # one may still be on its way in the line
    assert inbox.read(there) if _open_files() > before else True
    inbox.close()


def test_a_line_that_is_full_is_told_and_one_that_is_gone_raises(line: tuple[socket.socket, socket.socket]) -> None:
    here, there = line
    here.setblocking(False)
    sent = 0
    while send_at_once(here, Run(task=1), b"x" * LARGE):
        sent += 1
    assert 0 < sent < 10_000
    there.close()
    with pytest.raises(OSError):
        send_at_once(here, Cancel(task=1))


def _open_files() -> int:
    return len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))
