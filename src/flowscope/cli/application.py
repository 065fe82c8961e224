"""The commands and their options; what they do is in the modules beside this one."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from flowscope.cli.complaints import INTERRUPTED, SUCCESS, USAGE, complain, list_problems, say_error
from flowscope.cli.documents import read_document, read_input, read_signal
from flowscope.cli.formats import counted
from flowscope.cli.listings import (
    execution_object,
    print_events,
    print_executions,
    print_lines,
    print_nodes,
    reading,
)
from flowscope.cli.result import flush
from flowscope.cli.running import Manner, resume_execution, run_workflow
from flowscope.cli.secrets import credentials, secrets, variables
from flowscope.cli.server import keys, serve
from flowscope.cli.triggers import COMMANDS
from flowscope.definition import load
from flowscope.definition.drawing import as_svg, as_text
from flowscope.definition.workflow import Workflow
from flowscope.engine import run_loop
from flowscope.errors import DefinitionInvalid, InputInvalid
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.ports import ExecutionQuery

STATUSES = ("pending", "running", "waiting", "success", "failed", "cancelled")

# The base class of all that typer says about usage; it has no public name of its own that all versions share.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The workflow: a JSON file.", show_default=False)]
ExecutionId = Annotated[str, typer.Argument(metavar="EXECUTION_ID", show_default=False)]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The directory that holds everything.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else.")]
Url = Annotated[
    str, typer.Option("--url", metavar="URL", help="Do it on the server there; the key is in FLOWSCOPE_API_KEY.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the result.")]

DATA = Path(".flowscope")
URL = "http://127.0.0.1:3001"


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"flowscope {version('flowscope')}")
        raise typer.Exit


@app.callback()
def flowscope(
    debug: Annotated[bool, typer.Option("--debug", help="Show the engine's log and, on a fault, where it is.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Execute workflows durably, and watch them executing.

    Start with `flowscope run FILE`. A run that was stopped, or killed, goes on with `flowscope resume EXECUTION_ID`.

    Exit codes: 0 success · 1 failed · 2 invalid definition or usage · 130 interrupted.
    """
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("flowscope").setLevel(logging.DEBUG if debug else logging.CRITICAL)


@app.command()
def run(
    file: File,
    input: Annotated[
        str, typer.Option("--input", "-i", metavar="JSON|@FILE|-", help="The input: JSON, a file, or stdin.")
    ] = "{}",
    data: Data = DATA,
    json: AsJson = False,
    quiet: Quiet = False,
    execution_id: Annotated[
        str, typer.Option("--execution-id", metavar="ID", help="The run's id; a new one by default.")
    ] = "",
    trigger: Annotated[
        str, typer.Option("--trigger", metavar="NODE", help="The trigger node to start from, where there are several.")
    ] = "",
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="Run it on the server there; the key is in FLOWSCOPE_API_KEY.")
    ] = "",
) -> int:
    """Run a workflow and watch it.

    Examples:

    - `flowscope run orders.json`
    - `flowscope run orders.json --input '{"day": "monday"}' --json | jq .output`
    - `flowscope run orders.json --input @day.json --data /var/lib/flowscope`
    - `flowscope run orders.json --url http://127.0.0.1:3001`
    """
    registry = _registry()
    manner = Manner(data, json=json, quiet=quiet)
    if url:
        from flowscope.cli.remote import run_there

        value = read_input(input)
        return _exit_code(run_there(file, registry, value, url, manner, execution_id=execution_id, trigger=trigger))
    workflow = _load(file, registry)
    value = read_input(input)
    return _exit_code(run_workflow(workflow, registry, value, manner, execution_id=execution_id, trigger=trigger))


