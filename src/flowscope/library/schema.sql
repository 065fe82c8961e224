-- Version 1.

CREATE TABLE workflows (
  workflow_id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,                -- the newest
  active INTEGER,                          -- the one that runs; NULL: only drafts so far
  name TEXT NOT NULL,
  folded TEXT NOT NULL,                    -- what text search looks in, case-folded
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX workflows_by_update ON workflows (updated_at, workflow_id);

CREATE TABLE versions (
  number INTEGER PRIMARY KEY,
  workflow_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  nodes INTEGER NOT NULL,
  problems INTEGER NOT NULL,               -- 0: it can run
  saved_at REAL NOT NULL,
  saved_by TEXT NOT NULL,
  document BLOB NOT NULL,
  UNIQUE (workflow_id, version)
) STRICT;

-- A key is shown once, when it is made; what is kept cannot be turned back into it.
CREATE TABLE keys (
  key_id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  scope TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE,
  created_at REAL NOT NULL,
  revoked_at REAL                          -- NULL: it opens
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at IS NULL;
