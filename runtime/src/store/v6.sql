-- Format 6: what was chosen of how a task adapts and answers. Never edited, as format 1.
ALTER TABLE tasks ADD COLUMN adapts INTEGER NOT NULL DEFAULT 1;  -- by itself
ALTER TABLE tasks ADD COLUMN threshold REAL NOT NULL DEFAULT 0;  -- the confidence below which every answer is `unknown`
