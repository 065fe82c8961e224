"""Recorded journals fold to what they folded to when they were recorded, for ever (I11)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest

from flowscope.definition import decode
from flowscope.definition.plan import Plan, compile_plan
from flowscope.execution.digest import digest
from flowscope.execution.events import AnyEvent, decode_lines, encode_lines
from flowscope.execution.state import State, apply, fold
from flowscope.nodes.builtin import builtin_registry

FILES = sorted(Path(__file__).parent.glob("*.json"))


def read(file: Path) -> tuple[dict[str, Any], bytes, Plan]:
    history: dict[str, Any] = json.loads(file.read_text())
    journal = "".join(line + "\n" for line in history["journal"]).encode()
    return history, journal, compile_plan(decode(history["workflow"]), builtin_registry(entry_points=False))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_journal_folds_to_its_recorded_digest(file: Path) -> None:
    history, journal, plan = read(file)
    state = fold(history["executionId"], plan, decode_lines(journal))
    assert (state.status, state.seq) == (history["status"], len(history["journal"]))
    assert digest(state) == history["digest"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_recorded_journal_reads_and_writes_the_same(file: Path) -> None:
    _, journal, _ = read(file)
    assert encode_lines(decode_lines(journal)) == journal


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_beginning_of_a_recorded_journal_folds_alike_in_one_go_and_step_by_step(file: Path) -> None:
    history, journal, plan = read(file)
    events = decode_lines(journal)
    stepped = State(history["executionId"], plan)
    for count, event in enumerate(events, start=1):
        apply(stepped, event)
        assert digest(fold(history["executionId"], plan, events[:count])) == digest(stepped)


def test_every_kind_of_event_is_among_them() -> None:
    recorded = {json.loads(line)["type"] for file in FILES for line in read(file)[0]["journal"]}
    assert recorded == {kind.__name__ for kind in get_args(AnyEvent)}


def test_every_scene_is_recorded() -> None:
    source = (Path(__file__).parent / "record.py").read_text()
    assert len(FILES) == source.count("@scene\n")
