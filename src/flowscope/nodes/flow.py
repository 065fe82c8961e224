"""Deciding where a run goes: branches, waits, ends and other workflows. Nothing here has an effect of its
own."""

from __future__ import annotations

from typing import Literal

import msgspec
from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.answer import Call, Pass, Wait
from flowscope.nodes.conditions import Combine, Condition, combined, compare, prepared, prepared_expression, same, truth
from flowscope.nodes.context import NodeContext
from flowscope.nodes.durations import milliseconds
from flowscope.nodes.instants import epoch_milliseconds
from flowscope.nodes.sdk import NodeConfig, node


class NothingToSet(NodeConfig):
    """Nothing to set."""


@node("noop", title="No operation", category="flow", icon="circle-dot", effects="pure", example={})
def noop(config: NothingToSet) -> Pass:
    """Passes its input on."""
    return Pass()


@node("merge", title="Merge", category="flow", icon="merge", effects="pure", example={})
def merge(config: NothingToSet) -> Pass:
    """Brings branches together. Several branches give one object of all their fields, in the order of the
    edges; set `join` to `any` to go on with the first branch that arrives."""
    return Pass()


class IfElse(NodeConfig):
    conditions: list[Condition] = Field(default_factory=list, description="The comparisons")
    combine_operation: Combine = Field("AND", description="Whether all of them must hold, or one of them")
    condition: JSON = Field("", description="A condition as text, such as `age >= 18`: one more beside `conditions`")


def _prepare_if(config: dict[str, JSON]) -> dict[str, JSON]:
    prepare = {"conditions": prepared, "condition": prepared_expression}
    return {key: prepare[key](value) if key in prepare else value for key, value in config.items()}


@node(
    "if_else",
    title="If",
    category="flow",
    icon="split",
    effects="pure",
    handles=("true", "false"),
    prepare=_prepare_if,
    example={
        "conditions": [
            {"field": "user.age", "operator": "greater_than_or_equal", "value": 18},
            {"field": "user.country", "operator": "equals", "value": "NO"},
        ],
        "combineOperation": "AND",
    },
)
def if_else(config: IfElse) -> Pass:
    """Sends its input to `true` or to `false`. A field that is missing is null; without a condition it is
    `false`."""
    results = [compare(one.field, one.operator, one.value) for one in config.conditions]
    if config.condition != "":
        results.append(truth(config.condition, "condition"))
    return Pass("true" if combined(results, config.combine_operation) else "false")


class Case(NodeConfig):
    """One way out."""

    value: JSON = Field(description="The value; it is also the name of the handle")
    label: str = Field("", description="What the editor shows instead")


class Switch(NodeConfig):
    expression: JSON = Field(description="What is compared with the cases: an expression such as `{{ status }}`")
    cases: list[Case] = Field(default_factory=list, description="The values; the first that is equal wins")


def _prepare_switch(config: dict[str, JSON]) -> dict[str, JSON]:
    expression = config.get("expression")
    bare = isinstance(expression, str) and expression.strip() and "{{" not in expression
    return {**config, "expression": prepared_expression(expression)} if bare else config


@node(
    "switch",
    title="Switch",
    category="flow",
    icon="route",
    effects="pure",
    handles=None,
    prepare=_prepare_switch,
    example={
        "expression": "{{ status }}",
        "cases": [{"value": "paid"}, {"value": "open", "label": "Not yet"}],
    },
)
def switch(config: Switch) -> Pass:
    """Sends its input out by the handle named like the first case that equals `expression`, else by
    `default`."""
    wanted = handle_name(config.expression)
    for case in config.cases:
        if same(config.expression, case.value) or wanted == handle_name(case.value):
            return Pass((handle_name(case.value), "default"))
    return Pass("default")


