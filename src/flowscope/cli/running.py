"""`run` and `resume`: an engine, somebody watching, and what signals do.

The first Ctrl-C or SIGTERM stops gracefully: nothing new starts, what runs gets a little time, and the run is left to be
taken up again. The second ends the process at once, which loses nothing either: what was done is in the journal.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from flowscope.cli.complaints import FAILED, INTERRUPTED, SUCCESS, say_error, say_note
from flowscope.cli.live_tree import LiveTree
from flowscope.cli.plain_lines import PlainLines
from flowscope.cli.result import as_object, print_output, write_line
from flowscope.cli.watcher import Display, Silence, Watcher
from flowscope.definition import decode
from flowscope.definition.workflow import JSON, Workflow
from flowscope.engine import Engine, Run
from flowscope.errors import ExecutionNotFound, InputInvalid, StoreError
from flowscope.execution.view import ENDED, ExecutionView, WorkflowShape
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.report_desk import history
from flowscope.orchestrator.workflow_orchestrator import Outcome, new_execution_id

FRAME = 0.1
"""Seconds between two pictures."""

PATIENCE = {signal.SIGINT: 5.0, signal.SIGTERM: 30.0}
"""Seconds that running nodes get to finish."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a run is shown, and where it is kept."""

    data: Path
    json: bool = False
    quiet: bool = False


async def run_workflow(
    workflow: Workflow, registry: Registry, input: JSON, manner: Manner, *, execution_id: str = "", trigger: str = ""
) -> int:
    """Run it to its end; the exit code."""
    view = ExecutionView(execution_id or new_execution_id(), WorkflowShape.of(workflow))
    watcher = Watcher(view)
    async with Engine(manner.data, registry=registry, recover=False, publisher=watcher) as engine:
        watcher.display = display_of(watcher, workflow, registry, manner)
        with heeded_signals() as stopped:
            run = await engine.start(workflow, input, execution_id=view.execution_id, trigger=trigger)
            return await _follow(engine, run, watcher, manner, stopped)


async def follow_new(engine: Engine, workflow: Workflow, manner: Manner, start: Callable[[str], Awaitable[Run]]) -> int:
    """Start a run on an engine that is up, and follow it to its end; the exit code."""
    view = ExecutionView(new_execution_id(), WorkflowShape.of(workflow))
    watcher = Watcher(view)
    engine.orchestrator.publishers.append(watcher)
    watcher.display = display_of(watcher, workflow, engine.registry, manner)
    with heeded_signals() as stopped:
        return await _follow(engine, await start(view.execution_id), watcher, manner, stopped)


async def resume_execution(execution_id: str, manner: Manner, signals: dict[str, JSON]) -> int:
    """Go on with it to its end, first answering what it waits for; one that has ended shows its end again. The exit code."""
    watcher = Watcher(ExecutionView(execution_id))
    async with Engine(manner.data, recover=False, publisher=watcher) as engine:
        row = engine.store.row(execution_id)
        if row is None:
            raise ExecutionNotFound(execution_id)
        if not row.definition:
            raise InputInvalid(f"Execution {execution_id} was only reported to flowscope: it cannot be run here")
        workflow = decode(engine.store.definition(row.definition))
        watcher.view = ExecutionView(execution_id, WorkflowShape.of(workflow))
        _catch_up(engine, watcher)
        if row.status in ENDED:
            say_note(f"Execution {execution_id} had already ended: {row.status}")
            return report(await engine.run(execution_id).outcome(), watcher, manner)
        watcher.display = display_of(watcher, workflow, engine.registry, manner)
        with heeded_signals() as stopped:
            try:
                run = await engine.take_up(execution_id)
            except LookupError as error:
                raise InputInvalid(f"Execution {execution_id} cannot be run here: {error}") from None
            for name, payload in signals.items():
                await run.signal(name, payload)
            return await _follow(engine, run, watcher, manner, stopped)


def display_of(watcher: Watcher, workflow: Workflow, registry: Registry, manner: Manner) -> Display:
    """A live tree on a terminal, lines elsewhere, or nothing."""
    if manner.json or manner.quiet:
        return Silence()
    limits = _limits(workflow, registry)
    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveTree(watcher.view, workflow, limits, watcher.progress, console, _now)
    return PlainLines(watcher.view, limits, sys.stdout, _now)


def _limits(workflow: Workflow, registry: Registry) -> dict[str, int]:
    """How often each node may be tried, where that is more than once."""
    limits = {}
    for node in workflow.nodes:
        kind = registry.find(node.type)
        retry = node.policy.retry or (kind.retry if kind else None)
        if retry and retry.attempts > 1:
            limits[node.id] = retry.attempts
    return limits


