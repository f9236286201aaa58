-- Format 2: a task has backbones, one of them in use; a sample has a feature of each. Never edited, as format 1.

CREATE TABLE backbones (
    id          INTEGER PRIMARY KEY,
    task        INTEGER NOT NULL REFERENCES tasks,
    name        TEXT    NOT NULL,
    backbone_id BLOB    NOT NULL CHECK (length(backbone_id) = 32),
    manifest    TEXT    NOT NULL,
    model       BLOB,                                   -- path; NULL: the built-in one
    dim         INTEGER NOT NULL CHECK (dim > 0),
    full_scale  REAL    NOT NULL,
    signed      INTEGER NOT NULL,
    UNIQUE (task, backbone_id)
) STRICT;
INSERT INTO backbones (task, name, backbone_id, manifest, model, dim, full_scale, signed)
    SELECT id, backbone, backbone_id, manifest, model, dim, full_scale, signed FROM tasks;

-- Row by row in an ordinary table: a feature fills a third of a page, which an index would put on a page of its own.
CREATE TABLE features (
    id        INTEGER PRIMARY KEY,
    sample    INTEGER NOT NULL REFERENCES samples ON DELETE CASCADE,
    backbone  INTEGER NOT NULL REFERENCES backbones,
    codes     BLOB    NOT NULL,                         -- the feature, one byte a component
    saturated INTEGER NOT NULL,
    norm      REAL,                                     -- before normalisation; NULL: computed by format 1
    extractor TEXT    NOT NULL,
    UNIQUE (sample, backbone)
) STRICT;
INSERT INTO features (sample, backbone, codes, saturated, extractor)
    SELECT s.seq, b.id, s.codes, s.saturated, s.extractor FROM samples s JOIN backbones b ON b.task = s.task ORDER BY s.seq;
ALTER TABLE samples DROP COLUMN codes;
ALTER TABLE samples DROP COLUMN saturated;
ALTER TABLE samples DROP COLUMN extractor;

-- What may compute features of a backbone: the first that did, and those found to give the same.
CREATE TABLE extractors (
    backbone   INTEGER NOT NULL REFERENCES backbones,
    extractor  TEXT    NOT NULL,
    checked    INTEGER NOT NULL,                        -- payloads embedded again to find that out
    difference REAL,                                    -- largest, of a component; NULL: nothing to compare with
    time       INTEGER NOT NULL,
    PRIMARY KEY (backbone, extractor)
) STRICT, WITHOUT ROWID;
INSERT INTO extractors (backbone, extractor, checked, time)
    SELECT backbone, extractor, 0, 0 FROM features GROUP BY backbone, extractor;

ALTER TABLE heads ADD COLUMN backbone INTEGER REFERENCES backbones;
UPDATE heads SET backbone = (SELECT id FROM backbones b WHERE b.task = heads.task);

ALTER TABLE tasks ADD COLUMN backbone_in_use INTEGER REFERENCES backbones;
ALTER TABLE tasks ADD COLUMN classes_only INTEGER NOT NULL DEFAULT 0; -- no others are made by labels
UPDATE tasks SET backbone_in_use = (SELECT id FROM backbones b WHERE b.task = tasks.id);
ALTER TABLE tasks DROP COLUMN backbone;
ALTER TABLE tasks DROP COLUMN backbone_id;
ALTER TABLE tasks DROP COLUMN manifest;
ALTER TABLE tasks DROP COLUMN model;
ALTER TABLE tasks DROP COLUMN dim;
ALTER TABLE tasks DROP COLUMN full_scale;
ALTER TABLE tasks DROP COLUMN signed;
