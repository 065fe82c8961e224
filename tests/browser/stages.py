"""A workflow of five stages: short, and with most of what can be watched."""

from __future__ import annotations

from typing import Any, Final

from browser.workflows import graph, one


def _stages() -> dict[str, Any]:
    """Branches, a map, retries beside a wait, a loop, a run of its own; after each but the last somebody has to approve."""
    shout: dict[str, Any] = {"progress": 5, "stream": "one two three"}
    below_four: dict[str, Any] = {"while": "{{ (state.at if 'at' in state else 0) < 4 }}"}
    child = graph("child", [one("c", "simulate", "C", sleep=0.6), one("d", "set", "D", fields={"done": 1})], "c > d")
    nodes = [
        one("go", "manual_trigger", "Go"),
        one("which", "if_else", "Which", condition="1 < 2"),
        one("yes", "simulate", "Yes", sleep=0.8, **shout),
        one("no", "simulate", "No"),
        one("joined", "merge", "Joined"),
        one("g0", "approval", "Gate 0", title="On?"),
        one("each", "map", "Each", items=[{"n": n} for n in range(6)], concurrency=2),
        one("item", "simulate", "Item", "each", sleep=0.25),
        one("say", "log_output", "Say", "each", message="item {{ $json.n }}"),
        one("g1", "approval", "Gate 1", title="On?"),
        one("flaky", "simulate", "Flaky", sleep=0.2, fail=[1, 2], retry={"attempts": 6, "delay": 200, "jitter": 0}),
        one("rest", "wait", "Rest", duration=700),
        one("both", "merge", "Both"),
        one("g2", "approval", "Gate 2", title="On?"),
        one("again", "loop", "Again", **below_four),
        one("turn", "simulate", "Turn", "again", sleep=0.2),
        one("next", "set", "Next", "again", fields={"at": "{{ ($json.at if 'at' in $json else 0) + 1 }}"}),
        one("g3", "approval", "Gate 3", title="On?"),
        one("call", "execute_workflow", "Call", workflow=child, input={}),
        one("aside", "simulate", "Aside", sleep=0.7, **shout),
        one("met", "merge", "Met"),
        one("end", "if_else", "End", condition="{{ trigger.fails }}"),
        one("fails", "stop_and_error", "Fails", errorMessage="as was wished"),
        one("ends", "noop", "Ends"),
    ]
    edges = (
        "go > which", "which.true > yes", "which.false > no", "yes > joined", "no > joined", "joined > g0",
        "g0.approved > each", "item > say", "each > g1", "g1.approved > flaky", "g1.approved > rest",
        "flaky > both", "rest > both", "both > g2", "g2.approved > again", "turn > next", "again > g3",
        "g3.approved > call", "g3.approved > aside", "call > met", "aside > met", "met > end", "end.true > fails",
        "end.false > ends",
    )  # fmt: skip
    rows = (("go", "which", "yes", "no", "joined", "g0"), ("each", "g1"), ("flaky", "rest", "both", "g2"), ("again", "g3"),
            ("call", "aside", "met", "end", "fails", "ends"))  # fmt: skip
    places = {node: (250 * x, 190 * y) for y, row in enumerate(rows) for x, node in enumerate(row)}
    places |= {"item": (20, 50), "say": (250, 50), "turn": (20, 50), "next": (250, 50)}
    places |= {"g1": (600, 190), "g3": (600, 570)}
    for node in nodes:
        node["position"] = dict(zip("xy", places[node["id"]], strict=True))
        if node["id"] in ("each", "again"):
            node |= {"width": 500, "height": 150}
    return graph("stages", nodes, *edges)


STAGES: Final = _stages()
GATES: Final = 4
TITLES: Final = {node["id"]: node["data"]["label"] for node in STAGES["nodes"]}
