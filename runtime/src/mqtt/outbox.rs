//! What the broker is owed and has not acknowledged, and which commands were carried out: one file beside the store. Knows no
//! connection.
//!
//! Invariants: what `put` returned from is there after a power cut; what was put first comes out first; nothing leaves but by
//! `remove`, or as the oldest of the lightest of too much, which is counted. A command that was begun is answered, if only by
//! that the daemon ended meanwhile.

use std::path::Path;

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::message::{Message, Weight};
use crate::outbox::{File, Kind, OutboxError};

const KIND: Kind = Kind {
    file: "mqtt.db",
    what: "outbox of MQTT",
    application_id: 0x6163_6d71, // "acmq"
    version: 1,
    first: "PRAGMA auto_vacuum = INCREMENTAL;",
    tables: "CREATE TABLE IF NOT EXISTS owed (
                 number INTEGER PRIMARY KEY,
                 weight INTEGER NOT NULL,
                 topic TEXT NOT NULL,
                 payload BLOB NOT NULL,
                 media TEXT,
                 correlation BLOB,
                 uid TEXT
             ) STRICT;
             CREATE INDEX IF NOT EXISTS owed_by_weight ON owed (weight, number);
             CREATE TABLE IF NOT EXISTS commands (
                 number INTEGER PRIMARY KEY AUTOINCREMENT,
                 key TEXT NOT NULL UNIQUE,
                 topic TEXT NOT NULL,
                 correlation BLOB,
                 media TEXT,
                 payload BLOB
             ) STRICT;",
};
/// Commands that are remembered.
const REMEMBERED: u32 = 1000;
/// What a row takes beside its payload.
const ROW: i64 = 200;

pub(super) struct Outbox {
    file: File,
    most: i64,
    bytes: i64,
    rows: u64,
}

/// Something that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    /// Grows from one to the next.
    pub(super) number: u64,
    pub(super) weight: Weight,
    pub(super) message: Message,
}

/// What became of a command that came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// It goes on.
    Begun,
    /// It was answered so.
    Answered(Message),
}