@app.command()
def resume(
    execution_id: ExecutionId,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--signal",
            metavar="NAME[=JSON]",
            help="Answer what the run waits for; may be given again.",
            show_default=False,
        ),
    ] = None,
    data: Data = DATA,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Go on with a run that was stopped or killed.

    What it had done stays done. A run that has ended shows its end once more.

    A run that waits for a signal is answered with --signal: `--signal approved`, `--signal 'approved={"by": "Ann"}'`.
    """
    signals = dict(read_signal(answer) for answer in answers or ())
    return _exit_code(resume_execution(execution_id, Manner(data, json=json, quiet=quiet), signals))


Confirmed = Annotated[bool, typer.Option("--yes", "-y", help="Let nodes act outside once more, without being asked.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be kept, and what would run.")]


@app.command()
def retry(
    execution_id: ExecutionId,
    yes: Confirmed = False,
    dry_run: DryRun = False,
    data: Data = DATA,
    json: AsJson = False,
    quiet: Quiet = False,
    url: Url = "",
) -> int:
    """Go on where a run failed, as a new run: what it had done is kept.

    Nodes that would act outside once more are named first, and asked about.
    """
    from flowscope.cli.forking import Change, take_up

    change = Change("retry", yes=yes, dry_run=dry_run)
    return _exit_code(take_up(execution_id, change, Manner(data, json=json, quiet=quiet), url))


@app.command()
def fork(
    execution_id: ExecutionId,
    from_node: Annotated[str, typer.Option("--from", metavar="NODE", help="The node that runs again.")] = "",
    input: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="JSON|@FILE|-",
            help="What that node gets; without --from, the run.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[str, typer.Option("--until", metavar="NODE", help="Run to here: nothing beyond it.")] = "",
    workflow: Annotated[
        Path | None,
        typer.Option("--workflow", metavar="FILE", help="Another version of the workflow.", show_default=False),
    ] = None,
    yes: Confirmed = False,
    dry_run: DryRun = False,
    data: Data = DATA,
    json: AsJson = False,
    quiet: Quiet = False,
    url: Url = "",
) -> int:
    """Run again from any node of a run, as a new run, with another input or workflow.

    What leads there is kept where it is the same; the run itself is never changed. Examples:

    - `flowscope fork RUN --from price --input '{"n": 3}'`
    - `flowscope fork RUN --workflow repaired.json --dry-run`
    """
    from flowscope.cli.forking import Change, take_up

    given = None if input is None else (read_input(input),)
    change = Change("fork", from_node, given, until, workflow, yes=yes, dry_run=dry_run)
    return _exit_code(take_up(execution_id, change, Manner(data, json=json, quiet=quiet), url))


@app.command()
def watch(
    execution_id: ExecutionId,
    url: Annotated[str, typer.Option("--url", metavar="URL", help="The server that runs it.")] = URL,
    json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Watch a run of a server to its end.

    Connections that fail are made again. Ctrl-C stops watching; the run goes on. A server with keys is shown the one in
    FLOWSCOPE_API_KEY.
    """
    from flowscope.cli.remote import watch_there

    return _exit_code(watch_there(execution_id, _registry(), url, Manner(DATA, json=json, quiet=quiet)))


@app.command()
def events(
    execution_id: ExecutionId,
    after: Annotated[int, typer.Option("--after", min=0, metavar="SEQ", help="Only events after this one.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until the run ends.")] = False,
    data: Data = DATA,
) -> None:
    """Print what happened in a run, one JSON object a line.

    Works while another process is running it.
    """
    with reading(data) as store:
        print_events(store, execution_id, after, follow=follow)


