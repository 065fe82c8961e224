"""The examples on the pages of the models' nodes, run against a server that speaks the interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowscope import Engine
from flowscope.nodes.context import Surroundings
from integration.model_server import KEY, Reply, model_server

EXAMPLES = Path(__file__).parents[2] / "docs" / "nodes" / "examples"

REPLIES = {
    "chat_model": [Reply('{"country": "Norway"}')],
    "embeddings": [],
    "ai_agent": [
        Reply(calls=[("find_order", {"number": 7})]),
        Reply(calls=[("to_euros", {"kroner": 1200})]),
        Reply("Order 7 costs 108 euros."),
    ],
}


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("chat_model", {"country": "Norway"}),
        ("embeddings", {"vectors": 2}),
        ("ai_agent", {"text": "Order 7 costs 108 euros."}),
    ],
)
async def test_the_example_does_what_the_page_says(type_: str, expected: dict[str, Any]) -> None:
    shown = json.loads((EXAMPLES / f"{type_}.json").read_text("utf-8"))
    with model_server() as server:
        server.replies = list(REPLIES[type_])
        surroundings = Surroundings(allow_private_addresses=True, secrets={"model_key": KEY})
        async with Engine(None, surroundings=surroundings) as engine:
            run = await engine.start(shown["workflow"], {**shown["input"], "server": server.url})
            output = await run.result()
    assert {name: output[name] for name in expected} == expected
    if type_ == "ai_agent":
        assert [step["result"] for step in output["steps"]] == [
            {"number": 7, "total": 1200},
            {"kroner": 1200, "euros": 108.0},
        ]
