"""What an expression sees: the names of one node at one moment of its execution."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from flowscope.definition.workflow import JSON
from flowscope.execution import status as st
from flowscope.execution.state import Frame, State, entry, gather
from flowscope.nodes.context import Surroundings
from flowscope.orchestrator.payloads import PayloadStore

_BUILT_IN = ("json", "input", "trigger", "execution", "vars", "secrets", "credentials", "env")


class NodeScope:
    """Names are worked out when they are asked for, and then kept for this evaluation.

    In order: `json` and `input` (this node's input), `trigger` (the run's), `execution`, `vars`, `secrets`,
    `credentials`, `env`; inside a loop or map `item`, `index`, `state`; the outputs of nodes that have run, by id, this scope's before the outer ones';
    then the fields of the input.
    """

    __slots__ = ("_frame", "_known", "_number", "_payloads", "_secrets", "_state", "_surroundings")

    def __init__(
        self,
        state: State,
        frame: Frame,
        number: int,
        payloads: PayloadStore,
        surroundings: Surroundings,
        secrets: frozenset[str],
    ) -> None:
        """`secrets` are the names that the expressions read; the others are named, and not opened."""
        self._state = state
        self._frame = frame
        self._number = number
        self._payloads = payloads
        self._surroundings = surroundings
        self._known: dict[str, JSON] = {}
        self._secrets = secrets

    def lookup(self, name: str) -> JSON:
        known = self._known
        if name not in known:
            known[name] = self._find(name)
        return known[name]

    def names(self) -> Iterable[str]:
        yield from _BUILT_IN
        if self._frame.parent is not None:
            yield from ("item", "index", "state")
        frame: Frame | None = self._frame
        while frame is not None:
            yield from (frame.scope.ids[number] for number in range(frame.scope.size) if _has_output(frame, number))
            frame = frame.parent
        value = self.lookup("json")
        if isinstance(value, dict):
            yield from value

    def _find(self, name: str) -> JSON:
        built_in = _FIND.get(name)
        if built_in is not None:
            return built_in(self)
        if self._frame.parent is not None and name in ("item", "index"):
            return self._frame.index if name == "index" else self._payloads.value(entry(self._state, self._frame))
        if name in ("state", "iteration"):
            return self._loop(name)
        frame: Frame | None = self._frame
        while frame is not None:
            number = frame.scope.index.get(name)
            if number is not None and _has_output(frame, number):
                return self._payloads.value(cast(Any, frame.outputs[number]))
            frame = frame.parent
        value = self.lookup("json")
        if isinstance(value, dict):
            return value[name]
        raise KeyError(name)

    def _loop(self, name: str) -> JSON:
        """Of the container that is being asked; else of the iteration we are in."""
        expansion = (self._frame.expansions or {}).get(self._number)
        if name == "iteration":
            return expansion.count if expansion else self._frame.index if self._frame.parent else 0
        if expansion is not None:
            return self._payloads.value(expansion.last or b"null")
        if self._frame.scope.nodes[self._number].role == "container":
            return self.lookup("json")
        if self._frame.parent is not None:
            return self._payloads.value(entry(self._state, self._frame))
        raise KeyError(name)

    def _input(self) -> JSON:
        expansion = (self._frame.expansions or {}).get(self._number)
        if expansion is not None and expansion.items is None:
            return self._payloads.value(expansion.last or b"null")
        return self._payloads.value(gather(self._state, self._frame, self._number))

    def _trigger(self) -> JSON:
        return self._payloads.value(self._state.input)

    def _execution(self) -> JSON:
        state = self._state
        return {
            "id": state.execution_id,
            "workflowId": state.workflow_id,
            "workflowName": state.workflow_name,
            "startedAt": state.started_at,
            "trigger": state.trigger,
            "parentExecutionId": state.parent_execution_id or None,
        }

    def _vars(self) -> JSON:
        state = self._state
        own = {name: self._payloads.value(value) for name, value in state.variables.items()}
        return {**self._surroundings.variables, **state.plan.workflow.vars, **own}

    def _read_secrets(self) -> JSON:
        known, read = self._surroundings.secrets, self._secrets
        return {name: known[name] if name in read or "*" in read else "" for name in known}

    def _read_credentials(self) -> JSON:
        known, read = self._surroundings.credentials, self._secrets
        whole = "credentials.*" in read
        return {name: known[name].revealed() if whole or f"credentials.{name}" in read else {} for name in known}

    def _env(self) -> JSON:
        return dict(self._surroundings.environment)


def _has_output(frame: Frame, number: int) -> bool:
    return frame.status[number] in (st.SUCCESS, st.ERROR) and frame.outputs[number] is not None


_FIND: dict[str, Callable[[NodeScope], JSON]] = {
    "json": NodeScope._input,
    "input": NodeScope._input,
    "trigger": NodeScope._trigger,
    "execution": NodeScope._execution,
    "vars": NodeScope._vars,
    "secrets": NodeScope._read_secrets,
    "credentials": NodeScope._read_credentials,
    "env": NodeScope._env,
}
