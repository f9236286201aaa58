//! How things in the store are named: samples by their content, heads by a number, moments by the order of labels.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// Sixteen bytes of the SHA-256 of a sample's content; written as 32 hexadecimal digits, the first ones of `sha256sum`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleId(pub [u8; 16]);

impl SampleId {
    /// The id of a sample with this content.
    pub fn of(payload: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(payload).into();
        let (id, _) = digest.split_at(16);
        Self(id.try_into().expect("16 bytes were split off"))
    }
}

impl fmt::Display for SampleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

/// A SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Numbers a task's heads, from 1, in the order in which they were recorded; a number is never used twice. 0 is the
/// classifier that came in the model of a new task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Generation {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A point in the order of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark(pub(crate) i64);

impl Watermark {
    /// Whether a claim with this sequence number came later.
    pub fn is_before(self, label_seq: i64) -> bool {
        label_seq > self.0
    }
}
