//! The data directory from outside: who may open it, what is refused, and that format 1 stays readable.

use std::fs;

use rusqlite::Connection;

use super::*;
use crate::store::schema::FILE;

fn opened(dir: &Path) -> Result<Tasks, StoreError> {
    Tasks::open(dir, &Access::Write { command: "acclimate add".into() })
}

#[test]
fn a_second_writer_is_told_at_once_who_holds_the_store() {
    let (dir, tasks) = store();
    let message = opened(dir.path()).unwrap_err().to_string();
    let holder = format!("is held by `acclimate test` (pid {})", std::process::id());
    assert!(message.contains(&holder), "{message}");
    drop(tasks);
    opened(dir.path()).unwrap();
}

#[test]
fn a_reader_needs_no_lock_and_sees_what_is_committed() {
    let (dir, mut tasks) = store();
    let mut beside = reader(dir.path());
    let id = add(&mut tasks, b"x", None);
    assert!(beside.has_sample("belt", &id).unwrap());
    assert!(matches!(beside.unlabel("belt", &id, "bob", at(0)), Err(StoreError::ReadOnly { .. })));
    drop(tasks);
    assert!(reader(dir.path()).has_sample("belt", &id).unwrap(), "and when nobody writes");
}

#[test]
fn there_is_nothing_to_read_where_there_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    let message = Tasks::open(dir.path(), &Access::Read).unwrap_err().to_string();
    assert!(message.contains("make a task first with `acclimate init`"), "{message}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "and reading makes none");
}

#[test]
fn a_data_directory_is_made_where_it_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    opened(&deep).unwrap();
    assert!(deep.join(FILE).exists());
}

#[test]
fn the_file_is_laid_out_as_promised() {
    let (_dir, tasks) = store();
    let setting = |name: &str| -> String {
        tasks
            .conn
            .query_one(&format!("PRAGMA {name}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0).map(|value| match value {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    other => format!("{other:?}"),
                })
            })
            .unwrap()
    };
    assert_eq!(setting("application_id"), 0x6163_636c.to_string());
    assert_eq!(setting("user_version"), "6");
    assert_eq!(setting("page_size"), "4096");
    assert_eq!(setting("auto_vacuum"), "2", "incremental");
    assert_eq!(setting("synchronous"), "2", "full");
    assert_eq!(setting("secure_delete"), "1");
    assert_eq!(setting("foreign_keys"), "1");
    assert!(setting("journal_mode").contains("wal"));
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let refused = |expected: &str| {
        let before = fs::read(&path).unwrap();
        for message in
            [opened(dir.path()), Tasks::open(dir.path(), &Access::Read)].map(|it| it.unwrap_err().to_string())
        {
            assert!(message.contains(expected), "{message}");
        }
        assert!(fs::read(&path).unwrap() == before);
        fs::remove_file(&path).unwrap();
    };
    fs::write(&path, "no database at all, but long enough to be looked at".repeat(100)).unwrap();
    refused("is not an acclimate store");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    refused("is not an acclimate store");
    Connection::open(&path).unwrap().execute_batch("PRAGMA application_id = 5; CREATE TABLE theirs (x)").unwrap();
    refused("is not an acclimate store");
}

#[test]
fn a_later_format_is_refused_and_left_as_it_is() {
    let (dir, tasks) = store();
    tasks.conn.execute_batch("PRAGMA user_version = 7").unwrap();
    drop(tasks);
    let before = fs::read(dir.path().join(FILE)).unwrap();
    for access in [Access::Read, Access::Write { command: "acclimate add".into() }] {
        let message = Tasks::open(dir.path(), &access).unwrap_err().to_string();
        assert!(message.contains("has format 7, but this version of acclimate knows no format above 6"), "{message}");
    }
    assert!(fs::read(dir.path().join(FILE)).unwrap() == before);
}

#[test]
fn a_shortened_file_is_damaged_and_not_taken_for_an_empty_one() {
    let (dir, mut tasks) = store();
    add(&mut tasks, &vec![7; 100_000], None);
    drop(tasks);
    let path = dir.path().join(FILE);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let message = opened(dir.path()).unwrap_err().to_string();
    assert!(message.contains("is damaged"), "{message}");
}

#[test]
fn a_file_that_was_only_begun_becomes_a_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), []).unwrap();
    assert!(matches!(Tasks::open(dir.path(), &Access::Read), Err(StoreError::NoStore { .. })));
    assert!(opened(dir.path()).unwrap().list().unwrap().is_empty());
}

mod v1 {
    //! Stores of format 1.
    //!
    //! If a test here fails, do not edit the test: stores in the field have these tables. Add a migration, and a `v2`
    //! module.

    use super::*;

    #[test]
    fn the_tables_are_those_of_the_first_day() {
        let digest = Digest::of(include_bytes!("../v1.sql")).to_string();
        assert_eq!(digest, "223a18ef99ccf4e0cc386a27e0619b0e0124be3c38df545134ccd077bf6e611c");
    }

