"""What a handler is given beside its config and input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeDenied
from flowscope.nodes.credentials import Credential

C = TypeVar("C", bound=Credential)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What nodes may touch, decided once at start; the default is the least.

    `file_roots` are resolved directories; `private` ones below them that stay closed (the data directory). `secrets`,
    `credentials` and `variables` may be other ones the next time they are looked at.
    `code_nodes`: whether sandboxed code of the workflow's runs. `python_functions`: dotted names of functions that
    may be called, `package.module.*` for all public ones of a module. `commands`: names of programs that may be run,
    and where each is (empty where it was not found).
    """

    file_roots: tuple[Path, ...] = ()
    private: tuple[Path, ...] = ()
    allow_private_addresses: bool = False
    code_nodes: bool = False
    python_functions: tuple[str, ...] = ()
    commands: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: Mapping[str, Credential] = field(default_factory=dict, repr=False)
    variables: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """What a container has answered before, and what came of it. `undone` are the positions in `results` of iterations that
    have not ended, because another attempt began."""

    memo: JSON
    results: tuple[JSON, ...]
    undone: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """What is inside a container: the ids of the nodes it begins with, and the turns so far."""

    entries: tuple[str, ...] = ()
    turns: tuple[Turn, ...] = ()


class Reporter(Protocol):
    """Where a running attempt's words go. All three may be called from any thread."""

    def progress(self, fraction: float, message: str) -> None: ...
    def log(self, level: str, text: str) -> None: ...
    def stream(self, text: str) -> None: ...


class NodeContext:
    """One attempt of one node.

    `idempotency_key` is the same for every attempt at the same node and iteration, over crashes and
    retries; `attempt` counts from 1. `now` is the attempt's start in epoch milliseconds. `handles` are the
    output handles with an edge on them. `iteration` counts a container's finished iterations: its handler
    is called again after each batch; `body` tells of its inside. `workflow_id`, `execution_id`, `node_id`, `node_name` and
    `path` name where we are.
    """

    __slots__ = (
        "_reporter", "_secrets_used", "attempt", "body", "cancelled", "execution_id", "handles", "idempotency_key", "iteration",
        "node_id", "node_name", "now", "path", "surroundings", "workflow_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        execution_id: str,
        workflow_id: str,
        node_id: str,
        node_name: str,
        path: str,
        attempt: int,
        now: float,
        handles: frozenset[str],
        surroundings: Surroundings,
        reporter: Reporter,
        iteration: int = 0,
        cancelled: Callable[[], bool] = lambda: False,
        secrets_used: set[str] | None = None,
        body: Body | None = None,
    ) -> None:
        self.execution_id = execution_id
        self.workflow_id = workflow_id
        self.node_id = node_id
        self.node_name = node_name
        self.path = path
        self.attempt = attempt
        self.now = now
        self.handles = handles
        self.surroundings = surroundings
        self.iteration = iteration
        self.cancelled = cancelled
        self.body = body or Body()
        self.idempotency_key = f"{execution_id}:{path}.{node_id}" if path else f"{execution_id}:{node_id}"
        self._reporter = reporter
        self._secrets_used: set[str] = set() if secrets_used is None else secrets_used

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the work is, 0 to 1. Shown live, not kept."""
        self._reporter.progress(min(1.0, max(0.0, fraction)), message)

    def log(self, text: str, level: str = "info") -> None:
        """Say something that is kept with the run. `level`: debug, info, warning, error."""
        self._reporter.log(level, text)

    def stream(self, text: str) -> None:
        """Add to the text this node shows while it runs; kept with the run."""
        self._reporter.stream(text)

    def secret(self, name: str) -> str:
        """A secret's value; `NodeDenied` if there is none. It is blotted out wherever this node's output or
        log shows it."""
        try:
            value = self.surroundings.secrets[name]
        except KeyError:
            raise NodeDenied(f"There is no secret named {name!r}. `flowscope secrets set {name}` makes it") from None
        self._secrets_used.add(value)
        return value

    def credential(self, name: str, kind: type[C]) -> C:
        """A credential of that type; `NodeDenied` if there is none. Its secret fields are blotted out like secrets."""
        found = self.surroundings.credentials.get(name)
        if not isinstance(found, kind):
            known = sorted(each for each, one in self.surroundings.credentials.items() if isinstance(one, kind))
            there = f"There are: {', '.join(known)}" if known else "There are none of that type"
            raise NodeDenied(f"credential: there is no {kind.type} credential named {name!r}. {there}")
        self._secrets_used.update(str(value) for value in found.hidden().values())
        return found

    @property
    def secrets_used(self) -> set[str]:
        """The values `secret` and `credential` have given out in this attempt, and what a node adds that tells them."""
        return self._secrets_used

    def __repr__(self) -> str:
        return f"NodeContext({self.idempotency_key!r}, attempt={self.attempt})"


class Handler(Protocol):
    def __call__(self, **arguments: Any) -> Any: ...
