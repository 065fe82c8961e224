"""The node catalogue: built-in types, and those of installed packages through the entry point group
`flowscope.nodes`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points

from flowscope.nodes.sdk import NodeType

ENTRY_POINT_GROUP = "flowscope.nodes"


class Registry:
    """Node types by name. Satisfies `definition.catalogue.Catalogue`."""

    def __init__(self, types: Iterable[NodeType] = (), instead: dict[str, str] | None = None) -> None:
        self._types: dict[str, NodeType] = {}
        self._aliases: dict[str, str] = {}
        self._instead = instead or {}
        for node_type in types:
            self.add(node_type)

    def add(self, node_type: NodeType, *aliases: str) -> None:
        """Register a type, and other names for it; `ValueError` if a name is taken."""
        for name in (node_type.type, *aliases):
            if name in self._types or name in self._aliases:
                raise ValueError(f"There are two node types named {name!r}")
        self._types[node_type.type] = node_type
        self._aliases.update(dict.fromkeys(aliases, node_type.type))

    def find(self, type: str) -> NodeType | None:
        return self._types.get(self._aliases.get(type, type))

    def types(self) -> list[str]:
        return sorted([*self._types, *self._aliases])

    def __iter__(self) -> Iterator[NodeType]:
        return iter(self._types[name] for name in sorted(self._types))

    def instead_of(self, type: str) -> str | None:
        return self._instead.get(type)

    def load_entry_points(self) -> None:
        """Add what installed packages offer: each entry point is a `NodeType`, or a list of them."""
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            loaded = entry.load()
            for node_type in loaded if isinstance(loaded, list | tuple) else [loaded]:
                self.add(node_type)
