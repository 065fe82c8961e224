"""Some of the planted bugs, caught by the simulation; `make planted` plants all of them."""

from __future__ import annotations

import pytest

from .planted import BUGS, Bug, planted, trial


@pytest.mark.parametrize(
    "name",
    [
        "no fence: a former owner may append",
        "external nodes do not wait for the disk",
        "timers are lost at recovery",
        "timers are lost with what leaves memory",
        "a cancel is acknowledged before it is durable",
    ],
)
def test_it_is_caught_by_a_seed(name: str) -> None:
    verdict = trial(_named(name))
    assert verdict.catcher == "simulation"
    assert verdict.by.startswith("seed ")


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_its_passage_is_there(bug: Bug) -> None:
    assert bug.new in planted(bug)


def test_there_are_twenty_and_more() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20


def _named(name: str) -> Bug:
    return next(bug for bug in BUGS if bug.name == name)
