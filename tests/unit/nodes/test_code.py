# ruff: noqa: ASYNC110, ASYNC240 -- nothing else runs on these loops
"""Python and JavaScript of a workflow's author, the hostile kind included."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes.printing import MOST
from unit.nodes.bench import Bench
from unit.nodes.hostile_code import JAVASCRIPT_ESCAPES, JAVASCRIPT_HUNGER, PYTHON_ESCAPES, PYTHON_HUNGER

ESCAPE = Path("/tmp/flowscope-escape")


@pytest.fixture
def on() -> Bench:
    return Bench(code_nodes=True)


@pytest.mark.parametrize("type_", ["code", "javascript"])
async def test_code_is_off_until_it_is_switched_on(type_: str) -> None:
    with pytest.raises(NodeDenied, match="Set FLOWSCOPE_CODE_NODE=1 where flowscope is started"):
        await Bench().run(type_, {"code": "return 1"}, {})


@pytest.mark.parametrize(
    ("source", "input", "output"),
    [
        ("return input", {"a": 1}, {"a": 1}),
        ("input['a'] + 1", {"a": 1}, 2),
        ("return [i * 2 for i in items]", [1, 2], [2, 4]),
        ("return len(items)", {"items": [1, 2, 3]}, 3),
        ("return items", {"a": 1}, [{"a": 1}]),
        ("if input:\n    return 'yes'\nreturn 'no'", {"a": 1}, "yes"),
        ("x = 1", {}, None),
        ("return (1, (2, 3))", {}, [1, [2, 3]]),
        ("import json\nreturn json.loads('[1]')", {}, [1]),
        ("import re\nreturn re.findall('[a-z]+', 'ab 1 c')", {}, ["ab", "c"]),
        ("import math, datetime\nreturn math.floor(2.5)", {}, 2),
        ("def double(x):\n    return x * 2\n\ndouble(4)", {}, 8),
        ("async def f():\n    return 5\nreturn await f()", {}, 5),
        ("text = '''a\n  b'''\nreturn text", {}, "a\n  b"),
        ("return '{{ not worked out }}'", {}, "{{ not worked out }}"),
    ],
)
async def test_python(on: Bench, source: str, input: Any, output: Any) -> None:
    assert await on.run("code", {"code": source}, input) == output


@pytest.mark.parametrize(
    ("source", "input", "output"),
    [
        ("return input", {"a": 1, "b": [None, True, 1.5, "ä\u2028"]}, {"a": 1, "b": [None, True, 1.5, "ä\u2028"]}),
        ("return items.map(x => x * 2)", [1, 2], [2, 4]),
        ("return items.length", {"items": [1, 2, 3]}, 3),
        ("return await Promise.resolve(5)", {}, 5),
        ("1 + 1", {}, None),
        ("return new Date(0)", {}, "1970-01-01T00:00:00.000Z"),
        ("return {a: undefined, b: NaN}", {}, {"b": None}),
        ("const {a, ...rest} = input; return rest", {"a": 1, "b": 2}, {"b": 2}),
        ("return '{{ not worked out }}' // and a remark", {}, "{{ not worked out }}"),
    ],
)
async def test_javascript(on: Bench, source: str, input: Any, output: Any) -> None:
    assert await on.run("javascript", {"code": source}, input) == output


@pytest.mark.parametrize(("type_", "source"), [("code", "return a + b"), ("javascript", "return a + b")])
async def test_more_names(on: Bench, type_: str, source: str) -> None:
    config = {"code": source, "values": {"a": "{{ n * 10 }}", "b": 1}}
    assert await on.run(type_, config, {"n": 2}) == 21


async def test_what_is_printed_is_logged(on: Bench) -> None:
    await on.run("code", {"code": "print('a', 1)\nprint('b', end='')\nprint('c\\nd')"}, {})
    await on.run("javascript", {"code": "console.log('a', 1, {b: [2]}); console.error('x\\ny')"}, {})
    assert [text for _, text in on.heard.logs] == ["a 1", "bc", "d", 'a 1 {"b":[2]}', "x", "y"]


@pytest.mark.parametrize(
    ("type_", "source"),
    [
        ("code", "for i in range(2000):\n    print('x' * 100)"),
        ("javascript", "for (let i = 0; i < 2000; i++) console.log('x'.repeat(100))"),
    ],
)
async def test_too_much_print_is_cut_off(on: Bench, type_: str, source: str) -> None:
    await on.run(type_, {"code": source}, {})
    assert sum(len(text) + 1 for _, text in on.heard.logs[:-1]) <= MOST + 1
    assert on.heard.logs[-1] == ("warning", "It printed more than 65,536 characters; the rest is left out")


@pytest.mark.parametrize(
    ("type_", "source", "says"),
    [
        ("code", "x = = 1", r"code: SyntaxError: .* \(line 1\)"),
        ("code", "x = 1\nreturn x['a']", r"code: TypeError: .* \(line 2\)"),
        ("code", "return nope", r"NameError: name 'nope' is not defined \(line 1\)"),
        ("code", "\n\nraise ValueError('no orders')", r"code: ValueError: no orders \(line 3\)"),
        ("code", "return {1, 2}", "code: a set, which JSON has not. Answer with text"),
        ("code", "return {'a': [float('inf')]}", r"code: NaN or an infinity at a\[0\]"),
        ("code", "import datetime\nreturn {'at': datetime.date(2026, 1, 1)}", "code: a date at at, which JSON has not"),
        ("code", "return {1: 2}", "an object with keys that are not text"),
        ("code", "return 2 ** 70", "a whole number of more than 64 bits"),
        ("code", "return 'a' * 10**10", "code: it needs more than 128 MiB of memory"),
        ("javascript", "\nlet x = = 3", r"code: SyntaxError: .* \(line 2\)"),
        ("javascript", "\n\nthrow new TypeError('no')", r"code: TypeError: no \(line 3\)"),
        ("javascript", "return nope", r"code: ReferenceError: nope is not defined \(line 1\)"),
        ("javascript", "await new Promise(() => {})", "waits for a promise that nothing will settle"),
        ("javascript", "return (function f() { return f() + 1 })()", "it went too deep"),
        ("javascript", "return new Array(1e9).fill(0)", "it needs more than 128 MiB of memory"),
    ],
)
async def test_errors_say_what_and_where(on: Bench, type_: str, source: str, says: str) -> None:
    with pytest.raises(NodeError, match=says) as caught:
        await on.run(type_, {"code": source}, {})
    assert not caught.value.retryable


@pytest.mark.parametrize("source", PYTHON_ESCAPES)
async def test_python_does_not_get_out(on: Bench, source: str) -> None:
    with pytest.raises(NodeError, match="code: ") as caught:
        await on.run("code", {"code": source}, {"a": 1})
    assert "root:" not in str(caught.value)
    assert not ESCAPE.exists()


@pytest.mark.parametrize("source", PYTHON_HUNGER)
async def test_python_does_not_get_all(on: Bench, source: str) -> None:
    with pytest.raises(NodeError, match="code: "):
        await on.run("code", {"code": source}, {"a": 1})


@pytest.mark.parametrize("source", JAVASCRIPT_ESCAPES)
async def test_javascript_does_not_get_out(on: Bench, source: str) -> None:
    try:
        answer = await on.run("javascript", {"code": source}, {"a": 1})
    except NodeError as error:
        assert "code: " in str(error)
    else:
        assert answer in (None, {}), answer


@pytest.mark.parametrize("source", JAVASCRIPT_HUNGER)
async def test_javascript_does_not_get_all(on: Bench, source: str) -> None:
    with pytest.raises(NodeError, match="code: "):
        await on.run("javascript", {"code": source}, {"a": 1})


async def test_nothing_of_one_run_is_there_in_the_next(on: Bench) -> None:
    spoil = "Array.prototype.map = null; JSON.stringify = null; globalThis.seen = 1; return typeof globalThis.seen"
    for _ in range(2):
        assert await on.run("javascript", {"code": "return [typeof seen, [1].map(x => x)]"}, {}) == ["undefined", [1]]
        assert await on.run("javascript", {"code": spoil}, {}) == "number"
    await on.run("code", {"code": "seen = 1\nlen = None"}, {})
    with pytest.raises(NodeError, match="'seen' is not defined"):
        await on.run("code", {"code": "return seen"}, {})


@pytest.mark.parametrize("type_", ["code", "javascript"])
async def test_what_is_cancelled_at_once_never_runs_on(on: Bench, type_: str) -> None:
    """However far its process has come: it is there, or is just being started, or has yet to be."""
    endless = {"code": "while True: pass", "javascript": "for (;;);"}[type_]
    await on.run(type_, {"code": "return 1"}, {})
    for steps in range(30):
        task = asyncio.create_task(on.run(type_, {"code": endless}, {}))
        for _ in range(steps):
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(60):
        while workers():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("type_", "source"), [("code", "while True: pass"), ("javascript", "for (;;);")])
async def test_a_cancelled_run_is_killed(on: Bench, type_: str, source: str) -> None:
    begun = asyncio.Event()
    on.heard.log = lambda level, text: loop.call_soon_threadsafe(begun.set)  # type: ignore[method-assign, assignment]
    loop = asyncio.get_running_loop()
    say = "print('go')\n" if type_ == "code" else "console.log('go')\n"
    task = asyncio.create_task(on.run(type_, {"code": say + source}, {}))
    async with asyncio.timeout(60):
        await begun.wait()
        running = workers()
        assert running
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while running & workers():
            await asyncio.sleep(0.01)


def workers() -> set[int]:
    """The processes below this one in which code runs: those of Monty, and the forks of the JavaScript house."""
    below: dict[int, tuple[int, str]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = file.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if state != "Z":
            below[int(file.parent.name)] = (int(parent), name)
    me = os.getpid()
    return {
        pid
        for pid, (parent, name) in below.items()
        if (parent == me and name == "monty") or below.get(parent, (0, ""))[0] == me
    }


def test_the_process_of_the_code_has_no_environment() -> None:
    """What might hold a secret is not there to be found, whatever finds a way to look."""
    script = (
        "import pydantic_monty as m\n"
        "with m.Monty(max_processes=1) as pool, pool.checkout() as session:\n"
        "    print(open(f'/proc/{session.worker_pid}/environ').read())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "FLOWSCOPE_SECRET_X": "s3cr3t"}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "s3cr3t" not in done.stdout
