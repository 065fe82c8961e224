"""A draft: whatever somebody is still working on, as long as it is a JSON object of a bearable size.

What belongs to the library and not to the document is left out of it, so that what was read can be sent back as it is.
"""

from __future__ import annotations

import re

import msgspec

from flowscope.definition.catalogue import Catalogue
from flowscope.definition.document import Limits, parse
from flowscope.definition.validate import load
from flowscope.definition.workflow import JSON, Workflow
from flowscope.errors import DefinitionInvalid, InputInvalid, Problem

LONGEST_ID = 128

OURS = frozenset({"version", "active", "activeVersion", "valid", "problems", "createdAt", "updatedAt", "savedBy"})
"""Keys that the library adds beside a document's own, and takes away again."""


class Draft(msgspec.Struct, frozen=True):
    """One document as it is kept. `workflow` is None where it cannot run, for the reasons in `problems`.

    `named` says that the id stood in the document.
    """

    workflow_id: str
    named: bool
    name: str
    nodes: int
    document: bytes
    workflow: Workflow | None
    problems: tuple[Problem, ...] = ()


def draft_of(
    document: bytes | dict[str, JSON], catalogue: Catalogue, *, limits: Limits, workflow_id: str = ""
) -> Draft:
    """Read one; `DefinitionInvalid` only where there is no JSON object, `InputInvalid` where its id is none.

    `workflow_id` is the id it is to have, whatever the document says; without either it is made of the name.
    """
    value, _ = parse(document, limits)
    if not isinstance(value, dict):
        raise DefinitionInvalid([Problem("", "must be an object", "A workflow is a JSON object with nodes and edges")])
    given = value.get("id")
    body = {key: member for key, member in _in_order(document).items() if key not in OURS}
    name = value["name"] if isinstance(value.get("name"), str) else ""
    chosen = workflow_id or given
    if chosen is None:
        chosen = re.sub(r"[^a-z0-9]+", "-", name.lower()[:LONGEST_ID]).strip("-") or "workflow"
    body["id"] = checked_id(chosen)
    kept = msgspec.json.encode(body)
    nodes = value.get("nodes")
    workflow, problems = _examined(kept, catalogue, limits)
    return Draft(
        workflow_id=body["id"],
        named=given is not None or bool(workflow_id),
        name=name,
        nodes=len(nodes) if isinstance(nodes, list) else 0,
        document=kept,
        workflow=workflow,
        problems=problems,
    )


def checked_id(value: object) -> str:
    """An id of a workflow: 1 to 128 visible characters, none of them one that ends a segment of a path."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable() and value == value.strip():
        if value in (".", "..") or any(char in value for char in "/\\?#%"):
            raise InputInvalid(f"The id {value!r} cannot stand in an address: leave out / \\ ? # %")
        return value
    raise InputInvalid(f"An id is a text of 1 to {LONGEST_ID} visible characters, not {str(value)[:80]!r}")


def _in_order(document: bytes | dict[str, JSON]) -> dict[str, JSON]:
    """The members in the order they were written in; `parse` has seen to all else."""
    if isinstance(document, dict):
        return document
    members: dict[str, JSON] = msgspec.json.decode(document.removeprefix(b"\xef\xbb\xbf"))
    return members


def _examined(document: bytes, catalogue: Catalogue, limits: Limits) -> tuple[Workflow | None, tuple[Problem, ...]]:
    try:
        return load(document, catalogue, limits=limits), ()
    except DefinitionInvalid as invalid:
        return None, invalid.problems
