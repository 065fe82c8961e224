"""Makes the pictures of the README: `python docs/images/draw.py`, from the root of the repository.

`etl.svg` is the graph of `examples/etl.json`; `live.svg` is what a terminal shows while it runs.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

from flowscope import Engine, load_workflow
from flowscope.cli.live_tree import LiveTree
from flowscope.cli.watcher import Watcher
from flowscope.definition import as_svg
from flowscope.execution.view import ExecutionView, WorkflowShape

HERE = Path(__file__).parent
WORKFLOW = load_workflow("examples/etl.json")
INTO_THE_RUN = 0.85
"""Seconds after the start at which the picture is taken."""


async def live() -> str:
    """A run of the example in a terminal of 92 columns, photographed."""
    screen = Console(file=StringIO(), record=True, width=92, height=48, force_terminal=True)
    watcher = Watcher(ExecutionView("01a1f2c8-5d3e-7b6a-9c41-2f8e0d7b5a96", WorkflowShape.of(WORKFLOW)))
    with tempfile.TemporaryDirectory() as data:
        async with Engine(data, publisher=watcher) as engine:
            tree = LiveTree(watcher.view, WORKFLOW, {}, watcher.progress, screen, lambda: time.time() * 1000)
            run = await engine.start(WORKFLOW, execution_id=watcher.view.execution_id)
            await asyncio.sleep(INTO_THE_RUN)
            screen.print("[bold green]$[/] flowscope run examples/etl.json")
            screen.print(tree._picture())
            await run.result()
    picture = screen.export_svg(title="flowscope", theme=SVG_EXPORT_THEME, unique_id="live")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    return picture.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")


if __name__ == "__main__":
    (HERE / "etl.svg").write_text(as_svg(WORKFLOW))
    (HERE / "live.svg").write_text(asyncio.run(live()))
