"""Workflows to begin with: each is stored once, and never again, whatever becomes of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import msgspec

from flowscope.definition.document import parse
from flowscope.errors import DefinitionInvalid, InputInvalid, WorkflowExists
from flowscope.library import draft_of
from flowscope.log import get_logger
from flowscope.server.services import Services

log = get_logger("flowscope.examples")

STORED: Final = "examples-stored"
"""A file of the data directory: the ids that have been stored before, a line each."""


async def store_examples(services: Services, directory: Path) -> list[str]:
    """Store the workflows among the directory's JSON files that were not stored before; their ids. One that is there
    already is left as it is, and one that was deleted stays away. `InputInvalid` if there is no such directory."""
    return await asyncio.to_thread(_store, services, directory)


def _store(services: Services, directory: Path) -> list[str]:
    if not directory.is_dir():
        raise InputInvalid(f"There is no directory {directory}, whose workflows were to be stored: see --examples")
    kept = services.settings.data_dir
    record = kept / STORED if kept else None
    before = record.read_text().splitlines() if record and record.is_file() else []
    added = []
    for file in sorted(directory.glob("*.json")):
        document = _document(file)
        if document is None or document["id"] in before:
            continue
        draft = draft_of(document, services.engine.registry, limits=services.limits)
        try:
            services.define(services.library.create(draft, by="examples"))
            added.append(draft.workflow_id)
        except WorkflowExists:
            log.info("example_known", workflow_id=draft.workflow_id)
        before.append(document["id"])
    if record:
        record.write_text("\n".join(before) + "\n")
    return added


def _document(file: Path) -> dict[str, Any] | None:
    """A workflow's document, with an id; None for a file that is something else."""
    try:
        value, _ = parse(file.read_bytes())
    except (DefinitionInvalid, OSError, msgspec.MsgspecError):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("nodes"), list):
        return None
    return value if isinstance(value.get("id"), str) and value["id"] else {**value, "id": file.stem}
