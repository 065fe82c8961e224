"""What people answer: decisions and filled-in forms, each taken once.

An answer is a signal to the node that waits. The first is taken; for a later one the journal says what became of the
question, so that the same answer sent again is known as such, also after a restart.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import ExecutionEnded, ExecutionNotFound, SignalNotAwaited
from flowscope.execution.events import NodeFailed, NodeSucceeded, NodeSuspended
from flowscope.execution.state import Frame, recorded
from flowscope.nodes.approval import ApprovalConfig, verdict
from flowscope.nodes.form import FormConfig, checked
from flowscope.nodes.sdk import NodeConfig
from flowscope.orchestrator.attempt import Attempt
from flowscope.orchestrator.live_execution import LiveExecution
from flowscope.server.inbox import Waiting
from flowscope.server.problems import Refusal
from flowscope.server.records import iso
from flowscope.server.services import Services

SUBMISSION = "submissionId"
LONGEST_KEY = 256


class Fate(msgspec.Struct, frozen=True):
    """What has become of a question: it waits, is answered (with `output`), has run out, or is gone."""

    state: Literal["waiting", "answered", "expired", "gone"]
    output: dict[str, JSON] = {}


class Taken(msgspec.Struct, frozen=True):
    """An answer that was taken, now or before (`duplicate`)."""

    execution_id: str
    output: dict[str, JSON]
    duplicate: bool = False


async def fate_of(services: Services, execution_id: str, signal: str) -> Fate:
    """As the journal tells it."""
    found = await services.inbox.find(execution_id, signal)
    if found is not None:
        return Fate("waiting")
    live = services.engine.orchestrator.live(execution_id)
    if live is not None and not live.gone:
        await live.wait_for(live.state.seq)  # what is not on disk yet is not told
    place: tuple[str, str, int] | None = None
    for event in await services.histories.events(execution_id):
        if isinstance(event, NodeSuspended) and event.signal == signal:
            place = (event.node_id, event.path, event.attempt)
        elif isinstance(event, NodeSucceeded | NodeFailed) and (event.node_id, event.path, event.attempt) == place:
            return _fate(services, event)
    return Fate("gone")


def _fate(services: Services, event: NodeSucceeded | NodeFailed) -> Fate:
    if isinstance(event, NodeFailed):
        return Fate("expired" if event.error.type == "NodeTimeout" else "gone")
    payload = recorded(event.output, event.output_blob)
    output = services.engine.orchestrator.payloads.value(payload) if payload is not None else {}
    return Fate("expired" if output.get("timedOut") else "answered", output if isinstance(output, dict) else {})


# --- what is asked ---


def asked(services: Services, live: LiveExecution, frame: Frame, number: int) -> NodeConfig:
    """The settings of a node that waits, its expressions worked out, without secrets."""
    orchestrator = services.engine.orchestrator
    binding = live.program.bindings[frame.scope.nodes[number]]
    attempt = Attempt(live, frame, number, binding, _unheard)
    attempt.prepare(orchestrator.payloads, orchestrator.surroundings, orchestrator.clock.now())
    config: NodeConfig = attempt.arguments["config"]
    text = attempt.redact_json(config.model_dump_json(by_alias=True).encode())
    return type(config).model_validate_json(text)


def _unheard(attempt: Attempt, level: str, fraction: float, text: str) -> None:
    """Nobody runs here, so nothing is said."""


def question(services: Services, waiting: Waiting, live: LiveExecution, frame: Frame, number: int) -> tuple[str, str]:
    """The title and the message of an approval or a form."""
    config = asked(services, live, frame, number)
    assert isinstance(config, ApprovalConfig | FormConfig)
    return config.title or waiting.node_name, config.message


# --- decisions ---


async def decide(services: Services, execution_id: str, signal: str, said: JSON, *, by: str = "") -> Taken:
    """Decide an approval; `by` goes before what was said of it. `InputInvalid` for no decision, `Refusal` 404 for no such
    approval, 409 for one that is decided otherwise, 410 for one that has run out."""
    orchestrator = services.engine.orchestrator
    handle, output = verdict(said, at=orchestrator.clock.now())
    if by:
        output["by"] = by
    found = await services.inbox.find(execution_id, signal)
    if found is not None and found[0].kind == "approval":
        try:
            await orchestrator.signal(found[0].execution_id, signal, output, handle)
        except (SignalNotAwaited, ExecutionEnded):
            pass  # somebody was faster
        else:
            return Taken(found[0].execution_id, output)
    return await _decided(services, execution_id, signal, handle)


async def _decided(services: Services, execution_id: str, signal: str, handle: str) -> Taken:
    try:
        fate = await fate_of(services, execution_id, signal)
    except ExecutionNotFound:
        fate = Fate("gone")
    if fate.state == "answered" and fate.output.get("decision") == handle:
        return Taken(execution_id, fate.output, duplicate=True)
    if fate.state == "answered":
        words = str(fate.output.get("decision", "decided"))
        raise Refusal(409, "ALREADY_DECIDED", f"It is {words} already", details={"decision": words})
    if fate.state == "expired":
        raise Refusal(410, "APPROVAL_EXPIRED", "The time to decide is over")
    raise Refusal(404, "APPROVAL_NOT_FOUND", "Nothing waits for that decision: the run has ended, or was never there")


# --- forms ---


class Unfit(Refusal):
    """What was filled in is not valid: `faults` by field."""

    def __init__(self, faults: dict[str, str], values: dict[str, JSON]) -> None:
        problems = [{"place": name, "message": text, "remedy": ""} for name, text in faults.items()]
        super().__init__(
            400, "VALIDATION_FAILED", "Validation failed", details={"problems": problems, "fields": faults}
        )
        self.faults = faults
        self.values = values


async def submit(services: Services, execution_id: str, signal: str, given: dict[str, JSON], key: str) -> Taken:
    """Take a filled-in form; with the same `key` again it is a duplicate. `Unfit` for what is not valid, `Refusal` 400 `Form
    expired` or `No active form`."""
    orchestrator = services.engine.orchestrator
    found = await services.inbox.find(execution_id, signal)
    if found is not None and found[0].kind == "form":
        waiting, live, frame, number = found
        config = asked(services, live, frame, number)
        assert isinstance(config, FormConfig)
        output = filled(config, given, orchestrator.clock.now(), key)
        try:
            await orchestrator.signal(waiting.execution_id, signal, output)
        except (SignalNotAwaited, ExecutionEnded):
            pass  # somebody was faster
        else:
            return Taken(waiting.execution_id, output)
    try:
        fate = await fate_of(services, execution_id, signal)
    except ExecutionNotFound:
        fate = Fate("gone")
    if key and fate.state == "answered" and fate.output.get(SUBMISSION) == submission_id(key):
        return Taken(execution_id, fate.output, duplicate=True)
    raise no_form(expired=fate.state == "expired")


def filled(config: Any, given: dict[str, JSON], now: float, key: str) -> dict[str, JSON]:
    """What a form adds to its input; `Unfit` for what is not valid."""
    values, faults = checked(config.fields, given)
    if faults:
        raise Unfit(faults, given)
    return values | {"submittedAt": iso(now)} | ({SUBMISSION: submission_id(key)} if key else {})


def no_form(*, expired: bool = False) -> Refusal:
    """The contract's words."""
    if expired:
        return Refusal(400, "FORM_EXPIRED", "Form expired")
    return Refusal(400, "NO_ACTIVE_FORM", "No active form")


def submission_id(key: str) -> str:
    """What is kept of an idempotency key."""
    return hashlib.sha256(key.encode()).hexdigest()[:16]
