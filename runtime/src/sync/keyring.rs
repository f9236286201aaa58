//! Keys in the data directory: the one that signs here, and those that are trusted, by name. Files that their owner alone may
//! read, so that a running daemon and the command line see the same at any time. Knows nothing of what is signed.
//!
//! | file | what |
//! |---|---|
//! | `keys/device.pem` | the private key of this device |
//! | `keys/trusted/NAME.pem` | a public key whose heads may be used here |

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::key::{DeviceKey, KeyId, NoPublicKey, PublicKey};
use crate::durable;
use crate::name::is_name;

/// Keys that can be trusted at a time.
const MOST: usize = 1024;
/// Bytes of a key's file at most.
const KEY_BYTES: u64 = 4096;

/// The keys of a data directory.
#[derive(Clone, Debug)]
pub struct Keyring {
    folder: PathBuf,
}

/// A key whose heads may be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// What it is called here.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

/// Why keys could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file operation failed.
    #[error("could not {step} {}", path.display())]
    File {
        /// What was attempted.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// There is one already.
    #[error(
        "this device has the key {id} already, in {}; `acclimate key generate --replace` makes another, which other devices \
         then have to trust anew", path.display()
    )]
    HasKey {
        /// Its digest.
        id: KeyId,
        /// Its file.
        path: PathBuf,
    },
    /// A name cannot be used.
    #[error("a key cannot be called {name:?}: expected 1 to 64 of a-z, 0-9 and -")]
    Name {
        /// What was asked for.
        name: String,
    },
    /// Another key has the name.
    #[error(
        "`{name}` is the name of another trusted key, {id}; `acclimate key distrust {name}` first, or choose another name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// The other key's digest.
        id: KeyId,
    },
    /// There is none to sign with.
    #[error("this device has no key to sign with: `acclimate key generate` makes one in {}", folder.display())]
    NoDeviceKey {
        /// Where it would be.
        folder: PathBuf,
    },
    /// A file holds no key.
    #[error("{} holds no key", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What was expected.
        #[source]
        source: NoPublicKey,
    },
    /// The file of this device's key holds something else.
    #[error("{} holds no Ed25519 private key (PKCS #8, PEM); restore it, or `acclimate key generate --replace`", path.display())]
    NoPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// No such name.
    #[error("no trusted key is called `{name}`; `acclimate key list` shows what there is")]
    NotTrusted {
        /// What was asked for.
        name: String,
    },
    /// The system gives none.
    #[error("the system gives no randomness to make a key from")]
    Random,
    /// Already trusted.
    #[error("this key is trusted already, as `{name}`")]
    TrustedAs {
        /// The name.
        name: String,
    },
    /// Too many.
    #[error("{MOST} keys are trusted, which is the most; `acclimate key distrust` those that are no longer used")]
    TooMany,
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    move |source| KeyError::File { step, path: path.into(), source }
}

