-- Format 3: what a task looks at, and a small grey copy of every picture. Never edited, as format 1.

-- What a task looks at, where that was chosen on the page or by a command.

CREATE TABLE looks (
    id     INTEGER PRIMARY KEY,                         -- its order is theirs
    task   INTEGER NOT NULL REFERENCES tasks,
    source TEXT    NOT NULL,
    x      REAL,                                        -- of the region, in fractions of the frame; NULL: all of it
    y      REAL,
    width  REAL,
    height REAL
) STRICT;
CREATE INDEX looks_of_task ON looks (task);

-- A small grey copy of every picture, by which near-duplicates are found when the picture is gone. What
-- came in before has none, and is grouped by its hash alone, as it was.

-- Apart from `samples`, so that listing them reads none.
CREATE TABLE thumbnails (
    sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
    pixels BLOB NOT NULL CHECK (length(pixels) = 1024)  -- luminance, 32 rows of 32
) STRICT;