    #[test]
    fn is_still_read() {
        let dir = tempfile::tempdir().unwrap();
        let conn = Connection::open(dir.path().join(FILE)).unwrap();
        conn.execute_batch(include_str!("../v1.sql")).unwrap();
        conn.execute_batch("PRAGMA application_id = 1633903468; PRAGMA user_version = 1; PRAGMA journal_mode = WAL;")
            .unwrap();
        conn.execute_batch(include_str!("v1-rows.sql")).unwrap();
        drop(conn);

        let tasks = opened(dir.path()).unwrap();
        let task = tasks.task("belt").unwrap();
        assert_eq!((task.dim, task.model, task.group_by), (3, Model::File("/m.onnx".into()), GroupBy::Folder));
        assert_eq!((task.samples, task.labelled, task.in_service), (2, 1, Some(Generation(2))));
        let samples = tasks.samples("belt", &Filter::All).unwrap();
        assert_eq!((samples[0].phash, samples[1].label.as_deref()), (Some(u64::MAX), Some("scratch")));
        assert_eq!(tasks.payload("belt", &samples[0].id).unwrap(), b"one");
        assert_eq!(tasks.label_history("belt", &samples[0].id).unwrap().len(), 2);
        assert_eq!(tasks.snapshot("belt").unwrap().codes.row(0).to_vec(), [4, 5, 6]);
        assert_eq!(tasks.heads("belt").unwrap()[0].origin, Origin::Adapted);
        assert_eq!(tasks.leave_out("belt", Generation(1)).unwrap()[0].probabilities, [0.25, 0.75]);
        assert_eq!(tasks.service_history("belt").unwrap()[1].change, Change::Activated);
        assert_eq!(tasks.adaptations("belt").unwrap()[0].outcome, "activated");
        // What format 2 added.
        let snapshot = tasks.snapshot("belt").unwrap();
        assert!(snapshot.norms[0].is_nan(), "format 1 kept no norm");
        assert_eq!((samples[1].saturated, samples[1].extractor.as_str()), (1, "tract 0.23.9 cpu f32"));
        assert_eq!(tasks.extractors("belt", &[0xbb; 32]).unwrap(), ["tract 0.23.9 cpu f32"]);
        assert_eq!((task.backbone.as_str(), task.backbone_id, task.classes_only), ("tiny", [0xbb; 32], false));
        assert_eq!(tasks.head("belt", Generation(1)).unwrap().file.backbone_id, task.backbone_id);
        assert!(tasks.missing_features("belt", &task.backbone_id).unwrap().is_empty(), "unit heads need no norm");
        // What format 3 added.
        assert_eq!(snapshot.group_inputs[0].thumbnail, None, "its groups stay as they were");
        // What format 4 added.
        assert_eq!(tasks.added_sources().unwrap(), []);
        // What format 5 added.
        assert_eq!(tasks.head("belt", Generation(1)).unwrap().installed, None);
        assert_eq!(tasks.seen("belt", &[5; 32]).unwrap(), None);
        // What format 6 added.
        assert_eq!((task.adapts, task.threshold), (true, 0.0));
    }
}

mod v2 {
    //! Stores of format 2: as `v1`.

    use super::*;

    #[test]
    fn the_tables_are_those_of_the_first_day() {
        let digest = Digest::of(include_bytes!("../v2.sql")).to_string();
        assert_eq!(digest, "1edf569b61ee8f50ce80a418b224ffa878ae41045c8db0a5d19c49bed37075ec");
    }
}

mod v3 {
    //! Stores of format 3: as `v1`.

    use super::*;

    #[test]
    fn the_tables_are_those_of_the_first_day() {
        let digest = Digest::of(include_bytes!("../v3.sql")).to_string();
        assert_eq!(digest, "fc97f8bf185572e39549e1c784b17586cba2aa65c14ec0b5ca3a16111926b983");
    }
}

mod v4 {
    //! Stores of format 4: as `v1`.

    use super::*;

    #[test]
    fn the_tables_are_those_of_the_first_day() {
        let digest = Digest::of(include_bytes!("../v4.sql")).to_string();
        assert_eq!(digest, "3566ee036117519967c0eeb76ba368c5d392a7b5d6af335570bfb54d86be7b82");
    }
}

mod v5 {
    //! Stores of format 5: as `v1`.

    use super::*;

    #[test]
    fn the_tables_are_those_of_the_first_day() {
        let digest = Digest::of(include_bytes!("../v5.sql")).to_string();
        assert_eq!(digest, "1db91a6b8b277cd8abfd0b44ab33f199b214f10221db049837d127dfe441feb3");
    }
}

mod v6 {
    //! Stores of format 6: as `v1`.

    use super::*;

    #[test]
    fn the_tables_are_those_of_the_first_day() {
        let digest = Digest::of(include_bytes!("../v6.sql")).to_string();
        assert_eq!(digest, "c3e746ce064700f3536e8dc445042706086679a3b2ab0a30eed30ba193423a4e");
    }
}
