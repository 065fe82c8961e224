"""The workflow library: versions, the active one, and two people who save at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from flowscope.definition.document import Limits
from flowscope.errors import (
    DefinitionInvalid,
    InputInvalid,
    StoreCorrupt,
    StoreTooNew,
    StoreUnavailable,
    VersionConflict,
    WorkflowExists,
    WorkflowNotFound,
)
from flowscope.library import Draft, LibraryDatabase, StoredWorkflow, WorkflowLibrary, draft_of
from flowscope.nodes.builtin import builtin_registry

REGISTRY = builtin_registry(entry_points=False)
LIMITS = Limits(document_bytes=4 * 1024 * 1024)


def document(label: str = "Start", **members: object) -> dict[str, object]:
    node = {"id": "a", "data": {"type": "manual_trigger", "label": label, "config": {}}}
    return {"id": "orders", "name": "Orders", "nodes": [node], "edges": [], **members}


def draft(label: str = "Start", **members: object) -> Draft:
    return draft_of(msgspec.json.encode(document(label, **members)), REGISTRY, limits=LIMITS)


BROKEN: dict[str, Any] = {"nodes": [{"id": "a", "data": {"type": "no_such_type"}}]}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[WorkflowLibrary]:
    database = LibraryDatabase(tmp_path)
    database.start()
    yield WorkflowLibrary(database)
    database.stop()


def test_a_workflow_keeps_its_id_and_its_document(library: WorkflowLibrary) -> None:
    stored = library.create(draft(unknown={"kept": [1, 2]}))
    assert (stored.workflow_id, stored.version, stored.active, stored.valid) == ("orders", 1, 1, True)
    assert msgspec.json.decode(library.get("orders").document) == document(unknown={"kept": [1, 2]})


def test_members_keep_their_order(library: WorkflowLibrary) -> None:
    stored = library.create(draft_of(b'{"nodes":[],"id":"z","b":1,"a":2}', REGISTRY, limits=LIMITS))
    assert list(msgspec.json.decode(stored.document)) == ["nodes", "id", "b", "a"]


def test_what_the_library_adds_is_taken_away_again() -> None:
    plain, dressed = draft(), draft(version=7, activeVersion=6, valid=True, problems=[], createdAt="x", updatedAt="y")
    assert dressed.document == plain.document


def test_an_id_that_is_taken_is_refused_and_one_made_of_the_name_gets_a_number(library: WorkflowLibrary) -> None:
    library.create(draft())
    with pytest.raises(WorkflowExists, match="orders already"):
        library.create(draft())
    nameless = document()
    del nameless["id"]
    ids = [library.create(draft_of(nameless, REGISTRY, limits=LIMITS)).workflow_id for _ in range(2)]
    assert ids == ["orders-2", "orders-3"]
    assert msgspec.json.decode(library.get("orders-3").document)["id"] == "orders-3"


def test_each_save_is_a_version_and_saving_the_same_is_none(library: WorkflowLibrary) -> None:
    library.create(draft())
    assert library.save(draft("Begin"), by="ada").version == 2
    assert library.save(draft("Begin")).version == 2
    rows = library.versions("orders")
    assert [(row.version, row.saved_by) for row in rows] == [(2, "ada"), (1, "")]
    assert b"Start" in library.get("orders", 1).document
    with pytest.raises(WorkflowNotFound, match="version 3"):
        library.get("orders", 3)


def test_a_change_made_from_an_older_version_is_refused(library: WorkflowLibrary) -> None:
    library.create(draft())
    library.save(draft("Mine"), expected="1")
    with pytest.raises(VersionConflict) as refused:
        library.save(draft("Yours"), expected="1")
    assert (refused.value.expected, refused.value.actual) == (1, 2)
    with pytest.raises(VersionConflict):
        library.delete("orders", expected="1")
    assert b"Mine" in library.get("orders").document


def test_a_draft_that_cannot_run_is_kept_and_the_version_before_it_goes_on_running(library: WorkflowLibrary) -> None:
    library.create(draft())
    stored = library.save(draft(**BROKEN))
    assert (stored.version, stored.valid, stored.active) == (2, False, 1)
    active = library.active("orders")
    assert active is not None and active.version == 1
    with pytest.raises(DefinitionInvalid, match="cannot run"):
        library.activate("orders", 2)


def test_a_version_can_be_made_the_active_one_again(library: WorkflowLibrary) -> None:
    library.create(draft())
    library.save(draft("Begin"))
    assert library.activate("orders", 1).active == 1
    assert library.save(draft("Later"), activate=False).active == 1
    assert library.save(draft("Later"), activate=True).active == 3


def test_a_workflow_of_drafts_only_has_no_active_version(library: WorkflowLibrary) -> None:
    library.create(draft(**BROKEN))
    assert library.active("orders") is None
    assert library.all_active() == []


def test_deleting_removes_all_versions(library: WorkflowLibrary) -> None:
    library.create(draft())
    library.save(draft("Begin"))
    library.delete("orders", expected="2")
    with pytest.raises(WorkflowNotFound):
        library.get("orders")
    assert library.create(draft()).version == 1


def test_the_list_is_searched_and_paged(library: WorkflowLibrary) -> None:
    for number in range(5):
        library.create(draft(id=f"flow-{number}", name=f"ÄPFEL {number}"))
    library.create(draft())
    found = library.search("äpfel", limit=2)
    assert len(found) == 2
    seen = [row.workflow_id for row in found]
    while found:
        found = library.search("äpfel", before=(found[-1].updated_at, found[-1].workflow_id), limit=2)
        seen += [row.workflow_id for row in found]
    assert sorted(seen) == [f"flow-{number}" for number in range(5)]


@pytest.mark.parametrize("bad", ["", " x", "a/b", "a?b", "..", "x" * 129, "a\nb", 7])
def test_ids_that_cannot_stand_in_an_address_are_refused(bad: object) -> None:
    with pytest.raises(InputInvalid):
        draft(id=bad)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"a": NaN}', b'{"a":' * 70 + b"1" + b"}" * 70])
def test_what_is_no_json_object_is_no_draft(text: bytes) -> None:
    with pytest.raises(DefinitionInvalid):
        draft_of(text, REGISTRY, limits=LIMITS)


def test_it_is_all_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        database = LibraryDatabase(tmp_path)
        database.start()
        library = WorkflowLibrary(database)
        stored = library.create(draft()) if expected == 1 else library.save(draft("Again"))
        assert stored.version == expected
        database.stop()
        database.stop()
    with pytest.raises(StoreUnavailable):
        library.get("orders")


def test_another_programs_file_and_a_newer_library_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    path.write_bytes(b"this is not a database at all, but long enough" * 100)
    with pytest.raises(StoreCorrupt):
        LibraryDatabase(tmp_path).start()
    path.unlink()
    database = LibraryDatabase(tmp_path)
    database.start()
    database.stop()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(StoreTooNew, match="upgrade"):
        LibraryDatabase(tmp_path).start()


# --- drafts ---


class Hand:
    """Somebody who edits: each save is a draft made from the one before, `minutes` after it."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = 0.0
        database = LibraryDatabase(tmp_path)
        database.start()
        self.library = WorkflowLibrary(database, lambda: self.now)
        self.library.create(draft())

    def saves(self, label: str, *, by: str = "", minutes: float = 0.1, going_on: bool = True) -> StoredWorkflow:
        self.now += minutes * 60_000
        tag = self.library.get("orders").tag
        return self.library.save(draft(label), expected=tag, activate=False, by=by, going_on=going_on)

    def versions(self) -> list[tuple[int, bool]]:
        return [(row.version, row.draft) for row in self.library.versions("orders")]


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path)


