"""Nodes with a body: the nodes whose `parentId` is theirs.

A container's handler is called first with its input (`context.iteration` 0) and says what to run. When all
it started has ended it is called again, with the number of iterations that have ended, until it answers
with its end.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes.answer import Again, Collected, Items, Output
from flowscope.nodes.conditions import prepared_expression, truth
from flowscope.nodes.context import NodeContext
from flowscope.nodes.lists import ListSource, items_of
from flowscope.nodes.sdk import NodeConfig, node


class Map(ListSource):
    concurrency: int = Field(10, ge=0, le=10_000, description="How many items at once; 0 is no limit")
    on_item_error: Literal["fail", "collect"] = Field(
        "fail", description="`fail`: an item's error fails the map. `collect`: it stands in the list as `{error}`"
    )


@node(
    "map",
    title="Map",
    category="flow",
    icon="list-tree",
    role="container",
    effects="pure",
    example={"items": "{{ json.orders }}", "concurrency": 5, "onItemError": "collect"},
)
def map_items(config: Map, input: JSON, context: NodeContext) -> Items | Collected | Output:
    """Runs its body once for each item of a list, several at a time. The output is the list of results in
    the items' order. Inside, `item` and `index` name what it works on."""
    if context.iteration:
        return Collected()
    return _started(items_of(input, config.items), config.concurrency, config.on_item_error == "collect")


class SplitInBatches(ListSource):
    batch_size: int = Field(10, ge=1, le=1_000_000, description="Items in a batch; the last may have fewer")
    concurrency: int = Field(1, ge=0, le=10_000, description="How many batches at once; 0 is no limit")


@node(
    "split_in_batches",
    title="Split in batches",
    category="flow",
    icon="layers",
    role="container",
    effects="pure",
    example={"items": "{{ json.orders }}", "batchSize": 100},
)
def split_in_batches(config: SplitInBatches, input: JSON, context: NodeContext) -> Items | Collected | Output:
    """Runs its body once for each batch of a list, which gets the batch as a list. The output is the list
    of results."""
    if context.iteration:
        return Collected()
    items, size = items_of(input, config.items), config.batch_size
    return _started([items[start : start + size] for start in range(0, len(items), size)], config.concurrency)


def _started(values: list[JSON], concurrency: int, collect_errors: bool = False) -> Items | Output:
    return Items(values, concurrency, collect_errors) if values else Output([])


class Loop(NodeConfig):
    times: int | None = Field(None, ge=0, le=10_000_000, description="How often the body runs")
    while_: JSON = Field(
        None,
        alias="while",
        description="Run the body as long as this is true: an expression such as `{{ state.n < 5 }}`",
    )
    max_iterations: int = Field(
        100, ge=1, le=10_000_000, description="More iterations of `while` than this are an error"
    )

    @model_validator(mode="after")
    def _an_end(self) -> Loop:
        if not self.model_fields_set & {"times", "while_"}:
            raise ValueError("give times, or while: an expression such as {{ state.n < 5 }}")
        return self


def _prepare_loop(config: dict[str, JSON]) -> dict[str, JSON]:
    return {**config, "while": prepared_expression(config["while"])} if "while" in config else config


@node(
    "loop",
    title="Loop",
    category="flow",
    icon="repeat",
    role="container",
    effects="pure",
    prepare=_prepare_loop,
    example={"while": "{{ state.page <= state.pages }}", "maxIterations": 1000},
)
def loop(config: Loop, context: NodeContext) -> Again | Collected:
    """Runs its body again and again. The body gets the state: the node's input at first, then the body's
    own last result. The output is the last state. Inside, and in `while`, it is named `state`."""
    done, has_while = context.iteration, "while_" in config.model_fields_set
    if config.times is not None and done >= config.times:
        return Collected(last=True)
    if has_while and not truth(config.while_, "while"):
        return Collected(last=True)
    if done >= config.max_iterations and (has_while or "max_iterations" in config.model_fields_set):
        raise NodeError(
            f"The loop did not end within maxIterations, {config.max_iterations}. Raise it, or see why `while` stays true",
            code="MAX_ITERATIONS",
            retryable=False,
        )
    return Again()


class TryCatch(NodeConfig):
    """Nothing to set."""


@node(
    "try_catch",
    title="Try and catch",
    category="flow",
    icon="shield-check",
    role="container",
    effects="pure",
    handles=("try", "catch"),
    example={},
)
def try_catch(config: TryCatch, input: JSON, context: NodeContext) -> Items | Collected:
    """Runs its body once. If it succeeds its output leaves by `try`; if it fails, `{error}` leaves by
    `catch` and the run goes on."""
    return Collected(last=True, handle="try") if context.iteration else Items([input])
