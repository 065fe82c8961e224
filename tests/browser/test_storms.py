"""The short form of `make storms`: each kind of disturbance once."""

from __future__ import annotations

from pathlib import Path

from browser.storms import KINDS, weather_the


async def test_the_screen_is_the_servers_after_each_disturbance(tmp_path: Path) -> None:
    report = await weather_the(len(KINDS), "3", tmp_path)
    assert not report.failures, "\n".join(report.failures)
    assert set(report.storms) == set(KINDS)
