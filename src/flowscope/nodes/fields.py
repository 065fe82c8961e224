"""Adding fields to what passes by."""

from __future__ import annotations

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.sdk import NodeConfig, node


class SetFields(NodeConfig):
    fields_: dict[str, JSON] | str = Field(
        default_factory=dict,
        alias="fields",
        description="An object, or its JSON as text. A dotted name such as `user.name` makes nested objects",
    )


@node(
    "set",
    title="Set fields",
    category="data",
    icon="pencil",
    effects="pure",
    example={"fields": {"total": "{{ price * count }}", "customer.name": "{{ json.name }}"}},
)
def set_fields(config: SetFields, input: JSON) -> JSON:
    """Adds fields to its input. The output is the input with the fields; a list becomes `{items}` and a
    lone value `{value}` before."""
    output = json_path.merged(input, {})
    for path, value in _fields(config.fields_).items():
        json_path.put(output, path, value)
    return output


def _fields(fields: dict[str, JSON] | str) -> dict[str, JSON]:
    if isinstance(fields, str):
        parsed = json_text.parse(fields, "fields") if fields.strip() else {}
        if not isinstance(parsed, dict):
            raise NodeError("fields: the text must be a JSON object", code="BAD_JSON", retryable=False)
        return parsed
    return fields
