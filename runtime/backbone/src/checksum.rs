//! SHA-256 of models, and how a sum is written. Knows nothing about what the bytes mean.

use std::{fs::File, io, path::Path};

use sha2::{Digest, Sha256};

/// The sum of some bytes.
pub fn of(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The sum of a file, read in pieces.
///
/// # Errors
/// When it cannot be read.
pub fn of_file(path: &Path) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path)?;
    let mut piece = vec![0; 1 << 16];
    loop {
        match io::Read::read(&mut file, &mut piece)? {
            0 => return Ok(hasher.finalize().into()),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// Lower-case hexadecimal.
pub fn hex(sum: &[u8]) -> String {
    sum.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
