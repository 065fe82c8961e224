"""The short form of `python -m tests.acceptance.rough_pool`."""

from __future__ import annotations

from pathlib import Path

from acceptance.rough_pool import Report, run_all, run_killed


async def test_every_task_that_can_be_right_is_and_nothing_is_left_behind_p_01_p_02(tmp_path: Path) -> None:
    report = Report()
    await run_all(report, tmp_path, 60, seed=1)
    assert report.violations == []
    assert (report.tasks, report.right + report.failed_as_they_should) == (60, 60)


async def test_a_killed_server_takes_its_workers_along_and_what_they_ran_is_recovered_p_07(tmp_path: Path) -> None:
    report = Report()
    await run_killed(report, tmp_path, 40, kills=3, seed=2)
    assert report.violations == []
    assert report.kills and report.tasks == 40