def _now() -> float:
    return time.time() * 1000


class Stopped(asyncio.Event):
    """Set by the first signal, which it names."""

    signal = signal.SIGINT


@contextmanager
def heeded_signals() -> Iterator[Stopped]:
    """Inside, the first signal sets the event, and the second ends the process."""
    stopped = Stopped()
    loop = asyncio.get_running_loop()

    def stop(which: signal.Signals) -> None:
        if stopped.is_set():
            os._exit(INTERRUPTED)
        stopped.signal = which
        stopped.set()

    for which in PATIENCE:
        loop.add_signal_handler(which, stop, which)
    try:
        yield stopped
    finally:
        for which in PATIENCE:
            loop.remove_signal_handler(which)


async def _follow(engine: Engine, run: Run, watcher: Watcher, manner: Manner, stopped: Stopped) -> int:
    outcome = asyncio.ensure_future(run.outcome())
    waiting = asyncio.ensure_future(stopped.wait())
    ticking = asyncio.ensure_future(tick(watcher))
    try:
        await asyncio.wait({outcome, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not outcome.done():
            await _stop(engine, watcher, stopped, outcome)
    finally:
        ticking.cancel()
        waiting.cancel()
    if outcome.done() and not outcome.exception():
        _catch_up(engine, watcher)
        watcher.close()
        return report(outcome.result(), watcher, manner)
    watcher.close()
    if stopped.is_set():
        _say_interrupted(watcher, manner)
        return INTERRUPTED
    return _say_let_go(outcome.exception(), run.execution_id, manner)


async def tick(watcher: Watcher) -> None:
    """Have the display draw again and again, until cancelled."""
    while True:
        watcher.tick()
        await asyncio.sleep(FRAME)


async def _stop(engine: Engine, watcher: Watcher, stopped: Stopped, outcome: asyncio.Future[Any]) -> None:
    watcher.close()
    watcher.display = Silence()
    running = watcher.view.counts["running"]
    patience = PATIENCE[stopped.signal]
    if running:
        say_note(f"Stopping: what runs has {patience:g} s to finish. Ctrl-C again stops at once")
    await engine.orchestrator.stop(patience)
    await asyncio.wait({outcome})


def _catch_up(engine: Engine, watcher: Watcher) -> None:
    for event in history(engine.store, watcher.view.execution_id, watcher.view.seq):
        watcher.view.apply(event)


# --- the end ---


def report(outcome: Outcome, watcher: Watcher, manner: Manner) -> int:
    """Print how it ended; the exit code."""
    success = outcome.status == "success"
    with suppress(BrokenPipeError):  # how the run ended does not depend on anybody reading it
        if manner.json:
            write_line(msgspec.json.encode(as_object(outcome, watcher.view)))
        elif success:
            if not manner.quiet:
                print(flush=True)
            print_output(outcome.output)
    if not success:
        say_error(_sentence(outcome, watcher))
    return SUCCESS if success else FAILED


def _sentence(outcome: Outcome, watcher: Watcher) -> str:
    """How a run ended that did not succeed."""
    error = outcome.error
    what = "was cancelled" if outcome.status == "cancelled" else outcome.status
    if error is None:
        return f"The run {what}"
    node = watcher.view.nodes.get(error.node_id)
    name = node.node_name if node else error.node_id
    where = f" at {name!r}" if name else ""
    if name and name != error.node_id:
        where += f" ({error.node_id})"
    return f"The run {what}{where}: {error.message}"


def _say_interrupted(watcher: Watcher, manner: Manner) -> None:
    view = watcher.view
    if manner.json:
        started = view.start_time
        unfinished = Outcome(
            execution_id=view.execution_id,
            workflow_id=view.workflow_id,
            status=view.status,
            started_at=started,
            duration_ms=_now() - started,
        )
        write_line(msgspec.json.encode(as_object(unfinished, view)))
    say_note(f"Interrupted. Go on with: {_resume_command(view.execution_id, manner)}")


def _say_let_go(error: BaseException | None, execution_id: str, manner: Manner) -> int:
    if not isinstance(error, StoreError):
        raise error or AssertionError("a run without an outcome")
    say_error(str(error))
    say_note(f"What was recorded is kept. Go on with: {_resume_command(execution_id, manner)}")
    return FAILED


def _resume_command(execution_id: str, manner: Manner) -> str:
    data = "" if manner.data == Path(".flowscope") else f" --data {shlex.quote(str(manner.data))}"
    return f"flowscope resume {execution_id}{data}"