impl Outbox {
    /// Opens the outbox of a data directory, or makes it; of so many bytes at most.
    pub(super) fn open(dir: &Path, most: u64) -> Result<Self, OutboxError> {
        let file = File::open(dir, &KIND)?;
        let sum = format!("SELECT count(*), coalesce(sum(length(payload) + {ROW}), 0) FROM owed");
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get(1)?));
        let (rows, bytes) = file.connection.query_one(&sum, [], row).map_err(file.failed("read"))?;
        Ok(Self { file, most: most as i64, bytes, rows: rows as u64 })
    }

    /// The number after the last.
    pub(super) fn next_number(&self) -> Result<u64, OutboxError> {
        let last: i64 = self
            .file
            .connection
            .query_one("SELECT coalesce(max(number), 0) FROM owed", [], |row| row.get(0))
            .map_err(self.file.failed("read"))?;
        Ok(last as u64 + 1)
    }

    /// Keeps these; gives how many had to go: the oldest of the lightest.
    pub(super) fn put(&mut self, owed: &[Owed]) -> Result<u64, OutboxError> {
        let (most, failed) = (self.most, self.file.failed("write to"));
        let (mut bytes, mut rows) = (self.bytes, self.rows);
        let mut put = || -> Result<u64, rusqlite::Error> {
            let transaction = self.file.connection.transaction()?;
            for Owed { number, weight, message } in owed {
                if *weight == Weight::Head {
                    let (gone, freed) = drop_older(&transaction, &message.topic, *number)?;
                    rows -= gone;
                    bytes -= freed;
                }
                // One that is spilt a second time is there already.
                let new = transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO owed (number, weight, topic, payload, media, correlation, uid)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![
                        *number as i64,
                        *weight as i64,
                        message.topic,
                        message.payload,
                        message.media,
                        message.correlation,
                        message.uid
                    ])?;
                rows += new as u64;
                bytes += new as i64 * (message.payload.len() as i64 + ROW);
            }
            let mut dropped = 0;
            while bytes > most {
                let (gone, freed) = drop_lightest(&transaction)?;
                if gone == 0 {
                    break;
                }
                dropped += gone;
                bytes -= freed;
            }
            transaction.commit()?;
            Ok(dropped)
        };
        let dropped = put().map_err(failed)?;
        (self.bytes, self.rows) = (bytes, rows.saturating_sub(dropped));
        Ok(dropped)
    }

    /// What comes after a number, in order.
    pub(super) fn after(&self, number: u64, most: usize) -> Result<Vec<Owed>, OutboxError> {
        if self.rows == 0 || most == 0 {
            return Ok(Vec::new());
        }
        let read = || -> Result<Vec<Owed>, rusqlite::Error> {
            let mut statement = self.file.connection.prepare_cached(
                "SELECT number, weight, topic, payload, media, correlation, uid FROM owed
                 WHERE number > ?1 ORDER BY number LIMIT ?2",
            )?;
            let rows = statement.query_map(params![number as i64, most as i64], |row| {
                let weight = match row.get::<_, i64>(1)? {
                    0 => Weight::Prediction,
                    1 => Weight::Reply,
                    2 => Weight::Event,
                    _ => Weight::Head,
                };
                let message = Message {
                    topic: row.get(2)?,
                    payload: row.get(3)?,
                    retain: weight == Weight::Head,
                    media: row.get(4)?,
                    correlation: row.get(5)?,
                    uid: row.get(6)?,
                };
                Ok(Owed { number: row.get::<_, i64>(0)? as u64, weight, message })
            })?;
            rows.collect()
        };
        read().map_err(self.file.failed("read"))
    }

    /// Takes note that these arrived. Not synced: after a power cut they may be told again.
    pub(super) fn remove(&mut self, numbers: &[u64]) -> Result<(), OutboxError> {
        let failed = self.file.failed("write to");
        let mut freed = (0_u64, 0_i64);
        let mut remove = || -> Result<(), rusqlite::Error> {
            self.file.connection.pragma_update(None, "synchronous", "NORMAL")?;
            let transaction = self.file.connection.transaction()?;
            for number in numbers {
                let sql = "DELETE FROM owed WHERE number = ?1 RETURNING length(payload)";
                let length: Option<i64> =
                    transaction.prepare_cached(sql)?.query_row([*number as i64], |row| row.get(0)).optional()?;
                if let Some(length) = length {
                    freed = (freed.0 + 1, freed.1 + length + ROW);
                }
            }
            transaction.commit()
        };
        let removed = remove();
        self.file.connection.pragma_update(None, "synchronous", "FULL").map_err(self.file.failed("write to"))?;
        removed.map_err(failed)?;
        self.rows = self.rows.saturating_sub(freed.0);
        self.bytes -= freed.1;
        if self.rows == 0 && freed.0 > 0 {
            // The room that an outage took is given back.
            self.file.connection.execute_batch("PRAGMA incremental_vacuum").map_err(self.file.failed("shrink"))?;
        }
        Ok(())
    }

    /// How many are owed.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes they take, about.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }

    /// Begins a command under a key: nothing where it is new, else what became of it.
    pub(super) fn begin(&mut self, key: &str, reply: &Message) -> Result<Option<Before>, OutboxError> {
        let failed = self.file.failed("write to");
        let mut begin = || -> Result<Option<Before>, rusqlite::Error> {
            let transaction = self.file.connection.transaction()?;
            let before = transaction
                .query_row("SELECT topic, correlation, media, payload FROM commands WHERE key = ?1", [key], |row| {
                    let payload: Option<Vec<u8>> = row.get(3)?;
                    let answered = |payload| -> Result<Message, rusqlite::Error> {
                        let (topic, correlation, media) = (row.get(0)?, row.get(1)?, row.get(2)?);
                        Ok(Message { topic, payload, media, correlation, ..Message::default() })
                    };
                    Ok(match payload {
                        Some(payload) => Before::Answered(answered(payload)?),
                        None => Before::Begun,
                    })
                })
                .optional()?;
            if before.is_none() {
                transaction.execute(
                    "INSERT INTO commands (key, topic, correlation, media) VALUES (?1, ?2, ?3, ?4)",
                    params![key, reply.topic, reply.correlation, reply.media],
                )?;
                transaction.execute(
                    "DELETE FROM commands WHERE number <= (SELECT max(number) FROM commands) - ?1",
                    [REMEMBERED],
                )?;
            }
            transaction.commit()?;
            Ok(before)
        };
        begin().map_err(failed)
    }

    /// A command was answered so.
    pub(super) fn answered(&mut self, key: &str, reply: &Message) -> Result<(), OutboxError> {
        self.file
            .connection
            .execute("UPDATE commands SET payload = ?2 WHERE key = ?1", params![key, reply.payload])
            .map(drop)
            .map_err(self.file.failed("write to"))
    }

    /// Commands that were begun and not answered when the last daemon ended: key, and where the answer goes.
    pub(super) fn unanswered(&self) -> Result<Vec<(String, Message)>, OutboxError> {
        let read = || -> Result<Vec<(String, Message)>, rusqlite::Error> {
            let mut statement = self
                .file
                .connection
                .prepare("SELECT key, topic, correlation, media FROM commands WHERE payload IS NULL")?;
            let rows = statement.query_map([], |row| {
                let (topic, correlation, media) = (row.get(1)?, row.get(2)?, row.get(3)?);
                Ok((row.get(0)?, Message { topic, media, correlation, ..Message::default() }))
            })?;
            rows.collect()
        };
        read().map_err(self.file.failed("read"))
    }
}

