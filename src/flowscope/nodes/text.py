"""Text from values and values from text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.nodes import json_path, json_text
from flowscope.nodes.sdk import NodeConfig, node


class TextFormatter(NodeConfig):
    template: JSON = Field(description="The text, with expressions in it")
    result_field: str = Field("result", min_length=1, description="The name of the text in the output")


@node(
    "text_formatter",
    title="Format text",
    category="text",
    icon="type",
    effects="pure",
    example={"template": "Dear {{ name }}, you owe {{ amount }} kr."},
)
def text_formatter(config: TextFormatter, input: JSON) -> JSON:
    """Makes a text. The output is the input with `result`; an object or a list in the text is JSON."""
    made = config.template
    return json_path.merged(input, {config.result_field: made if isinstance(made, str) else json_text.stringify(made)})


class JsonParser(NodeConfig):
    operation: Literal["parse", "stringify"] = Field("parse", description="From text, or to text")
    value: JSON = Field(None, description="The text to parse or the value to write; the input where left out")
    indent: int = Field(0, ge=0, le=8, description="With `stringify`, spaces a level; 0 is one line")
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")


@node(
    "json_parser",
    title="JSON",
    category="text",
    icon="braces",
    effects="pure",
    example={"operation": "parse", "value": "{{ data.body }}"},
)
def json_parser(config: JsonParser, input: JSON) -> JSON:
    """Reads JSON text, or writes it. The output is the input with `result`. NaN, infinities, whole numbers of
    more than 64 bits and more than 64 levels are refused."""
    value = config.value if "value" in config.model_fields_set else input
    if config.operation == "stringify":
        result: JSON = json_text.stringify(value, config.indent)
    else:
        result = json_text.parse(value, "value") if isinstance(value, str) else value
    return json_path.merged(input, {config.result_field: result})
