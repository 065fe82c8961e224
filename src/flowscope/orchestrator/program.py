"""A workflow version bound to its node types: the plan, and for each node its handler and compiled config.

Worked out once a version and shared by its executions, like the plan. A config without expressions is parsed here, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from flowscope.definition.plan import NodePlan, Plan, compile_plan
from flowscope.definition.workflow import JSON, Node, Pinned, Policy, Workflow
from flowscope.errors import ConfigInvalid
from flowscope.execution.state import encode_json
from flowscope.expressions import Template, compile_template
from flowscope.nodes.answer import Pass
from flowscope.nodes.registry import Registry
from flowscope.nodes.sdk import NodeConfig, NodeType, node
from flowscope.nodes.triggers import ManualTriggerConfig
from flowscope.orchestrator.ports import Limit

_PASS = Pass()


@node("disabled", title="Disabled", category="flow", effects="pure")
def disabled() -> Pass:
    """Passes its input on: what a node does that is switched off."""
    return _PASS


@dataclass(frozen=True, slots=True)
class Binding:
    """How one node runs. `config` is parsed already, or None when `template` is to be worked out for each attempt; `written`
    is what it was parsed from.

    `direct`: pure and not async, so it is called in the loop and may run ahead of the disk. `pinned` may answer for the
    handler, and so may, for `ttl` milliseconds, an earlier result. `key` is the concurrency key, at most `key_limit` at once,
    where each attempt has its own. `pooled`: in a worker process, always; `poolable`: where
    the run asks for it.
    """

    type: NodeType
    handler: Any
    direct: bool
    config: NodeConfig | None
    template: Template | None
    raw: dict[str, JSON]
    takes_config: bool
    takes_input: bool
    takes_context: bool
    written: dict[str, JSON]
    pooled: bool
    poolable: bool
    limits: tuple[Limit, ...]
    key: Template | None = None
    key_limit: int = 1
    pinned: Pinned | None = None
    ttl: float = 0

    @property
    def bare(self) -> bool:
        """The handler takes nothing that is made for each attempt."""
        return self.config is not None and not self.takes_input and not self.takes_context


class Program:
    """`bindings` by node plan; the plan of a container's body included. `secrets` are the names of all that its nodes read
    (`NAME`, `credentials.NAME`; `*` for all)."""

    __slots__ = ("bindings", "plan", "secrets")

    def __init__(self, workflow: Workflow, registry: Registry) -> None:
        self.plan: Plan = compile_plan(workflow, registry)
        nodes = {node.id: node for node in workflow.nodes}
        # A large graph repeats itself: nodes alike in type, config and policy share one binding.
        shared: dict[tuple[str, bytes, Policy], Binding] = {}
        self.bindings: dict[NodePlan, Binding] = {}
        for scope in self.plan.scopes.values():
            for node_plan in scope.nodes:
                node = nodes[node_plan.id]
                key = (node.type, encode_json([node.config, node.pinned]), node.policy)
                if key not in shared:
                    shared[key] = _bind(node, workflow, registry)
                self.bindings[node_plan] = shared[key]
        self.secrets = frozenset().union(*(_secrets(binding) for binding in shared.values()))

    def input_of(self, trigger: str, input: bytes) -> bytes:
        """The input of a run that this trigger starts: what is given, and what a manual trigger adds to it."""
        plan = self.plan
        number = plan.root.index.get(trigger or plan.default_trigger)
        config = None if number is None else self.bindings[plan.root.nodes[number]].config
        if not (isinstance(config, ManualTriggerConfig) and config.defaults):
            return input
        given = msgspec.json.decode(input)
        return encode_json({**config.defaults, **given}) if isinstance(given, dict) else input


def _secrets(binding: Binding) -> frozenset[str]:
    name = getattr(binding.config, "credential", None)
    named = frozenset({f"credentials.{name}"} if isinstance(name, str) and name else ())
    return named.union(*(template.secrets for template in (binding.template, binding.key) if template))


def _bind(node: Node, workflow: Workflow, registry: Registry) -> Binding:
    found = registry.find(node.type)
    if found is None:
        raise LookupError(f"Node type {node.type!r} is not in the catalogue")
    node_type = disabled if node.policy.disabled and found.role != "container" else found
    written = {} if node_type is disabled else node_type.prepare(node.config)
    raw = {key: value for key, value in written.items() if key in node_type.raw_fields}
    template = compile_template({key: value for key, value in written.items() if key not in node_type.raw_fields})
    config: NodeConfig | None = None
    if template.is_static:
        try:
            config = node_type.parse(written)
        except ConfigInvalid:
            # A definition stored by another version of the node: the attempt itself will say what is wrong.
            config = None
    pinned = None if node_type is disabled else node.pinned
    kept = pinned is not None or node.policy.cache > 0
    resources = node.policy.resources or node_type.resources
    pooled = resources == "cpu" and node_type is not disabled
    external = node_type.effects == "external" and node_type.role == "task"
    limited = pooled or external
    key = compile_template(node.policy.concurrency_key)
    return Binding(
        type=node_type,
        handler=node_type.handler,
        direct=node_type.effects == "pure" and not node_type.is_async and not pooled and not kept,
        config=config,
        template=None if config is not None else template,
        raw=raw,
        takes_config="config" in node_type.takes,
        takes_input="input" in node_type.takes,
        takes_context="context" in node_type.takes,
        written=written,
        pooled=pooled,
        poolable=external,
        limits=_limits(node, node_type, workflow, key) if limited else (),
        key=key if limited and not key.is_static else None,
        key_limit=node.policy.concurrency_limit,
        pinned=pinned,
        ttl=0 if node_type is disabled else node.policy.cache,
    )


def _limits(node: Node, node_type: NodeType, workflow: Workflow, key: Template) -> tuple[Limit, ...]:
    """What an external node shares places with: its workflow, its type, whoever has its concurrency key."""
    settings, policy = workflow.settings, node.policy
    name = f"workflow {workflow.name or workflow.id}"
    limits = []
    if settings.concurrency:
        limits.append(Limit(name, settings.concurrency))
    if node_type.type in settings.type_concurrency:
        limits.append(Limit(f"{node_type.type} in {name}", settings.type_concurrency[node_type.type]))
    if node_type.concurrency:
        limits.append(Limit(f"node type {node_type.type}", node_type.concurrency))
    if policy.concurrency_key and key.is_static:
        limits.append(Limit(f"key {policy.concurrency_key}", policy.concurrency_limit))
    return tuple(limits)
