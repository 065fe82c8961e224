"""Workflows written in Python; the result is the same JSON that an editor writes.

flow = WorkflowBuilder("orders", name="Orders")
start = flow.add("manual_trigger")
fetch = flow.add("http_request", label="Fetch", url="https://example.com/orders", retry=3).after(start)
large = flow.add("if_else", condition="{{ $json.total > 100 }}").after(fetch)
large["true"] >> flow.add("log_output", label="Large order")

with flow.container("map", items="{{ $json.items }}", concurrency=4).after(fetch):
    flow.add("math", operation="add")

flow.to_json()
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import count
from types import TracebackType
from typing import Self, TypeAlias

import msgspec

from flowscope.definition.catalogue import Catalogue
from flowscope.definition.decode import decode
from flowscope.definition.layout import arrange
from flowscope.definition.validate import load
from flowscope.definition.workflow import JSON, Workflow


class Step:
    """A node that was added. `step["true"]` is one of its output handles; `a >> b` and `b.after(a)` draw an edge."""

    def __init__(self, flow: WorkflowBuilder, id: str) -> None:
        self.id = id
        self._flow = flow

    def __getitem__(self, handle: str) -> Output:
        return Output(self, handle)

    def after(self, *sources: Source, into: str = "input") -> Self:
        """Edges from each of the sources, into one of this node's input handles."""
        for source in sources:
            output = source if isinstance(source, Output) else source["output"]
            self._flow._connect(output.step.id, output.handle, self.id, into)
        return self

    def __rshift__(self, target: Target) -> Target:
        return self["output"] >> target

    def __rrshift__(self, sources: Iterable[Source]) -> Self:
        """`[a, b] >> c`."""
        return self.after(*sources)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r})"


class Output:
    """One output handle of a step."""

    def __init__(self, step: Step, handle: str) -> None:
        self.step = step
        self.handle = handle

    def __rshift__(self, target: Target) -> Target:
        for step in [target] if isinstance(target, Step) else target:
            step.after(self)
        return target


class Container(Step):
    """A node with a body: what is added inside `with` belongs to it."""

    def __enter__(self) -> Self:
        self._flow._scopes.append(self.id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flow._scopes.pop()


Source: TypeAlias = Step | Output
Target: TypeAlias = Step | Sequence[Step]


class WorkflowBuilder:
    """Gathers nodes and edges in the order in which they are said. `timeout` is milliseconds for the whole run."""

    def __init__(self, id: str, *, name: str = "", timeout: float = 0, vars: dict[str, JSON] | None = None) -> None:
        self.id = id
        self.name = name or id
        self.timeout = timeout
        self.vars = vars or {}
        self._nodes: dict[str, dict[str, JSON]] = {}
        self._parents: dict[str, str | None] = {}
        self._edges: dict[str, dict[str, str]] = {}
        self._numbers: defaultdict[str, count[int]] = defaultdict(lambda: count(2))
        self._scopes: list[str] = []

    def add(
        self, type: str, *, id: str = "", label: str = "", config: dict[str, JSON] | None = None, **settings: JSON
    ) -> Step:
        """Add a node. Keywords are its config, `max_items` for `maxItems`; `config` holds keys that are no keywords.

        Without an id it is named after its type: `set`, `set_2`, … `ValueError` if the id is taken.
        """
        return Step(self, self._add(type, id, label, {**(config or {}), **_camel(settings)}))

    def container(
        self, type: str, *, id: str = "", label: str = "", config: dict[str, JSON] | None = None, **settings: JSON
    ) -> Container:
        """Add a node with a body; see `add`."""
        return Container(self, self._add(type, id, label, {**(config or {}), **_camel(settings)}))

    def to_json(self) -> dict[str, JSON]:
        """The document, with every node in a place of its own; a value that the builder does not keep."""
        layout = arrange(self._parents, ((edge["source"], edge["target"]) for edge in self._edges.values()))
        owners = set(self._parents.values())
        nodes = []
        for node_id, node in self._nodes.items():
            box = layout.boxes[node_id]
            size = {"width": box.width, "height": box.height} if node_id in owners else {}
            nodes.append({**node, "position": {"x": box.x, "y": box.y}, **size})
        document: dict[str, JSON] = {
            "id": self.id,
            "name": self.name,
            "nodes": nodes,
            "edges": list(self._edges.values()),
        }
        if self.timeout:
            document["settings"] = {"timeout": self.timeout}
        if self.vars:
            document["vars"] = self.vars
        copy: dict[str, JSON] = msgspec.to_builtins(document)
        return copy

    def build(self, catalogue: Catalogue | None = None) -> Workflow:
        """The workflow, validated if there is a catalogue; `DefinitionInvalid` as from `decode` and `load`."""
        document = self.to_json()
        return decode(document) if catalogue is None else load(document, catalogue)

    def _add(self, type: str, id: str, label: str, config: dict[str, JSON]) -> str:
        if id in self._nodes:
            raise ValueError(f"There is already a node {id!r}")
        node_id = id or self._free(type, "{}_{}")
        node: dict[str, JSON] = {"id": node_id, "type": type}
        parent = self._scopes[-1] if self._scopes else None
        if parent is not None:
            node["parentId"] = parent
        node["data"] = {"label": label or node_id, "type": type, "config": config}
        self._nodes[node_id] = node
        self._parents[node_id] = parent
        return node_id

    def _connect(self, source: str, handle: str, target: str, into: str) -> None:
        edge_id = self._free(f"{source}->{target}", "{} ({})")
        edge = {"id": edge_id, "source": source, "target": target, "sourceHandle": handle, "targetHandle": into}
        self._edges[edge_id] = edge

    def _free(self, stem: str, pattern: str) -> str:
        """The stem, or the stem with the next number."""
        name = stem
        while name in self._nodes or name in self._edges:
            name = pattern.format(stem, next(self._numbers[stem]))
        return name


def _camel(settings: dict[str, JSON]) -> dict[str, JSON]:
    """`max_items` to `maxItems`; an underscore at the end, as in `from_`, only keeps Python's keywords apart."""
    named = {}
    for key, value in settings.items():
        first, *rest = key.rstrip("_").split("_")
        named[first + "".join(word.capitalize() for word in rest)] = value
    return named
