//! Whether two pictures are of one burst: copies, frames of a moment, the same thing taken twice without moving much.
//!
//! Pure; knows nothing about groups. What counts as near depends on how much pictures of the task differ at all: where a
//! fixed camera sees the same scene every day, two pictures of other days are alike and yet tell of each other no more than
//! the next day's will.

use acclimate_backbone::Thumbnail;

use super::registration::{Smooth, difference};

/// What is left of the contrast, between pictures of a burst, as a share of what two pictures of the task differ by.
/// Of 720 photographs of waste four pairs are nearer than this (one file that is there twice, two that are one scene, two
/// blank sheets); of their copies, cut by up to 4 %, all are nearer than 0.01.
const LINKED: f64 = 0.0125;
/// No two pictures of a burst are farther apart than this, however many lie between.
const ALLOWED: f64 = 0.03;
/// Of coarse pictures as they lie: farther apart than this, nothing is laid over anything.
const WORTH_A_LOOK: f64 = 0.15;
/// Two pictures that differ in everything; see [`Look::coarse_difference`].
const UNLIKE: f64 = 1.0;

/// Pictures that the usual difference is measured on, and the share of their pairs that are at most so different.
const MEASURED: usize = 64;
const USUAL: f64 = 0.75;

/// Pixels each way of a coarse picture.
const COARSE: usize = 8;
/// A picture with less contrast than this, in squared shades over the coarse pixels, shows nothing to go by.
const BLANK: f32 = (COARSE * COARSE) as f32;

/// A thumbnail as it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// Of mean 0 and length 1, `[COARSE, COARSE]`.
    coarse: [f32; COARSE * COARSE],
    thumbnail: &'a Thumbnail,
}

impl<'a> Look<'a> {
    /// None where the picture is blank.
    pub(super) fn new(thumbnail: &'a Thumbnail) -> Option<Self> {
        const BLOCK: usize = Thumbnail::SIDE / COARSE;
        let mut coarse = [0.0_f32; COARSE * COARSE];
        for (index, &pixel) in thumbnail.pixels().iter().enumerate() {
            let (row, column) = (index / Thumbnail::SIDE, index % Thumbnail::SIDE);
            coarse[row / BLOCK * COARSE + column / BLOCK] += f32::from(pixel) / (BLOCK * BLOCK) as f32;
        }
        let mean = coarse.iter().sum::<f32>() / coarse.len() as f32;
        let squares: f32 = coarse.iter().map(|value| (value - mean).powi(2)).sum();
        let coarse = coarse.map(|value| (value - mean) / squares.sqrt());
        (squares >= BLANK).then_some(Self { coarse, thumbnail })
    }

    /// 1 less the correlation of the coarse pictures as they lie: from 0 to 2.
    pub(super) fn coarse_difference(&self, other: &Look<'_>) -> f64 {
        // In eight sums, which one instruction adds to.
        let mut sums = [0.0_f32; 8];
        for (a, b) in self.coarse.as_chunks::<8>().0.iter().zip(other.coarse.as_chunks::<8>().0) {
            for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        }
        1.0 - f64::from(sums.iter().sum::<f32>())
    }
}

/// What counts as near in a task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale(f64);

impl Scale {
    /// From its pictures in order of arrival: what three quarters of the pairs differ by at most, among up to 64 that are
    /// spread evenly over the first 2, 4, 8, … of them. So it is measured anew when their number doubles, and not in
    /// between: groups do not change with every sample.
    pub(super) fn of(looks: &[Look<'_>]) -> Self {
        let taken = looks.len().checked_ilog2().map_or(0, |power| 1_usize << power);
        let measured: Vec<&Look<'_>> = looks[..taken].iter().step_by(taken.div_ceil(MEASURED).max(1)).collect();
        let mut pairs: Vec<f64> = Vec::with_capacity(measured.len() * measured.len() / 2);
        for (index, one) in measured.iter().enumerate() {
            pairs.extend(measured[..index].iter().map(|other| one.coarse_difference(other)));
        }
        // Of three pairs and fewer, all may be of one burst.
        if pairs.len() <= 3 {
            return Self(UNLIKE);
        }
        pairs.sort_unstable_by(f64::total_cmp);
        Self(pairs[((pairs.len() - 1) as f64 * USUAL) as usize].clamp(0.0, UNLIKE))
    }

    /// Whether a closer look is worth its time.
    pub(super) fn worth_a_look(self, coarse_difference: f64) -> bool {
        coarse_difference <= WORTH_A_LOOK * self.0
    }

    /// How near two pictures are, `earlier` having come first.
    pub(super) fn nearness(self, earlier: &Look<'_>, later: &Look<'_>) -> Nearness {
        let difference = difference(&Smooth::new(earlier.thumbnail), &Smooth::new(later.thumbnail));
        if difference <= LINKED * self.0 {
            Nearness::Linked
        } else if difference <= ALLOWED * self.0 {
            Nearness::Allowed
        } else {
            Nearness::Apart
        }
    }
}

/// How near two pictures are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearness {
    /// They may be in one group, if others link them.
    Allowed,
    /// They may not.
    Apart,
    /// They are of one burst.
    Linked,
}
