//! NPY, the array files of NumPy: versions 1 to 3, little-endian `f4`, `f8`, `i2` and `i4`, C order, one or two axes.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>. Knows bytes and shapes; trusts neither.

use super::recording::{MAX_NUMBERS, RecordingError};

const MAGIC: &[u8] = b"\x93NUMPY";

/// Whether a file says that it is one.
pub(super) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

fn refuse<T>(expected: &'static str, found: impl Into<String>) -> Result<T, RecordingError> {
    Err(RecordingError::Npy { expected, found: found.into() })
}

/// The numbers of an array, reading after reading.
pub(super) fn read(bytes: &[u8], channels: usize) -> Result<Vec<f32>, RecordingError> {
    let (header, body) = split(bytes)?;
    let order = value(header, "fortran_order").unwrap_or_default();
    if order != "False" {
        return refuse("C order (fortran_order False)", order);
    }
    let shape = value(header, "shape").unwrap_or_default();
    let axes = axes(shape);
    let (first, second) = match axes.as_deref() {
        Some(&[readings]) if channels == 1 => (1, readings),
        Some(&[first, second]) => (first, second),
        Some(&[readings]) => {
            let found = format!("one axis of {readings} numbers");
            return Err(RecordingError::Channels { expected: channels, found });
        }
        _ => return refuse("a shape of one or two axes", shape),
    };
    let by_channel = first == channels;
    if !by_channel && second != channels {
        return Err(RecordingError::Channels { expected: channels, found: format!("axes of {first} and {second}") });
    }
    let count = first.checked_mul(second).filter(|&count| count <= MAX_NUMBERS).ok_or(RecordingError::TooLong)?;
    let numbers = match value(header, "descr").unwrap_or_default() {
        "'<f4'" => numbers(body, count, f32::from_le_bytes),
        "'<f8'" => numbers(body, count, |bytes| f64::from_le_bytes(bytes) as f32),
        "'<i2'" => numbers(body, count, |bytes| f32::from(i16::from_le_bytes(bytes))),
        "'<i4'" => numbers(body, count, |bytes| i32::from_le_bytes(bytes) as f32),
        other => return refuse("numbers of type <f4, <f8, <i2 or <i4", other),
    }?;
    if !by_channel {
        return Ok(numbers);
    }
    let readings = second;
    Ok((0..count).map(|place| numbers[place % channels * readings + place / channels]).collect())
}

/// The first of two axes.
pub(super) fn first_axis(bytes: &[u8]) -> Option<usize> {
    let (header, _) = split(bytes).ok()?;
    let axes = axes(value(header, "shape")?)?;
    (axes.len() == 2).then(|| axes[0])
}

/// Header and body.
fn split(bytes: &[u8]) -> Result<(&str, &[u8]), RecordingError> {
    let rest = bytes.get(MAGIC.len()..).unwrap_or_default();
    let (length, rest) = match *rest {
        [1, _, a, b, ref rest @ ..] => (usize::from(u16::from_le_bytes([a, b])), rest),
        [2 | 3, _, a, b, c, d, ref rest @ ..] => (u32::from_le_bytes([a, b, c, d]) as usize, rest),
        [version, ..] => return refuse("version 1, 2 or 3", version.to_string()),
        [] => return refuse("a header", "the end of the file"),
    };
    match rest.split_at_checked(length) {
        Some((header, body)) => match std::str::from_utf8(header) {
            Ok(header) => Ok((header, body)),
            Err(_) => refuse("a header of text", "other bytes"),
        },
        None => refuse("a header", "the end of the file"),
    }
}

/// What stands behind a key of the header, a Python dictionary of three entries.
fn value<'h>(header: &'h str, key: &str) -> Option<&'h str> {
    let (_, behind) = header.split_once(&format!("'{key}'"))?;
    let behind = behind.trim_start().strip_prefix(':')?.trim_start();
    let end = if behind.starts_with('(') { behind.find(')')? + 1 } else { behind.find([',', '}'])? };
    Some(behind[..end].trim_end())
}

/// `(3, 96)` or `(96,)`.
fn axes(shape: &str) -> Option<Vec<usize>> {
    let inner = shape.strip_prefix('(')?.strip_suffix(')')?.trim_end();
    inner.strip_suffix(',').unwrap_or(inner).split(',').map(|axis| axis.trim().parse().ok()).collect()
}

