"""What the machine asks to be done, as imperatives. Each is idempotent: recovery may ask again."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from flowscope.execution.payload import Payload


class Instruction(msgspec.Struct, frozen=True, gc=False):
    pass


class CancelNode(Instruction, frozen=True, gc=False):
    """Stop a running attempt, if it still runs; its answer will be ignored. `child` names the sub-workflow it waits for."""

    node_id: str
    path: str
    attempt: int
    child: str = ""


class SetTimer(Instruction, frozen=True, gc=False):
    """Send `Fire` for this attempt at `due` (epoch ms)."""

    node_id: str
    path: str
    attempt: int
    due: float


class StartChild(Instruction, frozen=True, gc=False):
    """Start the execution `child` of the workflow with hash `definition`, unless it exists; tell this node how it ends."""

    node_id: str
    path: str
    attempt: int
    child: str
    definition: str
    input: Payload


class Finish(Instruction, frozen=True, gc=False):
    """The execution has ended; what runs for it may be let go."""


AnyInstruction: TypeAlias = CancelNode | SetTimer | StartChild | Finish
