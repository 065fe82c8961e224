"""Dates and times, with time zones."""

from __future__ import annotations

import calendar
import re
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path
from flowscope.nodes.context import NodeContext
from flowscope.nodes.durations import unit
from flowscope.nodes.instants import instant, zone
from flowscope.nodes.sdk import NodeConfig, node

_DIRECTIVE = re.compile(r"%-?.?", re.DOTALL)
_KNOWN = re.compile(r"%-?[aAbBcdHIjmMpSUuVGwWxXyYzZf%]")


class DateTime(NodeConfig):
    operation: Literal["now", "format", "add", "subtract", "diff", "parse"] = Field("format", description="What to do")
    value: str | float | None = Field(
        None, description="The instant: ISO 8601 or epoch milliseconds; now where it is left out"
    )
    to: str | float | None = Field(None, description="With `diff`, the other instant; now where it is left out")
    amount: float = Field(0, description="With `add` and `subtract`, how many units")
    unit: str = Field("days", description="milliseconds, seconds, minutes, hours, days, weeks, months or years")
    format: str = Field("", description="With `format`, such as `%d.%m.%Y %H:%M`; ISO 8601 where it is left out")
    input_format: str = Field("", description="With `parse`, how the text is written, such as `%d/%m/%Y`")
    timezone: str = Field("UTC", description="An IANA time zone, of the output and of texts that name none")
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")


@node(
    "date_time",
    title="Date and time",
    category="data",
    icon="calendar-clock",
    effects="pure",
    example={"operation": "format", "value": "{{ created }}", "format": "%d.%m.%Y", "timezone": "Europe/Oslo"},
)
def date_time(config: DateTime, input: JSON, context: NodeContext) -> JSON:
    """Formats, moves, compares and reads dates. The output is the input with `result`: ISO 8601, or a number
    for `diff`."""
    try:
        result = _worked_out(config, context)
    except (OverflowError, ValueError) as error:
        raise _failed(f"{config.operation}: {error}") from None
    return json_path.merged(input, {config.result_field: result})


def _worked_out(config: DateTime, context: NodeContext) -> JSON:
    if config.operation == "parse" and config.input_format:
        return _parsed(config).isoformat()
    when = _instant(config, config.value, "value", context)
    if config.operation == "diff":
        return _difference(when, _instant(config, config.to, "to", context), config.unit)
    if config.operation in ("add", "subtract"):
        when = _moved(when, config.amount if config.operation == "add" else -config.amount, config.unit)
    if config.format:
        return when.strftime(_format(config.format, "format"))
    return when.isoformat()


def _instant(config: DateTime, value: str | float | None, field: str, context: NodeContext) -> datetime:
    here = zone(config.timezone)
    if value is None or config.operation == "now":
        value = context.now
    return instant(value, field, here).astimezone(here)


def _parsed(config: DateTime) -> datetime:
    if not isinstance(config.value, str):
        raise _failed("value: parse needs a text")
    try:
        when = datetime.strptime(config.value, _format(config.input_format, "inputFormat"))
    except ValueError as error:
        raise _failed(f"value: {error}"[:200]) from None
    here = zone(config.timezone)
    return when.astimezone(here) if when.tzinfo else when.replace(tzinfo=here)


def _format(text: str, field: str) -> str:
    """Only the portable directives: a C library does surprising things with the others."""
    for directive in _DIRECTIVE.findall(text):
        if not _KNOWN.fullmatch(directive):
            raise _failed(f"{field}: {directive} is not a directive. %% is a per cent sign")
    return text


def _moved(when: datetime, amount: float, unit_name: str) -> datetime:
    """Months and years by the calendar, to the month's last day at most; days and weeks keep the hour of the
    day; the rest are exact."""
    plural = unit_name.lower().removesuffix("s")
    if plural in ("month", "year"):
        if amount != int(amount):
            raise _failed("amount: months and years are whole")
        months = when.year * 12 + when.month - 1 + int(amount) * (12 if plural == "year" else 1)
        year, month = months // 12, months % 12 + 1
        if not 1 <= year <= 9999:
            raise _failed("amount: the year must be between 1 and 9999")
        return when.replace(year=year, month=month, day=min(when.day, calendar.monthrange(year, month)[1]))
    distance = timedelta(milliseconds=amount * _unit(unit_name))
    if plural in ("d", "day", "w", "week"):
        return when + distance
    return (instant(when.timestamp() * 1000, "value") + distance).astimezone(when.tzinfo)


def _difference(start: datetime, end: datetime, unit_name: str) -> float:
    """From `start` to `end`; whole months and years, the rest with a fraction."""
    plural = unit_name.lower().removesuffix("s")
    if plural in ("month", "year"):
        early, late = min(start, end), max(start, end)
        months = (late.year - early.year) * 12 + late.month - early.month
        if _moved(early, months, "months") > late:
            months -= 1
        whole = months // 12 if plural == "year" else months
        return whole if start <= end else -whole
    return (end - start).total_seconds() * 1000 / _unit(unit_name)


def _unit(name: str) -> int:
    try:
        return unit(name)
    except KeyError:
        raise _failed(
            f"unit: {name[:40]!r} is not known. "
            "There are milliseconds, seconds, minutes, hours, days, weeks, months, years"
        ) from None


def _failed(message: str) -> NodeError:
    return NodeError(message, code="BAD_DATE", retryable=False)
