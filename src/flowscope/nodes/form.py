"""Waiting for somebody who fills in a form, and what may stand in its fields."""

from __future__ import annotations

import math
import re
import secrets
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.nodes.answer import Wait
from flowscope.nodes.context import NodeContext
from flowscope.nodes.durations import milliseconds
from flowscope.nodes.sdk import NodeConfig, node

FieldType = Literal["text", "textarea", "email", "url", "number", "boolean", "select", "date"]

LONGEST_TEXT = 10_000
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.]+(\.[^\s@.]+)+")
_URL = re.compile(r"https?://[^\s/]+(/\S*)?", re.IGNORECASE)


class FormField(NodeConfig):
    """One field."""

    name: str = Field(
        min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$", description="Its name in the output"
    )
    label: str = Field("", max_length=200, description="What stands above it; the name where it is left out")
    type: FieldType = Field("text", description="What may be entered")
    required: bool = Field(False, description="Whether it must be filled in; a boolean must then be ticked")
    options: list[str] = Field(default_factory=list, max_length=500, description="The choices of a select")
    min: float | None = Field(None, description="The least number, or the least length of a text")
    max: float | None = Field(None, description="The greatest number, or the greatest length of a text")
    help: str = Field("", max_length=500, description="A line below the label")
    default: JSON = Field(None, description="What stands in it at first")

    @model_validator(mode="after")
    def _has_options(self) -> FormField:
        if (self.type == "select") != bool(self.options):
            raise ValueError("a select needs options, and no other field has them")
        return self


class FormPage(NodeConfig):
    """What a form's page shows; of the node `form` and the trigger `form_trigger` alike."""

    title: str = Field("", max_length=200, description="The heading; the node's label where it is left out")
    message: str = Field("", max_length=LONGEST_TEXT, description="What stands above the fields, as text")
    fields: list[FormField] = Field(default_factory=list, max_length=100, description="The fields, in order")
    button: str = Field("Submit", min_length=1, max_length=60, description="What the button says")
    thanks: str = Field("Thank you. It has been sent.", max_length=1_000, description="What is shown afterwards")

    @model_validator(mode="after")
    def _names_differ(self) -> FormPage:
        names = [field.name for field in self.fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"there are two fields named {twice[0]!r}")
        return self


class FormConfig(FormPage):
    wait_for: str | float | None = Field(
        None, description='How long to wait: milliseconds, or "10m", "2h", "3d"; for ever where it is left out'
    )


@node(
    "form",
    title="Form",
    category="flow",
    icon="clipboard-list",
    effects="pure",
    example={
        "title": "Where shall we send it?",
        "fields": [
            {"name": "email", "type": "email", "required": True},
            {"name": "size", "type": "select", "options": ["S", "M", "L"], "default": "M"},
        ],
        "waitFor": "7d",
    },
)
def form(config: FormConfig, context: NodeContext) -> Wait:
    """Pauses until somebody has filled in its page. The output is the input with the fields over it, and `submittedAt`.
    When the time is up it fails."""
    until = context.now + milliseconds(config.wait_for, "waitFor") if config.wait_for is not None else 0.0
    return Wait(
        until=until,
        signal="frm-" + secrets.token_urlsafe(16),
        kind="form",
        detail=f"form: {config.title or context.node_name}",
        extends=True,
    )


def checked(fields: list[FormField], given: dict[str, JSON]) -> tuple[dict[str, JSON], dict[str, str]]:
    """The values of a submission, and by name what is wrong with them. Texts, as a page sends them, become what the field's
    type says; what is no field is left out."""
    values: dict[str, JSON] = {}
    faults: dict[str, str] = {}
    for field in fields:
        value = given.get(field.name)
        try:
            values[field.name] = _value(field, value.strip() if isinstance(value, str) else value)
        except ValueError as fault:
            faults[field.name] = str(fault)
    return values, faults


def _value(field: FormField, value: JSON) -> JSON:
    if field.type == "boolean":
        ticked = _truth(value)
        if field.required and not ticked:
            raise ValueError("Must be ticked")
        return ticked
    if value is None or value == "":
        if field.required:
            raise ValueError("Is required")
        return None
    if field.type == "number":
        return _number(field, value)
    if not isinstance(value, str):
        raise ValueError("Must be a text")
    if field.type == "select":
        if value not in field.options:
            raise ValueError("Choose one of the options")
        return value
    return _text(field, value)


def _truth(value: JSON) -> bool:
    if value in (None, "", False, "false", "off", "0", 0):
        return False
    if value in (True, "true", "on", "1", 1):
        return True
    raise ValueError("Must be true or false")


def _number(field: FormField, value: JSON) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("Must be a number")
    try:
        number = float(value[:40]) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("Must be a number") from None
    if not math.isfinite(number):
        raise ValueError("Must be a number")
    if field.min is not None and number < field.min:
        raise ValueError(f"Must be {field.min:g} or more")
    if field.max is not None and number > field.max:
        raise ValueError(f"Must be {field.max:g} or less")
    return int(number) if isinstance(number, float) and number.is_integer() and abs(number) < 1 << 53 else number


def _text(field: FormField, value: str) -> str:
    most = LONGEST_TEXT if field.max is None else field.max
    if len(value) > most:
        raise ValueError(f"Is too long: {most:g} characters at most")
    if field.min is not None and len(value) < field.min:
        raise ValueError(f"Is too short: {field.min:g} characters at least")
    if field.type == "email" and not _EMAIL.fullmatch(value):
        raise ValueError("Must be an e-mail address, such as ada@example.org")
    if field.type == "url" and not _URL.fullmatch(value):
        raise ValueError("Must be an address that begins with http:// or https://")
    if field.type == "date":
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise ValueError("Must be a date, such as 2026-05-17") from None
    return value
