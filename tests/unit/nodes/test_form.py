"""What may stand in a form's fields."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.errors import ConfigInvalid
from flowscope.nodes.form import FormField, checked
from unit.nodes.bench import REGISTRY


def field(**facts: Any) -> FormField:
    return FormField.model_validate({"name": "f", **facts})


@pytest.mark.parametrize(
    ("facts", "given", "value"),
    [
        ({}, " Ada ", "Ada"),
        ({}, None, None),
        ({}, "", None),
        ({"type": "number"}, "3", 3),
        ({"type": "number"}, "3.5", 3.5),
        ({"type": "number"}, 4, 4),
        ({"type": "number", "min": 0}, "0", 0),
        ({"type": "boolean"}, None, False),
        ({"type": "boolean"}, "on", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "select", "options": ["S", "M"]}, "M", "M"),
        ({"type": "date"}, "2026-05-17", "2026-05-17"),
        ({"type": "email"}, "ada@example.org", "ada@example.org"),
        ({"type": "url"}, "https://example.org/a?b=c", "https://example.org/a?b=c"),
        ({"type": "textarea", "max": 3}, "abc", "abc"),
    ],
)
def test_what_is_entered_becomes_what_the_field_says(facts: Any, given: Any, value: Any) -> None:
    """F-02."""
    values, faults = checked([field(**facts)], {"f": given, "other": 1})
    assert (values, faults) == ({"f": value}, {})
    assert type(values["f"]) is type(value)


@pytest.mark.parametrize(
    ("facts", "given", "fault"),
    [
        ({"required": True}, "  ", "Is required"),
        ({"required": True, "type": "boolean"}, None, "Must be ticked"),
        ({"type": "boolean"}, "perhaps", "true or false"),
        ({"type": "number"}, "three", "Must be a number"),
        ({"type": "number"}, "nan", "Must be a number"),
        ({"type": "number"}, "1e999", "Must be a number"),
        ({"type": "number"}, True, "Must be a number"),
        ({"type": "number"}, [1], "Must be a number"),
        ({"type": "number", "min": 2}, "1", "2 or more"),
        ({"type": "number", "max": 2}, "3", "2 or less"),
        ({"type": "select", "options": ["S"]}, "M", "one of the options"),
        ({"type": "date"}, "17.5.2026", "such as 2026-05-17"),
        ({"type": "date"}, "2026-02-30", "such as 2026-05-17"),
        ({"type": "email"}, "ada@", "e-mail"),
        ({"type": "email"}, "a b@example.org", "e-mail"),
        ({"type": "url"}, "javascript:alert(1)", "http"),
        ({"min": 3}, "ab", "3 characters at least"),
        ({"max": 3}, "abcd", "3 characters at most"),
        ({}, "x" * 10_001, "characters at most"),
        ({}, 3, "Must be a text"),
        ({}, {"a": 1}, "Must be a text"),
    ],
)
def test_what_does_not_fit_is_told_in_words(facts: Any, given: Any, fault: str) -> None:
    values, faults = checked([field(**facts)], {"f": given})
    assert "f" not in values and fault in faults["f"]


@pytest.mark.parametrize(
    "fields",
    [
        [{"name": "a"}, {"name": "a"}],
        [{"name": "a", "type": "select"}],
        [{"name": "a", "options": ["x"]}],
        [{"name": "1a"}],
        [{"name": "_key"}],
        [{"name": "a", "type": "file"}],
    ],
)
def test_fields_that_make_no_sense_are_refused(fields: Any) -> None:
    form = REGISTRY.find("form")
    assert form is not None
    with pytest.raises(ConfigInvalid):
        form.parse({"fields": fields})
