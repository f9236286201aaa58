//! Where things lie on this machine: the data directory and the folders that are searched for models. Decides from an
//! environment that is passed in; touches no file.

use std::path::{Path, PathBuf};

/// The variables that decide.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `$ACCLIMATE_MODELS`: folders, separated by `:`.
    pub models: Option<String>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$RUNTIME_DIRECTORY`, set by systemd; its first folder counts.
    pub runtime_directory: Option<String>,
    /// `$STATE_DIRECTORY`, set by systemd; its first folder counts.
    pub state_directory: Option<String>,
    /// `$XDG_DATA_HOME`.
    pub xdg_data_home: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn of_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            models: text("ACCLIMATE_MODELS"),
            home: text("HOME").map(PathBuf::from),
            runtime_directory: text("RUNTIME_DIRECTORY"),
            state_directory: text("STATE_DIRECTORY"),
            xdg_data_home: text("XDG_DATA_HOME").map(PathBuf::from),
        }
    }

    /// The data directory: the one asked for, else systemd's, else the XDG one, else `./acclimate-data`.
    pub fn data_dir(&self, asked: Option<&Path>) -> PathBuf {
        if let Some(asked) = asked {
            return asked.into();
        }
        if let Some(first) = self.state_directory.as_deref().and_then(|dirs| dirs.split(':').next()) {
            return first.into();
        }
        let xdg = self.xdg_data_home.clone().filter(|dir| dir.is_absolute());
        let xdg = xdg.or_else(|| self.home.as_ref().map(|home| home.join(".local/share")));
        xdg.map_or_else(|| "acclimate-data".into(), |dir| dir.join("acclimate"))
    }

    /// Where systemd wants what is there while a service runs.
    pub fn runtime_dir(&self) -> Option<&Path> {
        let first = self.runtime_directory.as_deref().and_then(|dirs| dirs.split(':').next());
        first.filter(|dir| !dir.is_empty()).map(Path::new)
    }

    /// Folders searched for models, in order: the ones asked for, `$ACCLIMATE_MODELS`, `models` in the data directory.
    pub fn model_dirs(&self, asked: &[PathBuf], data_dir: &Path) -> Vec<PathBuf> {
        let variable = self.models.iter().flat_map(|dirs| dirs.split(':')).filter(|dir| !dir.is_empty());
        asked.iter().cloned().chain(variable.map(PathBuf::from)).chain([data_dir.join("models")]).collect()
    }
}

/// Makes a path that still means the same after a change of the working directory.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_wins_then_systemd_then_xdg_then_home() {
        let mut environment = Environment {
            home: Some("/home/a".into()),
            state_directory: Some("/var/lib/acclimate:/x".into()),
            xdg_data_home: Some("/xdg".into()),
            ..Environment::default()
        };
        assert_eq!(environment.data_dir(Some(Path::new("here"))), Path::new("here"));
        assert_eq!(environment.data_dir(None), Path::new("/var/lib/acclimate"));
        environment.runtime_directory = Some("/run/acclimate:/run/x".into());
        assert_eq!(environment.runtime_dir(), Some(Path::new("/run/acclimate")));
        environment.state_directory = None;
        assert_eq!(environment.data_dir(None), Path::new("/xdg/acclimate"));
        environment.xdg_data_home = Some("relative".into());
        assert_eq!(environment.data_dir(None), Path::new("/home/a/.local/share/acclimate"), "XDG: relative is ignored");
    }

    #[test]
    fn models_are_searched_in_the_order_of_the_design() {
        let environment = Environment { models: Some("/m1:/m2".into()), ..Environment::default() };
        let dirs = environment.model_dirs(&["/asked".into()], Path::new("/data"));
        assert_eq!(dirs, ["/asked", "/m1", "/m2", "/data/models"].map(PathBuf::from));
    }
}