@app.command()
def executions(
    status: Annotated[
        list[str] | None,
        typer.Option("--status", metavar="STATUS", help=f"Only these: {', '.join(STATUSES)}. May be given again."),
    ] = None,
    workflow: Annotated[str, typer.Option("--workflow", metavar="ID", help="Only runs of this workflow.")] = "",
    text: Annotated[
        str, typer.Option("--search", metavar="TEXT", help="Only those with this text in ids, name or error.")
    ] = "",
    every: Annotated[bool, typer.Option("--all", "-a", help="Also those that other runs called.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most so many.")] = 100,
    data: Data = DATA,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List the runs, the newest first, without those that other runs called."""
    statuses = [name for given in status or () for name in given.split(",")]
    for name in statuses:
        if name not in STATUSES:
            raise InputInvalid(f"There is no status {name!r}. They are: {', '.join(STATUSES)}")
    with reading(data) as store:
        query = ExecutionQuery(workflow_id=workflow, statuses=statuses, text=text, on_top=not every, limit=limit)
        rows = list(store.search(query))
    if json:
        print_lines(map(execution_object, rows))
    else:
        print_executions(rows)


@app.command()
def prune(
    keep_days: Annotated[
        float, typer.Option("--keep-days", min=0, help="Runs that ended longer ago go; 0 for no limit.")
    ] = 0,
    keep_count: Annotated[
        int, typer.Option("--keep-count", min=0, help="Only so many of the latest stay; 0 for no limit.")
    ] = 0,
    max_size: Annotated[
        str, typer.Option("--max-size", metavar="SIZE", help="The oldest go until all take no more: 500MB, 20GB.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
    data: Data = DATA,
    json: Annotated[bool, typer.Option("--json", help="Print the ids as a JSON array.")] = False,
) -> None:
    """Delete runs that ended long ago, or are too many, or too large. Runs that have not ended stay.

    A server does it by itself: FLOWSCOPE_KEEP_DAYS, FLOWSCOPE_KEEP_COUNT, FLOWSCOPE_KEEP_MB.
    """
    from flowscope.cli.pruning import keep_of, prune_runs

    prune_runs(data, keep_of(keep_days, keep_count, max_size), dry_run=dry_run, as_json=json)


@app.command()
def export(
    execution_id: ExecutionId,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="The file to write.", show_default=False)],
    no_data: Annotated[bool, typer.Option("--no-data", help="Leave out what flowed: inputs, outputs, logs.")] = False,
    redact: Annotated[
        list[str] | None,
        typer.Option(
            "--redact",
            metavar="NAME",
            help="Blot out the fields of this name too; may be given again.",
            show_default=False,
        ),
    ] = None,
    data: Data = DATA,
) -> None:
    """Write a run into one HTML file that shows and replays it in any browser, without a server or a network.

    Secrets that are known here, and fields whose names promise one (password, token, …), are blotted out.
    """
    from flowscope.cli.run_files import export_run, options_of

    options = options_of(data, with_data=not no_data, redact=redact or [])
    print(export_run(data, _registry(), execution_id, html, options))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that export has written.", show_default=False)],
    execution_id: Annotated[
        str, typer.Option("--execution-id", metavar="ID", help="Another id for it.", show_default=False)
    ] = "",
    data: Data = DATA,
) -> None:
    """Put the run of a run file among your own, to look at, search and replay; it is marked as imported and never runs."""
    from flowscope.cli.run_files import import_run

    print(import_run(data, file, execution_id))


@app.command()
def validate(file: File) -> int:
    """Check a workflow, and name all that is wrong with it."""
    try:
        workflow = load(read_document(file), _registry())
    except DefinitionInvalid as error:
        list_problems(error, str(file))
        return USAGE
    print(f"✓ {_describe(workflow)}")
    return SUCCESS


@app.command()
def nodes(json: Annotated[bool, typer.Option("--json", help="Print a JSON array, with schemas.")] = False) -> None:
    """List the node types that workflows can use."""
    registry = _registry()
    if json:
        print_lines(kind.to_object() for kind in registry)
    else:
        print_nodes(registry)


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(metavar="FILE|EXECUTION_ID", help="A workflow's file, or a run.", show_default=False)
    ],
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="PATH", help="Write a picture there as well.", show_default=False)
    ] = None,
    data: Data = DATA,
) -> None:
    """Draw a workflow as text, and as an SVG file; or a run: where its time went, its attempts, its family."""
    if svg is None and _names_a_run(what, data):
        from flowscope.cli.chronicle import show_execution

        with reading(data) as store:
            show_execution(store, _registry(), what)
        return
    workflow = _load(Path(what), _registry())
    print(as_text(workflow), end="")
    if svg is not None:
        try:
            svg.write_text(as_svg(workflow), encoding="utf-8")
        except OSError as error:
            raise InputInvalid(f"Cannot write {svg}: {error.strerror}") from None
        print(f"\nWritten to {svg}")


def _names_a_run(what: str, data: Path) -> bool:
    """A file goes first; what is neither is taken for a run, unless it looks like a file."""
    if Path(what).exists() or what.endswith(".json"):
        return False
    return not what.startswith((".", "/")) and data.is_dir()


app.command()(serve)
for command in COMMANDS:
    app.command()(command)
app.add_typer(keys, name="keys")
app.add_typer(secrets, name="secrets")
app.add_typer(credentials, name="credentials")
app.add_typer(variables, name="variables")


def _registry() -> Registry:
    return builtin_registry()


def _load(file: Path, registry: Registry) -> Workflow:
    return load(read_document(file), registry)


def _describe(workflow: Workflow) -> str:
    size = f"{counted(len(workflow.nodes), 'node')}, {counted(len(workflow.edges), 'edge')}"
    return f"{workflow.name or workflow.id}: {size}"


def _exit_code(work: object) -> int:
    code: int = run_loop(work)  # type: ignore[arg-type]
    return code


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show an icon gets a question mark
    try:
        code = app(given, prog_name="flowscope", standalone_mode=False)
        flush()
    except UsageError as error:
        return _complain_of_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except SystemExit:
        # Not standalone, typer leaves on its own for one reason: whoever read our output has closed it, as `head` does.
        flush()
        return SUCCESS
    except Exception as error:  # noqa: BLE001 -- the outermost frame: whatever reaches it becomes a sentence
        return complain(error, debug=debug)
    return code if isinstance(code, int) else SUCCESS


def _complain_of_usage(error: Exception) -> int:
    context = getattr(error, "ctx", None)
    message = getattr(error, "format_message", lambda: str(error))()
    path = context.command_path if context else "flowscope"
    say_error(f"{message.rstrip('.')}. See: {path} --help")
    return USAGE
