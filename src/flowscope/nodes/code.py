"""Code that a workflow's author wrote, run where it can do no harm.

Both languages run in an interpreter that was made to hold hostile code (Python in Monty, JavaScript in QuickJS compiled to
WebAssembly), and that in a process of its own, with limits of time and memory, an empty environment, and no way to files,
the network or this process. They are off all the same until the operator switches them on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.javascript import evaluate
from flowscope.nodes.printing import Printed
from flowscope.nodes.sdk import NodeConfig, node

SWITCH = "FLOWSCOPE_CODE_NODE"
MEMORY = 128 * 1024 * 1024
LONGEST = 256 * 1024
HARD_SECONDS = 600


class Values(NodeConfig):
    values: dict[str, JSON] = Field(
        default_factory=dict,
        description="More names for the code, each with an expression: what it needs beside its input",
    )


class Code(Values):
    code: str = Field(
        min_length=1,
        max_length=LONGEST,
        description="Python; the answer is what it returns, or the value of its last line",
        json_schema_extra={"format": "code", "contentMediaType": "text/x-python"},
    )


@node(
    "code",
    title="Python code",
    category="code",
    icon="square-code",
    effects="external",
    timeout=5_000,
    raw_fields=frozenset({"code"}),
    example={"code": "total = sum(item['price'] for item in items)\nreturn {'total': total}"},
)
async def code(config: Code, input: JSON, context: NodeContext) -> JSON:
    """Runs Python in a sandbox, in a process of its own. The code sees `input`, `items` (the list in the input, or
    the input as a list of one) and the names in `values`; what it prints goes to the run's log. The output is what it
    returns. The sandbox knows most of the language and the modules `json`, `re`, `math`, `datetime`, `random` and
    a few more, but neither files nor network nor packages. Off unless `FLOWSCOPE_CODE_NODE=1`."""
    require_switched_on(context, "code")
    worker, printed = _Worker(), Printed(context)
    names = {**config.values, "input": input, "items": items_in(input)}
    running = asyncio.get_running_loop().run_in_executor(_threads(), _run, config.code, names, printed, worker)
    try:
        answer = await asyncio.shield(running)
    except asyncio.CancelledError:
        worker.stop()
        raise
    finally:
        printed.end()
    return json_text.plain(answer, "code")


class _Worker:
    """The process that runs one piece of code, once there is one. Stopping it holds also before there is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = 0
        self._stopped = False

    def begin(self, pid: int) -> bool:
        """Whether the code may still begin."""
        with self._lock:
            self._pid = pid
            return not self._stopped

    def end(self) -> None:
        with self._lock:
            self._pid = 0

    def stop(self) -> None:
        with self._lock, contextlib.suppress(ProcessLookupError):
            self._stopped = True
            if self._pid:
                os.kill(self._pid, signal.SIGKILL)


def _run(source: str, names: dict[str, JSON], printed: Printed, worker: _Worker) -> Any:
    """In a thread: the library's interface for event loops can abort the interpreter while that shuts down."""
    import pydantic_monty as monty  # not for those who run no code: it takes a tenth of a second

    limits: monty.ResourceLimits = {
        "max_memory": MEMORY,
        "max_feed_duration_secs": HARD_SECONDS,
        "max_total_sleep_secs": HARD_SECONDS,
    }
    try:
        with monty.Monty(max_processes=1) as pool, pool.checkout(limits=limits) as session:
            try:
                if not worker.begin(session.worker_pid or 0):
                    return None
                return session.feed_run(source, inputs=names, print_callback=lambda _, text: printed.add(text))
            finally:
                worker.end()
    except monty.MontySyntaxError as error:
        raise _failed(f"code: {error.display('type-msg')}{_line(error)}", "BAD_CODE") from None
    except monty.MontyRuntimeError as error:
        raise _failed(f"code: {_said(error.display('type-msg'))}{_line(error)}", "CODE_FAILED") from None
    except monty.MontyError as error:
        raise _failed(f"code: its process ended: {error}", "CODE_CRASHED") from None


def _said(text: str) -> str:
    if text.startswith("MemoryError: memory limit"):
        return f"it needs more than {MEMORY // 1024 // 1024} MiB of memory"
    return text


def _line(error: Any) -> str:
    frames = error.traceback()
    return f" (line {frames[-1].line})" if frames else ""


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(32, thread_name_prefix="flowscope-code")


class JavaScript(Values):
    code: str = Field(
        min_length=1,
        max_length=LONGEST,
        description="The body of an async function; the answer is what it returns",
        json_schema_extra={"format": "code", "contentMediaType": "text/javascript"},
    )


@node(
    "javascript",
    title="JavaScript code",
    category="code",
    icon="braces",
    effects="external",
    timeout=5_000,
    raw_fields=frozenset({"code"}),
    example={"code": "return {total: items.reduce((sum, item) => sum + item.price, 0)}"},
)
async def javascript(config: JavaScript, input: JSON, context: NodeContext) -> JSON:
    """Runs JavaScript in a sandbox, in a process of its own. The code sees `input`, `items` (the list in the input,
    or the input as a list of one) and the names in `values`; `console.log` goes to the run's log. The output is
    what it returns. It is the language alone, with promises, but without timers, `fetch`, `require` and `process`.
    Whole numbers beyond 2^53 lose digits. Off unless `FLOWSCOPE_CODE_NODE=1`; needs `flowscope[javascript]`."""
    require_switched_on(context, "javascript")
    names = {**config.values, "input": input, "items": items_in(input)}
    return await evaluate(config.code, names, context, MEMORY)


def require_switched_on(context: NodeContext, type: str) -> None:
    """`NodeDenied` where the operator has not allowed code."""
    if not context.surroundings.code_nodes:
        raise NodeDenied(
            f"{type}: nodes that run code are switched off. Set {SWITCH}=1 where flowscope is started, if you trust "
            "those who may write workflows; expressions, {{ … }}, work without it",
            code="CODE_OFF",
        )


def items_in(input: JSON) -> list[JSON]:
    """What code sees as `items`."""
    if isinstance(input, list):
        return input
    inside = input.get("items") if isinstance(input, dict) else None
    return inside if isinstance(inside, list) else [input]


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=code == "CODE_CRASHED")
