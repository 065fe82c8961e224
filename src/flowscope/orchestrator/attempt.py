"""One attempt of one node on its way to a handler: its arguments, its voice, and what its failure is called."""

from __future__ import annotations

import hashlib
import math
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import msgspec

from flowscope.definition.policy import LONGEST_KEY
from flowscope.definition.workflow import JSON
from flowscope.errors import ConfigInvalid, ExpressionError, FlowscopeError, NodeError
from flowscope.execution.events import ErrorInfo
from flowscope.execution.payload import Payload
from flowscope.execution.state import Frame, State, encode_json, gather, key_of
from flowscope.expressions import Template, evaluate
from flowscope.nodes.context import Body, NodeContext, Surroundings, Turn
from flowscope.nodes.sdk import NodeConfig
from flowscope.orchestrator.job import NONE, Job, Place, name_of
from flowscope.orchestrator.payloads import PayloadStore
from flowscope.orchestrator.ports import Limit
from flowscope.orchestrator.program import Binding
from flowscope.orchestrator.redaction import redactor_of, secret_values
from flowscope.orchestrator.scope import NodeScope

if TYPE_CHECKING:
    from flowscope.orchestrator.live_execution import LiveExecution

LONGEST_MESSAGE = 4_000


class HandlerFailed(Exception):
    """What a handler raised in another process, as it was described there; the secrets in it are not blotted out yet."""

    def __init__(self, info: ErrorInfo) -> None:
        self.info = info
        super().__init__(info.message)


Speak = Callable[["Attempt", str, float, str], None]


class Attempt:
    """Satisfies the ports' `Task` and the nodes' `Reporter`. Made on the event loop; `call` may run in a thread, and
    touches nothing of the execution."""

    __slots__ = (
        "arguments", "attempt", "binding", "frame", "held", "in_pool", "input", "is_async", "is_cancelled", "key", "limits", "live", "number",
        "result_key", "secrets", "speak", "timeout", "written",
    )  # fmt: skip

    def __init__(self, live: LiveExecution, frame: Frame, number: int, binding: Binding, speak: Speak) -> None:
        plan = frame.scope.nodes[number]
        self.live = live
        self.frame = frame
        self.number = number
        self.binding = binding
        self.attempt = frame.attempts[number]
        self.key = (live.state.execution_id, frame.path, plan.id, self.attempt)
        self.in_pool = binding.pooled or (live.state.use_worker_pool and binding.poolable)
        self.is_async = binding.type.is_async
        self.timeout = plan.timeout
        self.speak = speak
        self.is_cancelled = False
        self.secrets: set[str] = set()
        self.held = ""
        self.arguments: dict[str, Any] = {}
        self.result_key = ""
        self.written = binding.written
        self.input: bytes | None = None
        self.limits = binding.limits

    @property
    def priority(self) -> int:
        return self.live.state.plan.workflow.settings.priority

    @property
    def unhurried(self) -> bool:
        return self.frame.scope.nodes[self.number].unhurried

    def prepare(self, payloads: PayloadStore, surroundings: Surroundings, now: float) -> None:
        """Work out what the handler takes; an `ExpressionError` or a `ConfigInvalid` is the attempt's failure."""
        binding, state = self.binding, self.live.state
        if self.live.program.secrets and not binding.direct:
            # What another node sent out may come back to this one.
            self.secrets.update(secret_values(self.live.program.secrets, surroundings))
        if binding.takes_config:
            self.arguments["config"] = binding.config or self._config(payloads, surroundings, now)
        if binding.key is not None:
            self.limits = (*binding.limits, self._own_limit(binding.key, payloads, surroundings, now))
        if binding.takes_input:
            payload = _input(state, self.frame, self.number)
            if self.in_pool:
                self.input = payloads.build(payload)
            else:
                self.arguments["input"] = payloads.value(payload)
        if binding.takes_context or self.in_pool:
            self.arguments["context"] = self._context(payloads, surroundings, now)

    def work(self, payloads: PayloadStore) -> str:
        """A hash of what is to be done: the node's type and its version, its config and its input."""
        config, kind = self.arguments.get("config"), self.binding.type
        described = [kind.type, kind.version, config.model_dump(mode="json") if config else None]
        found = hashlib.sha256(encode_json(described))
        found.update(payloads.build(gather(self.live.state, self.frame, self.number)))
        return found.hexdigest()

    def call(self) -> Any:
        if self.in_pool:  # there is no pool after all
            if self.input is not None:
                self.arguments["input"] = msgspec.json.decode(self.input)
            if not self.binding.takes_context:
                self.arguments.pop("context", None)
        return self.binding.handler(**self.arguments)

    def job(self) -> Job:
        context: NodeContext = self.arguments["context"]
        place = Place(
            execution_id=context.execution_id,
            workflow_id=context.workflow_id,
            node_id=context.node_id,
            node_name=context.node_name,
            path=context.path,
            attempt=context.attempt,
            now=context.now,
            handles=sorted(context.handles),
            iteration=context.iteration,
            body=context.body,
        )
        return Job(
            handler=name_of(self.binding.type),
            place=place,
            surroundings=context.surroundings,
            config=msgspec.Raw(encode_json(self.written)) if self.binding.takes_config else NONE,
            input=NONE if self.input is None else msgspec.Raw(self.input),
        )

    def cancel(self) -> None:
        self.is_cancelled = True

    def progress(self, fraction: float, message: str) -> None:
        self.speak(self, "progress", fraction, message)

    def log(self, level: str, text: str) -> None:
        self.speak(self, level, 0, text)

    def stream(self, text: str) -> None:
        self.speak(self, "stream", 0, text)

    def queued(self, detail: str) -> None:
        self.speak(self, "queued", 0, detail)

    def in_line(self, waits: bool) -> None:
        self.speak(self, "waits" if waits else "begins", 0, "")

    def _config(self, payloads: PayloadStore, surroundings: Surroundings, now: float) -> NodeConfig:
        binding = self.binding
        assert binding.template is not None
        config = cast("dict[str, Any]", self._evaluated(binding.template, payloads, surroundings, now))
        self.written = {**config, **binding.raw}
        return binding.type.parse(self.written)

    def _own_limit(self, key: Template, payloads: PayloadStore, surroundings: Surroundings, now: float) -> Limit:
        name = self._evaluated(key, payloads, surroundings, now)
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not (isinstance(name, str) and 0 < len(name) <= LONGEST_KEY and name.isprintable()):
            raise NodeError(
                f"concurrencyKey: it must come to a text of 1 to {LONGEST_KEY} visible characters, or a whole number",
                code="BAD_CONFIG",
                retryable=False,
            )
        return Limit(f"key {name}", self.binding.key_limit, own=True, shown=f"key {self.redact(name)}")

    def _evaluated(self, template: Template, payloads: PayloadStore, surroundings: Surroundings, now: float) -> JSON:
        names = template.secrets
        if names:
            # First: an expression that fails may quote what it failed on.
            self.secrets.update(secret_values(names, surroundings))
        scope = NodeScope(self.live.state, self.frame, self.number, payloads, surroundings, names)
        return evaluate(template, scope, now=int(now), clock=time.monotonic)

    def _context(self, payloads: PayloadStore, surroundings: Surroundings, now: float) -> NodeContext:
        frame, number, state = self.frame, self.number, self.live.state
        plan = frame.scope.nodes[number]
        expansion = (frame.expansions or {}).get(number)
        return NodeContext(
            execution_id=state.execution_id,
            workflow_id=state.workflow_id,
            node_id=plan.id,
            node_name=state.plan.labels[plan.id],
            path=key_of(frame) if frame.parent else "",
            attempt=self.attempt,
            now=now,
            handles=plan.handles,
            surroundings=surroundings,
            reporter=self,
            iteration=expansion.count if expansion else 0,
            cancelled=lambda: self.is_cancelled,
            secrets_used=self.secrets,
            body=_body(frame, number, payloads) if plan.body else None,
        )

    def redact(self, text: str) -> str:
        """A text without the secrets that this attempt may know."""
        return redactor_of(frozenset(self.secrets)).text(text) if self.secrets else text

    def redact_json(self, data: bytes) -> bytes:
        """Likewise a JSON value."""
        return redactor_of(frozenset(self.secrets)).json(data) if self.secrets else data

    def redact_stream(self, text: str) -> str:
        """What may be shown after this piece of a stream: what could be the beginning of a secret waits for the next."""
        if not self.secrets:
            return text
        redactor = redactor_of(frozenset(self.secrets))
        text = redactor.text(self.held + text)
        whole = len(text) - redactor.held_back(text)
        self.held = text[whole:]
        return text[:whole]

    def failure(self, error: BaseException) -> ErrorInfo:
        """What is recorded of an exception."""
        return describe(error, self.redact)


