//! `doctor`: what works here, tried and not guessed, and what to do about what does not. The checks lie in files of
//! their own, by what they look at.

mod broker;
mod devices;
mod engines;
mod machine;
mod storage;

use std::path::Path;

use acclimate::record::CheckRecord;
use acclimate_backbone::EngineChoice;

use super::{Context, Outcome, args, line};

/// How a check went; what is not fine comes with what to do about it.
enum Found {
    Broken(String, String),
    Fine(String),
    Poor(String, String),
}

/// Runs `acclimate doctor`.
pub fn run(context: &Context, args: &args::Doctor) -> anyhow::Result<Outcome> {
    let dir = context.data_dir.as_path();
    let checks = [
        ("store", storage::store(dir)),
        ("permissions", storage::permissions(dir)),
        ("disk", storage::disk(dir)),
        ("writing", storage::writing(dir)),
        ("clock", machine::clock()),
        ("cpu", machine::cpu()),
        ("memory", machine::memory()),
        ("c library", machine::glibc()),
        ("onnx runtime", engines::engine(context, EngineChoice::Ort)),
        ("tract", engines::engine(context, EngineChoice::Tract)),
        ("models", engines::models(context, args.checksums)),
        ("cameras", devices::cameras(Path::new("/dev"), Path::new("/sys/class/video4linux"))),
        ("mqtt broker", broker::broker(&context.config)),
        ("serial ports", devices::serial_ports(Path::new("/dev"))),
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
