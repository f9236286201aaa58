//! Where the configuration lies on this machine. Decides from an environment that is passed in; touches no file.

use std::path::PathBuf;

/// What decides.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// `$CONFIGURATION_DIRECTORY`, set by systemd; its first folder counts.
    pub configuration_directory: Option<String>,
    /// `$STATE_DIRECTORY`, set by systemd: it says that a service runs, and below `/var/lib` that it is the system's.
    pub state_directory: Option<String>,
    /// Whether the user is root.
    pub root: bool,
    /// `$XDG_CONFIG_HOME`.
    pub xdg_config_home: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// Of this process.
    pub fn of_process() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            configuration_directory: text("CONFIGURATION_DIRECTORY"),
            state_directory: text("STATE_DIRECTORY"),
            root: rustix::process::geteuid().is_root(),
            xdg_config_home: text("XDG_CONFIG_HOME").map(PathBuf::from),
            home: text("HOME").map(PathBuf::from),
        }
    }

    /// The file that is read when none is named: systemd's, of the system and of root the one in `/etc`, of a user the XDG one.
    pub fn file(&self) -> PathBuf {
        const FILE: &str = "acclimate.toml";
        if let Some(first) = self.configuration_directory.as_deref().and_then(|dirs| dirs.split(':').next()) {
            return PathBuf::from(first).join(FILE);
        }
        let system = self.state_directory.as_deref().is_some_and(|dir| dir.starts_with("/var/lib/"));
        let xdg = self.xdg_config_home.clone().filter(|dir| dir.is_absolute());
        let xdg = xdg.or_else(|| self.home.as_ref().map(|home| home.join(".config")));
        match xdg {
            Some(xdg) if !self.root && !system => xdg.join("acclimate").join(FILE),
            _ => PathBuf::from("/etc/acclimate").join(FILE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_service_reads_etc_and_a_user_reads_their_own() {
        let mut around = Surroundings {
            home: Some("/home/a".into()),
            xdg_config_home: Some("relative".into()),
            ..Surroundings::default()
        };
        assert_eq!(around.file(), Path::new("/home/a/.config/acclimate/acclimate.toml"), "XDG: relative is ignored");
        around.xdg_config_home = Some("/xdg".into());
        assert_eq!(around.file(), Path::new("/xdg/acclimate/acclimate.toml"));
        around.state_directory = Some("/var/lib/acclimate".into());
        assert_eq!(around.file(), Path::new("/etc/acclimate/acclimate.toml"));
        around.configuration_directory = Some("/run/x:/y".into());
        assert_eq!(around.file(), Path::new("/run/x/acclimate.toml"));
        let root = Surroundings { root: true, home: Some("/root".into()), ..Surroundings::default() };
        assert_eq!(root.file(), Path::new("/etc/acclimate/acclimate.toml"));
    }
}
