//! Sums of products in f64, on the widest vectors that the processor has. Knows nothing of what they mean.
//!
//! Invariant: the order of summation depends on the length only, so equal vectors give equal bits on every processor, and
//! vectors in f32 those of the same numbers in f64.

use crate::wide::wide;

/// Partial sums: strict order would keep the compiler from using vectors.
const LANES: usize = 16;

/// `Σ aᵢ bᵢ` over the shorter length.
pub(crate) fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> f64 {
    sum(a, b, |a, b| a * b)
}

/// `Σ (aᵢ - bᵢ)²` over the shorter length.
pub(crate) fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

/// Euclidean length.
pub(crate) fn norm<A: Copy + Into<f64>>(a: &[A]) -> f64 {
    dot(a, a).sqrt()
}

/// `y += alpha x` over the shorter length.
pub(crate) fn axpy<X: Copy + Into<f64>>(y: &mut [f64], alpha: f64, x: &[X]) {
    wide(
        #[inline(always)]
        || {
            for (y, &x) in y.iter_mut().zip(x) {
                *y += alpha * x.into();
            }
        },
    );
}

fn sum<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B], of: impl Fn(f64, f64) -> f64) -> f64 {
    wide(
        #[inline(always)]
        || {
            let mut lanes = [0.0_f64; LANES];
            let (a_blocks, b_blocks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
            let whole = LANES * a_blocks.len().min(b_blocks.len());
            for (a, b) in a_blocks.zip(b_blocks) {
                for lane in 0..LANES {
                    lanes[lane] += of(a[lane].into(), b[lane].into());
                }
            }
            let rest = a[whole..].iter().zip(&b[whole..]).map(|(&a, &b)| of(a.into(), b.into()));
            lanes.iter().sum::<f64>() + rest.sum::<f64>()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed_to_its_end() {
        for n in 0..40_u8 {
            let a: Vec<f32> = (0..n).map(f32::from).collect();
            let b: Vec<f64> = (0..n).map(f64::from).collect();
            let expected: f64 = b.iter().map(|x| x * x).sum();
            assert_eq!(dot(&a, &b), expected);
            assert_eq!(norm(&b), expected.sqrt());
            assert_eq!(squared_distance(&a, &vec![0.0; a.len()]), expected);
            let mut y = b.clone();
            axpy(&mut y, 2.0, &a);
            assert!(y.iter().zip(&b).all(|(y, b)| *y == 3.0 * b));
        }
    }

    #[test]
    fn the_shorter_of_two_decides() {
        assert_eq!(dot(&[1.0_f64; 40], &[1.0_f32; 20]), 20.0);
    }
}