def test_the_drafts_of_one_sitting_are_one_version(hand: Hand) -> None:
    tags = [hand.saves(f"Draft {number}").tag for number in range(4)]
    assert tags == ["2", "2.1", "2.2", "2.3"]
    assert hand.versions() == [(2, True), (1, False)]
    assert b"Draft 3" in hand.library.get("orders").document
    with pytest.raises(VersionConflict, match=r"at version 2\.3 by now, not 2\.1"):
        hand.library.save(draft("Other"), expected="2.1", going_on=True)


@pytest.mark.parametrize(
    "keep",
    [
        lambda library: library.taken("orders", 2),
        lambda library: library.taken("orders"),
        lambda library: library.activate("orders", 2),
        lambda library: library.save(draft("Draft"), activate=False),
        lambda library: library.save(draft("Draft"), activate=True),
    ],
)
def test_a_draft_that_was_run_activated_or_saved_for_good_stays_as_it_is(
    hand: Hand, keep: Callable[[WorkflowLibrary], object]
) -> None:
    hand.saves("Draft")
    keep(hand.library)
    assert hand.versions()[0] == (2, False)
    assert hand.saves("After it").tag == "3"
    assert b'"Draft"' in hand.library.get("orders", 2).document


def test_a_pause_somebody_else_or_a_save_for_good_begins_another_version(hand: Hand) -> None:
    assert hand.saves("Mine").tag == "2"
    assert hand.saves("After lunch", minutes=45).tag == "3"
    assert hand.saves("Yours", by="ada").tag == "4"
    assert hand.saves("For good", by="ada", going_on=False).tag == "4.1"
    assert hand.saves("More", by="ada").tag == "5"
    assert hand.versions() == [(5, True), (4, False), (3, False), (2, False), (1, False)]


def test_what_was_read_to_be_run_is_what_stays(hand: Hand) -> None:
    hand.saves("Draft")
    run = hand.library.taken("orders", 2)
    hand.saves("Changed meanwhile")
    assert hand.library.get("orders", 2).document == run.document
