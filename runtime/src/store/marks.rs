//! Which samples a head was fitted on, in four bytes each: enough to know one's own again, too little to tell anybody else what a
//! sample was. Knows nothing of heads.

use super::id::SampleId;

/// Samples that are written down; of more it is not known.
const MOST: usize = 100_000;

/// The beginnings of samples' ids, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks(Vec<u32>);

fn mark(id: &SampleId) -> u32 {
    let [a, b, c, d, ..] = id.0;
    u32::from_be_bytes([a, b, c, d])
}

impl Marks {
    /// Of these samples; none of too many.
    pub fn of(samples: &[SampleId]) -> Option<Self> {
        let mut marks: Vec<u32> = samples.iter().map(mark).collect();
        marks.sort_unstable();
        (marks.len() <= MOST).then_some(Self(marks))
    }

    /// Whether a sample is likely one of them: any that is, and one of 40,000 that is not, where 100,000 are marked.
    pub fn has(&self, sample: &SampleId) -> bool {
        self.0.binary_search(&mark(sample)).is_ok()
    }

    /// Four bytes each, big endian, ascending.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|mark| mark.to_be_bytes()).collect()
    }

    /// Reads what [`Marks::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (marks, rest) = bytes.as_chunks::<4>();
        let marks: Vec<u32> = marks.iter().map(|&mark| u32::from_be_bytes(mark)).collect();
        (rest.is_empty() && marks.len() <= MOST && marks.is_sorted()).then_some(Self(marks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_samples_are_known_again_and_others_are_not() {
        let id = |text: &str| SampleId::of(text.as_bytes());
        let marks = Marks::of(&[id("a"), id("b")]).unwrap_or_default();
        assert!(marks.has(&id("a")) && marks.has(&id("b")) && !marks.has(&id("c")));
        let bytes = marks.to_bytes();
        assert_eq!((bytes.len(), Marks::from_bytes(&bytes)), (8, Some(marks)));
        let swapped = [&bytes[4..], &bytes[..4]].concat();
        assert_eq!((Marks::from_bytes(&swapped), Marks::from_bytes(&bytes[..7])), (None, None));
        assert_eq!(Marks::of(&vec![id("a"); MOST + 1]), None);
    }
}