def handle_name(value: JSON) -> str:
    """A case's value as the name of a handle: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class WaitConfig(NodeConfig):
    duration: str | float | None = Field(
        None, description='How long: milliseconds, or "10s", "5m", "2h", "1d". 1000 where nothing else is set'
    )
    until: str | float | None = Field(
        None, description="An instant: ISO 8601 (UTC where it names no zone) or epoch milliseconds"
    )
    signal: str = Field(
        "",
        max_length=128,
        description="Wait for this signal; its payload is the output. `duration` or `until` is then the limit",
    )


@node(
    "wait",
    title="Wait",
    category="flow",
    icon="hourglass",
    effects="pure",
    example={"duration": "10s"},
)
def wait(config: WaitConfig, context: NodeContext) -> Wait:
    """Suspends the run, for a time, until an instant, or until a signal arrives. It survives restarts, and
    costs a kilobyte of memory. The output is the input, or the signal's payload."""
    if config.until is not None and config.duration is not None:
        raise NodeError("wait: give duration or until, not both", code="BAD_CONFIG", retryable=False)
    until = 0.0
    if config.until is not None:
        until = epoch_milliseconds(config.until, "until")
    elif config.duration is not None or not config.signal:
        until = context.now + milliseconds(1000 if config.duration is None else config.duration, "duration")
    if config.signal:
        return Wait(until=until, signal=config.signal, kind="signal", detail=f"signal {config.signal}")
    return Wait(until=until, kind="duration" if config.until is None else "until")


class StopAndError(NodeConfig):
    error_message: str = Field("Stopped by the workflow", description="What the error says")
    error_code: str = Field("STOPPED", description="A code for programs")


@node(
    "stop_and_error",
    title="Stop with an error",
    category="flow",
    icon="octagon-x",
    effects="pure",
    example={"errorMessage": "Order {{ id }} has no lines", "errorCode": "EMPTY_ORDER"},
)
def stop_and_error(config: StopAndError) -> None:
    """Fails on purpose. It is not tried again."""
    raise NodeError(config.error_message, code=config.error_code, retryable=False)


class ErrorHandler(NodeConfig):
    retries: int = Field(3, ge=0, le=99, description="How often what failed is tried again")
    retry_delay: float = Field(
        1_000,
        ge=0,
        le=86_400_000,
        description="Milliseconds before the first time; each time doubles them, up to a minute",
    )


@node(
    "error_handler",
    title="Error handler",
    category="flow",
    icon="shield-alert",
    effects="pure",
    raw_fields=frozenset({"retries", "retryDelay"}),
    example={"retries": 3, "retryDelay": 1000},
)
def error_handler(config: ErrorHandler) -> Pass:
    """Behind a node's handle `error`: has that node tried again, and takes over when it has failed for good. A node's own
    `retry` goes before it. The output is the input: `{error}`."""
    return Pass()


class ExecuteWorkflow(NodeConfig):
    workflow_id: str = Field("", description="The id of a stored workflow; its latest version runs")
    workflow: dict[str, JSON] | None = Field(None, description="Or the workflow itself, as JSON")
    input: JSON = Field(None, description="Its input; this node's own input where it is left out")

    @model_validator(mode="after")
    def _one_of_them(self) -> ExecuteWorkflow:
        if bool(self.workflow_id) == (self.workflow is not None):
            raise ValueError("give workflowId or workflow, one of the two")
        return self


@node(
    "execute_workflow",
    title="Run a workflow",
    category="flow",
    icon="workflow",
    effects="pure",
    raw_fields=frozenset({"workflow"}),
    example={"workflowId": "send-invoice", "input": {"order": "{{ json.order }}"}},
)
def execute_workflow(config: ExecuteWorkflow, input: JSON) -> Call:
    """Runs another workflow as an execution of its own, and answers with its output."""
    given = config.input if "input" in config.model_fields_set else input
    return Call(workflow_id=config.workflow_id, document=config.workflow, input=given)


class LogOutput(NodeConfig):
    message: JSON = Field("", description="What to log; the whole input, as JSON, where it is left out")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="How serious it is")


@node(
    "log_output",
    title="Log",
    category="flow",
    icon="scroll-text",
    effects="pure",
    example={"message": "{{ name }} has {{ count }} orders", "level": "info"},
)
def log_output(config: LogOutput, input: JSON, context: NodeContext) -> Pass:
    """Writes to the log of the run, and passes its input on."""
    said = config.message if config.message != "" else input
    context.log(said if isinstance(said, str) else msgspec.json.encode(said).decode(), config.level)
    return Pass()
