"""What a workflow is: nodes, edges and a few settings, as plain frozen values.

The JSON is React Flow's with the engine's fields in `data` (contract section 4). Decoding is in `decode.py`; this file
only holds the shapes every other part agrees on.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

JSON: TypeAlias = Any
"""A JSON value: null, bool, int, float, str, list, dict. `Any` because the recursive form costs more than it tells."""

Join = Literal["all", "any"]
OnLost = Literal["rerun", "fail", "ask"]
Resources = Literal["io", "cpu"]
Effects = Literal["pure", "external"]


class Retry(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How often and when a failed attempt is tried again. Times are milliseconds.

    `attempts` includes the first, so 1 means no retry. Attempt k waits `delay * factor**(k-2)`, at most `max_delay`,
    give or take `jitter` (a fraction).
    """

    attempts: int = 1
    delay: float = 1_000
    factor: float = 2
    max_delay: float = 60_000
    jitter: float = 0.2


class Policy(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The part of `data.config` that every node has: how the engine treats it. `None` leaves it to the node's type.

    `timeout` is milliseconds for one attempt; 0 means none. At most `concurrency_limit` external nodes with the same
    `concurrency_key`, of whatever workflow, run at once.
    """

    retry: Retry | None = None
    timeout: float | None = None
    continue_on_error: bool = False
    join: Join = "all"
    on_lost: OnLost = "rerun"
    resources: Resources | None = None
    disabled: bool = False
    concurrency_key: str = ""
    concurrency_limit: int = 1
    cache: float = 0
    """Milliseconds for which a result answers for the same work; 0: never."""


class Pinned(msgspec.Struct, frozen=True):
    """`data.pinned` of a node: what it answers, by which handle, instead of running; in runs that no trigger started."""

    output: JSON
    handle: str = "output"


class Node(msgspec.Struct, frozen=True):
    """One node. `type` is `data.type`; `config` is `data.config` without the policy's keys."""

    id: str
    type: str
    label: str
    config: dict[str, JSON]
    policy: Policy
    parent_id: str | None = None
    position: tuple[float, float] | None = None
    pinned: Pinned | None = None


class Edge(msgspec.Struct, frozen=True):
    """One edge. Handles are normalised: `output_true` is `true`, `isDefault` is the source handle `default`."""

    id: str
    source: str
    target: str
    source_handle: str = "output"
    target_handle: str = "input"


class Settings(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """`settings` of a workflow. `timeout` is milliseconds for the whole run, 0 for none. At most `concurrency` of its
    external nodes run at once, over all its executions (0: no limit), and of one type as `type_concurrency` says. Of what
    waits to run, the higher `priority` goes first.
    """

    timeout: float = 0
    concurrency: int = 0
    type_concurrency: dict[str, int] = {}
    priority: int = 0


class Workflow(msgspec.Struct, frozen=True):
    """A decoded workflow. `document` is the JSON it came from, byte for byte what `hash` (SHA-256, hex) is of."""

    id: str
    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    settings: Settings
    vars: dict[str, JSON]
    document: bytes
    hash: str
