-- Version 4: drafts. See docs/decisions/0011-drafts-become-versions.md.

ALTER TABLE versions ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;  -- how often it has been saved over

ALTER TABLE versions ADD COLUMN draft INTEGER NOT NULL DEFAULT 0;     -- 1: the next save of the same sitting takes its place
