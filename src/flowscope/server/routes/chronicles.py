"""The past of an execution: where its time went, any instant of it, and all of it over again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse

from flowscope.errors import ExecutionEnded, ExecutionNotFound, InputInvalid
from flowscope.execution.timeline import TimedNode, Timeline, best_timeline
from flowscope.live.chronicle import Chronicle
from flowscope.live.replays import Replays
from flowscope.live.sse import HEADERS, MEDIA_TYPE
from flowscope.live.translation import Translator
from flowscope.orchestrator.ports import CommitResult
from flowscope.runfile import Options, content_of, page_of, read_run_file
from flowscope.server import schemas
from flowscope.server.bodies import read_body
from flowscope.server.problems import JsonResponse
from flowscope.server.routes.subject import CONFLICT, MISSING, Id, Served, router, told
from flowscope.server.services import Services

routes = router("chronicles")

MOST_RUNS: Final = 2_000
"""Runs of nodes inside a container that are told at once."""

Seq = Annotated[int, Query(ge=1, lt=1 << 53)]
Speed = Annotated[float, Query(ge=0.1, le=1_000)]


@routes.get("/api/executions/{execution_id}/timeline", responses={**told(schemas.TimelineShape), **MISSING})
async def get_timeline(
    services: Served,
    execution_id: Id,
    inside: Annotated[str, Query(max_length=4_000, description="An iteration, or what its paths begin with")] = "",
    after: Annotated[int, Query(ge=0, lt=1 << 53)] = 0,
) -> Response:
    """Where the time went: of the top level, or with `inside` of the nodes at the paths that begin so (2,000 at once)."""
    chronicle = await _chronicle(services, execution_id)
    found = chronicle.timeline or await _timeline(services, execution_id)
    if found.ended:
        chronicle.timeline = found
    return JsonResponse({"executionId": execution_id} | timeline_object(found, inside, after))


async def _timeline(services: Services, execution_id: str) -> Timeline:
    row = await services.histories.row(execution_id)
    events = await services.histories.events(execution_id)
    library = services.engine.orchestrator.library
    try:
        plan = library.stored_program(row.definition).plan if row.definition else None
    except LookupError:
        plan = None
    now = services.engine.orchestrator.clock.now()
    return await asyncio.to_thread(best_timeline, events, plan, now)


def timeline_object(found: Timeline, inside: str = "", after: int = 0) -> dict[str, Any]:
    """Bodies of containers are told as sums, and run by run only where they are asked for."""
    chosen = [node for node in found.nodes if (node.path.startswith(inside) and node.path if inside else not node.path)]
    page = chosen[after : after + MOST_RUNS]
    body: dict[str, Any] = {
        "startTime": found.start,
        "endTime": found.end,
        "ended": found.ended,
        "nodes": [msgspec.to_builtins(node) for node in page],
        "marks": [msgspec.to_builtins(mark) for mark in found.marks],
        "criticalPath": list(found.critical_path),
        "work": found.work,
    }
    if not inside:
        body["bodies"] = _bodies(found.nodes)
    if len(chosen) > after + MOST_RUNS:
        body["nextAfter"] = after + MOST_RUNS
    return body


def _bodies(nodes: tuple[TimedNode, ...]) -> list[dict[str, Any]]:
    sums: dict[str, dict[str, Any]] = {}
    for node in nodes:
        if not node.path:
            continue
        told = sums.setdefault(
            node.node_id,
            {
                "nodeId": node.node_id,
                "runs": 0,
                "errors": 0,
                "critical": 0,
                "due": node.due,
                "end": node.end,
                "busy": 0.0,
                "longest": 0.0,
            },
        )
        took = sum(part.end - part.start for one in node.attempts for part in one.segments if part.kind == "run")
        told["runs"] += 1
        told["errors"] += node.status == "error"
        told["critical"] += node.critical
        told["end"] = max(told["end"], node.end)
        told["busy"] += took
        told["longest"] = max(told["longest"], took)
    return list(sums.values())


@routes.get("/api/executions/{execution_id}/at", responses={**told(schemas.Instant), **MISSING})
async def get_instant(
    services: Served,
    execution_id: Id,
    seq: Annotated[int | None, Query(ge=1, lt=1 << 53, description="After that event")] = None,
    t: Annotated[float | None, Query(description="At that instant, in epoch milliseconds")] = None,
) -> Response:
    """The execution as it was, as the live stream's snapshot. What its nodes had got and given by then is at
    `…/nodes/NODE/input?seq=…` and `output?seq=…`."""
    chronicle = await _chronicle(services, execution_id)

    def look() -> bytes:
        wanted = chronicle.last_seq if seq is None else seq
        if seq is None and t is not None:
            wanted = max(1, chronicle.seq_at(t))
        view = chronicle.view_at(wanted)
        body = {
            "executionId": execution_id,
            "seq": view.seq,
            "lastSeq": chronicle.last_seq,
            "at": chronicle.times[view.seq - 1],
            "snapshot": Translator(execution_id, chronicle.shape, view).whole(),
        }
        return msgspec.json.encode(body)

    return Response(await asyncio.to_thread(look), media_type="application/json")


@routes.get("/api/executions/{execution_id}/histogram", responses={**told(schemas.HistogramShape), **MISSING})
async def get_histogram(
    services: Served, execution_id: Id, buckets: Annotated[int, Query(ge=1, le=2_000)] = 200
) -> Response:
    """How much happened when, and what went wrong: for a scrubber."""
    chronicle = await _chronicle(services, execution_id)
    body = {
        "executionId": execution_id,
        "startTime": chronicle.times[0],
        "endTime": chronicle.times[-1],
        "lastSeq": chronicle.last_seq,
        "buckets": chronicle.histogram(buckets),
        "errors": chronicle.flaws,
        "turnings": chronicle.turnings,
    }
    return JsonResponse(body)


async def _chronicle(services: Services, execution_id: str) -> Chronicle:
    chronicle = await asyncio.to_thread(services.visualization.hub.chronicles.of, execution_id)
    if chronicle is None or not chronicle.last_seq:
        await services.histories.row(execution_id)  # says whether it has been pruned
        raise ExecutionNotFound(execution_id)
    return chronicle


# --- run files ---


@routes.get(
    "/api/executions/{execution_id}/export",
    responses={200: {"content": {"text/html": {}}, "description": "The run file"}, **MISSING},
    response_class=Response,
)
async def export_execution(
    services: Served,
    execution_id: Id,
    data: Annotated[bool, Query(description="With inputs, outputs and logs")] = True,
    redact: Annotated[list[str], Query(max_length=50, description="Names of fields to blot out")] = [],  # noqa: B006
) -> Response:
    """The run as one HTML file that shows and replays it in any browser. Known secrets are blotted out."""
    engine = services.engine
    secrets = frozenset(str(value) for value in services.settings.surroundings.secrets.values())
    options = Options(data=data, redact=tuple(redact), secrets=secrets)

    def write() -> bytes:
        now = engine.orchestrator.clock.now()
        return page_of(content_of(engine.store, engine.registry, execution_id, options, now))

    name = quote(f"{execution_id}.html", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Content-Security-Policy": "sandbox"}
    return Response(await asyncio.to_thread(write), media_type="text/html", headers=headers)


@routes.post(
    "/api/executions/import",
    status_code=201,
    responses={201: {"model": schemas.Started, "description": "Imported"}, **CONFLICT},
    openapi_extra={"requestBody": {"required": True, "content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def import_execution(
    request: Request, services: Served, execution_id: Annotated[str, Query(alias="executionId", max_length=128)] = ""
) -> Response:
    """Put a run file's run among the others, to be looked at: it is marked as imported, and never runs."""
    body = await read_body(request, services.settings.max_body_bytes)
    if execution_id and not execution_id.isprintable():
        raise InputInvalid("An execution id is 1 to 128 visible characters")
    found = await asyncio.to_thread(read_run_file, body, execution_id)
    store = services.engine.store
    known = await asyncio.to_thread(store.row, found.execution_id)
    if known is not None:
        raise ExecutionEnded(found.execution_id, f"{known.status}. Give the imported one another executionId")
    loop = asyncio.get_running_loop()
    done: asyncio.Future[CommitResult] = loop.create_future()
    store.submit(found.commit(lambda result: loop.call_soon_threadsafe(done.set_result, result)))
    result = await done
    refused = result.error or next(iter(result.conflicts.values()), None)
    if refused is not None:
        raise refused
    return JsonResponse({"executionId": found.execution_id, "status": found.row.status}, 201)


