"""A program's hold on a flowscope server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Literal
from urllib.parse import quote
from weakref import WeakSet

from flowscope.client.address import Address, execution_path
from flowscope.client.door import Door, Interrupted
from flowscope.client.failures import RequestRefused, ServerFailed, problems_of
from flowscope.client.pauses import Pauses
from flowscope.client.watch import Watch
from flowscope.errors import ExecutionActive, ExecutionEnded

ATTEMPTS: Final = 4
"""How often a request that may be repeated is sent, when its answer does not come."""


class Client:
    """One server. Use it as an asynchronous context manager, in one event loop.

    `silence`: seconds without a sign of life after which a connection is taken for dead, and made anew. `first_pause` and
    `longest_pause`: seconds; before coming back the client waits at random up to the first, doubled each time it fails again.
    """

    def __init__(
        self,
        url: str,
        api_key: str | None = None,
        *,
        silence: float = 40.0,
        first_pause: float = 0.25,
        longest_pause: float = 15.0,
    ) -> None:
        self._door = Door(Address.of(url), api_key, silence)
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._watches: WeakSet[Watch] = WeakSet()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End all that is watched, and the connections. Safe twice."""
        for watch in list(self._watches):
            await watch.close()
        await self._door.close()

    # --- starting ---

    async def start(
        self,
        workflow: str | Mapping[str, Any],
        input: Any = None,
        *,
        execution_id: str = "",
        trigger: str = "",
        version: int | None = None,
    ) -> str:
        """Start a run; its id, as soon as the start is durable and before anything need have run.

        `workflow` is the id of a stored one, or a document, which is stored first: under its id, as a new version if there is
        one of that id. Raises `WorkflowNotFound`, `DefinitionInvalid`, and `ExecutionActive` or `ExecutionEnded` for an
        `execution_id` that is taken.
        """
        if not isinstance(workflow, str):
            workflow, version = await self.store(workflow)
        wanted = execution_id or str(uuid.uuid4())
        body = {"workflowId": workflow, "executionId": wanted, "input": {} if input is None else input}
        body |= {"trigger": trigger} if trigger else {}
        body |= {"version": version} if version is not None else {}
        pauses = Pauses(self._first_pause, self._longest_pause)
        for attempt in range(ATTEMPTS):
            try:
                await self._ask("POST", "/api/executions", body)
            except ServerFailed as failed:
                if failed.status or attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(pauses.next())
                continue  # it may have been started; the id, which is the same, says whether
            except (ExecutionActive, ExecutionEnded):
                if not attempt or execution_id:
                    raise
            break
        return wanted

    async def store(self, document: Mapping[str, Any]) -> tuple[str, int]:
        """Store a workflow as its newest version; its id and version. `DefinitionInvalid` if it cannot be run."""
        workflow_id = document.get("id")
        if not workflow_id:
            stored = await self._ask("POST", "/api/workflows", document)
        else:
            path = f"/api/workflows/{quote(str(workflow_id), safe='')}"
            try:
                stored = await self._ask("PUT", path, document)
            except RequestRefused as refused:
                if refused.status != 428:  # there is one of that id
                    raise
                stored = await self._ask("PUT", path, document, {"if-match": "*"})
        if not stored["valid"]:
            raise problems_of(stored["problems"])
        return str(stored["id"]), int(stored["version"])

    # --- watching ---

    def watch(self, execution_id: str, after: int | None = None) -> Watch:
        """Its updates as they come, to its end: `async for update in client.watch(execution_id)`.

        Connections that fail are made again, for ever, and nothing is lost or told twice. `ServerUnreachable` is raised only if
        nothing has answered this client yet; `ExecutionNotFound` and `KeyRefused` at any time.
        """
        watch = Watch(self._door, execution_id, after, Pauses(self._first_pause, self._longest_pause))
        self._watches.add(watch)
        return watch

    # --- asking ---

    async def execution(self, execution_id: str) -> dict[str, Any]:
        """An execution with its nodes, as `GET /api/executions/ID` tells it."""
        found: dict[str, Any] = await self._ask("GET", execution_path(execution_id))
        return found

    async def output(self, execution_id: str) -> Any:
        """What a successful run came to, however large."""
        return await self._ask("GET", execution_path(execution_id, "output"))

    async def events(self, execution_id: str, after: int = 0) -> AsyncIterator[dict[str, Any]]:
        """The journal as it is now: the events with `seq > after`, in order."""
        while True:
            page = await self._ask("GET", f"{execution_path(execution_id, 'events')}?after={after}&format=json")
            for event in page["events"]:
                yield event
            if not page["more"] or page["lastSeq"] <= after:
                return
            after = page["lastSeq"]

    # --- commanding ---

    async def cancel(self, execution_id: str, reason: str = "") -> None:
        """End it; returns when that is durable."""
        await self._ask("POST", execution_path(execution_id, "cancel"), {"reason": reason})

    async def take_up(
        self, execution_id: str, origin: Literal["retry", "fork"], body: Mapping[str, Any], *, dry_run: bool = False
    ) -> dict[str, Any]:
        """Retry or fork it, as `POST /api/executions/ID/retry` and `…/fork` take it: the new run's `executionId`; with
        `dry_run` the plan. `RequestRefused` (409, with the plan) where something must be confirmed first."""
        path = execution_path(execution_id, origin) + ("?dryRun=true" if dry_run else "")
        answer: dict[str, Any] = await self._ask("POST", path, dict(body))
        return answer

    async def pause(self, execution_id: str) -> None:
        """Start nothing new; what runs finishes."""
        await self._ask("POST", execution_path(execution_id, "pause"))

    async def resume(self, execution_id: str) -> None:
        """End a pause."""
        await self._ask("POST", execution_path(execution_id, "resume"))

    async def signal(self, execution_id: str, name: str, payload: Any = None) -> None:
        """Answer what waits for that signal; `SignalNotAwaited` if nothing does."""
        await self._ask("POST", execution_path(execution_id, "signal"), {"name": name, "payload": payload})

    # --- what starts by itself, and what waits ---

    async def activate(self, workflow_id: str) -> dict[str, Any]:
        """Have its triggers start runs: `{id, active, since, triggers}`. `WorkflowNotFound`, `DefinitionInvalid`."""
        answer: dict[str, Any] = await self._ask("POST", f"/api/workflows/{quote(workflow_id, safe='')}/activate")
        return answer

    async def deactivate(self, workflow_id: str) -> None:
        """Have its triggers start nothing more; `WorkflowNotFound`."""
        await self._ask("POST", f"/api/workflows/{quote(workflow_id, safe='')}/deactivate")

    async def triggers(self, workflow_id: str = "") -> list[dict[str, Any]]:
        """The triggers of active workflows, or of one, as `GET /api/triggers` tells them."""
        answer = await self._ask("GET", f"/api/triggers?workflowId={quote(workflow_id, safe='')}")
        found: list[dict[str, Any]] = answer["triggers"]
        return found

    async def waiting(self, kind: str = "") -> list[dict[str, Any]]:
        """What waits for people, the longest first, 500 at most; `kind`: approval, form, signal or ask."""
        answer = await self._ask("GET", f"/api/waiting?kind={quote(kind, safe='')}&limit=500")
        found: list[dict[str, Any]] = answer["waiting"]
        return found

    async def decide(self, execution_id: str, approval_id: str, decision: str, comment: str = "") -> dict[str, Any]:
        """Decide an approval: `approved` or `rejected`. `RequestRefused` (409) if it is decided otherwise, (410) if its time is
        over."""
        path = execution_path(execution_id, f"approvals/{quote(approval_id, safe='')}")
        answer: dict[str, Any] = await self._ask("POST", path, {"decision": decision, "comment": comment})
        return answer

    async def _ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        try:
            return await self._door.ask(method, path, body, headers)
        except Interrupted as reason:
            raise ServerFailed(f"{self._door.address.url} did not answer: {reason}", status=0) from None
