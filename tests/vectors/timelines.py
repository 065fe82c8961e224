"""Vectors of timelines: PYTHONPATH=tests python -m vectors.timelines

Each holds a workflow, the journal of a run of it or the beginning of one, and what `flowscope.execution.timeline` makes of it
for the top level. The fold in the browser (`web/execution/timeline.ts`) is checked with the same. The runs are the recorded
histories, and random ones in which everything goes wrong that can.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from flowscope.definition import decode
from flowscope.definition.plan import Plan, compile_plan
from flowscope.execution.events import AnyEvent, AttemptEvent, NodeStarted, decode_lines, encode_lines
from flowscope.execution.timeline import timeline
from flowscope.nodes.builtin import builtin_registry
from properties.test_machine import Chaos, any_plan

FILE: Final = Path(__file__).with_name("timelines.json")
HISTORIES: Final = Path(__file__).parent.parent / "histories"
RANDOM_RUNS: Final = 40
_PAYLOADS: Final = ("input", "output", "items", "memo", "value", "otherwise", "body", "inputBlob", "outputBlob")


def vector(name: str, plan: Plan, events: Sequence[AnyEvent], now: float) -> dict[str, Any]:
    told = timeline(events, plan, now)
    lines = [json.loads(line) for line in encode_lines(events).splitlines()]
    return {
        "name": name,
        "now": now,
        **workflow_of(plan),
        "events": [{key: value for key, value in line.items() if key not in _PAYLOADS} for line in lines],
        "timeline": {
            "end": told.end,
            "ended": told.ended,
            "criticalPath": told.critical_path,
            "work": told.work,
            "nodes": [
                {"slack": None, **msgspec.to_builtins(node)}
                for node in sorted(told.nodes, key=lambda node: node.node_id)
                if not node.path
            ],
            "bodies": Counter(node.node_id for node in told.nodes if node.path and node.critical),
            "stops": [[mark.at, mark.until, mark.epoch] for mark in told.marks if mark.kind == "stopped"],
        },
    }


def workflow_of(plan: Plan) -> dict[str, Any]:
    """As React Flow has it, with what of it decides when a node is due."""
    nodes = []
    for node in plan.workflow.nodes:
        config: dict[str, Any] = {"join": "any"} if node.policy.join == "any" else {}
        config |= {"continueOnError": True} if node.policy.continue_on_error else {}
        drawn = {"id": node.id, "data": {"type": node.type, "config": config}}
        nodes.append(drawn | ({"parentId": node.parent_id} if node.parent_id else {}))
    return {
        "nodes": nodes,
        "edges": [
            {"source": edge.source, "target": edge.target, "sourceHandle": edge.source_handle}
            for edge in plan.workflow.edges
        ],
        "roles": {
            node.kind: node.role for scope in plan.scopes.values() for node in scope.nodes if node.role != "task"
        },
    }


def recorded() -> Iterator[tuple[str, Plan, list[AnyEvent]]]:
    registry = builtin_registry(entry_points=False)
    for file in sorted(HISTORIES.glob("*.json")):
        history = json.loads(file.read_text(encoding="utf-8"))
        events = decode_lines("".join(line + "\n" for line in history["journal"]).encode())
        yield file.stem, compile_plan(decode(history["workflow"]), registry), events


def queued() -> Iterator[tuple[str, Plan, list[AnyEvent]]]:
    for name, plan, events in recorded():
        if name in ("a-cancelled-run", "iterations", "lost-attempts", "retries"):
            yield f"{name}, queued", plan, held(events, Random(name))


def played() -> Iterator[tuple[str, Plan, list[AnyEvent]]]:
    for seed in range(RANDOM_RUNS):
        plan = any_plan(seed, 2 + seed % 7)
        events = Chaos(plan, seed, 4 * (seed % 20)).run.events
        events = held(events, Random(seed)) if seed % 3 == 2 else events
        yield f"random {seed}", plan, late(events, 30 if seed % 4 == 3 else 0)


def held(events: list[AnyEvent], dice: Random) -> list[AnyEvent]:
    """Some attempts had to wait for a place: for a while, or for as long as they were wanted."""
    started: dict[tuple[str, str], float] = {}
    told = list(events)
    for number, event in enumerate(events):
        if isinstance(event, NodeStarted):
            started[event.path, event.node_id] = event.at
        elif isinstance(event, AttemptEvent) and (since := started.pop((event.path, event.node_id), None)) is not None:
            share = dice.choice((0.0, 0.0, 0.3, 0.7, 1.0))
            if share:
                told[number] = msgspec.structs.replace(event, began_at=since + share * (event.at - since))
    return told


def late(events: list[AnyEvent], by: float) -> list[AnyEvent]:
    """The clock is set back in the middle."""
    middle = len(events) // 2
    return events[:middle] + [msgspec.structs.replace(event, at=event.at - by) for event in events[middle:]]


def vectors() -> Iterator[dict[str, Any]]:
    """Each run whole, and one beginning of it."""
    for name, plan, events in (*recorded(), *queued(), *played()):
        yield vector(name, plan, events, 0)
        upto = Random(name).randint(1, len(events))
        beginning = events[:upto]
        yield vector(f"{name}, the first {upto}", plan, beginning, beginning[-1].at + 7)


def text() -> str:
    """The file: a line a vector."""
    lines = ",\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in vectors())
    return f"[\n{lines}\n]\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
