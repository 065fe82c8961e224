"""SQLite behaves as memory does, whatever happens in whatever order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flowscope.errors import StoreCorrupt
from flowscope.journal import MemoryStore, SqliteStore
from flowscope.orchestrator.ports import ExecutionQuery, ExecutionRow, LogLine, Retention, Segment, Store
from flowscope.testing.store_conformance import row, sha, submit, together

IDS = st.sampled_from(["a", "b", "c", "n\0l", "ß"])
WORKFLOWS = st.sampled_from(["w", "v"])
DIGESTS = st.sampled_from("0123").map(sha)
INSTANTS = st.sampled_from([0.0, 1.0, 2.0, 3.0])
ROWS = st.builds(
    row,
    IDS,
    workflow_id=WORKFLOWS,
    workflow_name=st.sampled_from(["", "Straße", "100%"]),
    definition=st.one_of(st.just(""), DIGESTS),
    status=st.sampled_from(["running", "waiting", "failed"]),
    started_at=INSTANTS,
    ended_at=INSTANTS,
    parent_execution_id=st.sampled_from(["", "a", "b"]),
    caller_execution_id=st.sampled_from(["", "a"]),
    error=st.sampled_from(["", "no", "broken \udcff"]),
)
QUERIES = st.builds(
    ExecutionQuery,
    workflow_id=st.sampled_from(["", "w"]),
    statuses=st.lists(st.sampled_from(["running", "waiting", "failed", ""]), max_size=3),
    started_after=INSTANTS,
    started_before=INSTANTS,
    text=st.sampled_from(["", "STRASSE", "%", "N\0L", "b", "\n"]),
    parent_execution_id=st.sampled_from(["", "a"]),
    on_top=st.booleans(),
    before=st.one_of(st.none(), st.tuples(INSTANTS, IDS)),
    limit=st.integers(0, 4),
)


class Draft:
    """A segment still without its place: `skew` 0 is the right one."""

    def __init__(
        self, execution_id: str, count: int, skew: int, epoch_skew: int, row: ExecutionRow | None, refers: str
    ) -> None:
        self.execution_id, self.count, self.skew, self.epoch_skew = execution_id, count, skew, epoch_skew
        self.row, self.refers = row, refers

    def __repr__(self) -> str:
        return f"Draft({vars(self)})"

    def placed(self, store: Store, ahead: dict[str, int]) -> Segment:
        stored = store.row(self.execution_id)
        last = ahead.get(self.execution_id, stored.last_seq if stored else 0)
        first = last + 1 + self.skew
        if self.skew == 0:
            ahead[self.execution_id] = last + self.count
        lines = b"".join(b'{"sha256":"%s","seq":%d}\n' % (self.refers.encode(), n) for n in range(self.count))
        return Segment(
            execution_id=self.execution_id,
            first_seq=first,
            last_seq=first + self.count - 1,
            epoch=(stored.epoch if stored else 1) + self.epoch_skew,
            lines=lines,
            row=self.row,
        )


DRAFTS = st.builds(
    Draft,
    IDS,
    st.integers(1, 3),
    st.sampled_from([0, 0, 0, 0, 0, -1, 1]),
    st.sampled_from([0, 0, 0, 0, 0, -1, 1]),
    st.one_of(ROWS, ROWS, st.none()),
    DIGESTS,
)


class StoresAgree(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="flowscope-test-"))
        self.memory = MemoryStore()
        self.sqlite = SqliteStore(self.directory)
        self.stores: tuple[Store, Store] = (self.memory, self.sqlite)
        for store in self.stores:
            store.start()

    def teardown(self) -> None:
        for store in self.stores:
            store.stop()
        shutil.rmtree(self.directory)

    @rule(commits=st.lists(st.lists(DRAFTS, max_size=4), min_size=1, max_size=4))
    def commit_together(self, commits: list[list[Draft]]) -> None:
        ahead: dict[str, int] = {}
        placed = [[draft.placed(self.memory, ahead) for draft in drafts] for drafts in commits]
        results = [
            together(store, lambda store=store: [submit(store, *segments) for segments in placed])  # type: ignore[misc]
            for store in self.stores
        ]
        assert list(map(repr, results[0])) == list(map(repr, results[1]))

    @rule(
        digest=DIGESTS,
        workflow=WORKFLOWS,
        logs=st.lists(st.builds(LogLine, execution_id=IDS, node_id=st.just("n"), text=st.text(max_size=5)), max_size=3),
    )
    def keep(self, digest: str, workflow: str, logs: list[LogLine]) -> None:
        for store in self.stores:
            blobs = [(digest, digest.encode())]
            definitions = [(digest, workflow, "", digest.encode())]
            assert submit(store, blobs=blobs, definitions=definitions, logs=logs).wait().error is None

    @rule(execution_ids=st.lists(IDS, max_size=3))
    def claim(self, execution_ids: list[str]) -> None:
        one, other = (store.claim(execution_ids) for store in self.stores)
        assert one == other

    @rule(before=INSTANTS, limit=st.integers(0, 3), dry_run=st.booleans())
    def prune(self, before: float, limit: int, dry_run: bool) -> None:
        retention = Retention(ended_before=before, limit=limit, dry_run=dry_run)
        memory, sqlite = (list(store.prune(retention)) for store in self.stores)
        assert memory == sqlite

    @rule()
    def restart(self) -> None:
        for store in self.stores:
            store.stop()
            store.start()

    @rule(query=QUERIES)
    def search(self, query: ExecutionQuery) -> None:
        memory, sqlite = (list(store.search(query)) for store in self.stores)
        assert memory == sqlite

    @invariant()
    def the_same_is_read(self) -> None:
        memory, sqlite = (_contents(store) for store in self.stores)
        assert memory == sqlite


def _contents(store: Store) -> dict[str, object]:
    """All that can be read."""
    found: dict[str, object] = {}
    for execution_id in ("a", "b", "c", "n\0l", "ß"):
        segments = store.read(execution_id)
        numbers = [seq for each in segments for seq in range(each.first_seq, each.last_seq + 1)]
        assert numbers == list(range(1, len(numbers) + 1))
        rest = store.read(execution_id, 2, 2)
        found[execution_id] = (
            store.row(execution_id),
            numbers,
            [each.epoch for each in segments for _ in range(each.first_seq, each.last_seq + 1)],
            b"".join(each.lines for each in segments),
            min([seq for each in rest for seq in range(each.first_seq, each.last_seq + 1) if seq > 2], default=0),
            list(store.logs(execution_id)),
        )
    for digest in map(sha, "0123"):
        for read in (store.blob, store.definition):
            try:
                found[f"{read.__name__} {digest}"] = read(digest)
            except StoreCorrupt:
                found[f"{read.__name__} {digest}"] = None
    for workflow in ("w", "v"):
        found[f"latest {workflow}"] = store.latest_definition(workflow)
    found["latest"] = store.latest(["w", "v"])
    return found


TestStoresAgree = StoresAgree.TestCase
TestStoresAgree.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
