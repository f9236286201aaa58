//! Which unlabelled samples are worth a label: typical ones while labels are few, then those the head is unsure of.
//! Knows nothing of heads: features, groups and, once there is a head, its probabilities.
//!
//! *Typical* is `TypiClust` (Hacohen, Dekel and Weinshall 2022, "Active learning on a budget"): as many clusters as there
//! will be labels, and of the largest without a label the sample closest to its neighbours. *Unsure* is the margin between
//! the two likeliest classes (Scheffer, Decomain and Wrobel 2001); of thrice as many as are wanted the typical ones, so that
//! they do not all ask the same. A group is asked about once, and not at all where it has a label.
//! Invariant: the same samples in the same order give the same answer.

use std::collections::BTreeSet;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::{dot::dot, leave_out::mix};

/// Labels per class below which typical samples are worth more than doubtful ones.
pub const FEW_LABELS: usize = 10;

/// Candidates per sample wanted, by margin.
const DOUBTFUL: usize = 3;
/// Neighbours that make a sample typical.
const NEIGHBOURS: usize = 20;
/// Rounds of k-means at most.
const ROUNDS: usize = 15;

/// Why a sample is worth a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Use {
    /// It stands for many that are like it.
    Typical,
    /// The head cannot tell two classes apart.
    Doubtful {
        /// Probability of the likeliest class less that of the next.
        margin: f64,
    },
}

/// A sample worth a label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Useful {
    /// Its row.
    pub row: usize,
    /// Why.
    pub because: Use,
}

/// At most `count` unlabelled samples in the order in which they are worth a label. `features` `[n, dim]`, `groups` `[n]`,
/// `labelled` `[n]`; `probabilities` `[n, classes]` are a head's, calibrated, where there is one and labels are not few;
/// rows of labelled samples are not looked at. O(n·(count + labelled)·dim) and, for the largest cluster of m, O(m²·dim).
pub fn most_useful(
    features: ArrayView2<'_, f32>,
    groups: &[usize],
    labelled: &[bool],
    probabilities: Option<ArrayView2<'_, f64>>,
    count: usize,
) -> Vec<Useful> {
    let mut taken: BTreeSet<usize> =
        groups.iter().zip(labelled).filter(|(_, l)| **l).map(|(&group, _)| group).collect();
    let pool: Vec<usize> = (0..groups.len()).filter(|&row| taken.insert(groups[row])).collect();
    let Some(probabilities) = probabilities else {
        let known: Vec<usize> = (0..groups.len()).filter(|&row| labelled[row]).collect();
        let rows = typical(features, &known, &pool, count);
        return rows.into_iter().map(|row| Useful { row, because: Use::Typical }).collect();
    };
    let mut doubtful: Vec<(f64, usize)> = pool
        .iter()
        .map(|&row| (margin(probabilities.row(row)), row))
        .filter(|(margin, _)| margin.is_finite())
        .collect();
    doubtful.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    doubtful.truncate(DOUBTFUL.saturating_mul(count));
    let candidates: Vec<usize> = doubtful.iter().map(|&(_, row)| row).collect();
    let rows = typical(features, &[], &candidates, count);
    rows.into_iter()
        .map(|row| Useful { row, because: Use::Doubtful { margin: margin(probabilities.row(row)) } })
        .collect()
}

fn margin(probabilities: ArrayView1<'_, f64>) -> f64 {
    let mut top = [f64::NEG_INFINITY; 2];
    for &p in probabilities {
        if p > top[0] {
            top = [p, top[0]];
        } else if p > top[1] {
            top[1] = p;
        }
    }
    if top[1].is_finite() { top[0] - top[1] } else { top[0] }
}

