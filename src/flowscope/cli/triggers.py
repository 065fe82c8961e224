"""What starts runs by itself on a server, and what waits there for people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from flowscope.cli.complaints import say_note
from flowscope.cli.listings import print_lines, print_wide
from flowscope.engine import run_loop

if TYPE_CHECKING:
    from flowscope.client import Client

Answer = TypeVar("Answer")

_Workflow = Annotated[str, typer.Argument(metavar="WORKFLOW", help="Its id.", show_default=False)]
_Execution = Annotated[str, typer.Argument(metavar="EXECUTION", show_default=False)]
_Approval = Annotated[
    str, typer.Argument(metavar="APPROVAL", help="Its id, as `waiting` lists it.", show_default=False)
]
_Url = Annotated[str, typer.Option("--url", metavar="URL", help="The server.")]
_Json = Annotated[bool, typer.Option("--json", help="Print a JSON array.")]
_Comment = Annotated[str, typer.Option("--comment", metavar="TEXT", help="What the run is told beside it.")]

URL = "http://127.0.0.1:3001"


def activate(workflow: _Workflow, url: _Url = URL) -> None:
    """Have a workflow's triggers start runs from now on."""
    answer = _ask(url, lambda client: client.activate(workflow))
    count = len(answer["triggers"])
    say_note(f"{workflow} is active" + ("" if count else ". It has no trigger that starts runs by itself"))
    _print_triggers(answer["triggers"])


def deactivate(workflow: _Workflow, url: _Url = URL) -> None:
    """Have a workflow's triggers start nothing more."""
    _ask(url, lambda client: client.deactivate(workflow))
    say_note(f"{workflow} starts nothing by itself any more")


def triggers(url: _Url = URL, json: _Json = False) -> None:
    """List the triggers of active workflows: when each fires next, and how it went."""
    found = _ask(url, lambda client: client.triggers())
    if json:
        print_lines(found)
    elif not found:
        print("No active triggers")
    else:
        _print_triggers(found)


def waiting(url: _Url = URL, json: _Json = False) -> None:
    """List what waits for people: approvals, forms, signals."""
    found = _ask(url, lambda client: client.waiting())
    if json:
        print_lines(found)
        return
    if not found:
        print("Nothing waits for anybody")
        return
    rows = [
        (
            one["executionId"],
            one["kind"],
            one.get("approvalId") or one.get("signal") or "",
            one["detail"] or one["nodeName"],
        )
        for one in found
    ]
    _print_table(("execution", "kind", "id", "what"), rows)


def approve(execution: _Execution, approval: _Approval, comment: _Comment = "", url: _Url = URL) -> None:
    """Say yes to what waits for an approval."""
    _decide(execution, approval, "approved", comment, url)


def reject(execution: _Execution, approval: _Approval, comment: _Comment = "", url: _Url = URL) -> None:
    """Say no to what waits for an approval."""
    _decide(execution, approval, "rejected", comment, url)


COMMANDS = (activate, deactivate, triggers, waiting, approve, reject)


def _decide(execution: str, approval: str, decision: str, comment: str, url: str) -> None:
    answer = _ask(url, lambda client: client.decide(execution, approval, decision, comment))
    say_note(f"{decision.capitalize()}{' already' if answer.get('duplicate') else ''}")


def _ask(url: str, work: Callable[[Client], Awaitable[Answer]]) -> Answer:
    from flowscope.cli.remote import client_of

    async def asked() -> Answer:
        async with client_of(url) as client:
            return await work(client)

    answer: Answer = run_loop(asked())
    return answer


def _print_triggers(found: Sequence[dict[str, Any]]) -> None:
    rows = [
        (
            f"{one['workflowId']}.{one['nodeId']}" if one["nodeId"] else one["workflowId"],
            one["type"],
            one.get("nextDue") or one.get("url") or "",
            one.get("lastFired") or "never",
            one.get("lastError") or (f"{one['queued']} queued" if one.get("queued") else ""),
        )
        for one in found
    ]
    if rows:
        _print_table(("trigger", "type", "next", "last", ""), rows)


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    print_wide(table)
