"""Functions of an operator's own package: one is written to disk and installed on the path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowscope.errors import NodeDenied, NodeError
from unit.nodes.bench import Bench

SHOP = """
from os import system

def total(items, currency="EUR"):
    return {"total": sum(items), "currency": currency}

async def later(value):
    return value

def told(n, context):
    context.log(f"{n} orders")
    context.progress(0.5)
    return n

def _hidden():
    return 1

def bad():
    return {"x": {1, 2}}

def broken():
    raise LookupError("no such order")

class Order:
    pass

number = 5
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "shop_of_tests").mkdir()
    (tmp_path / "shop_of_tests" / "__init__.py").write_text("")
    (tmp_path / "shop_of_tests" / "prices.py").write_text(SHOP)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("shop_of_tests")]:
        del sys.modules[name]


async def call(
    function: str,
    arguments: Any = None,
    input: Any = None,
    allowed: tuple[str, ...] = ("shop_of_tests.prices.*",),
    bench: Bench | None = None,
) -> Any:
    bench = bench or Bench(python_functions=allowed)
    config = {"function": f"shop_of_tests.{function}"} | ({} if arguments is None else {"arguments": arguments})
    return await bench.run("python_function", config, input)


async def test_calling() -> None:
    assert await call("prices.total", {"items": [1, 2], "currency": "DKK"}) == {"total": 3, "currency": "DKK"}
    assert await call("prices.total", [[1, 2]]) == {"total": 3, "currency": "EUR"}
    assert await call("prices.total", None, [4, 5]) == {"total": 9, "currency": "EUR"}
    assert await call("prices.total", [[1]], allowed=("shop_of_tests.prices.total",)) == {"total": 1, "currency": "EUR"}


async def test_the_context_goes_to_who_asks_for_it() -> None:
    bench = Bench(python_functions=("shop_of_tests.prices.told",))
    assert await call("prices.told", [3], bench=bench) == 3
    assert bench.heard.logs == [("info", "3 orders")]
    assert bench.heard.fractions == [0.5]


@pytest.mark.parametrize(
    ("function", "allowed", "says"),
    [
        (
            "prices.total",
            (),
            "nodes may not call shop_of_tests.prices.total. Name those they may in FLOWSCOPE_PYTHON_FUNCTIONS",
        ),
        ("prices.total", ("shop_of_tests.*",), r"FLOWSCOPE_PYTHON_FUNCTIONS allows shop_of_tests\.\*"),
        ("prices.total", ("shop_of_tests.prices.bad",), "may not call"),
        ("prices._hidden", ("shop_of_tests.prices.*",), "may not call"),
        ("prices.system", ("shop_of_tests.prices.*",), r"allows what shop_of_tests.prices defines; system is not"),
        ("prices.Order", ("shop_of_tests.prices.*",), "Order is not of that kind"),
    ],
)
async def test_denied(function: str, allowed: tuple[str, ...], says: str) -> None:
    with pytest.raises(NodeDenied, match=says):
        await call(function, [], allowed=allowed)


@pytest.mark.parametrize(
    ("function", "arguments", "says"),
    [
        ("prices.nope", [], "shop_of_tests.prices has no function 'nope'"),
        ("prices.number", [], "has no function 'number'"),
        ("gone.total", [], "No module named 'shop_of_tests.gone'"),
        ("prices.total", {}, r"arguments: shop_of_tests.prices.total\(items, currency='EUR'\): missing a required"),
        ("prices.total", {"items": [], "n": 1}, "unexpected keyword argument 'n'"),
        ("prices.bad", [], "shop_of_tests.prices.bad: a set at x, which JSON has not"),
    ],
)
async def test_errors(function: str, arguments: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says) as caught:
        await call(function, arguments, allowed=("shop_of_tests.prices.*", "shop_of_tests.gone.*"))
    assert not caught.value.retryable


async def test_what_the_function_raises_is_the_nodes_error() -> None:
    with pytest.raises(LookupError, match="no such order"):
        await call("prices.broken", [])


@pytest.mark.parametrize(
    "name", ["os", "os..system", "os.system()", "os.system;", "a.b c", ".a.b", "a.b.", "__import__('os').system"]
)
async def test_a_name_is_a_dotted_name(name: str) -> None:
    with pytest.raises(NodeError, match=r"should match pattern|nodes may not"):
        await Bench().run("python_function", {"function": name}, {})


def test_an_async_function_is_run_in_the_nodes_thread() -> None:
    from flowscope.nodes.python_function import PythonFunction, python_function

    bench = Bench(python_functions=("shop_of_tests.prices.later",))
    config = PythonFunction(function="shop_of_tests.prices.later", arguments=[7])
    assert python_function.handler(config=config, input=None, context=bench.context()) == 7
