"""A run that fails, is repaired and taken up again: what had been done is not done twice.

python examples/take_up_again.py
"""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

from flowscope import Engine, load_workflow
from flowscope.orchestrator.forking import Revision


def document(limit: int) -> dict[str, Any]:
    """Reserve, price, charge: charging fails above a limit."""
    nodes = [
        ("start", "manual_trigger", {}),
        ("reserve", "simulate", {"sleep": 0.01}),
        ("price", "set", {"fields": {"total": "{{ pieces * 7 }}"}}),
        ("charge", "simulate", {"fail": "{{ total > " + str(limit) + " }}"}),
    ]
    return {
        "id": "order",
        "nodes": [{"id": id, "data": {"type": kind, "config": config}} for id, kind, config in nodes],
        "edges": [{"source": one[0], "target": two[0]} for one, two in pairwise(nodes)],
    }


async def main() -> None:
    async with Engine(None) as engine:
        first = await engine.start(document(limit=100), {"pieces": 20})
        outcome = await first.outcome()
        print(f"first: {outcome.status}, {outcome.error.message if outcome.error else ''}")

        # Another version of the workflow: only what it changes runs, and what comes after that.
        repaired = Revision(workflow=load_workflow(document(limit=1_000)))
        plan = await engine.plan_fork(first.execution_id, repaired)
        print("plan:", ", ".join(f"{node.node_id} {node.fate}" for node in plan.nodes))
        second = await engine.fork(first.execution_id, repaired)
        print("second:", await second.result())

        # What acts outside asks before it acts again: reserving had succeeded.
        again = Revision(from_node="reserve")
        plan = await engine.plan_fork(second.execution_id, again)
        print("to confirm:", ", ".join(one.node_id for one in plan.confirm))


if __name__ == "__main__":
    asyncio.run(main())
