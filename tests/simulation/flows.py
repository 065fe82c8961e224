"""What is run: small random workflows whose end does not depend on chance, and nodes that say what they do outside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from random import Random
from typing import Any

from acceptance.notation import chain, graph, one
from flowscope.definition import load
from flowscope.definition.workflow import JSON, Workflow
from flowscope.errors import NodeError
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import NodeContext
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeConfig, node

FLOWS = 60
"""Different workflows; a seed runs some of them."""

NEVER = list(range(1, 99))
FAST_RETRY = {"attempts": 3, "delay": 30, "jitter": 0.5}


class Outside:
    """The world that nodes act on: it outlives every process, as the effect log does."""

    def __init__(self) -> None:
        self.dice = Random(0)
        self.lines: list[str] = []

    def write(self, context: NodeContext, word: str) -> None:
        where = (context.execution_id, context.path, context.node_id, str(context.attempt), context.idempotency_key)
        self.lines.append("\t".join((*where, word)))


OUTSIDE = Outside()


@contextmanager
def elsewhere(dice: Random | None = None, lines: list[str] | None = None) -> Iterator[None]:
    """Inside, nodes act on that world; by default on one that nobody looks at."""
    before = OUTSIDE.dice, OUTSIDE.lines
    OUTSIDE.dice, OUTSIDE.lines = dice or Random(0), [] if lines is None else lines
    try:
        yield
    finally:
        OUTSIDE.dice, OUTSIDE.lines = before


class Effect(NodeConfig):
    fail: tuple[int, ...] = ()
    delay: float = 8
    """Milliseconds at most."""
    at_least: float = 0


@cache
def registry() -> Registry:
    """The built-in types and `effect`."""
    types = builtin_registry(entry_points=False)

    @node("effect", title="Effect", category="testing", effects="external")
    async def effect(config: Effect, context: NodeContext) -> JSON:
        OUTSIDE.write(context, "start")
        delay = config.at_least + OUTSIDE.dice.random() * config.delay
        if delay > config.delay / 2:  # a handler may also answer without having waited
            await asyncio.sleep(delay / 1000)
        if context.attempt in config.fail:
            OUTSIDE.write(context, "failed")
            raise NodeError("told to fail")
        OUTSIDE.write(context, "done")
        return {"by": context.node_id}

    types.add(effect)
    return types


CHILD = chain("child", one("go", "manual_trigger"), one("inside", "effect"), one("end", "noop"))


def _step(dice: Random, name: str, parent: str = "") -> tuple[list[dict[str, JSON]], list[str], str]:
    """One step of a workflow: its nodes, the edges inside, and the handle that leads on."""
    kind = dice.randrange(16)

    def single(type: str, handle: str = "", **config: Any) -> tuple[list[dict[str, JSON]], list[str], str]:
        return [one(name, type, config, parent)], [], name + handle

    match kind:
        case 0 | 1 | 2:
            return single("effect", onLost=dice.choice(("rerun", "ask")))
        case 3:
            return single("set", fields={"at": "{{ trigger.n }}", "from": name})
        case 4:
            return single("wait", duration=dice.choice((1, 40, 15_000)))
        case 5:
            return single("wait", signal=f"go {name}", duration="2h")
        case 6:
            return single("effect", fail=dice.choice(([1], [1, 2])), retry=FAST_RETRY)
        case 7:
            return single("effect", fail=NEVER, continueOnError=True)
        case 8:
            return single("effect", ".error", fail=NEVER, retry={"attempts": 2, "delay": 5})
        case 9:
            return single("if_else", dice.choice((".true", ".false")), condition="1 == 1")
        case 10:
            return single("execute_workflow", workflow=CHILD, input={"n": 1})
        case 11:
            return single("effect", ".error", at_least=100, timeout=20)
        case 12 | 13 if not parent:
            inner = one(f"{name}_in", "effect", {"fail": [1], "retry": FAST_RETRY} if kind == 12 else {}, name)
            items = f"{{{{ range({dice.randrange(4)}) }}}}"
            body = [inner, one(f"{name}_then", dice.choice(("noop", "effect")), {}, name)]
            outer = one(name, "map", {"items": items, "concurrency": dice.randrange(1, 4)})
            return [outer, *body], [f"{name}_in -> {name}_then"], name
        case 14 if not parent:
            return [one(name, "loop", {"times": 2}), one(f"{name}_turn", "effect", {}, name)], [], name
        case 15 if not parent:
            fall = one(f"{name}_fall", "effect", {"fail": NEVER if dice.random() < 0.7 else []}, name)
            return [one(name, "try_catch"), fall], [], name + dice.choice((".try", ".catch"))
        case _:
            return single("noop")


def _document(number: int) -> dict[str, JSON]:
    """Steps in a random graph; in some a step fails for good, and an alarm runs."""
    dice = Random(f"flow {number}")
    nodes: list[dict[str, JSON]] = [one("go", "manual_trigger")]
    edges: list[str] = []
    ends = ["go"]
    for at in range(dice.randrange(2, 7)):
        members, inside, leads = _step(dice, f"s{at}")
        sources = dice.sample(ends, k=min(len(ends), dice.choice((1, 1, 1, 2))))
        nodes += members
        edges += [*inside, *(f"{source} -> s{at}" for source in sources)]
        ends.append(leads)
    if dice.random() < 0.25:
        nodes += [one("stop", "stop_and_error"), one("siren", "error_trigger"), one("alarm", "effect")]
        edges += [f"{ends[-1]} -> stop", "siren -> alarm"]
    return graph(f"flow{number}", nodes, edges)


@cache
def flow(number: int) -> Workflow:
    return load(_document(number), registry())


@cache
def external() -> dict[str, frozenset[str]]:
    """By workflow id, the nodes with an effect."""
    documents = [*(_document(number) for number in range(FLOWS)), CHILD]
    return {
        document["id"]: frozenset(node["id"] for node in document["nodes"] if node["data"]["type"] == "effect")
        for document in documents
    }
