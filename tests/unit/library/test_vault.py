"""Secrets: sealed in the file, opened with a key that is elsewhere, rotated, and never silently lost."""

from __future__ import annotations

import base64
import pickle
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from flowscope.engine import surroundings_of
from flowscope.errors import CredentialNotFound, InputInvalid, SecretNotFound, SecretUnreadable
from flowscope.library import KeySettings, LibraryDatabase, Variables, Vault
from flowscope.library.sealing import new_key
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import SmtpCredential

VALUE = "canary-3f9c-value"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the key file goes."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "flowscope"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[LibraryDatabase]:
    database = LibraryDatabase(tmp_path / "data")
    yield database
    database.stop()


def sealed_rows(database: LibraryDatabase) -> list[Any]:
    with database.reading() as connection:
        return connection.execute("SELECT name, key_id, sealed FROM sealed ORDER BY name").fetchall()


def test_the_value_is_not_in_the_data_directory_and_the_key_is_outside(
    database: LibraryDatabase, config: Path, tmp_path: Path
) -> None:
    """S-01"""
    vault = Vault(database)
    assert vault.set_secret("token", VALUE)
    assert not vault.set_secret("token", VALUE)
    assert vault.secret("token") == VALUE
    [key_file] = config.iterdir()
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.stat().st_mode) == 0o700
    key = base64.b64decode(key_file.read_text())
    for path in (tmp_path / "data").iterdir():
        held = path.read_bytes()
        assert VALUE.encode() not in held and key not in held and key_file.read_bytes().strip() not in held


def test_the_same_value_is_sealed_differently_each_time(database: LibraryDatabase) -> None:
    vault = Vault(database)
    vault.set_secret("a", VALUE)
    vault.set_secret("b", VALUE)
    (_, _, one), (_, _, two) = sealed_rows(database)
    assert one != two


def test_a_row_that_was_changed_or_swapped_does_not_open(database: LibraryDatabase) -> None:
    """S-01"""
    vault = Vault(database)
    vault.set_secret("low", "harmless-value")
    vault.set_secret("high", VALUE)
    with database.writing() as connection:
        connection.execute(
            "UPDATE sealed SET sealed = (SELECT sealed FROM sealed WHERE name = 'high') WHERE name = 'low'"
        )
    with pytest.raises(SecretUnreadable, match=r"The secret 'low' cannot be opened: it was changed outside"):
        vault.secret("low")
    assert vault.secret("high") == VALUE


def test_without_its_key_the_error_says_which_and_where(database: LibraryDatabase, config: Path) -> None:
    vault = Vault(database)
    vault.set_secret("token", VALUE)
    [key_file] = config.iterdir()
    key_file.unlink()
    with pytest.raises(SecretUnreadable, match=r"sealed with the key [0-9a-f]{12}, which is not in .*\.key: give that"):
        Vault(database).secret("token")


def test_a_key_file_that_is_open_to_others_is_refused(database: LibraryDatabase, config: Path) -> None:
    Vault(database).set_secret("token", VALUE)
    [key_file] = config.iterdir()
    key_file.chmod(0o640)
    with pytest.raises(SecretUnreadable, match=r"chmod 600"):
        Vault(database).secret("token")


def test_rotating_seals_everything_anew_and_forgets_the_old_key(database: LibraryDatabase, config: Path) -> None:
    """S-02"""
    vault, running = Vault(database), Vault(database)
    vault.set_secret("token", VALUE)
    vault.set_credential("mail", "smtp", {"host": "mail.example.com", "password": "pass-word"})
    assert running.secret("token") == VALUE
    before, old = sealed_rows(database), next(config.iterdir()).read_text()
    assert vault.rotate() == 2
    after = sealed_rows(database)
    assert not {key_id for _, key_id, _ in before} & {key_id for _, key_id, _ in after}
    assert old not in next(config.iterdir()).read_text()
    assert running.secret("token") == VALUE, "a running server goes on"
    assert running.credential("mail").hidden() == {"password": "pass-word"}


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_crash_while_rotating_loses_nothing(
    database: LibraryDatabase, config: Path, tmp_path: Path, moment: str
) -> None:
    """S-02: run in a process that ends itself at the worst moments."""
    Vault(database).set_secret("token", VALUE)
    database.stop()
    dying = subprocess.run([sys.executable, "-c", DYING, str(tmp_path / "data"), moment], check=False)
    assert dying.returncode == 7
    assert Vault(database).secret("token") == VALUE
    assert Vault(database).rotate() == 1
    assert Vault(database).secret("token") == VALUE
    assert len(next(config.iterdir()).read_text().split()) == 1


