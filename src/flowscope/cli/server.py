"""`serve`, and the keys it asks for. The server is loaded only when one of these is called: other commands start sooner."""

from __future__ import annotations

import logging
import os
import sys
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from flowscope.cli.complaints import say_note
from flowscope.engine import run_loop

if TYPE_CHECKING:
    from flowscope.library import KeyRing
    from flowscope.server import Services

keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke the API keys of a server.")

_Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The directory that holds everything; FLOWSCOPE_DATA, or .flowscope."),
]
_Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


def serve(
    host: Annotated[
        str | None, typer.Option("--host", metavar="ADDRESS", help="FLOWSCOPE_HOST, or 127.0.0.1.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=65_535, help="FLOWSCOPE_PORT, or 3001; 0 takes a free one.", show_default=False
        ),
    ] = None,
    data: _Data = None,
    examples: Annotated[
        Path | None,
        typer.Option("--examples", metavar="DIR", help="Store the workflows there, once each.", show_default=False),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
) -> None:
    """Serve workflows over HTTP, and every run live over WebSocket.

    Settings come from the environment; `docs/server.md` lists them. Ctrl-C stops in order: what runs gets a little time,
    viewers are told to come back, and what is unfinished goes on at the next start.
    """
    from flowscope.server import Settings
    from flowscope.server.serving import serve as run_server

    given: dict[str, Any] = {"host": host, "port": port, "data_dir": data}
    settings = Settings.from_environment(**{name: value for name, value in given.items() if value is not None})
    logger = logging.getLogger("flowscope")
    if logger.level > logging.WARNING:
        logger.setLevel(logging.WARNING)  # nobody looks at a server all the time: what goes wrong must be written down

    def announce(address: str, services: Services) -> None:
        _announce(address, services)
        if not no_open:
            _open(address)

    run_loop(run_server(settings, announce, examples=examples))
    say_note("Stopped. What was unfinished goes on at the next start")


def _announce(address: str, services: Services) -> None:
    """Where it is, and what to do next."""
    console = Console(highlight=False, soft_wrap=True)
    kept = services.settings.data_dir
    console.print(f"[bold]flowscope[/] is at [bold]{address}[/], and keeps everything in {kept or 'memory'}")
    authorization = ""
    if services.credentials.required:
        authorization = ' -H "Authorization: Bearer $KEY"'
    else:
        console.print(
            "[dim]Only this machine can reach it, without a key. `flowscope keys create NAME` asks for keys[/]"
        )
    stored = services.library.search(limit=1)
    if stored:
        body = f'\'{{"workflowId": "{stored[0].workflow_id}"}}\''
        console.print(f"  run a workflow    curl{authorization} {address}/api/execute-workflow -d {body}", markup=False)
    else:
        console.print(f"  store a workflow  curl{authorization} {address}/api/workflows -d @examples/approval.json")
    console.print(f"  see the runs      curl{authorization} {address}/api/executions")
    console.print(f"  watch one         flowscope watch EXECUTION_ID --url {address}")
    console.file.flush()


def _open(address: str) -> None:
    """Show the studio where somebody sits; never a browser of the terminal's own."""
    seen = sys.platform in ("darwin", "win32") or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    if seen and sys.stdout.isatty():
        webbrowser.open(address)


@keys.command()
def create(
    name: _Name,
    scope: Annotated[
        str, typer.Option("--scope", help="viewer (look), editor (change and run) or admin (manage keys).")
    ] = "editor",
    data: _Data = None,
) -> None:
    """Make a key. It is printed once, here; a running server takes it at once, and from the first key on asks for one."""
    made = _with_keys(data, lambda ring: ring.create(name, scope))
    print(made.text)
    say_note(f"The key {name!r}, of scope {scope}. It cannot be shown again: keep it where it is safe")


@keys.command("list")
def list_keys(data: _Data = None) -> None:
    """List the keys that open, without their texts."""
    from flowscope.cli.formats import local

    found = _with_keys(data, lambda ring: ring.all())
    for key in found:
        print(f"{key.key_id}  {key.scope:<6}  {local(key.created_at)}  {key.name}")
    if not found:
        say_note("There are no keys: whoever is on this machine may do everything")


@keys.command()
def revoke(name: _Name, data: _Data = None) -> None:
    """Close a key for good, by its name or id."""
    _with_keys(data, lambda ring: ring.revoke(name))
    say_note(f"The key {name!r} opens nothing any more")


def _with_keys(data: Path | None, work: Any) -> Any:
    from flowscope.library import KeyRing, LibraryDatabase
    from flowscope.server import Settings

    database = LibraryDatabase(data or Settings.from_environment().data_dir)
    database.start()
    try:
        ring: KeyRing = KeyRing(database)
        return work(ring)
    finally:
        database.stop()
