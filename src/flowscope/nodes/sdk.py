"""How a node type is written: a decorated function.

    class Greet(NodeConfig):
        name: str = Field(description="Whom to greet")

    @node("greet", title="Greet", category="text", icon="hand", effects="pure")
    def greet(config: Greet, input: JSON, context: NodeContext) -> JSON:
        return {"greeting": f"Hello {config.name}"}

The function takes any of `config`, `input`, `context`, by name; what it does not take is not made (an input
nobody reads is never decoded). It may be `async`. The input is this call's own copy. What it returns is in
`answer.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container
from typing import Annotated, Any, Literal, TypeAlias, get_type_hints

import msgspec
import pydantic
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

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
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
    )


Secret: TypeAlias = Annotated[str, Field(repr=False, json_schema_extra={"format": "password", "writeOnly": True})]
"""A setting that holds a secret, `{{ secrets.name }}`: forms hide it."""

ConfigModel: TypeAlias = type[NodeConfig]


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
        concurrency: int = 0,
        raw_fields: frozenset[str] = frozenset(),
        prepare: Callable[[dict[str, JSON]], dict[str, JSON]] | None = None,
        example: dict[str, JSON] | None = None,
        version: int = 1,
    ) -> None:
        """`resources` cpu: each attempt runs in a worker process, so the function must be found by importing
        its module. At most `concurrency` nodes of this type run at once (0: no limit). `raw_fields` are not templates: the handler gets their text as it was written. `prepare` rewrites
        a config once, before its expressions are compiled (a bare path becomes an expression); it must
        leave what it does not know. `example` is a config as people write it, for the reference. A new `version`
        says that the same work now has another result: what was cached of the old one is not used."""
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
        self.concurrency = concurrency
        self.raw_fields = raw_fields
        self.prepare = prepare or (lambda config: config)
        self.example = example
        self.version = version
        self.is_async = inspect.iscoroutinefunction(handler)
        parameters = inspect.signature(handler).parameters
        self.takes = frozenset(parameters)
        strange = self.takes - {"config", "input", "context"}
        if strange:
            raise TypeError(
                f"{type}: a node function takes config, input and context, not {', '.join(sorted(strange))}"
            )
        hint = get_type_hints(handler).get("config", NodeConfig)
        self.config_model: ConfigModel = hint

    def parse(self, config: dict[str, JSON], place: str = "") -> NodeConfig:
        """The config as the handler's model; `ConfigInvalid` names every field that is wrong."""
        try:
            return self.config_model.model_validate(config)
        except pydantic.ValidationError as error:
            raise ConfigInvalid(_problems(error, place, self.config_model, config)) from None

    def check(self, config: dict[str, JSON], place: str) -> list[Problem]:
        """All that is wrong with a config before it runs: every bad expression; and, where no expression
        stands in the way, every bad value."""
        config = self.prepare(config)
        dynamic = {key: value for key, value in config.items() if key not in self.raw_fields}
        problems = check_expressions(dynamic, place)
        if problems:
            return problems
        try:
            self.config_model.model_validate(config)
        except pydantic.ValidationError as error:
            return _problems(error, place, self.config_model, config, templated=dynamic)
        return []

    def check_expressions(self, text: str, place: str) -> list[Problem]:
        """What is wrong with the expressions in one of the engine's own settings."""
        return check_expressions(text, place)

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the config, as forms use it: every field has a description and a type, or a choice, or a
        model. A field that takes any value has the types there are, as a list."""
        schema = self.config_model.model_json_schema(by_alias=True)
        for model in (schema, *schema.get("$defs", {}).values()):
            for field in model.get("properties", {}).values():
                if not _SAYS_WHAT & field.keys():
                    field["type"] = list(_ANY)
        return schema

    def to_object(self) -> dict[str, JSON]:
        """What the catalogue tells of it, with the JSON Schema of its config; `handles` is null where they follow from the
        config."""
        return {
            "type": self.type,
            "title": self.title,
            "category": self.category,
            "icon": self.icon,
            "description": self.description,
            "role": self.role,
            "handles": None if self.handles is None else list(self.handles),
            "effects": self.effects,
            "resources": self.resources,
            "retry": msgspec.to_builtins(self.retry),
            "timeout": self.timeout,
            "example": self.example,
            "rawFields": sorted(self.raw_fields),
            "schema": self.schema(),
        }

    def __repr__(self) -> str:
        return f"NodeType({self.type!r})"


_SAYS_WHAT = frozenset({"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"})
_ANY = ("string", "number", "boolean", "object", "array", "null")


def node(type: str, **facts: Any) -> Callable[[Callable[..., Any]], NodeType]:
    """Make a node type of a function; the keywords are those of `NodeType`."""

    def decorate(handler: Callable[..., Any]) -> NodeType:
        return NodeType(handler, type=type, **facts)

    return decorate


def _problems(
    error: pydantic.ValidationError,
    place: str,
    model: ConfigModel,
    config: dict[str, JSON],
    templated: Container[str] = (),
) -> list[Problem]:
    """One problem a place; the alternatives of a union stand at one place, joined by "or". Where a value of a
    `templated` key still holds an expression, nothing is known yet."""
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        location = detail["loc"]
        where, value = _located(place, location, config, detail["type"] == "missing")
        if location and location[0] in templated and not compile_template(value).is_static:
            continue
        problem = _problem(where, detail["type"], detail["msg"], known if len(location) == 1 else [])
        before = found.get(where, problem)
        if problem.message not in before.message:
            before = Problem(where, f"{before.message}, or {problem.message}", before.remedy)
        found[where] = before
    return list(found.values())


def _problem(where: str, kind: str, message: str, known: list[str]) -> Problem:
    if kind == "missing":
        return Problem(where, "is required")
    if kind == "extra_forbidden":
        return Problem(where, "is not a setting of this node", f"It has: {', '.join(known)}" if known else "")
    return Problem(where, message.removeprefix("Value error, "))


def _located(place: str, location: tuple[int | str, ...], config: JSON, missing: bool) -> tuple[str, JSON]:
    """The path of a value in the config, and the value. What pydantic puts between, the names of a union's
    members, is left out."""
    for part in location:
        inside = isinstance(config, list | dict) and (
            part in config if isinstance(config, dict) else isinstance(part, int) and part < len(config)
        )
        if not inside and not (missing and part == location[-1]):
            continue
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else str(part)
        config = config[part] if inside else None
    return place, config