DYING = """
import os, pathlib, sys
from flowscope.library import LibraryDatabase, Vault

database = LibraryDatabase(pathlib.Path(sys.argv[1]))
database.start()
with database.reading() as connection:
    hook = connection.set_commit_hook if sys.argv[2] == "before the commit" else connection.set_wal_hook
    hook(lambda *_: os._exit(7))
Vault(database).rotate()
"""


def test_a_given_key_is_used_and_rotated_by_putting_a_new_one_first(database: LibraryDatabase, config: Path) -> None:
    """S-02"""
    old, new = (base64.b64encode(new_key().secret).decode() for _ in range(2))

    def vault(keys: str) -> Vault:
        return Vault(database, KeySettings.from_environment({"FLOWSCOPE_SECRET_KEY": keys}))

    vault(old).set_secret("token", VALUE)
    assert not config.exists(), "no file is made"
    with pytest.raises(InputInvalid, match="put a new one before it"):
        vault(old).rotate()
    assert vault(f"{new}, {old}").secret("token") == VALUE
    assert vault(f"{new},{old}").rotate() == 1
    assert vault(new).secret("token") == VALUE
    with pytest.raises(SecretUnreadable, match="not in FLOWSCOPE_SECRET_KEY"):
        vault(old).secret("token")


def test_a_key_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(InputInvalid) as refused:
        KeySettings.from_environment({"FLOWSCOPE_SECRET_KEY": "hunter2hunter2"})
    assert str(refused.value) == (
        "FLOWSCOPE_SECRET_KEY holds no key: it takes 32 random bytes in base64, as `openssl rand -base64 32` gives"
    )
    key = base64.b64encode(new_key().secret).decode()
    assert key not in repr(KeySettings.from_environment({"FLOWSCOPE_SECRET_KEY": key}))


def test_the_sealing_key_is_no_secret_of_workflows() -> None:
    """S-01: its variable looks like one of theirs."""
    environment = {"FLOWSCOPE_SECRET_KEY": "k", "FLOWSCOPE_SECRET_KEY_FILE": "f", "FLOWSCOPE_SECRET_TOKEN": VALUE}
    assert dict(surroundings_of(environment, None).secrets) == {"token": VALUE}


@pytest.mark.parametrize("name", ["", "a-b", "a.b", "1a", "ä", "a" * 65, "a b"])
def test_a_name_that_expressions_cannot_write_is_refused(database: LibraryDatabase, name: str) -> None:
    with pytest.raises(InputInvalid, match="cannot be the name of a secret"):
        Vault(database).set_secret(name, VALUE)


def test_a_secret_too_short_to_be_blotted_out_is_refused(database: LibraryDatabase) -> None:
    with pytest.raises(InputInvalid, match="4 to 65,536 characters"):
        Vault(database).set_secret("pin", "123")
    with pytest.raises(InputInvalid, match="half a character"):
        Vault(database).set_secret("pin", "1234\udc00")


def test_what_is_not_there(database: LibraryDatabase) -> None:
    vault = Vault(database)
    assert vault.rows("secret") == []
    assert not database.path.exists(), "looking makes no file"
    with pytest.raises(SecretNotFound):
        vault.remove_secret("nope")
    with pytest.raises(CredentialNotFound):
        vault.remove_credential("nope")
    with pytest.raises(KeyError):
        vault.secret("nope")


