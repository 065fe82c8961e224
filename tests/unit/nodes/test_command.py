# ruff: noqa: ASYNC110, ASYNC240 -- nothing else runs on these loops
"""Programs of the operator's list, run for real."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from flowscope.engine import surroundings_of
from flowscope.errors import NodeDenied, NodeError
from unit.nodes.bench import Bench

COMMANDS = {name: shutil.which(name) or "" for name in ("cat", "echo", "env", "pwd", "ls", "yes", "sleep", "sort")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, commands={**COMMANDS, "python": sys.executable, "gone": ""})


async def command(bench: Bench, command: str, *arguments: str, **more: Any) -> Any:
    return await bench.run("execute_command", {"command": command, "arguments": list(arguments), **more}, {})


async def test_nothing_is_run_unless_it_is_named() -> None:
    with pytest.raises(NodeDenied, match=r"nodes may not run programs\. Name those they may in FLOWSCOPE_COMMANDS"):
        await command(Bench(), "ls")


@pytest.mark.parametrize("name", ["rm", "/bin/ls", "../ls", "ls ", "ls;id", "ls\nid", "LS", "./ls"])
async def test_only_what_is_named_is_run(bench: Bench, name: str) -> None:
    with pytest.raises(NodeDenied, match="is not one of cat, echo"):
        await command(bench, name)


async def test_a_program_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(NodeError, match="'gone' is allowed, but there is no such program on this machine"):
        await command(bench, "gone")


@pytest.mark.parametrize(
    "argument", ["; id", "$(id)", "`id`", "| cat /etc/passwd", "&& id", "> out", "*", "~", "$HOME", ""]
)
async def test_no_shell_reads_the_arguments(bench: Bench, tmp_path: Path, argument: str) -> None:
    output = await command(bench, "echo", "-n", argument)
    assert output == {"exitCode": 0, "stdout": argument, "stderr": ""}
    assert not list(tmp_path.iterdir())


async def test_what_it_reads(bench: Bench) -> None:
    assert (await command(bench, "sort", stdin="b\na\n"))["stdout"] == "a\nb\n"
    assert (await command(bench, "cat", stdin={"a": 1}))["stdout"] == '{"a":1}'
    assert (await command(bench, "echo", "-n", stdin="x" * 1_000_000))["stdout"] == ""


async def test_its_environment_is_next_to_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWSCOPE_SECRET_X", "s3cr3t")
    lines = (await command(bench, "env"))["stdout"].splitlines()
    assert {line.partition("=")[0] for line in lines} == {"PATH", "LANG", "HOME"}


async def test_its_folder(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a.txt").write_text("")
    assert (await command(bench, "ls", folder="inside"))["stdout"] == "a.txt\n"
    assert (await command(bench, "ls", folder="."))["stdout"] == "inside\n"
    assert (await command(bench, "ls"))["stdout"] == ""
    with pytest.raises(NodeError, match="there is no folder 'nope'"):
        await command(bench, "ls", folder="nope")


@pytest.mark.parametrize("folder", ["..", "/etc", "inside/../..", ".git", "a\0b"])
async def test_a_folder_outside_the_roots_is_refused(bench: Bench, folder: str) -> None:
    with pytest.raises(NodeDenied, match="folder: "):
        await command(bench, "ls", folder=folder)


async def test_an_exit_code_is_an_error_unless_it_is_asked_for(bench: Bench) -> None:
    failing = ("-c", "import sys; print('no such order', file=sys.stderr); sys.exit(3)")
    with pytest.raises(NodeError, match="python ended with exit code 3: no such order") as caught:
        await command(bench, "python", *failing)
    assert caught.value.code == "EXIT_3"
    output = await command(bench, "python", *failing, failOnExit=False)
    assert output == {"exitCode": 3, "stdout": "", "stderr": "no such order\n"}


async def test_too_much_output_ends_it(bench: Bench) -> None:
    with pytest.raises(NodeError, match="command: more output than maxBytes"):
        await command(bench, "yes", maxBytes=100_000)


async def test_cancelling_kills_it_and_what_it_started(bench: Bench, tmp_path: Path) -> None:
    script = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        "pathlib.Path('pids').write_text(f'{__import__(\"os\").getpid()} {child.pid} ')\n"
        "time.sleep(600)\n"
    )
    task = asyncio.create_task(command(bench, "python", "-c", script, folder="."))
    pids = tmp_path / "pids"
    async with asyncio.timeout(60):
        while not (pids.exists() and pids.read_text().endswith(" ")):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while any(alive(pid) for pid in pids.read_text().split()):
            await asyncio.sleep(0.01)


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_settings() -> None:
    environment = {
        "FLOWSCOPE_COMMANDS": "sort, /no/such/thing",
        "FLOWSCOPE_PYTHON_FUNCTIONS": "a.b , c.*",
        "FLOWSCOPE_CODE_NODE": "1",
        "PATH": "/usr/bin:/bin",
    }
    surroundings = surroundings_of(environment, None)
    assert surroundings.commands["sort"].endswith("/sort")
    assert surroundings.commands["/no/such/thing"] == ""
    assert surroundings.python_functions == ("a.b", "c.*")
    assert surroundings.code_nodes
    assert not surroundings_of({"FLOWSCOPE_CODE_NODE": "0"}, None).code_nodes
