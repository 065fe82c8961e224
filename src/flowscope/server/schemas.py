"""The shapes that the OpenAPI document tells of. Answers are written by msgspec, not through these; a test compares them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Shape(BaseModel):
    """An object of an answer; others may be in it beside."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="allow")


class Problem(Shape):
    """Why a request was refused. `code` is missing only where the old system's clients expect a body without it."""

    error: str
    code: str | None = None
    details: dict[str, Any] | None = None


class LogEntry(Shape):
    node_id: str
    node_name: str
    status: Literal["running", "success", "failed", "skipped"]
    started_at: str
    finished_at: str | None = None
    input: Any = None
    output: Any = None
    error: str | None = None


class ExecuteRequest(Shape):
    """What to run. `executionId` names the run: a new one by that id, or the one to go on with."""

    workflow_id: str = Field(min_length=1)
    execution_id: str | None = Field(None, max_length=128)
    input: Any = Field(default_factory=dict)
    use_queue: bool = Field(False, description="Answer with the id at once")
    version: int | None = Field(None, ge=1, description="A version other than the active one")
    trigger: str | None = Field(None, max_length=128, description="The trigger node that fired")


class Succeeded(Shape):
    status: Literal["success"]
    success: Literal[True]
    execution_id: str
    output: Any
    logs: list[LogEntry]
    duration_ms: int


class Accepted(Shape):
    """Queued (`jobId`), or waiting (`reason`)."""

    status: Literal["queued", "waiting"]
    execution_id: str
    message: str
    job_id: str | None = None
    reason: Literal["approval", "paused", "time"] | None = None
    approval_id: str | None = None


class Failed(Shape):
    """A node failed (`logs`), or we did."""

    error: str
    execution_id: str | None = None
    logs: list[LogEntry] | None = None
    output: Any = None


class Started(Shape):
    execution_id: str
    status: str


class Row(Shape):
    execution_id: str
    workflow_id: str
    status: Literal["pending", "running", "waiting", "success", "failed", "cancelled"]
    started_at: str
    seq: int


class Rows(Shape):
    executions: list[Row]
    next_cursor: str | None = None


class Execution(Row):
    progress: int
    total_nodes: int
    completed_nodes: int
    counts: dict[str, int]
    nodes: list[dict[str, Any]] | None = None


class Events(Shape):
    execution_id: str
    events: list[dict[str, Any]]
    last_seq: int
    more: bool


class Logs(Shape):
    execution_id: str
    logs: list[LogEntry]


class Lines(Shape):
    execution_id: str
    lines: list[dict[str, Any]]
    next_offset: int


class Iterations(Shape):
    execution_id: str
    node_id: str
    iterations: list[dict[str, Any]]
    count: int
    begun: int
    ended: int
    failed: int
    strip: list[str]
    next_after: int | None = None


class HeatNode(Shape):
    node_id: str
    order: int
    runs: int
    failed: int
    running: list[int]
    failures: list[int]
    most: int


class HeatShape(Shape):
    execution_id: str
    seq: int
    from_: float = Field(alias="from")
    to: float
    nodes: list[HeatNode]


class StatusProgress(BaseModel):
    total: int
    completed: int
    failed: int
    running: int
    pending: int


class ExecutionStatus(BaseModel):
    """As the old system had it."""

    model_config = ConfigDict(extra="allow")

    execution_id: str
    status: str
    workflow_id: str
    current_node: str | None
    started_at: str
    completed_at: str | None
    error: str | None
    progress: StatusProgress


class StartRequest(Shape):
    """`until`: the node beyond which nothing runs."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    workflow_id: str = Field(min_length=1, max_length=128)
    execution_id: str = Field("", max_length=128)
    input: Any = Field(default_factory=dict)
    trigger: str = Field("", max_length=128)
    until: str = Field("", max_length=128)
    version: int | None = Field(None, ge=1, lt=1 << 53)


class RetryRequest(Shape):
    """`confirm`: the nodes that may act outside once more, or true for all of them. `executionId` names the new run."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    confirm: list[str] | bool = False
    execution_id: str = Field("", max_length=128)


class ForkRequest(RetryRequest):
    """`from` runs again, with `input` if that is there; without `from` the input is the run's. Nothing beyond `until` runs.
    The version that ran, unless one of `version`, `workflow` (a document) and `configs` (by node) is there."""

    from_: str = Field("", alias="from", max_length=128)
    input: Any = None
    until: str = Field("", max_length=128)
    version: int | None = Field(None, ge=1, lt=1 << 53)
    workflow: dict[str, Any] | None = None
    configs: dict[str, dict[str, Any]] = Field(default_factory=dict)


class ForkPlanned(Shape):
    """What would be kept (`kept`, `partly`), run (`again`, `first`), left (`skipped`); and `confirm`: what would act outside
    once more."""

    parent_execution_id: str
    origin: Literal["retry", "fork"]
    workflow_id: str
    definition: str
    nodes: list[dict[str, Any]]
    confirm: list[dict[str, Any]]


class Forked(Shape):
    execution_id: str
    parent_execution_id: str
    origin: Literal["retry", "fork"]
    status: str


class FamilyTree(Shape):
    execution_id: str
    root: str
    members: list[dict[str, Any]]
    more: bool


class TimelineShape(Shape):
    start_time: float
    end_time: float
    ended: bool
    nodes: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    critical_path: list[str]
    work: float


class Instant(Shape):
    """`snapshot` is the protocol's."""

    execution_id: str
    seq: int
    last_seq: int
    at: float
    snapshot: dict[str, Any]


