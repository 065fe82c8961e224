"""Which workflows name a secret or a credential, so that nobody deletes what is needed.

It is read off the text of each version that runs, which is cheap and finds whatever is named in so many words; a name that is
worked out at run time is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from flowscope.library import WorkflowLibrary

Kind = Literal["secret", "credential"]

_PLACES: Final = {
    "secret": re.compile(
        rb"""\bsecrets(?:\.|\[\\?["'])(?P<read>\w+)|"(?:secret|webhookSecret)"\s*:\s*"(?P<set>\w+)\""""
    ),
    "credential": re.compile(rb"""\bcredentials(?:\.|\[\\?["'])(?P<read>\w+)|"credential"\s*:\s*"(?P<set>\w+)\""""),
}


class _Named(msgspec.Struct):
    name: str = ""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow that names it."""

    workflow_id: str
    workflow_name: str


def users(library: WorkflowLibrary, kind: Kind) -> dict[str, list[User]]:
    """By the names of secrets or credentials, whether they are kept or not."""
    found: dict[str, list[User]] = {}
    for stored in library.all_active():
        user = None
        for name in sorted(set(named(stored.document, kind))):
            user = user or User(
                workflow_id=stored.workflow_id, workflow_name=msgspec.json.decode(stored.document, type=_Named).name
            )
            found.setdefault(name, []).append(user)
    return found


def named(document: bytes, kind: Kind) -> Iterator[str]:
    """The names in a document's text."""
    for match in _PLACES[kind].finditer(document):
        yield (match["read"] or match["set"]).decode()
