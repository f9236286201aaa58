//! `acclimate config`: checks the configuration, prints one to start from, its schema, and what holds with its origin.
//!
//! Runs before the configuration is loaded for anything else, so that it can speak about a wrong one.

use std::path::Path;

use acclimate::config::{Config as Configuration, ConfigError, DEFAULT, From, Setting};
use acclimate::place::Environment;
use acclimate::record::{ConfigCheckRecord, ConfigShowRecord};
use acclimate::source::address;
use acclimate::store::{Access, StoreError, Tasks};

use super::args::{Config, Global};
use super::{Outcome, line};

/// Runs `acclimate config …`.
pub fn run(global: &Global, command: &Config) -> anyhow::Result<Outcome> {
    match command {
        Config::Check { file } => check(global, file.as_deref()),
        Config::Default => {
            line(DEFAULT.trim_end())?;
            Ok(Outcome::Done)
        }
        Config::Schema => {
            line(&serde_json::to_string_pretty(&Configuration::schema())?)?;
            Ok(Outcome::Done)
        }
        Config::Show => show(global),
    }
}

fn check(global: &Global, file: Option<&Path>) -> anyhow::Result<Outcome> {
    let from = From::of_process(file.or(global.config.as_deref()));
    let (record, outcome) = match Configuration::load(&from) {
        Ok(loaded) => {
            let files: Vec<String> = loaded.files.iter().map(|file| file.display().to_string()).collect();
            (ConfigCheckRecord { files, mistakes: Vec::new() }, Outcome::Done)
        }
        Err(ConfigError::Wrong { mistakes, report }) => {
            if !global.json {
                eprintln!("{report}");
            }
            (ConfigCheckRecord { files: Vec::new(), mistakes }, Outcome::Partly)
        }
        Err(error @ ConfigError::Read { .. }) => return Err(error.into()),
    };
    if global.json {
        line(&serde_json::to_string(&record)?)?;
    } else if record.mistakes.is_empty() {
        line(&files(&from, &record.files))?;
    } else {
        eprintln!("\n{} wrong", record.mistakes.len());
    }
    Ok(outcome)
}

fn show(global: &Global) -> anyhow::Result<Outcome> {
    let from = From::of_process(global.config.as_deref());
    let loaded = Configuration::load(&from)?;
    let mut settings = loaded.settings;
    settings.extend(in_store(&Environment::of_process().data_dir(global.data_dir.as_deref()))?);
    let record =
        ConfigShowRecord { files: loaded.files.iter().map(|file| file.display().to_string()).collect(), settings };
    if global.json {
        line(&serde_json::to_string(&record)?)?;
        return Ok(Outcome::Done);
    }
    line(&format!("# {}", files(&from, &record.files)))?;
    for setting in &record.settings {
        line(&format!("{} = {}  # {}", setting.key, setting.value, setting.from))?;
    }
    Ok(Outcome::Done)
}

fn files(from: &From, files: &[String]) -> String {
    match (files, from.file()) {
        ([], Some(file)) => format!("{} is not there: every setting has its default", file.display()),
        ([], None) => "no file: every setting has its default".to_owned(),
        (files, _) => format!("nothing wrong in {}", files.join(", ")),
    }
}

/// What commands made: tasks with their backbones, and sources.
fn in_store(data_dir: &Path) -> anyhow::Result<Vec<Setting>> {
    let (tasks, sources) = match Tasks::open(data_dir, &Access::Read) {
        Ok(tasks) => (tasks.list()?, tasks.added_sources()?),
        Err(StoreError::NoStore { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let setting = |key: String, value: String| Setting { key, value: value.into(), from: "store".to_owned() };
    let tasks = tasks.into_iter().map(|task| setting(format!("task.{}.backbone", task.name), task.backbone));
    let sources = sources.into_iter().map(|source| match source.device {
        Some(device) => setting(format!("source.{}.device", source.name), address::redacted(&device)),
        None => setting(format!("source.{}.kind", source.name), source.kind),
    });
    Ok(tasks.chain(sources).collect())
}
