//! `key generate | show | trust | list | distrust`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use acclimate::record::{DeviceKeyRecord, TrustedKeyRecord};
use acclimate::store::{Access, StoreError, Tasks};
use acclimate::sync::{DeviceKey, KeyId, Keyring, PublicKey, Trusted};
use anyhow::Context as _;

use super::{Context, Outcome, args};

/// Runs `acclimate key`.
pub fn run(context: &Context, command: &args::Key) -> anyhow::Result<Outcome> {
    let keyring = Keyring::of(&context.data_dir);
    match command {
        args::Key::Generate { replace } => {
            let record = own(context, &keyring, &keyring.generate(*replace)?);
            context.print(&record, || {
                let DeviceKeyRecord { device, key, file, .. } = &record;
                format!(
                    "made the key of {device}, in {file}\nother devices use the heads that it signs after:\n  acclimate key \
                     trust {} {key}",
                    name_of(device)
                )
            })?;
        }
        args::Key::Show => {
            let record = own(context, &keyring, &keyring.device()?);
            context.print(&record, || record.key.clone())?;
        }
        args::Key::Trust { name, key } => {
            let key = public(key)?;
            let new = keyring.trust(name, key)?;
            let record = trusted(store(context)?.as_ref(), &Trusted { name: name.clone(), key })?;
            context.print(&record, || {
                let already = if new { "" } else { " already" };
                format!("heads that {name} signs may be used here{already} (key {})", record.id)
            })?;
        }
        args::Key::List => {
            let tasks = store(context)?;
            let known = keyring.trusted()?;
            let records = known.iter().map(|known| trusted(tasks.as_ref(), known)).collect::<Result<Vec<_>, _>>()?;
            context.print(&records, || words(&records))?;
        }
        args::Key::Distrust { name } => {
            let key = keyring.distrust(name)?;
            let record = trusted(store(context)?.as_ref(), &Trusted { name: name.clone(), key })?;
            context.print(&record, || {
                let mut words = format!("heads that {name} signs are refused from now on (key {})", record.id);
                for task in &record.in_service {
                    let _ = write!(
                        words,
                        "\nnext: task `{task}` runs one of them still: `acclimate head rollback {task}` puts the head before back"
                    );
                }
                words
            })?;
        }
    }
    Ok(Outcome::Done)
}

fn own(context: &Context, keyring: &Keyring, key: &DeviceKey) -> DeviceKeyRecord {
    let public = key.public();
    DeviceKeyRecord {
        device: context.config.device_id(),
        key: public.to_string(),
        id: public.id().to_string(),
        file: keyring.device_file().display().to_string(),
    }
}

/// The store, where there is one that can have signed heads: keys may come first, and a store of before has none.
fn store(context: &Context) -> anyhow::Result<Option<Tasks>> {
    match context.tasks(&Access::Read) {
        Ok(tasks) => Ok(Some(tasks)),
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::NoStore { .. } | StoreError::Older { .. })) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn trusted(tasks: Option<&Tasks>, Trusted { name, key }: &Trusted) -> anyhow::Result<TrustedKeyRecord> {
    let id = key.id();
    let in_service = tasks.map(|tasks| running(tasks, &id)).transpose()?.unwrap_or_default();
    Ok(TrustedKeyRecord { name: name.clone(), key: key.to_string(), id: id.to_string(), in_service })
}

/// The tasks in which a head of this key is in service.
fn running(tasks: &Tasks, id: &KeyId) -> anyhow::Result<Vec<String>> {
    let mut running = Vec::new();
    for task in tasks.list()? {
        let head = tasks.in_service(&task.name)?;
        if head.and_then(|head| head.installed).is_some_and(|of| of.signer == id.0) {
            running.push(task.name);
        }
    }
    Ok(running)
}

/// A key as it was given: itself, or the file that it is in.
fn public(given: &str) -> anyhow::Result<PublicKey> {
    let wrong = match given.parse() {
        Ok(key) => return Ok(key),
        Err(wrong) => wrong,
    };
    let path = Path::new(given);
    if !path.is_file() {
        return Err(wrong).with_context(|| format!("{given:?} is no key, and no file"));
    }
    let text = fs::read_to_string(path).with_context(|| format!("could not read {given}"))?;
    text.parse().with_context(|| format!("{given} holds no key"))
}

fn words(records: &[TrustedKeyRecord]) -> String {
    let mut words = String::new();
    for TrustedKeyRecord { name, key, .. } in records {
        let _ = writeln!(words, "{name:20}  {key}");
    }
    if words.is_empty() {
        "no key is trusted: heads of other devices are refused".to_owned()
    } else {
        words.trim_end().to_owned()
    }
}

/// A device's id as a key can be called.
fn name_of(device: &str) -> String {
    let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    device.to_lowercase().chars().map(|c| if fits(c) { c } else { '-' }).take(64).collect()
}
