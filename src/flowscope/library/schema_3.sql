-- Version 3: which workflows are active, and how far their triggers are.

CREATE TABLE activations (
  workflow_id TEXT PRIMARY KEY,
  since REAL NOT NULL,
  activated_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE triggers (
  workflow_id TEXT NOT NULL,
  node_id TEXT NOT NULL,
  config TEXT NOT NULL,                    -- what it was set to: another setting counts from anew
  since REAL NOT NULL,
  standing BLOB NOT NULL,                  -- JSON: what is decided, and what is known to be there
  fired INTEGER NOT NULL,
  fired_at REAL NOT NULL,                  -- 0: never
  execution_id TEXT NOT NULL,
  error TEXT NOT NULL,
  PRIMARY KEY (workflow_id, node_id)
) STRICT, WITHOUT ROWID;

-- Random values that are made once and kept, such as what links are signed with.
CREATE TABLE seals (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
