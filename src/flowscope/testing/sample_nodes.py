"""Node types that runners are tried with. They stand in a module of their own, for a worker process to import."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.answer import Again, Answer, Assign, Call, Collected, Items, Output, Pass, Wait
from flowscope.nodes.context import NodeContext
from flowscope.nodes.sdk import NodeConfig, NodeType, node

_GLANCE = 0.01
"""Seconds between two looks for a file."""


class Sample(NodeConfig):
    """`path` is a file by which the test and the handler meet; `size` is bytes, `seconds` is how long."""

    do: str = "echo"
    path: str = ""
    size: int = 0
    seconds: float = 0
    value: JSON = None


ANSWERS: dict[str, Answer] = {
    "number": 1.5,
    "nothing": None,
    "output": Output({"a": [1, None, "é"]}, ("left", "right")),
    "pass": Pass("way"),
    "assign": Assign({"a": 1, "b": {"c": [2]}}),
    "items": Items([1, {"b": 2}, None], concurrency=3, collect_errors=True),
    "again": Again(),
    "collected": Collected(last=True, handle="done"),
    "wait": Wait(until=12.5, signal="go", detail="for it", kind="approval"),
    "call": Call(workflow_id="w", document=None, input={"a": 1}),
}


class BadWords(Exception):
    """One that cannot even be told."""

    def __str__(self) -> str:
        raise RuntimeError


@node("sample", title="Sample", category="testing", resources="cpu")
def sample(config: Sample, input: JSON, context: NodeContext) -> Any:
    """Does what its config says."""
    return _DEEDS[config.do](config, input, context)


@node("sample_async", title="Sample, async", category="testing", resources="cpu")
async def sample_async(config: Sample, input: JSON, context: NodeContext) -> Any:
    """The same on an event loop."""
    async with asyncio.timeout(60):
        if config.do == "sleep":
            await _sleep(config)
        await asyncio.sleep(0)
    return _DEEDS[config.do](config, input, context)


SAMPLES: tuple[NodeType, ...] = (sample, sample_async)


async def _sleep(config: Sample) -> None:
    _touch(config.path)
    try:
        await asyncio.sleep(config.seconds)
    except asyncio.CancelledError:
        _touch(f"{config.path}.cancelled")
        raise


def _touch(path: str) -> None:
    Path(path).touch()


def _put(path: str, text: str) -> None:
    """All of it or nothing: whoever writes may be killed at any moment."""
    draft = Path(f"{path}.new")
    draft.write_text(text)
    draft.replace(path)


def _echo(config: Sample, input: JSON, context: NodeContext) -> JSON:
    return {"config": config.value, "input": input, "node": context.node_id, "attempt": context.attempt}


def _answer(config: Sample, input: JSON, context: NodeContext) -> Answer:
    return ANSWERS[config.value]


def _fail(config: Sample, input: JSON, context: NodeContext) -> JSON:
    if config.value == "node":
        raise NodeError("It is broken", code="BROKEN", retryable=False)
    if config.value == "exit":
        sys.exit(3)
    if config.value == "words":
        raise BadWords
    raise ValueError(f"not this: {config.value}")


def _talk(config: Sample, input: JSON, context: NodeContext) -> JSON:
    context.progress(0.25, "begun")
    context.log("first")
    context.stream("so ")
    context.stream("far")
    context.log("second", "warning")
    context.progress(1.0, "done")
    return None


def _secret(config: Sample, input: JSON, context: NodeContext) -> JSON:
    context.log(f"it is {context.secret('token')}")
    return {"token": context.secret("token")}


def _no_json(config: Sample, input: JSON, context: NodeContext) -> JSON:
    return {"a": object()} if config.value == "object" else {"a": float("nan")}


def _large(config: Sample, input: JSON, context: NodeContext) -> JSON:
    return {"size": len(str(input)), "data": "x" * config.size}


def _spoil(config: Sample, input: JSON, context: NodeContext) -> JSON:
    input["spoiled"] = True
    return input


def _until(config: Sample, input: JSON, context: NodeContext) -> JSON:
    """Until the file is there."""
    Path(f"{config.path}.here").touch()
    while not Path(config.path).exists():
        time.sleep(_GLANCE)
    return None


def _heed(config: Sample, input: JSON, context: NodeContext) -> JSON:
    """Until it is cancelled."""
    Path(config.path).touch()
    while not context.cancelled():
        time.sleep(_GLANCE)
    Path(f"{config.path}.cancelled").touch()
    return None


def _hang(config: Sample, input: JSON, context: NodeContext) -> JSON:
    """For ever, and deaf; it counts in the file, so that one can see whether it goes on."""
    turns = 0
    while True:
        turns += 1
        _put(config.path, f"{os.getpid()} {turns}")
        time.sleep(_GLANCE)


def _burn(config: Sample, input: JSON, context: NodeContext) -> JSON:
    end = time.thread_time() + config.seconds
    while time.thread_time() < end:
        sum(range(1_000))
    return os.getpid()


def _die(config: Sample, input: JSON, context: NodeContext) -> JSON:
    """At the attempts in `value`, or always."""
    if config.path:
        with Path(config.path).open("a") as file:
            file.write(f"{context.attempt}\n")
    if config.value is None or context.attempt in config.value:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempt": context.attempt}


def _quit(config: Sample, input: JSON, context: NodeContext) -> JSON:
    os._exit(7)


def _hoard(config: Sample, input: JSON, context: NodeContext) -> JSON:
    return len(bytearray(config.size))


def _spawn(config: Sample, input: JSON, context: NodeContext) -> JSON:
    """A program that would outlive it."""
    program = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    _put(config.path, f"{os.getpid()} {program.pid}")
    program.wait()
    return None


def _print(config: Sample, input: JSON, context: NodeContext) -> JSON:
    print(config.value, flush=True)
    return None


def _who(config: Sample, input: JSON, context: NodeContext) -> JSON:
    return os.getpid()


_DEEDS = {
    "echo": _echo,
    "sleep": _echo,
    "answer": _answer,
    "fail": _fail,
    "talk": _talk,
    "secret": _secret,
    "no_json": _no_json,
    "large": _large,
    "spoil": _spoil,
    "until": _until,
    "heed": _heed,
    "hang": _hang,
    "burn": _burn,
    "die": _die,
    "quit": _quit,
    "hoard": _hoard,
    "spawn": _spawn,
    "print": _print,
    "who": _who,
}
