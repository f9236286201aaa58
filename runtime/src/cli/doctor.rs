//! `doctor`: what works here, tried and not guessed, and what to do about what does not.

use acclimate::record::CheckRecord;
use acclimate::store::{Access, StoreError, Tasks};
use acclimate_backbone::{Backbone, EngineChoice, EngineOptions, Picture};
use anyhow::Context as _;

use super::{Context, Outcome, chain, line};

/// Free space below which an import may not fit.
const LOW_SPACE: u64 = 200 << 20;

/// How a check went.
enum Found {
    Broken(String, &'static str),
    Fine(String),
    Poor(String, &'static str),
}

/// Runs `acclimate doctor`.
pub fn run(context: &Context) -> anyhow::Result<Outcome> {
    let checks: [(&str, Found); 6] = [
        ("store", store(context)),
        ("disk", disk(context)),
        ("clock", clock()),
        ("onnx runtime", engine(context, EngineChoice::Ort)),
        ("tract", engine(context, EngineChoice::Tract)),
        ("models", models(context)),
    ];
    let mut broken = false;
    let mut records = Vec::new();
    for (check, found) in checks {
        let (status, found, advice) = match found {
            Found::Broken(words, advice) => ("broken", words, Some(advice)),
            Found::Fine(words) => ("fine", words, None),
            Found::Poor(words, advice) => ("poor", words, Some(advice)),
        };
        broken |= status == "broken";
        let advice = advice.map(str::to_owned);
        records.push(CheckRecord { check: check.to_owned(), status: status.to_owned(), found, advice });
    }
    if context.global.json {
        line(&serde_json::to_string(&records)?)?;
    } else {
        for r in &records {
            line(&format!("{:7} {:13} {}", r.status, r.check, r.found))?;
            if let Some(advice) = &r.advice {
                line(&format!("{:21} → {advice}", ""))?;
            }
        }
    }
    Ok(if broken { Outcome::Partly } else { Outcome::Done })
}

/// Opens the store as its writer would, if there is one; never makes one.
fn store(context: &Context) -> Found {
    let dir = &context.data_dir;
    match Tasks::open(dir, &Access::Read).and_then(|tasks| tasks.list()) {
        Ok(tasks) => Found::Fine(format!("{} tasks in {}", tasks.len(), dir.display())),
        Err(StoreError::NoStore { .. }) => {
            Found::Fine(format!("none yet; the first `acclimate init` makes it in {}", dir.display()))
        }
        Err(error) => Found::Broken(
            super::causes(&error),
            "check the owner of the data directory, or restore acclimate.db from a backup",
        ),
    }
}

fn disk(context: &Context) -> Found {
    let existing = context.data_dir.ancestors().find(|dir| dir.is_dir()).unwrap_or(std::path::Path::new("."));
    match rustix::fs::statvfs(existing) {
        Ok(disk) => {
            let free = disk.f_bavail * disk.f_frsize;
            let words = format!("{} MiB free at {}", free >> 20, existing.display());
            if free < LOW_SPACE {
                Found::Poor(words, "free some space, or choose another --data-dir")
            } else {
                Found::Fine(words)
            }
        }
        Err(error) => Found::Poor(format!("cannot tell the free space: {error}"), "check --data-dir"),
    }
}

/// A board without a battery starts in 1970; order does not rest on the clock, but what people read does.
fn clock() -> Found {
    let now = jiff::Timestamp::now();
    let words = format!("{now:.0}");
    if now.as_second() < 1_700_000_000 {
        Found::Poor(words, "set the clock (systemd-timesyncd); times in the history will be wrong until then")
    } else {
        Found::Fine(words)
    }
}

/// Runs the built-in backbone on one picture: an engine that loads but cannot run does not work.
fn engine(context: &Context, engine: EngineChoice) -> Found {
    let options = EngineOptions { engine, ..context.engine_options() };
    let tried = || -> anyhow::Result<String> {
        let mut backbone = Backbone::builtin(&options)?;
        let picture = Picture::from_rgb(64, 64, (0..64 * 64 * 3).map(|i| (i % 251) as u8).collect())?;
        let start = std::time::Instant::now();
        backbone.features(&[picture]).context("it loads, but a picture does not get through")?;
        Ok(format!("{}; one picture in {:.1} ms", backbone.extractor(), start.elapsed().as_secs_f64() * 1e3))
    };
    match (tried(), engine) {
        (Ok(words), _) => Found::Fine(words),
        (Err(error), EngineChoice::Ort) => Found::Poor(
            chain(&error),
            "tract is used instead; for speed, `pip install onnxruntime` or set ORT_DYLIB_PATH to libonnxruntime.so",
        ),
        (Err(error), _) => Found::Broken(chain(&error), "this is a bug unless the program was built without tract"),
    }
}

fn models(context: &Context) -> Found {
    let entries = context.library.list();
    let found = entries.iter().filter(|entry| entry.file.is_some()).count();
    let words =
        format!("the built-in one and the files of {found} of {} in the catalogue", entries.len().saturating_sub(1));
    Found::Fine(words)
}
