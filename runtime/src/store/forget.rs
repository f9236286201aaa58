//! Forgetting: samples or a class go, with everything that was learnt from them. Knows nothing about fitting: the head
//! that takes over comes from the caller, inside the same transaction.
//!
//! Before the commit nothing has happened; after it nothing fitted on the samples exists. What is left is to get the
//! bytes out of the files: a note in the store makes the next writer finish that if this one cannot.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use ndarray::Array2;
use rusqlite::{Connection, params};

use super::id::{Generation, SampleId};
use super::record::{Change, Forget, ForgetPlan, NewHead, Origin, Receipt, Scrub, StoredHead, Task};
use super::samples::{LABEL_SEQ, known_class, seq_of};
use super::snapshot::{Snapshot, take};
use super::tasks::{Tasks, load_task};
use super::{StoreError, foreign, heads, schema, service};
use crate::head_file::HeadFile;

/// A head that takes over from one that must be forgotten.
#[derive(Clone, Debug)]
pub struct Refitted {
    /// The head with its provenance.
    pub file: HeadFile,
    /// Its out-of-sample probabilities `[samples, classes]`, rows as in the snapshot it was fitted on.
    pub leave_out: Array2<f64>,
}

impl Tasks {
    /// What [`Tasks::forget`] would do.
    ///
    /// # Errors
    /// There is no such task, sample or class.
    pub fn plan_forget(&self, task: &str, what: &Forget) -> Result<ForgetPlan, StoreError> {
        self.read(|conn| {
            let (id, task) = load_task(conn, task)?;
            Target::find(conn, id, &task, what)?.plan(conn, id, &task)
        })
    }

    /// Forgets samples or a class: content, features, labels, their share of the statistics, and every head that was
    /// fitted on them. If the head in service is one of those, `refit` is given what remains and the head that goes,
    /// and its result takes over in the same instant; with none, no head is in service.
    ///
    /// Heads that came from elsewhere go as well where they say that they were fitted on such a sample; those that say nothing stay.
    ///
    /// # Errors
    /// There is no such task, sample or class; or whatever `refit` returns: then nothing is forgotten.
    pub fn forget<E: From<StoreError>>(
        &mut self,
        task: &str,
        what: &Forget,
        who: &str,
        now: Timestamp,
        refit: impl FnOnce(&Snapshot, &StoredHead) -> Result<Option<Refitted>, E>,
    ) -> Result<Receipt, E> {
        let mut receipt = self.write("forget the samples", |conn| forget_rows(conn, task, what, who, now, refit))?;
        receipt.scrub = schema::scrub(&self.conn, &self.dir);
        Ok(receipt)
    }
}

fn forget_rows<E: From<StoreError>>(
    conn: &Connection,
    name: &str,
    what: &Forget,
    who: &str,
    now: Timestamp,
    refit: impl FnOnce(&Snapshot, &StoredHead) -> Result<Option<Refitted>, E>,
) -> Result<Receipt, E> {
    let before = take(conn, name)?.digest();
    let (id, task) = load_task(conn, name)?;
    let target = Target::find(conn, id, &task, what)?;
    let plan = target.plan(conn, id, &task)?;
    let in_service = match (plan.refit, task.in_service) {
        (true, Some(generation)) => Some(heads::load_head(conn, name, generation)?),
        _ => None,
    };
    target.delete(conn, id)?;
    delete_heads(conn, id, &plan.generations)?;

    let after = take(conn, name)?;
    let mut refitted = None;
    if let Some(head) = in_service {
        if let Some(Refitted { file, leave_out }) = refit(&after, &head)? {
            let new = NewHead { file: &file, leave_out: leave_out.view() };
            refitted = Some(heads::insert_fitted(conn, id, &task, &after, &new, Origin::Refitted, now)?);
        }
        let back = service::current(conn, id)?.map(|row| row.seq);
        service::put_in_service(conn, id, refitted, Change::Forgot, false, back, who, now)?;
    }
    Ok(Receipt {
        removed: plan.samples,
        before,
        after: after.digest(),
        generations: plan.generations,
        refitted,
        scrub: Scrub::default(),
    })
}

/// What goes, as rows.
struct Target {
    samples: Vec<(i64, SampleId)>,
    class: Option<i64>,
}

