"""`prune`: runs that are kept no longer go, or are only named."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from flowscope.cli.complaints import say_note
from flowscope.cli.formats import counted, duration
from flowscope.cli.listings import reading
from flowscope.errors import InputInvalid
from flowscope.journal import SqliteStore
from flowscope.orchestrator.ports import Store
from flowscope.server.retention import Keep

ALL: Final = 1_000_000_000
_UNITS: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def keep_of(days: float, count: int, size: str) -> Keep:
    """What is to be kept. `InputInvalid` for no limit at all, or a size that is none."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?\s*", size, re.IGNORECASE) if size else None
    if size and found is None:
        raise InputInvalid(f"--max-size must be a size such as 500MB or 20GB, not {size!r}")
    most = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    keep = Keep(days, count, most)
    if keep.everything:
        raise InputInvalid("Say what is to be kept: --keep-days, --keep-count or --max-size")
    return keep


def prune_runs(data: Path, keep: Keep, *, dry_run: bool, as_json: bool) -> None:
    """Delete, or with `dry_run` list, what is beyond that."""
    now = time.time() * 1000
    retention = keep.retention(now, limit=ALL, dry_run=dry_run)
    with reading(data) as store:
        would = list(store.prune(msgspec.structs.replace(retention, dry_run=True)))
        lines = [] if as_json else _lines(store, would, now)
    gone: Sequence[str] = would
    if not dry_run:
        writing = SqliteStore(data)
        writing.start()
        try:
            gone = writing.prune(retention)
        finally:
            writing.stop()
    if as_json:
        print(msgspec.json.encode(list(gone)).decode())
        return
    for line in lines:
        print(line)
    say_note(f"{counted(len(gone), 'run')} {'would go' if dry_run else 'went'}")


def _lines(store: Store, ids: Sequence[str], now: float) -> list[str]:
    rows = [row for row in map(store.row, ids) if row is not None]
    return [
        f"{row.execution_id}  {row.workflow_name or row.workflow_id}  {row.status}  ended {duration(now - row.ended_at)} ago"
        for row in rows
    ]
