"""Nodes that do to a worker process what can be done to it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from flowscope.definition.workflow import JSON
from flowscope.nodes.context import NodeContext
from flowscope.nodes.sdk import NodeConfig, node

FATES = ("killed", "doomed", "hung", "stuck", "raising", "large")
LARGE = 50 * 1024 * 1024


class Rough(NodeConfig):
    """`token` is in the arguments of every program it starts."""

    number: int
    fate: str = ""
    token: str


@node("rough", title="Rough", category="testing", resources="cpu")
def rough(config: Rough, context: NodeContext) -> JSON:
    """Right in the end, unless it is doomed, stuck or raising."""
    _work(config.number)
    deed = _DEEDS.get(config.fate)
    if deed is not None:
        deed(config, context)
    return {"number": config.number, "data": data_of(config.number, config.fate)}


@node("weigh", title="Weigh", category="testing", resources="cpu")
def weigh(input: JSON) -> JSON:
    """What has arrived, in short."""
    digest = hashlib.sha256(input["data"].encode()).hexdigest()
    return {"number": input["number"], "size": len(input["data"]), "digest": digest}


def data_of(number: int, fate: str) -> str:
    """What a task with that fate gives back."""
    size = LARGE if fate == "large" else 100
    piece = f"{number:08d}"
    return piece * (size // len(piece))


def _work(number: int) -> int:
    return sum(value * value for value in range(2_000 + number % 7 * 1_000))


def _killed(config: Rough, context: NodeContext) -> None:
    if context.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def _doomed(config: Rough, context: NodeContext) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _hung(config: Rough, context: NodeContext) -> None:
    if context.attempt == 1:
        _stuck(config, context)


def _stuck(config: Rough, context: NodeContext) -> None:
    """Deaf, and with a program of its own."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", config.token])
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        time.sleep(3_600)


def _raising(config: Rough, context: NodeContext) -> None:
    raise ValueError(f"task {config.number} does not want to")


_DEEDS: dict[str, Callable[[Rough, NodeContext], None]] = {
    "killed": _killed,
    "doomed": _doomed,
    "hung": _hung,
    "stuck": _stuck,
    "raising": _raising,
}
