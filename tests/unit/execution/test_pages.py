"""docs/machine.md and docs/spec.md say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from flowscope.execution import status

ROOT = Path(__file__).parents[3]


def test_the_diagram_is_drawn_from_the_table() -> None:
    page = (ROOT / "docs/machine.md").read_text()
    [drawn] = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    assert drawn == status.diagram(), "docs/machine.md is out of date: put status.diagram() in"


def test_every_rule_has_a_test_and_every_citation_a_rule() -> None:
    rules = re.findall(r"^\*\*([FGMSTW]-\d\d)\*\*", (ROOT / "docs/spec.md").read_text(), re.MULTILINE)
    assert len(rules) == len(set(rules))
    tests = (ROOT / "tests").rglob("test_*.py")
    cited = {rule for test in tests for rule in re.findall(r"\b[FGMSTW]-\d\d\b", test.read_text())}
    assert cited == set(rules)
