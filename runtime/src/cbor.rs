//! CBOR (RFC 8949) from strangers: a reader that refuses before it allocates, and a writer with one form for one value.
//! Knows nothing about what the values mean. `ciborium` does the reading and writing; this module sets the bounds that
//! it does not: it takes trailing bytes and duplicate keys in silence, and 256 levels.
//!
//! The reader walks the bytes once, without allocating more than a list of keys, and only then builds values. It
//! refuses: more than [`MAX_DEPTH`] levels; more than [`MAX_ITEMS`] items (a built item takes up to 64 bytes, so what
//! is built takes at most twice the input and 1 MiB); lengths beyond the input; indefinite lengths and integers longer
//! than need be (two spellings of one key); text that is not UTF-8; duplicate keys; trailing bytes. It never panics.

use std::ops::Range;

use ciborium::Value;

/// Levels of arrays, maps and tags.
pub const MAX_DEPTH: usize = 16;

/// Values in one document, everything counted.
pub const MAX_ITEMS: usize = 16_384;

/// Why bytes were refused. Offsets count from the start of the document.
#[derive(Debug, thiserror::Error)]
pub enum CborError {
    /// Nested too deeply.
    #[error("cbor at byte {at} is nested deeper than {MAX_DEPTH} levels")]
    Depth {
        /// Where.
        at: usize,
    },
    /// A key occurs twice in a map.
    #[error("cbor map at byte {at} has a key twice")]
    DuplicateKey {
        /// Where the map starts.
        at: usize,
    },
    /// Too many values.
    #[error("cbor has more than {MAX_ITEMS} items")]
    Items,
    /// A length points beyond the end.
    #[error("cbor at byte {at} promises {promised} bytes or items, but only {left} bytes are left")]
    Length {
        /// Where.
        at: usize,
        /// What it says.
        promised: u64,
        /// What there is.
        left: usize,
    },
    /// Not in the form that is read here.
    #[error("cbor at byte {at} has {what}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// Something follows the document.
    #[error("cbor ends at byte {at}, but {left} more bytes follow")]
    Trailing {
        /// Where it ends.
        at: usize,
        /// What follows.
        left: usize,
    },
    /// Passed the checks here, yet ciborium could not read it.
    #[error("cbor could not be read")]
    Unreadable(#[source] ciborium::de::Error<std::io::Error>),
}

/// Reads one document that fills these bytes.
///
/// # Errors
/// See the module: everything that it refuses.
pub fn read(bytes: &[u8]) -> Result<Value, CborError> {
    let mut scan = Scan { bytes, at: 0, items: 0 };
    scan.item(0)?;
    if scan.at < bytes.len() {
        return Err(CborError::Trailing { at: scan.at, left: bytes.len() - scan.at });
    }
    // One more than ours: it counts the document itself.
    ciborium::de::from_reader_with_recursion_limit(bytes, MAX_DEPTH + 1).map_err(CborError::Unreadable)
}

/// Writes a value in the one deterministic form of RFC 8949 section 4.2.1: shortest integers, lengths and floats, and
/// maps in the bytewise order of their keys.
pub fn write(value: &Value) -> Vec<u8> {
    encode(&sorted(value))
}

fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).expect("writing to a vector does not fail");
    bytes
}

/// A value with its maps in the order in which they are written.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Map(entries) => {
            let mut entries: Vec<(Value, Value)> =
                entries.iter().map(|(key, value)| (sorted(key), sorted(value))).collect();
            entries.sort_by_cached_key(|(key, _)| encode(key));
            Value::Map(entries)
        }
        Value::Tag(tag, inner) => Value::Tag(*tag, Box::new(sorted(inner))),
        other => other.clone(),
    }
}

/// Walks a document without building it.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    items: usize,
}

