//! NumPy's `.npz`: named arrays in a zip without compression. Knows nothing of what they hold.
//!
//! As `numpy.savez` writes it: format 1.0 of `.npy` (`numpy.lib.format`), little endian, C order; text is `<U`, UTF-32
//! padded with zeros. Up to 4 GiB, which is as far as a zip goes without extensions.

/// Arrays on their way into a file.
#[derive(Debug, Default)]
pub struct Npz {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

impl Npz {
    /// Adds f32 numbers.
    #[must_use]
    pub fn f32s<'a>(self, name: &str, shape: &[usize], numbers: impl IntoIterator<Item = &'a f32>) -> Self {
        self.array(name, "<f4", shape, numbers.into_iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// Adds f64 numbers; a single one has the shape `[]`.
    #[must_use]
    pub fn f64s<'a>(self, name: &str, shape: &[usize], numbers: impl IntoIterator<Item = &'a f64>) -> Self {
        self.array(name, "<f8", shape, numbers.into_iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// Adds bytes.
    #[must_use]
    pub fn u8s<'a>(self, name: &str, shape: &[usize], numbers: impl IntoIterator<Item = &'a u8>) -> Self {
        self.array(name, "|u1", shape, numbers.into_iter().copied().collect())
    }

    /// Adds whole numbers.
    #[must_use]
    pub fn indices<'a>(self, name: &str, numbers: impl IntoIterator<Item = &'a usize>) -> Self {
        let bytes: Vec<u8> = numbers.into_iter().flat_map(|&x| (x as u64).to_le_bytes()).collect();
        let length = bytes.len() / 8;
        self.array(name, "<i8", &[length], bytes)
    }

    /// Adds texts.
    #[must_use]
    pub fn texts<S: AsRef<str>>(self, name: &str, texts: &[S]) -> Self {
        let width = texts.iter().map(|text| text.as_ref().chars().count()).max().unwrap_or(0).max(1);
        let padded = |text: &S| {
            let chars = text.as_ref().chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
            chars.flat_map(u32::to_le_bytes).collect::<Vec<u8>>()
        };
        self.array(name, &format!("<U{width}"), &[texts.len()], texts.iter().flat_map(padded).collect())
    }

    fn array(mut self, name: &str, dtype: &str, shape: &[usize], data: Vec<u8>) -> Self {
        let shape = match shape {
            [] => "()".to_owned(),
            [one] => format!("({one},)"),
            more => format!("({})", more.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
        };
        let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
        // Magic, version, length and header fill a multiple of 64.
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(data);

        let offset = self.bytes.len() as u32;
        let name = format!("{name}.npy");
        // Version 2.0, no flags, stored, 1980-01-01.
        let mut entry = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        entry.extend(crc32(&file).to_le_bytes());
        entry.extend((file.len() as u32).to_le_bytes());
        entry.extend((file.len() as u32).to_le_bytes());
        entry.extend((name.len() as u16).to_le_bytes());
        entry.extend([0, 0]);
        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&entry);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(&file);
        self.directory.extend(b"PK\x01\x02\x14\x00");
        self.directory.extend(&entry);
        self.directory.extend([0; 10]);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries += 1;
        self
    }

    /// The file; none where it would be larger than a zip can be.
    pub fn finish(mut self) -> Option<Vec<u8>> {
        let start = u32::try_from(self.bytes.len()).ok()?;
        self.bytes.extend(&self.directory);
        self.bytes.extend(b"PK\x05\x06\x00\x00\x00\x00");
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend(self.entries.to_le_bytes());
        self.bytes.extend((self.directory.len() as u32).to_le_bytes());
        self.bytes.extend(start.to_le_bytes());
        self.bytes.extend([0, 0]);
        Some(self.bytes)
    }
}

/// CRC-32 as in ISO 3309, what a zip wants.
fn crc32(bytes: &[u8]) -> u32 {
    let mut table = [0_u32; 256];
    for (byte, entry) in (0_u32..).zip(&mut table) {
        *entry = (0..8).fold(byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 });
    }
    !bytes.iter().fold(!0, |crc, &byte| crc >> 8 ^ table[usize::from(crc as u8 ^ byte)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_books() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn arrays_are_laid_out_as_numpy_lays_them_out() {
        let file =
            Npz::default().f32s("x", &[1, 2], &[1.0, -2.0]).texts("names", &["ä", "bc"]).finish().unwrap_or_default();
        // Local header 30, name 5; then the array, whose numbers begin at a multiple of 64.
        assert_eq!(&file[35..43], b"\x93NUMPY\x01\x00");
        let header = String::from_utf8_lossy(&file[45..35 + 128]).into_owned();
        assert!(header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"), "{header}");
        assert_eq!(file[35 + 128..35 + 136], [0, 0, 128, 63, 0, 0, 0, 192]);
        assert_eq!(&file[file.len() - 22..file.len() - 18], b"PK\x05\x06");
        assert_eq!(file[file.len() - 12], 2, "two entries");
    }
}
