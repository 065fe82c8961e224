"""API keys: shown once, kept as a hash, seen by a server that is already running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowscope.errors import InputInvalid, KeyNotFound
from flowscope.library import KeyRing, LibraryDatabase


@pytest.fixture
def database(tmp_path: Path) -> Iterator[LibraryDatabase]:
    database = LibraryDatabase(tmp_path)
    database.start()
    yield database
    database.stop()


def test_a_key_is_found_by_its_text_and_by_nothing_else(database: LibraryDatabase) -> None:
    ring = KeyRing(database)
    assert not ring
    made = ring.create("studio", "editor")
    assert ring
    found = ring.find(made.text)
    assert found is not None and (found.name, found.scope) == ("studio", "editor")
    assert ring.find(made.text[:-1]) is None
    assert ring.find("") is None
    assert ring.find("\udcff") is None


def test_the_text_of_a_key_is_not_in_the_file(database: LibraryDatabase, tmp_path: Path) -> None:
    made = KeyRing(database).create("studio", "viewer")
    for path in tmp_path.iterdir():
        assert made.text.encode() not in path.read_bytes()


def test_a_revoked_key_opens_nothing_and_its_name_is_free_again(database: LibraryDatabase) -> None:
    ring = KeyRing(database)
    first = ring.create("studio", "viewer")
    with pytest.raises(InputInvalid, match="already"):
        ring.create("studio", "viewer")
    ring.revoke("studio")
    assert ring.find(first.text) is None
    assert ring.find(ring.create("studio", "viewer").text)
    with pytest.raises(KeyNotFound):
        ring.revoke("nobody")


def test_a_key_made_by_another_process_is_seen(database: LibraryDatabase, tmp_path: Path) -> None:
    ring = KeyRing(database)
    assert not ring
    other = LibraryDatabase(tmp_path)
    other.start()
    made = KeyRing(other).create("later", "admin")
    other.stop()
    assert ring.find(made.text)


@pytest.mark.parametrize(("name", "scope"), [("", "viewer"), ("x" * 101, "viewer"), ("a\nb", "viewer"), ("a", "root")])
def test_names_and_scopes_are_checked(database: LibraryDatabase, name: str, scope: str) -> None:
    with pytest.raises(InputInvalid):
        KeyRing(database).create(name, scope)