def test_a_library_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    schema = Path(__file__).parents[3] / "src" / "flowscope" / "library" / "schema.sql"
    connection = apsw.Connection(str(data / "library.db"))
    connection.execute(schema.read_text())
    connection.pragma("application_id", 0x666C736C)
    connection.pragma("user_version", 1)
    connection.execute("INSERT INTO keys VALUES ('k', 'old', 'viewer', x'00', 1.0, NULL)")
    connection.close()
    database = LibraryDatabase(data)
    database.start()
    try:
        Vault(database).set_secret("token", VALUE)
        with database.reading() as connection:
            assert connection.execute("SELECT name FROM keys").get == "old"
    finally:
        database.stop()


# --- as nodes see them ---


def test_changes_are_seen_at_once_also_those_of_another_process(database: LibraryDatabase, tmp_path: Path) -> None:
    """S-03"""
    vault = Vault(database)
    seen = vault.surroundings(Surroundings(secrets={"given": "from the environment"}))
    assert dict(seen.secrets) == {"given": "from the environment"}
    other = LibraryDatabase(tmp_path / "data")
    other.start()
    try:
        Vault(other).set_secret("token", VALUE)
        assert seen.secrets["token"] == VALUE
        Vault(other).set_secret("token", "another value")
        assert seen.secrets["token"] == "another value"
        Vault(other).set_secret("given", "from the library")
        assert seen.secrets["given"] == "from the environment"
        Vault(other).remove_secret("token")
        assert "token" not in seen.secrets
    finally:
        other.stop()


def test_a_copy_for_another_process_is_plain(database: LibraryDatabase) -> None:
    vault = Vault(database)
    vault.set_secret("token", VALUE)
    vault.set_credential("mail", "smtp", {"host": "mail.example.com", "password": "pass-word"})
    copy = pickle.loads(pickle.dumps(vault.surroundings(Surroundings())))  # noqa: S301
    assert dict(copy.secrets) == {"token": VALUE}
    assert copy.credentials["mail"] == SmtpCredential(host="mail.example.com", password="pass-word")
    assert VALUE not in repr(copy) and "pass-word" not in repr(copy)


# --- credentials ---


def test_a_secret_field_that_is_left_out_keeps_its_value(database: LibraryDatabase) -> None:
    """S-06"""
    vault = Vault(database)
    vault.set_credential("mail", "smtp", {"host": "one.example.com", "username": "ann", "password": "pass-word"})
    vault.set_credential("mail", "smtp", {"host": "two.example.com", "username": "ann"})
    kept = vault.credential("mail")
    assert kept.hidden() == {"password": "pass-word"} and kept.shown()["host"] == "two.example.com"
    vault.set_credential("mail", "redis", {"host": "three.example.com"})
    assert vault.credential("mail").hidden() == {}


@pytest.mark.parametrize(
    ("type", "fields", "complaint"),
    [
        (
            "ftp",
            {},
            "There is no credential type 'ftp'. They are: smtp, postgresql, redis, openai, http_basic, http_bearer, http_header",
        ),
        ("smtp", {}, "host: is required"),
        ("smtp", {"host": "h", "port": 0}, "port: Input should be greater than or equal to 1"),
        ("openai", {"key": "x"}, "key is no field of it. It has: baseUrl, apiKey"),
        ("http_bearer", {"token": ["sk-very-secret"]}, "token: Input should be a valid string"),
    ],
)
def test_what_is_wrong_with_a_credential_is_said_and_not_shown(
    database: LibraryDatabase, type: str, fields: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputInvalid) as refused:
        Vault(database).set_credential("one", type, fields)
    assert str(refused.value) == complaint


def test_a_credential_does_not_show_its_secrets() -> None:
    credential = SmtpCredential(host="h", username="ann", password="pass-word")
    assert "pass-word" not in f"{credential} {credential!r} {[credential]}"


# --- variables ---


def test_variables(database: LibraryDatabase) -> None:
    variables = Variables(database)
    assert dict(variables) == {}
    assert variables.set("region", {"name": "eu", "zones": [1, 2]})
    assert not variables.set("region", "us")
    assert dict(variables) == {"region": "us"}
    with pytest.raises(InputInvalid, match="at most 65,536 bytes"):
        variables.set("big", "x" * 70_000)
    variables.remove("region")
    assert list(variables) == []
