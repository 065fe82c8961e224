"""The process that runs JavaScript: started by `javascript.py`, by this file's path, with a socket as its standard input.

The engine is compiled once, and kept beside this file's own bytecode for the next time. For each piece of code a socket
arrives, and a fork of this process takes it: reads the code and its values, runs them, writes lines of JSON, and ends. So
nothing of one run is there in the next, and a run can be killed alone. The fork sets its own limits before it looks at the
code. When the other end of the standard input closes, the house ends.

    in    {"code", "names", "memory", "seconds"}
    out   {"pid"}, {"log"} for each line, and at last {"answer"} (a JSON text) or {"error", "line"?}
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import resource
import signal
import socket
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wasmtime
from quickjs_rs import Runtime

SPARE = 64 * 1024 * 1024
"""Bytes a fork may have beside what the house has and the code is given."""

_PRELUDE = """
(() => {
  const write = globalThis.__write, stringify = JSON.stringify, parse = JSON.parse, text = String;
  delete globalThis.__write;
  const shown = (value) => {
    if (typeof value === "string") return value;
    try { return stringify(value) ?? text(value); } catch { return text(value); }
  };
  const print = (...values) => { write(values.map(shown).join(" ")); };
  globalThis.console = {log: print, info: print, warn: print, error: print, debug: print};
  return {stringify, parse};
})()
"""
PRELUDE = " ".join(_PRELUDE.split())
"""On one line, so that the lines of the code keep their numbers."""


def main() -> None:
    warm()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    door = socket.socket(fileno=0)
    while True:
        _, handed, _, _ = socket.recv_fds(door, 1, 1)
        if not handed:
            return
        if os.fork() == 0:
            status = 1
            try:
                door.close()
                serve(socket.socket(fileno=handed[0]))
                status = 0
            finally:
                os._exit(status)
        os.close(handed[0])


def compiled(engine: wasmtime.Engine, source: bytes) -> wasmtime.Module:
    """A module, out of the cache where it is there. Whoever may write there may change this program anyhow."""
    digest = hashlib.sha256(source + version("wasmtime").encode()).hexdigest()[:32]
    kept = Path(__file__).with_name("__pycache__") / f"{digest}.cwasm"
    with contextlib.suppress(wasmtime.WasmtimeError, OSError):
        return MODULE.deserialize_file(engine, str(kept))
    module = MODULE(engine, source)
    with contextlib.suppress(OSError):
        kept.parent.mkdir(exist_ok=True)
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(module.serialize())
        fresh.replace(kept)
    return module


MODULE = wasmtime.Module
wasmtime.Module = compiled  # type: ignore[misc, assignment]  # the engine below has no setting for it


def warm() -> None:
    with Runtime() as runtime, runtime.new_context() as context:
        context.eval("0")


def serve(peer: socket.socket) -> None:
    os.setsid()
    with peer, peer.makefile("rw", encoding="utf-8", newline="\n") as stream:
        say(stream, {"pid": os.getpid()})
        request = json.loads(stream.readline())
        confine(request["seconds"], request["memory"])
        say(stream, outcome(request, stream))


def confine(seconds: int, memory: int) -> None:
    """From here on the kernel holds this process: no file may grow, so much memory, and an end to its time."""
    signal.setitimer(signal.ITIMER_REAL, seconds + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = data_size() + memory + SPARE
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def data_size() -> int:
    """Bytes of private writable memory this process has now."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 -- this file imports as little as it can
        for line in status:
            if line.startswith("VmData:"):
                return int(line.split()[1]) * 1024
    return 0


def outcome(request: dict[str, Any], stream: Any) -> dict[str, Any]:
    try:
        return {"answer": asyncio.run(run(request, stream))}
    except Exception as error:  # noqa: BLE001 -- whatever the engine raises is the answer
        return failure(error)


async def run(request: dict[str, Any], stream: Any) -> str:
    names = request["names"]
    with Runtime(memory_limit=request["memory"]) as runtime:
        context = runtime.new_context(timeout=request["seconds"])

        context.register("__write", lambda text: say(stream, {"log": text}))
        given = json.dumps(json.dumps(list(names.values())))
        source = (
            f"await (async () => {{ const tools = {PRELUDE};"
            f" const body = async ({', '.join(names)}) => {{{request['code']}\n}};"
            f" return tools.stringify(await body(...tools.parse({given}))) ?? 'null'; }})()"
        )
        return str(await context.eval_async(source))


def failure(error: Exception) -> dict[str, Any]:
    stack = getattr(error, "stack", None) or ""
    found = re.search(r":(\d+)", stack)
    kind = type(error).__name__
    return {"error": str(error), "kind": kind, "line": int(found[1]) if found else 0}


def say(stream: Any, message: dict[str, Any]) -> None:
    stream.write(json.dumps(message) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
