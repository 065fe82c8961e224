"""Every store does the same."""

from pathlib import Path

from flowscope.journal import MemoryStore, SqliteStore
from flowscope.orchestrator.ports import Store
from flowscope.testing.store_conformance import StoreConformance


class TestMemoryStore(StoreConformance):
    def make_store(self, directory: Path) -> Store:
        return MemoryStore()


class TestSqliteStore(StoreConformance):
    def make_store(self, directory: Path) -> Store:
        return SqliteStore(directory)
