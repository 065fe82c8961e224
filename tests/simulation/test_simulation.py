"""Ten thousand seeds of the played orchestrator; `python -m tests.simulation --seeds N --first M` runs others."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from simulation.world import World

SEEDS = 10_000
CHUNK = 500


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """What the processes log of refusing disks and taken-over executions would fill the screen."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_whatever_dies_and_refuses_every_invariant_holds(first: int) -> None:
    deaths = woken = events = 0
    for seed in range(first, first + CHUNK):
        world = World(seed)
        violations = world.run()
        assert not violations, f"again with: python -m tests.simulation --first {seed} --seeds 1"
        deaths += world.deaths
        woken += world.woken
        events += world.events
    assert deaths > CHUNK / 2
    assert woken > CHUNK / 10
    assert events > 20 * CHUNK


def test_a_seed_decides_everything() -> None:
    first, second = World(7), World(7)
    assert first.run() == second.run() == []
    assert first.journal() == second.journal()
