-- Format 4: sources that were added on the page or by a command. Never edited, as format 1.

CREATE TABLE sources (
    name   TEXT PRIMARY KEY,
    kind   TEXT NOT NULL,
    device TEXT                                         -- of a camera
) STRICT;
