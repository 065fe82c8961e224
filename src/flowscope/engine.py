"""flowscope in one object: a store, an orchestrator and a state manager, joined.

async with Engine(".flowscope") as engine:
    run = await engine.start(workflow, {"orders": 3})
    async for event in run.events():
        ...
    print(await run.result())
"""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvloop

from flowscope.definition import load
from flowscope.definition.workflow import JSON, Workflow
from flowscope.errors import ExecutionNotFound, InputInvalid, NodeError, StoreCorrupt, StoreUnavailable
from flowscope.execution.events import TERMINAL, AnyEvent, ErrorInfo, ExecutionSucceeded
from flowscope.execution.state import recorded
from flowscope.journal import MemoryStore, ResultCache, SqliteStore
from flowscope.library import KeySettings, LibraryDatabase, Variables, Vault
from flowscope.library.sealing import FILE_VARIABLE, KEY_VARIABLE
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import Surroundings
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.clock import SystemClock
from flowscope.orchestrator.forking import ForkPlan, Revision
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.orchestrator.payloads import encode
from flowscope.orchestrator.ports import (
    UNENDED,
    Clock,
    ExecutionQuery,
    ExecutionRow,
    LogLine,
    NodeRunner,
    Progress,
    Publisher,
    Segment,
    Store,
)
from flowscope.orchestrator.state_manager import ExecutionStateManager
from flowscope.orchestrator.workflow_orchestrator import Outcome, WorkflowOrchestrator
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.worker_pool import WorkflowWorkerPool

DEFAULT_DATA_DIR = ".flowscope"
SWITCH_INTERVAL = 0.0005
SECRET_PREFIX = "FLOWSCOPE_SECRET_"


class ExecutionUnsuccessful(NodeError):
    """A run did not succeed; `outcome` says how it ended."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        error = outcome.error
        where = f" at {error.node_id}" if error and error.node_id else ""
        why = f": {error.message}" if error else ""
        super().__init__(f"Execution {outcome.execution_id} {outcome.status}{where}{why}")


def surroundings_of(environment: Mapping[str, str], data_dir: Path | None) -> Surroundings:
    """What nodes may touch, as the environment says: `FLOWSCOPE_FILE_ROOTS` (separated like PATH; default the working
    directory), `FLOWSCOPE_ALLOW_PRIVATE_ADDRESSES=1`, `FLOWSCOPE_ENV` (names of variables that expressions may read,
    separated by commas), `FLOWSCOPE_SECRET_<NAME>` (the secret `name`; the keys that seal the others are none),
    `FLOWSCOPE_CODE_NODE=1`, `FLOWSCOPE_PYTHON_FUNCTIONS` and `FLOWSCOPE_COMMANDS` (lists separated by commas)."""
    roots = environment.get("FLOWSCOPE_FILE_ROOTS") or str(Path.cwd())
    path = environment.get("PATH", os.defpath)
    return Surroundings(
        file_roots=tuple(Path(root).resolve() for root in roots.split(os.pathsep) if root),
        private=(data_dir.resolve(),) if data_dir else (),
        allow_private_addresses=environment.get("FLOWSCOPE_ALLOW_PRIVATE_ADDRESSES") == "1",
        code_nodes=environment.get("FLOWSCOPE_CODE_NODE") == "1",
        python_functions=tuple(_listed(environment, "FLOWSCOPE_PYTHON_FUNCTIONS")),
        commands={name: shutil.which(name, path=path) or "" for name in _listed(environment, "FLOWSCOPE_COMMANDS")},
        environment={name: environment[name] for name in _listed(environment, "FLOWSCOPE_ENV") if name in environment},
        secrets={
            key.removeprefix(SECRET_PREFIX).lower(): value
            for key, value in environment.items()
            if key.startswith(SECRET_PREFIX) and key not in (KEY_VARIABLE, FILE_VARIABLE)
        },
    )


def kept_surroundings(given: Surroundings, database: LibraryDatabase, keys: KeySettings) -> Surroundings:
    """Those, with the secrets, credentials and variables that are kept in a library."""
    return replace(Vault(database, keys).surroundings(given), variables=Variables(database))


def _listed(environment: Mapping[str, str], variable: str) -> list[str]:
    return [entry.strip() for entry in environment.get(variable, "").split(",") if entry.strip()]


class _Feed:
    """Wakes those who read an execution's events; a wake-up is a hint to read the journal, never the data."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[asyncio.Event]] = {}
        self.closed = False

    def close(self) -> None:
        """Nothing will be published any more: whoever waits hears of it."""
        self.closed = True
        for events in self.waiting.values():
            for event in events:
                event.set()

    def publish(self, segment: Segment, events: object) -> None:
        for event in self.waiting.get(segment.execution_id, ()):
            event.set()

    def murmur(self, word: Progress | LogLine) -> None:
        """Nothing: the ephemeral lane is not in the journal."""


