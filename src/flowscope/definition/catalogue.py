"""What the definition storey asks of the node types; the nodes storey answers (`nodes.registry.Registry`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

from flowscope.definition.workflow import JSON, Effects, Resources, Retry
from flowscope.errors import Problem

Role = Literal["task", "trigger", "error_trigger", "container"]


class NodeKind(Protocol):
    """One node type, as far as a graph's meaning goes.

    `handles` are its output handles, or None where they follow from the config (`switch`).
    `timeout` is milliseconds (0: none); it and `retry` hold where the node's own policy says nothing.
    """

    @property
    def type(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def handles(self) -> tuple[str, ...] | None: ...
    @property
    def effects(self) -> Effects: ...
    @property
    def resources(self) -> Resources: ...
    @property
    def retry(self) -> Retry: ...
    @property
    def timeout(self) -> float: ...

    def check(self, config: dict[str, JSON], place: str) -> list[Problem]:
        """All that is wrong with a config before it runs; `place` is the path of `data.config`."""
        ...

    def check_expressions(self, text: str, place: str) -> list[Problem]:
        """What is wrong with the expressions in one of the engine's own settings."""
        ...


class Catalogue(Protocol):
    def find(self, type: str) -> NodeKind | None: ...

    def types(self) -> Iterable[str]: ...

    def instead_of(self, type: str) -> str | None:
        """For a type of the old catalogue that is not here: what to use instead, as a sentence."""
        ...
