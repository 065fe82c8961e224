"""What every `NodeRunner` must do: derive a test class, say how to make one, and pytest (with pytest-asyncio) does the rest.

    class TestMyRunner(RunnerConformance):
        @classmethod
        def make_runner(cls) -> NodeRunner:
            return MyRunner()

Nothing here sleeps: a report is waited for, and so is a file that a handler makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeTimeout
from flowscope.execution.events import ErrorInfo
from flowscope.execution.state import encode_json
from flowscope.nodes.context import NodeContext, Surroundings
from flowscope.nodes.sdk import NodeType
from flowscope.orchestrator.attempt import describe
from flowscope.orchestrator.job import NONE, Job, Place, name_of
from flowscope.orchestrator.payloads import encode
from flowscope.orchestrator.ports import Limit, NodeRunner
from flowscope.testing.sample_nodes import ANSWERS, sample, sample_async

PATIENCE_SECONDS = 60.0
"""How long a report or a file may take before the test fails; no test waits that long for a fact."""


async def until(fact: Callable[[], Any]) -> Any:
    """Wait until it is true, and give it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (value := fact()):  # noqa: ASYNC110 -- a file has no event
            await asyncio.sleep(0.005)
    return value


class SampleTask:
    """A task by hand; satisfies the ports' `Task`, and keeps what the handler says."""

    def __init__(
        self,
        node_type: NodeType = sample,
        *,
        input: JSON = None,
        execution_id: str = "run",
        node_id: str = "node",
        attempt: int = 1,
        timeout: float = 0,
        unhurried: bool = False,
        priority: int = 0,
        limits: tuple[Limit, ...] = (),
        **config: JSON,
    ) -> None:
        self.key = (execution_id, "", node_id, attempt)
        self.node_type = node_type
        self.is_async = node_type.is_async
        self.in_pool = node_type.resources == "cpu"
        self.timeout = timeout
        self.unhurried = unhurried
        self.priority = priority
        self.limits = limits
        self.secrets: set[str] = set()
        self.said: list[tuple[str, Any]] = []
        self.places: list[str] = []
        self.waits: list[bool] = []
        self._config = config
        self._input = input
        self._cancelled = False

    def call(self) -> Any:
        context = NodeContext(
            execution_id=self.key[0],
            workflow_id="w",
            node_id=self.key[2],
            node_name="Node",
            path="",
            attempt=self.key[3],
            now=0,
            handles=frozenset(),
            surroundings=SURROUNDINGS,
            reporter=self,
            cancelled=lambda: self._cancelled,
            secrets_used=self.secrets,
        )
        arguments = {"config": self.node_type.parse(self._config), "input": self._input, "context": context}
        return self.node_type.handler(**{name: arguments[name] for name in self.node_type.takes})

    def job(self) -> Job:
        place = Place(
            execution_id=self.key[0],
            workflow_id="w",
            node_id=self.key[2],
            node_name="Node",
            path="",
            attempt=self.key[3],
            now=0,
            handles=[],
            iteration=0,
        )
        return Job(
            handler=name_of(self.node_type),
            place=place,
            surroundings=SURROUNDINGS,
            config=msgspec.Raw(encode_json(self._config)),
            input=NONE if self._input is None else msgspec.Raw(encode_json(self._input)),
        )

    def cancel(self) -> None:
        self._cancelled = True

    def progress(self, fraction: float, message: str) -> None:
        self.said.append(("progress", (fraction, message)))

    def log(self, level: str, text: str) -> None:
        self.said.append((level, self._without_secrets(text)))

    def stream(self, text: str) -> None:
        self.said.append(("stream", text))

    def queued(self, detail: str) -> None:
        self.places.append(detail)

    def in_line(self, waits: bool) -> None:
        self.waits.append(waits)

    def _without_secrets(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


SURROUNDINGS = Surroundings(file_roots=(Path("/"),), environment={"PLACE": "here"}, secrets={"token": "s3cr3t"})


class Reported:
    """What a runner has reported of a task; may be waited for."""

    def __init__(self) -> None:
        self.count = 0
        self.answer: Any = None
        self.failure: BaseException | None = None
        self._there = asyncio.Event()

    def __call__(self, task: Any, answer: Any, failure: BaseException | None) -> None:
        self.count += 1
        self.answer, self.failure = answer, failure
        self._there.set()

    def __await__(self) -> Any:
        return self._wait().__await__()

    async def _wait(self) -> Reported:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._there.wait()
        return self

    @property
    def value(self) -> JSON:
        """The answer as plain JSON."""
        assert self.failure is None, self.failure
        return msgspec.json.decode(encode(self.answer))

    @property
    def error(self) -> ErrorInfo:
        assert self.failure is not None, self.answer
        return describe(self.failure)


def started(runner: NodeRunner, task: SampleTask) -> Reported:
    """Have it run; what will be reported."""
    reported = Reported()
    runner.run(task, reported)
    return reported


async def ran(runner: NodeRunner, task: SampleTask) -> Reported:
    """The same, waited for."""
    reported = started(runner, task)
    await reported
    return reported


@pytest.mark.asyncio(loop_scope="class")
class RunnerConformance:
    """Derive from it; see above."""

    @classmethod
    def make_runner(cls) -> NodeRunner:
        raise NotImplementedError

    @pytest_asyncio.fixture(scope="class", loop_scope="class")
    @classmethod
    async def runner(cls) -> AsyncIterator[NodeRunner]:
        runner = cls.make_runner()
        await runner.start()
        yield runner
        await runner.stop(0)

    # --- answers ---

    @pytest.mark.parametrize("node_type", [sample, sample_async], ids=["sync", "async"])
    async def test_a_handler_gets_its_config_its_input_and_its_place(
        self, runner: NodeRunner, node_type: NodeType
    ) -> None:
        task = SampleTask(node_type, input={"a": [1, "é"]}, node_id="here", attempt=4, value={"b": 2})
        reported = await ran(runner, task)
        assert reported.value == {"config": {"b": 2}, "input": {"a": [1, "é"]}, "node": "here", "attempt": 4}

    @pytest.mark.parametrize("kind", ANSWERS)
    async def test_every_kind_of_answer_arrives_as_it_was_given(self, runner: NodeRunner, kind: str) -> None:
        reported = await ran(runner, SampleTask(do="answer", value=kind))
        expected = ANSWERS[kind]
        assert reported.failure is None
        assert encode(reported.answer) == encode(expected)
        if type(expected).__module__ == "flowscope.nodes.answer":
            assert type(reported.answer) is type(expected)

    async def test_what_is_no_json_cannot_be_kept(self, runner: NodeRunner) -> None:
        for value in ("object", "nan"):
            reported = await ran(runner, SampleTask(do="no_json", value=value))
            error = reported.error if reported.failure else describe(_not_json(reported.answer))
            assert (error.type, error.retryable) == ("NotJSON", False)

    async def test_the_input_is_the_handlers_own(self, runner: NodeRunner) -> None:
        assert (await ran(runner, SampleTask(do="spoil", input={"a": 1}))).value == {"a": 1, "spoiled": True}

    async def test_large_values_come_through_both_ways(self, runner: NodeRunner) -> None:
        task = SampleTask(do="large", input={"data": "y" * 5_000_000}, size=20_000_000)
        value = (await ran(runner, task)).value
        assert value["size"] > 5_000_000 and len(value["data"]) == 20_000_000

    async def test_each_of_many_is_reported_once(self, runner: NodeRunner) -> None:
        tasks = [SampleTask(node_id=f"n{number}", value=number) for number in range(200)]
        reports = [started(runner, task) for task in tasks]
        for number, reported in enumerate(reports):
            assert (await reported).value["config"] == number
        assert [reported.count for reported in reports] == [1] * 200
        assert runner.statistics()["running"] == 0

    # --- failures ---

    async def test_an_error_keeps_its_facts(self, runner: NodeRunner) -> None:
        error = (await ran(runner, SampleTask(do="fail", value="node"))).error
        assert (error.type, error.message, error.code, error.retryable) == (
            "NodeError",
            "It is broken",
            "BROKEN",
            False,
        )
        error = (await ran(runner, SampleTask(do="fail", value="x"))).error
        assert (error.type, error.message) == ("ValueError", "not this: x")
        assert error.detail.startswith("_fail, line ")

    async def test_whatever_a_handler_raises_is_its_own_failure(self, runner: NodeRunner) -> None:
        for value in ("exit", "words"):
            assert (await ran(runner, SampleTask(do="fail", value=value))).failure is not None
        assert (await ran(runner, SampleTask(value=1))).value["config"] == 1

    async def test_past_its_time_out_a_task_fails_and_its_neighbours_finish(
        self, runner: NodeRunner, tmp_path: Path
    ) -> None:
        gate = tmp_path / "gate"
        neighbours = [started(runner, SampleTask(do="until", path=str(gate), node_id=f"n{n}")) for n in range(2)]
        slow = started(runner, SampleTask(do="heed", path=str(tmp_path / "slow"), node_id="slow", timeout=300))
        failure = (await slow).failure
        assert isinstance(failure, NodeTimeout) and "300 ms" in str(failure)
        gate.touch()
        for neighbour in neighbours:
            assert (await neighbour).failure is None

    async def test_an_async_handler_past_its_time_out_fails(self, runner: NodeRunner, tmp_path: Path) -> None:
        task = SampleTask(sample_async, do="sleep", path=str(tmp_path / "a"), seconds=50, timeout=200)
        assert isinstance((await ran(runner, task)).failure, NodeTimeout)

    # --- cancelling ---

    @pytest.mark.parametrize("node_type", [sample, sample_async], ids=["sync", "async"])
    async def test_a_cancelled_handler_is_told_and_nothing_is_reported(
        self, runner: NodeRunner, tmp_path: Path, node_type: NodeType
    ) -> None:
        path = tmp_path / "it"
        task = SampleTask(node_type, do="heed" if node_type is sample else "sleep", path=str(path), seconds=50)
        reported = started(runner, task)
        await until(path.exists)
        assert runner.cancel(task.key)
        await until(Path(f"{path}.cancelled").exists)
        assert not runner.cancel(task.key)
        assert (await ran(runner, SampleTask(node_id="next", value=1))).value["config"] == 1
        assert reported.count == 0

    async def test_what_does_not_run_is_not_cancelled(self, runner: NodeRunner) -> None:
        assert not runner.cancel(("run", "", "nobody", 1))
        task = SampleTask()
        await ran(runner, task)
        assert not runner.cancel(task.key)

    # --- words ---

    async def test_what_a_handler_says_arrives_in_order_and_before_its_answer(self, runner: NodeRunner) -> None:
        task = SampleTask(do="talk")
        await ran(runner, task)
        await until(lambda: task.said and task.said[-1] == ("progress", (1.0, "done")))
        lines = [(kind, text) for kind, text in task.said if kind != "progress"]
        assert lines == [("info", "first"), ("stream", "so "), ("stream", "far"), ("warning", "second")]

    async def test_a_secret_is_known_before_it_is_said(self, runner: NodeRunner) -> None:
        task = SampleTask(do="secret")
        reported = await ran(runner, task)
        assert reported.value == {"token": "s3cr3t"}
        assert task.secrets == {"s3cr3t"}
        await until(lambda: task.said)
        assert task.said == [("info", "it is ***")]

    # --- life ---

    async def test_stopping_waits_for_what_runs(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        await runner.start()
        gate = tmp_path / "gate"
        reported = started(runner, SampleTask(do="until", path=str(gate)))
        await until(Path(f"{gate}.here").exists)
        stopping = asyncio.create_task(runner.stop(PATIENCE_SECONDS))
        gate.touch()
        await stopping
        assert (await reported).failure is None

    async def test_stopping_ends_what_does_not_finish_unreported(self, tmp_path: Path) -> None:
        runner = self.make_runner()
        await runner.start()
        path = tmp_path / "it"
        reported = started(runner, SampleTask(do="heed", path=str(path)))
        await until(path.exists)
        await runner.stop(0.05)
        await runner.stop(0.05)
        assert reported.count == 0

    async def test_it_may_be_stopped_unstarted_and_started_again(self) -> None:
        runner = self.make_runner()
        await runner.stop(0)
        for _ in range(2):
            await runner.start()
            assert (await ran(runner, SampleTask(value=1))).value["config"] == 1
            await runner.stop(5)


def _not_json(answer: Any) -> BaseException:
    try:
        encode(answer)
    except Exception as error:  # noqa: BLE001 -- it is the fact that is asked for
        return error
    raise AssertionError("it is JSON")


__all__ = ["Reported", "RunnerConformance", "SampleTask", "ran", "started", "until"]
