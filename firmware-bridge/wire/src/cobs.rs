//! Consistent overhead byte stuffing (Cheshire and Baker, 1999): any bytes become bytes without a zero, so that a zero can
//! only be a delimiter. Knows nothing of checksums.

/// Writes `parts`, one after the other, without zeros; returns the length, or `None` if `out` is too short.
pub(crate) fn stuff(parts: &[&[u8]], out: &mut [u8]) -> Option<usize> {
    // Where the code byte of the block now being written goes, and what it will say.
    let (mut code_at, mut code, mut end) = (0, 1, 1);
    for &byte in parts.iter().copied().flatten() {
        // A full block that no zero ends; only now is it certain that another follows.
        if code == 0xFF {
            *out.get_mut(code_at)? = code;
            (code_at, code, end) = (end, 1, end + 1);
        }
        if byte == 0 {
            *out.get_mut(code_at)? = code;
            (code_at, code, end) = (end, 1, end + 1);
        } else {
            *out.get_mut(end)? = byte;
            (code, end) = (code + 1, end + 1);
        }
    }
    *out.get_mut(code_at)? = code;
    Some(end)
}

/// Undoes [`stuff`] in place; `None` if a block is longer than what is left.
pub(crate) fn unstuff(bytes: &mut [u8]) -> Option<&[u8]> {
    let (mut from, mut to) = (0, 0);
    while from < bytes.len() {
        let code = usize::from(bytes[from]);
        let block = from + 1..from + code.max(1);
        if code == 0 || block.end > bytes.len() {
            return None;
        }
        from = block.end;
        let length = block.len();
        bytes.copy_within(block, to);
        to += length;
        // The zero that ended the block, unless the block was full or the last one.
        if code != 0xFF && from < bytes.len() {
            bytes[to] = 0;
            to += 1;
        }
    }
    Some(&bytes[..to])
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn check(plain: &[u8], stuffed: &[u8]) {
        let mut out = [0; 600];
        let length = stuff(&[plain], &mut out).expect("600 bytes hold it");
        assert_eq!(&out[..length], stuffed);
        assert_eq!(unstuff(&mut out[..length]), Some(plain));
    }

    #[test]
    fn agrees_with_the_examples_of_the_paper_and_the_encyclopaedia() {
        check(&[], &[1]);
        check(&[0], &[1, 1]);
        check(&[0, 0], &[1, 1, 1]);
        check(&[0x11, 0x22, 0, 0x33], &[3, 0x11, 0x22, 2, 0x33]);
        check(&[0x11, 0, 0, 0], &[2, 0x11, 1, 1, 1]);
        let ascending: Vec<u8> = (1..=255).collect();
        let block = |code: u8, range: core::ops::RangeInclusive<u8>| core::iter::once(code).chain(range);
        check(&ascending[..254], &block(0xFF, 1..=254).collect::<Vec<_>>());
        check(&ascending, &block(0xFF, 1..=254).chain([2, 255]).collect::<Vec<_>>());
        let with_zero: Vec<u8> = (0..=254).collect();
        check(&with_zero, &[1].into_iter().chain(block(0xFF, 1..=254)).collect::<Vec<_>>());
    }

    #[test]
    fn a_block_longer_than_the_rest_is_refused() {
        assert_eq!(unstuff(&mut [5, 1, 2]), None);
        assert_eq!(unstuff(&mut [2, 1, 0]), None);
    }
}
