//! What announces a signed head that comes in parts: the signer's word for the digest of each, so that every part is checked by
//! itself, whoever sends it and in whatever order. Small enough for a retained message. Knows no transport.
//!
//! A manifest is an envelope with the head's statement, less its samples, and this payload:
//!
//! | field | type | what |
//! |---|---|---|
//! | `sha256` | 32 bytes | of the whole signed head |
//! | `bytes` | uint | size of the whole |
//! | `part_bytes` | uint | size of each part but the last, which is not larger |
//! | `parts` | bytes | SHA-256 of each part, one after the other |

use ciborium::Value;

use super::envelope::{self, What};
use super::key::DeviceKey;
use super::keyring::Trusted;
use super::refusal::Refusal;
use super::signed;
use super::statement::{Fields, Statement};
use crate::cbor;
use crate::store::Digest;

/// Parts of a head at most: their digests take 64 KiB.
pub(super) const MOST_PARTS: usize = 2048;
/// Bytes of a part at least, but for the last.
const LEAST_PART: u64 = 1024;
/// What topic and properties take of a packet at most.
const AROUND: usize = 1024;
/// Bytes of a manifest at most.
pub(super) const MOST_BYTES: usize = 128 << 10;

/// What a trusted key says of the parts of a head.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Who says it.
    pub signer: Trusted,
    /// What is said of the head, but for its samples.
    pub statement: Statement,
    /// Which signed head: the SHA-256 of all of it.
    pub sha256: Digest,
    /// Size of all of it.
    pub bytes: u64,
    /// Size of each part but the last.
    pub part_bytes: u64,
    /// SHA-256 of each part.
    pub parts: Vec<Digest>,
}

/// A signed head, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Which: the SHA-256 of all of it.
    pub sha256: Digest,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    /// The parts, in order.
    pub parts: Vec<&'a [u8]>,
}

/// A head is too large for a broker's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a signed head of {bytes} bytes does not go through packets of {packet}: its manifest would have {manifest}; raise the broker's \
     limit (max_packet_size) or fit a smaller head (--head ridge)"
)]
pub struct TooLargeForPackets {
    bytes: usize,
    packet: usize,
    manifest: usize,
}

/// Cuts a signed head into parts that fit into packets of so many bytes, topic and properties included.
///
/// # Errors
/// The manifest does not fit into one.
pub fn split<'a>(
    key: &DeviceKey,
    statement: &Statement,
    signed: &'a [u8],
    packet: usize,
) -> Result<Parts<'a>, TooLargeForPackets> {
    let part_bytes = packet.saturating_sub(AROUND).max(LEAST_PART as usize);
    let parts: Vec<&[u8]> = signed.chunks(part_bytes).collect();
    let digests: Vec<Digest> = parts.iter().map(|part| Digest::of(part)).collect();
    let sha256 = Digest::of(signed);
    let payload = Value::Map(vec![
        (Value::Text("sha256".into()), Value::Bytes(sha256.0.to_vec())),
        (Value::Text("bytes".into()), Value::Integer((signed.len() as u64).into())),
        (Value::Text("part_bytes".into()), Value::Integer((part_bytes as u64).into())),
        (Value::Text("parts".into()), Value::Bytes(digests.iter().flat_map(|digest| digest.0).collect())),
    ]);
    let statement = statement.without_samples().to_value();
    let manifest = envelope::seal(key, What::Manifest, &statement, cbor::write(&payload));
    if parts.len() > MOST_PARTS || manifest.len() > MOST_BYTES || manifest.len() + AROUND > packet {
        return Err(TooLargeForPackets { bytes: signed.len(), packet, manifest: manifest.len() });
    }
    Ok(Parts { sha256, manifest, parts })
}

impl Manifest {
    /// Reads what one of the trusted keys has signed; from strangers too.
    ///
    /// # Errors
    /// It is none, nobody trusted has signed it, or its numbers do not fit one another.
    pub fn open(bytes: &[u8], trusted: &[Trusted]) -> Result<Self, Refusal> {
        if bytes.len() > MOST_BYTES {
            return Err(Refusal::TooLarge { bytes: bytes.len() as u64, most: MOST_BYTES as u64 });
        }
        let opened = envelope::open(bytes, What::Manifest, trusted)?;
        let statement = Statement::from_value(opened.statement)?;
        statement.check_size()?;
        let payload = cbor::read(&opened.payload).map_err(|error| Refusal::malformed(crate::causes(&error)))?;
        let mut fields = Fields::of(payload)?;
        let sha256 = Digest(fields.digest("sha256")?);
        let (size, part_bytes): (u64, u64) = (fields.number("bytes")?, fields.number("part_bytes")?);
        let digests = fields.bytes("parts")?;
        fields.finish()?;
        let most = signed::MAX_BYTES as u64;
        if size > most {
            return Err(Refusal::TooLarge { bytes: size, most });
        }
        let (digests, rest) = digests.as_chunks::<32>();
        let parts: Vec<Digest> = digests.iter().map(|&digest| Digest(digest)).collect();
        let fits = rest.is_empty()
            && size > statement.bytes
            && (1..=MOST_PARTS).contains(&parts.len())
            && part_bytes >= LEAST_PART
            && size.div_ceil(part_bytes) == parts.len() as u64;
        if !fits {
            return Err(Refusal::malformed("the numbers of its parts do not fit one another"));
        }
        Ok(Self { signer: opened.signer, statement, sha256, bytes: size, part_bytes, parts })
    }

    /// Size of a part.
    pub(super) fn size_of(&self, part: usize) -> u64 {
        let before = part as u64 * self.part_bytes;
        self.bytes.saturating_sub(before).min(self.part_bytes)
    }

    /// Whether these are the bytes of a part.
    pub(super) fn is(&self, part: usize, bytes: &[u8]) -> bool {
        // The size first: what is too long is not even digested.
        self.parts
            .get(part)
            .is_some_and(|&digest| bytes.len() as u64 == self.size_of(part) && Digest::of(bytes) == digest)
    }
}
