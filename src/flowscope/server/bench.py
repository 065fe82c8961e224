"""One node, tried on its own: a run of one node in an engine that keeps nothing.

So the node meets the same templates, guards, time-outs and retries as in a workflow, and leaves no trace in the history.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

import msgspec

from flowscope.definition import load
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.payloads import encode
from flowscope.orchestrator.ports import NodeRunner
from flowscope.server.settings import Settings
from flowscope.server.waits import Pause, Waits
from flowscope.workers.guest import Guest

AT_ONCE: Final = 8
"""Nodes tried at the same time; others queue."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Which node to try, as the old system names it."""

    node_id: str
    node_type: str
    config: dict[str, JSON]
    input: JSON
    run_id: str = ""
    workflow_id: str = ""


class Bench:
    """Tries nodes."""

    def __init__(self, registry: Registry, settings: Settings, pool: NodeRunner) -> None:
        self._registry = registry
        self._settings = settings
        self._pool = pool
        self._places = asyncio.Semaphore(AT_ONCE)

    async def try_out(self, trial: Trial) -> dict[str, Any]:
        """Its answer; `DefinitionInvalid` for an unknown type or a config that cannot be."""
        node = {"id": trial.node_id, "data": {"type": trial.node_type, "label": trial.node_id, "config": trial.config}}
        document = {"id": trial.workflow_id or "trial", "nodes": [node], "edges": []}
        workflow = load(document, self._registry)
        began = time.perf_counter()
        async with self._places:
            engine = Engine(
                None,
                registry=self._registry,
                surroundings=self._settings.surroundings,
                recover=False,
                runner=Guest(self._pool),
                grace=0,
            )
            waits = Waits(engine.orchestrator)
            engine.orchestrator.publishers.append(waits)
            async with engine:
                live = await engine.orchestrator.submit(workflow, encode(trial.input))
                result = await waits.answer(live)
        answer: dict[str, Any] = {
            "success": False,
            "output": None,
            "executionTime": round((time.perf_counter() - began) * 1000),
            "nodeId": trial.node_id,
            "nodeType": trial.node_type,
            "runId": trial.run_id or live.state.execution_id,
        }
        if isinstance(result, Pause):
            return answer | {"error": "The node waits for something that does not come while it is tried on its own"}
        if result.status == "success":
            return answer | {"success": True, "output": result.output}
        return answer | {"error": result.error.message if result.error else result.status}
