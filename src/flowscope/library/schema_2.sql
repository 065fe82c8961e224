-- Version 2: secrets, credentials and variables.

-- Which library this is; the file with its sealing keys goes by this name, outside of the data directory.
CREATE TABLE identity (
  library_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- AES-256-GCM: a nonce of 12 bytes, the ciphertext, its tag. Kind, name and type are authenticated with it.
CREATE TABLE sealed (
  kind TEXT NOT NULL,                      -- secret, or credential
  name TEXT NOT NULL,
  type TEXT NOT NULL,                      -- of a credential
  key_id TEXT NOT NULL,                    -- which key opens it
  sealed BLOB NOT NULL,
  created_at REAL NOT NULL,
  updated_at REAL NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE variables (
  name TEXT PRIMARY KEY,
  value BLOB NOT NULL,                     -- JSON
  updated_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