fn numbers<const N: usize>(
    body: &[u8],
    count: usize,
    number: impl Fn([u8; N]) -> f32,
) -> Result<Vec<f32>, RecordingError> {
    if body.len() != count * N {
        return refuse("as many bytes as the shape says", format!("{} instead of {}", body.len(), count * N));
    }
    Ok(body.as_chunks::<N>().0.iter().copied().map(number).collect())
}

/// Numbers `[channels, readings]` as version 1, `<f4`. NumPy pads the header to a multiple of 64 bytes; so does this.
pub(super) fn write(channels: usize, readings: usize, numbers: impl Iterator<Item = f32>) -> Vec<u8> {
    let dictionary = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({channels}, {readings}), }}");
    let before = MAGIC.len() + 4;
    let padded = (before + dictionary.len() + 1).next_multiple_of(64) - before;
    let mut bytes = Vec::with_capacity(before + padded + channels * readings * 4);
    bytes.extend(MAGIC);
    bytes.extend([1, 0]);
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{dictionary:<width$}\n", width = padded - 1).into_bytes());
    numbers.for_each(|number| bytes.extend(number.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test should panic")]
    use super::*;

    fn file(version: u8, header: &str, body: &[u8]) -> Vec<u8> {
        let length = header.len() as u32;
        let mut bytes = [MAGIC, &[version, 0]].concat();
        bytes.extend(&length.to_le_bytes()[..if version == 1 { 2 } else { 4 }]);
        bytes.extend(header.as_bytes());
        bytes.extend(body);
        bytes
    }

    fn header(descr: &str, order: &str, shape: &str) -> String {
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
    }

    #[test]
    fn every_type_and_both_orders_of_axes_are_read() {
        let body: Vec<u8> = [1_i16, 2, 3, 10, 20, 30].into_iter().flat_map(i16::to_le_bytes).collect();
        let expected = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0];
        for version in [1, 2, 3] {
            assert_eq!(read(&file(version, &header("<i2", "False", "(2, 3)"), &body), 2).unwrap(), expected);
        }
        let by_reading = read(&file(1, &header("<i2", "False", "(2, 3)"), &body), 3).unwrap();
        assert_eq!(by_reading, [1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
        let doubles: Vec<u8> = [0.5_f64, -1.0].into_iter().flat_map(f64::to_le_bytes).collect();
        assert_eq!(read(&file(1, &header("<f8", "False", "(2,)"), &doubles), 1).unwrap(), [0.5, -1.0]);
        let integers: Vec<u8> = [7_i32, -8].into_iter().flat_map(i32::to_le_bytes).collect();
        assert_eq!(read(&file(1, &header("<i4", "False", "(1, 2)"), &integers), 1).unwrap(), [7.0, -8.0]);
    }

    #[test]
    fn other_forms_are_refused_with_what_was_found() {
        let told = |header: String, body: &[u8]| read(&file(1, &header, body), 2).unwrap_err().to_string();
        assert!(told(header(">f4", "False", "(2, 1)"), &[0; 8]).contains("found '>f4'"));
        assert!(told(header("<f4", "True", "(2, 1)"), &[0; 8]).contains("C order"));
        assert!(told(header("<f4", "False", "(2, 1)"), &[0; 7]).contains("7 instead of 8"));
        assert!(told(header("<f4", "False", "(2, 1, 1)"), &[0; 8]).contains("one or two axes"));
        assert!(told(header("<f4", "False", "(3, 1)"), &[0; 12]).contains("axes of 3 and 1"));
        assert!(told(header("<f4", "False", "(2, 99999999999)"), &[]).contains("more than"));
        assert!(read(b"\x93NUMPY", 2).is_err());
    }

    #[test]
    fn what_is_written_is_what_numpy_writes() {
        // np.save of np.array([[1, 2]], "<f4")
        let bytes = write(1, 2, [1.0, 2.0].into_iter());
        assert_eq!(bytes.len(), 128 + 8);
        assert!(bytes[10..].starts_with(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }  "));
        assert_eq!((bytes[127], &bytes[..10]), (b'\n', &b"\x93NUMPY\x01\x00\x76\x00"[..]));
    }
}
