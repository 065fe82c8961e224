"""What docs/workflows.md shows is so."""

from __future__ import annotations

import re
from pathlib import Path

from flowscope.definition import WorkflowBuilder, as_text, decode
from flowscope.definition.policy import KEYS

PAGE = (Path(__file__).parents[3] / "docs" / "workflows.md").read_text()


def test_the_example_decodes() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert [node.id for node in decode(example).nodes] == ["start", "fetch", "each", "price"]


def test_every_policy_key_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## Policy")[1].split("## Rules")[0], re.MULTILINE)) == KEYS


def test_the_drawing_is_of_the_example() -> None:
    flow = WorkflowBuilder("orders", name="Orders of the day")
    start = flow.add("manual_trigger")
    fetch = flow.add("http_request", label="Fetch", url="https://example.com/orders", retry=3).after(start)
    large = flow.add("if_else", condition="{{ $json.total > 100 }}").after(fetch)
    large["true"] >> flow.add("log_output", label="Large order")
    with flow.container("map", items="{{ $json.items }}", concurrency=4).after(fetch):
        flow.add("set", fields={"currency": "EUR"})
    assert as_text(flow.build()) in PAGE
