//! The configuration file, as far as it concerns the command line: which device this is, which backbone runs on what,
//! how long a fit may take.
//!
//! Checked whole: an unknown key is an error with its line, never ignored.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The configuration file (TOML).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How new heads are fitted.
    pub adapt: Adapt,
    /// Which device this is.
    pub device: Device,
    /// Which backbone new tasks get, and what runs it.
    pub backbone: Backbone,
}

/// `[adapt]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adapt {
    /// Time for fitting; without it, all kinds of head are tried.
    pub budget_ms: Option<u64>,
}

/// `[device]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Name of the device; the host name where absent.
    pub id: Option<String>,
}

/// `[backbone]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Backbone {
    /// Backbone of new tasks; the built-in one where absent.
    pub name: Option<String>,
    /// `auto`, `ort` or `tract`.
    pub engine: EngineName,
}

/// The engine, as written in the file.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum EngineName {
    /// ONNX Runtime where its library can be loaded, else tract.
    #[default]
    Auto,
    /// ONNX Runtime.
    Ort,
    /// tract.
    Tract,
}

/// Why a configuration file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is wrong. The parser's report shows line and key.
    #[error("could not understand the configuration file {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, key, what was expected.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The file could not be read.
    #[error("could not read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Config {
    /// Reads a file; without one, everything has its default.
    ///
    /// # Errors
    /// When the file cannot be read, or has a key or a value that is not known.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.into(), source: Box::new(source) })
    }

    /// The device's name: the configuration's, else the host's.
    pub fn device_id(&self) -> String {
        self.device.id.clone().unwrap_or_else(|| {
            rustix::system::uname().nodename().to_string_lossy().to_lowercase().replace(['.', '_'], "-")
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acclimate.toml");
        std::fs::write(&path, "[backbone]\nengin = \"ort\"\n").unwrap();
        let error = Config::load(Some(&path)).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("line 2") && cause.contains("engin") && cause.contains("engine"), "{cause}");
    }

    #[test]
    fn every_key_is_optional() {
        let config: Config = toml::from_str("[backbone]\nengine = \"tract\"\n[adapt]\nbudget_ms = 500").unwrap();
        assert_eq!(config.adapt.budget_ms, Some(500));
        assert_eq!(config.backbone.engine, EngineName::Tract);
        assert!(!config.device_id().is_empty());
    }
}
