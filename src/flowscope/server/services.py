"""What the server is made of, started and stopped as one: engine, library, live stream, keys, metrics.

`create_app` serves them over HTTP; `attach` puts them into somebody else's application. Nothing else makes one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from starlette.requests import HTTPConnection

from flowscope.definition import load
from flowscope.definition.document import Limits
from flowscope.definition.workflow import JSON, Workflow
from flowscope.engine import Engine
from flowscope.errors import DefinitionInvalid, InputInvalid, WorkflowNotFound
from flowscope.library import Activations, KeyRing, LibraryDatabase, StoredWorkflow, Variables, Vault, WorkflowLibrary
from flowscope.live.guard import Refusal as LiveRefusal
from flowscope.live.protocol import CloseCode
from flowscope.live.settings import LiveSettings
from flowscope.live.visualization_service import VisualizationService
from flowscope.log import get_logger
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeType
from flowscope.orchestrator.ports import Commit, Store
from flowscope.orchestrator.state_manager import ExecutionStateManager
from flowscope.server.catalogue import catalogue_document
from flowscope.server.credentials import PRINCIPAL, Credentials, Tickets
from flowscope.server.heat import HeatTables
from flowscope.server.histories import Histories
from flowscope.server.inbox import Inbox
from flowscope.server.iterations import IterationTables
from flowscope.server.limits import RateLimit
from flowscope.server.links import Links
from flowscope.server.metrics import Metrics
from flowscope.server.replies import Replies
from flowscope.server.reporters import Reporters
from flowscope.server.resting import Resting
from flowscope.server.retention import Retainer
from flowscope.server.security import Rules
from flowscope.server.settings import Settings
from flowscope.server.studio import Studio
from flowscope.server.waits import Waits
from flowscope.triggers import TriggerDesk
from flowscope.workers.worker_pool import WorkflowWorkerPool

log = get_logger("flowscope.server")

LOADED: Final = 256
"""Workflow versions kept ready to run."""

HASHES: Final = 10_000
"""Documents whose definition's hash is kept."""

FindWorkflow = Callable[[str], Awaitable[dict[str, JSON] | None]]
"""For an application that keeps its workflows itself: the document of an id, or None."""