/// At most `count` rows of the pool: the most typical one of each cluster that holds none of `known`, the largest first.
fn typical(features: ArrayView2<'_, f32>, known: &[usize], pool: &[usize], count: usize) -> Vec<usize> {
    let count = count.min(pool.len());
    if count == 0 {
        return Vec::new();
    }
    let rows: Vec<usize> = known.iter().chain(pool).copied().collect();
    let x = directions(features, &rows);
    let clusters = clusters(&x, (known.len() + count).min(rows.len()));
    let covered: BTreeSet<usize> = clusters[..known.len()].iter().copied().collect();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); clusters.iter().max().map_or(0, |last| last + 1)];
    for (i, &cluster) in clusters.iter().enumerate().skip(known.len()) {
        members[cluster].push(i);
    }
    // Clusters without a label first; among each the largest, so that the rest of the count comes from there.
    let mut order: Vec<usize> = (0..members.len()).filter(|&cluster| !members[cluster].is_empty()).collect();
    order.sort_by_key(|&cluster| (covered.contains(&cluster), std::cmp::Reverse(members[cluster].len()), cluster));
    let mut queues: Vec<std::vec::IntoIter<usize>> =
        order.iter().map(|&cluster| by_typicality(&x, &members[cluster]).into_iter()).collect();
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count {
        let before = chosen.len();
        let round: Vec<usize> = queues.iter_mut().filter_map(Iterator::next).collect();
        chosen.extend(round.into_iter().take(count - before).map(|i| rows[i]));
        if chosen.len() == before {
            break;
        }
    }
    chosen
}

/// Directions from the common mean, of length 1: where features all point one way, what tells them apart is left.
fn directions(features: ArrayView2<'_, f32>, rows: &[usize]) -> Array2<f32> {
    let mut x = features.select(Axis(0), rows);
    if let Some(mean) = x.mean_axis(Axis(0)) {
        x -= &mean;
    }
    for mut row in x.rows_mut() {
        let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.mapv_inplace(|v| (f64::from(v) / length) as f32);
        }
    }
    x
}

/// The cluster of each row, in `0..k`: Lloyd's k-means from centres as k-means++ draws them (Arthur and Vassilvitskii 2007).
fn clusters(x: &Array2<f32>, k: usize) -> Vec<usize> {
    let n = x.nrows();
    let row = |i: usize| x.row(i).to_slice().unwrap_or_default();
    let mut centres = Array2::<f32>::zeros((k, x.ncols()));
    let mut nearest = vec![f64::INFINITY; n];
    let mut next = (mix(n as u64) % n as u64) as usize;
    for c in 0..k {
        centres.row_mut(c).assign(&x.row(next));
        for (i, nearest) in nearest.iter_mut().enumerate() {
            *nearest = nearest.min(squared(row(i), row(next)));
        }
        let total: f64 = nearest.iter().sum();
        // A number in 0..1 from the place in the sequence; the first that is far where all are near.
        let mut at = mix(c as u64) as f64 / u64::MAX as f64 * total;
        next = nearest
            .iter()
            .position(|d| {
                at -= d;
                at < 0.0
            })
            .unwrap_or(0);
    }
    let mut of = vec![0; n];
    for _ in 0..ROUNDS {
        let halves: Vec<f64> =
            centres.rows().into_iter().map(|c| c.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 2.0).collect();
        let assigned: Vec<usize> = (0..n)
            .map(|i| {
                let score = |c: usize| dot(centres.row(c).to_slice().unwrap_or_default(), row(i)) - halves[c];
                let scores: Vec<f64> = (0..k).map(score).collect();
                crate::evaluation::most_probable(ArrayView1::from(&scores))
            })
            .collect();
        if assigned == of {
            break;
        }
        of = assigned;
        let mut sums = Array2::<f64>::zeros(centres.dim());
        let mut counts = vec![0_usize; k];
        for (i, &c) in of.iter().enumerate() {
            let mut sum = sums.row_mut(c);
            sum.zip_mut_with(&x.row(i), |a, &b| *a += f64::from(b));
            counts[c] += 1;
        }
        for c in (0..k).filter(|&c| counts[c] > 0) {
            let mean: Array1<f32> = sums.row(c).mapv(|v| (v / counts[c] as f64) as f32);
            centres.row_mut(c).assign(&mean);
        }
    }
    of
}

