"""Draws 200 pictures and makes each small, on every core, while one looks on.

    pip install "flowscope[files]"
    python examples/resize_images.py

`image_manipulation` runs in worker processes by itself; `draw` does because it says `resources="cpu"`. As this file is the
program, it is imported by them: what it does stands under `if __name__ == "__main__"`.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from PIL import Image
from pydantic import Field

from flowscope import Engine
from flowscope.definition import WorkflowBuilder
from flowscope.definition.workflow import JSON
from flowscope.execution.events import IterationSucceeded
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.sdk import NodeConfig, node

FOLDER = Path("examples/out/pictures")
PICTURES = 200


class Draw(NodeConfig):
    """Which picture."""

    number: int = Field(ge=0, description="The picture's number")


@node("draw", title="Draw", category="files", icon="image", resources="cpu")
def draw(config: Draw) -> JSON:
    """Draws a picture of 600 × 400, and says where it is and which process has drawn it."""
    path = FOLDER / f"{config.number:03}.png"
    hue = 7 * config.number % 256
    gradient = Image.linear_gradient("L").resize((600, 400))
    full = Image.new("L", gradient.size, 200)
    Image.merge("HSV", (Image.new("L", gradient.size, hue), full, gradient)).convert("RGB").save(path, compress_level=1)
    return {"path": str(path), "name": path.stem, "process": os.getpid()}


async def main() -> None:
    """Prints how far it is, and what it came to."""
    (FOLDER / "small").mkdir(parents=True, exist_ok=True)
    flow = WorkflowBuilder("Thumbnails")
    pictures = flow.container("map", id="pictures", items=f"{{{{ range({PICTURES}) }}}}", concurrency=0)
    pictures.after(flow.add("manual_trigger"))
    with pictures:
        drawn = flow.add("draw", number="{{ item }}")
        small = f"{FOLDER}/small/{{{{ json.name }}}}.webp"
        flow.add("image_manipulation", path="{{ json.path }}", output=small, operation="thumbnail", width=150).after(
            drawn
        )
    registry = builtin_registry()
    registry.add(draw)
    began, done = time.monotonic(), 0
    async with Engine(registry=registry) as engine:
        run = await engine.start(flow.build(registry))
        async for event in run.events():
            if isinstance(event, IterationSucceeded):
                done += 1
                if done % 20 == 0:
                    print(f"{done:3} of {PICTURES}")
        results = await run.result()
    processes = len({result["process"] for result in results})
    small_bytes = sum(result["size"] for result in results)
    print(
        f"{len(results)} pictures, {small_bytes // 1024} KiB, by {processes} processes, {time.monotonic() - began:.1f} s"
    )


if __name__ == "__main__":
    asyncio.run(main())
