"""`secrets`, `credentials` and `variables`: what workflows read beside their own document. Values come from stdin or a prompt, never from
the command line, which others on the machine can see."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from flowscope.cli.complaints import say_note
from flowscope.cli.formats import counted, local
from flowscope.errors import InputInvalid

if TYPE_CHECKING:
    from flowscope.library import Variables, Vault

secrets = typer.Typer(no_args_is_help=True, help="Keep secrets for workflows, sealed; `{{ secrets.NAME }}` reads them.")
credentials = typer.Typer(
    no_args_is_help=True,
    help="Keep credentials for workflows, sealed: nodes take them by name, `{{ credentials.NAME }}` too.",
)
variables = typer.Typer(no_args_is_help=True, help="Keep plain values for workflows; `{{ vars.NAME }}` reads them.")

_Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The directory that holds everything; FLOWSCOPE_DATA, or .flowscope."),
]
_Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


@secrets.command("set")
def set_secret(name: _Name, data: _Data = None) -> None:
    """Keep a secret. Its value is asked for, or read from stdin: `printf %s "$TOKEN" | flowscope secrets set shop_token`.

    A running server gives the new value to whatever starts from now on.
    """
    value = _value(name)
    with _opened(data) as (vault, _):
        created = vault.set_secret(name, value)
        say_note(f"The secret {name!r} is {'kept' if created else 'changed'}. Read it as {{{{ secrets.{name} }}}}")
        say_note(f"It is sealed with the key in {vault.key_place}; without that key nobody can read it: keep a copy")


@secrets.command("list")
def list_secrets(data: _Data = None) -> None:
    """List the secrets, without their values."""
    with _opened(data) as (vault, _):
        rows = vault.rows("secret")
    for row in rows:
        print(f"{local(row.updated_at)}  {row.name}")
    if not rows:
        say_note("There are no secrets. `flowscope secrets set NAME` keeps one")


@secrets.command("remove")
def remove_secret(name: _Name, data: _Data = None) -> None:
    """Forget a secret."""
    with _opened(data) as (vault, _):
        vault.remove_secret(name)
    say_note(f"The secret {name!r} is gone")


@secrets.command()
def rotate(data: _Data = None) -> None:
    """Seal all secrets and credentials under a new key, and forget the old one.

    Where the key is given in FLOWSCOPE_SECRET_KEY, put the new one before it (`new,old`) first; afterwards the old one can
    go. A running server needs no restart when the key is in a file.
    """
    with _opened(data) as (vault, _):
        count = vault.rotate()
        say_note(f"{counted(count, 'value')} sealed anew with the key in {vault.key_place}")


@credentials.command("set")
def set_credential(
    name: _Name,
    type: Annotated[str, typer.Argument(metavar="TYPE", help="Such as smtp or http_bearer.", show_default=False)],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="FIELD=VALUE…", help="All but the secret one.", show_default=False)
    ] = None,
    data: _Data = None,
) -> None:
    """Keep a credential: `flowscope credentials set mail smtp host=mail.example.com username=ann`.

    Its secret field is asked for, or read from stdin; where nothing comes, it keeps the one it has.
    """
    from flowscope.nodes.credentials import credential_type

    given = dict(_field(text) for text in fields or ())
    for secret in sorted(credential_type(type).secret_names()):
        if secret in given:
            raise InputInvalid(
                f"{secret} is a secret, and others can see the command line: leave it out, it is asked for"
            )
        if value := _read(f"{secret} of {name}"):
            given[secret] = value
    with _opened(data) as (vault, _):
        created = vault.set_credential(name, type, given)
        say_note(
            f"The credential {name!r} is {'kept' if created else 'changed'}, sealed with the key in {vault.key_place}"
        )


@credentials.command("list")
def list_credentials(data: _Data = None) -> None:
    """List the credentials with their types, without what they say."""
    with _opened(data) as (vault, _):
        rows = vault.rows("credential")
    for row in rows:
        print(f"{local(row.updated_at)}  {row.type:<11}  {row.name}")
    if not rows:
        say_note("There are no credentials. `flowscope credentials set NAME TYPE` keeps one")


@credentials.command("remove")
def remove_credential(name: _Name, data: _Data = None) -> None:
    """Forget a credential."""
    with _opened(data) as (vault, _):
        vault.remove_credential(name)
    say_note(f"The credential {name!r} is gone")


@variables.command("set")
def set_variable(
    name: _Name,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="JSON; anything else is a text.", show_default=False)],
    data: _Data = None,
) -> None:
    """Set a variable."""
    try:
        parsed = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        parsed = value
    with _opened(data) as (_, kept):
        kept.set(name, parsed)
    say_note(f"Read it as {{{{ vars.{name} }}}}")


@variables.command("list")
def list_variables(data: _Data = None) -> None:
    """List the variables with their values."""
    with _opened(data) as (_, kept):
        found = dict(kept)
    for name, value in found.items():
        print(f"{name} = {msgspec.json.encode(value).decode()}")
    if not found:
        say_note("There are no variables. `flowscope variables set NAME VALUE` makes one")


@variables.command("remove")
def remove_variable(name: _Name, data: _Data = None) -> None:
    """Forget a variable."""
    with _opened(data) as (_, kept):
        kept.remove(name)
    say_note(f"The variable {name!r} is gone")


def _field(text: str) -> tuple[str, str]:
    name, there, value = text.partition("=")
    if not there:
        raise InputInvalid(f"{text!r} is no FIELD=VALUE")
    return name, value


def _value(name: str) -> str:
    value = _read(f"Value of {name}", confirmed=True)
    if not value:
        raise InputInvalid(f"Nothing came in on stdin: the value of {name} is read from there")
    return value


def _read(what: str, *, confirmed: bool = False) -> str:
    """From a prompt, where it may be left empty unless it is asked for twice; or from stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.read().removesuffix("\n")
    default = None if confirmed else ""
    return str(typer.prompt(what, default, hide_input=True, confirmation_prompt=confirmed, show_default=False))


@contextmanager
def _opened(data: Path | None) -> Iterator[tuple[Vault, Variables]]:
    # Not by way of the server's settings: these commands start sooner without it.
    from flowscope.library import KeySettings, LibraryDatabase, Variables, Vault

    keys = KeySettings.from_environment(os.environ)
    database = LibraryDatabase(data or Path(os.environ.get("FLOWSCOPE_DATA", "").strip() or ".flowscope"))
    database.start()
    try:
        yield Vault(database, keys), Variables(database)
    finally:
        database.stop()
