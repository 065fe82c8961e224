"""What a workflow is: its shapes, how it is read from JSON, and the rules that its graph must keep."""

from flowscope.definition.builder import WorkflowBuilder
from flowscope.definition.decode import decode
from flowscope.definition.document import Limits
from flowscope.definition.drawing import as_svg, as_text
from flowscope.definition.validate import load, validate
from flowscope.definition.workflow import Edge, Node, Policy, Retry, Settings, Workflow

__all__ = [
    "Edge",
    "Limits",
    "Node",
    "Policy",
    "Retry",
    "Settings",
    "Workflow",
    "WorkflowBuilder",
    "as_svg",
    "as_text",
    "decode",
    "load",
    "validate",
]
