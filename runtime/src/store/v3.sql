-- Format 3: what a task looks at, where that was chosen on the page or by a command. Never edited, as format 1.

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
