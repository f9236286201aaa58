-- Format 5: signed heads of other devices, and what was seen of their signers. Never edited, as format 1.

-- Whose head it is, and how it fares here.
CREATE TABLE installed (
    head     INTEGER PRIMARY KEY REFERENCES heads ON DELETE CASCADE,
    signer   BLOB    NOT NULL CHECK (length(signer) = 32), -- SHA-256 of the key that signed it
    name     TEXT    NOT NULL,                             -- what the key was called here
    device   TEXT    NOT NULL,                             -- where it was in service
    number   INTEGER NOT NULL,                             -- the signer's: of two, the larger is the newer
    issued   INTEGER NOT NULL,
    samples  BLOB,                                         -- marks of what it was fitted on; NULL: not said
    unproved INTEGER NOT NULL                              -- no labels of this device have proved it yet
) STRICT;

-- The newest that each signer has said of a task: nothing older is taken for new again.
CREATE TABLE seen (
    task   INTEGER NOT NULL REFERENCES tasks,
    signer BLOB    NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB    NOT NULL,                               -- SHA-256 of the head file
    judged INTEGER NOT NULL,                               -- whether it came as far as the local judgement
    PRIMARY KEY (task, signer)
) STRICT, WITHOUT ROWID;
