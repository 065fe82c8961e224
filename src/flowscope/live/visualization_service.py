"""The mission's `VisualizationService`: the live stream as one object.

service = VisualizationService(engine.store, engine.state_manager)
engine.orchestrator.publishers.append(service)
service.initialize(app)      # mounts the WebSocket at /ws/executions
service.start()
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypedDict

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import ExecutionEnded
from flowscope.execution.events import NodeStarted
from flowscope.live.asgi import LiveEndpoint, Receive, Send
from flowscope.live.guard import Authorize, LoopbackGuard, Scope
from flowscope.live.hub import Hub, Standing
from flowscope.live.protocol import CloseCode
from flowscope.live.settings import LiveSettings
from flowscope.live.sse import stream
from flowscope.orchestrator.clock import SystemClock
from flowscope.orchestrator.ports import Clock, LogLine, Progress, Segment, Store
from flowscope.orchestrator.state_manager import ExecutionStateManager


class Stats(TypedDict):
    """`totalConnections` counts subscriptions: one client may watch many executions."""

    totalClients: int
    activeExecutions: int
    totalConnections: int


class VisualizationService:
    """Shows executions to whoever watches. It is a `Publisher`: give it to the orchestrator; runs that are only reported
    come through the state manager. `authorize` is asked before a connection is accepted; by default, only this machine's
    own programs and pages are let in (see `guard`). `standing`: what nodes have said that still holds (the orchestrator's)."""

    def __init__(
        self,
        store: Store,
        state_manager: ExecutionStateManager,
        clock: Clock | None = None,
        settings: LiveSettings | None = None,
        *,
        authorize: Authorize | None = None,
        standing: Standing = lambda execution_id: (),
    ) -> None:
        self.settings = settings or LiveSettings()
        self.state_manager = state_manager
        self._clock = clock or SystemClock()
        self.hub = Hub(store, self._clock, self.settings, standing=standing)
        guard = LoopbackGuard(self.settings.allowed_origins, self.settings.allowed_hosts)
        self.endpoint = LiveEndpoint(self.hub, authorize or guard)
        self._early: dict[tuple[str, str], Progress] = {}
        """Progress of reported nodes whose start is on its way to the disk."""

    # --- life ---

    def start(self) -> None:
        """Take viewers. Safe twice."""
        self.hub.start()
        if self not in self.state_manager.publishers:
            self.state_manager.publishers.append(self)

    def stop(self, code: CloseCode = CloseCode.RESTART) -> None:
        """Let all viewers go, with a code that says whether to come back. Safe twice, and unstarted."""
        self.hub.stop(code)
        if self in self.state_manager.publishers:
            self.state_manager.publishers.remove(self)

    def statistics(self) -> dict[str, Any]:
        return self.hub.statistics()

    def get_stats(self) -> Stats:
        statistics = self.hub.statistics()
        return {
            "totalClients": statistics["viewers"],
            "activeExecutions": statistics["watchedExecutions"],
            "totalConnections": statistics["subscriptions"],
        }

    # --- mounting ---

    def initialize(self, app: Any) -> Any:
        """Serve the WebSocket at `settings.path`. A Starlette or FastAPI application gets a route and is returned; any
        other ASGI application is wrapped, and the wrapper is to be served instead."""
        router = getattr(app, "router", None)
        if router is not None and hasattr(router, "routes"):
            from starlette.routing import WebSocketRoute

            # In front: a mount at "/" would swallow it. An instance, not a function, is served as plain ASGI.
            router.routes.insert(0, WebSocketRoute(self.settings.path, self.endpoint))
            return app
        return _Mounted(app, self.settings.path, self.endpoint)

    def stream(self, execution_id: str, after: int | None = None, *, until_end: bool = False) -> AsyncIterator[bytes]:
        """The same messages as Server-Sent Events, for a route that has checked its caller."""
        return stream(self.hub, execution_id, after, until_end=until_end)

    # --- the Publisher port ---

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        self.hub.publish(segment, events)
        if self._early:
            for event in events:
                word = self._early.pop((segment.execution_id, getattr(event, "node_id", "")), None)
                if word is not None and isinstance(event, NodeStarted):
                    self.hub.murmur(word)

    def murmur(self, word: Progress | LogLine) -> None:
        self.hub.murmur(word)

    # --- reporting ---

    def broadcast_node_update(self, execution_id: str, node_id: str, node_state: Mapping[str, JSON] | object) -> None:
        """Tell of a node of a reported run: recorded first, like all that is shown, and shown then. Saying again what is
        known changes nothing. `progress` (0 to 100) is shown and not recorded.

        `node_state` has `status`, and `nodeName`, `output`, `error`, `progress` as they apply. `InputInvalid` for a run that
        flowscope executes itself: its orchestrator tells of it.
        """
        state = node_state if isinstance(node_state, Mapping) else msgspec.to_builtins(node_state)
        name = str(state.get("nodeName") or node_id)
        try:
            self.state_manager.update_node_state(execution_id, node_id, name, str(state["status"]), state)
        except ExecutionEnded:
            return  # with its last node; who reports to both says it once more
        progress = state.get("progress")
        if isinstance(progress, int | float) and state["status"] == "running":
            word = Progress(execution_id=execution_id, node_id=node_id, at=self._clock.now(), fraction=progress / 100)
            if self._is_running(execution_id, node_id):
                self.hub.murmur(word)
            else:
                self._early[execution_id, node_id] = word

    def _is_running(self, execution_id: str, node_id: str) -> bool:
        """As its viewers have been told, who may be behind the journal."""
        told = self.hub.runs(execution_id, node_id)
        if told is not None:
            return told
        view = self.state_manager.view(execution_id)
        node = view.nodes.get(node_id) if view else None
        return node is not None and node.status == "running"


class _Mounted:
    """An ASGI application with the WebSocket beside it."""

    def __init__(self, app: Any, path: str, endpoint: LiveEndpoint) -> None:
        self._app = app
        self._path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "websocket" and scope["path"].removeprefix(scope.get("root_path", "")) == self._path
        await (self._endpoint if ours else self._app)(scope, receive, send)
