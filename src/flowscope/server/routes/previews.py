"""What an expression would come to, with the data of a run: for whoever is writing it."""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from fastapi import Response

from flowscope.errors import ExpressionError
from flowscope.execution.events import NodeStarted
from flowscope.execution.state import State
from flowscope.expressions import Budget, compile_template, evaluate
from flowscope.orchestrator.payloads import encode
from flowscope.orchestrator.scope import NodeScope
from flowscope.server import schemas
from flowscope.server.problems import JsonResponse, Refusal
from flowscope.server.routes.subject import MISSING, Id, Served, router, told
from flowscope.server.services import Services

routes = router("previews")

LARGEST: Final = 64 * 1024
"""Bytes of a value that is shown whole."""

QUICK: Final = Budget(seconds=0.2)
"""It is worked out between two turns of the loop."""


@routes.post(
    "/api/executions/{execution_id}/nodes/{node_id}/evaluate", responses={**told(schemas.Evaluated), **MISSING}
)
async def evaluate_expression(
    services: Served, execution_id: Id, node_id: Id, wanted: schemas.EvaluateRequest
) -> Response:
    """The value of a text with expressions, as the node would have got it when it started in that execution. What is wrong
    with the expression is in the answer. Secrets are empty texts here."""
    state, path = await _moment(services, execution_id, node_id)
    frame = state.frames[path]
    number = frame.scope.index[node_id]
    engine = services.engine
    scope = NodeScope(state, frame, number, engine.orchestrator.payloads, services.settings.surroundings, frozenset())
    try:
        template = compile_template(wanted.template)
        value = evaluate(template, scope, QUICK, now=int(engine.orchestrator.clock.now()), clock=time.monotonic)
    except ExpressionError as error:
        return JsonResponse({"error": str(error)})
    return JsonResponse(_shown(encode(value)))


def _shown(data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST:
        return {"size": len(data), "preview": data[:2_000].decode("utf-8", "replace")}
    return {"value": msgspec.Raw(data)}


async def _moment(services: Services, execution_id: str, node_id: str) -> tuple[State, str]:
    """The execution as it was when the node last started, and where; or as it is, if it could start at the top level."""
    row = await services.histories.row(execution_id)
    events = await services.histories.events(execution_id)
    started = next((e for e in reversed(events) if isinstance(e, NodeStarted) and e.node_id == node_id), None)
    upto = events[: started.seq] if started else None
    state = await services.histories.state(row, upto if upto is not None else events)
    path = started.path if started else ""
    if state is None or path not in state.frames or node_id not in state.frames[path].scope.index:
        raise Refusal(404, "NODE_NOT_FOUND", f"Node {node_id} has not run in execution {execution_id}")
    return state, path
