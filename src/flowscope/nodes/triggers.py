"""Where a run begins, and what starts it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Literal

from cronsim import CronSim, CronSimError
from pydantic import Field, field_validator, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.answer import Pass
from flowscope.nodes.durations import milliseconds
from flowscope.nodes.folders import Pattern
from flowscope.nodes.form import FormPage
from flowscope.nodes.instants import zone
from flowscope.nodes.sdk import NodeConfig, node

SHORTEST_INTERVAL = 1_000.0

Missed = Literal["skip", "once", "all"]
Overlap = Literal["allow", "skip", "queue"]


class TriggerConfig(NodeConfig):
    """Nothing to set."""


def _written(model: type[NodeConfig]) -> frozenset[str]:
    """Every field: a trigger waits before there is any data, so nothing in it is an expression."""
    return frozenset(field.alias or name for name, field in model.model_fields.items())


class ManualTriggerConfig(NodeConfig):
    defaults: dict[str, JSON] = Field(
        default_factory=dict, description="Fields that the input of a run has where it is not given them"
    )


@node(
    "manual_trigger",
    title="Manual trigger",
    category="trigger",
    icon="mouse-pointer-click",
    role="trigger",
    effects="pure",
    raw_fields=_written(ManualTriggerConfig),
    example={"defaults": {"greeting": "Hello"}},
)
def manual_trigger(config: ManualTriggerConfig) -> Pass:
    """Starts a run by hand. Its output is the input of the run."""
    return Pass()


@node(
    "error_trigger",
    title="On error",
    category="trigger",
    icon="siren",
    role="error_trigger",
    effects="pure",
    example={},
)
def error_trigger(config: TriggerConfig) -> Pass:
    """Runs when a node has failed, and only then. Its output is `{failed_node, error_message, error_type,
    workflow_id, execution_id}`."""
    return Pass()


class WebhookConfig(NodeConfig):
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "ANY"] = Field("POST", description="The HTTP method")
    path: str = Field(
        "", max_length=200, description="Its address behind `/hooks/`; the workflow's id where it is left out"
    )
    auth: Literal["key", "none", "header", "basic", "bearer", "hmac"] = Field(
        "key",
        description="Who may call: holders of an API key, anybody (`none`), or who knows the secret, in a header, by "
        "HTTP Basic, as a bearer token, or by signing the request",
    )
    secret: str = Field("", max_length=128, description="The name of the secret, for the last four")
    header: str = Field(
        "x-webhook-token", pattern=r"^[A-Za-z0-9-]{1,64}$", description="The header's name, for `header`"
    )
    user: str = Field("", max_length=128, description="The user's name, for `basic`")
    respond: Literal["at_once", "when_done", "by_node"] = Field(
        "at_once", description="Answer with the id, with the run's output, or as a `respond_to_webhook` says"
    )
    wait_for: str | float = Field(
        "60s", validate_default=True, description="How long the caller is kept waiting for such an answer"
    )

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        path = path.strip("/")
        if path and not all(re.fullmatch(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", part) for part in path.split("/")):
            raise ValueError("must be parts of letters, digits, - _ ~ and . with / between, such as shop/orders")
        return path

    @field_validator("wait_for")
    @classmethod
    def _is_a_wait(cls, value: str | float) -> float:
        return _duration(value, "waitFor", 600_000)

    @model_validator(mode="after")
    def _has_a_secret(self) -> WebhookConfig:
        if self.auth not in ("key", "none") and not self.secret:
            raise ValueError(f"auth {self.auth} needs the name of a secret")
        return self


@node(
    "webhook",
    title="Webhook",
    category="trigger",
    icon="webhook",
    role="trigger",
    effects="pure",
    raw_fields=_written(WebhookConfig),
    example={"method": "POST", "path": "shop/orders", "auth": "hmac", "secret": "shop", "respond": "by_node"},
)
def webhook(config: WebhookConfig) -> Pass:
    """Starts a run when its address is called, while the workflow is active. The output is the query, then the body's
    fields, and `_method`, `headers`, `query`, `body`."""
    return Pass()


class Recurring(NodeConfig):
    missed: Missed = Field(
        "once",
        description="Runs that came due while nothing could start them: none, one for all, or each (100 at most)",
    )
    overlap: Overlap = Field(
        "allow", description="While an earlier run still goes on: start nevertheless, leave it out, or afterwards"
    )


class ScheduleConfig(Recurring):
    cron: str = Field(
        min_length=1,
        max_length=200,
        description="Minute, hour, day of the month, month, day of the week: `0 9 * * 1-5`",
    )
    timezone: str = Field("UTC", description="The clock it goes by, such as Europe/Oslo")

    @field_validator("cron")
    @classmethod
    def _is_cron(cls, cron: str) -> str:
        if len(cron.split()) != 5:
            raise ValueError("must be five fields: minute, hour, day of the month, month, day of the week")
        try:
            next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)))
        except CronSimError as error:
            raise ValueError(f"is not a schedule: {error}") from None
        except StopIteration:
            raise ValueError("names a day that never comes") from None
        return cron

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            zone(name)
        except NodeError as error:
            raise ValueError(str(error)) from None
        return name


@node(
    "schedule",
    title="Schedule",
    category="trigger",
    icon="calendar-clock",
    role="trigger",
    effects="pure",
    raw_fields=_written(ScheduleConfig),
    example={"cron": "0 9 * * 1-5", "timezone": "Europe/Oslo", "missed": "once", "overlap": "skip"},
)
def schedule(config: ScheduleConfig) -> Pass:
    """Starts a run at each time of a cron schedule, while the workflow is active, exactly once also over restarts. Where a
    clock is put forward, what falls into the hour that is not there runs right after; where it is put back, what falls into
    the hour that comes twice runs once. The output is `{scheduledTime, timestamp, timezone}`."""
    return Pass()


class IntervalConfig(Recurring):
    interval: str | float = Field(
        "10m", description='How often: milliseconds, or "30s", "10m", "1h"; a second at least'
    )

    @field_validator("interval")
    @classmethod
    def _is_an_interval(cls, value: str | float) -> float:
        found = _duration(value, "interval", 366 * 86_400_000)
        if found < SHORTEST_INTERVAL:
            raise ValueError("must be a second or more")
        return found


@node(
    "interval",
    title="Interval",
    category="trigger",
    icon="timer",
    role="trigger",
    effects="pure",
    raw_fields=_written(IntervalConfig),
    example={"interval": "10m", "overlap": "skip"},
)
def interval(config: IntervalConfig) -> Pass:
    """Starts a run again and again, counted from when the workflow was made active. The output is `{scheduledTime,
    timestamp}`."""
    return Pass()


class FormTriggerConfig(FormPage):
    public: bool = Field(False, description="Whether anybody with the address may see and send it, without a key")


@node(
    "form_trigger",
    title="Form",
    category="trigger",
    icon="clipboard-pen",
    role="trigger",
    effects="pure",
    raw_fields=_written(FormTriggerConfig),
    example={
        "title": "Ask for leave",
        "public": True,
        "fields": [
            {"name": "from", "type": "date", "required": True},
            {"name": "reason", "type": "textarea", "max": 500},
        ],
    },
)
def form_trigger(config: FormTriggerConfig) -> Pass:
    """Starts a run when its page is sent, while the workflow is active. The output is the fields and `submittedAt`."""
    return Pass()


class WorkflowTriggerConfig(NodeConfig):
    workflows: list[str] = Field(
        default_factory=list,
        max_length=100,
        description="The ids of the workflows whose end starts this one; `*` is any",
    )
    on: list[Literal["success", "failed", "cancelled"]] = Field(
        ["success"], min_length=1, description="Which ends count"
    )


@node(
    "workflow_trigger",
    title="On a workflow",
    category="trigger",
    icon="workflow",
    role="trigger",
    effects="pure",
    raw_fields=_written(WorkflowTriggerConfig),
    example={"workflows": ["nightly-import"], "on": ["failed"]},
)
def workflow_trigger(config: WorkflowTriggerConfig) -> Pass:
    """Where a run begins that another workflow calls, and, with `workflows`, that the end of one of those starts. The output
    is the call's input, or `{workflowId, executionId, status, output, error, chain}`. A workflow that is in the `chain`
    already is not started again."""
    return Pass()


class FileWatchConfig(NodeConfig):
    folder: str = Field(min_length=1, max_length=1_000, description="A folder inside the file roots")
    pattern: Pattern = "*"
    on: list[Literal["created", "changed", "deleted"]] = Field(
        ["created", "changed"], min_length=1, description="What starts a run"
    )
    every: str | float = Field("5s", validate_default=True, description="How often to look")
    existing: bool = Field(False, description="Whether files that are there when the workflow is made active count")

    @field_validator("every")
    @classmethod
    def _is_often(cls, value: str | float) -> float:
        found = _duration(value, "every", 86_400_000)
        if found < 100:
            raise ValueError("must be 100 milliseconds or more")
        return found


@node(
    "file_watch",
    title="File watch",
    category="trigger",
    icon="folder-search",
    role="trigger",
    effects="pure",
    raw_fields=_written(FileWatchConfig),
    example={"folder": "inbox", "pattern": "*.csv"},
)
def file_watch(config: FileWatchConfig) -> Pass:
    """Starts a run for each file that appears, changes or goes, while the workflow is active, also for what happened while
    the server was down. A file counts when it has not grown between two looks. The output is `{event, path, name, size,
    modifiedAt}`."""
    return Pass()


def _duration(value: str | float, field: str, most: float) -> float:
    try:
        found = milliseconds(value, field)
    except NodeError as error:
        raise ValueError(str(error).removeprefix(f"{field}: ")) from None
    if found > most:
        raise ValueError(f"must be {most / 1000:g} seconds or less")
    return found
