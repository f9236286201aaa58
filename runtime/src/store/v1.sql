-- Format 1. Never edited: a store in the field has these tables. A change is a new file and a line in `schema.rs`.
-- Times are microseconds since 1970 by whatever clock there was; order rests on the AUTOINCREMENT numbers alone.

CREATE TABLE tasks (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,
    backbone        TEXT    NOT NULL,
    backbone_id     BLOB    NOT NULL CHECK (length(backbone_id) = 32),
    manifest        TEXT    NOT NULL,
    model           BLOB,                               -- path; NULL: the built-in one
    dim             INTEGER NOT NULL CHECK (dim > 0),
    full_scale      REAL    NOT NULL,
    signed          INTEGER NOT NULL,
    group_by        TEXT    NOT NULL,
    created         INTEGER NOT NULL,
    next_generation INTEGER NOT NULL DEFAULT 1,         -- a number is never used twice
    forgets         INTEGER NOT NULL DEFAULT 0          -- tells a snapshot that it is out of date
) STRICT;

CREATE TABLE classes (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,             -- its order is the order of classes
    task INTEGER NOT NULL REFERENCES tasks,
    name TEXT    NOT NULL,
    UNIQUE (task, name)
) STRICT;

CREATE TABLE samples (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    task      INTEGER NOT NULL REFERENCES tasks,
    id        BLOB    NOT NULL CHECK (length(id) = 16), -- first bytes of the SHA-256 of the payload
    media     TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    taken     INTEGER,
    group_key TEXT,
    phash     INTEGER,
    codes     BLOB    NOT NULL,                         -- the feature, one byte a component
    saturated INTEGER NOT NULL,
    extractor TEXT    NOT NULL,
    added     INTEGER NOT NULL,
    UNIQUE (task, id)
) STRICT;

-- Apart from `samples`, so that reading every feature reads no picture.
CREATE TABLE payloads (
    sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
    bytes  BLOB NOT NULL
) STRICT;

-- Every claim ever made; the last one of a sample counts, and no class withdraws.
CREATE TABLE labels (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    sample INTEGER NOT NULL REFERENCES samples ON DELETE CASCADE,
    class  INTEGER REFERENCES classes,
    who    TEXT    NOT NULL,
    time   INTEGER NOT NULL
) STRICT;
CREATE INDEX labels_of_sample ON labels (sample, seq);
CREATE INDEX labels_of_class ON labels (class);

CREATE TABLE heads (
    id         INTEGER PRIMARY KEY,
    task       INTEGER NOT NULL REFERENCES tasks,
    generation INTEGER NOT NULL,
    origin     TEXT    NOT NULL,                        -- adapted, imported, refitted
    watermark  INTEGER,                                 -- last label it can have seen; NULL: fitted elsewhere
    pinned     INTEGER NOT NULL DEFAULT 0,
    created    INTEGER NOT NULL,
    digest     BLOB    NOT NULL,                        -- SHA-256 of file
    file       BLOB    NOT NULL,                        -- a head file: kind, parameters, provenance, evaluation
    UNIQUE (task, generation)
) STRICT;

-- Out-of-sample probabilities of what a head was fitted on, f32 little endian, in the order of its classes.
CREATE TABLE leave_out (
    head          INTEGER NOT NULL REFERENCES heads ON DELETE CASCADE,
    sample        INTEGER NOT NULL REFERENCES samples ON DELETE CASCADE,
    probabilities BLOB    NOT NULL,
    PRIMARY KEY (head, sample)
) STRICT, WITHOUT ROWID;
CREATE INDEX leave_out_of_sample ON leave_out (sample);

CREATE TABLE adaptations (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    task       INTEGER NOT NULL REFERENCES tasks,
    outcome    TEXT    NOT NULL,
    record     TEXT    NOT NULL,                        -- JSON
    generation INTEGER,
    who        TEXT    NOT NULL,
    time       INTEGER NOT NULL
) STRICT;

-- Every move of the pointer to the head in service; the last one counts. `back` is where a roll back goes.
CREATE TABLE service (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    task       INTEGER NOT NULL REFERENCES tasks,
    generation INTEGER,
    change     TEXT    NOT NULL,                        -- activated, adapted, forgot, rolled_back
    forced     INTEGER NOT NULL,
    back       INTEGER REFERENCES service,
    who        TEXT    NOT NULL,
    time       INTEGER NOT NULL
) STRICT;
CREATE INDEX service_of_task ON service (task, seq);

-- Digests of head files deleted because of something forgotten: they are not taken back.
CREATE TABLE withdrawn (
    task   INTEGER NOT NULL REFERENCES tasks,
    digest BLOB    NOT NULL,
    PRIMARY KEY (task, digest)
) STRICT, WITHOUT ROWID;

-- One row while bytes of something forgotten may still be in the files.
CREATE TABLE scrub_pending (
    one INTEGER PRIMARY KEY CHECK (one = 1)
) STRICT;
