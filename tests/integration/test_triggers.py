"""Triggers on a real store and library, with a clock that moves when told."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acceptance.notation import chain, one
from flowscope.definition import load
from flowscope.definition.document import Limits
from flowscope.definition.workflow import Workflow
from flowscope.engine import Engine
from flowscope.errors import InputInvalid
from flowscope.library import Activations, LibraryDatabase, TriggerRow, WorkflowLibrary, draft_of
from flowscope.nodes.context import Surroundings
from flowscope.orchestrator.ports import ExecutionQuery
from flowscope.testing.clock import MovedClock
from flowscope.triggers import Firing, TriggerDesk, TriggerState

MINUTE = 60_000.0
HOUR = 60 * MINUTE


class Place:
    """An engine, a library and a desk over one folder."""

    def __init__(self, folder: Path, clock: MovedClock | None = None, **surroundings: Any) -> None:
        self.clock = clock or MovedClock()
        self.engine = Engine(folder, clock=self.clock, surroundings=Surroundings(**surroundings))
        self.database = LibraryDatabase(folder)
        self.library = WorkflowLibrary(self.database)
        self.activations = Activations(self.database)
        self.desk = self.new_desk()

    def new_desk(self, activations: Activations | None = None) -> TriggerDesk:
        desk = TriggerDesk(self.engine.orchestrator, activations or self.activations, self.find)
        self.engine.orchestrator.publishers.append(desk)
        return desk

    async def find(self, workflow_id: str) -> Workflow:
        return load(self.library.get(workflow_id).document, self.engine.registry)

    def store(self, document: dict[str, Any]) -> str:
        draft = draft_of(document, self.engine.registry, limits=Limits())
        return (
            self.library.save(draft).workflow_id
            if self.known(document["id"])
            else self.library.create(draft).workflow_id
        )

    def known(self, workflow_id: str) -> bool:
        return any(row.workflow_id == workflow_id for row in self.library.search(""))

    def runs(self, workflow_id: str = "") -> list[Any]:
        """The inputs of the runs, in the order of their starts."""
        rows = self.engine.store.search(ExecutionQuery(workflow_id=workflow_id, limit=500))
        return [self.input(row.execution_id) for row in reversed(rows)]

    def input(self, execution_id: str) -> Any:
        (segment, *_) = self.engine.store.read(execution_id, 0, 1)
        return msgspec.json.decode(segment.lines.split(b"\n")[0]).get("input")

    def state(self, node_id: str) -> TriggerState:
        return next(state for state in self.desk.states() if state.node_id == node_id)


@asynccontextmanager
async def place(folder: Path, clock: MovedClock | None = None, **surroundings: Any) -> AsyncIterator[Place]:
    here = Place(folder, clock, **surroundings)
    here.database.start()
    async with here.engine:
        await here.desk.start()
        yield here
        await here.desk.stop()
    here.database.stop()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 -- what is waited for is on disk, which tells nobody
            await asyncio.sleep(0.002)


def scheduled(kind: str = "schedule", **config: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {"cron": "*/10 * * * *"} if kind == "schedule" else {"interval": "10m"}
    return chain("timed", one("clock", kind, defaults | config), one("work", "wait", {"signal": "go", "duration": 1}))


@pytest.mark.parametrize("kind", ["schedule", "interval"])
async def test_a_schedule_starts_a_run_at_each_time(tmp_path: Path, kind: str) -> None:
    """W-01, and fault 12 of the old system: its schedules never ran."""
    async with place(tmp_path) as here:
        here.store(scheduled(kind))
        await here.desk.activate("timed", "Ada")
        assert here.state("clock").next_due == here.clock.now() + 10 * MINUTE
        for number in range(1, 4):
            here.clock.move(10 * MINUTE)
            await until(lambda: len(here.runs("timed")) == number)  # noqa: B023
        await until(lambda: (here.state("clock").fired, here.state("clock").queued) == (3, 0))
        state = here.state("clock")
        assert (state.error, state.queued, state.left_out) == ("", 0, 0)
        assert state.next_due == here.clock.now() + 10 * MINUTE
        row = here.engine.store.row(state.execution_id)
        assert row is not None and row.workflow_id == "timed"
        stamps = [run["timestamp"] for run in here.runs("timed")]
        assert [two - one for one, two in pairwise(stamps)] == [600_000, 600_000]


async def test_what_is_not_active_starts_nothing(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.store(scheduled())
        here.clock.move(HOUR)
        await here.desk.activate("timed")
        assert here.state("clock").next_due == here.clock.now() + 10 * MINUTE  # nothing of before counts
        assert await here.desk.deactivate("timed")
        assert not await here.desk.deactivate("timed")
        here.clock.move(HOUR)
        await here.engine.orchestrator.driver.recorder.flushed()
        assert here.runs() == [] and here.desk.states() == []


@pytest.mark.parametrize(("missed", "expected"), [("skip", 0), ("once", 1), ("all", 5)])
async def test_what_came_due_while_nothing_ran_is_caught_up_with_by_policy(
    tmp_path: Path, missed: str, expected: int
) -> None:
    """W-03."""
    clock = MovedClock()
    async with place(tmp_path, clock) as here:
        here.store(scheduled(missed=missed))
        await here.desk.activate("timed")
    clock._now += 55 * MINUTE
    async with place(tmp_path, clock) as here:
        await until(lambda: here.state("clock").fired + here.state("clock").left_out == 5)
        assert len(here.runs("timed")) == expected
        clock.move(5 * MINUTE)
        await until(lambda: len(here.runs("timed")) == expected + 1)


def dealt_with(state: TriggerState) -> tuple[int, int, int]:
    return state.fired, state.left_out, state.queued


@pytest.mark.parametrize(("overlap", "at_once"), [("allow", 3), ("skip", 1), ("queue", 1)])
async def test_runs_that_overlap(tmp_path: Path, overlap: str, at_once: int) -> None:
    """W-04."""
    document = chain(
        "timed", one("clock", "interval", {"interval": "10m", "overlap": overlap}), one("ask", "wait", {"signal": "go"})
    )
    async with place(tmp_path) as here:
        here.store(document)
        await here.desk.activate("timed")
        for number in range(1, 4):
            here.clock.move(10 * MINUTE)
            expected = {"allow": (number, 0, 0), "skip": (1, number - 1, 0), "queue": (1, 0, number - 1)}[overlap]
            await until(lambda: dealt_with(here.state("clock")) == expected)  # noqa: B023
        assert len(here.runs("timed")) == at_once
        if overlap == "queue":
            for number in (1, 2, 3):
                await until(lambda: here.state("clock").fired == number)  # noqa: B023
                await here.engine.orchestrator.signal(here.state("clock").execution_id, "go")
            assert len({run["timestamp"] for run in here.runs("timed")}) == 3
        else:
            assert here.state("clock").left_out == 3 - at_once


async def test_another_setting_counts_from_anew_and_the_same_does_not(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.store(scheduled())
        await here.desk.activate("timed")
        here.clock.move(10 * MINUTE)
        await until(lambda: here.state("clock").fired == 1)
        here.store(scheduled() | {"name": "Renamed"})
        await here.desk.refresh("timed")
        assert (here.state("clock").fired, here.state("clock").workflow_name) == (1, "Renamed")
        here.clock.move(5 * MINUTE)
        here.store(scheduled(cron="*/2 * * * *"))
        await here.desk.refresh("timed")
        assert here.state("clock").since == here.clock.now()
        here.clock.move(2 * MINUTE)
        await until(lambda: here.state("clock").fired == 1 and here.state("clock").fired_at == here.clock.now())


async def test_a_workflow_that_cannot_run_says_so(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.store(scheduled())
        await here.desk.activate("timed")
        here.library.delete("timed")
        here.clock.move(10 * MINUTE)
        await until(lambda: "no workflow" in here.state("clock").error.lower() or bool(here.state("clock").error))
        assert "timed" in here.state("clock").error


# --- exactly once ---


class Crash(BaseException):
    """The end of a process, as far as the desk is concerned."""


class Crashing(Activations):
    """Ends the process at one of its passages, counted over before and after each save and each firing."""

    def __init__(self, database: LibraryDatabase, at: int) -> None:
        super().__init__(database)
        self.left = at

    def passage(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def save(self, row: TriggerRow) -> None:
        self.passage()
        super().save(row)
        self.passage()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["skip", "once", "all"]),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 25)), min_size=1, max_size=4),
)
def test_each_time_starts_one_run_wherever_the_process_ends(missed: str, lives: list[tuple[int, int]]) -> None:
    """W-01. A life is so many passages, and so many minutes after it until the next."""

    async def story(folder: Path) -> None:
        async with place(folder) as here:
            here.store(scheduled(missed=missed))
            await here.desk.activate("timed")
            begin = here.clock.now()
            await here.desk.stop()
            for passages, minutes in lives:
                await _live(here, passages, minutes)
            desk = here.new_desk()
            await desk.start()
            await until(lambda: desk.states()[0].queued == 0)
            await until(lambda: desk.find("timed", "clock").known.cursor > here.clock.now() - 10 * MINUTE)  # type: ignore[union-attr]
            await until(lambda: desk.states()[0].queued == 0)
            await desk.stop()
            stamps = [run["timestamp"] for run in here.runs("timed")]
            dues = [
                round(begin + (number + 1) * 10 * MINUTE)
                for number in range(int((here.clock.now() - begin) // (10 * MINUTE)))
            ]
            assert len(stamps) == len(set(stamps))
            assert set(stamps) <= set(dues)
            if missed == "all":
                assert sorted(stamps) == dues

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))


async def _live(here: Place, passages: int, minutes: int) -> None:
    crashing = Crashing(here.database, passages)

    async def fire(firing: Firing) -> None:
        crashing.passage()
        await submit(firing)
        crashing.passage()

    desk = here.new_desk(crashing)
    submit, desk._fire = desk._fire, fire
    await desk.start()
    here.clock.move(10 * MINUTE)
    task = next(iter(desk._tasks.values()))
    trigger = desk.find("timed", "clock")
    assert trigger is not None

    def over() -> bool:
        known = trigger.known
        return task.done() or (known.cursor == here.clock.now() and not known.queue)  # type: ignore[attr-defined]

    await until(over)
    await desk.stop()
    here.engine.orchestrator.publishers.remove(desk)
    here.clock.move(minutes // 10 * 10 * MINUTE)
    await asyncio.sleep(0)


# --- files ---


async def test_files_that_come_and_change_start_runs_also_over_a_restart(tmp_path: Path) -> None:
    """W-06."""
    root = tmp_path / "root"
    (root / "inbox").mkdir(parents=True)
    (root / "inbox" / "old.csv").write_text("1")
    clock = MovedClock()
    document = chain(
        "watched",
        one(
            "inbox",
            "file_watch",
            {"folder": "inbox", "pattern": "*.csv", "every": "1s", "on": ["created", "changed", "deleted"]},
        ),
        one("done", "noop"),
    )

    async def look(here: Place, times: int = 2) -> None:
        for _ in range(times):
            trigger = here.desk.find("watched", "inbox")
            assert trigger is not None
            await until(
                lambda: (
                    bool(clock._due)
                    and min(due for due, _ in clock._due if due > clock.now() - 1) <= clock.now() + 1_000
                )
            )
            clock.move(1_000)
            await asyncio.sleep(0)

    def told(here: Place) -> list[tuple[str, str]]:
        return [(run["event"], run["path"]) for run in here.runs("watched")]

    async with place(tmp_path / "data", clock, file_roots=(root.resolve(),)) as here:
        here.store(document)
        await here.desk.activate("watched")
        await until(lambda: here.desk.find("watched", "inbox").known.serial == 1)  # type: ignore[union-attr]
        (root / "inbox" / "new.csv").write_text("a,b")
        (root / "inbox" / "no.txt").write_text("no")
        while told(here) != [("created", "inbox/new.csv")]:
            await look(here, 1)
        (root / "inbox" / "new.csv").write_text("a,b,c")
        while len(told(here)) < 2:
            await look(here, 1)
        assert told(here)[1] == ("changed", "inbox/new.csv")
    (root / "inbox" / "night.csv").write_text("z")
    (root / "inbox" / "old.csv").unlink()
    async with place(tmp_path / "data", clock, file_roots=(root.resolve(),)) as here:
        while len(told(here)) < 4:
            await look(here, 1)
        assert set(told(here)[2:]) == {("created", "inbox/night.csv"), ("deleted", "inbox/old.csv")}
        await look(here, 3)
        assert len(told(here)) == 4


async def test_a_folder_outside_the_roots_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    async with place(tmp_path / "data", file_roots=((tmp_path / "root").resolve(),)) as here:
        here.store(chain("watched", one("inbox", "file_watch", {"folder": "/etc"}), one("done", "noop")))
        await here.desk.activate("watched")
        await until(lambda: "outside the folders" in here.state("inbox").error)


# --- ends of others ---


def listening(name: str, *workflows: str, on: tuple[str, ...] = ("success",)) -> dict[str, Any]:
    return chain(
        name, one("after", "workflow_trigger", {"workflows": list(workflows), "on": list(on)}), one("end", "noop")
    )


async def test_the_end_of_a_workflow_starts_another_once_also_over_a_restart(tmp_path: Path) -> None:
    """W-05."""
    source = chain("source", one("go", "manual_trigger"), one("end", "noop"))
    failing = chain("failing", one("go", "manual_trigger"), one("end", "stop_and_error", {"errorMessage": "no"}))
    clock = MovedClock()
    async with place(tmp_path, clock) as here:
        here.store(listening("after", "source"))
        here.store(listening("alarm", "*", on=("failed",)))
        await here.desk.activate("after")
        await here.desk.activate("alarm")
        run = await here.engine.start(load(source, here.engine.registry), {"n": 1})
        await run.result()
        await until(lambda: len(here.runs("after")) == 1)
        heard = here.runs("after")[0]
        assert heard == {
            "workflowId": "source", "workflowName": "source", "executionId": run.execution_id, "status": "success",
            "output": {"n": 1}, "error": None, "chain": ["source"],
        }  # fmt: skip
        await (await here.engine.start(load(failing, here.engine.registry))).outcome()
        await until(lambda: len(here.runs("alarm")) == 1)
        assert here.runs("alarm")[0]["error"] == "no"
        await here.desk.stop()  # nobody listens
        missed = await here.engine.start(load(source, here.engine.registry), {"n": 2})
        await missed.result()
    async with place(tmp_path, clock) as here:
        await until(lambda: len(here.runs("after")) == 2)
        assert [run["output"] for run in here.runs("after")] in ([{"n": 1}, {"n": 2}], [{"n": 2}, {"n": 1}])
        assert len(here.runs("alarm")) == 1


async def test_a_circle_of_workflows_ends(tmp_path: Path) -> None:
    """W-05."""
    async with place(tmp_path) as here:
        here.store(listening("a", "b", "source"))
        here.store(listening("b", "a"))
        await here.desk.activate("a")
        await here.desk.activate("b")
        source = chain("source", one("go", "manual_trigger"), one("end", "noop"))
        await (await here.engine.start(load(source, here.engine.registry))).result()
        await until(lambda: any("circle" in state.error for state in here.desk.states()))
        assert (len(here.runs("a")), len(here.runs("b"))) == (1, 1)


async def test_a_called_workflow_begins_at_its_workflow_trigger(tmp_path: Path) -> None:
    called = {
        "id": "called",
        "nodes": [
            one("go", "manual_trigger"),
            one("call", "workflow_trigger"),
            one("by_hand", "set", {"fields": {"way": "hand"}}),
            one("by_call", "set", {"fields": {"way": "call"}}),
        ],
        "edges": [{"source": "go", "target": "by_hand"}, {"source": "call", "target": "by_call"}],
    }
    async with Engine(tmp_path) as engine:
        caller = chain("caller", one("go", "manual_trigger"), one("call", "execute_workflow", {"workflow": called}))
        assert (await (await engine.start(caller)).result())["way"] == "call"


async def test_two_active_workflows_cannot_have_one_address(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        for name in ("one", "two"):
            here.store(chain(name, one("hook", "webhook", {"path": "orders"}), one("end", "noop")))
        await here.desk.activate("one")
        with pytest.raises(InputInvalid, match="address of the workflow 'one'"):
            await here.desk.activate("two")
        assert not here.desk.is_active("two")
        await here.desk.deactivate("one")
        await here.desk.activate("two")
        assert [trigger.workflow.id for trigger, _ in here.desk.hooks("orders")] == ["two"]
