//! Keys, as JSON.

use serde::{Deserialize, Serialize};

/// The key that signs here, as `key generate` and `key show` print it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct DeviceKeyRecord {
    /// This device.
    pub device: String,
    /// Its public key, as `key trust` takes it.
    pub key: String,
    /// SHA-256 of the public key, by which signatures name it.
    pub id: String,
    /// Where the private key is.
    pub file: String,
}

/// A key whose heads may be used here, as `key trust` and `key distrust` print it, and `key list` for each.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct TrustedKeyRecord {
    /// What it is called here.
    pub name: String,
    /// The public key.
    pub key: String,
    /// SHA-256 of the public key.
    pub id: String,
    /// The tasks in which a head that it signed is in service.
    pub in_service: Vec<String>,
}
