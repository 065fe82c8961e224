"""flowscope in somebody else's FastAPI or Starlette application.

flowscope = attach(app)                  # the journal, and the WebSocket at /ws/executions
flowscope = attach(app, at="/flowscope") # the whole server below a path as well
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount, WebSocketRoute

from flowscope.nodes.registry import Registry
from flowscope.orchestrator.ports import Store
from flowscope.server.app import create_app
from flowscope.server.security import Authorize, Gate
from flowscope.server.services import FindWorkflow, Services
from flowscope.server.settings import Settings


def attach(
    app: Starlette,
    settings: Settings | None = None,
    *,
    at: str = "",
    registry: Registry | None = None,
    store: Store | None = None,
    find_workflow: FindWorkflow | None = None,
    authorize: Authorize | None = None,
) -> Services:
    """Give an application live executions. Its own routes, middleware and lifespan stay as they are.

    The WebSocket is served at `WS_PATH`, guarded like the server's own; with `at`, all of flowscope is mounted there, the
    WebSocket included. `find_workflow` finds documents where the application keeps them; `authorize` asks it who may watch.
    `enhanced_execute_workflow(request)` in its routes runs workflows; `attach(app).state_manager` takes reports.
    """
    whole = create_app(settings, registry=registry, store=store, find_workflow=find_workflow, authorize=authorize)
    services: Services = whole.state.flowscope
    app.state.flowscope = services
    if at:
        app.router.routes.append(Mount(at, whole))
    gate = Gate(
        services.visualization.endpoint,
        rules=services.rules(),
        credentials=services.credentials,
        authorize=authorize,
    )
    app.router.routes.insert(0, WebSocketRoute(services.settings.ws_path, gate))
    _join_lifespans(app, services)
    return services


def _join_lifespans(app: Starlette, services: Services) -> None:
    """Start before the application's own start, so that it may already use us; stop after it."""
    theirs = app.router.lifespan_context

    @asynccontextmanager
    async def both(application: Any) -> AsyncIterator[Any]:
        await services.start()
        try:
            async with theirs(application) as state:
                yield state
        finally:
            await services.stop()

    app.router.lifespan_context = both
