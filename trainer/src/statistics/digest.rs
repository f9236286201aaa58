//! The proof that two statistics are equal: a SHA-256 of a canonical form.
//!
//! Invariant: neither the order of classes nor classes without samples matter. A change of the form changes its version.

use sha2::{Digest, Sha256};

use super::{Statistics, StatisticsError};

/// Version of the canonical form behind [`Statistics::digest`].
const FORMAT: &[u8] = b"acclimate statistics 1\0";

impl Statistics {
    /// SHA-256 of a canonical form: format version, dim, quantisation, the classes that have samples sorted by name
    /// (name, count, sums), second moment; integers little-endian, names with their length in front.
    ///
    /// # Errors
    /// When a class with samples has no name, or shares one.
    pub fn digest(&self, names: &[&str]) -> Result<[u8; 32], StatisticsError> {
        let mut present: Vec<(&str, usize)> = Vec::new();
        for class in (0..self.counts.len()).filter(|&class| self.counts[class] != 0) {
            let name = names.get(class).filter(|name| present.iter().all(|(other, _)| other != *name));
            present.push((name.ok_or(StatisticsError::Names { class, names: names.len() })?, class));
        }
        present.sort_unstable();
        let mut sha = Sha256::new();
        sha.update(FORMAT);
        sha.update((self.dim as u64).to_le_bytes());
        sha.update(self.quantisation.full_scale.to_le_bytes());
        sha.update([u8::from(self.quantisation.signed)]);
        sha.update((present.len() as u64).to_le_bytes());
        for (name, class) in present {
            sha.update((name.len() as u64).to_le_bytes());
            sha.update(name.as_bytes());
            sha.update(self.counts[class].to_le_bytes());
            for sum in &self.sums[class * self.dim..][..self.dim] {
                sha.update(sum.to_le_bytes());
            }
        }
        for entry in &self.moment {
            sha.update(entry.to_le_bytes());
        }
        Ok(sha.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
    use super::*;
    use crate::Quantisation;
    use ndarray::Array2;

    const UNSIGNED: Quantisation = Quantisation { full_scale: 0.5, signed: false };

    /// If this fails, do not edit the bytes: fleets compare digests made by earlier versions. Add a format version.
    #[test]
    fn the_canonical_form_is_golden() {
        let mut statistics = Statistics::new(2, UNSIGNED);
        let codes = ndarray::array![[1_u8, 2], [3, 4], [255, 0]];
        statistics.add(codes.view(), &[0, 2, 2]).unwrap();
        let digest = statistics.digest(&["b", "empty", "a"]).unwrap();
        let mut form = b"acclimate statistics 1\0".to_vec();
        form.extend(2_u64.to_le_bytes());
        form.extend(0.5_f32.to_le_bytes());
        form.push(0);
        form.extend(2_u64.to_le_bytes());
        for (name, numbers) in [(b'a', [2, 258, 4]), (b'b', [1, 1, 2])] {
            form.extend(1_u64.to_le_bytes());
            form.push(name);
            form.extend(numbers.iter().flat_map(|x: &i64| x.to_le_bytes()));
        }
        let moment = [1 + 9 + 255 * 255, 2 + 12, 4 + 16];
        form.extend(moment.iter().flat_map(|x: &i64| x.to_le_bytes()));
        assert_eq!(digest[..], Sha256::digest(form)[..]);
    }

    #[test]
    fn a_digest_sees_names_and_not_order_or_empty_classes() {
        let x = Array2::from_shape_fn((4, 3), |(i, j)| (i * 89 + j * 57) as u8);
        let mut one = Statistics::new(3, UNSIGNED);
        one.add(x.view(), &[0, 0, 1, 1]).unwrap();
        let mut other = Statistics::new(3, UNSIGNED);
        other.add(x.view(), &[2, 2, 0, 0]).unwrap();
        let digest = one.digest(&["ok", "scratch"]).unwrap();
        assert_eq!(other.digest(&["scratch", "empty", "ok"]).unwrap(), digest);
        assert_ne!(one.digest(&["scratch", "ok"]).unwrap(), digest);
        assert_eq!(one.digest(&["ok"]), Err(StatisticsError::Names { class: 1, names: 1 }));
        assert_eq!(one.digest(&["ok", "ok"]), Err(StatisticsError::Names { class: 1, names: 2 }));
        let rest = Statistics { quantisation: Quantisation { full_scale: 0.6, ..UNSIGNED }, ..one };
        assert_ne!(rest.digest(&["ok", "scratch"]).unwrap(), digest);
    }
}
