"""What there is to build with, and what clients are to know."""

from __future__ import annotations

from importlib.metadata import version

import msgspec
from fastapi import Response

from flowscope.server import schemas
from flowscope.server.bodies import DEPTH
from flowscope.server.catalogue import catalogue_document
from flowscope.server.problems import JsonResponse, Refusal
from flowscope.server.routes.subject import MISSING, Id, Served, router, told

routes = router("catalogue")


@routes.get("/api/nodes", responses=told(schemas.Nodes))
async def list_nodes(services: Served) -> Response:
    """Every node type, with the JSON Schema of its config."""
    return JsonResponse(msgspec.Raw(catalogue_document(tuple(services.engine.registry))))


@routes.get("/api/nodes/{type}", responses={**told(schemas.Node), **MISSING})
async def get_node(services: Served, type: Id) -> Response:
    """One node type."""
    kind = services.engine.registry.find(type)
    if kind is None:
        instead = services.engine.registry.instead_of(type)
        raise Refusal(
            404, "NODE_TYPE_NOT_FOUND", f"There is no node type {type!r}" + (f". {instead}" if instead else "")
        )
    return JsonResponse(kind.to_object())


@routes.get("/api/config", responses=told(schemas.Config))
async def get_config(services: Served) -> Response:
    """The settings that concern clients."""
    settings = services.settings
    return JsonResponse(
        {
            "version": version("flowscope"),
            "authentication": services.credentials.required,
            "ui": {
                "refreshInterval": settings.ui_refresh_interval_ms,
                "animationEnabled": settings.ui_animation_enabled,
                "colorTheme": settings.ui_color_theme,
            },
            "worker": {
                "concurrency": settings.workers.concurrency,
                "timeout": settings.workers.timeout,
                "retryAttempts": settings.workers.retry_attempts,
                "pool": True,
            },
            "websocket": {"path": settings.ws_path, "heartbeatInterval": settings.ws_heartbeat_interval_ms},
            "limits": {
                "bodyBytes": settings.max_body_bytes,
                "definitionBytes": settings.max_definition_bytes,
                "jsonDepth": DEPTH,
                "requestsPerSecond": settings.rate_limit,
            },
        }
    )


@routes.get("/api", include_in_schema=False)
async def get_index() -> Response:
    """Where to go from here."""
    paths = ["/api/workflows", "/api/executions", "/api/nodes", "/api/config", "/health", "/metrics", "/openapi.json"]
    return JsonResponse({"name": "flowscope", "version": version("flowscope"), "see": paths})