# --- replay ---


@routes.get(
    "/api/executions/{execution_id}/replay",
    responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The WebSocket's messages"}, **MISSING},
    response_class=StreamingResponse,
)
async def replay_execution(services: Served, execution_id: Id, speed: Speed = 1.0, seq: Seq = 1) -> Response:
    """The live stream of what has been, from event `seq` on, at that speed, as Server-Sent Events."""
    await services.histories.row(execution_id)
    replays = services.visualization.hub.replays
    replay = await replays.create(execution_id, speed=speed, seq=seq)
    chunks = _streamed(services, replays, replay.replay_id)
    return StreamingResponse(chunks, media_type=MEDIA_TYPE, headers=HEADERS)


async def _streamed(services: Services, replays: Replays, replay_id: str) -> AsyncIterator[bytes]:
    try:
        async for chunk in services.visualization.stream(replay_id, until_end=True):
            yield chunk
    finally:
        replays.close(replay_id)


@routes.post(
    "/api/executions/{execution_id}/replays",
    status_code=201,
    responses={201: {"model": schemas.ReplayShape, "description": "Made"}, **MISSING},
)
async def create_replay(services: Served, execution_id: Id, wanted: schemas.ReplayRequest) -> Response:
    """A replay to be watched: subscribe to its `replayId` as to an execution. It goes a minute after its last viewer."""
    await services.histories.row(execution_id)
    replays = services.visualization.hub.replays
    state = await replays.create(execution_id, speed=wanted.speed, seq=wanted.seq, playing=wanted.playing)
    return JsonResponse(state, 201)


@routes.get("/api/replays/{replay_id}", responses={**told(schemas.ReplayShape), **MISSING})
async def get_replay(services: Served, replay_id: Id) -> Response:
    """Where it is."""
    return JsonResponse(services.visualization.hub.replays.state(replay_id))


@routes.post("/api/replays/{replay_id}", responses={**told(schemas.ReplayShape), **MISSING})
async def command_replay(services: Served, replay_id: Id, wanted: schemas.ReplayCommand) -> Response:
    """Play, pause, change the speed, go somewhere; all its viewers see it."""
    replays = services.visualization.hub.replays
    state = replays.command(replay_id, playing=wanted.playing, speed=wanted.speed, seq=wanted.seq, at=wanted.at)
    return JsonResponse(state)


@routes.delete("/api/replays/{replay_id}", status_code=204, responses=MISSING)
async def close_replay(services: Served, replay_id: Id) -> Response:
    """End it."""
    services.visualization.hub.replays.close(replay_id)
    return Response(status_code=204)
