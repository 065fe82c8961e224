"""Every node type has an example in the reference, and it runs as the page says: for real, against real servers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from flowscope import Engine
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import Surroundings

EXAMPLES = Path(__file__).parents[2] / "docs" / "nodes" / "examples"
SERVED = {"http_request", "chat_model", "embeddings", "ai_agent"}
"""Those whose example talks to a server: it is run where that server is, in tests/integration."""
TYPES = [node.type for node in builtin_registry(entry_points=False)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def example(type_: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EXAMPLES / f"{type_}.json").read_text("utf-8"))
    return loaded


async def outcome(type_: str, **surroundings: Any) -> Any:
    """Run a type's example to its end."""
    shown = example(type_)
    async with Engine(None, surroundings=Surroundings(**surroundings)) as engine:
        run = await engine.start(shown["workflow"], shown.get("input"))
        return await run.result()


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if type_ not in SERVED])
async def test_the_example_does_what_the_page_says(type_: str, root: Path) -> None:
    output = await outcome(
        type_,
        file_roots=(root,),
        code_nodes=True,
        python_functions=("math.hypot",),
        commands={"sort": shutil.which("sort") or ""},
    )
    shown = example(type_)
    if "output" in shown:
        assert without_size(type_, output) == without_size(type_, shown["output"])


def without_size(type_: str, output: Any) -> Any:
    """What a library makes of the same values differs in size between its versions."""
    made = {"convert_to_file", "extract_from_file", "image_manipulation"}
    return {key: value for key, value in output.items() if key != "size"} if type_ in made else output


@pytest.mark.parametrize("type_", TYPES)
def test_the_example_has_the_node_in_it(type_: str) -> None:
    assert type_ in {node["data"]["type"] for node in example(type_)["workflow"]["nodes"]}


def test_no_example_is_left_of_a_node_that_is_no_more() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(TYPES)
