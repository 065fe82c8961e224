"""How the worker pool runs: the mission's three settings, and ours."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from flowscope.errors import InputInvalid

_VARIABLES = {
    "concurrency": ("WORKER_CONCURRENCY", 1, 1_024),
    "timeout": ("WORKER_TIMEOUT", 1, 86_400_000),
    "retry_attempts": ("WORKER_RETRY_ATTEMPTS", 0, 100),
    "memory": ("FLOWSCOPE_WORKER_MEMORY", 0, 1_048_576),
    "recycle_after": ("FLOWSCOPE_WORKER_RECYCLE", 0, 1_000_000),
}
"""By field: the variable, and the least and the most it may be."""


def _at_least_five() -> int:
    return max(5, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """`concurrency`: processes at most (the mission's 5, or a process for each core where there are more). `timeout`:
    milliseconds a task may take whose node says nothing itself. `retry_attempts`: how often a task is run again whose
    process died or took longer than that. `memory`: MiB a task may take beside what its process had before, 0 for no limit.
    `recycle_after`: tasks after which a process is replaced, 0 for never.
    """

    concurrency: int = 0
    timeout: float = 30_000
    retry_attempts: int = 3
    memory: int = 2_048
    recycle_after: int = 1_000

    def __post_init__(self) -> None:
        if not self.concurrency:
            object.__setattr__(self, "concurrency", _at_least_five())

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> WorkerSettings:
        """What the environment says; `InputInvalid` names the variable, its value, and what it may be."""
        variables = os.environ if environment is None else environment
        said = {}
        for field, (name, least, most) in _VARIABLES.items():
            text = variables.get(name, "").strip()
            if text:
                said[field] = _whole(name, text, least, most)
        return cls(**said)


def _whole(name: str, text: str, least: int, most: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most:
        return int(text)
    raise InputInvalid(
        f"{name} is {text[:200]!r}, which makes no sense: set it to a whole number from {least:,} to {most:,}, "
        "or leave it out"
    )
