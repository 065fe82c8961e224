"""`docs/server.md` names every variable that the server reads, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowscope.engine import surroundings_of
from flowscope.server import Settings

PAGE = (Path(__file__).parents[3] / "docs" / "server.md").read_text("utf-8")

FAMILIES = ("FLOWSCOPE_SECRET_NAME",)
"""One for each of a kind."""


class Noted(dict[str, str]):
    """An empty environment that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(key)
        return default

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return False


def test_every_variable_is_described() -> None:
    environment = Noted()
    Settings.from_environment(environment)
    surroundings_of(environment, None)
    read = {name for name in environment.asked if name != "PATH"}
    assert len(read) > 20
    described = set(re.findall(r"`((?:FLOWSCOPE|WORKER|UI|WS)_[A-Z_]+)`", PAGE))
    assert read - described == set()
    assert set(stale(described, read)) == set()


def stale(described: set[str], read: set[str]) -> Iterator[str]:
    yield from (
        name for name in described if name not in read and name not in FAMILIES and not name.endswith("API_KEY")
    )
