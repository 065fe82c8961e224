-- Every statement, by name. A line of /* rows */ is repeated, one for each row written: many rows in one step, because
-- each step gives up the interpreter's lock and a busy event loop gives it back only milliseconds later. Rows that fill
-- up a statement are NULL.

-- name: begin
BEGIN IMMEDIATE

-- name: commit
COMMIT

-- name: rollback
ROLLBACK

-- name: next_number
SELECT coalesce(max(number), 0) + 1 FROM executions

-- name: standings
-- Where executions stand, of those ids that are there.
SELECT number, execution_id, workflow_id, workflow_name, definition, status, detail, started_at, ended_at,
  parent_execution_id, caller_execution_id, error, epoch,
  (SELECT last_seq FROM segments WHERE key < (number + 1) << 32 ORDER BY key DESC LIMIT 1),
  (SELECT coalesce(max(key), number << 32) - (number << 32) FROM logs WHERE key BETWEEN number << 32 AND (number << 32) + 0xffffffff)
FROM executions
WHERE execution_id IN (
  VALUES
  /* rows */ (?)
)

-- name: insert_executions
INSERT INTO executions (number, execution_id, workflow_id, workflow_name, definition, status, detail, started_at, ended_at,
  parent_execution_id, caller_execution_id, error, folded, epoch)
