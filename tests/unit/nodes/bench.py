"""Runs one node as the engine does: prepare, work the expressions out, parse, call."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path
from typing import Any

from flowscope.expressions import MappingScope, compile_template, evaluate
from flowscope.nodes.answer import Output, Pass
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import NodeContext, Surroundings

REGISTRY = builtin_registry(entry_points=False)
NOW = 1_767_225_600_000.0  # 2026-01-01T00:00:00Z


class Heard:
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.fractions: list[float] = []
        self.logs: list[tuple[str, str]] = []
        self.streamed: list[str] = []

    def progress(self, fraction: float, message: str) -> None:
        self.fractions.append(fraction)

    def log(self, level: str, text: str) -> None:
        self.logs.append((level, text))

    def stream(self, text: str) -> None:
        self.streamed.append(text)


class Bench:
    """`await bench.run("math", {"a": 1, "b": 2}, {})` is the node's output, or its answer where it is another one."""

    def __init__(self, root: Path | None = None, **surroundings: Any) -> None:
        if root is not None:
            surroundings.setdefault("file_roots", (root.resolve(),))
        self.surroundings = Surroundings(**surroundings)
        self.heard = Heard()

    def context(self, **facts: Any) -> NodeContext:
        defaults: dict[str, Any] = {
            "execution_id": "e1", "workflow_id": "w1", "node_id": "n1", "node_name": "N", "path": "", "attempt": 1,
            "now": NOW, "handles": frozenset(), "surroundings": self.surroundings, "reporter": self.heard,
        }  # fmt: skip
        return NodeContext(**(defaults | facts))

    async def run(
        self, type: str, config: dict[str, Any], input: Any = None, scope: dict[str, Any] | None = None, **facts: Any
    ) -> Any:
        node = REGISTRY.find(type)
        assert node is not None
        before = copy.deepcopy(input)
        prepared = node.prepare(config)
        dynamic = {key: value for key, value in prepared.items() if key not in node.raw_fields}
        fields = input if isinstance(input, dict) else {}
        names = MappingScope({**fields, "json": input, "input": input, **(scope or {})})
        worked_out = evaluate(compile_template(dynamic), names)
        assert isinstance(worked_out, dict)
        raw = {key: value for key, value in prepared.items() if key in node.raw_fields}
        arguments = {
            "config": node.parse({**worked_out, **raw}),
            "input": input,
            "context": self.context(**facts),
        }
        answer = node.handler(**{name: arguments[name] for name in node.takes})
        if inspect.isawaitable(answer):
            answer = await answer
        assert input == before, "a node changed its input"
        if isinstance(answer, Output):
            return answer.value
        return input if isinstance(answer, Pass) and answer.handle == "output" else answer
