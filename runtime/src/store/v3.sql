-- Format 3: a small grey copy of every picture, by which near-duplicates are found when the picture is gone. Never edited,
-- as format 1. What came in before has none, and is grouped by its hash alone, as it was.

-- Apart from `samples`, so that listing them reads none.
CREATE TABLE thumbnails (
    sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
    pixels BLOB NOT NULL CHECK (length(pixels) = 1024)  -- luminance, 32 rows of 32
) STRICT;