/// Members by mean distance to their nearest neighbours among them, the closest first.
fn by_typicality(x: &Array2<f32>, members: &[usize]) -> Vec<usize> {
    let row = |i: usize| x.row(i).to_slice().unwrap_or_default();
    let mut spread: Vec<(f64, usize)> = members
        .iter()
        .map(|&i| {
            let mut distances: Vec<f64> =
                members.iter().filter(|&&j| j != i).map(|&j| squared(row(i), row(j)).sqrt()).collect();
            distances.sort_by(f64::total_cmp);
            distances.truncate(NEIGHBOURS);
            (distances.iter().sum::<f64>() / distances.len().max(1) as f64, i)
        })
        .collect();
    spread.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    spread.into_iter().map(|(_, i)| i).collect()
}

fn squared(a: &[f32], b: &[f32]) -> f64 {
    (dot(a, a) + dot(b, b) - 2.0 * dot(a, b)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Three heaps of sizes 6, 4 and 2 around the axes; the middle of each comes first.
    fn heaps() -> Array2<f32> {
        let at = |axis: usize, k: usize| -> [f32; 3] {
            let mut x = [0.0; 3];
            x[axis] = 1.0;
            x[(axis + 1) % 3] = 0.02 * k as f32 * if k.is_multiple_of(2) { 1.0 } else { -1.0 };
            x
        };
        let rows: Vec<[f32; 3]> =
            [(0, 6), (1, 4), (2, 2)].iter().flat_map(|&(a, n)| (0..n).map(move |k| at(a, k))).collect();
        Array2::from(rows)
    }

    fn rows(found: &[Useful]) -> Vec<usize> {
        found.iter().map(|useful| useful.row).collect()
    }

    #[test]
    fn of_each_heap_without_a_label_the_typical_one_is_asked_about_the_largest_heap_first() {
        let x = heaps();
        let groups: Vec<usize> = (0..12).collect();
        let heap = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2];
        let asked = |labelled: &[bool], count| -> Vec<usize> {
            most_useful(x.view(), &groups, labelled, None, count).iter().map(|useful| heap[useful.row]).collect()
        };
        assert_eq!(asked(&[false; 12], 3), [0, 1, 2]);
        let mut labelled = [false; 12];
        labelled[3] = true;
        assert_eq!(asked(&labelled, 2), [1, 2]);
    }

    #[test]
    fn a_group_is_asked_about_once_and_never_where_it_has_a_label() {
        let x = heaps();
        let groups = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2];
        let mut labelled = [false; 12];
        labelled[11] = true;
        let found = most_useful(x.view(), &groups, &labelled, None, 12);
        let mut asked: Vec<usize> = found.iter().map(|useful| groups[useful.row]).collect();
        asked.sort_unstable();
        assert_eq!(asked, [0, 1]);
        assert!(most_useful(x.view(), &groups, &[true; 12], None, 5).is_empty());
        assert!(most_useful(x.view(), &groups, &labelled, None, 0).is_empty());
    }

    #[test]
    fn with_a_head_the_doubtful_are_asked_about_and_never_the_sure() {
        let x = heaps();
        let p = Array2::from_shape_fn((12, 2), |(i, c)| {
            let sure: f64 = if i % 4 == 1 { 0.52 } else { 0.97 };
            if c == 0 { sure } else { 1.0 - sure }
        });
        let groups: Vec<usize> = (0..12).collect();
        let found = most_useful(x.view(), &groups, &[false; 12], Some(p.view()), 1);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].row % 4, 1, "{found:?}");
        assert!(matches!(found[0].because, Use::Doubtful { margin } if (margin - 0.04).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn equal_samples_end_and_give_what_there_is() {
        let x = Array2::from_elem((5, 3), 0.5_f32);
        let found = most_useful(x.view(), &[0, 1, 2, 3, 4], &[false; 5], None, 9);
        assert_eq!(rows(&found), [0, 1, 2, 3, 4]);
        assert!(margin(array![1.0].view()) == 1.0);
    }
}
