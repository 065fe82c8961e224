"""What a handler may answer, beside a plain JSON value (its output by the handle `output`)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

from flowscope.definition.workflow import JSON


@dataclass(frozen=True, slots=True)
class Output:
    """An output and the handle it leaves by.

    `handle` may be several in order of preference: the first with an edge on it is taken, else the last.
    """

    value: JSON
    handle: str | tuple[str, ...] = "output"


@dataclass(frozen=True, slots=True)
class Pass:
    """The output is the input as it is, without decoding it."""

    handle: str | tuple[str, ...] = "output"


@dataclass(frozen=True, slots=True)
class Assign:
    """Set variables of the run, which every node that starts later reads as `vars.<name>`; the output is the input
    as it is."""

    variables: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Extend:
    """The output is the input with these fields over it; the input is neither decoded nor recorded again."""

    fields: dict[str, JSON]
    handle: str | tuple[str, ...] = "output"

    def __post_init__(self) -> None:
        if not isinstance(self.fields, dict):
            raise TypeError("Extend takes an object")


@dataclass(frozen=True, slots=True)
class Items:
    """A container's next iterations: each of `values` goes into the body once, at most `concurrency` at a
    time (0: no limit).

    `entries` names for each the one node of the body that it starts with; the body's others are skipped. With a `memo` this is a
    turn that is kept: `context.body.turns` has the memo and the results when the handler is asked again, also by another
    attempt. Without one, `entries` go on with what the last turn has left undone."""

    values: list[JSON]
    concurrency: int = 1
    collect_errors: bool = False
    entries: tuple[str, ...] = ()
    memo: JSON = None

    def __post_init__(self) -> None:
        if not isinstance(self.values, list) or not isinstance(self.concurrency, int) or self.concurrency < 0:
            raise TypeError("Items takes a list, and a concurrency of 0 or more")
        if self.entries and len(self.entries) != len(self.values):
            raise TypeError("Items takes an entry for each value, or none")


@dataclass(frozen=True, slots=True)
class Again:
    """A loop's next iteration, on the state it has (the last iteration's result; at first the node's
    input)."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A container's end: its output is the list of its iterations' results (`last`: only the last one's,
    the loop's state), and leaves by `handle`."""

    last: bool = False
    handle: str = "output"


@dataclass(frozen=True, slots=True)
class Wait:
    """Suspend, without holding anything in memory.

    `until` is an instant in epoch milliseconds, 0 for none. With `signal` the node ends when that signal
    arrives, and its payload is the output; past `until` it then fails as timed out. Without `signal` it
    ends at `until` and passes its input on. `detail` tells people what it waits for.

    `choices`: the signal must name one of these handles, by which the node then ends. `extends`: what the
    signal brings goes over the input. `otherwise`: what the node answers past `until` instead of failing;
    an `Extend` goes over the input.
    """

    until: float = 0
    signal: str = ""
    detail: str = ""
    kind: str = "duration"
    choices: tuple[str, ...] = ()
    extends: bool = False
    otherwise: Extend | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.until, int | float) or not math.isfinite(self.until):
            raise TypeError("Wait takes until as a number, in milliseconds since 1970")
        if not all(isinstance(text, str) for text in (self.signal, self.detail, self.kind)):
            raise TypeError("Wait takes signal, detail and kind as text")


@dataclass(frozen=True, slots=True)
class Call:
    """Run another workflow and answer with its output: by id (its latest stored version) or by its
    document."""

    workflow_id: str = ""
    document: JSON = None
    input: JSON = field(default_factory=dict)


Answer: TypeAlias = JSON | Output | Pass | Extend | Assign | Items | Again | Collected | Wait | Call
