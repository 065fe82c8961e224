"""Node types that tests open and close."""

from __future__ import annotations

import asyncio
import threading

from flowscope.definition.workflow import JSON, Effects
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import NodeContext
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeType, node


def registry_with(*types: NodeType) -> Registry:
    """The built-in types and these."""
    registry = builtin_registry(entry_points=False)
    for node_type in types:
        registry.add(node_type)
    return registry


class Gate:
    """The type `gate`: passes its input on when the test opens it. `entered` is set when one has begun."""

    def __init__(self, effects: Effects = "external") -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.calls = 0
        self.cancelled = 0

        @node("gate", title="Gate", category="testing", effects=effects)
        async def gate(input: JSON) -> JSON:
            self.calls += 1
            self.entered.set()
            try:
                await self.open.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
            return input

        self.type = gate


class ThreadGate:
    """The type `thread_gate`: the same, blocking a thread. `told` is set when it has seen that it is to stop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.entered = asyncio.Event()
        self.told = asyncio.Event()
        self.open = threading.Event()
        self.calls = 0

        @node("thread_gate", title="Gate in a thread", category="testing", effects="external")
        def thread_gate(input: JSON, context: NodeContext) -> JSON:
            self.calls += 1
            self._loop.call_soon_threadsafe(self.entered.set)
            while not self.open.wait(0.002):
                if context.cancelled():
                    self._loop.call_soon_threadsafe(self.told.set)
                    break
            return input

        self.type = thread_gate
