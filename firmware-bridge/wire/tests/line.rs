//! Frames on a bad line: however it is sliced, and whatever is lost, doubled or flipped, what comes out was sent.

use std::collections::HashMap;

use acclimate_wire::{Decoder, FrameError, MAX_FRAME, MAX_PAYLOAD, encode};
use proptest::{collection::vec, prelude::*, test_runner::RngSeed};

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(255), any::<u8>()];
    prop_oneof![9 => vec(byte.clone(), 0..40), 1 => vec(byte, 200..=MAX_PAYLOAD)]
}

fn on_the_line(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut line = Vec::new();
    for payload in payloads {
        line.extend(encode(payload, &mut [0; MAX_FRAME]).expect("a payload within the limit"));
    }
    line
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Noise in front costs at most errors, never a frame.
    #[test]
    fn survives_noise_and_any_chunking(
        noise in vec(any::<u8>(), 0..3000), payloads in vec(payload(), 1..8), chunk in 1usize..40,
    ) {
        let mut decoder = Decoder::new();
        let mut frames = Vec::new();
        decoder.feed(&noise, |_| {});
        for bytes in on_the_line(&payloads).chunks(chunk) {
            decoder.feed(bytes, |frame| if let Ok(frame) = frame { frames.push(frame.to_vec()) });
        }
        prop_assert_eq!(frames, payloads);
    }

    /// Bytes flipped, dropped and doubled: a frame that comes out whole was sent, and no more often than it was.
    #[test]
    fn never_hands_out_what_was_not_sent(
        payloads in vec(payload(), 1..12), faults in vec((any::<prop::sample::Index>(), 0..3, 1u8..), 0..12),
    ) {
        let mut line = on_the_line(&payloads);
        let damage = faults.len();
        for (at, fault, mask) in faults {
            let at = at.index(line.len());
            match fault {
                0 => line[at] ^= mask,
                1 => drop(line.remove(at)),
                _ => line.insert(at, line[at]),
            }
        }
        let mut sent = HashMap::new();
        for payload in &payloads {
            *sent.entry(payload.clone()).or_insert(0) += 1;
        }
        let mut received = 0;
        let mut foreign = 0;
        Decoder::new().feed(&line, |frame| if let Ok(frame) = frame {
            received += 1;
            let left = sent.entry(frame.to_vec()).or_insert(0);
            *left -= 1;
            foreign += i32::from(*left < 0);
        });
        prop_assert_eq!(foreign, 0);
        // One fault spoils at most the two frames whose boundary it hits.
        prop_assert!(received + 2 * damage >= payloads.len());
    }

    /// Random bytes: no panic, no frame beyond the chance of the checksum, every error at most once per delimiter.
    #[test]
    fn random_bytes_are_errors(bytes in vec(prop_oneof![1 => Just(0), 9 => any::<u8>()], 0..20_000)) {
        let mut errors: usize = 0;
        let mut frames = 0;
        Decoder::new().feed(&bytes, |frame| match frame {
            Ok(_) => frames += 1,
            Err(FrameError::Checksum | FrameError::Malformed | FrameError::TooLong) => errors += 1,
        });
        prop_assert_eq!(frames, 0);
        prop_assert!(errors <= bytes.split(|&byte| byte == 0).count());
    }
}
