//! Finds JPEG files in a stream of them: one after the other, or as the parts of a multipart message. Sans-IO: bytes and
//! times in, frames out; knows nothing of where they come from.
//!
//! Invariants: the frames do not depend on how the stream is cut into pieces; at most one frame, of a bounded size, is held;
//! each byte is looked at once. Embedded previews are part of their segment and end nothing.
//!
//! ```text
//! Seek ──FF D8──▶ Marker ──FF code──▶ Length ──▶ Body ──▶ Marker …           ─▶ Scan ──FF D9──▶ a frame, Seek
//!   ▲                │ not a marker             (a segment)   after FF DA ───┘   │  ▲ FF 00, FF D0-D7
//!   └────────────────┘                                                          └──┘  other markers: ─▶ Length
//! ```

use std::time::Duration;

/// Start of image, end of image, start of scan.
const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;

#[derive(Clone, Copy, Debug)]
enum State {
    /// Outside a frame; whether the last byte was FF.
    Seek { ff: bool },
    /// A marker comes next; whether its FF was there.
    Marker { ff: bool },
    /// The length of a segment comes next, with its first byte if that was there.
    Length { scan: bool, high: Option<u8> },
    /// The rest of a segment.
    Body { scan: bool, left: usize },
    /// Entropy-coded data; whether the last byte was FF.
    Scan { ff: bool },
}

/// Finds JPEG files in a stream of them.
#[derive(Debug)]
pub struct Splitter {
    state: State,
    frame: Vec<u8>,
    /// When the frame began that is not whole yet.
    began: Duration,
    largest: usize,
    broken: u64,
}

impl Splitter {
    /// With the size that no frame exceeds, in bytes, at least 64.
    pub fn new(largest: usize) -> Self {
        Self {
            state: State::Seek { ff: false },
            frame: Vec::new(),
            began: Duration::ZERO,
            largest: largest.max(64),
            broken: 0,
        }
    }

    /// Takes the next bytes of the stream, which came at `now`, and calls `frame` with each file that is whole with them.
    pub fn push(&mut self, mut bytes: &[u8], now: Duration, mut frame: impl FnMut(Vec<u8>)) {
        while let Some(&byte) = bytes.first() {
            if self.frame.len() >= self.largest {
                self.give_up(0);
            }
            // Most bytes are data: of a scan up to the next FF, of a segment up to its end.
            let ahead = &bytes[..bytes.len().min(self.largest - self.frame.len())];
            let data = match self.state {
                State::Scan { ff: false } => ahead.iter().position(|&byte| byte == 0xFF).unwrap_or(ahead.len()),
                State::Body { left, .. } => left.min(ahead.len()),
                _ => 0,
            };
            if data > 0 {
                self.frame.extend_from_slice(&bytes[..data]);
                bytes = &bytes[data..];
                if let State::Body { scan, left } = self.state {
                    self.state = match left - data {
                        0 if scan => State::Scan { ff: false },
                        0 => State::Marker { ff: false },
                        left => State::Body { scan, left },
                    };
                }
                continue;
            }
            bytes = &bytes[1..];
            self.step(byte, now);
            if matches!(self.state, State::Seek { .. }) && !self.frame.is_empty() {
                frame(std::mem::take(&mut self.frame));
            }
        }
    }

    /// One byte outside of data. Leaves a whole frame with the state `Seek`.
    fn step(&mut self, byte: u8, now: Duration) {
        match self.state {
            State::Seek { ff: true } if byte == SOI => self.begin(now),
            State::Seek { .. } => self.state = State::Seek { ff: byte == 0xFF },
            State::Marker { ff: false } if byte == 0xFF => self.follow(byte, State::Marker { ff: true }),
            State::Scan { ff: false } => self.follow(byte, State::Scan { ff: byte == 0xFF }),
            // FF before a marker may be repeated.
            State::Marker { ff: true } | State::Scan { ff: true } if byte == 0xFF => self.follow(byte, self.state),
            // A new file where this one had not ended.
            State::Marker { ff: true } | State::Scan { ff: true } if byte == SOI => {
                self.broken += 1;
                self.begin(now);
            }
            State::Marker { ff: true } | State::Scan { ff: true } if byte == EOI => {
                self.follow(byte, State::Seek { ff: false });
            }
            // A stuffed FF, or a restart marker.
            State::Scan { ff: true } if matches!(byte, 0x00 | 0xD0..=0xD7) => {
                self.follow(byte, State::Scan { ff: false });
            }
            State::Marker { ff: true } | State::Scan { ff: true } if byte >= 0xC0 && !matches!(byte, 0xD0..=0xD7) => {
                self.follow(byte, State::Length { scan: byte == SOS, high: None });
            }
            // What no file has there.
            State::Marker { .. } | State::Scan { ff: true } => self.give_up(byte),
            State::Length { scan, high: None } => self.follow(byte, State::Length { scan, high: Some(byte) }),
            State::Length { scan, high: Some(high) } => match usize::from(u16::from_be_bytes([high, byte])) {
                // The length counts itself.
                0 | 1 => self.give_up(byte),
                2 if scan => self.follow(byte, State::Scan { ff: false }),
                2 => self.follow(byte, State::Marker { ff: false }),
                length => self.follow(byte, State::Body { scan, left: length - 2 }),
            },
            State::Body { .. } => {}
        }
    }

    fn begin(&mut self, now: Duration) {
        self.began = now;
        self.frame.clear();
        self.frame.extend([0xFF, SOI]);
        self.state = State::Marker { ff: false };
    }

