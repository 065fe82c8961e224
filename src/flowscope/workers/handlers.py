"""In a worker process: from a handler's name to the handler."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

from flowscope.errors import HandlerUnreachable
from flowscope.nodes.sdk import NodeType
from flowscope.orchestrator.job import HandlerName

MAIN = "__flowscope_main__"
"""The name under which the main program's file is imported here; so what it does `if __name__ == "__main__"` is not done."""


@functools.lru_cache(maxsize=1_024)
def find_handler(wanted: HandlerName) -> NodeType:
    """The node type whose handler that is; `HandlerUnreachable` says what to do."""
    try:
        found: Any = _module(wanted)
        for part in wanted.name.split("."):
            found = getattr(found, part)
    except HandlerUnreachable:
        raise
    except (Exception, SystemExit) as error:
        reason = str(error) or type(error).__name__
        raise HandlerUnreachable(
            f"The handler of {wanted.type!r} cannot be loaded in a worker process: {wanted.module}.{wanted.name}: {reason}. "
            f"It must be found by importing {wanted.module}, or the node run with resources: io"
        ) from error
    if isinstance(found, NodeType):
        return found
    if callable(found):
        return NodeType(found, type=wanted.type, title=wanted.type, category="code")
    raise HandlerUnreachable(
        f"The handler of {wanted.type!r} cannot be loaded in a worker process: {wanted.module}.{wanted.name} is something "
        f"else there, {type(found).__name__}. Give the function a name of its own, or run the node with resources: io"
    )


def _module(wanted: HandlerName) -> ModuleType:
    if not wanted.file:
        return importlib.import_module(wanted.module)
    module = sys.modules.get(MAIN)
    if module is None:
        spec = importlib.util.spec_from_file_location(MAIN, wanted.file)
        if spec is None or spec.loader is None:
            raise HandlerUnreachable(f"{wanted.file} cannot be imported: it is not a Python file")
        module = sys.modules[MAIN] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[MAIN]
            raise
    return module
