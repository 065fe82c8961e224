"""What the crash tests run: a process that executes workflows of every shape until somebody kills it.

    python -m tests.acceptance.workload DATA_DIR [--finish] [--round N]

It takes up what earlier processes left, keeps starting executions, and writes one line to its standard output for each
fact it was told: `up MS N` recovered, `ack ID` accepted, `shown ID SEQ` published, `ended ID STATUS DIGEST`,
`result ID STATUS VALUE`, `fault` the disk refused, `finished`. What it was told must never be untrue afterwards.

Nodes with an effect write to an effect log: a line before and a line after, outside the journal.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from flowscope.definition import load
from flowscope.definition.workflow import JSON, Workflow
from flowscope.engine import Engine, run_loop
from flowscope.errors import NodeError, StoreError, UserError
from flowscope.execution.digest import digest
from flowscope.execution.events import ExecutionPaused, NodeLost, NodeSuspended
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import NodeContext, Surroundings
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeConfig, NodeType, node
from flowscope.orchestrator.ports import UNENDED, ExecutionQuery, LogLine, Progress, Segment

from .faulty_disk import FaultyDisk
from .notation import chain, graph, one

STORE = "store"
FILES = "files"
EFFECTS = "effects.log"
APPENDED = "appended.txt"
WIDTH = 6
"""Executions under way at once."""
INPUTS = 3
"""Different inputs of each workflow."""
BULK = 40_000
"""Characters of a payload that is kept as a blob."""

Say = Callable[[str], None]


class EffectLog:
    """Lines `execution path node attempt key word`, separated by tabs. A line that is written outlives the process: the
    system has it. (It need not be on the disk. Here processes die, not machines.)"""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, context: NodeContext, word: str) -> None:
        where = (context.execution_id, context.path, context.node_id, str(context.attempt), context.idempotency_key)
        os.write(self._file, ("\t".join((*where, word)) + "\n").encode())

    def close(self) -> None:
        os.close(self._file)


class Effect(NodeConfig):
    tag: JSON = None
    fail: tuple[int, ...] = ()
    delay: float = 4
    """Milliseconds at most."""


class Bulky(NodeConfig):
    size: int = BULK


def catalogue(effects: EffectLog) -> Registry:
    """The built-in nodes, and those with a logged effect."""
    registry = builtin_registry()
    for node_type in _node_types(effects):
        registry.add(node_type)
    return registry


def _node_types(effects: EffectLog) -> list[NodeType]:
    def finish(config: Effect, context: NodeContext) -> JSON:
        if context.attempt in config.fail:
            effects.write(context, "failed")
            raise NodeError(f"attempt {context.attempt} was told to fail")
        effects.write(context, "done")
        return {"tag": config.tag}

    @node("effect", title="Effect", category="testing", effects="external")
    async def effect(config: Effect, context: NodeContext) -> JSON:
        effects.write(context, "start")
        await asyncio.sleep(random.random() * config.delay / 1000)
        return finish(config, context)

    @node("effect_in_thread", title="Effect in a thread", category="testing", effects="external")
    def effect_in_thread(config: Effect, context: NodeContext) -> JSON:
        effects.write(context, "start")
        time.sleep(random.random() * config.delay / 1000)
        return finish(config, context)

    @node("bulky", title="Bulky", category="testing", effects="pure")
    def bulky(config: Bulky, input: JSON) -> JSON:
        text = hashlib.sha256(str(input).encode()).hexdigest()
        return {"text": text * (config.size // len(text)), "n": input["n"]}

    return [effect, effect_in_thread, bulky]


# --- workflows ---

CHILD = chain(
    "child", one("go", "manual_trigger"), one("inside", "effect", {"tag": "{{ json.n }}"}), one("end", "noop")
)

FAST_RETRY = {"attempts": 4, "delay": 3, "jitter": 0.5}

DOCUMENTS: dict[str, dict[str, JSON]] = {
    "mixed": graph(
        "mixed",
        [
            one("go", "manual_trigger"),
            one("prepare", "set", {"fields": {"items": "{{ range(20) }}", "odd": "{{ n % 2 }}"}}),
            one("which", "if_else", {"condition": "odd == 1"}),
            one("yes", "effect", {"tag": "odd"}),
            one("no", "effect_in_thread", {"tag": "even"}),
            one("meet", "merge", {}),
            one("each", "map", {"items": "{{ prepare.items }}", "concurrency": 5}),
            one("work", "effect", {"tag": "{{ item }}", "delay": 2}, "each"),
            one("shape", "set", {"fields": {"index": "{{ index }}"}}, "each"),
            one("again", "loop", {"times": 3}),
            one("turn", "effect", {"tag": "turn", "delay": 1}, "again"),
            one("rest", "wait", {"duration": 15}),
            one("call", "execute_workflow", {"workflow": CHILD, "input": {"n": "{{ trigger.n }}"}}),
            one("note", "write_file", {"path": APPENDED, "mode": "append", "content": "by {{ execution.id }}\n"}),
            one("end", "set", {"fields": {"n": "{{ trigger.n }}", "all": "{{ each }}", "turned": "{{ again }}"}}),
        ],
        [
            "go -> prepare", "prepare -> which", "which.true -> yes", "which.false -> no", "yes -> meet", "no -> meet",
            "meet -> each", "work -> shape", "each -> again", "again -> rest", "rest -> call", "call -> note", "note -> end",
        ],
    ),
    "retried": chain(
        "retried",
        one("go", "manual_trigger"),
        one("first", "effect", {"tag": "{{ n }}", "fail": [1], "retry": FAST_RETRY}),
        one("second", "effect_in_thread", {"tag": "second", "fail": [1, 2], "retry": FAST_RETRY}),
        one("end", "set", {"fields": {"first": "{{ first.tag }}"}}),
    ),
    "failing": graph(
        "failing",
        [
            one("go", "manual_trigger"),
            one("before", "effect", {"tag": "before"}),
            one("aside", "effect", {"tag": "aside", "delay": 12}),
            one("stop", "stop_and_error", {"errorMessage": "no {{ trigger.n }}"}),
            one("siren", "error_trigger"),
            one("alarm", "effect", {"tag": "alarm"}),
        ],
        ["go -> before", "go -> aside", "before -> stop", "siren -> alarm"],
    ),
    "paused": chain(
        "paused",
        one("go", "manual_trigger"),
        *(one(f"step{k}", "effect", {"tag": k, "delay": 2}) for k in range(4)),
        one("end", "set", {"fields": {"n": "{{ trigger.n }}"}}),
    ),
    "signalled": chain(
        "signalled",
        one("go", "manual_trigger"),
        one("before", "effect", {"tag": "before"}),
        one("ask", "wait", {"signal": "go on"}),
        one("after", "effect", {"tag": "{{ ask.by }}"}),
    ),
    "wide": graph(
        "wide",
        [
            one("go", "manual_trigger"),
            *(one(f"e{k}", "effect" if k % 2 else "effect_in_thread", {"tag": k}) for k in range(8)),
            one("meet", "merge", {}),
            one("big", "bulky"),
            one("same", "set", {"fields": {"tail": "{{ big.text }}"}}),
            one("last", "effect", {"tag": "{{ len(same.tail) }}"}),
        ],
        [*(f"go -> e{k}" for k in range(8)), *(f"e{k} -> meet" for k in range(8)), "go -> big", "big -> same", "same -> last"],
    ),
    "caught": graph(
        "caught",
        [
            one("go", "manual_trigger"),
            one("prepare", "set", {"fields": {"items": "{{ range(6) }}"}}),
            one("each", "map", {"items": "{{ items }}", "concurrency": 3, "onItemError": "collect"}),
            one("odd", "if_else", {"condition": "item % 2 == 1"}, "each"),
            one("bad", "stop_and_error", {"errorMessage": "odd {{ item }}"}, "each"),
            one("good", "effect", {"tag": "{{ item }}"}, "each"),
            one("try", "try_catch"),
            one("fall", "effect", {"fail": list(range(1, 90))}, "try"),
            one("saved", "effect", {"tag": "saved"}),
            one("soft", "effect_in_thread", {"fail": list(range(1, 90)), "continueOnError": True}),
            one("lost", "effect", {"tag": "asked", "onLost": "ask", "delay": 6}),
        ],
        [
            "go -> prepare", "prepare -> each", "odd.true -> bad", "odd.false -> good", "each -> try", "try.catch -> saved",
            "saved -> soft", "soft -> lost",
        ],
    ),
}  # fmt: skip

EXTERNAL = frozenset({"effect", "effect_in_thread", "write_file"})
"""The types above whose attempts must never be repeated without need."""


def external_nodes() -> dict[str, frozenset[str]]:
    """By workflow id, the nodes with an effect."""
    documents = [*DOCUMENTS.values(), CHILD]
    return {
        document["id"]: frozenset(node["id"] for node in document["nodes"] if node["data"]["type"] in EXTERNAL)
        for document in documents
    }


def identity(execution_id: str) -> str:
    """What executions that must end alike have in common: `mixed-2-00007-00013:call` is `mixed-2:call`."""
    head, colon, child = execution_id.partition(":")
    return "-".join(head.split("-")[:2]) + colon + child


# --- the process ---


class Workload:
    """Runs in one process on one data directory."""

    def __init__(self, directory: Path, say: Say, round: int, disk: FaultyDisk | None = None) -> None:
        self._say = say
        self._disk = disk
        self._round = round
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._effects = EffectLog(directory / EFFECTS)
        registry = catalogue(self._effects)
        self._workflows: dict[str, Workflow] = {kind: load(document, registry) for kind, document in DOCUMENTS.items()}
        files = directory / FILES
        files.mkdir(exist_ok=True)
        surroundings = Surroundings(file_roots=(files.resolve(),))
        self.engine = Engine(
            directory / STORE, registry=registry, surroundings=surroundings, publisher=self, recover=False, grace=5
        )
        # What only waits leaves memory at once, unless somebody here waits for its end.
        self.engine.orchestrator.passivation.idle = 0

    async def run(self, *, finish: bool) -> None:
        """Until killed; with `finish`, until everything has ended."""
        async with self.engine:
            began = time.perf_counter()
            count = await self.engine.orchestrator.recover()
            self._say(f"up {(time.perf_counter() - began) * 1000:.1f} {count}")
            left = self._unended()
            await asyncio.gather(*(self._nudge(execution_id) for execution_id in left))
            if finish:
                await self._finish(left)
                return
            for execution_id in left:
                self._own(self._watch(execution_id))
            self._disk_may_fail()
            await asyncio.gather(*(self._start_for_ever() for _ in range(WIDTH)))

    async def once(self) -> None:
        """Every workflow with every input, undisturbed."""
        async with self.engine:
            for kind in DOCUMENTS:
                for n in range(INPUTS):
                    await self._one(kind, n)
            await self._tell_results()

    # --- Publisher ---

    def publish(self, segment: Segment, events: Sequence[Any]) -> None:
        execution_id = segment.execution_id
        self._say(f"shown {execution_id} {segment.last_seq}")
        for event in events:
            if isinstance(event, NodeSuspended) and event.signal:
                self._own(self._signal(execution_id, event.signal))
            elif isinstance(event, NodeLost) and event.outcome == "ask":
                self._own(self._signal(execution_id, event.node_id))
            elif isinstance(event, ExecutionPaused):
                self._own(self._resume(execution_id))

    def murmur(self, word: Progress | LogLine) -> None:
        """Nothing."""

    # --- steps ---

    def _unended(self) -> list[str]:
        return [row.execution_id for row in self.engine.executions(ExecutionQuery(statuses=UNENDED, limit=100_000))]

    async def _nudge(self, execution_id: str) -> None:
        """Whatever a person should do for it, in case the last process died before it was done."""
        await self._resume(execution_id)
        for name in ("go on", "lost"):
            await self._signal(execution_id, name)

    async def _resume(self, execution_id: str) -> None:
        with suppress(UserError, StoreError):
            await self.engine.run(execution_id).resume()

    async def _signal(self, execution_id: str, name: str) -> None:
        with suppress(UserError, StoreError):
            await self.engine.run(execution_id).signal(name, {"by": "somebody"})

    async def _start_for_ever(self) -> None:
        kinds = list(DOCUMENTS)
        while True:
            self._count += 1
            await self._one(kinds[self._count % len(kinds)], self._count % INPUTS)

    async def _one(self, kind: str, n: int) -> None:
        self._count += 1
        execution_id = f"{kind}-{n}-{self._round:05}-{self._count:05}"
        try:
            run = await self.engine.start(self._workflows[kind], {"n": n}, execution_id=execution_id)
        except StoreError:
            return  # the disk refused it: nobody was told that it is accepted
        self._say(f"ack {execution_id}")
        if kind == "paused":
            with suppress(UserError, StoreError):
                await run.pause()
        await self._watch(execution_id)

    async def _watch(self, execution_id: str) -> None:
        live = self.engine.orchestrator.live(execution_id)
        try:
            run = self.engine.run(execution_id)
            if self._count % 2:  # who reads along does not keep it in memory
                async for _ in run.events():
                    pass
            outcome = await run.outcome()
        except StoreError:
            return  # let go, for another process to take up
        self._say(f"ended {execution_id} {outcome.status} {digest(live.state) if live else '-'}")

    async def _finish(self, left: list[str]) -> None:
        while left:
            await asyncio.gather(*(self._watch(execution_id) for execution_id in left))
            left = self._unended()
        await self._tell_results()

    async def _tell_results(self) -> None:
        for row in self.engine.executions(ExecutionQuery(limit=1_000_000)):
            outcome = await self.engine.run(row.execution_id).outcome()
            value = outcome.error.message if outcome.error else msgspec.json.encode(outcome.output).decode()
            shown = value.replace(row.execution_id, "ID")
            shown = shown if len(shown) < 500 else hashlib.sha256(shown.encode()).hexdigest()
            self._say(f"result {row.execution_id} {outcome.status} {shown}")
        self._say("finished")

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _disk_may_fail(self) -> None:
        if self._disk is not None:
            self._disk.armed = True

    def close(self) -> None:
        self._effects.close()


def main(
    directory: Path,
    *,
    finish: bool = False,
    once: bool = False,
    round: int = 0,
    output: int = 1,
    bad_disk: bool = False,
) -> None:
    """The process."""

    def say(line: str) -> None:
        os.write(output, (line + "\n").encode())

    disk = FaultyDisk(lambda: say("fault")) if bad_disk else None
    workload = Workload(directory, say, round, disk)
    run_loop(workload.once() if once else workload.run(finish=finish))
    workload.close()


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        finish="--finish" in sys.argv,
        round=int(sys.argv[sys.argv.index("--round") + 1]) if "--round" in sys.argv else 0,
    )
