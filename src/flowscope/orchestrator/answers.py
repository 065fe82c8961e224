"""What a handler answered, as a step of the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec.json import decode

from flowscope.definition.plan import OUTPUT
from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.execution import machine, stimuli
from flowscope.execution.events import Blob
from flowscope.execution.state import Frame
from flowscope.execution.stimuli import AnyStimulus, Expand, Suspend
from flowscope.nodes.answer import Again, Assign, Call, Collected, Extend, Items, Output, Pass, Wait
from flowscope.orchestrator.attempt import Attempt
from flowscope.orchestrator.payloads import PayloadStore, encode

if TYPE_CHECKING:
    from flowscope.orchestrator.live_execution import LiveExecution
    from flowscope.orchestrator.sub_workflows import SubWorkflows


MOST_VARIABLES = 1_000

_STEPS = frozenset({Items, Again, Wait, Call})
"""Answers that are not the node's end."""


class Answers:
    """Turns answers into steps; large values go to the payload store on the way."""

    def __init__(self, payloads: PayloadStore, sub_workflows: SubWorkflows) -> None:
        self._payloads = payloads
        self._sub_workflows = sub_workflows

    def take(
        self, live: LiveExecution, frame: Frame, number: int, answer: Any, attempt: Attempt | None, now: float
    ) -> None:
        """Raises a `NodeError` where the answer cannot be kept, and what `Call` raises."""
        state, out = live.state, live.decision
        plan = frame.scope.nodes[number]
        kind = type(answer)
        if kind is Pass:
            handle = answer.handle if isinstance(answer.handle, str) else plan.choose(answer.handle)
            machine.succeed(state, frame, number, None, handle, now, out, passed=True)
        elif kind is Output:
            handle = answer.handle if isinstance(answer.handle, str) else plan.choose(answer.handle)
            handle = attempt.redact(handle) if attempt is not None else handle
            machine.succeed(state, frame, number, self.keep(answer.value, attempt), handle, now, out)
        elif kind is Extend:
            handle = answer.handle if isinstance(answer.handle, str) else plan.choose(answer.handle)
            machine.succeed(state, frame, number, self.keep(answer.fields, attempt), handle, now, out, passed=True)
        elif kind is Collected:
            machine.succeed(state, frame, number, None, answer.handle, now, out, last=answer.last)
        elif kind is Assign:
            self._assign(live, frame, number, answer, attempt, now)
            machine.succeed(state, frame, number, None, OUTPUT, now, out, passed=True)
        elif kind in _STEPS:
            machine.decide(state, self._stimulus(live, frame, number, answer, attempt), now, out)
        else:
            machine.succeed(state, frame, number, self.keep(answer, attempt), OUTPUT, now, out)

    def _assign(
        self, live: LiveExecution, frame: Frame, number: int, answer: Assign, attempt: Attempt | None, now: float
    ) -> None:
        if len(live.state.variables.keys() | answer.variables.keys()) > MOST_VARIABLES:
            raise NodeError(
                f"A run has at most {MOST_VARIABLES:,} variables. Put many values into one, as an object",
                code="TOO_MANY_VARIABLES",
                retryable=False,
            )
        kept = {name: self.keep(value, attempt) for name, value in answer.variables.items()}
        node_id, path, count = frame.scope.ids[number], frame.path, frame.attempts[number]
        for name, value in kept.items():
            stimulus = stimuli.Assign(node_id=node_id, path=path, attempt=count, name=name, value=value)
            machine.decide(live.state, stimulus, now, live.decision)

    def keep(self, value: JSON, attempt: Attempt | None) -> bytes | Blob:
        """A value as the machine holds it, without the secrets that the attempt has seen."""
        return self._payloads.keep(self._inline(value, attempt))

    def _inline(self, value: JSON, attempt: Attempt | None) -> bytes:
        """A value that travels in the event whatever its size."""
        data = encode(value)
        return attempt.redact_json(data) if attempt is not None else data

    def _stimulus(
        self,
        live: LiveExecution,
        frame: Frame,
        number: int,
        answer: Items | Again | Wait | Call,
        attempt: Attempt | None,
    ) -> AnyStimulus:
        node_id, path, count = frame.scope.ids[number], frame.path, frame.attempts[number]
        if isinstance(answer, Items):
            return Expand(
                node_id=node_id,
                path=path,
                attempt=count,
                count=len(answer.values),
                items=self.keep(answer.values, attempt),
                concurrency=answer.concurrency,
                collect_errors=answer.collect_errors,
                entries=answer.entries,
                memo=None if answer.memo is None else self.keep(answer.memo, attempt),
            )
        if isinstance(answer, Again):
            return Expand(node_id=node_id, path=path, attempt=count, count=1)
        if isinstance(answer, Wait):
            otherwise = answer.otherwise
            handle = otherwise.handle if otherwise else ""
            return Suspend(
                node_id=node_id,
                path=path,
                attempt=count,
                kind=answer.kind,
                until=answer.until,
                expires=bool(answer.signal and answer.until and otherwise is None),
                signal=attempt.redact(answer.signal) if attempt else answer.signal,
                detail=attempt.redact(answer.detail) if attempt else answer.detail,
                choices=answer.choices,
                extends=answer.extends,
                otherwise=self._inline(otherwise.fields, attempt) if otherwise else None,
                otherwise_handle=handle if isinstance(handle, str) else frame.scope.nodes[number].choose(handle),
            )
        if attempt is not None and attempt.secrets and answer.document is not None:
            answer = replace(answer, document=decode(attempt.redact_json(encode(answer.document))))
        workflow, child = self._sub_workflows.called(live.state, frame, number, answer)
        return Suspend(
            node_id=node_id,
            path=path,
            attempt=count,
            kind="child",
            child=child,
            child_definition=workflow.hash,
            input=self.keep(answer.input, attempt),
            detail=f"sub-workflow {workflow.name or workflow.id}",
        )
