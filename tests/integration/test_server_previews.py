"""What an expression would come to, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from compatibility.live_server import Client, node, serving
from flowscope.nodes.context import Surroundings


@pytest_asyncio.fixture
async def server() -> AsyncIterator[Client]:
    async with serving() as client:
        yield client


async def run(server: Client) -> str:
    await server.stored(
        node("start", "manual_trigger"),
        node("price", "set", fields={"total": "{{ n * 2 }}"}),
        node("done", "noop"),
    )
    answer = await server.execute(input={"n": 21})
    return str(answer.json()["executionId"])


async def value_of(server: Client, execution_id: str, template: str, node_id: str = "done") -> dict[str, Any]:
    answer = await server.post(f"/api/executions/{execution_id}/nodes/{node_id}/evaluate", json={"template": template})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_expression_has_the_value_that_the_node_would_have_got(server: Client) -> None:
    execution_id = await run(server)
    assert await value_of(server, execution_id, "{{ price.total + 1 }}") == {"value": 43}
    assert await value_of(server, execution_id, "{{ json.n }} and {{ total }}") == {"value": "21 and 42"}
    assert await value_of(server, execution_id, "{{ n }}", node_id="price") == {"value": 21}
    # What came after the node had started it did not know.
    assert "price" in (await value_of(server, execution_id, "{{ price.total }}", node_id="price"))["error"]


async def test_what_is_wrong_with_it_is_said(server: Client) -> None:
    execution_id = await run(server)
    assert "totl" in (await value_of(server, execution_id, "{{ price.totl }}"))["error"]
    assert "error" in await value_of(server, execution_id, "{{ 1 + }}")
    large = await value_of(server, execution_id, "{{ 'x' * 100000 }}")
    assert large["size"] == 100_002
    assert len(large["preview"]) == 2_000


async def test_a_node_that_is_not_there_is_not_found(server: Client) -> None:
    execution_id = await run(server)
    answer = await server.post(f"/api/executions/{execution_id}/nodes/none/evaluate", json={"template": "{{ n }}"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "NODE_NOT_FOUND"


async def test_secrets_are_not_told() -> None:
    async with serving(surroundings=Surroundings(secrets={"TOKEN": "hunter2-hunter2"})) as client:
        execution_id = await run(client)
        assert await value_of(client, execution_id, "{{ secrets.TOKEN }}") == {"value": ""}
        assert "hunter2" not in str(await value_of(client, execution_id, "{{ secrets }} {{ credentials }}"))
