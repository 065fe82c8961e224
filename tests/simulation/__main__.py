"""Many seeds: `python -m tests.simulation [--seeds 10000] [--first 0] [--stop]`. Exit status 1 if one finds a violation."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from simulation.world import World


def main() -> int:
    parser = argparse.ArgumentParser(description="Play the orchestrator, its clock and its disk from seeds")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--stop", action="store_true", help="at the first violation")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    deaths = woken = events = failed = 0
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        world = World(seed)
        violations = world.run()
        deaths += world.deaths
        woken += world.woken
        events += world.events
        if violations:
            failed += 1
            print(f"seed {seed}: {violations[0]}")
            print(f"    again with: python -m tests.simulation --first {seed} --seeds 1", flush=True)
            if arguments.stop:
                break
    seconds = time.monotonic() - began
    print(
        f"{arguments.seeds} seeds, {deaths} deaths, {woken} woken, {events} events, {failed} with violations, {seconds:.1f} s"
    )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