    fn follow(&mut self, byte: u8, state: State) {
        self.state = state;
        self.frame.push(byte);
    }

    fn give_up(&mut self, byte: u8) {
        self.broken += 1;
        self.frame = Vec::new();
        self.state = State::Seek { ff: byte == 0xFF };
    }

    /// Drops a frame of which the first part came `patience` ago and the end did not; true where there was one.
    pub fn drop_stalled(&mut self, now: Duration, patience: Duration) -> bool {
        let stalled = !self.frame.is_empty() && now.saturating_sub(self.began) >= patience;
        if stalled {
            self.give_up(0);
        }
        stalled
    }

    /// Whether part of a frame is held.
    pub fn is_within_frame(&self) -> bool {
        !self.frame.is_empty()
    }

    /// Frames that were dropped: cut off, damaged, too large, stalled.
    pub fn broken(&self) -> u64 {
        self.broken
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use proptest::prelude::*;

    const NOW: Duration = Duration::ZERO;

    /// A JPEG file as an encoder writes it, with a preview inside a segment, as cameras put there.
    fn picture(side: u32, colour: u8) -> Vec<u8> {
        let image = image::RgbImage::from_fn(side, side, |x, y| image::Rgb([colour, (x * 7) as u8, (y * 13) as u8]));
        let mut plain = Vec::new();
        image::codecs::jpeg::JpegEncoder::new(&mut plain).encode_image(&image).unwrap();
        let preview = [0xFF, SOI, 0xFF, SOS, 0, 2, 1, 2, 3, 0xFF, EOI];
        let segment = [&[0xFF, 0xE1, 0, 2 + preview.len() as u8], &preview[..]].concat();
        [&plain[..2], &segment, &plain[2..]].concat()
    }

    fn split(pieces: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        let mut splitter = Splitter::new(1 << 16);
        let mut frames = Vec::new();
        for piece in pieces {
            splitter.push(&piece, NOW, |frame| frames.push(frame));
        }
        frames
    }

    #[test]
    fn files_are_found_one_after_the_other_and_between_parts() {
        let (a, b) = (picture(16, 1), picture(33, 2));
        let stream = [&a[..], &b, b"\r\n--part\r\nContent-Type: image/jpeg\r\n\r\n", &a, b"\r\n--part--"].concat();
        assert_eq!(split([stream]), [a.clone(), b, a]);
    }

    #[test]
    fn a_file_that_is_cut_off_costs_itself_alone() {
        let (a, b) = (picture(64, 1), picture(64, 2));
        for cut in [a.len() / 2, a.len() - 1, a.len() - 2] {
            let stream = [&a[..cut], b"\r\n--part\r\n", &b, &a].concat();
            assert_eq!(split([stream]), [b.clone(), a.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn nothing_grows_without_bound_and_the_next_file_is_found() {
        let mut splitter = Splitter::new(4096);
        let mut frames = Vec::new();
        splitter.push(&[0xFF, SOI, 0xFF, SOS, 0, 2], NOW, |_| unreachable!("not whole"));
        for _ in 0..1000 {
            splitter.push(&[7; 1000], NOW, |_| unreachable!("not whole"));
            assert!(splitter.frame.capacity() <= 8192);
        }
        assert_eq!(splitter.broken(), 1);
        let small = picture(8, 1);
        splitter.push(&small, NOW, |frame| frames.push(frame));
        assert_eq!(frames, [small]);
    }

    #[test]
    fn a_frame_that_stalls_is_dropped_after_its_time() {
        let mut splitter = Splitter::new(1 << 16);
        let picture = picture(16, 1);
        let patience = Duration::from_secs(10);
        assert!(!splitter.drop_stalled(Duration::from_secs(99), patience), "nothing has begun");
        splitter.push(&picture[..100], Duration::from_secs(100), |_| unreachable!("not whole"));
        assert!(!splitter.drop_stalled(Duration::from_secs(109), patience) && splitter.is_within_frame());
        assert!(splitter.drop_stalled(Duration::from_secs(110), patience) && !splitter.is_within_frame());
        let mut frames = Vec::new();
        splitter.push(&picture, Duration::from_secs(111), |frame| frames.push(frame));
        assert_eq!(frames, [picture]);
    }

    proptest! {
        #[test]
        fn any_cutting_gives_the_same_frames(
            parts in prop::collection::vec((1_u32..40, any::<u8>(), prop::collection::vec(0_u8..=0xFE, 0..30)), 1..6),
            cuts in prop::collection::vec(1_usize..400, 1..50),
        ) {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for (side, colour, garbage) in parts {
                stream.extend(garbage);
                expected.push(picture(side, colour));
                stream.extend(expected.last().unwrap());
            }
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece.to_vec());
                rest = left;
            }
            prop_assert_eq!(split(pieces), expected);
        }

        #[test]
        fn noise_is_cut_alike_too(
            noise in prop::collection::vec(prop::sample::select(vec![0xFF_u8, SOI, EOI, SOS, 0x00, 0x01, 0x02, 0xE0, 0xD0, 0x41]), 0..600),
            cut in 1_usize..50,
        ) {
            let whole = split([noise.clone()]);
            prop_assert_eq!(&whole, &split(noise.chunks(cut).map(<[u8]>::to_vec)));
            for frame in whole {
                prop_assert!(frame.starts_with(&[0xFF, SOI]) && frame.ends_with(&[0xFF, EOI]) && frame.len() <= 1 << 16);
            }
        }
    }
}
