"""How a node type is written: a decorated function.

    class Greet(NodeConfig):
        name: str = Field(description="Whom to greet")

    @node("greet", title="Greet", category="text", icon="hand", effects="pure")
    def greet(config: Greet, input: JSON, context: NodeContext) -> JSON:
        return {"greeting": f"Hello {config.name}"}

The function takes any of `config`, `input`, `context`, by name; what it does not take is not made (an input nobody reads is
never decoded). It may be `async`. The input is this call's own copy. What it returns is in `answer.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

import pydantic
from pydantic import BaseModel, ConfigDict

from flowscope.definition.catalogue import Role
from flowscope.definition.workflow import JSON, Effects, Resources, Retry
from flowscope.errors import ConfigInvalid, Problem
from flowscope.expressions import check as check_expressions
from flowscope.expressions import compile_template

Category = Literal["trigger", "flow", "data", "text", "files", "network", "database", "ai", "code", "testing"]


class NodeConfig(BaseModel):
    """The base of config models: camelCase outside, snake_case inside, unknown keys refused, frozen."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=pydantic.alias_generators.to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )


class NodeType:
    """One node type: its handler and what the engine, the catalogue and a form need to know of it."""

    def __init__(
        self,
        handler: Callable[..., Any],
        *,
        type: str,
        title: str,
        category: Category,
        icon: str = "box",
        description: str = "",
        role: Role = "task",
        handles: tuple[str, ...] | None = ("output",),
        effects: Effects = "external",
        resources: Resources = "io",
        retry: Retry | None = None,
        timeout: float = 0,
        raw_fields: frozenset[str] = frozenset(),
        prepare: Callable[[dict[str, JSON]], dict[str, JSON]] | None = None,
    ) -> None:
        """`raw_fields` are not templates: the handler gets their text as it was written. `prepare` rewrites a config once,
        before its expressions are compiled (a bare path becomes an expression); it must leave what it does not know."""
        self.handler = handler
        self.type = type
        self.title = title
        self.category = category
        self.icon = icon
        self.description = description or inspect.getdoc(handler) or ""
        self.role = role
        self.handles = handles
        self.effects = effects
        self.resources = resources
        self.retry = retry or Retry()
        self.timeout = timeout
        self.raw_fields = raw_fields
        self.prepare = prepare or (lambda config: config)
        self.is_async = inspect.iscoroutinefunction(handler)
        parameters = inspect.signature(handler).parameters
        self.takes = frozenset(parameters)
        strange = self.takes - {"config", "input", "context"}
        if strange:
            raise TypeError(f"{type}: a node function takes config, input and context, not {', '.join(sorted(strange))}")
        hint = get_type_hints(handler).get("config", NodeConfig)
        self.config_model: type_[NodeConfig] = hint

    def parse(self, config: dict[str, JSON], place: str = "") -> NodeConfig:
        """The config as the handler's model; `ConfigInvalid` names every field that is wrong."""
        try:
            return self.config_model.model_validate(config)
        except pydantic.ValidationError as error:
            raise ConfigInvalid(_problems(error, place, self.config_model)) from None

    def check(self, config: dict[str, JSON], place: str) -> list[Problem]:
        """All that is wrong with a config before it runs: every bad expression; and, where no expression stands in the
        way, every bad value."""
        config = self.prepare(config)
        dynamic = {key: value for key, value in config.items() if key not in self.raw_fields}
        problems = check_expressions(dynamic, place)
        if problems:
            return problems
        try:
            self.config_model.model_validate(config)
        except pydantic.ValidationError as error:
            templated = {key for key, value in dynamic.items() if not compile_template(value).is_static}
            return [
                problem
                for detail, problem in zip(error.errors(), _problems(error, place, self.config_model), strict=True)
                if not detail["loc"] or detail["loc"][0] not in templated
            ]
        return []

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the config, as forms use it."""
        return self.config_model.model_json_schema(by_alias=True)

    def __repr__(self) -> str:
        return f"NodeType({self.type!r})"


type_ = type


def node(type: str, **facts: Any) -> Callable[[Callable[..., Any]], NodeType]:
    """Make a node type of a function; the keywords are those of `NodeType`."""

    def decorate(handler: Callable[..., Any]) -> NodeType:
        return NodeType(handler, type=type, **facts)

    return decorate


def _problems(error: pydantic.ValidationError, place: str, model: type_[BaseModel]) -> list[Problem]:
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    problems = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        where = place
        for part in detail["loc"]:
            where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
        message, remedy = detail["msg"], ""
        if detail["type"] == "extra_forbidden":
            message, remedy = "is not a setting of this node", f"It has: {', '.join(known)}" if known else "It has none"
        elif detail["type"] == "missing":
            message, remedy = "is required", ""
        problems.append(Problem(where, message, remedy))
    return problems
