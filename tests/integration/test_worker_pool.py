"""What only processes can do: be killed, replaced, limited, and run beside each other."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from flowscope.errors import (
    HandlerUnreachable,
    InputInvalid,
    MemoryExceeded,
    NodeError,
    NodeTimeout,
    WorkerLost,
    WorkerTimeout,
)
from flowscope.nodes.context import NodeContext
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeConfig, node
from flowscope.orchestrator.ports import Limit
from flowscope.testing.runner_conformance import PATIENCE_SECONDS, SURROUNDINGS, SampleTask, ran, started, until
from flowscope.testing.sample_nodes import SAMPLES, sample_async
from flowscope.workers.settings import WorkerSettings
from flowscope.workers.worker_pool import WorkflowWorkerPool

pytestmark = pytest.mark.asyncio(loop_scope="module")


def runs(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pool_of(**settings: Any) -> WorkflowWorkerPool:
    return WorkflowWorkerPool(
        WorkerSettings(**{"concurrency": 3, **settings}), registry=Registry(SAMPLES), surroundings=SURROUNDINGS
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[WorkflowWorkerPool]:
    pool = pool_of()
    await pool.start()
    yield pool
    pids = pool.pids()
    await pool.stop(1)
    assert not any(map(runs, pids))


@pytest_asyncio.fixture(loop_scope="module")
async def narrow() -> AsyncIterator[WorkflowWorkerPool]:
    """One process, so that the rest waits."""
    pool = pool_of(concurrency=1, timeout=60_000)
    await pool.start()
    yield pool
    await pool.stop(0)


# --- death ---


async def test_a_death_costs_its_own_task_alone_and_the_process_is_replaced(
    pool: WorkflowWorkerPool, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    bystander = started(pool, SampleTask(do="until", path=str(gate), node_id="bystander"))
    failure = (await ran(pool, SampleTask(do="die", node_id="victim"))).failure
    assert isinstance(failure, WorkerLost) and failure.chances == 3
    assert "SIGKILL" in str(failure)
    assert (await ran(pool, SampleTask(value=1))).value["config"] == 1
    gate.touch()
    assert (await bystander).failure is None


async def test_a_handler_that_leaves_with_its_process_is_lost(pool: WorkflowWorkerPool) -> None:
    failure = (await ran(pool, SampleTask(do="quit"))).failure
    assert isinstance(failure, WorkerLost) and "exit code 7" in str(failure)


async def test_killing_the_fork_server_costs_what_runs_and_the_pool_goes_on(tmp_path: Path) -> None:
    pool = pool_of(concurrency=2)
    await pool.start()
    hanging = started(pool, SampleTask(do="hang", path=str(tmp_path / "a"), unhurried=True))
    await until((tmp_path / "a").exists)
    children = pool.pids()
    os.kill(children[-1], signal.SIGKILL)
    assert isinstance((await hanging).failure, WorkerLost)
    await until(lambda: not any(map(runs, children)))
    assert (await ran(pool, SampleTask(value=1))).value["config"] == 1
    await pool.stop(1)


async def test_processes_that_never_take_a_task_fail_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    pool = pool_of()
    await pool.start()
    failure = (await ran(pool, SampleTask())).failure
    assert isinstance(failure, WorkerLost) and failure.chances == 0
    await pool.stop(0)


# --- time ---


async def test_a_deaf_task_is_killed_when_its_time_is_over_and_runs_no_more(
    pool: WorkflowWorkerPool, tmp_path: Path
) -> None:
    path = tmp_path / "counts"
    task = SampleTask(do="hang", path=str(path), timeout=1_000)
    assert type((await ran(pool, task)).failure) is NodeTimeout
    pid, turns = path.read_text().split()
    assert not runs(int(pid))
    assert path.read_text().split()[1] == turns


async def test_where_the_node_says_nothing_the_pools_own_limit_holds(tmp_path: Path) -> None:
    pool = pool_of(timeout=300, retry_attempts=2)
    await pool.start()
    failure = (await ran(pool, SampleTask(do="hang", path=str(tmp_path / "a"), node_id="a"))).failure
    assert isinstance(failure, WorkerTimeout) and failure.chances == 2 and "WORKER_TIMEOUT" in str(failure)
    unhurried = started(pool, SampleTask(do="until", path=str(tmp_path / "gate"), node_id="b", unhurried=True))
    failure = (await ran(pool, SampleTask(do="hang", path=str(tmp_path / "c"), node_id="c"))).failure
    assert isinstance(failure, WorkerTimeout) and unhurried.count == 0
    (tmp_path / "gate").touch()
    assert (await unhurried).failure is None
    await pool.stop(0)


async def test_cancelling_ends_a_deaf_task_and_what_it_has_started(pool: WorkflowWorkerPool, tmp_path: Path) -> None:
    path = tmp_path / "pids"
    task = SampleTask(do="spawn", path=str(path))
    reported = started(pool, task)
    await until(path.exists)
    pids = [int(pid) for pid in path.read_text().split()]
    assert all(map(runs, pids))
    assert pool.cancel(task.key)
    await until(lambda: not any(map(runs, pids)))
    assert reported.count == 0


async def test_a_stopped_process_is_killed_when_its_time_is_over(pool: WorkflowWorkerPool, tmp_path: Path) -> None:
    path = tmp_path / "it"
    reported = started(pool, SampleTask(do="hang", path=str(path), timeout=2_000))
    await until(path.exists)
    os.kill(int(path.read_text().split()[0]), signal.SIGSTOP)
    assert type((await reported).failure) is NodeTimeout


# --- memory ---


async def test_a_task_that_needs_too_much_memory_fails_and_no_other(tmp_path: Path) -> None:
    pool = pool_of(memory=64)
    await pool.start()
    neighbour = started(pool, SampleTask(do="until", path=str(tmp_path / "gate"), node_id="neighbour"))
    error = (await ran(pool, SampleTask(do="hoard", size=200 << 20))).error
    assert (error.type, error.retryable) == (MemoryExceeded.__name__, False)
    assert "64 MiB" in error.message
    assert (await ran(pool, SampleTask(do="hoard", size=16 << 20))).value == 16 << 20
    (tmp_path / "gate").touch()
    assert (await neighbour).failure is None
    assert pool.get_metrics()["recycledWorkers"] == 1
    await pool.stop(1)


async def test_processes_are_replaced_after_so_many_tasks() -> None:
    pool = pool_of(concurrency=1, recycle_after=2)
    await pool.start()
    pids = [(await ran(pool, SampleTask(do="who", node_id=str(number)))).value for number in range(6)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4] == pids[5]
    assert pool.get_metrics()["recycledWorkers"] == 3
    await pool.stop(1)


# --- the line ---


async def test_the_higher_priority_goes_first_and_equals_as_they_came(
    narrow: WorkflowWorkerPool, tmp_path: Path
) -> None:
    order: list[str] = []
    gate = tmp_path / "gate"
    reports: list[Awaitable[Any]] = [started(narrow, SampleTask(do="until", path=str(gate), node_id="first"))]
    await until(lambda: narrow.statistics()["running"])
    for name, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
        task = SampleTask(node_id=name, priority=priority)
        reports.append(_noting(narrow, task, order))
    gate.touch()
    for reported in reports:
        await reported
    assert order == ["b", "d", "a", "c", "e"]


async def test_executions_take_turns(narrow: WorkflowWorkerPool, tmp_path: Path) -> None:
    order: list[str] = []
    gate = tmp_path / "gate"
    reports: list[Awaitable[Any]] = [started(narrow, SampleTask(do="until", path=str(gate), node_id="first"))]
    await until(lambda: narrow.statistics()["running"])
    for execution, name in [("big", f"big{n}") for n in range(5)] + [("small", "small0"), ("small", "small1")]:
        reports.append(_noting(narrow, SampleTask(node_id=name, execution_id=execution), order))
    gate.touch()
    for reported in reports:
        await reported
    assert order == ["big0", "small0", "big1", "small1", "big2", "big3", "big4"]


async def test_who_waits_is_told_its_place_and_that_it_has_begun(narrow: WorkflowWorkerPool, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = started(narrow, SampleTask(do="until", path=str(gate), node_id="first"))
    waiting = [SampleTask(node_id=f"w{number}") for number in range(3)]
    reports = [started(narrow, task) for task in waiting]
    await until(lambda: all(task.places for task in waiting))
    assert [task.places[0] for task in waiting] == [
        f"queued, {place} of 3, waits for worker" for place in ("1st", "2nd", "3rd")
    ]
    assert narrow.waiting("run") == {task.key: task.places[-1] for task in waiting}
    assert narrow.waiting("another") == {}
    assert narrow.cancel(waiting[0].key)
    await until(lambda: waiting[1].places[-1] == "queued, 1st of 2, waits for worker")
    gate.touch()
    await first
    for reported in reports[1:]:
        await reported
    assert [task.places[-1] for task in waiting[1:]] == ["", ""]
    assert [task.waits for task in waiting] == [[True], [True, False], [True, False]]
    assert reports[0].count == 0


async def test_a_limit_holds_for_whoever_names_it_and_holds_up_nobody_else(tmp_path: Path) -> None:
    pool = pool_of(concurrency=4)
    await pool.start()
    gate = tmp_path / "gate"
    limits = (Limit("key gpu", 2),)
    held = [SampleTask(do="until", path=str(gate), node_id=f"g{number}", limits=limits) for number in range(4)]
    reports = [started(pool, task) for task in held]
    assert (await ran(pool, SampleTask(node_id="other", value=1))).value["config"] == 1
    await until(lambda: held[2].places)
    assert held[2].places[0] == "queued, 1st of 2, waits for key gpu (at most 2)"
    assert pool.statistics()["running"] == 2
    gate.touch()
    for reported in reports:
        assert (await reported).failure is None
    await pool.stop(1)


async def test_limits_hold_for_what_needs_no_process_too(tmp_path: Path) -> None:
    pool = pool_of()
    await pool.start()
    gate = tmp_path / "gate"
    tasks = [
        SampleTask(do="until", path=str(gate), node_id=f"n{n}", limits=(Limit("workflow w", 1),)) for n in range(3)
    ]
    for task in tasks:
        task.in_pool = False
    reports = [started(pool, task) for task in tasks]
    await until(lambda: tasks[2].places)
    assert pool.statistics()["running"] == 1 and pool.pids() == []
    assert pool.cancel(tasks[0].key)
    gate.touch()
    for reported in reports[1:]:
        assert (await reported).failure is None
    await pool.stop(1)


def _noting(pool: WorkflowWorkerPool, task: SampleTask, order: list[str]) -> asyncio.Future[Any]:
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def report(done: Any, answer: Any, failure: BaseException | None) -> None:
        order.append(task.key[2])
        future.set_result(failure)

    pool.run(task, report)
    return future


# --- handlers ---


async def test_a_handler_that_no_process_can_import_is_refused_with_what_to_do(pool: WorkflowWorkerPool) -> None:
    @node("local", title="Local", category="testing", resources="cpu")
    def local(config: NodeConfig, context: NodeContext) -> None: ...

    failure = (await ran(pool, SampleTask(local))).failure
    assert isinstance(failure, HandlerUnreachable) and "top of a module" in str(failure)
    local.handler.__qualname__ = "nowhere"
    error = (await ran(pool, SampleTask(local))).error
    assert error.type == "HandlerUnreachable" and "nowhere" in error.message and not error.retryable


async def test_async_handlers_share_their_processs_loop(pool: WorkflowWorkerPool) -> None:
    for number in range(6):
        assert (await ran(pool, SampleTask(sample_async, node_id=str(number), value=number))).value["config"] == number


async def test_a_pool_that_nobody_needs_has_no_processes() -> None:
    pool = pool_of()
    await pool.start()
    task = SampleTask()
    task.in_pool = False
    assert (await ran(pool, task)).failure is None
    assert pool.pids() == []
    await pool.stop(1)


async def test_branches_run_beside_each_other(tmp_path: Path) -> None:
    """Each waits for a file that the next one makes: one after the other they would never end."""
    pool = pool_of(concurrency=2)
    await pool.start()
    one = SampleTask(do="until", path=str(tmp_path / "b.here"), node_id="a")
    other = SampleTask(do="until", path=str(tmp_path / "b"), node_id="b")
    first, second = started(pool, one), started(pool, other)
    await first
    (tmp_path / "b").touch()
    await second
    await pool.stop(1)


# --- the mission's face ---


def contract_task(number: int = 1, **fields: Any) -> dict[str, Any]:
    data = {"type": "sample", "label": "Sample", "config": fields.pop("config", {"value": "{{ earlier.x }}"})}
    return {
        "id": f"task-{number}",
        "executionId": "run",
        "nodeId": "node",
        "nodeData": data,
        "input": {"a": 1},
        "nodeOutputs": {"earlier": {"x": [1]}},
        **fields,
    }


async def test_a_submitted_task_sees_its_input_and_earlier_outputs(pool: WorkflowWorkerPool) -> None:
    output = await pool.submit_task(contract_task(priority=3))
    assert output == {"config": [1], "input": {"a": 1}, "node": "node", "attempt": 1}


async def test_a_submitted_task_is_run_again_when_its_process_dies(pool: WorkflowWorkerPool, tmp_path: Path) -> None:
    path = tmp_path / "attempts"
    output = await pool.submit_task(contract_task(config={"do": "die", "value": [1, 2, 3], "path": str(path)}))
    assert output == {"attempt": 4}
    assert path.read_text().split() == ["1", "2", "3", "4"]
    path.unlink()
    with pytest.raises(WorkerLost):
        await pool.submit_task(contract_task(config={"do": "die", "path": str(path)}))
    assert path.read_text().split() == ["1", "2", "3", "4"]


async def test_an_ordinary_error_is_not_run_again(pool: WorkflowWorkerPool) -> None:
    before = pool.get_metrics()["retriedTasks"]
    with pytest.raises(NodeError, match="It is broken") as raised:
        await pool.submit_task(contract_task(config={"do": "fail", "value": "node"}))
    assert raised.value.code == "BROKEN" and pool.get_metrics()["retriedTasks"] == before


async def test_no_secret_leaves_by_a_submitted_task(pool: WorkflowWorkerPool) -> None:
    assert await pool.submit_task(contract_task(config={"do": "secret"})) == {"token": "[secret]"}
    output = await pool.submit_task(contract_task(config={"value": "{{ secrets.token }}"}))
    assert output["config"] == "[secret]"
    with pytest.raises(NodeError) as raised:
        await pool.submit_task(contract_task(config={"do": "fail", "value": "{{ secrets.token }}"}))
    assert "s3cr3t" not in str(raised.value) and "[secret]" in str(raised.value)


async def test_what_is_no_task_is_refused(pool: WorkflowWorkerPool) -> None:
    with pytest.raises(InputInvalid, match="nodeData"):
        await pool.submit_task({"id": "x"})
    with pytest.raises(InputInvalid, match="no node type"):
        await pool.submit_task(contract_task(nodeData={"type": "nonsense"}))


async def test_the_metrics_add_up(tmp_path: Path) -> None:
    pool = pool_of(concurrency=2)
    await pool.start()
    gate = tmp_path / "gate"
    tasks = [SampleTask(do="until", path=str(gate), node_id=f"n{number}") for number in range(5)]
    reports = [started(pool, task) for task in tasks]
    metrics = await until(lambda: (now := pool.get_metrics())["activeWorkers"] == 2 and now)
    assert (metrics["totalTasks"], metrics["queueLength"], metrics["completedTasks"]) == (5, 3, 0)
    gate.touch()
    for reported in reports:
        await reported
    await ran(pool, SampleTask(do="fail", value="node"))
    metrics = pool.get_metrics()
    assert (metrics["totalTasks"], metrics["completedTasks"], metrics["failedTasks"]) == (6, 5, 1)
    assert metrics["averageExecutionTime"] > 0 and metrics["queueLength"] == metrics["activeWorkers"] == 0
    pids = pool.pids()
    await pool.shutdown(PATIENCE_SECONDS)
    assert not any(map(runs, pids))