SELECT * FROM (
  VALUES
  /* rows */ (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
) WHERE column1 IS NOT NULL

-- name: advance_executions
-- What changes in the life of an execution; the indices of all else stay untouched.
UPDATE executions SET status = v.column2, detail = v.column3, ended_at = v.column4, error = v.column5, folded = v.column6
FROM (
  VALUES
  /* rows */ (?, ?, ?, ?, ?, ?)
) AS v WHERE number = v.column1

-- name: rewrite_execution
-- What hardly ever changes.
UPDATE executions SET workflow_id = ?2, workflow_name = ?3, definition = ?4, started_at = ?5, parent_execution_id = ?6,
  caller_execution_id = ?7
WHERE number = ?1

-- name: insert_segments
INSERT INTO segments (key, last_seq, epoch, version, lines)
SELECT * FROM (
  VALUES
  /* rows */ (?, ?, ?, ?, ?)
) WHERE column1 IS NOT NULL

-- name: insert_refs
INSERT INTO refs (execution, sha256)
SELECT * FROM (
  VALUES
  /* rows */ (?, ?)
) WHERE column1 IS NOT NULL
ON CONFLICT DO NOTHING

-- name: insert_logs
INSERT INTO logs (key, node_id, path, attempt, at, kind, level, text)
SELECT * FROM (
  VALUES
  /* rows */ (?, ?, ?, ?, ?, ?, ?, ?)
) WHERE column1 IS NOT NULL

-- name: insert_blob
INSERT INTO blobs (sha256, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING

-- name: insert_definition
INSERT INTO definitions (sha256, workflow_id, name, stored_at, document) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: set_latest
INSERT INTO workflows (workflow_id, latest) VALUES (?, ?) ON CONFLICT DO UPDATE SET latest = excluded.latest

-- name: raise_epoch
UPDATE executions SET epoch = epoch + 1 WHERE number IN (SELECT value FROM json_each(?))

-- name: number
SELECT number FROM executions WHERE execution_id = ?

-- name: read_segments
-- ?1 is the execution's number << 32, ?2 the cursor. From the segment that holds the event after it; those further on have
-- greater keys, and only a segment that ends at the cursor has to be left out.
SELECT key & 0xffffffff, last_seq, epoch, version, lines
FROM segments
WHERE key BETWEEN coalesce((SELECT max(key) FROM segments WHERE key BETWEEN ?1 AND ?1 + ?2 + 1), ?1) AND ?1 + 0xffffffff
  AND last_seq > ?2
ORDER BY key

-- name: read_rows
-- Executions; conditions, order and limit follow.
SELECT execution_id, workflow_id, workflow_name, definition, status, detail, started_at, ended_at,
  parent_execution_id, caller_execution_id, error,
  (SELECT last_seq FROM segments WHERE key < (number + 1) << 32 ORDER BY key DESC LIMIT 1) AS last_seq, epoch
FROM executions

-- name: read_logs
SELECT key & 0xffffffff, node_id, path, attempt, at, kind, level, text
FROM logs
WHERE key > ?1 + ?2 AND key <= ?1 + 0xffffffff
ORDER BY key LIMIT ?3

-- name: read_blob
SELECT bytes FROM blobs WHERE sha256 = ?

-- name: read_definition
SELECT document FROM definitions WHERE sha256 = ?

-- name: read_latest_definition
SELECT sha256, document FROM workflows JOIN definitions ON sha256 = latest WHERE workflows.workflow_id = ?

-- name: prunable
-- ?1: ended before; ?2: how many of the newest stay, 0 for all.
SELECT execution_id, ended_at FROM (
  SELECT execution_id, ended_at, row_number() OVER (ORDER BY ended_at DESC, execution_id DESC) AS place
  FROM executions WHERE ended_at > 0
)
WHERE ended_at < ?1 OR (?2 > 0 AND place > ?2)
ORDER BY ended_at, execution_id

-- name: sizes
-- What each execution takes; a payload counts for each that refers to it.
SELECT execution_id, ended_at,
  (SELECT coalesce(sum(length(lines)), 0) FROM segments WHERE key BETWEEN number << 32 AND (number << 32) + 0xffffffff)
  + (SELECT coalesce(sum(length(text)), 0) FROM logs WHERE key BETWEEN number << 32 AND (number << 32) + 0xffffffff)
  + (SELECT coalesce(sum(length(bytes)), 0) FROM refs JOIN blobs USING (sha256) WHERE refs.execution = executions.number)
FROM executions ORDER BY ended_at, execution_id

-- name: prunable_number
-- Asked again where it is deleted: a reader's answer is from before.
SELECT number FROM executions WHERE execution_id = ? AND ended_at > 0 AND ended_at = ?

-- name: note_pruned
INSERT INTO pruned (execution_id) VALUES (?) ON CONFLICT DO NOTHING

-- name: forget_pruned
DELETE FROM pruned WHERE number <= (SELECT max(number) FROM pruned) - 100000

-- name: read_pruned
SELECT 1 FROM pruned WHERE execution_id = ?

-- name: delete_segments
DELETE FROM segments WHERE key BETWEEN ?1 << 32 AND (?1 << 32) + 0xffffffff

-- name: delete_logs
DELETE FROM logs WHERE key BETWEEN ?1 << 32 AND (?1 << 32) + 0xffffffff

-- name: delete_refs
DELETE FROM refs WHERE execution = ?1

-- name: delete_execution
DELETE FROM executions WHERE number = ?1

-- name: unreferenced_blobs
SELECT number FROM blobs WHERE NOT EXISTS (SELECT 1 FROM refs WHERE refs.sha256 = blobs.sha256)

-- name: delete_blob
DELETE FROM blobs WHERE number = ? AND NOT EXISTS (SELECT 1 FROM refs WHERE refs.sha256 = blobs.sha256)

-- name: unreferenced_definitions
SELECT number FROM definitions
WHERE NOT EXISTS (SELECT 1 FROM executions WHERE definition = definitions.sha256)
  AND NOT EXISTS (SELECT 1 FROM workflows WHERE latest = definitions.sha256)
  AND NOT EXISTS (SELECT 1 FROM refs WHERE refs.sha256 = unhex(definitions.sha256))

-- name: delete_definition
DELETE FROM definitions
WHERE number = ?
  AND NOT EXISTS (SELECT 1 FROM executions WHERE definition = definitions.sha256)
  AND NOT EXISTS (SELECT 1 FROM workflows WHERE latest = definitions.sha256)
  AND NOT EXISTS (SELECT 1 FROM refs WHERE refs.sha256 = unhex(definitions.sha256))
