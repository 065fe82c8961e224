"""The `Store` port, twice: in memory, and in SQLite. Both pass `flowscope.testing.store_conformance`.

writer.py        one thread: drain what waits, write it once, acknowledge
admission.py     which segments may be appended: the fence of sequence and epoch
memory.py        MemoryStore
sqlite.py        SqliteStore, made of
  lock.py          one process owns a data directory
  database.py      open, check, set up and migrate the file
  transaction.py   a batch of commits as one transaction
  readers.py       a few read-only connections for any thread
  pruning.py       retention, mark and sweep
  failures.py      what SQLite says, as a `StoreError` with a sentence
  statements.py    schema.sql and statements.sql

results.py       beside the port: results of nodes that are declared cacheable, in a file of its own
"""

from flowscope.journal.memory import MemoryStore
from flowscope.journal.results import ResultCache
from flowscope.journal.sqlite import SqliteStore

__all__ = ["MemoryStore", "ResultCache", "SqliteStore"]
