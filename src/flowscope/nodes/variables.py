"""Values that belong to the whole run.

What a node's output is, its successors read by the edge, and everybody later by the node's id. A variable is for what
has no one place: a counter that a loop moves on, a cursor that is used far away.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from flowscope.definition.workflow import JSON
from flowscope.nodes.answer import Assign
from flowscope.nodes.sdk import NodeConfig, node

Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]


class SetVariable(NodeConfig):
    name: Name | None = Field(None, description="The variable's name: letters, digits and `_`")
    value: JSON = Field(None, description="Its value")
    variables: dict[Name, JSON] = Field(default_factory=dict, description="Or several at once, as an object")

    @model_validator(mode="after")
    def _something(self) -> SetVariable:
        if (self.name is None) == (not self.variables):
            raise ValueError("give name and value, or variables")
        return self


@node(
    "set_variable",
    title="Set a variable",
    category="data",
    icon="variable",
    effects="pure",
    example={"name": "cursor", "value": "{{ json.next }}"},
)
def set_variable(config: SetVariable) -> Assign:
    """Sets a variable of the run: every node that starts later, wherever it stands, reads it as `vars.name`. The output
    is the input. The document's own `vars` are what it begins with. A sub-workflow has variables of its own; of the
    iterations of a map that run side by side, the last one to set a variable wins."""
    return Assign({config.name: config.value} if config.name is not None else dict(config.variables))
