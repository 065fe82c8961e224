"""`retry` and `fork`: the plan first, a question where something would act outside once more, and then the run."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowscope.cli.complaints import SUCCESS, USAGE, say_error, say_note
from flowscope.cli.documents import read_document
from flowscope.cli.formats import counted
from flowscope.cli.running import Manner, follow_new
from flowscope.definition import decode, load
from flowscope.definition.document import parse
from flowscope.definition.workflow import JSON
from flowscope.engine import Engine
from flowscope.errors import ConfirmationNeeded, InputInvalid
from flowscope.orchestrator.forking import EVERYTHING, Revision
from flowscope.orchestrator.payloads import encode

_LOOKS = {
    "kept": ("=", "green", "kept"),
    "partly": ("~", "cyan", "goes on"),
    "again": ("↻", "yellow", "runs again"),
    "first": ("+", "blue", "runs"),
    "skipped": ("-", "dim", "left out"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What was asked for; `input` holds the value, if there is one."""

    origin: Literal["retry", "fork"]
    from_node: str = ""
    input: tuple[JSON] | None = None
    until: str = ""
    workflow: Path | None = None
    yes: bool = False
    dry_run: bool = False


async def take_up(execution_id: str, change: Change, manner: Manner, url: str) -> int:
    """Plan it, ask, run it and watch it to its end; the exit code."""
    if url:
        return await _there(execution_id, change, manner, url)
    async with Engine(manner.data, recover=False) as engine:
        document = read_document(change.workflow) if change.workflow else None
        revision = Revision(
            origin=change.origin,
            from_node=change.from_node,
            input=encode(change.input[0]) if change.input else None,
            until=change.until,
            workflow=load(_named_alike(engine, execution_id, document), engine.registry) if document else None,
            confirm=(EVERYTHING,) if change.yes else (),
        )
        try:
            plan = await engine.plan_fork(execution_id, revision)
        except LookupError as error:
            raise InputInvalid(f"Execution {execution_id} cannot be run here: {error}") from None
        told = msgspec.to_builtins(plan)
        if change.dry_run or not agreed(told, change, manner):
            return _left(told, change, manner)
        revision = msgspec.structs.replace(revision, confirm=(EVERYTHING,))
        workflow = revision.workflow or decode(engine.store.definition(plan.definition))
        return await follow_new(
            engine, workflow, manner, lambda new_id: engine.fork(execution_id, revision, new_id=new_id)
        )


def _named_alike(engine: Engine, execution_id: str, document: bytes) -> bytes | dict[str, JSON]:
    """Another version of a workflow goes by the same id, whatever the file says."""
    row = engine.store.row(execution_id)
    value, _ = parse(document)
    return {**value, "id": row.workflow_id} if row is not None and isinstance(value, dict) else document


async def _there(execution_id: str, change: Change, manner: Manner, url: str) -> int:
    from flowscope.cli.remote import client_of, watch_there
    from flowscope.nodes.builtin import builtin_registry

    body: dict[str, Any] = {"confirm": change.yes}
    if change.origin == "fork":
        body |= {"from": change.from_node, "until": change.until}
        body |= {"input": change.input[0]} if change.input else {}
        body |= {"workflow": parse(read_document(change.workflow))[0]} if change.workflow else {}
    async with client_of(url) as client:
        told = await client.take_up(execution_id, change.origin, body, dry_run=True)
        if change.dry_run or not agreed(told, change, manner):
            return _left(told, change, manner)
        started = await client.take_up(execution_id, change.origin, body | {"confirm": True})
    return await watch_there(started["executionId"], builtin_registry(), url, manner)


def agreed(plan: dict[str, Any], change: Change, manner: Manner) -> bool:
    """Whether it may go on: nothing would act outside once more, or somebody has agreed."""
    if not plan["confirm"] or change.yes:
        return True
    if manner.json or not sys.stdin.isatty():
        return False
    print_plan(plan, Console(stderr=True, highlight=False))
    try:
        return input("Let them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _left(plan: dict[str, Any], change: Change, manner: Manner) -> int:
    """Nothing was started: because nothing was to be, or because nobody has agreed."""
    if manner.json:
        print(json.dumps(plan))
    elif change.dry_run or not sys.stdin.isatty():
        print_plan(plan, Console(highlight=False))
    if change.dry_run:
        return SUCCESS
    names = [one["nodeId"] for one in plan["confirm"]]
    say_error(str(ConfirmationNeeded(plan["parentExecutionId"], names, plan)))
    say_note("Nothing was started. With --yes it would be")
    return USAGE


def print_plan(plan: dict[str, Any], console: Console) -> None:
    """What becomes of each node, and what would act outside once more."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for node in plan["nodes"]:
        icon, colour, words = _LOOKS[node["fate"]]
        why = node.get("because", "")
        if node["fate"] == "partly":
            again = counted(node.get("iterationsAgain", 0), "iteration")
            why = f"{node.get('iterationsKept', 0)} kept, {again} had begun and run again"
        table.add_row(Text(icon, colour), Text(node["nodeId"]), Text(words, colour), Text(why, "dim"))
    console.print(table)
    if plan["confirm"]:
        console.print(Text("These would act outside once more:", "bold"))
        for one in plan["confirm"]:
            times = f" ({one['times']} times)" if one["times"] > 1 else ""
            console.print(Text(f"  ! {one['nodeId']}{times}: {one['because']}", "yellow"))
