//! A signed head: the bytes of a head file, and what its signer says of it. Knows nothing of the device that takes it in.

use super::envelope::{self, What};
use super::key::DeviceKey;
use super::keyring::Trusted;
use super::refusal::Refusal;
use super::statement::Statement;
use crate::head_file;
use crate::store::Digest;

/// Largest signed head: the largest head file, and what is said of it.
pub const MAX_BYTES: usize = head_file::MAX_BYTES + (1 << 20);

/// A head that a trusted key has signed. What it says is true of the bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedHead {
    /// Who signed.
    pub signer: Trusted,
    /// What is said of it.
    pub statement: Statement,
    /// The head file.
    pub head: Vec<u8>,
}

/// Signs a head file and what is said of it.
pub fn sign(key: &DeviceKey, statement: &Statement, head: &[u8]) -> Vec<u8> {
    envelope::seal(key, What::Head, &statement.to_value(), head.to_vec())
}

impl SignedHead {
    /// Reads what one of the trusted keys has signed; from strangers too.
    ///
    /// # Errors
    /// It is none, nobody trusted has signed it, or it is not whole.
    pub fn open(bytes: &[u8], trusted: &[Trusted]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_BYTES {
            return Err(Refusal::TooLarge { bytes: bytes.len() as u64, most: MAX_BYTES as u64 });
        }
        let opened = envelope::open(bytes, What::Head, trusted)?;
        let statement = Statement::from_value(opened.statement)?;
        let head = opened.payload;
        if head.len() as u64 != statement.bytes {
            let (expected, found) = (statement.bytes.to_string(), head.len().to_string());
            return Err(Refusal::NotWhole { what: "its size", expected, found });
        }
        let digest = Digest::of(&head);
        if digest != statement.head {
            let (expected, found) = (statement.head.to_string(), digest.to_string());
            return Err(Refusal::NotWhole { what: "its SHA-256", expected, found });
        }
        Ok(Self { signer: opened.signer, statement, head })
    }
}
