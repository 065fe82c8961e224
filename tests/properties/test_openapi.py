"""docs/spec.md, V-07. The OpenAPI document is true: whatever is sent, the answer has a status, a type and a shape that it names, and none is a
fault of ours."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from compatibility.live_server import node, serving
from flowscope.server import Settings, create_app

EXAMPLES = 20
"""For each of about seventy operations."""

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

KNOWN: dict[str, list[Any]] = {
    "workflow_id": ["flow", "asks", "broken"],
    "execution_id": ["ended", "failed", "waits"],
    "node_id": ["start", "ask"],
    "type": ["noop", "http_request"],
    "which": ["input", "output"],
    "version": [1],
}
"""What is there, so that not every answer is a 404."""

SCHEMA = schemathesis.openapi.from_dict(create_app(Settings.from_environment({}, data_dir=None)).openapi())
OPERATIONS: dict[str, Any] = {
    found.ok().label: found.ok() for found in SCHEMA.get_all_operations() if isinstance(found, Ok)
}
assert len(OPERATIONS) >= sum(map(len, SCHEMA.raw_schema["paths"].values()))  # none is left out


class House:
    """A server in a thread of its own, with a key, workflows and runs."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.address = self.key = ""
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> House:
        self._thread.start()
        assert self.ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with serving(rate_limit=1_000_000) as client:
            start = node("start", "manual_trigger")
            await client.stored(start, node("last", "noop"))
            await client.stored(start, node("ask", "wait", signal="go"), id="asks")
            await client.stored(start, node("stop", "stop_and_error", errorMessage="no"), id="broken")
            await client.execute(executionId="ended")
            await client.execute("asks", executionId="waits")
            await client.execute("broken", executionId="failed")
            self.key = client.services.keys.create("fuzz", "admin").text
            self.address = client.address
            self.ready.set()
            await self._stop.wait()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with House() as house:
        yield house


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_one_that_the_document_names(label: str, house: House) -> None:
    operation = OPERATIONS[label]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), data=st.data())
    def ask(case: Any, data: st.DataObject) -> None:
        point_at_what_is_there(case, data)
        response = case.call(base_url=f"http://{house.address}", headers={"x-api-key": house.key}, timeout=60)
        if response.status_code == 500 and "/execute-workflow" in label:
            assert {"error", "executionId", "logs", "output"} <= set(
                response.json()
            )  # the contract's own: a node failed
            return
        case.validate_response(response, checks=CHECKS)

    ask()


def point_at_what_is_there(case: Any, data: st.DataObject) -> None:
    """Half of the time."""
    for name in list(case.path_parameters or {}):
        if name in KNOWN and data.draw(st.booleans()):
            case.path_parameters[name] = data.draw(st.sampled_from(KNOWN[name]))
    if isinstance(case.body, dict) and "workflowId" in case.body and data.draw(st.booleans()):
        case.body["workflowId"] = data.draw(st.sampled_from(KNOWN["workflow_id"]))
    if case.path.endswith("/stream"):
        case.query = {**(case.query or {}), "untilEnd": "true"}
        if (case.path_parameters or {}).get("execution_id") == "waits":
            case.path_parameters["execution_id"] = "ended"  # the other's stream goes on for ever