impl Keyring {
    /// The keys of this data directory, which need not exist yet.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join("keys") }
    }

    /// Where the key of this device is.
    pub fn device_file(&self) -> PathBuf {
        self.folder.join("device.pem")
    }

    /// The key that signs here.
    ///
    /// # Errors
    /// There is none, or its file cannot be read.
    pub fn device(&self) -> Result<DeviceKey, KeyError> {
        let path = self.device_file();
        let Some(text) = read(&path)? else {
            return Err(KeyError::NoDeviceKey { folder: self.folder.clone() });
        };
        DeviceKey::from_pem(&text).ok_or(KeyError::NoPrivateKey { path })
    }

    /// Makes the key that signs here; one that is there is only replaced where that was asked for.
    ///
    /// # Errors
    /// There is one; it cannot be written.
    pub fn generate(&self, replace: bool) -> Result<DeviceKey, KeyError> {
        let path = self.device_file();
        if !replace && path.exists() {
            return Err(KeyError::HasKey { id: self.device()?.public().id(), path });
        }
        let key = DeviceKey::random().ok_or(KeyError::Random)?;
        self.write(&path, &key.to_pem())?;
        Ok(key)
    }

    /// Every key whose heads may be used here, by name.
    ///
    /// # Errors
    /// A file cannot be read, or holds no key.
    pub fn trusted(&self) -> Result<Vec<Trusted>, KeyError> {
        let folder = self.folder.join("trusted");
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed("list", &folder))?,
        };
        let mut trusted = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed("list", &folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".pem"));
            if let Some(name) = name.filter(|name| check(name).is_ok())
                && let Some(text) = read(&path)?
            {
                let name = name.to_owned();
                let key = text.parse().map_err(|source| KeyError::NoKey { path, source })?;
                trusted.push(Trusted { name, key });
            }
        }
        trusted.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(trusted)
    }

    /// Trusts a key: heads that it signed may be used here. Says whether it was not trusted so before.
    ///
    /// # Errors
    /// The name cannot be used or is another key's; the key has another name; there are too many.
    pub fn trust(&self, name: &str, key: PublicKey) -> Result<bool, KeyError> {
        check(name)?;
        let trusted = self.trusted()?;
        for known in &trusted {
            match (known.name == name, known.key == key) {
                (true, true) => return Ok(false),
                (true, false) => return Err(KeyError::NameTaken { name: name.to_owned(), id: known.key.id() }),
                (false, true) => return Err(KeyError::TrustedAs { name: known.name.clone() }),
                (false, false) => {}
            }
        }
        if trusted.len() >= MOST {
            return Err(KeyError::TooMany);
        }
        self.write(&self.trusted_file(name), &key.to_pem())?;
        Ok(true)
    }

    /// Trusts a key no longer; gives it.
    ///
    /// # Errors
    /// None has this name.
    pub fn distrust(&self, name: &str) -> Result<PublicKey, KeyError> {
        check(name)?;
        let known = self.trusted()?.into_iter().find(|known| known.name == name);
        let known = known.ok_or_else(|| KeyError::NotTrusted { name: name.to_owned() })?;
        let path = self.trusted_file(name);
        fs::remove_file(&path).map_err(failed("delete", &path))?;
        let folder = durable::above(&path);
        durable::sync_names(folder).map_err(failed("sync", folder))?;
        Ok(known.key)
    }

    fn trusted_file(&self, name: &str) -> PathBuf {
        self.folder.join("trusted").join(format!("{name}.pem"))
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), KeyError> {
        let folder = durable::above(path);
        durable::make_folder(folder).map_err(failed("make", folder))?;
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))
            .map_err(failed("close to others", &self.folder))?;
        durable::write_own(path, text.as_bytes()).map_err(failed("write", path))
    }
}

/// A name that can stand in a file's name and in a topic.
fn check(name: &str) -> Result<(), KeyError> {
    if is_name(name) { Ok(()) } else { Err(KeyError::Name { name: name.to_owned() }) }
}

/// The text of a key's file, if there is one.
fn read(path: &Path) -> Result<Option<String>, KeyError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed("read", path))?,
    };
    let mut text = String::new();
    file.take(KEY_BYTES).read_to_string(&mut text).map_err(failed("read", path))?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_devices_key_is_made_once_and_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::of(dir.path());
        assert!(ring.device().unwrap_err().to_string().contains("`acclimate key generate` makes one"));
        let key = ring.generate(false).unwrap();
        assert_eq!((mode(&ring.device_file()), mode(&ring.folder)), (0o600, 0o700));
        assert_eq!(ring.device().unwrap().public(), key.public());
        assert!(ring.generate(false).unwrap_err().to_string().contains(&key.public().id().to_string()));
        assert_ne!(ring.generate(true).unwrap().public(), key.public());
        assert_eq!(mode(&ring.device_file()), 0o600);
    }

    #[test]
    fn a_key_has_one_name_and_a_name_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::of(dir.path());
        let [one, two] = [(); 2].map(|()| DeviceKey::random().unwrap().public());
        assert!(ring.trusted().unwrap().is_empty());
        assert!(ring.trust("press-7", one).unwrap() && !ring.trust("press-7", one).unwrap());
        assert!(matches!(ring.trust("press-7", two), Err(KeyError::NameTaken { .. })));
        assert!(matches!(ring.trust("press-8", one), Err(KeyError::TrustedAs { name }) if name == "press-7"));
        assert!(matches!(ring.trust("../x", two), Err(KeyError::Name { .. })));
        ring.trust("press-8", two).unwrap();
        let names: Vec<String> = ring.trusted().unwrap().into_iter().map(|known| known.name).collect();
        assert_eq!(names, ["press-7", "press-8"]);
        assert_eq!(mode(&ring.trusted_file("press-8")), 0o600);
        assert_eq!(ring.distrust("press-7").unwrap(), one);
        assert!(matches!(ring.distrust("press-7"), Err(KeyError::NotTrusted { .. })));
        assert_eq!(ring.trusted().unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_holds_no_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let ring = Keyring::of(dir.path());
        ring.generate(false).unwrap();
        fs::write(ring.device_file(), "not a key").unwrap();
        assert!(ring.device().unwrap_err().to_string().contains("device.pem holds no Ed25519 private key"));
        ring.trust("press-7", DeviceKey::random().unwrap().public()).unwrap();
        fs::write(ring.trusted_file("press-7"), "not a key").unwrap();
        assert!(ring.trusted().unwrap_err().to_string().ends_with("press-7.pem holds no key"));
    }
}
