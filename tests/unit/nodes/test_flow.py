from __future__ import annotations

from typing import Any

import pytest

from flowscope.errors import ConfigInvalid, NodeError, UnknownName
from flowscope.nodes.answer import Again, Call, Collected, Items, Pass, Wait
from unit.nodes.bench import NOW, Bench


@pytest.mark.parametrize("type_", ["noop", "merge", "manual_trigger", "error_trigger"])
async def test_passing_on(bench: Bench, type_: str) -> None:
    assert await bench.run(type_, {}, {"a": 1}) == {"a": 1}


@pytest.mark.parametrize(
    ("config", "input", "handle"),
    [
        ({}, {}, "false"),
        ({"conditions": []}, {}, "false"),
        ({"conditions": [{"field": "user.age", "operator": ">=", "value": 18}]}, {"user": {"age": 18}}, "true"),
        ({"conditions": [{"field": "user.age", "operator": ">=", "value": 18}]}, {}, "false"),
        ({"conditions": [{"field": "user.age", "operator": "exists"}]}, {"user": None}, "false"),
        ({"conditions": [{"field": "$json.n", "operator": "equals", "value": 1}]}, {"n": 1}, "true"),
        (
            {"conditions": [{"field": "{{ n * 2 }}", "operator": "equals", "value": "{{ m }}"}]},
            {"n": 2, "m": 4},
            "true",
        ),
        ({"conditions": [{"field": "0.id", "operator": "equals", "value": 7}]}, [{"id": 7}], "true"),
        ({"conditions": [{"field": "odd key", "operator": "equals", "value": 7}]}, {"odd key": 7}, "true"),
        ({"conditions": [{"field": "a", "value": 1}, {"field": "b", "value": 1}]}, {"a": 1, "b": 2}, "false"),
        (
            {"conditions": [{"field": "a", "value": 1}, {"field": "b", "value": 1}], "combineOperation": "OR"},
            {"a": 1, "b": 2},
            "true",
        ),
        ({"condition": "age > 18 and name == 'Ada'"}, {"age": 36, "name": "Ada"}, "true"),
        ({"condition": "{{$json.age}} > 18"}, {"age": 3}, "false"),
        ({"condition": True}, {}, "true"),
    ],
)
async def test_if_else(bench: Bench, config: Any, input: Any, handle: str) -> None:
    assert await bench.run("if_else", config, input) == Pass(handle)


async def test_if_else_refuses_a_condition_that_is_no_question(bench: Bench) -> None:
    with pytest.raises(NodeError, match="condition must come out true or false"):
        await bench.run("if_else", {"condition": "items"}, {"items": [1]})


@pytest.mark.parametrize(
    ("expression", "input", "handle"),
    [
        ("{{ status }}", {"status": "paid"}, ("paid", "default")),
        ("status", {"status": "paid"}, ("paid", "default")),
        ("{{ status }}", {"status": "lost"}, "default"),
        ("{{ n }}", {"n": 2.0}, ("2", "default")),
        ("{{ n }}", {"n": "2"}, ("2", "default")),
        ("{{ ok }}", {"ok": True}, ("true", "default")),
        ("{{ none }}", {"none": None}, ("null", "default")),
    ],
)
async def test_switch(bench: Bench, expression: str, input: Any, handle: Any) -> None:
    cases = [{"value": "paid"}, {"value": 2}, {"value": True}, {"value": None, "label": "Nothing"}]
    assert await bench.run("switch", {"expression": expression, "cases": cases}, input) == Pass(handle)


async def test_switch_on_a_name_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="status"):
        await bench.run("switch", {"expression": "statuss", "cases": []}, {"status": 1})


