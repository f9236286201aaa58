//! `add` where a daemon holds the store: it is handed the samples, one after the other, and embeds them itself.

use std::num::NonZeroUsize;

use acclimate::daemon::client::{ClientError, Daemon};
use acclimate::daemon::socket::NewSample;
use acclimate::loading::{Loaded, Loader};
use acclimate_backbone::Manifest;

use super::{Count, find, place};
use crate::cli::{Context, Outcome, args, causes, line, who};

/// Hands every sample to the daemon; each is printed once it is on the daemon's disk.
pub(super) fn run(context: &Context, args: &args::Add, daemon: &mut Daemon) -> anyhow::Result<Outcome> {
    let input = Manifest::parse(&daemon.manifest_of(&args.task)?)?.input;
    let found = find(args, &input)?;
    let mut count = Count { ignored: found.ignored, ..Count::default() };
    for (path, reason) in &found.failed {
        count.failed += 1;
        context.report_failed(&path.display().to_string(), reason)?;
    }
    let bar = context.progress(found.items.len(), "adding");
    let mut loader = Loader::new(&found.items, &input, args.stride.map(NonZeroUsize::get));
    while let Some(chunk) = loader.next() {
        bar.set_position(loader.files());
        for Loaded { item, name, payload } in chunk {
            let added = payload.map_err(|error| causes(&error)).and_then(|payload| {
                let (source, group_key) = place(item, &name);
                let (task, label, bytes) = (args.task.clone(), item.label.clone(), payload.bytes.len() as u64);
                let sample = NewSample { task, source, group_key, label, bytes };
                match daemon.add(sample, &payload.bytes, &who()) {
                    Ok(added) => Ok(Ok(added)),
                    // Wrong with this sample.
                    Err(ClientError::Refused { code, message }) if code == "invalid" => Err(message),
                    Err(error) => Ok(Err(error)),
                }
            });
            match added {
                Ok(added) => {
                    let mut added = added?;
                    added.input = name;
                    count.take_status(&added.status);
                    if context.global.json {
                        line(&serde_json::to_string(&added)?)?;
                    }
                }
                Err(reason) => {
                    count.failed += 1;
                    bar.suspend(|| context.report_failed(&name, &reason))?;
                }
            }
        }
    }
    bar.finish_and_clear();
    count.left_over = loader.left_over();
    if !context.global.json {
        line(&count.words(&args.task))?;
    }
    Ok(if count.failed > 0 { Outcome::Partly } else { Outcome::Done })
}