impl Scan<'_> {
    /// Steps over one item at this depth; gives its place.
    fn item(&mut self, depth: usize) -> Result<Range<usize>, CborError> {
        let start = self.at;
        self.items += 1;
        if self.items > MAX_ITEMS {
            return Err(CborError::Items);
        }
        if depth > MAX_DEPTH {
            return Err(CborError::Depth { at: start });
        }
        let (major, argument) = self.header()?;
        match major {
            2 | 3 => {
                let content = self.take(start, argument)?;
                if major == 3 && std::str::from_utf8(&self.bytes[content]).is_err() {
                    return Err(CborError::Malformed { at: start, what: "text that is not UTF-8" });
                }
            }
            4 => {
                for _ in 0..self.promised(start, argument, 1)? {
                    self.item(depth + 1)?;
                }
            }
            5 => {
                let entries = self.promised(start, argument, 2)?;
                // At most as many as there are items.
                let mut keys = Vec::new();
                for _ in 0..entries {
                    let key = self.item(depth + 1)?;
                    keys.push(&self.bytes[key]);
                    self.item(depth + 1)?;
                }
                keys.sort_unstable();
                if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                    return Err(CborError::DuplicateKey { at: start });
                }
            }
            6 => {
                self.item(depth + 1)?;
            }
            // Integers, floats and simple values are their header.
            _ => {}
        }
        Ok(start..self.at)
    }

    /// Major type and argument; simple values are checked here, floats skipped.
    fn header(&mut self) -> Result<(u8, u64), CborError> {
        let start = self.at;
        let first = self.bytes[self.take(start, 1)?.start];
        let (major, short) = (first >> 5, first & 0x1f);
        let width = match short {
            0..24 => 0,
            24..28 => 1_u64 << (short - 24),
            31 => {
                return Err(CborError::Malformed { at: start, what: "an indefinite length, expected a definite one" });
            }
            _ => return Err(CborError::Malformed { at: start, what: "a reserved length" }),
        };
        let more = self.take(start, width)?;
        let argument = self.bytes[more].iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        if major == 7 {
            return match short {
                // false, true, null; the floats
                20..=22 | 25..=27 => Ok((major, 0)),
                _ => Err(CborError::Malformed { at: start, what: "a simple value other than false, true and null" }),
            };
        }
        let shortest = match argument {
            0..24 => 0,
            24..0x100 => 1,
            0x100..0x1_0000 => 2,
            0x1_0000..0x1_0000_0000 => 4,
            _ => 8,
        };
        if width != shortest {
            return Err(CborError::Malformed { at: start, what: "a longer integer or length than need be" });
        }
        Ok((major, if width == 0 { u64::from(short) } else { argument }))
    }

    fn take(&mut self, start: usize, bytes: u64) -> Result<Range<usize>, CborError> {
        let length = self.promised(start, bytes, 1)?;
        let from = self.at;
        self.at += length;
        Ok(from..self.at)
    }

    /// A number of items of at least this size, if so many fit into what is left.
    fn promised(&self, start: usize, items: u64, least: usize) -> Result<usize, CborError> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(items) {
            Ok(count) if count <= left / least => Ok(count),
            _ => Err(CborError::Length { at: start, promised: items, left }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

    use proptest::prelude::*;

    use super::*;

    fn refused(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    /// Levels of one-element arrays around a zero.
    fn nested(levels: usize) -> Vec<u8> {
        let mut bytes = vec![0x81; levels];
        bytes.push(0);
        bytes
    }

    #[test]
    fn sixteen_levels_are_read_and_seventeen_refused() {
        assert!(read(&nested(MAX_DEPTH)).is_ok());
        assert!(refused(&nested(MAX_DEPTH + 1)).contains("deeper than 16"));
        let tags: Vec<u8> = [vec![0xc1; MAX_DEPTH + 1], vec![0]].concat();
        assert!(refused(&tags).contains("deeper than 16"));
        assert!(refused(&vec![0x81; 1 << 20]).contains("deeper than 16"), "and the stack stays whole");
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert!(refused(&[0x00, 0x00]).contains("ends at byte 1, but 1 more"));
    }

    #[test]
    fn duplicate_keys_are_refused_however_they_are_spelt() {
        assert!(refused(&[0xa2, 0x61, b'a', 1, 0x61, b'a', 2]).contains("a key twice"));
        assert!(refused(&[0xa2, 0x01, 1, 0x18, 0x01, 2]).contains("longer integer"));
        assert!(read(&[0xa2, 0x01, 1, 0x61, 0x01, 2]).is_ok(), "a number and a text are two keys");
    }

    #[test]
    fn a_promise_that_the_input_cannot_keep_is_refused_before_anything_is_built() {
        for major in [0x5b, 0x7b, 0x9b, 0xbb] {
            let bomb = [major, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            assert!(refused(&bomb).contains("only 3 bytes are left"), "{major:x}");
        }
        assert!(refused(&[0xb8, 0x20, 0, 0]).contains("promises 32"));
        let many: Vec<u8> = [vec![0x99, 0x40, 0x00], vec![0; 0x4000]].concat();
        assert!(refused(&many).contains("more than 16384 items"));
    }

    #[test]
    fn what_has_several_spellings_is_refused() {
        assert!(refused(&[0x9f, 0xff]).contains("indefinite"));
        assert!(refused(&[0x18, 0x17]).contains("longer integer"));
        assert!(refused(&[0x58, 0x01, 0x00]).contains("longer integer"));
        assert!(refused(&[0xf7]).contains("simple value"));
        assert!(refused(&[0x1c]).contains("reserved"));
        assert!(refused(&[0x61, 0xff]).contains("UTF-8"));
        assert!(refused(&[]).contains("only 0 bytes are left"));
    }

    #[test]
    fn maps_are_written_in_the_order_of_their_keys_bytes() {
        let text = |key: &str| (Value::Text(key.into()), Value::Null);
        let map = Value::Map(vec![text("bb"), text("c"), (Value::Integer(30.into()), Value::Null), text("a")]);
        assert_eq!(write(&map), [0xa4, 0x18, 30, 0xf6, 0x61, b'a', 0xf6, 0x61, b'c', 0xf6, 0x62, b'b', b'b', 0xf6]);
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(|n| Value::Integer(n.into())),
            any::<u64>().prop_map(|n| Value::Integer(n.into())),
            prop::num::f64::NORMAL.prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            ".{0,8}".prop_map(Value::Text),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::btree_map(".{0,4}", inner.clone(), 0..6).prop_map(|map| Value::Map(
                    map.into_iter().map(|(key, value)| (Value::Text(key), value)).collect()
                )),
                // 2 and 3 would be big integers.
                (4..100_000_u64, inner).prop_map(|(tag, value)| Value::Tag(tag, Box::new(value))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_written_alike(value in values()) {
            let bytes = write(&value);
            let again = read(&bytes).unwrap();
            prop_assert_eq!(&again, &sorted(&value));
            prop_assert_eq!(write(&again), bytes);
        }

        #[test]
        fn noise_is_never_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