/// Drops what was owed to a topic that keeps the newest alone; how many, and what that frees.
fn drop_older(transaction: &Transaction<'_>, topic: &str, before: u64) -> Result<(u64, i64), rusqlite::Error> {
    let sql = "DELETE FROM owed WHERE weight = ?1 AND topic = ?2 AND number < ?3 RETURNING length(payload)";
    let mut statement = transaction.prepare_cached(sql)?;
    sum(statement.query(params![Weight::Head as i64, topic, before as i64])?)
}

/// Drops some of the oldest of what weighs least; how many, and what that frees.
fn drop_lightest(transaction: &Transaction<'_>) -> Result<(u64, i64), rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "DELETE FROM owed WHERE number IN (
             SELECT number FROM owed WHERE weight = (SELECT min(weight) FROM owed) ORDER BY number LIMIT 16)
         RETURNING length(payload)",
    )?;
    sum(statement.query([])?)
}

/// How many rows went, and what they took.
fn sum(mut rows: rusqlite::Rows<'_>) -> Result<(u64, i64), rusqlite::Error> {
    let (mut gone, mut freed) = (0, 0);
    while let Some(row) = rows.next()? {
        gone += 1;
        freed += row.get::<_, i64>(0)? + ROW;
    }
    Ok((gone, freed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn owed(number: u64, weight: Weight, bytes: usize) -> Owed {
        let message = Message { topic: format!("t/{number}"), payload: vec![7; bytes], ..Message::default() };
        Owed { number, weight, message }
    }

    fn numbers(outbox: &Outbox) -> Vec<u64> {
        outbox.after(0, 1000).unwrap().iter().map(|owed| owed.number).collect()
    }

    #[test]
    fn what_was_put_comes_out_in_order_also_after_opening_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(dir.path(), 1 << 20).unwrap();
        let all = [owed(1, Weight::Prediction, 9), owed(2, Weight::Event, 9), owed(3, Weight::Prediction, 9)];
        assert_eq!(outbox.put(&all).unwrap(), 0);
        outbox.remove(&[2]).unwrap();
        drop(outbox);
        let mut outbox = Outbox::open(dir.path(), 1 << 20).unwrap();
        assert_eq!(outbox.after(0, 9).unwrap(), [all[0].clone(), all[2].clone()]);
        assert_eq!((outbox.rows(), outbox.bytes(), outbox.next_number().unwrap()), (2, 418, 4));
        assert_eq!(outbox.put(&all[..1]).unwrap(), 0, "it is there already");
        outbox.remove(&[1, 3]).unwrap();
        assert_eq!((outbox.rows(), outbox.bytes()), (0, 0));
    }

    #[test]
    fn of_too_much_the_oldest_predictions_go_first_and_events_last() {
        let dir = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(dir.path(), 100_000).unwrap();
        let mut number = 0;
        let mut put = |outbox: &mut Outbox, weight| {
            number += 1;
            outbox.put(&[owed(number, weight, 800)]).unwrap()
        };
        assert_eq!((0..50).map(|_| put(&mut outbox, Weight::Event)).sum::<u64>(), 0);
        let dropped: u64 = (0..100).map(|_| put(&mut outbox, Weight::Prediction)).sum();
        let left = numbers(&outbox);
        assert_eq!(left[..50], (1..=50).collect::<Vec<u64>>(), "events stay");
        assert_eq!(left.last(), Some(&150), "the newest stays");
        assert_eq!(left.len() as u64 + dropped, 150);
        assert!((84..=100).contains(&left.len()), "{}", left.len());
        let dropped: u64 = (0..100).map(|_| put(&mut outbox, Weight::Event)).sum();
        assert!(dropped >= 100 && outbox.bytes() <= 100_000);
        assert!(numbers(&outbox).iter().all(|&number| number <= 50 || number > 150));
    }

    #[test]
    fn of_heads_the_newest_of_a_topic_is_owed_whole_and_kept_and_goes_after_everything_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(dir.path(), 100_000).unwrap();
        let head = |number: u64, topic: &str| {
            let Owed { message, .. } = owed(number, Weight::Head, 20_000);
            Owed { number, weight: Weight::Head, message: Message { topic: topic.to_owned(), ..message }.retained() }
        };
        assert_eq!(outbox.put(&[head(1, "head"), head(2, "head/0"), owed(3, Weight::Event, 800)]).unwrap(), 0);
        let newer = [head(4, "head"), head(5, "head/0"), head(6, "head/1")];
        assert_eq!(outbox.put(&newer).unwrap(), 0, "what it replaces is nothing that had to go");
        assert_eq!((numbers(&outbox), outbox.rows(), outbox.bytes()), (vec![3, 4, 5, 6], 4, 61_600));
        assert_eq!(outbox.put(&newer[..1]).unwrap(), 0, "it is there already");
        // It was on its way when it was replaced.
        outbox.remove(&[1]).unwrap();
        for number in 7..1000 {
            outbox.put(&[owed(number, Weight::Event, 800)]).unwrap();
        }
        assert_eq!(outbox.after(3, 3).unwrap(), newer, "with what the broker is told to keep");
        assert!(outbox.bytes() <= 100_000);
    }

    #[test]
    fn a_command_is_begun_once_and_its_answer_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(dir.path(), 1 << 20).unwrap();
        let to = Message { topic: "r".to_owned(), correlation: Some(vec![1]), ..Message::default() };
        assert_eq!(outbox.begin("adapt x1", &to).unwrap(), None);
        assert_eq!(outbox.begin("adapt x1", &to).unwrap(), Some(Before::Begun));
        drop(outbox);
        let mut outbox = Outbox::open(dir.path(), 1 << 20).unwrap();
        assert_eq!(outbox.unanswered().unwrap(), [("adapt x1".to_owned(), to.clone())]);
        let answer = Message { payload: b"done".to_vec(), ..to.clone() };
        outbox.answered("adapt x1", &answer).unwrap();
        assert_eq!(outbox.begin("adapt x1", &to).unwrap(), Some(Before::Answered(answer)));
        assert_eq!(outbox.unanswered().unwrap(), []);
        for n in 0..REMEMBERED {
            assert_eq!(outbox.begin(&format!("adapt y{n}"), &to).unwrap(), None);
        }
        assert_eq!(outbox.begin("adapt x1", &to).unwrap(), None, "the oldest is forgotten");
    }
}