class Run:
    """A handle on one execution; it may be live, waiting, ended, or not taken up."""

    def __init__(self, engine: Engine, execution_id: str, live: LiveExecution | None = None) -> None:
        self.execution_id = execution_id
        self._engine = engine
        self._live = live

    async def events(self, after: int = 0) -> AsyncIterator[AnyEvent]:
        """The durable events with `seq > after`, in order, until the run ends; `StoreUnavailable` if the engine stops first."""
        woken = asyncio.Event()
        waiting = self._engine._feed.waiting.setdefault(self.execution_id, [])
        waiting.append(woken)
        try:
            while True:
                woken.clear()
                for event in self._engine.orchestrator.library.history(self.execution_id, after):
                    yield event
                    after = event.seq
                    if isinstance(event, TERMINAL):
                        return
                row = self._engine.store.row(self.execution_id)
                if row is None:
                    raise ExecutionNotFound(self.execution_id)
                if row.last_seq > after:
                    continue
                if row.status not in UNENDED:
                    return
                if self._engine._feed.closed:
                    raise StoreUnavailable("flowscope has stopped; the execution goes on when it is taken up again")
                await woken.wait()
        finally:
            waiting.remove(woken)
            if not waiting:
                self._engine._feed.waiting.pop(self.execution_id, None)

    async def outcome(self) -> Outcome:
        """Wait for the end and say how it came; a `StoreError` if this process had to let the execution go."""
        orchestrator = self._engine.orchestrator
        live = self._live or orchestrator.live(self.execution_id)
        if live is not None:
            return await orchestrator.outcome(live)
        row = self._engine.store.row(self.execution_id)
        if row is None:
            raise ExecutionNotFound(self.execution_id)
        if not row.definition:
            return await self._reported_outcome()
        if row.status in UNENDED:
            return await orchestrator.outcome(await orchestrator.take_up(self.execution_id))
        try:
            return orchestrator.outcome_of(orchestrator.library.replay(self.execution_id, row.definition))
        except (StoreCorrupt, LookupError):
            # It was ended because it cannot be understood here; how it ended is known all the same.
            return _outcome_of(row, None)

    async def _reported_outcome(self) -> Outcome:
        """Of a run that somebody else runs: what its last event says, once there is one."""
        last: AnyEvent | None = None
        async for event in self.events():
            last = event
        row = self._engine.store.row(self.execution_id)
        if row is None or last is None:
            raise ExecutionNotFound(self.execution_id)
        output = recorded(last.output, last.output_blob) if isinstance(last, ExecutionSucceeded) else None
        return _outcome_of(row, None if output is None else self._engine.orchestrator.payloads.value(output))

    async def result(self) -> JSON:
        """Wait for the end; the output, or `ExecutionUnsuccessful`."""
        outcome = await self.outcome()
        if outcome.status != "success":
            raise ExecutionUnsuccessful(outcome)
        return outcome.output

    async def cancel(self, reason: str = "") -> None:
        await self._engine.orchestrator.cancel(self.execution_id, reason)

    async def pause(self) -> None:
        await self._engine.orchestrator.pause(self.execution_id)

    async def resume(self) -> None:
        await self._engine.orchestrator.resume(self.execution_id)

    async def signal(self, name: str, payload: JSON = None) -> None:
        await self._engine.orchestrator.signal(self.execution_id, name, payload)