class HistogramShape(Shape):
    start_time: float
    end_time: float
    last_seq: int
    buckets: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    turnings: list[dict[str, Any]]


class ReplayRequest(Shape):
    """From event `seq` on, at that speed; `playing` false waits for a command."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    seq: int = Field(1, ge=1, lt=1 << 53)
    speed: float = 1.0
    playing: bool = True


class ReplayCommand(Shape):
    """Any of them: play or pause, faster or slower, to an event (`seq`) or an instant (`at`, epoch ms)."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    playing: bool | None = None
    speed: float | None = None
    seq: int | None = Field(None, ge=1, lt=1 << 53)
    at: float | None = None


class ReplayShape(Shape):
    replay_id: str
    execution_id: str
    seq: int
    last_seq: int
    at: float
    speed: float
    playing: bool


class CancelRequest(Shape):
    reason: str = Field("", max_length=1_000)


class SignalRequest(Shape):
    """`name` is the signal's, or the id of the node that waits."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    payload: Any = None


class Commanded(Shape):
    success: Literal[True]
    execution_id: str
    status: str


class Stored(Shape):
    """A workflow's own document, and beside it what the library knows of it."""

    id: str
    version: int
    active: bool
    active_version: int | None
    valid: bool
    created_at: str
    updated_at: str


class WorkflowRows(Shape):
    workflows: list[dict[str, Any]]
    next_cursor: str | None = None


class Versions(Shape):
    id: str
    versions: list[dict[str, Any]]
    next_before: int | None = None


class Imported(Shape):
    workflows: list[dict[str, Any]]


class Exported(Shape):
    workflows: list[dict[str, Any]]


class Nodes(Shape):
    nodes: list[dict[str, Any]]


class Node(Shape):
    type: str
    title: str
    category: str
    config_schema: dict[str, Any] = Field(alias="schema")


class TrialRequest(Shape):
    node_id: str = Field(min_length=1, max_length=128)
    node_type: str = Field(min_length=1, max_length=128)
    config: dict[str, Any] = Field(default_factory=dict)
    input: Any = Field(default_factory=dict)
    run_id: str = Field("", max_length=128)
    workflow_id: str = Field("", max_length=128)


class EvaluateRequest(BaseModel):
    """A text of a config, with expressions."""

    model_config = ConfigDict(extra="forbid")

    template: str = Field(max_length=20_000)


class Evaluated(Shape):
    """The `value`; of a large one `size` and how it begins; or the `error` in the expression."""

    value: Any = None
    error: str | None = None
    size: int | None = None
    preview: str | None = None


class Tried(Shape):
    success: bool
    output: Any
    execution_time: int
    node_id: str
    node_type: str
    run_id: str
    error: str | None = None


class WebhookTaken(Shape):
    success: Literal[True]
    execution_id: str
    message: str
    status: str
    duplicate: bool | None = None


class Form(Shape):
    """A form, for programs that draw it themselves."""

    title: str
    message: str
    fields: list[dict[str, Any]]
    button: str
    thanks: str
    form_node_id: str
    execution_id: str | None = None


class FormTaken(Shape):
    success: Literal[True]
    execution_id: str
    message: str
    duplicate: bool | None = None


class WaitingList(Shape):
    """`total` counts all, also what did not fit."""

    total: int
    waiting: list[dict[str, Any]]


class Decision(Shape):
    """`by` counts only where the server knows nobody's name."""

    decision: Literal["approved", "rejected", "approve", "reject"] | None = None
    approved: bool | None = None
    comment: str = Field("", max_length=10_000)
    by: str = Field("", max_length=200)


class Decided(Shape):
    success: Literal[True]
    execution_id: str
    approval_id: str
    decision: Literal["approved", "rejected"]
    duplicate: bool | None = None


class Triggers(Shape):
    triggers: list[dict[str, Any]]


class Activated(Shape):
    id: str
    active: bool
    since: str | None = None
    triggers: list[dict[str, Any]] | None = None


class Ticket(Shape):
    ticket: str
    expires_in: int


class Session(Shape):
    name: str
    scope: str


class Keys(Shape):
    keys: list[dict[str, Any]]


class KeyRequest(Shape):
    name: str = Field(min_length=1, max_length=100)
    scope: Literal["viewer", "editor", "admin"] = "viewer"


class MadeKey(Shape):
    key: str
    key_id: str
    name: str
    scope: str


class Secrets(Shape):
    """Names, never values. `source` is where it comes from; `environment` goes first and cannot be changed here."""

    secrets: list[dict[str, Any]]


class SecretRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    value: str


class Credentials(Shape):
    """The fields that are no secret; of the others, which are set."""

    credentials: list[dict[str, Any]]


class CredentialTypes(Shape):
    types: list[dict[str, Any]]


class CredentialRequest(BaseModel):
    """A secret field that is left out keeps the value it has, if the type is the same."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    type: str = Field(min_length=1, max_length=64)
    fields: dict[str, Any] = Field(default_factory=dict)


class CredentialTest(Shape):
    """Whether it was let in, and what was said."""

    ok: bool
    message: str
    duration_ms: int


class Variables(Shape):
    variables: dict[str, Any]


class VariableRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: Any


class Set(Shape):
    name: str
    created: bool


class Health(Shape):
    status: str


class Config(Shape):
    ui: dict[str, Any]
    worker: dict[str, Any]
    websocket: dict[str, Any]
    limits: dict[str, Any]