def _body(frame: Frame, number: int, payloads: PayloadStore) -> Body:
    scope = frame.scope.nodes[number].body
    turns = (frame.turns or {}).get(number, ())
    return Body(
        entries=tuple(scope.ids[root] for root in scope.roots) if scope else (),
        turns=tuple(
            Turn(
                payloads.value(turn.memo),
                tuple(None if result is None else payloads.value(result) for result in turn.results),
                tuple(turn.undone),
            )
            for turn in turns
        ),
    )


def _input(state: State, frame: Frame, number: int) -> Payload:
    expansion = (frame.expansions or {}).get(number)
    if expansion is None:
        return gather(state, frame, number)
    # A container asked again: a loop gets its state; what a map's items were, it has already said.
    return expansion.last or b"null" if expansion.items is None else b"null"


def describe(error: BaseException, redact: Callable[[str], str] = str, *, longest: int = LONGEST_MESSAGE) -> ErrorInfo:
    """An exception as a fact: ours keep their facts, others get the line of the handler they came from."""
    if isinstance(error, HandlerFailed):
        info = error.info
        message, code = redact(info.message)[:longest], redact(info.code)
        return msgspec.structs.replace(info, message=message, code=code)
    name = type(error).__name__
    message = redact(_words(error) or name)[:longest]
    if isinstance(error, ConfigInvalid):
        place = error.problems[0].place if error.problems else ""
        return ErrorInfo(name, message, error.code, place=place, retryable=False)
    if isinstance(error, NodeError):
        code = redact(_words(error.code))
        after = _milliseconds(error.retry_after)
        return ErrorInfo(name, message, code, retryable=bool(error.retryable), retry_after=after or 0)
    if isinstance(error, ExpressionError):
        return ErrorInfo(name, message, detail=error.source[:200], retryable=False)
    if isinstance(error, FlowscopeError):
        return ErrorInfo(name, message, retryable=False)
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else ""
    return ErrorInfo(name, message, detail=where)


def _milliseconds(said: object) -> float:
    """What somebody's code gives as a time, at most a day of it."""
    if isinstance(said, int | float) and math.isfinite(said):
        return min(max(0.0, float(said)), 86_400_000.0)
    return 0.0


def _words(said: object) -> str:
    """What somebody's code says, as text that can be stored: their `__str__` may fail, and may give half a character."""
    try:
        return str(said).encode("utf-8", "replace").decode()
    except Exception:  # noqa: BLE001 -- as above
        return ""
