"""Executions, as they were and are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Header, Query, Response
from fastapi.responses import StreamingResponse

from flowscope.live.sse import HEADERS, MEDIA_TYPE, last_event_id
from flowscope.orchestrator.ports import ExecutionQuery, ExecutionRow
from flowscope.server import schemas
from flowscope.server.histories import event_lines, top_lines
from flowscope.server.problems import JsonResponse, Refusal
from flowscope.server.records import execution_object, iso, log_entries, row_object, status_object
from flowscope.server.routes.subject import MISSING, After, Id, Limit, Served, cursor_of, read_cursor, router, told

routes = router("executions")

NDJSON = "application/x-ndjson"

Status = Literal["pending", "running", "waiting", "success", "failed", "cancelled"]
_PAYLOAD: Any = {200: {"content": {"application/json": {"schema": {}}}, "description": "The value itself"}}


@routes.get("/api/executions", responses=told(schemas.Rows))
async def list_executions(
    services: Served,
    status: Annotated[Sequence[Status], Query(description="Only these; may be given again")] = (),
    workflow_id: Annotated[str, Query(alias="workflowId", max_length=128)] = "",
    search: Annotated[str, Query(max_length=200, description="In ids, names and errors")] = "",
    started_after: Annotated[datetime | None, Query(alias="startedAfter")] = None,
    started_before: Annotated[datetime | None, Query(alias="startedBefore")] = None,
    parent: Annotated[str, Query(max_length=512)] = "",
    called: Annotated[bool, Query(description="Also those that another run called, as a sub-workflow")] = True,
    cursor: Annotated[str, Query(max_length=1_000)] = "",
    limit: Limit = 50,
) -> Response:
    """Newest first, a page at a time: send `nextCursor` as `cursor` for the next."""
    query = ExecutionQuery(
        workflow_id=workflow_id,
        statuses=tuple(dict.fromkeys(status)),
        text=search,
        started_after=_instant(started_after),
        started_before=_instant(started_before),
        parent_execution_id=parent,
        on_top=not called,
        before=read_cursor(cursor),
        limit=limit + 1,
    )
    rows = await asyncio.to_thread(services.engine.store.search, query)
    body: dict[str, Any] = {"executions": [row_object(row) for row in rows[:limit]]}
    if len(rows) > limit:
        body["nextCursor"] = cursor_of(rows[limit - 1].started_at, rows[limit - 1].execution_id)
    return JsonResponse(body)


def _instant(given: datetime | None) -> float:
    if given is None:
        return 0
    try:
        return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp() * 1000
    except OverflowError:
        raise Refusal(400, "INPUT_INVALID", "There was no such instant") from None


@routes.get("/api/executions/{execution_id}", responses={**told(schemas.Execution), **MISSING})
async def get_execution(
    services: Served,
    execution_id: Id,
    nodes: Annotated[bool, Query(description="Each node, and not only how many have which status")] = True,
) -> Response:
    """One execution and its nodes, as they are after event `seq`."""
    row = await services.histories.row(execution_id)
    standing = services.engine.orchestrator.standing(execution_id)
    body = execution_object(row, await services.histories.view(execution_id), standing)
    return JsonResponse(body if nodes else {key: value for key, value in body.items() if key != "nodes"})


@routes.get(
    "/api/executions/{execution_id}/definition",
    responses={200: {"content": {"application/json": {"schema": {}}}, "description": "The document"}, **MISSING},
)
async def get_definition(services: Served, execution_id: Id) -> Response:
    """The workflow as this execution runs it, whatever has become of it since."""
    row = await services.histories.row(execution_id)
    document = await asyncio.to_thread(services.engine.store.definition, row.definition) if row.definition else None
    if document is None:
        raise Refusal(
            404, "DEFINITION_NOT_FOUND", f"Execution {execution_id} has no workflow here: it is only reported"
        )
    return Response(document, media_type="application/json")


@routes.get("/api/execution-status/{execution_id}", responses={**told(schemas.ExecutionStatus), **MISSING})
async def get_execution_status(
    services: Served, execution_id: Id, lite: Annotated[Literal["0", "1", "true", "false"], Query()] = "0"
) -> Response:
    """As the old system had it; `lite=1` leaves out steps and output."""
    row = await services.histories.row(execution_id)
    view = await services.histories.view(execution_id)
    brief = lite in ("1", "true")
    output: Any = None
    if not brief and row.status == "success":
        try:
            output = msgspec.Raw(await services.histories.run_output(row))
        except Refusal:  # a run that was reported without one
            output = None
    return JsonResponse(status_object(row, view, output, lite=brief))


# --- what happened ---


@routes.get(
    "/api/executions/{execution_id}/events",
    responses={
        200: {"model": schemas.Events, "content": {NDJSON: {}}, "description": "JSON, or a line an event"},
        **MISSING,
    },
)
async def get_events(
    services: Served,
    execution_id: Id,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    format: Annotated[Literal["", "json", "ndjson"], Query()] = "",
    top: Annotated[bool, Query(description="Only the run's own and those of its top level, as JSON")] = False,
    accept: Annotated[str, Header()] = "",
) -> Response:
    """The journal: events with `seq > after`. As NDJSON (by `Accept` or `format`) all of them, in one stream. Read on from
    `lastSeq` while there are `more`."""
    row = await services.histories.row(execution_id)
    store = services.engine.store
    if top:
        lines, last = await asyncio.to_thread(top_lines, store, execution_id, after, limit)
        return JsonResponse(_events(row, lines, last))
    if format == "ndjson" or (not format and NDJSON in accept):
        return StreamingResponse(_lines(event_lines(store, execution_id, after, 1 << 53)), media_type=NDJSON)
    found = await asyncio.to_thread(lambda: list(event_lines(store, execution_id, after, limit)))
    last = found[-1][0] if found else max(after, 0)
    return JsonResponse(_events(row, [line for _, line in found], last))


def _events(row: ExecutionRow, lines: Sequence[bytes], last: int) -> dict[str, Any]:
    return {
        "executionId": row.execution_id,
        "events": [msgspec.Raw(line) for line in lines],
        "lastSeq": last,
        "more": last < row.last_seq,
    }


def _lines(events: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    """In pieces of a bearable size: a send for each event would cost more than the event."""
    gathered: list[bytes] = []
    for _, line in events:
        gathered += (line, b"\n")
        if len(gathered) >= 1_000:
            yield b"".join(gathered)
            gathered = []
    yield b"".join(gathered)


@routes.get(
    "/api/executions/{execution_id}/stream",
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The WebSocket's messages"}, **MISSING},
    response_class=StreamingResponse,
)
async def stream_execution(
    services: Served,
    execution_id: Id,
    after: Annotated[int | None, Query(ge=0, lt=1 << 53)] = None,
    until_end: Annotated[bool, Query(alias="untilEnd", description="Close when the run has ended")] = False,
    resumed: Annotated[str | None, Header(alias="last-event-id")] = None,
) -> Response:
    """The messages of the WebSocket as Server-Sent Events; `id:` is the seq, and `Last-Event-ID` resumes."""
    await services.histories.row(execution_id)
    cursor = after if after is not None else last_event_id(resumed)
    chunks = services.visualization.stream(execution_id, cursor, until_end=until_end)
    return StreamingResponse(chunks, media_type=MEDIA_TYPE, headers=HEADERS)


@routes.get("/api/executions/{execution_id}/logs", responses={**told(schemas.Logs), **MISSING})
async def get_logs(services: Served, execution_id: Id) -> Response:
    """One entry a node, in order of their starts (contract section 3)."""
    row = await services.histories.row(execution_id)
    view = await services.histories.view(execution_id)
    state = await services.histories.state(row)
    entries = log_entries(view, state, services.engine.orchestrator.payloads)
    return JsonResponse({"executionId": execution_id, "logs": entries})


@routes.get("/api/executions/{execution_id}/lines", responses={**told(schemas.Lines), **MISSING})
async def get_lines(services: Served, execution_id: Id, after: After = 0, limit: Limit = 500) -> Response:
    """What the nodes themselves logged and streamed, from an offset on."""
    await services.histories.row(execution_id)
    lines = await asyncio.to_thread(services.engine.store.logs, execution_id, after, limit)
    body = {
        "executionId": execution_id,
        "lines": [msgspec.to_builtins(line) | {"at": iso(line.at)} for line in lines],
        "nextOffset": lines[-1].offset if lines else after,
    }
    return JsonResponse(body)


@routes.get(
    "/api/executions/{execution_id}/nodes/{node_id}/iterations", responses={**told(schemas.Iterations), **MISSING}
)
async def get_iterations(
    services: Served,
    execution_id: Id,
    node_id: Id,
    path: Annotated[str, Query(max_length=4_000, description="The container's own, where it is itself in a body")] = "",
    after: Annotated[int, Query(ge=-1, lt=1 << 53)] = -1,
    offset: Annotated[int, Query(ge=0, lt=1 << 53, description="Leave out so many")] = 0,
    status: Annotated[Literal["", "running", "success", "error", "skipped"], Query()] = "",
    cells: Annotated[int, Query(ge=0, le=1_000, description="The most entries of `strip`")] = 0,
    seq: Annotated[int, Query(ge=0, lt=1 << 53, description="As it was after this event; 0: as it is")] = 0,
    limit: Limit = 100,
) -> Response:
    """The iterations of a container with an index beyond `after`, by index; of a repeated attempt the latest. `count` is how
    many there are with that `status`; `strip` tells of all, each entry the worst of its share."""
    await services.histories.row(execution_id)
    found = await asyncio.to_thread(
        services.iterations.page,
        execution_id,
        node_id,
        path,
        upto=seq,
        cells=cells,
        after=after,
        offset=offset,
        status=status,
        limit=limit,
    )
    return JsonResponse({"executionId": execution_id, "nodeId": node_id, **found})


@routes.get("/api/executions/{execution_id}/heat", responses={**told(schemas.HeatShape), **MISSING})
async def get_heat(
    services: Served,
    execution_id: Id,
    start: Annotated[float, Query(alias="from", ge=0, lt=1 << 53, description="Epoch ms; 0: the run's start")] = 0,
    end: Annotated[float, Query(alias="to", ge=0, lt=1 << 53, description="Epoch ms; 0: until now")] = 0,
    bins: Annotated[int, Query(ge=1, le=1_000, description="Parts of that time")] = 160,
) -> Response:
    """How much of what is inside of containers ran when: of a container its iterations, of a node in a body its runs; how many
    ran in each part of the time, and how many failed in it."""
    row = await services.histories.row(execution_id)
    now = row.ended_at or services.engine.orchestrator.clock.now()
    found = await asyncio.to_thread(services.heat.told, execution_id, row.last_seq, start, end, bins, now)
    return JsonResponse({"executionId": execution_id, **found})


# --- payloads by reference ---


@routes.get("/api/executions/{execution_id}/input", responses={**_PAYLOAD, **MISSING})
async def get_input(services: Served, execution_id: Id) -> Response:
    """What the run was started with."""
    return _payload(await services.histories.run_input(await services.histories.row(execution_id)))


@routes.get("/api/executions/{execution_id}/output", responses={**_PAYLOAD, **MISSING})
async def get_output(services: Served, execution_id: Id) -> Response:
    """What the run came to, however large."""
    return _payload(await services.histories.run_output(await services.histories.row(execution_id)))


@routes.get("/api/executions/{execution_id}/nodes/{node_id}/{which}", responses={**_PAYLOAD, **MISSING})
async def get_node_payload(
    services: Served,
    execution_id: Id,
    node_id: Id,
    which: Literal["input", "output"],
    path: Annotated[str, Query(max_length=4_000, description="The iteration, such as `loop1[17]`")] = "",
    seq: Annotated[int, Query(ge=1, lt=1 << 53, description="As it was after that event")] = (1 << 53) - 1,
) -> Response:
    """What a node got, or gave, whole."""
    row = await services.histories.row(execution_id)
    return _payload(await services.histories.node_payload(row, node_id, path, which, seq))


def _payload(data: bytes) -> Response:
    return Response(data, media_type="application/json", headers={"Content-Disposition": "inline"})
