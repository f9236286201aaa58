//! `key generate | show | trust | list | distrust`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use acclimate::record::{DeviceKeyRecord, TrustedKeyRecord};
use acclimate::sync::{DeviceKey, Keyring, PublicKey, Trusted};
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
            let record = trusted(&Trusted { name: name.clone(), key });
            context.print(&record, || {
                let already = if new { "" } else { " already" };
                format!("heads that {name} signs may be used here{already} (key {})", record.id)
            })?;
        }
        args::Key::List => {
            let records: Vec<TrustedKeyRecord> = keyring.trusted()?.iter().map(trusted).collect();
            context.print(&records, || words(&records))?;
        }
        args::Key::Distrust { name } => {
            let key = keyring.distrust(name)?;
            let record = trusted(&Trusted { name: name.clone(), key });
            context
                .print(&record, || format!("heads that {name} signs are refused from now on (key {})", record.id))?;
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

fn trusted(Trusted { name, key }: &Trusted) -> TrustedKeyRecord {
    TrustedKeyRecord { name: name.clone(), key: key.to_string(), id: key.id().to_string() }
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
