"""The expression language: `{{ … }}` inside the config of a node.

    template = compile_template({"url": "https://example.com/{{ $json.id }}"})
    evaluate(template, MappingScope({"json": {"id": 7}}))

A template is parsed once, evaluated over plain JSON values, changes nothing, and stops when its budget is used up.
`docs/expressions.md` describes the language.
"""

from flowscope.expressions import (
    functions_date,
    functions_encoding,
    functions_list,
    functions_number,
    functions_object,
    functions_pattern,
    functions_text,
    functions_value,
)
from flowscope.expressions.budget import DEFAULT_BUDGET, Budget, Clock
from flowscope.expressions.catalogue import function_names
from flowscope.expressions.scope import MappingScope, Scope
from flowscope.expressions.template import Template, check, compile_template, evaluate
from flowscope.expressions.values import JSON

# Importing a family enters its functions into the catalogue.
_FAMILIES = (
    functions_date,
    functions_encoding,
    functions_list,
    functions_number,
    functions_object,
    functions_pattern,
    functions_text,
    functions_value,
)

__all__ = [
    "DEFAULT_BUDGET",
    "JSON",
    "Budget",
    "Clock",
    "MappingScope",
    "Scope",
    "Template",
    "check",
    "compile_template",
    "evaluate",
    "function_names",
]
