-- Version 3. Keys of segments and log lines are (execution number << 32) + first_seq, or + offset: one integer, so that
-- the rows lie in a table's own tree, which holds big values better than an index (WITHOUT ROWID) does.

CREATE TABLE executions (
  number INTEGER PRIMARY KEY,              -- stands for the id wherever it would be repeated
  execution_id TEXT NOT NULL UNIQUE,
  workflow_id TEXT NOT NULL,
  workflow_name TEXT NOT NULL,
  definition TEXT NOT NULL,
  status TEXT NOT NULL,
  detail TEXT NOT NULL,
  started_at REAL NOT NULL,
  ended_at REAL NOT NULL,                  -- 0: has not ended
  parent_execution_id TEXT NOT NULL,
  caller_execution_id TEXT NOT NULL,
  error TEXT NOT NULL,
  folded TEXT NOT NULL,                    -- what text search looks in, case-folded
  epoch INTEGER NOT NULL                   -- last_seq is not here: it is the last segment's, and so never out of step
) STRICT;

CREATE INDEX executions_by_start ON executions (started_at, execution_id);
CREATE INDEX executions_on_top ON executions (started_at, execution_id) WHERE caller_execution_id = '';
CREATE INDEX executions_by_workflow ON executions (workflow_id, started_at);
CREATE INDEX executions_by_status ON executions (status, started_at);
CREATE INDEX executions_by_parent ON executions (parent_execution_id) WHERE parent_execution_id <> '';
CREATE INDEX executions_by_end ON executions (ended_at) WHERE ended_at > 0;
CREATE INDEX executions_by_definition ON executions (definition);

CREATE TABLE segments (
  key INTEGER PRIMARY KEY,
  last_seq INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  version INTEGER NOT NULL,
  lines BLOB NOT NULL
) STRICT;

CREATE TABLE logs (
  key INTEGER PRIMARY KEY,
  node_id TEXT NOT NULL,
  path TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  at REAL NOT NULL,
  kind TEXT NOT NULL,
  level TEXT NOT NULL,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE blobs (
  number INTEGER PRIMARY KEY,
  sha256 BLOB NOT NULL UNIQUE,
  bytes BLOB NOT NULL
) STRICT;

-- What an execution's segments refer to by content: payloads, and definitions of children yet to start.
CREATE TABLE refs (
  execution INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  PRIMARY KEY (execution, sha256)
) STRICT, WITHOUT ROWID;

CREATE INDEX refs_by_content ON refs (sha256);

-- The ids of the last executions that were pruned.
CREATE TABLE pruned (
  number INTEGER PRIMARY KEY,
  execution_id TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE definitions (
  number INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  workflow_id TEXT NOT NULL,
  name TEXT NOT NULL,
  stored_at REAL NOT NULL,
  document BLOB NOT NULL
) STRICT;

CREATE TABLE workflows (
  workflow_id TEXT PRIMARY KEY,
  latest TEXT NOT NULL                     -- sha256 of the definition stored last, or stored again last
) STRICT, WITHOUT ROWID;

CREATE INDEX workflows_by_latest ON workflows (latest);
