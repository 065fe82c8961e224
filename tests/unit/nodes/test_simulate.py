from __future__ import annotations

import asyncio
import time

import pytest

from flowscope.errors import NodeError
from unit.nodes.bench import Bench


async def test_it_passes_its_input_on_or_gives_an_output(bench: Bench) -> None:
    assert await bench.run("simulate", {}, {"a": 1}) == {"a": 1}
    assert await bench.run("simulate", {"output": {"b": "{{ a }}"}}, {"a": 1}) == {"b": 1}
    assert await bench.run("simulate", {"output": None}, {"a": 1}) is None


async def test_it_reports_progress_and_streams(bench: Bench) -> None:
    await bench.run("simulate", {"progress": 4, "stream": "one two  three"}, {})
    assert bench.heard.fractions == [0.25, 0.5, 0.75, 1.0]
    assert "".join(bench.heard.streamed) == "one two  three"


@pytest.mark.parametrize(("fail", "attempt"), [(True, 7), ([1, 2], 2)])
async def test_it_fails_when_told(bench: Bench, fail: bool | list[int], attempt: int) -> None:
    with pytest.raises(NodeError, match=f"attempt {attempt}") as caught:
        await bench.run("simulate", {"fail": fail}, {}, attempt=attempt)
    assert caught.value.retryable


async def test_it_succeeds_at_other_attempts(bench: Bench) -> None:
    assert await bench.run("simulate", {"fail": [1, 2]}, {"a": 1}, attempt=3) == {"a": 1}


async def test_computing_leaves_the_event_loop_free(bench: Bench) -> None:
    before = time.process_time()
    work = asyncio.create_task(bench.run("simulate", {"cpu": 0.2, "allocate": 1}, {}))
    turns = 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    await work
    assert turns > 10
    assert time.process_time() - before >= 0.15


async def test_cancelling_ends_the_computing(bench: Bench) -> None:
    started = time.monotonic()
    work = asyncio.create_task(bench.run("simulate", {"cpu": 600, "progress": 1}, {}))
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await asyncio.get_running_loop().shutdown_default_executor()
    assert time.monotonic() - started < 60
