"""What a JSON Schema that somebody wrote says of a value. Nothing is fetched, and a pattern takes linear time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, TypeAlias

from jsonschema_rs import ReferencingError, RegexOptions, ValidationError, Validator, validator_for
from pydantic import AfterValidator

from flowscope.definition.workflow import JSON

MOST_TOLD = 5
"""Violations that are told of one value."""
LONGEST = 300
"""Characters of one."""


def violations(schema: JSON, value: JSON) -> list[str]:
    """Where the value is not as the schema wants it, each `items[3].price: …`; empty if it is. Draft 2020-12, unless the
    schema's `$schema` names another."""
    return list(islice(_each(_validator(schema), value), MOST_TOLD))


def _each(validator: Validator, value: JSON) -> Iterator[str]:
    for error in validator.iter_errors(value):
        fits = len(error.message) <= LONGEST
        yield _at(error.instance_path, error.message if fits else f"is not as {error.kind.name!r} wants it")


def _validator(schema: JSON) -> Validator:
    """`ValueError` says where it is no schema, and why."""
    try:
        return validator_for(schema, offline=True, pattern_options=RegexOptions())
    except ValidationError as error:
        raise ValueError(f"this is no JSON Schema: {_at(error.instance_path, error.message[:LONGEST])}") from None
    except (ReferencingError, ValueError) as error:
        raise ValueError(f"this is no JSON Schema: {str(error)[:LONGEST]}") from None


def _at(path: Sequence[str | int], what: str) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
    return f"{place}: {what}" if place else what


def _schema(schema: dict[str, JSON]) -> dict[str, JSON]:
    _validator(schema)
    return schema


Schema: TypeAlias = Annotated[dict[str, JSON], AfterValidator(_schema)]
"""A setting that is a JSON Schema."""