class Services:
    """`start`, `stop` (safe twice, safe unstarted) and `statistics`. Belongs to one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry | None = None,
        store: Store | None = None,
        find_workflow: FindWorkflow | None = None,
    ) -> None:
        self.database = LibraryDatabase(settings.data_dir)
        self.vault = Vault(self.database, settings.sealing)
        self.variables = Variables(self.database)
        self.given_secrets = frozenset(settings.surroundings.secrets)
        kept = replace(self.vault.surroundings(settings.surroundings), variables=self.variables)
        self.settings = settings = replace(settings, surroundings=kept)
        self.limits = Limits(document_bytes=settings.max_definition_bytes)
        self.pool = WorkflowWorkerPool(settings.workers, registry=registry, surroundings=settings.surroundings)
        self.engine = Engine(
            settings.data_dir,
            registry=registry,
            surroundings=settings.surroundings,
            store=store,
            runner=self.pool,
            grace=settings.grace,
        )
        self.library = WorkflowLibrary(self.database)
        self.keys = KeyRing(self.database)
        self.tickets = Tickets()
        self.credentials = Credentials(self.keys, self.tickets)
        self.visualization = VisualizationService(
            self.engine.store,
            self.engine.state_manager,
            settings=LiveSettings(path=settings.ws_path, heartbeat_interval=settings.ws_heartbeat_interval_ms),
            authorize=_admitted,
            standing=self.engine.orchestrator.standing,
        )
        self.histories = Histories(self.engine)
        self.iterations = IterationTables(self.engine.store)
        self.metrics = Metrics(self.engine.orchestrator.statistics, self._viewers)
        self.reporters = Reporters(self.engine, settings.report_silence_ms)
        self.heat = HeatTables(self.engine.store)
        self.retainer = Retainer(self.engine.store, self.engine.orchestrator.clock, settings.keep, self._forget)
        self.waits = Waits(self.engine.orchestrator)
        self.inbox = Inbox(self.engine.orchestrator)
        self.replies = Replies(self.engine.orchestrator)
        activations = Activations(self.database)
        self.links = Links(lambda: activations.seal("links"))
        self.triggers = TriggerDesk(self.engine.orchestrator, activations, self.workflow)
        self.resting = Resting(self.library, self.triggers, self.engine.registry, self.limits)
        self.studio = Studio()
        self.started = False
        self._find_workflow = find_workflow
        self._loaded: OrderedDict[bytes, Workflow] = OrderedDict()
        self._hashes: OrderedDict[bytes, str] = OrderedDict()
        """By the SHA-256 of a document, that of the definition which it makes."""
        self._warming: asyncio.Future[None] | None = None
        self.engine.orchestrator.publishers += [self.visualization, self.metrics, self.waits]
        self.engine.orchestrator.publishers += [self.inbox, self.replies, self.triggers]
        self.engine.state_manager.publishers += [self.metrics, self.reporters]

    @property
    def state_manager(self) -> ExecutionStateManager:
        """The mission's `ExecutionStateManager`: where a handler of one's own reports its runs."""
        return self.engine.state_manager

    # --- life ---

    async def start(self) -> None:
        """Open what is kept, go on with what is unfinished, take viewers. A `StoreError` says why it cannot."""
        if self.started:
            return
        await self.engine.start_up()
        try:
            self.database.start()
            self.visualization.start()
            await self.reporters.start()
            await self.retainer.start()
            await asyncio.to_thread(self._define_active)
            await self.triggers.start()
        except BaseException:
            await self.stop()
            raise
        self._warming = asyncio.ensure_future(asyncio.to_thread(self._warm, tuple(self.engine.registry)))
        self.started = True
        log.info("server_started", data=str(self.settings.data_dir), keys=bool(self.keys))

    async def stop(self, code: CloseCode = CloseCode.RESTART) -> None:
        """Let viewers go, give running nodes the grace period, make durable what has happened, close."""
        self.started = False
        warming, self._warming = self._warming, None
        if warming is not None:
            await asyncio.wait({warming})
        self.visualization.stop(code)
        await self.reporters.stop()
        await self.retainer.stop()
        await self.triggers.stop()
        await self.engine.shut_down()
        self.database.stop()

    def _warm(self, kinds: tuple[NodeType, ...]) -> None:
        """What the first page asks for, made before it does."""
        catalogue_document(kinds)
        self.studio.warm()

    def statistics(self) -> dict[str, Any]:
        return {
            **self.engine.orchestrator.statistics(),
            "live": self.visualization.statistics(),
            "states": self.state_manager.statistics(),
            "triggers": self.triggers.statistics(),
        }

    def rules(self) -> Rules:
        """What the gate goes by."""
        settings = self.settings
        return Rules(
            hosts=settings.hosts,
            allowed_origins=settings.allowed_origins,
            max_body_bytes=settings.max_body_bytes,
            studio=self.studio,
            requests=RateLimit(settings.rate_limit, 2 * settings.rate_limit),
        )

    def _forget(self, execution_ids: Sequence[str]) -> None:
        """They have been pruned: what is kept of them for looking at goes too."""
        self.visualization.hub.forget(execution_ids)
        self.heat.forget(execution_ids)

    def _viewers(self) -> int:
        return self.visualization.get_stats()["totalClients"]

    # --- workflows ---

    async def workflow(self, workflow_id: str, version: int | None = None) -> Workflow:
        """The version that runs (the active one, or that one), ready to; `WorkflowNotFound`, `DefinitionInvalid`."""
        if self._find_workflow is not None:
            document = await self._find_workflow(workflow_id)
            if document is None:
                raise WorkflowNotFound(workflow_id)
            return load(document | {"id": workflow_id}, self.engine.registry, limits=self.limits)
        return self._load((await asyncio.to_thread(self._stored, workflow_id, version)).document)

    def _stored(self, workflow_id: str, version: int | None) -> StoredWorkflow:
        if version is not None:
            return self.library.taken(workflow_id, version)
        # Without an active version: the newest, for its problems are the answer.
        return self.library.active(workflow_id) or self.library.taken(workflow_id)

    def _load(self, document: bytes) -> Workflow:
        found = self._loaded.get(document)
        if found is None:
            found = self._loaded[document] = load(document, self.engine.registry, limits=self.limits)
            if len(self._loaded) > LOADED:
                self._loaded.popitem(last=False)
        else:
            self._loaded.move_to_end(document)
        return found

    def define(self, stored: StoredWorkflow) -> None:
        """Let the journal know a workflow's active version, so that others can call it as a sub-workflow."""
        if stored.active != stored.version:
            return
        known = self.engine.store.latest_definition(stored.workflow_id)
        content = sha256(stored.document).digest()
        if known is not None and self._hashes.get(content) == known[0]:
            return
        try:
            workflow = load(stored.document, self.engine.registry, limits=self.limits)
        except DefinitionInvalid as invalid:  # written for another catalogue: whoever starts it is told
            log.warning("workflow_not_runnable", workflow_id=stored.workflow_id, error=str(invalid))
            return
        self._hashes[content] = workflow.hash
        if len(self._hashes) > HASHES:
            self._hashes.popitem(last=False)
        if known is None or known[0] != workflow.hash:
            definition = (workflow.hash, workflow.id, workflow.name, workflow.document)
            self.engine.store.submit(Commit(definitions=[definition], done=lambda _: None))

    def _define_active(self) -> None:
        for stored in self.library.all_active():
            self.define(stored)


async def _admitted(scope: Any) -> LiveRefusal | None:
    """The gate stands before the socket and leaves its mark; without it nobody comes in."""
    return None if PRINCIPAL in scope else LiveRefusal(CloseCode.UNAUTHORIZED, "not admitted")


def services_of(connection: HTTPConnection) -> Services:
    """The services of the application that serves this request; `InputInvalid` if it has none."""
    services = getattr(connection.app.state, "flowscope", None)
    if not isinstance(services, Services):
        raise InputInvalid("flowscope is not part of this application: call flowscope.server.attach(app) first")
    return services
