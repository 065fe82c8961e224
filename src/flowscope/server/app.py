"""The composition root: settings in, an ASGI application out. Every part is made here, and joined here.

Gate ── FastAPI ──┬── routes
                  └── WS_PATH ── VisualizationService
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from flowscope.errors import FlowscopeError
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.ports import Store
from flowscope.server import problems
from flowscope.server.bench import Bench
from flowscope.server.routes import (
    access,
    approvals,
    catalogue,
    chronicles,
    commands,
    executing,
    executions,
    forks,
    forms,
    health,
    hooks,
    previews,
    secrets,
    triggers,
    workflows,
)
from flowscope.server.security import Authorize, Gate
from flowscope.server.services import FindWorkflow, Services
from flowscope.server.settings import Settings
from flowscope.server.studio import SECTIONS
from flowscope.server.webhooks import Signatures

SUBJECTS = (
    health,
    executing,
    commands,
    executions,
    forks,
    chronicles,
    previews,
    workflows,
    triggers,
    hooks,
    forms,
    approvals,
    catalogue,
    access,
    secrets,
)


def create_app(
    settings: Settings | None = None,
    *,
    registry: Registry | None = None,
    store: Store | None = None,
    find_workflow: FindWorkflow | None = None,
    authorize: Authorize | None = None,
) -> FastAPI:
    """The whole server as an ASGI application; its lifespan starts and stops what is behind it (`app.state.flowscope`).

    `settings`: by default the environment's. `registry`: the node types. `authorize` takes the place of API keys. Mounted
    in another application it needs that one's lifespan: `attach(app, at="/flowscope")` sees to it.
    """
    services = Services(
        settings or Settings.from_environment(), registry=registry, store=store, find_workflow=find_workflow
    )
    app = FastAPI(
        title="flowscope",
        version=version("flowscope"),
        description="Executes workflows durably and shows them executing, live.",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.flowscope = services
    app.state.bench = Bench(services.engine.registry, services.settings, services.pool)
    app.state.signatures = Signatures()
    for subject in SUBJECTS:
        app.include_router(subject.routes)
    for path in ("", *SECTIONS, *(f"{section}/{{rest:path}}" for section in SECTIONS)):
        app.add_route(f"/{path}", services.studio.page, methods=["GET"], include_in_schema=False)
    app.add_route("/assets/{name:path}", services.studio.asset, methods=["GET"], include_in_schema=False)
    services.visualization.initialize(app)
    app.add_exception_handler(FlowscopeError, problems.on_error)
    app.add_exception_handler(HTTPException, problems.on_http_exception)
    app.add_exception_handler(RequestValidationError, problems.on_invalid_request)
    app.add_middleware(Gate, rules=services.rules(), credentials=services.credentials, authorize=authorize)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.flowscope
    await services.start()
    try:
        yield
    finally:
        await services.stop()
