"""A node that behaves as told, to try workflows, viewers and the engine itself."""

from __future__ import annotations

import asyncio
import threading
import time

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.answer import Output, Pass
from flowscope.nodes.context import NodeContext
from flowscope.nodes.sdk import NodeConfig, node

_SLICE = 0.05


class Simulate(NodeConfig):
    sleep: float = Field(0, ge=0, le=86_400, description="Seconds to wait")
    cpu: float = Field(0, ge=0, le=3_600, description="Seconds to keep a core busy")
    fail: bool | list[int] = Field(False, description="Fail: always, or at these attempts (the first is 1)")
    progress: int = Field(0, ge=0, le=10_000, description="Report progress in this many steps")
    stream: str = Field("", max_length=1_000_000, description="Text to stream, a word at a time")
    allocate: float = Field(0, ge=0, le=16_384, description="MiB of memory to hold while it works")
    output: JSON = Field(None, description="The output; the input where it is left out")


@node(
    "simulate",
    title="Simulate",
    category="testing",
    icon="flask-conical",
    effects="external",
    example={"sleep": 2, "progress": 4, "fail": [1], "stream": "Thinking about it"},
)
async def simulate(config: Simulate, context: NodeContext) -> Pass | Output:
    """Waits, computes, reports, streams, takes memory, fails: whatever a real node might do, on purpose."""
    held = bytearray(int(config.allocate * 1024 * 1024))
    words = config.stream.split(" ") if config.stream else []
    steps = max(1, config.progress, len(words))
    for step in range(steps):
        if step < len(words):
            context.stream(words[step] if step + 1 == len(words) else f"{words[step]} ")
        if config.sleep:
            await asyncio.sleep(config.sleep / steps)
        if config.cpu:
            await _compute(config.cpu / steps, context)
        if config.progress:
            context.progress((step + 1) / steps, f"step {step + 1} of {steps}")
    del held
    if context.attempt in config.fail if isinstance(config.fail, list) else config.fail:
        raise NodeError(f"Simulated failure of attempt {context.attempt}", code="SIMULATED")
    return Output(config.output) if "output" in config.model_fields_set else Pass()


async def _compute(seconds: float, context: NodeContext) -> None:
    """Burn processor time in a thread, which ends when this is cancelled."""
    stop = threading.Event()
    try:
        await asyncio.to_thread(_burn, seconds, stop, context)
    finally:
        stop.set()


def _burn(seconds: float, stop: threading.Event, context: NodeContext) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end and not stop.is_set() and not context.cancelled():
        slice_end = min(end, time.thread_time() + _SLICE)
        while time.thread_time() < slice_end:
            sum(range(1_000))
