"""Whether it is well."""

from __future__ import annotations

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST

from flowscope.server import schemas
from flowscope.server.problems import JsonResponse
from flowscope.server.routes.subject import Served, router, told

routes = router("health")


@routes.get("/health", responses=told(schemas.Health))
async def get_health(services: Served) -> Response:
    """Whether it takes work."""
    return JsonResponse({"status": "ok" if services.started else "starting"}, 200 if services.started else 503)


@routes.get("/health/live", responses=told(schemas.Health))
async def get_liveness() -> Response:
    """It answers, so it lives."""
    return JsonResponse({"status": "ok"})


@routes.get("/health/ready", responses={**told(schemas.Health), 503: {"model": schemas.Health}})
async def get_readiness(services: Served) -> Response:
    """200 while it takes work; 503 while it starts or stops."""
    if services.started:
        return JsonResponse({"status": "ready"})
    return JsonResponse({"status": "not ready"}, 503)


@routes.get("/metrics", responses={200: {"content": {"text/plain": {}}, "description": "For Prometheus"}})
async def get_metrics(services: Served) -> Response:
    """Runs, nodes, durations, viewers, the journal."""
    return Response(services.metrics.text(), media_type=CONTENT_TYPE_LATEST)
