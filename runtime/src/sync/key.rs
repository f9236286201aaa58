//! Keys that sign heads: Ed25519 (RFC 8032), in the forms of RFC 8410 that other tools read, and one that fits on a line. Knows
//! nothing of files.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::store::Digest;

/// What stands before the 32 bytes of a key in PKCS #8, and in a `SubjectPublicKeyInfo`.
const PRIVATE: [u8; 16] = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
const PUBLIC: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
/// Before a key on a line.
const WORD: &str = "ed25519:";

/// Whose signature it is: SHA-256 of the 32 bytes of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 32]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Digest(self.0).fmt(f)
    }
}

/// What others check signatures with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// What is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an Ed25519 public key: `ed25519:` and 44 characters of base64, or a PEM file that begins with -----BEGIN PUBLIC KEY-----"
)]
pub struct NoPublicKey;

/// What signs here. It is never shown.
pub struct DeviceKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.public())
    }
}

impl DeviceKey {
    /// A new one; none where the system gives no randomness.
    pub fn random() -> Option<Self> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).ok()?;
        Self::from_seed(seed)
    }

    fn from_seed(seed: [u8; 32]) -> Option<Self> {
        Some(Self { seed, pair: Ed25519KeyPair::from_seed_unchecked(&seed).ok()? })
    }

    /// The key in the text of a PEM file.
    pub fn from_pem(text: &str) -> Option<Self> {
        let der = pem(text, "PRIVATE KEY")?;
        Self::from_seed(der.strip_prefix(&PRIVATE)?.try_into().ok()?)
    }

    /// As `openssl genpkey -algorithm ed25519` writes it.
    pub fn to_pem(&self) -> String {
        to_pem("PRIVATE KEY", &[&PRIVATE[..], &self.seed].concat())
    }

    /// What others check its signatures with.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes"))
    }

    /// Signs.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).as_ref().to_vec()
    }
}

impl PublicKey {
    /// Its digest, by which signatures name it.
    pub fn id(&self) -> KeyId {
        KeyId(Digest::of(&self.0).0)
    }

    /// Whether this key has signed the message so.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    /// As `openssl pkey -pubout` writes it.
    pub fn to_pem(&self) -> String {
        to_pem("PUBLIC KEY", &[&PUBLIC[..], &self.0].concat())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{WORD}{}", STANDARD.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = NoPublicKey;

    /// One line, or the text of a PEM file.
    fn from_str(text: &str) -> Result<Self, NoPublicKey> {
        let text = text.trim();
        let bytes = match text.strip_prefix(WORD) {
            Some(line) => STANDARD.decode(line).ok(),
            None => pem(text, "PUBLIC KEY").and_then(|der| Some(der.strip_prefix(&PUBLIC)?.to_vec())),
        };
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NoPublicKey)
    }
}

/// What a PEM text (RFC 7468) of this label holds.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let body = body.strip_suffix(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok()
}

/// Of so few bytes that they fit on a line.
fn to_pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use super::*;

    /// RFC 8410, section 10.3 and 10.1.
    const RFC_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    const RFC_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_keys_of_the_standard_are_read_and_written_as_it_has_them() {
        let key = DeviceKey::from_pem(RFC_PRIVATE).unwrap();
        assert_eq!((key.to_pem().as_str(), key.public().to_pem().as_str()), (RFC_PRIVATE, RFC_PUBLIC));
        assert_eq!(RFC_PUBLIC.parse::<PublicKey>(), Ok(key.public()));
        assert_eq!(key.public().to_string(), "ed25519:Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
        assert!(!format!("{key:?}").contains("1O5y"), "a log does not tell the secret");
    }

    #[test]
    fn keys_are_random_and_survive_text() {
        let (one, two) = (DeviceKey::random().unwrap(), DeviceKey::random().unwrap());
        assert_ne!(one.public(), two.public());
        assert_eq!(DeviceKey::from_pem(&one.to_pem()).unwrap().public(), one.public());
        assert_eq!(one.public().to_string().parse::<PublicKey>(), Ok(one.public()));
        let signature = one.sign(b"a head");
        assert!(one.public().has_signed(b"a head", &signature));
        assert!(!one.public().has_signed(b"a heaD", &signature) && !two.public().has_signed(b"a head", &signature));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let cut = &RFC_PUBLIC[..RFC_PUBLIC.len() - 30];
        for text in ["", "ed25519:", "ed25519:AAAA", "ssh-ed25519 AAAA", RFC_PRIVATE, cut] {
            assert_eq!(text.parse::<PublicKey>(), Err(NoPublicKey), "{text}");
        }
        assert!(DeviceKey::from_pem(RFC_PUBLIC).is_none());
    }
}
