"""flowscope executes workflows durably and shows them executing, live."""

from flowscope.engine import Engine, Run, load_workflow, run
from flowscope.errors import FlowscopeError

__all__ = ["Engine", "FlowscopeError", "Run", "load_workflow", "run"]
__version__ = "0.1.0"
