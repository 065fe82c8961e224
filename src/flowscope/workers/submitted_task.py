"""A task that somebody submits to the pool by hand, in the mission's form: no run, no journal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import InputInvalid, NodeError
from flowscope.execution.state import encode_json
from flowscope.expressions import compile_template, evaluate
from flowscope.nodes.answer import Output, Pass
from flowscope.nodes.context import Surroundings
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.attempt import HandlerFailed
from flowscope.orchestrator.job import Job, Place, name_of
from flowscope.orchestrator.ports import Limit
from flowscope.orchestrator.redaction import redactor_of, secret_values


class WorkerTask(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`node_data` is a node's `data`: its `type`, `config`, `label`. `node_outputs` are by node id. The higher `priority`
    goes first, equal ones as they came."""

    id: str
    execution_id: str
    node_id: str
    node_data: dict[str, JSON]
    input: JSON = None
    node_outputs: dict[str, JSON] = {}
    priority: int = 0


class SubmittedTask:
    """Satisfies the ports' `Task`. `attempt` counts from 1."""

    in_pool = True
    is_async = False
    timeout: float = 0
    unhurried = False
    limits: tuple[Limit, ...] = ()

    def __init__(
        self, task: WorkerTask | Mapping[str, JSON], registry: Registry, surroundings: Surroundings, attempt: int = 1
    ) -> None:
        self.task = task if isinstance(task, WorkerTask) else _read(task)
        self.attempt = attempt
        self.priority = self.task.priority
        self.key = (self.task.execution_id, self.task.id, self.task.node_id, attempt)
        self.secrets: set[str] = set()
        self._registry = registry
        self._surroundings = surroundings
        self._type = registry.find(str(self.task.node_data.get("type", "")))
        if self._type is None:
            raise InputInvalid(
                f"Task {self.task.id}: nodeData.type is {self.task.node_data.get('type')!r}, no node type"
            )

    def again(self) -> SubmittedTask:
        """The next attempt at it."""
        return SubmittedTask(self.task, self._registry, self._surroundings, self.attempt + 1)

    def call(self) -> Any:
        raise NotImplementedError("a submitted task runs in a worker process")

    def job(self) -> Job:
        task, node_type = self.task, self._type
        assert node_type is not None
        written = node_type.prepare(cast("dict[str, JSON]", task.node_data.get("config") or {}))
        raw = {key: value for key, value in written.items() if key in node_type.raw_fields}
        template = compile_template({key: value for key, value in written.items() if key not in node_type.raw_fields})
        now = time.time() * 1000
        config = cast(
            "dict[str, JSON]",
            evaluate(template, _Names(self, bool(template.secrets)), now=int(now), clock=time.monotonic),
        )
        self.secrets.update(secret_values(template.secrets, self._surroundings))
        node_type.parse({**config, **raw})
        place = Place(
            execution_id=task.execution_id,
            workflow_id="",
            node_id=task.node_id,
            node_name=str(task.node_data.get("label") or task.node_id),
            path="",
            attempt=self.attempt,
            now=now,
            handles=[],
            iteration=0,
        )
        return Job(
            handler=name_of(node_type),
            place=place,
            surroundings=self._surroundings,
            config=msgspec.Raw(encode_json({**config, **raw})),
            input=msgspec.Raw(encode_json(task.input)),
        )

    def output(self, answer: Any) -> JSON:
        """What the handler's answer comes to, without the secrets it used."""
        if isinstance(answer, Pass):
            return self.task.input
        value = answer.value if isinstance(answer, Output) else answer
        if not isinstance(value, msgspec.Raw):
            raise NodeError(f"{self._type!r} answers only within a workflow: it waits, iterates or calls another one")
        return msgspec.json.decode(redactor_of(frozenset(self.secrets)).json(bytes(value)))

    def raised(self, failure: BaseException) -> BaseException:
        """What the caller is to see of a failure."""
        if not isinstance(failure, HandlerFailed):
            return failure
        info = failure.info
        return NodeError(self._redacted(info.message), code=info.code, retryable=info.retryable)

    def _redacted(self, text: str) -> str:
        return redactor_of(frozenset(self.secrets)).text(text)

    def cancel(self) -> None: ...
    def progress(self, fraction: float, message: str) -> None: ...
    def log(self, level: str, text: str) -> None: ...
    def stream(self, text: str) -> None: ...
    def queued(self, detail: str) -> None: ...
    def in_line(self, waits: bool) -> None: ...


class _Names:
    """What its expressions see."""

    def __init__(self, submitted: SubmittedTask, secrets: bool) -> None:
        task, surroundings = submitted.task, submitted._surroundings
        built_in: dict[str, JSON] = {"json": task.input, "input": task.input, "trigger": task.input}
        built_in |= {
            "secrets": dict(surroundings.secrets) if secrets else {},
            "env": dict(surroundings.environment),
            "vars": dict(surroundings.variables),
        }
        built_in["execution"] = {"id": task.execution_id}
        fields = task.input if isinstance(task.input, dict) else {}
        self._known: dict[str, JSON] = {**fields, **task.node_outputs, **built_in}

    def lookup(self, name: str) -> JSON:
        return self._known[name]

    def names(self) -> Iterable[str]:
        return self._known


def _read(task: Mapping[str, JSON]) -> WorkerTask:
    try:
        return msgspec.convert(dict(task), WorkerTask)
    except msgspec.ValidationError as error:
        raise InputInvalid(
            f"That is no task: {error}. It is {{id, executionId, nodeId, nodeData, input, nodeOutputs, priority?}}"
        ) from None