def _outcome_of(row: ExecutionRow, output: JSON) -> Outcome:
    return Outcome(
        execution_id=row.execution_id,
        workflow_id=row.workflow_id,
        status=row.status,
        output=output,
        error=ErrorInfo("ExecutionFailed", row.error) if row.error else None,
        started_at=row.started_at,
        duration_ms=row.ended_at - row.started_at,
    )


class Engine:
    """Runs workflows durably in a directory; with `data_dir=None`, in memory only.

    `recover`: take up what an earlier process left unfinished. `surroundings`: what nodes may touch; by default what the
    environment says, and the secrets, credentials and variables kept in the directory. `runner`: what runs external nodes; by
    default a `WorkflowWorkerPool` set up by the environment, which starts processes when a node needs one. `grace`: seconds
    that running external nodes get at the end.
    """

    def __init__(
        self,
        data_dir: str | Path | None = DEFAULT_DATA_DIR,
        *,
        registry: Registry | None = None,
        surroundings: Surroundings | None = None,
        recover: bool = True,
        store: Store | None = None,
        publisher: Publisher | None = None,
        runner: NodeRunner | None = None,
        grace: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        directory = None if data_dir is None else Path(data_dir)
        self.registry = registry or builtin_registry()
        self.store: Store = store or (MemoryStore() if directory is None else SqliteStore(directory))
        self.results = ResultCache(directory)
        clock = clock or SystemClock()
        self.state_manager = ExecutionStateManager(self.store, clock)
        self._kept: LibraryDatabase | None = None
        self.orchestrator = WorkflowOrchestrator(
            self.state_manager,
            publisher,
            registry=self.registry,
            runner=runner or WorkflowWorkerPool(WorkerSettings.from_environment()),
            clock=clock,
            surroundings=surroundings or self._surroundings(directory),
            results=self.results,
        )
        self._recover = recover
        self._grace = grace
        self._feed = _Feed()
        self._switch_interval = SWITCH_INTERVAL
        self.orchestrator.publishers.append(self._feed)
        # Runs that are only reported do not pass the orchestrator; whoever watches is to see them all the same.
        self.state_manager.publishers += [one for one in self.orchestrator.publishers if one is not self.state_manager]

    def _surroundings(self, directory: Path | None) -> Surroundings:
        given = surroundings_of(os.environ, directory)
        if directory is None:
            return given
        self._kept = LibraryDatabase(directory)
        return kept_surroundings(given, self._kept, KeySettings.from_environment(os.environ))

    async def __aenter__(self) -> Engine:
        await self.start_up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.shut_down()

    async def start_up(self) -> None:
        """Open the store and begin; a `StoreError` says why it cannot."""
        # The journal's writer is a thread beside a busy event loop. With the interpreter's usual 5 ms between switches it
        # would wait that long at every step of a commit.
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(min(self._switch_interval, SWITCH_INTERVAL))
        self._feed.closed = False
        self.store.start()
        try:
            await self.orchestrator.start()
            if self._recover:
                await self.orchestrator.recover()
        except BaseException:
            self.store.stop()
            raise

    async def shut_down(self) -> None:
        """Stop accepting, let external nodes finish for the grace period, make durable what happened."""
        try:
            await self.orchestrator.stop(self._grace)
        finally:
            self.store.stop()
            self.results.stop()
            self._feed.close()
            if self._kept is not None:
                self._kept.stop()
        sys.setswitchinterval(self._switch_interval)

    async def start(
        self,
        workflow: Workflow | dict[str, JSON] | bytes | str,
        input: JSON = None,
        *,
        execution_id: str = "",
        trigger: str = "",
        user_id: str = "",
        use_worker_pool: bool = False,
    ) -> Run:
        """Start a workflow; returns when the start is durable. `DefinitionInvalid` names all that is wrong with it.

        `use_worker_pool`: all its external nodes run in worker processes, not only those with `resources: cpu`.
        """
        if not isinstance(workflow, Workflow):
            workflow = load(workflow, self.registry)
        data = encode({} if input is None else input)
        if execution_id and (len(execution_id) > 128 or not execution_id.isprintable()):
            raise InputInvalid("An execution id is 1 to 128 visible characters")
        live = await self.orchestrator.submit(
            workflow,
            data,
            execution_id=execution_id,
            trigger=trigger,
            user_id=user_id,
            use_worker_pool=use_worker_pool,
        )
        return Run(self, live.state.execution_id, live)

    async def take_up(self, execution_id: str) -> Run:
        """Go on with an unfinished execution in this process; `ExecutionNotFound`, `ExecutionEnded`."""
        return Run(self, execution_id, await self.orchestrator.take_up(execution_id))

    async def retry(
        self, execution_id: str, *, confirm: Sequence[str] = (), new_id: str = "", user_id: str = ""
    ) -> Run:
        """A new execution that goes on where a failed or cancelled one ended: what it had done is kept.

        `ConfirmationNeeded` names the nodes that would act outside once more; give their ids as `confirm`, or `"*"`.
        """
        revision = Revision(origin="retry", confirm=tuple(confirm))
        return await self._forked(execution_id, revision, new_id, user_id)

    async def fork(self, execution_id: str, revision: Revision, *, new_id: str = "", user_id: str = "") -> Run:
        """A new execution from any node of another, with another input, config or version; as `retry`."""
        return await self._forked(execution_id, revision, new_id, user_id)

    async def plan_fork(self, execution_id: str, revision: Revision) -> ForkPlan:
        """What `retry` or `fork` would keep, run again, and ask about."""
        return await self.orchestrator.forks.plan(execution_id, revision)

    async def _forked(self, execution_id: str, revision: Revision, new_id: str, user_id: str) -> Run:
        live = await self.orchestrator.forks.start(execution_id, revision, new_id=new_id, user_id=user_id)
        return Run(self, live.state.execution_id, live)

    def run(self, execution_id: str) -> Run:
        """A handle on an execution that exists; `ExecutionNotFound`."""
        if self.store.row(execution_id) is None:
            raise ExecutionNotFound(execution_id)
        return Run(self, execution_id)

    def executions(self, query: ExecutionQuery | None = None) -> list[ExecutionRow]:
        """The list of executions, newest first."""
        return list(self.store.search(query or ExecutionQuery()))


def run(
    workflow: Workflow | dict[str, JSON] | bytes | str,
    input: JSON = None,
    *,
    data_dir: str | Path | None = DEFAULT_DATA_DIR,
    registry: Registry | None = None,
) -> JSON:
    """Run one workflow to its end and return its output; blocking. `ExecutionUnsuccessful` if it fails."""

    async def whole() -> JSON:
        async with Engine(data_dir, registry=registry, recover=False) as engine:
            return await (await engine.start(workflow, input)).result()

    return run_loop(whole())


def load_workflow(source: str | Path | dict[str, JSON], registry: Registry | None = None) -> Workflow:
    """A workflow from a file, or from its JSON as a dict; `DefinitionInvalid` names all that is wrong with it."""
    document = source if isinstance(source, dict) else Path(source).read_bytes()
    return load(document, registry or builtin_registry())


def run_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine on a fresh uvloop.

    What is in memory by now, mostly modules, is kept from the garbage collector meanwhile: going through it again and again
    costs an engine under load a quarter of its speed.
    """
    gc.collect()
    gc.freeze()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    finally:
        gc.unfreeze()
