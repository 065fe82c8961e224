"""`watch` and `run --url`: a run that a server executes, shown as if it were here.

The live stream says when there is news; what the displays draw is read from the journal, the same events as of a run in this
process. Who stops watching stops nothing: the run goes on.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from flowscope.cli.complaints import INTERRUPTED, say_note
from flowscope.cli.documents import read_document
from flowscope.cli.running import FRAME, Manner, display_of, heeded_signals, report, tick
from flowscope.cli.watcher import Watcher
from flowscope.client import Client, NodeLog, NodeProgress, ServerError, Watch
from flowscope.definition import decode
from flowscope.definition.document import parse
from flowscope.definition.workflow import JSON, Workflow
from flowscope.errors import DefinitionInvalid, FlowscopeError
from flowscope.execution.events import decode_lines
from flowscope.execution.view import ExecutionView, WorkflowShape
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.ports import LogLine, Progress
from flowscope.orchestrator.workflow_orchestrator import Outcome

KEY = "FLOWSCOPE_API_KEY"
"""The environment variable with the API key: on a command line others could read it."""


async def run_there(
    file: Path, registry: Registry, input: JSON, url: str, manner: Manner, *, execution_id: str = "", trigger: str = ""
) -> int:
    """Store the workflow on the server, start it, and watch it to its end; the exit code."""
    async with client_of(url) as client:
        started = await client.start(_document(file), input, execution_id=execution_id, trigger=trigger)
        return await _Viewing(client, started, url, manner).to_the_end(registry)


async def watch_there(execution_id: str, registry: Registry, url: str, manner: Manner) -> int:
    """Watch a run to its end; the exit code."""
    async with client_of(url) as client:
        return await _Viewing(client, execution_id, url, manner).to_the_end(registry)


def client_of(url: str) -> Client:
    """A client of that server, with the key from the environment."""
    return Client(url, os.environ.get(KEY))


def _document(file: Path) -> dict[str, JSON]:
    """The workflow as it is; without an id it goes by the file's name, so that a second run makes a version, not a copy."""
    value, _ = parse(read_document(file))
    if not isinstance(value, dict):
        decode(value)  # says what is wrong
        raise DefinitionInvalid([])
    return value if value.get("id") else {**value, "id": file.stem}


def _skeleton(execution: Mapping[str, Any]) -> Workflow | None:
    """A workflow with the execution's nodes, in their order; None where the server has no definition of it."""
    if not execution.get("definition"):
        return None
    nodes = [
        {"id": node["nodeId"], "data": {"type": "noop", "label": node["nodeName"]}}
        | ({"parentId": node["parentId"]} if "parentId" in node else {})
        for node in execution["nodes"]
    ]
    return decode({"id": execution["workflowId"], "nodes": nodes, "edges": []})


class _Viewing:
    """One run on the way from the server to a display."""

    def __init__(self, client: Client, execution_id: str, url: str, manner: Manner) -> None:
        self._client = client
        self._url = url
        self._manner = manner
        self._news = asyncio.Event()
        self._watch = client.watch(execution_id)
        self._watcher = Watcher(ExecutionView(execution_id))

    async def to_the_end(self, registry: Registry) -> int:
        """The exit code, which is the run's."""
        execution_id = self._watch.execution_id
        workflow = _skeleton(await self._client.execution(execution_id))
        shape = WorkflowShape.of(workflow) if workflow else None
        self._watcher.view = ExecutionView(execution_id, shape)
        plain = workflow or decode({"id": execution_id, "nodes": [], "edges": []})
        self._watcher.display = display_of(self._watcher, plain, registry, self._manner)
        with heeded_signals() as stopped:
            if not await self._follow(stopped):
                say_note(f"The run goes on. Watch it again with: {_watch_command(execution_id, self._url)}")
                return INTERRUPTED
        return report(await self._outcome(), self._watcher, self._manner)

    async def _follow(self, stopped: asyncio.Event) -> bool:
        """Whether the end was reached."""
        tasks = [
            asyncio.ensure_future(work)
            for work in (self._read(), self._listen(self._watch), stopped.wait(), tick(self._watcher))
        ]
        reading, listening, stopping, _ = tasks
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in (reading, listening):
                if task.done() and (error := task.exception()) is not None:
                    raise error
            return reading.done()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._watcher.close()

    async def _listen(self, watch: Watch) -> None:
        try:
            async for update in watch:
                if isinstance(update, NodeLog | NodeProgress):
                    self._watcher.murmur(_word(update))
                elif watch.cursor > self._watcher.view.seq:
                    self._news.set()
        except FlowscopeError:
            self._news.set()  # the reader asks the same server, and says what is wrong
            raise

    async def _read(self) -> None:
        """The events, some times a second at most, whenever there are new ones."""
        view = self._watcher.view
        while not view.ended:
            await self._news.wait()
            self._news.clear()
            try:
                async for event in self._client.events(view.execution_id, view.seq):
                    self._watcher.take(decode_lines(msgspec.json.encode(event))[0])
            except ServerError:
                self._news.set()  # it restarts, perhaps; the watch comes back too
            await asyncio.sleep(FRAME)

    async def _outcome(self) -> Outcome:
        view = self._watcher.view
        output = await self._client.output(view.execution_id) if view.status == "success" and view.definition else None
        return Outcome(
            execution_id=view.execution_id,
            workflow_id=view.workflow_id,
            status=view.status,
            output=output,
            error=view.error,
            started_at=view.start_time,
            duration_ms=view.duration or 0,
        )


def _word(update: NodeLog | NodeProgress) -> LogLine | Progress:
    data = update.data
    where: dict[str, Any] = {
        "execution_id": data.execution_id,
        "node_id": data.node_id,
        "path": data.path or "",
        "attempt": data.attempt,
        "at": data.timestamp,
    }
    if isinstance(update, NodeLog):
        return LogLine(**where, kind=update.data.kind, level=update.data.level, text=update.data.text)
    data = update.data
    return Progress(**where, fraction=data.progress / 100, message=data.message or "", detail=data.detail or "")


def _watch_command(execution_id: str, url: str) -> str:
    return f"flowscope watch {shlex.quote(execution_id)} --url {shlex.quote(url)}"
