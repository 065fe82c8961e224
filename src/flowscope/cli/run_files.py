"""`export` and `import`: a run as one file that shows it anywhere, and such a file's run among one's own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from flowscope.cli.listings import reading
from flowscope.engine import surroundings_of
from flowscope.errors import ExecutionEnded, InputInvalid, StoreError
from flowscope.journal import SqliteStore
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.ports import CommitResult
from flowscope.runfile import Options, content_of, page_of, read_run_file
from flowscope.runfile.importing import LARGEST

PRIVATE: Final = 0o600


def export_run(data: Path, registry: Registry, execution_id: str, file: Path, options: Options) -> str:
    """Write the file; what to say of it. `InputInvalid` where it cannot be written."""
    with reading(data) as store:
        content = content_of(store, registry, execution_id, options, time.time() * 1000)
    page = page_of(content)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as out:
            out.write(page)
    except OSError as error:
        raise InputInvalid(f"Cannot write {file}: {error.strerror}") from None
    size = f"{len(page) / 1024:,.0f} KiB" if len(page) < 1024 * 1024 else f"{len(page) / 1024 / 1024:,.1f} MiB"
    found = f"{content['blotted']} values were blotted out" if content["blotted"] else "nothing had to be blotted out"
    kept = found if options.data else "the data was left out"
    return f"{file}: {size}, {len(content['journal']):,} events; {kept}"


def options_of(data: Path, *, with_data: bool, redact: list[str]) -> Options:
    """What is known here as a secret is blotted out wherever it stands."""
    secrets = frozenset(surroundings_of(os.environ, data).secrets.values())
    return Options(data=with_data, redact=tuple(redact), secrets=secrets)


def import_run(data: Path, file: Path, execution_id: str) -> str:
    """Put the file's run among those of a data directory; its id. `InputInvalid`, `ExecutionEnded`, a `StoreError`."""
    try:
        if file.stat().st_size > LARGEST:
            raise InputInvalid(f"{file} is larger than {LARGEST // 1024 // 1024} MiB")
        found = read_run_file(file.read_bytes(), execution_id)
    except OSError as error:
        raise InputInvalid(f"Cannot read {file}: {error.strerror}") from None
    store = SqliteStore(data)
    store.start()
    results: list[CommitResult] = []
    try:
        row = store.row(found.execution_id)
        if row is not None:
            raise ExecutionEnded(
                found.execution_id, f"{row.status}; give the imported one another id with --execution-id"
            )
        store.submit(found.commit(results.append))
    finally:
        store.stop()
    refused: StoreError | None = results[0].error or next(iter(results[0].conflicts.values()), None)
    if refused is not None:
        raise refused
    return found.execution_id