impl Target {
    fn find(conn: &Connection, id: i64, task: &Task, what: &Forget) -> Result<Self, StoreError> {
        match what {
            Forget::Class(class) => {
                let step = "find the samples of the class";
                let name = known_class(task, class)?;
                let class: i64 = conn
                    .query_one("SELECT id FROM classes WHERE task = ?1 AND name = ?2", params![id, name], |row| {
                        row.get(0)
                    })
                    .map_err(StoreError::db(step))?;
                let samples = conn
                    .prepare(&format!(
                        "SELECT s.seq, s.id FROM samples s JOIN labels l ON l.seq = {LABEL_SEQ} WHERE l.class = ?1 ORDER BY s.seq"
                    ))
                    .and_then(|mut query| query.query_map([class], |row| Ok((row.get(0)?, SampleId(row.get(1)?))))?.collect())
                    .map_err(StoreError::db(step))?;
                Ok(Self { samples, class: Some(class) })
            }
            Forget::Samples(ids) => {
                let mut samples = Vec::with_capacity(ids.len());
                for sample in ids {
                    let seq = seq_of(conn, id, sample)?
                        .ok_or_else(|| StoreError::NoSample { task: task.name.clone(), sample: sample.to_string() })?;
                    samples.push((seq, *sample));
                }
                samples.sort_unstable();
                samples.dedup();
                Ok(Self { samples, class: None })
            }
        }
    }

    /// A head was fitted on every sample that had a label at its watermark: the history of labels tells which.
    fn plan(&self, conn: &Connection, id: i64, task: &Task) -> Result<ForgetPlan, StoreError> {
        let step = "find the heads fitted on what is to be forgotten";
        let claims: Vec<(i64, i64, Option<i64>)> = conn
            .prepare(
                "SELECT l.seq, l.sample, l.class FROM labels l JOIN samples s ON s.seq = l.sample WHERE s.task = ?1 ORDER BY l.seq",
            )
            .and_then(|mut query| query.query_map([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect())
            .map_err(StoreError::db(step))?;
        let fitted: Vec<(Generation, i64)> = conn
            .prepare("SELECT generation, watermark FROM heads WHERE task = ?1 AND watermark IS NOT NULL ORDER BY watermark, generation")
            .and_then(|mut query| query.query_map([id], |row| Ok((Generation(row.get(0)?), row.get(1)?)))?.collect())
            .map_err(StoreError::db(step))?;

        let going: HashSet<i64> = self.samples.iter().map(|&(seq, _)| seq).collect();
        let mut generations = Vec::new();
        // The labels at the watermark, of those samples that matter: the ones going, and the ones of the class going.
        let mut labelled: HashMap<i64, i64> = HashMap::new();
        let mut claims = claims.into_iter().peekable();
        for (generation, watermark) in fitted {
            while let Some((_, sample, class)) = claims.next_if(|&(seq, ..)| seq <= watermark) {
                match class {
                    Some(class) if going.contains(&sample) || self.class == Some(class) => {
                        labelled.insert(sample, class)
                    }
                    _ => labelled.remove(&sample),
                };
            }
            if !labelled.is_empty() {
                generations.push(generation);
            }
        }
        generations.extend(foreign::fitted_on(conn, id, &self.samples)?);
        generations.sort_unstable();
        let refit = task.in_service.is_some_and(|generation| generations.contains(&generation));
        Ok(ForgetPlan { samples: self.samples.iter().map(|&(_, sample)| sample).collect(), generations, refit })
    }

    fn delete(&self, conn: &Connection, id: i64) -> Result<(), StoreError> {
        let step = || StoreError::db("delete what is to be forgotten");
        for (seq, _) in &self.samples {
            conn.prepare_cached("DELETE FROM samples WHERE seq = ?1")
                .and_then(|mut delete| delete.execute([seq]))
                .map_err(step())?;
        }
        if let Some(class) = self.class {
            conn.execute("DELETE FROM labels WHERE class = ?1", [class]).map_err(step())?;
            conn.execute("DELETE FROM classes WHERE id = ?1", [class]).map_err(step())?;
        }
        conn.execute("UPDATE tasks SET forgets = forgets + 1 WHERE id = ?1", [id]).map_err(step())?;
        conn.execute("INSERT OR IGNORE INTO scrub_pending (one) VALUES (1)", []).map_err(step())?;
        Ok(())
    }
}

/// Deletes heads with what was said about them; their files are not taken back later.
fn delete_heads(conn: &Connection, task: i64, generations: &[Generation]) -> Result<(), StoreError> {
    for sql in [
        "INSERT OR IGNORE INTO withdrawn (task, digest) SELECT task, digest FROM heads WHERE task = ?1 AND generation = ?2",
        "DELETE FROM adaptations WHERE task = ?1 AND generation = ?2",
        "DELETE FROM heads WHERE task = ?1 AND generation = ?2",
    ] {
        let mut change = conn.prepare(sql).map_err(StoreError::db("delete a head"))?;
        for Generation(generation) in generations {
            change.execute(params![task, generation]).map_err(StoreError::db("delete a head"))?;
        }
    }
    Ok(())
}
