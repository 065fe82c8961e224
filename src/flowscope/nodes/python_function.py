"""A function of the operator's own packages, by its dotted name.

The name is looked up in a list that the operator wrote; only what is on it is imported, and nothing is reached by attributes
from there. `package.module.*` stands for the public functions that this module defines itself, not for what it imports.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.sdk import NodeConfig, node

_SETTING = "FLOWSCOPE_PYTHON_FUNCTIONS"


class PythonFunction(NodeConfig):
    function: str = Field(
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
        description=f"Its dotted name, such as `shop.prices.total`: one of those that {_SETTING} allows",
    )
    arguments: dict[str, JSON] | list[JSON] | None = Field(
        None, description="By name as an object, or by position as a list; left out, the node's input is the only one"
    )


@node(
    "python_function",
    title="Python function",
    category="code",
    icon="parentheses",
    effects="external",
    example={"function": "shop.prices.total", "arguments": {"items": "{{ json.items }}", "currency": "DKK"}},
)
def python_function(config: PythonFunction, input: JSON, context: NodeContext) -> JSON:
    """Calls a function of an installed package, async or not; the output is what it returns. It runs in this system's
    own processes with all their rights, so it is yours, not the workflow's: only what `FLOWSCOPE_PYTHON_FUNCTIONS`
    names is called. A parameter named `context` gets the node's context, to log, to report progress, to see
    whether to stop. Set `resources` to `cpu` for one that computes for long."""
    function = _function(config.function, context.surroundings.python_functions)
    arguments = [input] if config.arguments is None else config.arguments
    positional = arguments if isinstance(arguments, list) else []
    named: dict[str, Any] = dict(arguments) if isinstance(arguments, dict) else {}
    signature = _signature(function)
    if signature is not None and "context" in signature.parameters:
        named["context"] = context
    try:
        if signature is not None:
            signature.bind(*positional, **named)
    except TypeError as error:
        raise NodeError(
            f"arguments: {config.function}{signature}: {error}", code="BAD_ARGUMENTS", retryable=False
        ) from None
    answer = function(*positional, **named)
    if inspect.iscoroutine(answer):
        answer = asyncio.run(answer)
    return json_text.plain(answer, config.function)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except ValueError:  # some that are written in C do not tell
        return None


def _function(name: str, allowed: tuple[str, ...]) -> Callable[..., Any]:
    module_name, _, last = name.rpartition(".")
    exact = name in allowed
    if not exact and (f"{module_name}.*" not in allowed or last.startswith("_")):
        remedy = f"{_SETTING} allows {', '.join(allowed)}" if allowed else f"Name those they may in {_SETTING}"
        raise NodeDenied(f"function: nodes may not call {name}. {remedy}", code="FUNCTION_DENIED")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise NodeError(f"function: {module_name}: {error}", code="NOT_INSTALLED", retryable=False) from None
    found: Callable[..., Any] | None = vars(module).get(last)
    if not callable(found):
        raise NodeError(f"function: {module_name} has no function {last!r}", code="NO_FUNCTION", retryable=False)
    if not exact and (not inspect.isfunction(found) or found.__module__ != module_name):
        raise NodeDenied(
            f"function: {module_name}.* allows what {module_name} defines; {last} is not of that kind. "
            f"{_SETTING} may name {name} itself",
            code="FUNCTION_DENIED",
        )
    return found
