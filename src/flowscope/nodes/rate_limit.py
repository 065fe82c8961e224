"""Not too often: at most so many passes in so much time, over all executions of this process."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Literal

from pydantic import Field

from flowscope.nodes.answer import Pass, Wait
from flowscope.nodes.context import NodeContext
from flowscope.nodes.durations import milliseconds
from flowscope.nodes.sdk import NodeConfig, node

MOST_KEYS = 100_000


class Turns:
    """When each key's passes were given out. Instants are epoch milliseconds; the least lately used keys are forgotten."""

    def __init__(self) -> None:
        self._given: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, limit: int, window: float, now: float, *, wait: bool = True) -> float:
        """When the next pass is: `now`, or later, and then it is reserved unless not to `wait`. No window of time holds more
        than `limit` passes."""
        given = self._given.pop(key, None)
        if given is None or given.maxlen != limit:
            given = deque(given or (), maxlen=limit)
        self._given[key] = given
        if len(self._given) > MOST_KEYS:
            self._given.popitem(last=False)
        turn = now if len(given) < limit else max(now, given[0] + window)
        if wait or turn <= now:
            given.append(turn)
        return turn


_TURNS = Turns()


class RateLimitConfig(NodeConfig):
    key: str = Field(
        "", max_length=512, description="What is counted apart, such as `{{ customer }}`; the node itself else"
    )
    limit: int = Field(1, ge=1, le=100_000, description="How many may pass")
    per: str | float = Field("1s", description='In how much time: milliseconds, or "1s", "1m", "1h"')
    on_limit: Literal["wait", "skip"] = Field(
        "wait", description="Wait for a turn, or leave by the handle `limited` at once"
    )


@node(
    "rate_limit",
    title="Rate limit",
    category="flow",
    icon="gauge",
    effects="pure",
    handles=("output", "limited"),
    example={"key": "{{ customer }}", "limit": 10, "per": "1m"},
)
def rate_limit(config: RateLimitConfig, context: NodeContext) -> Pass | Wait:
    """Lets at most `limit` pass in the time `per`, over all runs; the others wait for their turn, which survives a restart,
    or leave by `limited`. A key that is given is shared by all nodes that give it. The count begins anew with the process.
    The output is the input."""
    window = milliseconds(config.per, "per")
    key = f"key\n{config.key}" if config.key else f"node\n{context.workflow_id}\n{context.node_id}"
    waits = config.on_limit == "wait"
    turn = _TURNS.take(key, config.limit, window, context.now, wait=waits)
    if turn <= context.now:
        return Pass()
    if not waits:
        return Pass("limited")
    return Wait(until=turn, kind="rate_limit", detail="its turn")
