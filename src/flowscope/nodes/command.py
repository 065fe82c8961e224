"""One program of this machine, from the operator's list.

No shell reads what is given to it: arguments are a list, and each is one argument whatever it holds. The program gets an
environment that says only where programs are, and a session of its own, so that it ends with all that it started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from typing import cast

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.file_roots import RootedFile
from flowscope.nodes.sdk import NodeConfig, node

MEBIBYTE = 1024 * 1024
_SETTING = "FLOWSCOPE_COMMANDS"
_EXCERPT = 500


class ExecuteCommand(NodeConfig):
    command: str = Field(min_length=1, description=f"The program: one of those in {_SETTING}")
    arguments: list[str | bool] = Field(
        default_factory=list, max_length=1_000, description="Its arguments, each as it is: no shell reads them"
    )
    stdin: JSON = Field(None, description="What it reads: text as it is, anything else as JSON")
    folder: str = Field("", description="Where it runs, below one of the file roots; an empty folder where left out")
    fail_on_exit: bool = Field(True, description="Whether an exit code other than 0 is an error")
    max_bytes: int = Field(MEBIBYTE, ge=1, le=64 * MEBIBYTE, description="More output than this is an error")


@node(
    "execute_command",
    title="Run a command",
    category="code",
    icon="square-terminal",
    effects="external",
    timeout=30_000,
    example={"command": "git", "arguments": ["log", "--oneline", "-5"], "folder": "repositories/shop"},
)
async def execute_command(config: ExecuteCommand, input: JSON, context: NodeContext) -> JSON:
    """Runs a program without a shell. The output is the input with `exitCode`, `stdout` and `stderr`. Past the node's
    time-out it is killed, with all it has started. Nothing may be run unless `FLOWSCOPE_COMMANDS` names it; a
    program that runs others (a shell, `env`, an interpreter) opens everything, so do not name one."""
    program = _program(config.command, context)
    with _folder(config, context) as folder:
        code, out, error = await _run(program, config, folder)
    stdout, stderr = out.decode("utf-8", "replace"), error.decode("utf-8", "replace")
    if code and config.fail_on_exit:
        said = " ".join((stderr or stdout).split())[-_EXCERPT:]
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise NodeError(f"{config.command} {ended}{': ' + said if said else ''}", code=f"EXIT_{code}")
    return json_path.merged(input, {"exitCode": code, "stdout": stdout, "stderr": stderr})


def _program(command: str, context: NodeContext) -> str:
    allowed = context.surroundings.commands
    if not allowed:
        raise NodeDenied(
            f"command: nodes may not run programs. Name those they may in {_SETTING}, separated by commas",
            code="COMMAND_DENIED",
        )
    if command not in allowed:
        raise NodeDenied(
            f"command: {command[:200]!r} is not one of {', '.join(sorted(allowed))}. {_SETTING} sets them",
            code="COMMAND_DENIED",
        )
    if not allowed[command]:
        raise NodeError(
            f"command: {command!r} is allowed, but there is no such program on this machine",
            code="COMMAND_NOT_FOUND",
            retryable=False,
        )
    return allowed[command]


@contextlib.contextmanager
def _folder(config: ExecuteCommand, context: NodeContext) -> Iterator[str]:
    if not config.folder:
        with tempfile.TemporaryDirectory(prefix="flowscope-") as empty:
            yield empty
        return
    folder = RootedFile(f"{config.folder}/inside", context.surroundings, "folder").path.parent
    if not folder.is_dir():
        raise NodeError(f"folder: there is no folder {config.folder!r}", code="FILE_NOT_FOUND", retryable=False)
    yield str(folder)


async def _run(program: str, config: ExecuteCommand, folder: str) -> tuple[int, bytes, bytes]:
    loop = asyncio.get_running_loop()
    try:
        transport, course = await loop.subprocess_exec(
            lambda: _Course(loop, config.max_bytes), program, *map(_argument, config.arguments), cwd=folder,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": folder}, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise NodeError(f"command: {config.command}: {error}", code="COMMAND_FAILED", retryable=False) from None
    try:
        stdin = cast(asyncio.WriteTransport, transport.get_pipe_transport(0))
        if config.stdin is not None:
            text = config.stdin if isinstance(config.stdin, str) else json_text.stringify(config.stdin)
            stdin.write(text.encode())
        stdin.close()
        await course.ended
        return transport.get_returncode() or 0, bytes(course.output[1]), bytes(course.output[2])
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        transport.close()
        await asyncio.shield(course.gone)


class _Course(asyncio.SubprocessProtocol):
    """One process from its start on. `gone` is done when it has exited, `ended` when also all it said is here, or it said
    too much."""

    def __init__(self, loop: asyncio.AbstractEventLoop, room: int) -> None:
        self.ended: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.output = {1: bytearray(), 2: bytearray()}
        self._room = room
        self._awaited = 3  # its exit, and the ends of both its pipes

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        assert isinstance(data, bytes)
        self._room -= len(data)
        if self._room >= 0:
            self.output[fd] += data
        elif not self.ended.done():
            said = "command: more output than maxBytes. Raise it, or have the command write to a file"
            self.ended.set_exception(NodeError(said, code="OUTPUT_TOO_LARGE", retryable=False))

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd:
            self._one_less()

    def process_exited(self) -> None:
        self.gone.set_result(None)
        self._one_less()

    def _one_less(self) -> None:
        self._awaited -= 1
        if not self._awaited and not self.ended.done():
            self.ended.set_result(None)


def _argument(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()
