//! Whether a device speaks in frames or in plain text, from the first bytes that came. Pure.
//!
//! A frame is between two bytes of 0 and has a checksum that is right; a text has no byte of 0 and a whole line that is a
//! reading. Noise at a wrong baud rate is neither.

use acclimate_wire::Decoder;

use crate::text::{MAX_LINE, is_reading};

/// Bytes that are looked at, at most: what was not found out by then is neither.
pub const LOOKED_AT: usize = 2 * MAX_LINE;

/// How a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// `acclimate-wire`.
    Frames,
    /// Numbers, a reading a line.
    Text,
}

/// How a device speaks whose first bytes these are, if that can be told.
pub fn speech(bytes: &[u8]) -> Option<Speech> {
    if bytes.contains(&0) && has_frame(bytes) {
        return Some(Speech::Frames);
    }
    // The first line may be cut, the last one too.
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').skip(1).collect();
    let binary = lines.iter().any(|line| line.contains(&0));
    lines.pop();
    (!binary && lines.iter().any(|line| is_reading(line))).then_some(Speech::Text)
}

fn has_frame(bytes: &[u8]) -> bool {
    let mut found = false;
    Decoder::new().feed(bytes, |frame| found |= frame.is_ok_and(|payload| !payload.is_empty()));
    found
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    #[test]
    fn text_is_told_by_its_first_whole_line() {
        assert_eq!(speech(b""), None);
        assert_eq!(speech(b"5,6\n"), None);
        assert_eq!(speech(b"5,6\n7,8"), None, "the second line may be longer");
        assert_eq!(speech(b"5,6\n7,8\n"), Some(Speech::Text));
        assert_eq!(speech(b"rst:0x1 (POWERON)\nboot\n1 2 3\n"), Some(Speech::Text), "after what a boot loader says");
        assert_eq!(speech(b"hello\nworld\n"), None);
    }

    #[test]
    fn frames_are_told_by_a_checksum_that_is_right() {
        let mut buffer = [0; acclimate_wire::MAX_FRAME];
        let mut frame = acclimate_wire::encode(b"a\n1\n2\n", &mut buffer).expect("it is short").to_vec();
        assert_eq!(speech(&frame), Some(Speech::Frames));
        frame[3] ^= 1;
        assert_eq!(speech(&frame), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(4), ..ProptestConfig::default() })]

        #[test]
        fn noise_is_never_frames(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            prop_assert_ne!(speech(&bytes), Some(Speech::Frames));
        }
    }
}
