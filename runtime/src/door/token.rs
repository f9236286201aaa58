//! The token: what somebody must know who comes from elsewhere. Made from the system's randomness, kept in a file that only
//! its owner reads, compared in constant time, never printed by accident. Knows nothing of requests.

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::hint::black_box;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::durable;

/// Characters that a token has at least.
const LEAST: usize = 16;

/// Characters that a token has at most.
const MOST: usize = 256;

/// The token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
}

/// Why a token is of no use.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("could not {step} the file of the token, {}", path.display())]
    File {
        /// What was attempted.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What it holds is no token.
    #[error(
        "{} holds no token: expected {LEAST} to {MOST} printable characters without spaces; `acclimate page --lan` makes one",
        path.display()
    )]
    NoToken {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no randomness.
    #[error("could not read /dev/urandom for a new token")]
    Random(#[source] io::Error),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A new one of 128 random bits.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> Result<Self, TokenError> {
        let mut bytes = [0; 16];
        File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes)).map_err(TokenError::Random)?;
        let text = bytes.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self { text })
    }

    /// The one in a file.
    ///
    /// # Errors
    /// When the file cannot be read, or holds none.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::File { step: "read", path: path.into(), source };
        let mut text = String::new();
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!("others can read the token in {}: `chmod 600` keeps it yours", path.display());
        }
        file.take(4096).read_to_string(&mut text).map_err(failed)?;
        let text = text.trim();
        if !(LEAST..=MOST).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::NoToken { path: path.into() });
        }
        Ok(Self { text: text.to_owned() })
    }

    /// The one in a file, if there is such a file.
    ///
    /// # Errors
    /// As [`Token::read`].
    pub fn read_if_there(path: &Path) -> Result<Option<Self>, TokenError> {
        match Self::read(path) {
            Err(TokenError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// Writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// When there is such a file, or it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), TokenError> {
        let failed = |source| TokenError::File { step: "write", path: path.into(), source };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let written =
            file.write_all(self.text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all());
        let written = written.and_then(|()| durable::sync_names(durable::above(path)));
        written.map_err(|error| {
            // Half a token is none: the next attempt makes a whole one.
            let _ = fs::remove_file(path);
            failed(error)
        })
    }

    /// The token itself, for who is to know it.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether a text is the token.
    pub(super) fn is(&self, text: &str) -> bool {
        same(&Sha256::digest(self.text.as_bytes()), &Sha256::digest(text.as_bytes()))
    }

    /// What a browser keeps in the token's place. It tells nothing of the token, and ends with it.
    pub(super) fn session(&self) -> String {
        let digest = Sha256::new().chain_update(b"acclimate session\0").chain_update(self.text.as_bytes()).finalize();
        digest.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// Whether a text is what [`Token::session`] gave.
    pub(super) fn is_session(&self, text: &str) -> bool {
        same(&Sha256::digest(self.session().as_bytes()), &Sha256::digest(text.as_bytes()))
    }
}

/// Compares two digests in a time that does not depend on where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && black_box(a.iter().zip(b).fold(0, |differ, (a, b)| differ | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;

    #[test]
    fn a_token_is_random_private_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert_eq!(Token::read_if_there(&path).unwrap(), None);
        let token = Token::random().unwrap();
        token.write_new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Token::read(&path).unwrap(), token);
        assert_ne!(Token::random().unwrap(), token);
        assert!(matches!(token.write_new(&path), Err(TokenError::File { .. })), "a token is never overwritten");
        assert_eq!(token.reveal().len(), 32);
        assert!(!format!("{token:?}").contains(token.reveal()));
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let token = Token { text: "0123456789abcdef".to_owned() };
        assert!(token.is("0123456789abcdef"));
        for wrong in ["", "0123456789abcde", "0123456789abcdeg", "0123456789abcdef0", &token.session()] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert!(token.is_session(&token.session()) && !token.is_session(token.reveal()));
    }

    #[test]
    fn what_is_too_short_or_not_printable_is_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for wrong in ["", "short", "has a space in the middle", "ümlauts-are-not-sent-in-headers", &"x".repeat(257)] {
            fs::write(&path, wrong).unwrap();
            assert!(matches!(Token::read(&path), Err(TokenError::NoToken { .. })), "{wrong}");
        }
    }
}
