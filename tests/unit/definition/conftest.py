"""A small catalogue for the tests of graphs: one node type of each role, and one that is choosy about its config."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from flowscope.definition.catalogue import Role
from flowscope.definition.workflow import JSON, Effects, Resources, Retry
from flowscope.errors import Problem


@dataclass(frozen=True)
class SampleKind:
    type: str
    role: Role = "task"
    handles: tuple[str, ...] | None = ("output",)
    effects: Effects = "pure"
    resources: Resources = "io"
    retry: Retry = field(default_factory=Retry)
    timeout: float = 0
    required: tuple[str, ...] = ()

    def check(self, config: dict[str, JSON], place: str) -> list[Problem]:
        return [Problem(f"{place}.{key}", "is required") for key in self.required if key not in config]


class SampleCatalogue:
    def __init__(self, *kinds: SampleKind) -> None:
        self._kinds = {kind.type: kind for kind in kinds}

    def find(self, type: str) -> SampleKind | None:
        return self._kinds.get(type)

    def types(self) -> Iterable[str]:
        return self._kinds

    def instead_of(self, type: str) -> str | None:
        return {"gmail": "Use http_request"}.get(type)


@pytest.fixture
def catalogue() -> SampleCatalogue:
    return SampleCatalogue(
        SampleKind("manual_trigger", role="trigger"),
        SampleKind("error_trigger", role="error_trigger"),
        SampleKind("set"),
        SampleKind("if_else", handles=("true", "false")),
        SampleKind("switch", handles=None),
        SampleKind("map", role="container"),
        SampleKind("try_catch", role="container", handles=("try", "catch")),
        SampleKind("http_request", required=("url",)),
    )
