"""Where a run begins."""

from __future__ import annotations

from flowscope.nodes.answer import Pass
from flowscope.nodes.sdk import NodeConfig, node


class TriggerConfig(NodeConfig):
    """Nothing to set."""


@node(
    "manual_trigger",
    title="Manual trigger",
    category="trigger",
    icon="mouse-pointer-click",
    role="trigger",
    effects="pure",
    example={},
)
def manual_trigger(config: TriggerConfig) -> Pass:
    """Starts a run by hand. Its output is the input of the run."""
    return Pass()


@node(
    "error_trigger",
    title="On error",
    category="trigger",
    icon="siren",
    role="error_trigger",
    effects="pure",
    example={},
)
def error_trigger(config: TriggerConfig) -> Pass:
    """Runs when a node has failed, and only then. Its output is `{failed_node, error_message, error_type,
    workflow_id, execution_id}`."""
    return Pass()