@pytest.mark.parametrize(
    ("config", "answer"),
    [
        ({}, Wait(until=NOW + 1000)),
        ({"duration": 250}, Wait(until=NOW + 250)),
        ({"duration": "1m 30s"}, Wait(until=NOW + 90_000)),
        ({"duration": "{{ n }}"}, Wait(until=NOW + 7)),
        ({"until": "2026-01-01T01:00:00+01:00"}, Wait(until=NOW, kind="until")),
        ({"until": NOW}, Wait(until=NOW, kind="until")),
        ({"signal": "go"}, Wait(signal="go", kind="signal", detail="signal go")),
        (
            {"signal": "go", "duration": "2h"},
            Wait(until=NOW + 7_200_000, signal="go", kind="signal", detail="signal go"),
        ),
    ],
)
async def test_wait(bench: Bench, config: Any, answer: Wait) -> None:
    assert await bench.run("wait", config, {"n": 7}) == answer


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"duration": "soon"}, "duration: 'soon' is not a duration"),
        ({"duration": -1}, "duration"),
        ({"duration": "99999d"}, "duration"),
        ({"until": "tomorrow"}, "until: 'tomorrow' is not an instant"),
        ({"until": 1, "duration": 1}, "not both"),
    ],
)
async def test_wait_for_nonsense(bench: Bench, config: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await bench.run("wait", config, {})


async def test_stop_and_error(bench: Bench) -> None:
    with pytest.raises(NodeError, match=r"^Order 7 is empty$") as caught:
        await bench.run("stop_and_error", {"errorMessage": "Order {{ id }} is empty"}, {"id": 7})
    assert (caught.value.code, caught.value.retryable) == ("STOPPED", False)


async def test_execute_workflow(bench: Bench) -> None:
    document = {"nodes": [{"id": "a", "data": {"config": {"x": "{{ not.yet }}"}}}]}
    assert await bench.run("execute_workflow", {"workflowId": "w"}, {"a": 1}) == Call("w", None, {"a": 1})
    assert await bench.run("execute_workflow", {"workflow": document, "input": None}, 1) == Call("", document, None)
    for config in ({}, {"workflowId": "w", "workflow": document}):
        with pytest.raises(ConfigInvalid, match="workflowId or workflow"):
            await bench.run("execute_workflow", config, {})


async def test_log_output(bench: Bench) -> None:
    assert await bench.run("log_output", {"message": "n is {{ n }}", "level": "warning"}, {"n": 1}) == {"n": 1}
    await bench.run("log_output", {}, {"n": 1})
    assert bench.heard.logs == [("warning", "n is 1"), ("info", '{"n":1}')]


async def test_map(bench: Bench) -> None:
    assert await bench.run("map", {}, [1, 2]) == Items([1, 2], 10)
    assert await bench.run("map", {"items": "a.b", "concurrency": 0}, {"a": {"b": [3]}}) == Items([3], 0)
    assert await bench.run("map", {"items": "{{ xs }}", "onItemError": "collect"}, {"xs": [3]}) == Items([3], 10, True)
    assert await bench.run("map", {}, []) == []
    assert await bench.run("map", {}, None, iteration=2) == Collected()


@pytest.mark.parametrize(
    ("config", "input", "says"),
    [
        ({}, {"orders": [1]}, "Name the list: orders"),
        ({}, 5, "the input is not a list but a number"),
        ({"items": "orders"}, {}, "'orders' in the input is missing"),
        ({"items": "orders"}, {"orders": {}}, "not a list but an object"),
    ],
)
async def test_map_without_a_list(bench: Bench, config: Any, input: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await bench.run("map", config, input)


async def test_split_in_batches(bench: Bench) -> None:
    assert await bench.run("split_in_batches", {"batchSize": 2}, [1, 2, 3]) == Items([[1, 2], [3]])
    assert await bench.run("split_in_batches", {}, {"items": [1]}) == Items([[1]])
    assert await bench.run("split_in_batches", {}, None, iteration=1) == Collected()


async def test_loop_a_number_of_times(bench: Bench) -> None:
    assert await bench.run("loop", {"times": 0}) == Collected(last=True)
    assert await bench.run("loop", {"times": 200}, iteration=199) == Again()
    assert await bench.run("loop", {"times": 200}, iteration=200) == Collected(last=True)


@pytest.mark.parametrize("text", ["{{ state.n < 5 }}", "state.n < 5", "{{state.n}} < 5"])
async def test_loop_while(bench: Bench, text: str) -> None:
    assert await bench.run("loop", {"while": text}, scope={"state": {"n": 4}}) == Again()
    assert await bench.run("loop", {"while": text}, scope={"state": {"n": 5}}, iteration=3) == Collected(last=True)


async def test_loop_has_an_end(bench: Bench) -> None:
    assert await bench.run("loop", {"while": True}, iteration=99) == Again()
    with pytest.raises(NodeError, match="maxIterations, 100") as caught:
        await bench.run("loop", {"while": True}, iteration=100)
    assert not caught.value.retryable
    with pytest.raises(NodeError, match="maxIterations, 3"):
        await bench.run("loop", {"times": 5, "maxIterations": 3}, iteration=3)
    with pytest.raises(ConfigInvalid, match="give times, or while"):
        await bench.run("loop", {})


async def test_try_catch(bench: Bench) -> None:
    assert await bench.run("try_catch", {}, {"a": 1}) == Items([{"a": 1}])
    assert await bench.run("try_catch", {}, None, iteration=1) == Collected(last=True, handle="try")
