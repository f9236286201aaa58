//! NumPy's `.npz` as `acclimate sample export` writes it: members one after another, not compressed, `.npy` format 1.0,
//! little endian, C order. Reads nothing else, and knows nothing of what the arrays mean.

use std::collections::HashMap;

use anyhow::{Context as _, ensure};
use ndarray::Array2;

/// Named arrays.
#[derive(Debug)]
pub struct Npz(HashMap<String, Member>);

#[derive(Debug)]
struct Member {
    dtype: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Npz {
    /// Takes a file's bytes apart.
    ///
    /// # Errors
    /// When they are not what this module reads.
    pub fn parse(mut bytes: &[u8]) -> anyhow::Result<Self> {
        let mut members = HashMap::new();
        while let Some(rest) = bytes.strip_prefix(b"PK\x03\x04") {
            let word = |at: usize| -> anyhow::Result<usize> {
                let word = rest.get(at..at + 2).context("a zip that ends early")?;
                Ok(usize::from(word[0]) | usize::from(word[1]) << 8)
            };
            ensure!(word(4)? == 0, "a zip with compressed members");
            let size = word(14)? | word(16)? << 16;
            let start = 26 + word(22)? + word(24)?;
            let (name, data) = (rest.get(26..26 + word(22)?), rest.get(start..start + size));
            let name = String::from_utf8_lossy(name.context("a zip that ends early")?).into_owned();
            let data = data.context("a zip that ends early")?;
            let member = Member::parse(data).with_context(|| format!("reading {name}"))?;
            members.insert(name.trim_end_matches(".npy").to_owned(), member);
            bytes = &rest[start + size..];
        }
        ensure!(bytes.starts_with(b"PK\x01\x02"), "not an uncompressed zip");
        Ok(Self(members))
    }

    fn member(&self, name: &str, dtype: &str) -> anyhow::Result<&Member> {
        let member = self.0.get(name).with_context(|| format!("the file has no array `{name}`"))?;
        ensure!(member.dtype.starts_with(dtype), "`{name}` is of {}, expected {dtype}", member.dtype);
        Ok(member)
    }

    /// A matrix of f32.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn matrix(&self, name: &str) -> anyhow::Result<Array2<f32>> {
        let shape = &self.member(name, "<f4")?.shape;
        let [rows, columns] = shape[..] else { anyhow::bail!("`{name}` has shape {shape:?}, expected a matrix") };
        Ok(Array2::from_shape_vec((rows, columns), self.f32s(name)?)?)
    }

    /// f32 numbers of any shape.
    ///
    /// # Errors
    /// When there are none of that name.
    pub fn f32s(&self, name: &str) -> anyhow::Result<Vec<f32>> {
        let (words, _) = self.member(name, "<f4")?.bytes.as_chunks();
        Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
    }

    /// Whole numbers, none of them negative.
    ///
    /// # Errors
    /// When there are none of that name, or one is negative.
    pub fn indices(&self, name: &str) -> anyhow::Result<Vec<usize>> {
        let (words, _) = self.member(name, "<i8")?.bytes.as_chunks();
        let index = |&word| usize::try_from(i64::from_le_bytes(word)).with_context(|| format!("a number of `{name}`"));
        words.iter().map(index).collect()
    }

    /// Texts.
    ///
    /// # Errors
    /// When there are none of that name, or one is no text.
    pub fn texts(&self, name: &str) -> anyhow::Result<Vec<String>> {
        let member = self.member(name, "<U")?;
        let width = member.dtype[2..].parse::<usize>().with_context(|| format!("the type of `{name}`"))?;
        let text = |bytes: &[u8]| -> anyhow::Result<String> {
            let (words, _) = bytes.as_chunks();
            let codes = words.iter().map(|&word| u32::from_le_bytes(word)).take_while(|&code| code != 0);
            codes.map(|code| char::from_u32(code).context("a character")).collect()
        };
        member.bytes.chunks_exact(4 * width).map(text).collect()
    }
}

impl Member {
    fn parse(data: &[u8]) -> anyhow::Result<Self> {
        let data = data.strip_prefix(b"\x93NUMPY\x01\x00").context("not format 1.0 of .npy")?;
        let (length, data) = data.split_first_chunk::<2>().context("no header")?;
        let (header, bytes) =
            data.split_at_checked(usize::from(u16::from_le_bytes(*length))).context("a cut header")?;
        let header = std::str::from_utf8(header).context("a header that is no text")?;
        ensure!(header.contains("'fortran_order': False"), "columns first");
        let between = |from: &str, to: &str| Some(header.split_once(from)?.1.split_once(to)?.0);
        let dtype = between("'descr': '", "'").context("no dtype")?.to_owned();
        let shape = between("'shape': (", ")").context("no shape")?;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let shape = sizes.map(str::parse).collect::<Result<Vec<usize>, _>>().context("a shape of numbers")?;
        Ok(Self { dtype, shape, bytes: bytes.to_vec() })
    }
}
