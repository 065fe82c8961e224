"""What `respond_to_webhook` nodes answer, for the requests that wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.responses import Response

from flowscope.execution.events import NodeSucceeded
from flowscope.execution.state import recorded
from flowscope.nodes.response import RESPONSE
from flowscope.orchestrator.ports import LogLine, Progress, Segment
from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

RESPONDS = "respond_to_webhook"


class Replies:
    """A publisher that hands the first answer of a run to whoever waits for it."""

    def __init__(self, orchestrator: WorkflowOrchestrator) -> None:
        self._orchestrator = orchestrator
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def expect(self, execution_id: str) -> asyncio.Future[dict[str, Any]]:
        """The answer of a run that is about to start; `forget` it in the end."""
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[execution_id] = future
        return future

    def forget(self, execution_id: str) -> None:
        self._waiting.pop(execution_id, None)

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        future = self._waiting.get(segment.execution_id) if self._waiting else None
        if future is None or future.done():
            return
        live = self._orchestrator.live(segment.execution_id)
        kinds = {node.id: node.type for node in live.state.plan.workflow.nodes} if live else {}
        for event in events:
            if isinstance(event, NodeSucceeded) and kinds.get(event.node_id) == RESPONDS:
                payload = recorded(event.output, event.output_blob)
                value = self._orchestrator.payloads.value(payload) if payload is not None else None
                answer = value.get(RESPONSE) if isinstance(value, dict) else None
                if isinstance(answer, dict):
                    future.set_result(answer)
                    return

    def murmur(self, word: Progress | LogLine) -> None:
        """Nothing: an answer is a fact."""


def reply(answer: dict[str, Any]) -> Response:
    """An answer as HTTP. A page of our own origin cannot be made of it: what it may be is a short list, without HTML."""
    body, kind = answer.get("body"), str(answer.get("contentType", "application/json"))
    data = body.encode() if isinstance(body, str) and kind != "application/json" else msgspec.json.encode(body)
    headers = {str(name).lower(): str(value) for name, value in dict(answer.get("headers") or {}).items()}
    headers.pop("content-type", None)
    return Response(data, int(answer.get("status", 200)), headers=headers, media_type=kind)
